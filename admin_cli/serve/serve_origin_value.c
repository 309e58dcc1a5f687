/*
 * Fields in the words of the service that this gateway took over from. Numbers
 * are read from their text: a double would have changed them. Threat M08.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "aigw_limit.h"
#include "serve_origin.h"


#define PLACES        9               /* of an amount */
#define NANO          1000000000
#define EXPONENT_MAX  1000            /* far beyond what can be in range */

#define BAD_MODELS                                                            \
    "Value error, 模型权限应为模型名称的列表，或以逗号" \
    "分隔的字符串，至少一个，合计不超过512字节"

/* NULL: it is not there, which is a fault if it is required. */
static const cJSON *
find(serve_origin_in_t *in, const char *field, int required)
{
    const cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(in->r->json, field);

    if (item == NULL && required && !in->broken) {
        serve_origin_fault(in, field, "missing", "Field required");
    }

    return item;
}


const char *
serve_origin_text(serve_origin_in_t *in, const char *field, int required,
    size_t min, size_t max)
{
    char          message[CLI_MESSAGE_LEN + 1];
    size_t        len;
    const char   *text;
    const cJSON  *item;

    item = find(in, field, required);

    if (item == NULL || (!required && cJSON_IsNull(item))) {
        return NULL;
    }

    text = cJSON_GetStringValue(item);

    if (text == NULL) {
        serve_origin_fault(in, field, "string_type",
                           "Input should be a valid string");
        return NULL;
    }

    len = strlen(text);

    if (len >= min && len <= max) {
        return text;
    }

    snprintf(message, sizeof(message), "String should have at %s %zu"
             " characters", len < min ? "least" : "most",
             len < min ? min : max);
    serve_origin_fault(in, field, len < min ? "string_too_short"
                                            : "string_too_long", message);

    return NULL;
}


/* The digit at a place of the number without its point. */
static unsigned
digit_at(const char *digits, size_t n, long at)
{
    return at >= 0 && (size_t) at < n ? (unsigned) (digits[at] - '0') : 0;
}


/*
 * A number of JSON's grammar, not below zero, in nano-units; *exact: nothing
 * was cut off. AIGW_ERANGE: it is more than an int64 has.
 */
static aigw_err_t
parse_number(const char *text, int64_t *nano, int *exact)
{
    char    digits[AIGW_JSON_TEXT_MAX + 1];
    long    i, point, exponent = 0;
    size_t  n = 0;
    int     negative;

    point = -1;

    for (/* void */; *text != '\0' && *text != 'e' && *text != 'E'; text++) {
        if (*text == '.') {
            point = (long) n;

        } else {
            digits[n++] = *text;
        }
    }

    point = point < 0 ? (long) n : point;

    if (*text != '\0') {
        negative = text[1] == '-';

        for (text += text[1] == '-' || text[1] == '+' ? 2 : 1; *text != '\0';
             text++)
        {
            exponent = exponent < EXPONENT_MAX ? exponent * 10 + *text - '0'
                                               : exponent;
        }

        point += negative ? -exponent : exponent;
    }

    *nano = 0;
    *exact = 1;

    for (i = 0; i < point + PLACES; i++) {
        if (__builtin_mul_overflow(*nano, 10, nano)
            || __builtin_add_overflow(*nano, digit_at(digits, n, i), nano))
        {
            return AIGW_ERANGE;
        }
    }

    for (/* void */; i < (long) n; i++) {
        *exact &= digit_at(digits, n, i) == 0;
    }

    return AIGW_OK;
}


/* The text of a number that is there; NULL: it is not, or a fault. */
static const char *
number_text(serve_origin_in_t *in, const char *field, int required,
    const char *type, const char *message)
{
    const char   *text = serve_origin_number(in, field);
    const cJSON  *item = find(in, field, required);

    if (item == NULL) {
        return NULL;
    }

    if (cJSON_IsNumber(item) && text[0] != '\0') {
        return text;
    }

    serve_origin_fault(in, field, type, message);

    return NULL;
}


int
serve_origin_amount(serve_origin_in_t *in, const char *field, int64_t *nano)
{
    int          exact;
    const char  *text;

    text = number_text(in, field, 1, "float_type",
                       "Input should be a valid number");

    if (text == NULL) {
        return 0;
    }

    if (text[0] == '-') {
        serve_origin_fault(in, field, "greater_than_equal",
                           "Input should be greater than or equal to 0");
        return 0;
    }

    if (parse_number(text, nano, &exact) != AIGW_OK) {
        serve_origin_fault(in, field, "less_than_equal", "Input should be less"
                           " than or equal to 9223372036.854775807");
        return 0;
    }

    return 1;
}


void
serve_origin_count(serve_origin_in_t *in, const char *field, int64_t min,
    int64_t max, int64_t *count)
{
    int          exact, above;
    char         message[CLI_MESSAGE_LEN + 1];
    int64_t      nano = 0;
    const char  *text;

    text = number_text(in, field, 0, "int_type",
                       "Input should be a valid integer");

    if (text == NULL) {
        return;
    }

    above = text[0] != '-' && parse_number(text, &nano, &exact) != AIGW_OK;

    if (text[0] != '-' && !above && (!exact || nano % NANO != 0)) {
        serve_origin_fault(in, field, "int_from_float", "Input should be a"
                           " valid integer, got a number with a fractional"
                           " part");
        return;
    }

    above |= nano / NANO > max;

    if (above || nano / NANO < min) {
        snprintf(message, sizeof(message), "Input should be %s than or equal"
                 " to %lld", above ? "less" : "greater",
                 (long long) (above ? max : min));
        serve_origin_fault(in, field, above ? "less_than_equal"
                                            : "greater_than_equal", message);
        return;
    }

    *count = nano / NANO;
}


/* One more word, without the blanks around it. */
static int
add_word(char models[AIGW_MODELS_MAX + 1], const char *word, size_t word_len)
{
    int     n;
    size_t  len = strlen(models);

    for (/* void */; word_len > 0 && word[0] == ' '; word_len--) {
        word++;
    }

    for (/* void */; word_len > 0 && word[word_len - 1] == ' '; word_len--) {
        /* void */
    }

    n = snprintf(models + len, AIGW_MODELS_MAX + 1 - len, "%s%.*s",
                 len ? "," : "", (int) word_len, word);

    return word_len > 0 && (size_t) n <= AIGW_MODELS_MAX - len;
}


/* 0: it is neither a text nor an array of texts, or too long. */
static int
join(const cJSON *value, char models[AIGW_MODELS_MAX + 1])
{
    int           good = 1;
    aigw_str_t    word;
    const char   *text;
    const cJSON  *item;

    models[0] = '\0';
    text = cJSON_GetStringValue(value);

    if (text != NULL) {
        while (good && cli_next_word(&text, ',', &word)) {
            good = add_word(models, word.data, word.len);
        }

        return good;
    }

    cJSON_ArrayForEach(item, value) {
        text = cJSON_GetStringValue(item);
        good = good && text != NULL && strchr(text, ',') == NULL
               && add_word(models, text, strlen(text));
    }

    return good && cJSON_IsArray(value);
}


void
serve_origin_models(serve_origin_in_t *in, const char *field,
    char models[AIGW_MODELS_MAX + 1])
{
    char          list[AIGW_MODELS_MAX + 1];
    const cJSON  *item = find(in, field, 0);

    if (item == NULL) {
        return;
    }

    if (!join(item, list) || aigw_limit_check_models(cli_str(list)) != AIGW_OK)
    {
        serve_origin_fault(in, field, "value_error", BAD_MODELS);
        return;
    }

    memcpy(models, list, sizeof(list));
}
