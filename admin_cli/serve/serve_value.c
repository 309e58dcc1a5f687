/*
 * Values of a request for a command: members of a JSON body, or arguments of
 * the query, each of the type that its kind in the command table has. What is
 * not in the table is refused by its name. Threats M08, M20.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "aigw_json.h"
#include "serve.h"


int
serve_is_secret(const cli_option_t *option)
{
    size_t  len = strlen(option->name);

    return len > 5 && strcmp(option->name + len - 5, "-file") == 0;
}


const char *
serve_field_name(const cli_option_t *option, char name[CLI_TEXT_LEN])
{
    size_t  i, len = strlen(option->name);

    len -= serve_is_secret(option) ? 5 : 0;

    for (i = 0; i < len && i < CLI_TEXT_LEN - 1; i++) {
        name[i] = option->name[i] == '-'
                  ? '_' : (char) tolower((unsigned char) option->name[i]);
    }

    name[i] = '\0';

    return name;
}


int
serve_is_offered(const serve_route_t *route, const cli_option_t *option)
{
    return route->without == NULL || !cli_has_word(route->without,
                                                   option->name);
}


static int
bad_value(serve_request_t *r, const char *field, const char *what)
{
    serve_fail(r, MHD_HTTP_BAD_REQUEST, "usage", field, NULL, "%s: %s", field,
               what);

    return 0;
}


/* Keeps a text that is freed with the request. */
static const char *
keep(serve_request_t *r, const char *text, size_t len)
{
    char  *copy;

    copy = cJSON_malloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    r->text[r->texts++] = copy;

    return copy;
}


/* A whole number as digits. */
static const char *
number_text(serve_request_t *r, const cJSON *item)
{
    char    text[CLI_TEXT_LEN];
    double  value = item->valuedouble;

    if (!cJSON_IsNumber(item) || value < 0 || value > 9007199254740991.0
        || value != floor(value) || signbit(value))
    {
        return NULL;
    }

    snprintf(text, sizeof(text), "%.0f", value);

    return keep(r, text, strlen(text));
}


/* ["a","b"] as a,b. */
static const char *
list_text(serve_request_t *r, const cJSON *array)
{
    char         *text;
    size_t        len = 0, size = 1;
    const cJSON  *item;

    cJSON_ArrayForEach(item, array) {
        if (!cJSON_IsString(item) || item->valuestring[0] == '\0'
            || strchr(item->valuestring, ',') != NULL)
        {
            return NULL;
        }

        size += strlen(item->valuestring) + 1;
    }

    text = cJSON_malloc(size);
    r->text[r->texts++] = text;

    cJSON_ArrayForEach(item, array) {
        len += (size_t) snprintf(text + len, size - len, "%s%s",
                                 len ? "," : "", item->valuestring);
    }

    text[len] = '\0';

    return text;
}


/* What the command line has a word for is null here: the word, or NULL. */
static const char *
word_for_null(cli_kind_t kind)
{
    return kind == CLI_LIMIT ? "unlimited" : kind == CLI_EXPIRY ? "never"
           : kind == CLI_TOKENS ? "unknown"
           : kind == CLI_TARGET || kind == CLI_ANY ? "" : NULL;
}


/* What a member of that kind must be, for the message and for /openapi.json. */
static const char *
type_of(cli_kind_t kind)
{
    switch (kind) {
    case CLI_FLAG:    return "it is true or false";
    case CLI_COUNT:
    case CLI_STATUS:  return "it is a whole number";
    case CLI_TOKENS:  return "it is a whole number, or null if not known";
    case CLI_MODELS:  return "it is an array of strings";
    case CLI_AMOUNT:  return "it is a decimal string: \"25\" or \"0.5\"";
    case CLI_LIMIT:   return "it is a decimal string, or null for no limit";
    case CLI_EXPIRY:  return "it is a string, or null for never";
    default:          return "it is a string";
    }
}


/* The text that the command line would have; NULL: it is of another type. */
static const char *
member_text(serve_request_t *r, const cli_option_t *option, const cJSON *item)
{
    const char  *null = word_for_null(option->kind);

    if (cJSON_IsNull(item)) {
        return null;
    }

    switch (option->kind) {

    case CLI_COUNT:
    case CLI_STATUS:
    case CLI_TOKENS:
        return number_text(r, item);

    case CLI_MODELS:
        return cJSON_IsArray(item) ? list_text(r, item) : NULL;

    default:
        break;
    }

    if (!cJSON_IsString(item)
        || (null != NULL && null[0] != '\0'
            && strcmp(item->valuestring, null) == 0))
    {
        return NULL;
    }

    return item->valuestring;
}


static int
convert(serve_request_t *r, const cli_option_t *option, const char *text,
    cli_value_t *value)
{
    char        field[CLI_TEXT_LEN];
    cli_exit_t  code;

    if (value->text != NULL) {
        return bad_value(r, serve_field_name(option, field),
                         "it stands twice");
    }

    code = cli_convert(&r->cli, option, text, value);

    if (code != CLI_OK) {
        serve_fail_command(r, code);
    }

    return code == CLI_OK;
}


/* The argument or option of that name, and where its value goes. */
static const cli_option_t *
find(serve_request_t *r, const char *name, cli_value_t **value)
{
    char                  field[CLI_TEXT_LEN];
    size_t                i;
    const cli_option_t   *o;
    const cli_command_t  *command = r->cli.command;

    o = command->args;

    for (i = 0; o != NULL && o[i].name != NULL; i++) {
        if (r->param[i] == NULL
            && strcmp(serve_field_name(&o[i], field), name) == 0)
        {
            *value = &r->cli.arg[i];
            return &o[i];
        }
    }

    o = command->options;

    for (i = 0; o != NULL && o[i].name != NULL; i++) {
        if (serve_is_offered(r->route, &o[i])
            && strcmp(serve_field_name(&o[i], field), name) == 0)
        {
            *value = &r->cli.option[i];
            return &o[i];
        }
    }

    return NULL;
}


