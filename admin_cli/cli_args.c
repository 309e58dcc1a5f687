/*
 * Arguments: words and options in any order, global options anywhere. All is
 * checked here, before anything is opened; nothing is done here.
 */

#include <stdlib.h>
#include <string.h>

#include "cli.h"


#define WORDS_MAX  (2 + CLI_ARGS_MAX)

/* Where a parse stands. */
typedef struct {
    int           argc;
    char        **argv;
    int           next;
    int           ended;              /* "--" was seen */
    const char   *word[WORDS_MAX];
    size_t        words;
    const char   *output;
} parse_t;


static const char *
alias(const char *verb)
{
    if (strcmp(verb, "ls") == 0) {
        return "list";
    }

    if (strcmp(verb, "rm") == 0) {
        return "delete";
    }

    return verb;
}


const cli_command_t *
cli_find_command(const char *noun, const char *verb)
{
    const cli_command_t  *c;

    for (c = cli_commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) != 0) {
            continue;
        }

        if (c->verb == NULL
            || (verb != NULL && strcmp(c->verb, alias(verb)) == 0))
        {
            return c;
        }
    }

    return NULL;
}


int
cli_is_noun(const char *noun)
{
    const cli_command_t  *c;

    for (c = cli_commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0) {
            return 1;
        }
    }

    return 0;
}


cli_exit_t
cli_unknown_command(const cli_t *cli, const char *noun, const char *verb)
{
    int                   known;
    char                  hint[160];
    cli_suggest_t         suggest;
    const cli_command_t  *c;

    known = cli_is_noun(noun);

    memset(&suggest, 0, sizeof(suggest));
    suggest.word = !known ? noun : verb ? verb : "";

    for (c = cli_commands; c->noun != NULL; c++) {
        if (!known) {
            cli_suggest(&suggest, c->noun);

        } else if (strcmp(c->noun, noun) == 0) {
            cli_suggest(&suggest, c->verb);
        }
    }

    if (suggest.best != NULL) {
        snprintf(hint, sizeof(hint), "did you mean 'aigw %s%s%s'?",
                 known ? noun : "", known ? " " : "", suggest.best);

    } else {
        snprintf(hint, sizeof(hint), "'aigw help%s%s' lists the commands",
                 known ? " " : "", known ? noun : "");
    }

    if (known && verb == NULL) {
        return cli_fail(cli, CLI_USAGE, hint, "'%s' needs a verb", noun);
    }

    return cli_fail(cli, CLI_USAGE, hint, "unknown command '%s%s%s'", noun,
                    known ? " " : "", known ? verb : "");
}


static const cli_option_t *
find_in(const cli_option_t *options, const char *name, size_t len, char letter)
{
    const cli_option_t  *o;

    for (o = options; o != NULL && o->name != NULL; o++) {
        if (letter != 0 ? o->letter == letter
                        : strlen(o->name) == len
                          && memcmp(o->name, name, len) == 0)
        {
            return o;
        }
    }

    return NULL;
}


static cli_exit_t
unknown_option(const cli_t *cli, const char *name, size_t len)
{
    char                 hint[160], typed[33];
    cli_suggest_t        suggest;
    const cli_option_t  *o;

    snprintf(typed, sizeof(typed), "%.*s", (int) len, name);
    memset(&suggest, 0, sizeof(suggest));
    suggest.word = typed;

    for (o = cli_globals; o->name != NULL; o++) {
        cli_suggest(&suggest, o->name);
    }

    if (cli->command != NULL) {
        for (o = cli->command->options; o && o->name != NULL; o++) {
            cli_suggest(&suggest, o->name);
        }
    }

    if (suggest.best != NULL) {
        snprintf(hint, sizeof(hint), "did you mean '--%s'?", suggest.best);

    } else if (cli->command == NULL) {
        snprintf(hint, sizeof(hint),
                 "options of a command stand behind its name");

    } else {
        snprintf(hint, sizeof(hint), "'aigw help %s%s%s' lists its options",
                 cli->command->noun, cli->command->verb ? " " : "",
                 cli->command->verb ? cli->command->verb : "");
    }

    return cli_fail(cli, CLI_USAGE, hint, "unknown option '--%s'", typed);
}


