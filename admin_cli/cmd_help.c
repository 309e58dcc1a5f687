/* aigw help: what the command table says, for people and for programs. */

#include <stdlib.h>
#include <string.h>

#include "cli.h"


#define NAME_WIDTH  31
#define HALF        40


static const struct {
    cli_exit_t   code;
    const char  *meaning;
} exits[] = {
    { CLI_OK,          "done" },
    { CLI_FAILED,      "failed" },
    { CLI_USAGE,       "wrong usage" },
    { CLI_NOT_FOUND,   "no such thing" },
    { CLI_DENIED,      "not authorised" },
    { CLI_CONFLICT,    "exists already" },
    { CLI_UNREACHABLE, "unreachable" },
    { CLI_INTERRUPTED, "interrupted" }
};

#define EXITS  (sizeof(exits) / sizeof(exits[0]))


static void
print_option(FILE *out, const cli_option_t *o)
{
    int   n;
    char  text[80];

    n = snprintf(text, sizeof(text), "%c%c%c--%s",
                 o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ' ' : ' ', o->name);

    if (o->value != NULL && n > 0 && (size_t) n < sizeof(text)) {
        snprintf(text + n, sizeof(text) - (size_t) n, " %s", o->value);
    }

    fprintf(out, "  %-*s  %s%s\n", NAME_WIDTH, text, o->help,
            o->required ? "; needed" : "");
}


static void
print_usage(FILE *out, const cli_command_t *c)
{
    const cli_option_t  *o;

    fprintf(out, "usage: aigw %s%s%s", c->noun, c->verb ? " " : "",
            c->verb ? c->verb : "");

    for (o = c->args; o != NULL && o->name != NULL; o++) {
        fprintf(out, o->required ? " %s" : " [%s]", o->name);
    }

    for (o = c->options; o != NULL && o->name != NULL; o++) {
        if (o->required) {
            fprintf(out, " --%s %s", o->name, o->value);
        }
    }

    fputs(c->options != NULL ? " [options]\n" : "\n", out);
}


static void
print_command(FILE *out, const cli_command_t *c)
{
    const cli_option_t  *o;

    fprintf(out, "  %s\n\n", c->example);
    print_usage(out, c);
    fprintf(out, "%s\n\n", c->summary);

    for (o = c->args; o != NULL && o->name != NULL; o++) {
        fprintf(out, "  %-*s  %s\n", NAME_WIDTH, o->name, o->help);
    }

    for (o = c->options; o != NULL && o->name != NULL; o++) {
        print_option(out, o);
    }

    fputs("\nOptions of all commands: aigw help\n", out);
}


static void
print_noun(FILE *out, const char *noun)
{
    const char           *example;
    const cli_command_t  *c;

    example = NULL;

    for (c = cli_commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) != 0) {
            continue;
        }

        if (example == NULL) {
            example = c->example;
            fprintf(out, "  %s\n\n", example);
        }

        fprintf(out, "  aigw %s %-*s  %s\n", noun, 8, c->verb ? c->verb : "",
                c->summary);
    }

    fprintf(out, "\nMore about one: aigw help %s VERB\n", noun);
}


/* Each with its verbs, two in a line where both are short. */
static void
print_nouns(FILE *out)
{
    size_t                n, column;
    char                  text[HALF * 2 + 1];
    const cli_command_t  *c, *first;

    column = 0;

    for (c = cli_commands; c->noun != NULL && c->verb != NULL; /* void */) {
        first = c;
        n = (size_t) snprintf(text, sizeof(text), "  %-9s", c->noun);

        for (/* void */; c->noun != NULL && strcmp(c->noun, first->noun) == 0;
             c++)
        {
            n += (size_t) snprintf(text + n, sizeof(text) - n, " %s",
                                   c->verb);
        }

        if (column > 0 && column < HALF && n < HALF) {
            fprintf(out, "%*s%s", (int) (HALF - column), "", text);
            column = HALF;

        } else {
            fprintf(out, "%s%s", column > 0 ? "\n" : "", text);
            column = n;
        }
    }

    fputs("\n", out);
}


static void
print_all(FILE *out)
{
    size_t               i;
    const cli_option_t  *o;

    fputs("  aigw project create demo --quota 25\n\n"
          "usage: aigw NOUN VERB [options]; aigw reconcile, top, explain, serve"
          " or help\n", out);

    print_nouns(out);

    for (o = cli_globals; o->name != NULL; o++) {
        print_option(out, o);
    }

    fputs("exit:", out);

    for (i = 0; i < EXITS; i++) {
        fprintf(out, "%s %d %s", i == 0 ? "" : i == 5 ? ",\n     " : ",",
                exits[i].code, exits[i].meaning);
    }

    fputs("\n", out);
}


