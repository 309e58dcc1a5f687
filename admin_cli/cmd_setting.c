/* aigw setting: the few values that belong to the whole store. */

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"


#define BASE_URL      "base_url"
#define CORS_ORIGINS  "cors_origins"


static cli_exit_t
check_base_url(const cli_t *cli, const char *text,
    char value[AIGW_VALUE_MAX + 1])
{
    cli_url_t  parts;

    return cli_check_url(cli, text, value, &parts);
}


/* One origin as browsers send it (RFC 6454): no path, no default port, in lower
   case. */
static cli_exit_t
check_origin(const cli_t *cli, const char *text,
    char origin[AIGW_URL_MAX + 1])
{
    char        *p, *port;
    size_t       len;
    cli_url_t    parts;
    cli_exit_t   code;

    code = cli_check_url(cli, text, origin, &parts);
    if (code != CLI_OK) {
        return code;
    }

    for (p = origin; *p != '\0'; p++) {
        *p = (char) tolower((unsigned char) *p);
    }

    p = strstr(origin, "://") + 3;

    if (strpbrk(p, "/*") != NULL) {
        return cli_fail(cli, CLI_USAGE, "scheme, host and port only:"
                        " https://app.example.com, or * for all",
                        "'%s' is no origin", text);
    }

    port = parts.https ? ":443" : ":80";
    len = strlen(origin);

    if (len > strlen(port) && strcmp(origin + len - strlen(port), port) == 0) {
        origin[len - strlen(port)] = '\0';
    }

    return CLI_OK;
}


/* "*", or a list separated by commas. */
static cli_exit_t
check_origins(const cli_t *cli, const char *text,
    char value[AIGW_VALUE_MAX + 1])
{
    int          n;
    char         word[AIGW_URL_MAX + 1], origin[AIGW_URL_MAX + 1];
    size_t       len;
    cli_exit_t   code;
    aigw_str_t   next;

    if (strcmp(text, "*") == 0) {
        strcpy(value, "*");
        return CLI_OK;
    }

    len = 0;

    while (cli_next_word(&text, ',', &next)) {
        for (/* void */; next.len > 0 && next.data[0] == ' '; next.len--) {
            next.data++;
        }

        snprintf(word, sizeof(word), "%.*s", (int) next.len, next.data);

        code = check_origin(cli, word, origin);
        if (code != CLI_OK) {
            return code;
        }

        n = snprintf(value + len, AIGW_VALUE_MAX + 1 - len, "%s%s",
                     len ? "," : "", origin);

        if (n < 0 || (size_t) n > AIGW_VALUE_MAX - len) {
            return cli_fail(cli, CLI_USAGE, NULL,
                            "the list is longer than %d bytes",
                            AIGW_VALUE_MAX);
        }

        len += (size_t) n;
    }

    return CLI_OK;
}


/* Tokens held for an answer where neither the call nor its model says more. */
static cli_exit_t
check_max_output(const cli_t *cli, const char *text,
    char value[AIGW_VALUE_MAX + 1])
{
    cli_exit_t   code;
    cli_value_t  tokens;

    static const cli_option_t  option = {
        AIGW_SETTING_MAX_OUTPUT, CLI_TOKENS, AIGW_SETTING_MAX_OUTPUT, NULL, 0,
        1
    };

    code = cli_convert(cli, &option, text, &tokens);

    /* "unknown" is the value that is none */

    if (code == CLI_OK && tokens.number != 0) {
        snprintf(value, AIGW_VALUE_MAX + 1, "%" PRId64, tokens.number);
    }

    return code;
}


/* Those that there are; check writes the form that is kept. */
static const struct {
    const char   *name;
    cli_exit_t  (*check)(const cli_t *cli, const char *text,
                         char value[AIGW_VALUE_MAX + 1]);
} settings[] = {
    { BASE_URL, check_base_url },
    { CORS_ORIGINS, check_origins },
    { AIGW_SETTING_MAX_OUTPUT, check_max_output }
};

#define SETTINGS  (sizeof(settings) / sizeof(settings[0]))


static cli_exit_t
add_setting(const cli_t *cli, cJSON *object, const char *name)
{
    char        value[AIGW_VALUE_MAX + 1];
    aigw_err_t  err;

    err = aigw_store_get_setting(cli->store, cli_str(name), value);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "setting", name);
    }

    cli_add_text(object, "name", name);
    cli_add_text(object, "value", err == AIGW_OK ? value : NULL);

    return CLI_OK;
}


cli_exit_t
cmd_setting_list(cli_t *cli)
{
    cJSON       *items, *item;
    size_t       i;
    cli_exit_t   code;

    items = cli_new_list(cli);
    code = CLI_OK;

    for (i = 0; code == CLI_OK && i < SETTINGS; i++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(items, item);
        code = add_setting(cli, item, settings[i].name);
    }

    return code;
}


static cli_exit_t
unknown(const cli_t *cli, const char *name)
{
    char           hint[80];
    size_t         i;
    cli_suggest_t  suggest = { name, NULL, 0 };

    for (i = 0; i < SETTINGS; i++) {
        cli_suggest(&suggest, settings[i].name);
    }

    snprintf(hint, sizeof(hint), "did you mean '%s'?",
             suggest.best ? suggest.best : settings[0].name);

    return cli_fail(cli, CLI_USAGE, hint, "there is no setting '%s'", name);
}


cli_exit_t
cmd_setting_set(cli_t *cli)
{
    char         value[AIGW_VALUE_MAX + 1];
    size_t       i;
    aigw_err_t   err;
    cli_exit_t   code;
    const char  *name;

    name = cli->arg[0].text;

    for (i = 0; i < SETTINGS && strcmp(settings[i].name, name) != 0; i++) {
        /* void */
    }

    if (i == SETTINGS) {
        return unknown(cli, name);
    }

    value[0] = '\0';

    if (cli->arg[1].text[0] != '\0') {
        code = settings[i].check(cli, cli->arg[1].text, value);
        if (code != CLI_OK) {
            return code;
        }
    }

    err = aigw_store_set_setting(cli->store, cli_str(name), cli_str(value));
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "setting", name);
    }

    cli->answer = cJSON_CreateObject();

    return add_setting(cli, cli->answer, name);
}


cli_exit_t
cmd_setting_base_url(const cli_t *cli, char value[AIGW_VALUE_MAX + 1])
{
    aigw_err_t  err;

    err = aigw_store_get_setting(cli->store, cli_str(BASE_URL), value);

    if (err == AIGW_OK) {
        return CLI_OK;
    }

    value[0] = '\0';

    return err == AIGW_ENOTFOUND ? CLI_OK
                                 : cli_fail_store(cli, err, "setting",
                                                  BASE_URL);
}
