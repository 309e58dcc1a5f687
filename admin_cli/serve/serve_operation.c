/*
 * One operation of the OpenAPI document: what a route takes and answers, who
 * may call it, and what may go wrong.
 */

#include <string.h>

#include "serve_web.h"


#define WORDS_MAX    24               /* of an example */
#define EXAMPLE_LEN  255

static const struct {
    unsigned     role;
    const char  *name;
} roles[] = {
    { SERVE_MEMBER, "member" },
    { SERVE_AUDITOR, "auditor" },
    { SERVE_ADMIN, "admin" }
};

/* What is being written. */
typedef struct {
    cJSON                *operation;
    cJSON                *schemas;
    const serve_route_t  *route;
    const cli_command_t  *command;
    cli_t                 example;    /* the command's, parsed */
    char                  text[EXAMPLE_LEN + 1];
} writer_t;


static int
has_body(const serve_route_t *route)
{
    return route->method[0] == 'P';
}


/* The words of a line of shell, in place. Returns how many. */
static int
split(char *text, char *words[WORDS_MAX])
{
    int    n = 0;
    char   quote;
    char  *out;

    while (*text != '\0' && n < WORDS_MAX) {
        if (*text == ' ') {
            text++;
            continue;
        }

        words[n++] = out = text;

        for (quote = 0; *text != '\0' && (quote || *text != ' '); text++) {
            if (*text == '\'') {
                quote = !quote;

            } else {
                *out++ = *text;
            }
        }

        text += *text != '\0';
        *out = '\0';
    }

    return n;
}


/* One that asks the shell for something ("$(aigw log list)") shows nothing. */
static void
parse_example(writer_t *w)
{
    int           n;
    char         *words[WORDS_MAX];
    cli_caller_t  caller = { 0 };

    memset(&w->example, 0, sizeof(w->example));

    if (w->command->example == NULL || strchr(w->command->example, '$')) {
        return;
    }

    snprintf(w->text, sizeof(w->text), "%s", w->command->example);
    w->example.caller = &caller;
    n = split(w->text, words);

    if (cli_parse(&w->example, n, words) != CLI_OK) {
        memset(&w->example, 0, sizeof(w->example));
    }

    w->example.caller = NULL;
}


/* Those who may call it, as words and as the list that programs read. */
static void
add_roles(writer_t *w)
{
    char         text[CLI_MESSAGE_LEN];
    cJSON       *list;
    size_t       i, len;
    const char  *example = w->command->example;

    list = cJSON_AddArrayToObject(w->operation, "x-roles");
    len = (size_t) snprintf(text, sizeof(text), "For ");

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (w->route->roles & roles[i].role) {
            len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%s",
                                     cJSON_GetArraySize(list) ? ", " : "",
                                     roles[i].name);
            cJSON_AddItemToArray(list, cJSON_CreateString(roles[i].name));
        }
    }

    snprintf(text + len, sizeof(text) - len, "%s.%s%s%s",
             cJSON_GetArraySize(list) ? "" : "everyone",
             example ? " At a shell: `" : "", example ? example : "",
             example ? "`" : "");
    cJSON_AddStringToObject(w->operation, "description", text);
}


static void
add_security(const writer_t *w)
{
    cJSON   *security, *scheme;
    size_t   i;

    static const char  *const names[] = { "login", "token", "cookie" };

    security = cJSON_AddArrayToObject(w->operation, "security");

    if (w->route->roles & SERVE_ANYONE) {
        return;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scheme = cJSON_CreateObject();
        cJSON_AddItemToArray(security, scheme);
        cJSON_AddArrayToObject(scheme, names[i]);
    }

    if (strcmp(w->route->method, "GET") != 0) {
        cJSON_AddArrayToObject(scheme, "csrf");
    }
}


