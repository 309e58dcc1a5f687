/* aigw setting: the few values that belong to the whole store. */

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "cli.h"


#define TOKEN_MINUTES  525600         /* a year, at most */

#define TEXT(number)   TEXT_OF(number)
#define TEXT_OF(text)  #text


static cli_exit_t
check_url(const cli_t *cli, const char *text,
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


/* Who may make an account. */
static cli_exit_t
check_signup(const cli_t *cli, const char *text,
    char value[AIGW_VALUE_MAX + 1])
{
    cli_exit_t   code;
    cli_value_t  word;

    static const cli_option_t  option = {
        CLI_SETTING_SIGNUP, CLI_CHOICE, "open|invite|closed", NULL, 0, 1
    };

    code = cli_convert(cli, &option, text, &word);

    if (code == CLI_OK) {
        strcpy(value, text);
    }

    return code;
}


/* What one who has made it may spend in all. */
static cli_exit_t
check_signup_quota(const cli_t *cli, const char *text,
    char value[AIGW_VALUE_MAX + 1])
{
    cli_exit_t   code;
    cli_value_t  amount;

    static const cli_option_t  option = {
        CLI_SETTING_SIGNUP_QUOTA, CLI_AMOUNT, CLI_SETTING_SIGNUP_QUOTA, NULL,
        0, 1
    };

    code = cli_convert(cli, &option, text, &amount);

    if (code == CLI_OK) {
        (void) aigw_amount_format(amount.number, value);
    }

    return code;
}


/* How long who has logged in stays so. */
static cli_exit_t
check_token_minutes(const cli_t *cli, const char *text,
    char value[AIGW_VALUE_MAX + 1])
{
    long  minutes;

    minutes = strlen(text) <= 6 && text[strspn(text, "0123456789")] == '\0'
              ? strtol(text, NULL, 10) : 0;

    if (minutes < 1 || minutes > TOKEN_MINUTES) {
        return cli_fail(cli, CLI_USAGE, "1 to 525600", "'%.40s' is no number"
                        " of minutes", text);
    }

    snprintf(value, AIGW_VALUE_MAX + 1, "%ld", minutes);

    return CLI_OK;
}


/* Those that there are; check writes the form that is kept. */
static const struct {
    const char   *name;
    cli_exit_t  (*check)(const cli_t *cli, const char *text,
                         char value[AIGW_VALUE_MAX + 1]);
    const char   *otherwise;          /* what counts unless it is set */
} settings[] = {
    { CLI_SETTING_BASE_URL, check_url, NULL },
    { CLI_SETTING_CORS_ORIGINS, check_origins, NULL },
    { AIGW_SETTING_MAX_OUTPUT, check_max_output,
      TEXT(AIGW_ASSUMED_OUTPUT) },
    { CLI_SETTING_ADMIN_URL, check_url, NULL },
    { CLI_SETTING_SIGNUP, check_signup, "invite" },
    { CLI_SETTING_SIGNUP_QUOTA, check_signup_quota, "100" },
    { CLI_SETTING_TOKEN_MINUTES, check_token_minutes, "1440" }
};

#define SETTINGS  (sizeof(settings) / sizeof(settings[0]))


/* Its place in the table; SETTINGS: there is none. */
static size_t
find_setting(const char *name)
{
    size_t  i;

    for (i = 0; i < SETTINGS && strcmp(settings[i].name, name) != 0; i++) {
        /* void */
    }

    return i;
}


static cli_exit_t
add_setting(const cli_t *cli, cJSON *object, size_t i)
{
    char        value[AIGW_VALUE_MAX + 1];
    aigw_err_t  err;

    err = aigw_store_get_setting(cli->store, cli_str(settings[i].name),
                                 value);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "setting", settings[i].name);
    }

    cli_add_text(object, "name", settings[i].name);
    cli_add_text(object, "value", err == AIGW_OK ? value : NULL);
    cli_add_text(object, "default", settings[i].otherwise);

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
        code = add_setting(cli, item, i);
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
    i = find_setting(name);

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

    return add_setting(cli, cli->answer, i);
}


cli_exit_t
cmd_setting_get(const cli_t *cli, const char *name,
    char value[AIGW_VALUE_MAX + 1])
{
    size_t      i;
    aigw_err_t  err;

    err = aigw_store_get_setting(cli->store, cli_str(name), value);

    if (err != AIGW_ENOTFOUND) {
        return err == AIGW_OK ? CLI_OK
                              : cli_fail_store(cli, err, "setting", name);
    }

    i = find_setting(name);
    snprintf(value, AIGW_VALUE_MAX + 1, "%s",
             i < SETTINGS && settings[i].otherwise ? settings[i].otherwise
                                                   : "");

    return CLI_OK;
}
