/*
 * JSON schemas: of what a command takes, by the kinds of its arguments and
 * options, and of what it answers, by the kinds of its fields.
 */

#include <ctype.h>
#include <string.h>

#include "serve_web.h"


#define NO_ASCII      "[^\\x00-\\x7f]"
#define NAME          "(?![0-9]+$)(?!-)(?:[A-Za-z0-9._-]|" NO_ASCII "){1,64}"
#define MODEL         "[^\\x00-\\x20\\x7f,*]{1,128}"
#define AMOUNT        "[0-9]+(?:\\.[0-9]{1,9})?"
#define SPAN          "0*[1-9][0-9]*[smhdw]"
#define MOMENT                                                                \
    "[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}"                \
    "(?:\\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?"
#define TIME          "2026-11-24T14:52:47.000Z"
#define REF           "#/components/schemas/"


/* null: the command line has a word for it. */
typedef struct {
    const char  *pattern;
    const char  *null;                /* what it stands for, or NULL */
    int64_t      min;                 /* of a string: its length */
    int64_t      max;                 /* 0: none */
} kind_t;

static const kind_t  kinds[] = {
    [CLI_ANY]    = { NULL, "empty", 0, 0 },
    [CLI_TEXT]   = { NULL, NULL, 1, 0 },
    [CLI_NAME]   = { "^" NAME "$", NULL, 0, 0 },
    [CLI_MODEL]  = { "^" MODEL "$", NULL, 0, 0 },
    [CLI_TARGET] = { "^(?:" MODEL ")?$", "none", 0, 0 },
    [CLI_PRICED] = { "^(?:" MODEL "|\\*)$", NULL, 0, 0 },
    [CLI_MODELS] = { "^[^\\x00-\\x20\\x7f,]+$", NULL, 0, AIGW_MODELS_MAX },
    [CLI_AMOUNT] = { "^" AMOUNT "$", NULL, 0, 0 },
    [CLI_LIMIT]  = { "^" AMOUNT "$", "unlimited", 0, 0 },
    [CLI_AHEAD]  = { "^(?:" SPAN "|" MOMENT ")$", NULL, 0, 0 },
    [CLI_EXPIRY] = { "^(?:" SPAN "|" MOMENT ")$", "never", 0, 0 },
    [CLI_PAST]   = { "^(?:" SPAN "|" MOMENT ")$", NULL, 0, 0 },
    [CLI_MOMENT] = { "^" MOMENT "$", NULL, 0, 0 },
    [CLI_COUNT]  = { NULL, NULL, 1, CLI_LIST_MAX },
    [CLI_STATUS] = { NULL, NULL, 100, 599 },
    [CLI_TOKENS] = { NULL, "unknown", 1, AIGW_TOKENS_MAX },
    [CLI_CHOICE] = { NULL, NULL, 0, 0 }
};


static void
set_type(cJSON *schema, const char *type, int null)
{
    cJSON  *types;

    if (!null) {
        cJSON_AddStringToObject(schema, "type", type);
        return;
    }

    types = cJSON_AddArrayToObject(schema, "type");
    cJSON_AddItemToArray(types, cJSON_CreateString(type));
    cJSON_AddItemToArray(types, cJSON_CreateString("null"));
}


static void
add_words(cJSON *schema, const char *words, int null)
{
    char         text[CLI_TEXT_LEN];
    cJSON       *list = cJSON_AddArrayToObject(schema, "enum");
    aigw_str_t   word;

    while (cli_next_word(&words, '|', &word)) {
        snprintf(text, sizeof(text), "%.*s", (int) word.len, word.data);
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }

    if (null) {
        cJSON_AddItemToArray(list, cJSON_CreateNull());
    }
}


static void
add_example(cJSON *schema, cJSON *example)
{
    cJSON_AddItemToArray(cJSON_AddArrayToObject(schema, "examples"), example);
}


static int
is_whole(cli_kind_t kind)
{
    return kind == CLI_COUNT || kind == CLI_STATUS || kind == CLI_TOKENS;
}


/* A list of patterns is an array of them. */
static void
add_patterns(cJSON *schema, const kind_t *kind)
{
    cJSON  *items;

    cJSON_AddStringToObject(schema, "type", "array");
    cJSON_AddNumberToObject(schema, "minItems", 1);
    items = cJSON_AddObjectToObject(schema, "items");
    cJSON_AddStringToObject(items, "type", "string");
    cJSON_AddStringToObject(items, "pattern", kind->pattern);
    cJSON_AddNumberToObject(items, "maxLength", (double) kind->max);
}


static void
add_capital(char *name, const char *word)
{
    size_t  i;

    for (i = 0; word[i] != '\0'; i++) {
        name[i] = word[i] == '-' ? '_' : word[i];
    }

    name[i] = '\0';
    name[0] = (char) toupper((unsigned char) name[0]);
}


