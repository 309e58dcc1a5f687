/*
 * Values as people write them: amounts, moments, spans, names, lists. A value
 * that is not of its form is exit 2, before anything is opened.
 */

#include <ctype.h>
#include <string.h>

#include "aigw_limit.h"
#include "aigw_price.h"
#include "aigw_time.h"
#include "cli.h"


#define SECRET_RUN  16                /* so long a run after "sk-" is a key */
#define SHOWN       40                /* bytes of a bad value in a message */
#define LAST_MS     253402300799999   /* year 9999: RFC 3339 has no other */


static const struct {
    const char  *what;
    const char  *hint;
} kinds[] = {
    [CLI_FLAG]   = { "nothing", NULL },
    [CLI_ANY]    = { "a text", NULL },
    [CLI_TEXT]   = { "a text", "it must not be empty" },
    [CLI_NAME]   = { "a name", "letters, digits and . _ - (not digits alone,"
                     " no '-' in front), 64 bytes at most" },
    [CLI_MODEL]  = { "a model's name", "no blanks, commas and '*', 128 bytes"
                     " at most" },
    [CLI_TARGET] = { "a model's name", "no blanks, commas and '*', 128 bytes"
                     " at most; '' for none" },
    [CLI_PRICED] = { "a model's name", "a name, or '*' for all others" },
    [CLI_MODELS] = { "a list of models", "names separated by commas, '*' for"
                     " any characters, no blanks: 'gpt-4o*,claude-*'" },
    [CLI_AMOUNT] = { "an amount", "digits with at most nine places: 25 or"
                     " 0.5" },
    [CLI_LIMIT]  = { "an amount", "digits with at most nine places, 25 or"
                     " 0.5, or unlimited" },
    [CLI_AHEAD]  = { "a span or moment", "30d, 12h, or"
                     " 2027-01-31T12:00:00Z" },
    [CLI_EXPIRY] = { "a span or moment", "30d, 12h,"
                     " 2027-01-31T12:00:00Z, or never" },
    [CLI_PAST]   = { "a span or moment", "24h, 30d, or"
                     " 2027-01-31T12:00:00Z" },
    [CLI_MOMENT] = { "a moment", "2027-01-31 or 2027-01-31T12:00:00Z" },
    [CLI_COUNT]  = { "a count", "1 to 1000" },
    [CLI_STATUS] = { "an HTTP status", "100 to 599" },
    [CLI_TOKENS] = { "a number of tokens", "1 to 1000000000, or unknown" },
    [CLI_CHOICE] = { "one of these", NULL }
};


aigw_str_t
cli_str(const char *text)
{
    aigw_str_t  str;

    str.data = text;
    str.len = strlen(text);

    return str;
}


int
cli_next_word(const char **list, char mark, aigw_str_t *word)
{
    const char  *end;

    if (*list == NULL || **list == '\0') {
        return 0;
    }

    end = strchr(*list, mark);
    end = end != NULL ? end : *list + strlen(*list);
    word->data = *list;
    word->len = (size_t) (end - *list);
    *list = *end != '\0' ? end + 1 : end;

    return 1;
}


static int
has_word(const char *list, char mark, const char *word)
{
    size_t      len;
    aigw_str_t  next;

    len = strlen(word);

    while (cli_next_word(&list, mark, &next)) {
        if (next.len == len && memcmp(next.data, word, len) == 0) {
            return 1;
        }
    }

    return 0;
}


int
cli_has_word(const char *list, const char *word)
{
    return has_word(list, ',', word);
}


int
cli_looks_secret(const char *text)
{
    size_t       run;
    const char  *p;

    if (text[0] == '-' && strchr(text, '=') != NULL) {
        text = strchr(text, '=') + 1;
    }

    p = strstr(text, "aigwt_");
    p = p != NULL ? p : strstr(text, "aigw_");

    if (p != NULL) {
        p = strchr(p, '_') + 1;
        for (run = 0; isalnum((unsigned char) p[run]); run++) { /* void */ }

        if (run >= 2 * SECRET_RUN) {
            return 1;
        }
    }

    return strncmp(text, "sk-", 3) == 0 && strlen(text) >= 3 + SECRET_RUN;
}


/* Digits alone, from min to max. */
static aigw_err_t
parse_number(const char *text, int64_t min, int64_t max, int64_t *number)
{
    int64_t  n;

    n = 0;

    for (/* void */; isdigit((unsigned char) *text) && n <= max; text++) {
        n = n * 10 + (*text - '0');
    }

    if (*text != '\0' || n < min || n > max) {
        return AIGW_EINVAL;
    }

    *number = n;

    return AIGW_OK;
}


/* "30d" from now on, ahead (sign 1) or behind (-1); or a moment. */
static aigw_err_t
parse_moment(aigw_str_t text, int sign, int64_t *ms)
{
    int64_t     span;
    aigw_err_t  err;

    if (sign != 0 && aigw_time_parse_span(text, &span) == AIGW_OK) {
        return __builtin_add_overflow(aigw_time_now_ms(), sign * span, ms)
               || *ms > LAST_MS ? AIGW_ERANGE : AIGW_OK;
    }

    err = aigw_time_parse(text, ms);

    /* 0 says "never" or "no end" in records and filters. */

    return err == AIGW_OK && *ms <= 0 ? AIGW_ERANGE : err;
}