/* An option of the whole program; --json and -o are one setting. */
static void
set_global(cli_t *cli, parse_t *p, const cli_option_t *option,
    const char *text)
{
    switch (option->name[0]) {
    case 's': cli->store_path = text; break;
    case 'j': p->output = "json"; break;
    case 'o': p->output = text; break;
    case 'c': cli->columns = text; break;
    case 'd': cli->dry_run = 1; break;
    case 'n': cli->no_header = 1; break;
    case 'q': cli->quiet = 1; break;
    case 'y': cli->yes = 1; break;
    case 'h': cli->help = 1; break;
    case 'v': cli->version = 1; break;
    }
}


static cli_exit_t
set_option(cli_t *cli, parse_t *p, const cli_option_t *option, int global,
    const char *text)
{
    size_t        i;
    cli_exit_t    code;
    cli_value_t   value, *slot;

    if (option->kind != CLI_FLAG && text == NULL) {
        if (p->next == p->argc
            || (p->argv[p->next][0] == '-' && p->argv[p->next][1] != '\0'))
        {
            return cli_fail(cli, CLI_USAGE, NULL, "option '--%s' needs %s",
                            option->name, option->value);
        }

        text = p->argv[p->next++];

    } else if (option->kind == CLI_FLAG && text != NULL) {
        return cli_fail(cli, CLI_USAGE, NULL, "option '--%s' takes no value",
                        option->name);
    }

    code = cli_convert(cli, option, text ? text : "", &value);
    if (code != CLI_OK) {
        return code;
    }

    if (global) {
        set_global(cli, p, option, text);
        return CLI_OK;
    }

    i = (size_t) (option - cli->command->options);
    slot = &cli->option[i];

    if (slot->text != NULL && option->kind != CLI_FLAG) {
        return cli_fail(cli, CLI_USAGE, NULL, "option '--%s' stands twice",
                        option->name);
    }

    *slot = value;

    return CLI_OK;
}


static cli_exit_t
parse_option(cli_t *cli, parse_t *p, const char *arg)
{
    int                  global;
    char                 letter;
    size_t               len;
    const char          *text, *name;
    const cli_option_t  *option;

    global = 1;

    if (arg[1] == '-') {
        name = arg + 2;
        len = strcspn(name, "=");
        text = name[len] == '=' ? name + len + 1 : NULL;
        letter = 0;

    } else {
        name = arg + 1;
        len = 1;
        text = name[1] != '\0' ? name + 1 : NULL;
        letter = name[0];
    }

    option = find_in(cli_globals, name, len, letter);

    if (option == NULL && cli->command != NULL && letter == 0) {
        option = find_in(cli->command->options, name, len, 0);
        global = 0;
    }

    if (option == NULL && letter != 0) {
        return cli_fail(cli, CLI_USAGE, "options have two dashes, but for -o,"
                        " -q and -h", "unknown option '-%c'",
                        letter >= '!' && letter <= '~' ? letter : '?');
    }

    if (option == NULL) {
        return unknown_option(cli, name, len);
    }

    return set_option(cli, p, option, global, text);
}


static cli_exit_t
parse_word(cli_t *cli, parse_t *p, const char *arg)
{
    const char  *noun;

    if (p->words == WORDS_MAX) {
        return cli_fail(cli, CLI_USAGE, NULL, "too many arguments");
    }

    p->word[p->words++] = arg;
    noun = p->word[0];

    if (cli->command != NULL) {
        return CLI_OK;
    }

    cli->command = cli_find_command(noun, p->words == 2 ? arg : NULL);

    if (cli->command == NULL && p->words == 2) {
        return cli_unknown_command(cli, noun, arg);
    }

    return CLI_OK;
}


static cli_exit_t
missing(const cli_t *cli, const char *dashes, const char *name)
{
    char  hint[160];

    snprintf(hint, sizeof(hint), "for example: %s", cli->command->example);

    return cli_fail(cli, CLI_USAGE, hint, "%s%s is missing", dashes, name);
}