static int
take_member(serve_request_t *r, const cJSON *item)
{
    const char          *text;
    cli_value_t         *value;
    const cli_option_t  *option;

    option = find(r, item->string, &value);

    if (option == NULL) {
        return bad_value(r, item->string, "there is no such field here");
    }

    if (option->kind == CLI_FLAG && cJSON_IsBool(item)) {
        return cJSON_IsTrue(item) ? convert(r, option, "", value) : 1;
    }

    text = option->kind == CLI_FLAG ? NULL : member_text(r, option, item);

    return text != NULL ? convert(r, option, text, value)
                        : bad_value(r, item->string, type_of(option->kind));
}


/* A document that is no object or array. */
static aigw_err_t
on_scalar(void *ctx, const aigw_json_value_t *value)
{
    (void) ctx;
    (void) value;

    return AIGW_OK;
}


/* Strict (RFC 8259): what cJSON lets pass is refused first. */
static int
is_json(const char *text, size_t len)
{
    aigw_err_t   err;
    aigw_json_t  json;

    static const aigw_json_schema_t  anything = {
        .root = { .flags = AIGW_JSON_SILENT }, .handler = on_scalar
    };

    aigw_json_init(&json, &anything);
    err = aigw_json_feed(&json, (const unsigned char *) text, len, NULL);

    return err == AIGW_OK && aigw_json_finish(&json) == AIGW_OK
           && strstr(text, "\\u0000") == NULL;
}


int
serve_parse_body(serve_request_t *r)
{
    const char  *type = serve_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);

    if (r->body_len == 0) {
        r->json = cJSON_CreateObject();
        return 1;
    }

    if (type == NULL || strncasecmp(type, "application/json", 16) != 0
        || (type[16] != '\0' && type[16] != ';' && type[16] != ' '))
    {
        serve_fail(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "usage", NULL, NULL,
                   "a body is application/json");
        return 0;
    }

    if (is_json(r->body, r->body_len)) {
        r->json = cJSON_ParseWithLength(r->body, r->body_len);
    }

    if (!cJSON_IsObject(r->json)) {
        serve_fail(r, MHD_HTTP_BAD_REQUEST, "usage", NULL, NULL,
                   "the body is no JSON object");
        return 0;
    }

    return 1;
}


static int
take_body(serve_request_t *r)
{
    const cJSON  *item;

    if (!serve_parse_body(r)) {
        return 0;
    }

    cJSON_ArrayForEach(item, r->json) {
        if (!take_member(r, item)) {
            return 0;
        }
    }

    return 1;
}


static enum MHD_Result
take_argument(void *ctx, enum MHD_ValueKind kind, const char *name,
    size_t name_len, const char *data, size_t len)
{
    char                *text, *p;
    cli_value_t         *value;
    serve_request_t     *r = ctx;
    const cli_option_t  *option;

    (void) kind;

    option = strlen(name) == name_len ? find(r, name, &value) : NULL;

    if (option == NULL || r->texts == SERVE_TEXTS_MAX) {
        (void) bad_value(r, name, "there is no such argument here");
        return MHD_NO;
    }

    text = (char *) (uintptr_t) keep(r, data ? data : "", data ? len : 0);

    for (p = strchr(text, '+'); p != NULL; p = strchr(p, '+')) {
        *p = ' ';
    }

    if (!serve_unescape(text)) {
        (void) bad_value(r, name, "its %-escapes are wrong");
        return MHD_NO;
    }

    if (option->kind == CLI_FLAG) {
        if (strcmp(text, "false") == 0) {
            return MHD_YES;
        }

        if (strcmp(text, "true") != 0) {
            (void) bad_value(r, name, type_of(CLI_FLAG));
            return MHD_NO;
        }
    }

    return convert(r, option, text, value) ? MHD_YES : MHD_NO;
}


static int
take_query(serve_request_t *r)
{
    if (r->body_len > 0) {
        serve_fail(r, MHD_HTTP_BAD_REQUEST, "usage", NULL, NULL,
                   "this method takes no body");
        return 0;
    }

    (void) MHD_get_connection_values_n(r->connection, MHD_GET_ARGUMENT_KIND,
                                       take_argument, r);

    return r->status == 0;
}


static int
need(serve_request_t *r, const cli_option_t *options,
    const cli_value_t *values)
{
    char    field[CLI_TEXT_LEN];
    size_t  i;

    for (i = 0; options != NULL && options[i].name != NULL; i++) {
        if (options[i].required && values[i].text == NULL) {
            return bad_value(r, serve_field_name(&options[i], field),
                             "it is missing");
        }
    }

    return 1;
}


int
serve_take_values(serve_request_t *r)
{
    int                   by_body;
    size_t                i;
    const cli_command_t  *command = r->cli.command;

    for (i = 0; i < SERVE_PARAMS_MAX && r->param[i] != NULL; i++) {
        if (!convert(r, &command->args[i], r->param[i], &r->cli.arg[i])) {
            return 0;
        }
    }

    by_body = r->route->method[0] == 'P';

    return (by_body ? take_body(r) : take_query(r))
           && need(r, command->args, r->cli.arg)
           && need(r, command->options, r->cli.option);
}
