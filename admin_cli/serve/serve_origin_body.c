/*
 * Bodies in the words of the service that this gateway took over from: JSON or
 * a form; and faults, each a line of a list. Threat M08.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "serve_origin.h"


#define JSON_TYPE    "application/json"
#define FORM_TYPE    "application/x-www-form-urlencoded"
#define FORM_FIELDS  32

/* Fields that may stand once; the first are numbers. */
enum { TOTAL_QUOTA, EXPIRED_DAYS, OTHER };

static const aigw_json_node_t  fields[] = {
    { aigw_str("total_quota"), TOTAL_QUOTA, 0, 0, NULL },
    { aigw_str("expired_days"), EXPIRED_DAYS, 0, 0, NULL },
    { aigw_str("project_name"), OTHER, 0, 0, NULL },
    { aigw_str("model_permission"), OTHER, 0, 0, NULL },
    { aigw_str("username"), OTHER, 0, 0, NULL },
    { aigw_str("password"), OTHER, 0, 0, NULL },
    { aigw_str("invite_code"), OTHER, 0, 0, NULL },
    { aigw_str("token"), OTHER, 0, 0, NULL }
};


static aigw_err_t
on_value(void *ctx, const aigw_json_value_t *value)
{
    serve_origin_in_t  *in = ctx;

    /* a number that is longer than any in range stays empty */
    if (value->type == AIGW_JSON_NUMBER && !value->cut
        && value->node->id < SERVE_ORIGIN_NUMBERS)
    {
        snprintf(in->number[value->node->id].text,
                 sizeof(in->number[0].text), "%.*s", (int) value->text.len,
                 value->text.data);
    }

    return AIGW_OK;
}


void
serve_origin_fault(serve_origin_in_t *in, const char *field, const char *type,
    const char *message)
{
    cJSON  *fault, *loc;

    if (in->faults == NULL) {
        in->faults = cJSON_CreateArray();
    }

    fault = cJSON_CreateObject();
    cJSON_AddItemToArray(in->faults, fault);
    cJSON_AddStringToObject(fault, "type", type);
    loc = cJSON_AddArrayToObject(fault, "loc");
    cJSON_AddItemToArray(loc, cJSON_CreateString(in->where));

    in->broken |= field == NULL;

    if (field != NULL) {
        cJSON_AddItemToArray(loc, cJSON_CreateString(field));
    }

    cJSON_AddStringToObject(fault, "msg", message);
}


int
serve_origin_is_faulty(serve_origin_in_t *in)
{
    cJSON  *answer;

    if (in->faults == NULL) {
        return 0;
    }

    answer = cJSON_CreateObject();
    cJSON_AddItemToObject(answer, "detail", in->faults);
    in->faults = NULL;
    serve_answer(in->r, MHD_HTTP_UNPROCESSABLE_CONTENT, answer);

    return 1;
}


static int
is_type(const char *type, const char *which)
{
    size_t  len = strlen(which);

    return type != NULL && strncasecmp(type, which, len) == 0
           && (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}


static void
take_json(serve_origin_in_t *in)
{
    aigw_err_t        err;
    aigw_json_t       json;
    serve_request_t  *r = in->r;

    static const aigw_json_schema_t  schema = {
        { aigw_str(""), 0, AIGW_JSON_SILENT,
          sizeof(fields) / sizeof(fields[0]), fields },
        AIGW_JSON_ONCE, on_value
    };

    if (r->body_len == 0) {
        serve_origin_fault(in, NULL, "missing", "Field required");
        return;
    }

    aigw_json_init(&json, &schema);
    err = aigw_json_feed(&json, (const unsigned char *) r->body, r->body_len,
                         in);
    err = err != AIGW_OK ? err : aigw_json_finish(&json);

    if (err == AIGW_EEXIST) {
        in->broken = 1;
        serve_origin_fault(in, aigw_json_fault(&json)->name.data,
                           "value_error", "Value error, 字段重复");
        return;
    }

    if (err != AIGW_OK || strstr(r->body, "\\u0000") != NULL) {
        serve_origin_fault(in, NULL, "json_invalid", "JSON decode error");
        return;
    }

    r->json = cJSON_ParseWithLength(r->body, r->body_len);

    if (!cJSON_IsObject(r->json)) {
        serve_origin_fault(in, NULL, "model_attributes_type", "Input should be"
                           " a valid dictionary or object to extract fields"
                           " from");
    }
}


/* A name or value of a form, in place. */
static int
decode(char *text)
{
    char  *p;

    for (p = strchr(text, '+'); p != NULL; p = strchr(p, '+')) {
        *p = ' ';
    }

    return serve_unescape(text);
}


static void
take_form(serve_origin_in_t *in)
{
    int               left = FORM_FIELDS;
    char             *name, *value, *rest;
    serve_request_t  *r = in->r;

    r->json = cJSON_CreateObject();
    rest = r->body;

    if (r->body_len == 0 || strlen(r->body) != r->body_len) {
        return;                       /* each field is missing */
    }

    while ((name = strsep(&rest, "&")) != NULL) {
        value = name;
        (void) strsep(&value, "=");

        if (left-- == 0 || !decode(name) || (value && !decode(value))
            || cJSON_HasObjectItem(r->json, name))
        {
            serve_origin_fault(in, NULL, "value_error", "Value error, 表单"
                               "编码错误，或字段重复");
            return;
        }

        cJSON_AddStringToObject(r->json, name, value ? value : "");
    }
}


void
serve_origin_take_body(serve_origin_in_t *in, serve_request_t *r,
    unsigned kinds)
{
    const char  *type = serve_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);

    memset(in, 0, sizeof(*in));
    in->r = r;
    in->where = "body";

    if ((kinds & SERVE_ORIGIN_FORM) && is_type(type, FORM_TYPE)) {
        take_form(in);

    } else if ((kinds & SERVE_ORIGIN_JSON)
               && (type == NULL || is_type(type, JSON_TYPE)))
    {
        take_json(in);

    } else if (kinds & SERVE_ORIGIN_JSON) {
        serve_origin_fault(in, NULL, "model_attributes_type", "Input should be"
                           " a valid dictionary or object to extract fields"
                           " from");
    }

    if (r->json == NULL) {
        r->json = cJSON_CreateObject();
    }
}


const char *
serve_origin_number(const serve_origin_in_t *in, const char *field)
{
    size_t  i;

    for (i = 0; strcmp(fields[i].name.data, field) != 0; i++) { /* void */ }

    return in->number[i].text;
}


int
serve_origin_argument(serve_origin_in_t *in, const char *field,
    char text[CLI_TEXT_LEN])
{
    const char  *value;

    value = MHD_lookup_connection_value(in->r->connection,
                                        MHD_GET_ARGUMENT_KIND, field);
    text[0] = '\0';

    if (value == NULL || value[0] == '\0') {
        return 1;
    }

    if (strlen(value) < CLI_TEXT_LEN) {
        strcpy(text, value);

        if (decode(text)) {
            return 1;
        }
    }

    serve_origin_fault(in, field, "value_error",
                       "Value error, 参数格式错误");

    return 0;
}