static aigw_err_t
parse_limit(aigw_str_t str, int64_t *number)
{
    if (strcmp(str.data, "unlimited") == 0) {
        *number = AIGW_UNLIMITED;
        return AIGW_OK;
    }

    return aigw_amount_parse(str, number);
}


static aigw_err_t
parse_tokens(const char *text, int64_t *number)
{
    return strcmp(text, "unknown") == 0 ? AIGW_OK
           : parse_number(text, 1, AIGW_TOKENS_MAX, number);
}


static aigw_err_t
convert(const cli_option_t *option, const char *text, int64_t *number)
{
    aigw_str_t  str;

    str = cli_str(text);

    switch (option->kind) {

    case CLI_NAME:
        return aigw_store_check_name(str);

    case CLI_PRICED:
        return strcmp(text, "*") == 0 ? AIGW_OK : aigw_store_check_model(str);

    case CLI_TARGET:
        return str.len == 0 ? AIGW_OK : aigw_store_check_model(str);

    case CLI_MODEL:
        return aigw_store_check_model(str);

    case CLI_MODELS:
        return aigw_limit_check_models(str);

    case CLI_AMOUNT:
        return aigw_amount_parse(str, number);

    case CLI_LIMIT:
        return parse_limit(str, number);

    case CLI_EXPIRY:
        return strcmp(text, "never") == 0 ? AIGW_OK
                                          : parse_moment(str, 1, number);

    case CLI_AHEAD:
        return parse_moment(str, 1, number);

    case CLI_PAST:
        return parse_moment(str, -1, number);

    case CLI_MOMENT:
        return parse_moment(str, 0, number);

    case CLI_COUNT:
        return parse_number(text, 1, CLI_LIST_MAX, number);

    case CLI_STATUS:
        return parse_number(text, 100, 599, number);

    case CLI_TOKENS:
        return parse_tokens(text, number);

    case CLI_CHOICE:
        return has_word(option->value, '|', text) ? AIGW_OK : AIGW_EINVAL;

    case CLI_TEXT:
        return str.len > 0 ? AIGW_OK : AIGW_EINVAL;

    default:                          /* CLI_ANY, CLI_FLAG */
        return AIGW_OK;
    }
}


cli_exit_t
cli_convert(const cli_t *cli, const cli_option_t *option, const char *text,
    cli_value_t *value)
{
    int          positional;
    int64_t      number;
    const char  *hint;

    number = 0;

    if (convert(option, text, &number) == AIGW_OK) {
        value->text = text;
        value->number = number;

        return CLI_OK;
    }

    positional = option->value == option->name || cli->caller != NULL;

    if (cli->caller != NULL) {
        cli->caller->field = option->name;
    }

    hint = option->kind == CLI_CHOICE ? option->value
                                      : kinds[option->kind].hint;

    return cli_fail(cli, CLI_USAGE, hint, "%s%s: '%.*s' is not %s",
                    positional ? "" : "--", option->name, SHOWN, text,
                    kinds[option->kind].what);
}


void
cli_no_limits(int64_t *quota_nano, int64_t *expires_ms, char *models)
{
    *quota_nano = AIGW_UNLIMITED;
    *expires_ms = 0;
    strcpy(models, "*");
}


unsigned
cli_take_limits(const cli_t *cli, int64_t *quota_nano, int64_t *expires_ms,
    char *models)
{
    unsigned            fields;
    const cli_value_t  *value;

    fields = 0;
    value = cli_option(cli, "quota");

    if (value->text != NULL) {
        *quota_nano = value->number;
        fields |= AIGW_CHANGE_QUOTA;
    }

    value = cli_option(cli, "models");

    if (value->text != NULL) {
        snprintf(models, AIGW_MODELS_MAX + 1, "%s", value->text);
        fields |= AIGW_CHANGE_MODELS;
    }

    value = cli_option(cli, "expires");

    if (value->text != NULL) {
        *expires_ms = value->number;
        fields |= AIGW_CHANGE_EXPIRES;

        if (*expires_ms != 0 && *expires_ms <= aigw_time_now_ms()) {
            cli_warn(cli, "--expires: that moment has passed already");
        }
    }

    return fields;
}


unsigned
cli_take_name(const cli_t *cli, char name[AIGW_NAME_MAX + 1])
{
    const char  *text;

    text = cli_option(cli, "name")->text;

    if (text == NULL) {
        return 0;
    }

    snprintf(name, AIGW_NAME_MAX + 1, "%s", text);

    return AIGW_CHANGE_NAME;
}


cli_exit_t
cli_need_fields(const cli_t *cli, unsigned fields)
{
    char  hint[160];

    if (fields != 0) {
        return CLI_OK;
    }

    snprintf(hint, sizeof(hint), "for example: %s", cli->command->example);

    return cli_fail(cli, CLI_USAGE, hint, "nothing to set");
}