/* Things are listed and shown; what changes one answers with it. */
void
serve_schema_name(const cli_command_t *command, char name[CLI_TEXT_LEN])
{
    size_t                i, known = 0;
    const cli_command_t  *thing;

    static const char  *const verbs[] = { "list", "show", "set" };

    add_capital(name, command->noun);

    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        thing = cli_find_command(command->noun, verbs[i]);

        if (thing != NULL && strcmp(thing->fields, command->fields) == 0) {
            if (known > 0) {
                add_capital(name + strlen(name), verbs[i]);
            }

            return;
        }

        known += thing != NULL;
    }

    if (command->verb != NULL) {
        add_capital(name + strlen(name), command->verb);
    }
}


cJSON *
serve_schema_of(const cli_option_t *option, int in_body)
{
    char           help[CLI_MESSAGE_LEN];
    int            null, whole;
    cJSON         *schema = cJSON_CreateObject();
    const kind_t  *kind = &kinds[option->kind];

    null = in_body && kind->null != NULL;
    whole = is_whole(option->kind);

    if (option->kind == CLI_FLAG) {
        set_type(schema, "boolean", 0);

    } else if (option->kind == CLI_MODELS && in_body) {
        add_patterns(schema, kind);

    } else {
        set_type(schema, whole ? "integer" : "string", null);
    }

    if (option->kind == CLI_CHOICE) {
        add_words(schema, option->value, 0);

    } else if (kind->pattern != NULL && option->kind != CLI_MODELS) {
        cJSON_AddStringToObject(schema, "pattern", kind->pattern);
    }

    if (kind->min > 0) {
        cJSON_AddNumberToObject(schema, whole ? "minimum" : "minLength",
                                (double) kind->min);
    }

    if (whole) {
        cJSON_AddNumberToObject(schema, "maximum", (double) kind->max);
    }

    snprintf(help, sizeof(help), "%s%s%s", option->help,
             null ? "; `null`: " : "", null ? kind->null : "");
    cJSON_AddStringToObject(schema, "description", help);

    return schema;
}


cJSON *
serve_value_of(const cli_option_t *option, const char *text)
{
    cJSON       *array;
    aigw_str_t   word;
    const char  *null = kinds[option->kind].null;

    if (option->kind == CLI_FLAG) {
        return cJSON_CreateTrue();
    }

    if (null != NULL && strcmp(text, null) == 0) {
        return cJSON_CreateNull();
    }

    if (is_whole(option->kind)) {
        return cJSON_CreateRaw(text);
    }

    if (option->kind != CLI_MODELS) {
        return cJSON_CreateString(serve_is_secret(option) ? "sk-..." : text);
    }

    array = cJSON_CreateArray();

    while (cli_next_word(&text, ',', &word)) {
        char  item[AIGW_MODELS_MAX + 1];

        snprintf(item, sizeof(item), "%.*s", (int) word.len, word.data);
        cJSON_AddItemToArray(array, cJSON_CreateString(item));
    }

    return array;
}


static void
add_amount(cJSON *schema, const cli_field_t *field)
{
    set_type(schema, "string", field->null);
    cJSON_AddStringToObject(schema, "pattern",
                            field->kind == CLI_FIELD_AMOUNT
                            ? "^" AMOUNT "$"
                            : field->kind == CLI_FIELD_SUM
                            ? "^-?" AMOUNT "$"
                            : "^-?[0-9]+(?:\\.[0-9]{1,15})?$");
    add_example(schema, cJSON_CreateString("12.5"));
}


static void
add_number(cJSON *schema, const cli_field_t *field)
{
    set_type(schema, field->kind == CLI_FIELD_NUMBER ? "number" : "integer",
             field->null);

    if (field->kind == CLI_FIELD_NUMBER) {
        return;
    }

    cJSON_AddStringToObject(schema, "format", "int64");
    cJSON_AddNumberToObject(schema, "minimum",
                            field->kind == CLI_FIELD_ID ? 1 : 0);
}


static void
add_text(cJSON *schema, const cli_field_t *field)
{
    set_type(schema, "string", field->null);

    if (field->kind == CLI_FIELD_CHOICE) {
        add_words(schema, field->detail, field->null);

    } else if (field->kind == CLI_FIELD_TIME) {
        cJSON_AddStringToObject(schema, "format", "date-time");
        add_example(schema, cJSON_CreateString(TIME));
    }
}


/* command: "project show". */
static void
add_ref(cJSON *schema, const char *command)
{
    char        noun[CLI_TEXT_LEN], ref[2 * CLI_TEXT_LEN];
    aigw_str_t  word;

    (void) cli_next_word(&command, ' ', &word);
    snprintf(noun, sizeof(noun), "%.*s", (int) word.len, word.data);
    strcpy(ref, REF);
    serve_schema_name(cli_find_command(noun, command), ref + strlen(ref));
    cJSON_AddStringToObject(schema, "$ref", ref);
}