static void
add_parameter(cJSON *list, const char *name, const cli_option_t *option,
    int in_path, const char *example)
{
    cJSON  *parameter = cJSON_CreateObject(), *schema;

    cJSON_AddItemToArray(list, parameter);
    cJSON_AddStringToObject(parameter, "name", name);
    cJSON_AddStringToObject(parameter, "in", in_path ? "path" : "query");
    schema = serve_schema_of(option, 0);
    cJSON_AddItemToObject(parameter, "description",
                          cJSON_DetachItemFromObject(schema, "description"));
    cJSON_AddBoolToObject(parameter, "required", in_path || option->required);
    cJSON_AddItemToObject(parameter, "schema", schema);

    if (example != NULL) {
        cJSON_AddItemToObject(parameter, "example",
                              serve_value_of(option, example));
    }
}


/* The {parts} of the path are the first arguments. Returns how many. */
static size_t
add_path_parameters(const writer_t *w, cJSON *list)
{
    char         name[CLI_TEXT_LEN];
    size_t       n = 0;
    const char  *path = w->route->path, *end;

    for (path = strchr(path, '{'); path != NULL; path = strchr(end, '{')) {
        end = strchr(path, '}');
        snprintf(name, sizeof(name), "%.*s", (int) (end - path - 1), path + 1);
        add_parameter(list, name, &w->command->args[n], 1,
                      w->example.arg[n].text);
        n++;
    }

    return n;
}


static void
add_query(const writer_t *w, cJSON *list, size_t args)
{
    char                 name[CLI_TEXT_LEN];
    const cli_option_t  *o;

    for (o = w->command->args; o != NULL && o->name != NULL; o++) {
        if (args > 0) {
            args--;
            continue;
        }

        add_parameter(list, serve_field_name(o, name), o, 0, NULL);
    }

    for (o = w->command->options; o != NULL && o->name != NULL; o++) {
        if (serve_is_offered(w->route, o)) {
            add_parameter(list, serve_field_name(o, name), o, 0, NULL);
        }
    }
}


static void
add_member(cJSON *body, cJSON *shown, const cli_option_t *option,
    const char *example)
{
    char    name[CLI_TEXT_LEN];
    cJSON  *required;

    serve_field_name(option, name);
    cJSON_AddItemToObject(cJSON_GetObjectItem(body, "properties"), name,
                          serve_schema_of(option, 1));

    if (option->required) {
        required = cJSON_GetObjectItem(body, "required");

        if (required == NULL) {
            required = cJSON_AddArrayToObject(body, "required");
        }

        cJSON_AddItemToArray(required, cJSON_CreateString(name));
    }

    if (example != NULL) {
        cJSON_AddItemToObject(shown, name, serve_value_of(option, example));
    }
}


static void
add_body(const writer_t *w, size_t args)
{
    int                  change = strcmp(w->route->method, "PATCH") == 0;
    cJSON               *body, *shown, *request, *content;
    size_t               i;
    const cli_option_t  *o;

    body = cJSON_CreateObject();
    shown = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "type", "object");
    cJSON_AddObjectToObject(body, "properties");
    cJSON_AddFalseToObject(body, "additionalProperties");
    o = w->command->args;

    for (i = args; o != NULL && o[i].name != NULL; i++) {
        add_member(body, shown, &o[i], w->example.arg[i].text);
    }

    o = w->command->options;

    for (i = 0; o != NULL && o[i].name != NULL; i++) {
        if (serve_is_offered(w->route, &o[i])) {
            add_member(body, shown, &o[i], w->example.option[i].text);
        }
    }

    if (change) {
        cJSON_AddNumberToObject(body, "minProperties", 1);
    }

    if (cJSON_GetObjectItem(body, "properties")->child == NULL) {
        cJSON_Delete(body);
        cJSON_Delete(shown);
        return;
    }

    request = cJSON_AddObjectToObject(w->operation, "requestBody");
    cJSON_AddBoolToObject(request, "required",
                          change || cJSON_HasObjectItem(body, "required"));
    content = cJSON_AddObjectToObject(cJSON_AddObjectToObject(request,
                                      "content"), SERVE_JSON);
    cJSON_AddItemToObject(content, "schema", body);

    if (shown->child != NULL) {
        cJSON_AddItemToObject(content, "example", shown);

    } else {
        cJSON_Delete(shown);
    }
}


