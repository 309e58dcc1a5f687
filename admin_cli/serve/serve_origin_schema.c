/*
 * What the origin's API takes and answers, for the OpenAPI document. Its fields
 * are none of the command table's: docs/ORIGIN.md compares them. Schemas stand
 * with ' for ".
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>

#include "aigw_password.h"
#include "serve_web.h"


#define TEXT_OF(n)  #n
#define DIGITS(n)   TEXT_OF(n)

#define JSON  SERVE_JSON
#define FORM  "application/x-www-form-urlencoded"

#define OBJECT(required, properties)                                          \
    "{'type':'object','required':[" required "],'properties':{" properties "}}"
#define TEXT(name)    "'" name "':{'type':'string'}"
#define PLACES(name)  "'" name "':{'type':['number','null']}"
#define NEW_NAME(name)                                                        \
    "'" name "':{'type':'string','minLength':1,'maxLength':"                  \
    DIGITS(AIGW_NAME_MAX) "}"
#define NEW_PASSWORD                                                          \
    "'password':{'type':'string','minLength':" DIGITS(AIGW_PASSWORD_MIN)      \
    ",'maxLength':" DIGITS(AIGW_PASSWORD_MAX) "}"
#define MOMENT(name)                                                          \
    "'" name "':{'type':['string','null'],'format':'date-time'}"
#define DAY  "{'type':'string','format':'date'}"
#define MAY_DAY                                                               \
    "{'type':'string','pattern':'^(?:[0-9]{4}-[0-9]{2}-[0-9]{2})?$'}"
#define ID   "'project_id':{'type':'integer','minimum':1}"

#define TOKEN_FIELDS  TEXT("access_token") "," TEXT("token_type")
#define TOKEN         OBJECT("'access_token','token_type'", TOKEN_FIELDS)
#define LOGIN                                                                 \
    OBJECT("'username','password'", TEXT("username") ",'password':{'type':"   \
           "'string','format':'password'},'grant_type':{'enum':['password']}")
#define ANSWER(required, data)                                                \
    OBJECT("'code','msg','data'", "'code':{'type':'integer','const':200},"    \
           TEXT("msg") ",'data':" OBJECT(required, data))
#define QUERY(name, schema)                                                   \
    "{'in':'query','name':'" name "','required':false,'schema':" schema "}"

static const struct {
    const char  *form;
    const char  *type;                /* of the body; NULL: a query */
    const char  *takes;
    const char  *answers;
} forms[] = {

    { "register", JSON,
      OBJECT("'username','password'", NEW_NAME("username") "," NEW_PASSWORD
             "," TEXT("invite_code")),
      TOKEN },

    { "login", FORM, LOGIN, TOKEN },
    { "token", FORM, LOGIN, TOKEN },

    { "init", JSON,
      OBJECT("'token','password'", TEXT("token") "," NEW_NAME("username") ","
             NEW_PASSWORD),
      ANSWER("'username','access_token','token_type'",
             TEXT("username") "," TOKEN_FIELDS) },

    { "create", JSON,
      OBJECT("'project_name','total_quota'", NEW_NAME("project_name")
             ",'total_quota':{'type':'number','minimum':0,'maximum':"
             "9223372036},'model_permission':{'anyOf':[{'type':'array',"
             "'minItems':1,'items':{'type':'string'}},{'type':'string'}]},"
             "'expired_days':{'type':'integer','minimum':1,'maximum':36500,"
             "'default':30}"),
      ANSWER("'project_id','project_name','api_key','base_url','total_quota',"
             "'expired_at'", ID "," TEXT("project_name") "," TEXT("api_key")
             ",'base_url':{'type':['string','null']}," PLACES("total_quota")
             "," MOMENT("expired_at")) },

    { "list", NULL, NULL,
      "{'type':'array','items':"
      OBJECT("'project_id','project_name','total_quota','used_quota',"
             "'remaining_quota','is_active','expired_at'", ID ","
             TEXT("project_name") "," PLACES("total_quota") ",'used_quota':{"
             "'type':'number'}," PLACES("remaining_quota") ",'is_active':{"
             "'type':'boolean'}," MOMENT("expired_at")) "}" },

    { "stats", NULL,
      "[" QUERY("project_id", "{'type':'integer','minimum':1}") ","
      QUERY("start_date", MAY_DAY) "," QUERY("end_date", MAY_DAY) "]",
      OBJECT("'total_calls','total_tokens','success_rate','start_date',"
             "'end_date'", "'total_calls':{'type':'integer'},'total_tokens':{"
             "'type':'integer'},'success_rate':{'type':'number'},'start_date':"
             DAY ",'end_date':" DAY) }
};

static const struct {
    const char  *status;
    const char  *what;
} errors[] = {
    { "400", "what was asked for cannot be" },
    { "401", "no token, or it has ended; or a wrong password" },
    { "403", "this role, account or invitation may not do that" },
    { "404", "there is no such project, or it is someone else's" },
    { "413", "the body is too large" },
    { "422", "fields that are missing or wrong, one a line" },
    { "429", "too many tries" },
    { "500", "something is broken here" },
    { "503", "the store cannot be used now" }
};


static cJSON *
parse(const char *text)
{
    char   *copy = strdup(text), *p;
    cJSON  *value;

    for (p = strchr(copy, '\''); p != NULL; p = strchr(p, '\'')) {
        *p = '"';
    }

    value = cJSON_Parse(copy);
    free(copy);

    return value;
}


static cJSON *
content_of(cJSON *owner, const char *type)
{
    return cJSON_AddObjectToObject(cJSON_AddObjectToObject(owner, "content"),
                                   type);
}


static void
add_errors(cJSON *responses)
{
    cJSON   *response;
    size_t   i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        response = cJSON_AddObjectToObject(responses, errors[i].status);
        cJSON_AddStringToObject(response, "description", errors[i].what);
        cJSON_AddItemToObject(content_of(response, JSON), "schema",
                              parse("{'$ref':'#/components/schemas/Detail'}"));
    }
}


/* A text, or a list of faults; nginx's own words where it stands before
   /admin/. */
void
serve_origin_add_schemas(cJSON *schemas)
{
    cJSON_AddItemToObject(schemas, "Detail",
        parse("{'anyOf':["
              OBJECT("'detail'", TEXT("detail")) ","
              OBJECT("'detail'", "'detail':{'type':'array','items':"
                     OBJECT("'type','loc','msg'", TEXT("type") ",'loc':{"
                            "'type':'array','items':{'type':'string'}},"
                            TEXT("msg")) "}")
              ",{'$ref':'#/components/schemas/Error'}]}"));
}


void
serve_origin_describe(cJSON *operation, const serve_route_t *route)
{
    cJSON   *responses, *response, *request;
    size_t   i = 0;

    while (strcmp(forms[i].form, route->form) != 0) {
        i++;
    }

    if (forms[i].type != NULL) {
        request = cJSON_AddObjectToObject(operation, "requestBody");
        cJSON_AddTrueToObject(request, "required");
        cJSON_AddItemToObject(content_of(request, forms[i].type), "schema",
                              parse(forms[i].takes));

    } else if (forms[i].takes != NULL) {
        cJSON_AddItemToObject(operation, "parameters", parse(forms[i].takes));
    }

    responses = cJSON_AddObjectToObject(operation, "responses");
    response = cJSON_AddObjectToObject(responses, "200");
    cJSON_AddStringToObject(response, "description", "done");
    cJSON_AddItemToObject(content_of(response, JSON), "schema",
                          parse(forms[i].answers));
    add_errors(responses);
}