static cJSON *
field_schema(const cli_command_t *command, const char *name)
{
    cJSON              *schema = cJSON_CreateObject();
    const cli_field_t  *field = cli_find_field(command, name);

    if (field == NULL) {
        return schema;
    }

    switch (field->kind) {

    case CLI_FIELD_AMOUNT:
    case CLI_FIELD_SUM:
    case CLI_FIELD_EXACT:
        add_amount(schema, field);
        break;

    case CLI_FIELD_ID:
    case CLI_FIELD_COUNT:
    case CLI_FIELD_NUMBER:
        add_number(schema, field);
        break;

    case CLI_FIELD_SWITCH:
        set_type(schema, "boolean", field->null);
        break;

    case CLI_FIELD_WORDS:
        cJSON_AddStringToObject(schema, "type", "array");
        cJSON_AddStringToObject(cJSON_AddObjectToObject(schema, "items"),
                                "type", "string");
        break;

    case CLI_FIELD_OBJECT:
        add_ref(schema, field->detail);
        break;

    case CLI_FIELD_MEMBERS:
        set_type(schema, "object", field->null);
        break;

    case CLI_FIELD_OBJECTS:
        cJSON_AddStringToObject(schema, "type", "array");
        cJSON_AddItemToObject(schema, "items",
                              serve_schema_of_fields(command, field->detail,
                                                     NULL));
        break;

    default:
        add_text(schema, field);
        break;
    }

    if (field->help != NULL) {
        cJSON_AddStringToObject(schema, "description", field->help);
    }

    return schema;
}


cJSON *
serve_schema_of_fields(const cli_command_t *command, const char *fields,
    const char *extra)
{
    int          always;
    char         name[CLI_TEXT_LEN];
    cJSON       *schema, *properties, *required;
    aigw_str_t   word;

    schema = cJSON_CreateObject();
    cJSON_AddStringToObject(schema, "type", "object");
    properties = cJSON_AddObjectToObject(schema, "properties");
    required = cJSON_AddArrayToObject(schema, "required");

    while ((always = cli_next_word(&fields, ',', &word))
           || cli_next_word(&extra, ',', &word))
    {
        snprintf(name, sizeof(name), "%.*s", (int) word.len, word.data);
        cJSON_AddItemToObject(properties, name, field_schema(command, name));

        if (always) {
            cJSON_AddItemToArray(required, cJSON_CreateString(name));
        }
    }

    return schema;
}


static cJSON *
list_of(cJSON *items)
{
    cJSON  *list, *properties, *array, *required, *next;

    list = cJSON_CreateObject();
    cJSON_AddStringToObject(list, "type", "object");
    properties = cJSON_AddObjectToObject(list, "properties");
    array = cJSON_AddObjectToObject(properties, "items");
    cJSON_AddStringToObject(array, "type", "array");
    cJSON_AddItemToObject(array, "items", items);
    next = cJSON_AddObjectToObject(properties, "next");
    set_type(next, "string", 1);
    cJSON_AddStringToObject(next, "description",
                            "`cursor` of the next page; `null` on the last");
    required = cJSON_AddArrayToObject(list, "required");
    cJSON_AddItemToArray(required, cJSON_CreateString("items"));
    cJSON_AddItemToArray(required, cJSON_CreateString("next"));

    return list;
}


/* A report that may be one of groups. */
static int
is_grouped(const cli_command_t *command)
{
    return command->extra != NULL && cli_has_word(command->extra, "group");
}


/* Is what the command is about a part of its answer? */
static int
has_thing(const cli_command_t *command)
{
    const cli_field_t  *field = cli_find_field(command, command->noun);

    return field != NULL && field->kind == CLI_FIELD_OBJECT;
}


cJSON *
serve_schema_of_answer(cJSON *schemas, const cli_command_t *command)
{
    char         name[2 * CLI_TEXT_LEN] = REF;
    cJSON       *answer, *either, *list;
    const char  *extra;

    serve_schema_name(command, name + sizeof(REF) - 1);
    answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "$ref", name);

    /* else they are of the thing within, or of each group of a report */
    extra = has_thing(command) || is_grouped(command) ? NULL : command->extra;

    if (!cJSON_HasObjectItem(schemas, name + sizeof(REF) - 1)) {
        cJSON_AddItemToObject(schemas, name + sizeof(REF) - 1,
                              serve_schema_of_fields(command, command->fields,
                                                     extra));
    }

    if (command->list) {
        return list_of(answer);
    }

    if (!is_grouped(command)) {
        return answer;
    }

    either = cJSON_CreateObject();
    list = cJSON_AddArrayToObject(either, "anyOf");
    cJSON_AddItemToArray(list, answer);
    cJSON_AddItemToArray(list, list_of(serve_schema_of_fields(command,
                               command->fields, command->extra)));

    return either;
}
