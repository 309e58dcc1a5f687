/*
 * The OpenAPI 3.1 document: made of the routes and the command table when
 * `aigw serve` starts, so that it says what is checked and nothing else.
 */

#include <string.h>

#include "serve_web.h"


/* In the order of their statuses. */
const serve_error_t  serve_errors[] = {
    { SERVE_ERROR_WRONG, "400", "Wrong", "Error", "a field is unknown, missing"
      " or of a form that it may not have: `field` names it" },
    { SERVE_ERROR_LOGIN, "401", "LogIn", "Error",
      "no token, or it has ended; or a wrong password" },
    { SERVE_ERROR_DENIED, "403", "Denied", "Error",
      "this role, or account, may not do that" },
    { SERVE_ERROR_MISSING, "404", "Missing", "Error",
      "there is no such thing, or it is someone else's" },
    { SERVE_ERROR_CONFLICT, "409", "Conflict", "Error",
      "the name is taken, or something else is in the way" },
    { SERVE_ERROR_BODY, "413", "TooLarge", "Error", "the body is too large" },
    { SERVE_ERROR_BODY, "415", "WrongType", "Error",
      "the body is of another type" },
    { SERVE_ERROR_ANY, "429", "TooOften", "Error", "too many requests" },
    { SERVE_ERROR_ANY, "500", "Failed", "Error", "something is broken here" },
    { SERVE_ERROR_ANY, "503", "Unavailable", "Error",
      "the store cannot be used now" },
    { 0, NULL, NULL, NULL, NULL }
};

static const struct {
    const char  *name;
    const char  *what;
} tags[] = {
    { "session", "Logging in and out." },
    { "invite", "What lets somebody sign up." },
    { "user", "Those to whom projects belong." },
    { "project", "What keys belong to, with a quota and a list of models." },
    { "key", "What callers of `/v1/` send. A key is shown once." },
    { "model", "What `GET /v1/models` lists, and what is known of them." },
    { "price", "Per million tokens, each in force from a moment on." },
    { "upstream", "Where calls go. Its key is never shown." },
    { "subkey", "A project's own keys at an upstream." },
    { "log", "The ledger: a row for each call, admitted or refused." },
    { "usage", "Calls, tokens and cost, summed." },
    { "top", "What is in flight now." },
    { "explain", "Why a call is let in or refused." },
    { "setting", "What holds for the whole gateway." },
    { "store", "Where all of this is kept." },
    { "audit", "Who changed what." },
    { "origin", "The paths of the service that this gateway took over from;"
      " in its words, which docs/ORIGIN.md compares." }
};

static const char  about[] =
    "Users, projects, keys, models, prices and the ledger of an AI gateway:"
    " what its command line `aigw` does, over HTTP.\n\n"
    "Amounts and prices are decimal strings, counts are integers, times are"
    " RFC 3339 in UTC; what is unlimited, unknown or never is `null`. Names"
    " stand where an id is taken. Lists are `{\"items\":[...],\"next\":...}`,"
    " newest first: `next` is the `cursor` of the next page, `null` on the"
    " last. Errors are `{\"error\":{\"code\",\"message\",\"hint\",\"field\"}}`."
    " Fields are only ever added to answers.";

static char  *text;                   /* the document */
static char   etag[SERVE_ETAG_LEN + 1];


