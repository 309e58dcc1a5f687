/*
 * Values into JSON, in the forms of the contract: amounts as decimal strings,
 * counts as integers (cJSON's own numbers are doubles), times in RFC 3339.
 * Memory that cannot be had ends the program here (see main.c), so nothing
 * in this directory checks cJSON's results.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cli.h"


/* Length of the valid UTF-8 character that text begins with, else 0. */
static size_t
utf8_len(const unsigned char *text)
{
    size_t    i, len;
    uint32_t  code;

    if (text[0] < 0x80) {
        return 1;
    }

    len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;

    if (text[0] < 0xc2 || text[0] > 0xf4) {
        return 0;
    }

    code = text[0] & (0x7fU >> len);

    for (i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (text[i] & 0x3f);
    }

    if ((len == 3 && code < 0x800) || (len == 4 && code < 0x10000)
        || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
    {
        return 0;
    }

    return len;
}


void
cli_add_text(cJSON *object, const char *name, const char *text)
{
    char                 *mended, *p;
    size_t                len;
    const unsigned char  *s;

    if (text == NULL) {
        cJSON_AddNullToObject(object, name);
        return;
    }

    /* Three bytes of U+FFFD for each wrong one. */

    mended = cJSON_malloc(strlen(text) * 3 + 1);
    p = mended;

    for (s = (const unsigned char *) text; *s != '\0'; s += len ? len : 1) {
        len = utf8_len(s);
        memcpy(p, len ? (const char *) s : "\xef\xbf\xbd", len ? len : 3);
        p += len ? len : 3;
    }

    *p = '\0';
    cJSON_AddStringToObject(object, name, mended);
    cJSON_free(mended);
}


void
cli_add_count(cJSON *object, const char *name, int64_t count)
{
    char  text[CLI_TEXT_LEN];

    snprintf(text, sizeof(text), "%" PRId64, count);
    cJSON_AddRawToObject(object, name, text);
}


void
cli_add_id(cJSON *object, const char *name, uint64_t id)
{
    char  text[CLI_TEXT_LEN];

    if (id == 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }

    snprintf(text, sizeof(text), "%" PRIu64, id);
    cJSON_AddRawToObject(object, name, text);
}


void
cli_add_amount(cJSON *object, const char *name, int64_t nano)
{
    char  text[AIGW_AMOUNT_LEN + 1];

    (void) aigw_amount_format(nano, text);
    cJSON_AddStringToObject(object, name, text);
}


void
cli_add_limit(cJSON *object, const char *name, int64_t nano)
{
    if (nano == AIGW_UNLIMITED) {
        cJSON_AddNullToObject(object, name);

    } else {
        cli_add_amount(object, name, nano);
    }
}


void
cli_add_time(cJSON *object, const char *name, int64_t ms)
{
    char  text[AIGW_TIME_LEN + 1];

    if (ms == 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }

    aigw_time_format(ms, text);
    cJSON_AddStringToObject(object, name, text);
}


void
cli_add_percent(cJSON *object, const char *name, int64_t part, int64_t whole,
    int64_t if_none)
{
    char     text[CLI_TEXT_LEN];
    int64_t  hundredths;

    /* In 128 bits: a ledger's count times 10,000 need not fit 64. */

    hundredths = whole > 0
                 ? (int64_t) (((__int128) part * 10000 + whole / 2) / whole)
                 : if_none * 100;

    snprintf(text, sizeof(text), "%" PRId64 ".%02" PRId64, hundredths / 100,
             hundredths % 100);
    cJSON_AddRawToObject(object, name, text);
}


void
cli_add_models(cJSON *object, const char *name, const char *patterns)
{
    char        text[AIGW_MODELS_MAX + 1];
    cJSON      *array;
    aigw_str_t  word;

    array = cJSON_AddArrayToObject(object, name);

    while (cli_next_word(&patterns, ',', &word)) {
        snprintf(text, sizeof(text), "%.*s", (int) word.len, word.data);
        cJSON_AddItemToArray(array, cJSON_CreateString(text));
    }
}


cJSON *
cli_new_list(cli_t *cli)
{
    cJSON  *items;

    cli->answer = cJSON_CreateObject();
    items = cJSON_AddArrayToObject(cli->answer, "items");
    cJSON_AddNullToObject(cli->answer, "next");

    return items;
}


int64_t
cli_sum(int64_t a, int64_t b)
{
    int64_t  sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}