/* Which of serve_errors there may be. */
static unsigned
errors_of(const writer_t *w)
{
    unsigned  when = SERVE_ERROR_ANY|SERVE_ERROR_WRONG|SERVE_ERROR_LOGIN;

    if (w->route->roles != SERVE_USERS
        || strcmp(w->route->method, "GET") != 0)
    {
        when |= SERVE_ERROR_DENIED;
    }

    if (w->command->args != NULL || w->command->options != NULL) {
        when |= SERVE_ERROR_MISSING;
    }

    if (strcmp(w->route->method, "GET") != 0) {
        when |= SERVE_ERROR_CONFLICT;
    }

    return has_body(w->route) ? when | SERVE_ERROR_BODY : when;
}


static void
add_responses(const writer_t *w)
{
    char      status[CLI_TEXT_LEN], ref[CLI_MESSAGE_LEN];
    cJSON    *responses, *response, *content;
    size_t    i;
    unsigned  when = errors_of(w);

    responses = cJSON_AddObjectToObject(w->operation, "responses");
    snprintf(status, sizeof(status), "%u", w->route->status);
    response = cJSON_AddObjectToObject(responses, status);
    cJSON_AddStringToObject(response, "description", w->command->fields
                            ? w->command->summary : "done");

    if (w->command->fields != NULL) {
        content = cJSON_AddObjectToObject(cJSON_AddObjectToObject(response,
                                          "content"), SERVE_JSON);
        cJSON_AddItemToObject(content, "schema",
                              serve_schema_of_answer(w->schemas, w->command));
    }

    for (i = 0; serve_errors[i].name != NULL; i++) {
        if (serve_errors[i].when & when) {
            response = cJSON_AddObjectToObject(responses,
                                               serve_errors[i].status);
            snprintf(ref, sizeof(ref), "#/components/responses/%s",
                     serve_errors[i].name);
            cJSON_AddStringToObject(response, "$ref", ref);
        }
    }
}


/* "user_list"; where a noun is all, also what the path names. */
static void
add_name(const writer_t *w)
{
    char         id[2 * CLI_TEXT_LEN];
    cJSON       *tags;
    const char  *part = strchr(w->route->path, '{');

    snprintf(id, sizeof(id), "%s%s%s", w->command->noun,
             w->command->verb || part ? "_" : "",
             w->command->verb ? w->command->verb : part ? part + 1 : "");
    id[strcspn(id, "}")] = '\0';
    cJSON_AddStringToObject(w->operation, "operationId", id);
    tags = cJSON_AddArrayToObject(w->operation, "tags");
    cJSON_AddItemToArray(tags, cJSON_CreateString(w->command->noun));
    cJSON_AddStringToObject(w->operation, "summary", w->command->summary);
}


cJSON *
serve_operation_of(const serve_route_t *route, cJSON *schemas)
{
    cJSON     *parameters = cJSON_CreateArray();
    size_t     args;
    writer_t   w = { 0 };

    w.operation = cJSON_CreateObject();
    w.schemas = schemas;
    w.route = route;
    w.command = serve_command_of(route);
    parse_example(&w);
    add_name(&w);
    add_roles(&w);
    add_security(&w);

    if (route->origin) {
        cJSON_Delete(parameters);
        serve_origin_describe(w.operation, route);

        return w.operation;
    }

    args = add_path_parameters(&w, parameters);

    if (has_body(route)) {
        add_body(&w, args);

    } else {
        add_query(&w, parameters, args);
    }

    if (parameters->child != NULL) {
        cJSON_AddItemToObject(w.operation, "parameters", parameters);

    } else {
        cJSON_Delete(parameters);
    }

    add_responses(&w);

    return w.operation;
}