static void
add_options(cJSON *object, const char *name, const cli_option_t *o)
{
    cJSON  *array, *item;

    array = cJSON_AddArrayToObject(object, name);

    for (/* void */; o != NULL && o->name != NULL; o++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(array, item);
        cli_add_text(item, "name", o->name);
        cli_add_text(item, "value", o->value);
        cli_add_text(item, "help", o->help);
        cJSON_AddBoolToObject(item, "required", o->required);
    }
}


static void
add_words(cJSON *object, const char *name, const char *list)
{
    cJSON       *array;
    char         text[CLI_TEXT_LEN];
    aigw_str_t   word;

    array = cJSON_AddArrayToObject(object, name);

    while (cli_next_word(&list, ',', &word)) {
        snprintf(text, sizeof(text), "%.*s", (int) word.len, word.data);
        cJSON_AddItemToArray(array, cJSON_CreateString(text));
    }
}


/* The kind of each field; of one that nothing is known of, null. */
static void
add_kinds(cJSON *object, const cli_command_t *c, const char *list)
{
    char                name[CLI_TEXT_LEN];
    aigw_str_t          word;
    const cli_field_t  *field;

    while (cli_next_word(&list, ',', &word)) {
        snprintf(name, sizeof(name), "%.*s", (int) word.len, word.data);
        field = cli_find_field(c, name);
        cli_add_text(object, name,
                     field ? cli_field_kind_name(field->kind) : NULL);
    }
}


static void
add_command(cJSON *commands, const cli_command_t *c)
{
    char    name[CLI_TEXT_LEN];
    cJSON  *item, *kinds;

    snprintf(name, sizeof(name), "%s%s%s", c->noun, c->verb ? " " : "",
             c->verb ? c->verb : "");

    item = cJSON_CreateObject();
    cJSON_AddItemToArray(commands, item);
    cli_add_text(item, "name", name);
    cli_add_text(item, "summary", c->summary);
    cli_add_text(item, "example", c->example);
    cJSON_AddBoolToObject(item, "writes", (c->needs & CLI_CHANGES) != 0);
    cJSON_AddBoolToObject(item, "list", c->list);
    add_options(item, "arguments", c->args);
    add_options(item, "options", c->options);
    add_words(item, "fields", c->fields);
    add_words(item, "further_fields", c->extra);
    kinds = cJSON_AddObjectToObject(item, "kinds");
    add_kinds(kinds, c, c->fields);
    add_kinds(kinds, c, c->extra);
}


static void
answer(cli_t *cli, const char *noun, const cli_command_t *command)
{
    cJSON                *commands, *codes, *item;
    size_t                i;
    const cli_command_t  *c;

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "version", CLI_VERSION);
    commands = cJSON_AddArrayToObject(cli->answer, "commands");

    for (c = cli_commands; c->noun != NULL; c++) {
        if (command != NULL ? c == command
                            : noun == NULL || strcmp(noun, c->noun) == 0)
        {
            add_command(commands, c);
        }
    }

    add_options(cli->answer, "global_options", cli_globals);
    codes = cJSON_AddArrayToObject(cli->answer, "exit_codes");

    for (i = 0; i < EXITS; i++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(codes, item);
        cli_add_count(item, "exit", exits[i].code);
        cli_add_text(item, "code", cli_exit_name(exits[i].code));
        cli_add_text(item, "meaning", exits[i].meaning);
    }
}


static cli_exit_t
help(cli_t *cli, const char *noun, const cli_command_t *command)
{
    if (cli->format == CLI_JSON) {
        answer(cli, noun, command);

    } else if (command != NULL) {
        print_command(stdout, command);

    } else if (noun != NULL) {
        print_noun(stdout, noun);

    } else {
        print_all(stdout);
    }

    return CLI_OK;
}


cli_exit_t
cmd_help_about(cli_t *cli)
{
    return help(cli, cli->noun, cli->command);
}


cli_exit_t
cmd_help(cli_t *cli)
{
    const char           *noun, *verb;
    const cli_command_t  *command;

    noun = cli->arg[0].text;
    verb = cli->arg[1].text;

    if (noun == NULL) {
        return help(cli, NULL, NULL);
    }

    command = cli_find_command(noun, verb);

    if (command == NULL && (verb != NULL || !cli_is_noun(noun))) {
        return cli_unknown_command(cli, noun, verb);
    }

    return help(cli, noun, command);
}