static int
is_used(const char *tag)
{
    const cli_command_t  *command;
    const serve_route_t  *route;

    for (route = serve_routes; route->method != NULL; route++) {
        command = serve_command_of(route);

        if (command != NULL && strcmp(command->noun, tag) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
add_tags(cJSON *document)
{
    cJSON   *list, *tag;
    size_t   i;

    list = cJSON_AddArrayToObject(document, "tags");

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (!is_used(tags[i].name)) {
            continue;
        }

        tag = cJSON_CreateObject();
        cJSON_AddItemToArray(list, tag);
        cJSON_AddStringToObject(tag, "name", tags[i].name);
        cJSON_AddStringToObject(tag, "description", tags[i].what);
    }
}


static void
add_responses(cJSON *components)
{
    char     ref[CLI_MESSAGE_LEN];
    cJSON   *responses, *response, *header, *content;
    size_t   i;

    responses = cJSON_AddObjectToObject(components, "responses");

    for (i = 0; serve_errors[i].name != NULL; i++) {
        response = cJSON_AddObjectToObject(responses, serve_errors[i].name);
        cJSON_AddStringToObject(response, "description", serve_errors[i].what);
        content = cJSON_AddObjectToObject(cJSON_AddObjectToObject(response,
                                          "content"), SERVE_JSON);
        snprintf(ref, sizeof(ref), "#/components/schemas/%s",
                 serve_errors[i].schema);
        cJSON_AddStringToObject(cJSON_AddObjectToObject(content, "schema"),
                                "$ref", ref);

        if (strcmp(serve_errors[i].status, "429") == 0) {
            header = cJSON_AddObjectToObject(response, "headers");
            header = cJSON_AddObjectToObject(header, "Retry-After");
            cJSON_AddStringToObject(header, "description", "seconds to wait");
            header = cJSON_AddObjectToObject(header, "schema");
            cJSON_AddStringToObject(header, "type", "integer");
        }
    }
}


static cJSON *
add_scheme(cJSON *schemes, const char *name, const char *type,
    const char *description)
{
    cJSON  *scheme = cJSON_AddObjectToObject(schemes, name);

    cJSON_AddStringToObject(scheme, "type", type);
    cJSON_AddStringToObject(scheme, "description", description);

    return scheme;
}


static void
add_schemes(cJSON *components)
{
    cJSON  *schemes, *scheme, *flow;

    schemes = cJSON_AddObjectToObject(components, "securitySchemes");
    scheme = add_scheme(schemes, "login", "oauth2", "Log in by name and"
                        " password.");
    flow = cJSON_AddObjectToObject(cJSON_AddObjectToObject(scheme, "flows"),
                                   "password");
    cJSON_AddStringToObject(flow, "tokenUrl", SERVE_API "/token");
    cJSON_AddObjectToObject(flow, "scopes");

    scheme = add_scheme(schemes, "token", "http", "A token that a login gave.");
    cJSON_AddStringToObject(scheme, "scheme", "bearer");
    cJSON_AddStringToObject(scheme, "bearerFormat", "JWT");

    scheme = add_scheme(schemes, "cookie", "apiKey", "For pages of this"
                        " origin.");
    cJSON_AddStringToObject(scheme, "in", "cookie");
    cJSON_AddStringToObject(scheme, "name", SERVE_COOKIE);

    scheme = add_scheme(schemes, "csrf", "apiKey", "With the cookie:"
                        " `csrf_token` of the login.");
    cJSON_AddStringToObject(scheme, "in", "header");
    cJSON_AddStringToObject(scheme, "name", "X-CSRF-Token");
}


static void
add_info(cJSON *document)
{
    cJSON  *info;

    cJSON_AddStringToObject(document, "openapi", "3.1.0");
    info = cJSON_AddObjectToObject(document, "info");
    cJSON_AddStringToObject(info, "title", "AI gateway");
    cJSON_AddStringToObject(info, "version", CLI_VERSION);
    cJSON_AddStringToObject(info, "description", about);
}


static void
add_path(cJSON *paths, cJSON *schemas, const serve_route_t *route)
{
    char    method[CLI_TEXT_LEN];
    cJSON  *path;
    size_t  i;

    path = cJSON_GetObjectItem(paths, route->path);

    if (path == NULL) {
        path = cJSON_AddObjectToObject(paths, route->path);
    }

    for (i = 0; route->method[i] != '\0'; i++) {
        method[i] = (char) (route->method[i] | 0x20);
    }

    method[i] = '\0';
    cJSON_AddItemToObject(path, method, serve_operation_of(route, schemas));
}


static void
add_errors(cJSON *schemas)
{
    cJSON  *schema, *properties, *required;

    schema = cJSON_AddObjectToObject(schemas, "Error");
    cJSON_AddStringToObject(schema, "type", "object");
    properties = cJSON_AddObjectToObject(schema, "properties");
    cJSON_AddItemToObject(properties, "error",
                          serve_schema_of_fields(&serve_error_form,
                                                 serve_error_form.fields,
                                                 NULL));
    required = cJSON_AddArrayToObject(schema, "required");
    cJSON_AddItemToArray(required, cJSON_CreateString("error"));
}


void
serve_openapi_make(void)
{
    cJSON                *document, *paths, *components, *schemas;
    const serve_route_t  *route;

    document = cJSON_CreateObject();
    add_info(document);
    add_tags(document);
    paths = cJSON_AddObjectToObject(document, "paths");
    components = cJSON_AddObjectToObject(document, "components");
    schemas = cJSON_AddObjectToObject(components, "schemas");
    add_errors(schemas);
    serve_origin_add_schemas(schemas);
    add_responses(components);
    add_schemes(components);

    for (route = serve_routes; route->method != NULL; route++) {
        if (serve_command_of(route) != NULL) {
            add_path(paths, schemas, route);
        }
    }

    text = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    serve_web_etag(text, strlen(text), etag);
}


void
serve_openapi(serve_request_t *r)
{
    serve_web_answer(r, SERVE_JSON, text, strlen(text), etag);
}