/* What is left of the words belongs to the command's own arguments. */
static cli_exit_t
finish(cli_t *cli, parse_t *p)
{
    size_t               i, first;
    cli_exit_t           code;
    const cli_option_t  *o;

    first = cli->command->verb ? 2 : 1;
    o = cli->command->args;

    for (i = first; i < p->words; i++, o++) {
        if (o == NULL || o->name == NULL) {
            return cli_fail(cli, CLI_USAGE, NULL, "too many arguments");
        }

        code = cli_convert(cli, o, p->word[i], &cli->arg[i - first]);
        if (code != CLI_OK) {
            return code;
        }
    }

    if (cli->help) {
        return CLI_OK;
    }

    if (cli->dry_run && !(cli->command->needs & CLI_CHANGES)) {
        return cli_fail(cli, CLI_USAGE, NULL, "--dry-run: this command changes"
                        " nothing");
    }

    if (o != NULL && o->name != NULL && o->required) {
        return missing(cli, "", o->name);
    }

    o = cli->command->options;

    for (i = 0; o != NULL && o[i].name != NULL; i++) {
        if (o[i].required && cli->option[i].text == NULL) {
            return missing(cli, "option --", o[i].name);
        }
    }

    return CLI_OK;
}


static void
set_format(cli_t *cli, const char *output)
{
    if (output == NULL) {
        cli->format = cli->quiet ? CLI_IDS : CLI_TABLE;
        return;
    }

    switch (output[0]) {
    case 'j': cli->format = CLI_JSON; break;
    case 'c': cli->format = CLI_CSV; break;
    case 'n': cli->format = CLI_NAMES; break;
    default:  cli->format = CLI_TABLE;
    }
}


/* Errors of the parse itself are to have the form that was asked for. And a
   key that stands here is in every process list already: it is refused. */
static cli_exit_t
look_ahead(cli_t *cli, int argc, char **argv)
{
    int  i, secret;

    secret = 0;

    for (i = 1; i < argc; i++) {
        secret |= cli_looks_secret(argv[i]);

        if (strcmp(argv[i], "--json") == 0
            || strcmp(argv[i], "-ojson") == 0
            || strcmp(argv[i], "--output=json") == 0
            || (i + 1 < argc && strcmp(argv[i + 1], "json") == 0
                && (strcmp(argv[i], "-o") == 0
                    || strcmp(argv[i], "--output") == 0)))
        {
            cli->format = CLI_JSON;
        }
    }

    if (secret) {
        return cli_fail(cli, CLI_USAGE,
                        "give it on stdin or by --key-file, and replace it if"
                        " others can see this machine's processes",
                        "an argument looks like a key, and keys are not taken"
                        " from the command line");
    }

    return CLI_OK;
}


cli_exit_t
cli_parse(cli_t *cli, int argc, char **argv)
{
    char         *arg;
    parse_t       p;
    cli_exit_t    code;

    memset(&p, 0, sizeof(p));
    p.argc = argc;
    p.argv = argv;
    p.next = 1;

    code = look_ahead(cli, argc, argv);
    if (code != CLI_OK) {
        return code;
    }

    while (p.next < argc) {
        arg = argv[p.next++];

        if (p.ended || arg[0] != '-' || arg[1] == '\0') {
            code = parse_word(cli, &p, arg);

        } else if (strcmp(arg, "--") == 0) {
            p.ended = 1;
            code = CLI_OK;

        } else {
            code = parse_option(cli, &p, arg);
        }

        if (code != CLI_OK) {
            return code;
        }
    }

    set_format(cli, p.output);

    if (cli->command != NULL) {
        return finish(cli, &p);
    }

    cli->noun = p.word[0];

    if (cli->version || (cli->help && p.words == 0)) {
        return CLI_OK;
    }

    if (p.words == 0) {
        return cli_fail(cli, CLI_USAGE, "'aigw help' lists the commands",
                        "no command given");
    }

    return cli->help && cli_is_noun(p.word[0]) ? CLI_OK
           : cli_unknown_command(cli, p.word[0], NULL);
}


const cli_value_t *
cli_option(const cli_t *cli, const char *name)
{
    const cli_option_t  *o;

    o = find_in(cli->command->options, name, strlen(name), 0);

    if (o == NULL) {
        abort();      /* the table lacks what the command asks for */
    }

    return &cli->option[o - cli->command->options];
}
