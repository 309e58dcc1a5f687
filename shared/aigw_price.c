/*
 * Money: costs, decimal amounts, checked sums. Integers only: no floating
 * point may enter this file.
 */

#include "aigw_price.h"


#define PLACES        9
#define PER_MILLION   1000000


/* Two products of non-negative int64 fit in it. */
__extension__ typedef unsigned __int128  wide_t;


static int64_t
clamp(int64_t n, int64_t max)
{
    return n < 0 ? 0 : n > max ? max : n;
}


/* Tokens at own, or at whole where there is no price of their own. */
static aigw_price_part_t
part_of(int64_t tokens, int64_t own, int64_t whole)
{
    aigw_price_part_t  part;

    part.tokens = tokens;
    part.price_nano = own >= 0 ? own : whole >= 0 ? whole : AIGW_PRICE_NONE;

    return part;
}


void
aigw_price_split(const aigw_price_t *price, const aigw_tokens_t *tokens,
    aigw_price_part_t part[AIGW_PRICE_PARTS])
{
    int64_t  prompt, completion, cached, written, reasoning;

    prompt = clamp(tokens->prompt_tokens, INT64_MAX);
    completion = clamp(tokens->completion_tokens, INT64_MAX);
    cached = clamp(tokens->cached_tokens, prompt);
    written = clamp(tokens->cache_write_tokens, prompt - cached);
    reasoning = clamp(tokens->reasoning_tokens, completion);

    part[AIGW_PRICE_PROMPT] = part_of(prompt - cached - written,
                                      price->prompt_nano, AIGW_PRICE_NONE);
    part[AIGW_PRICE_CACHED] = part_of(cached, price->cached_nano,
                                      price->prompt_nano);
    part[AIGW_PRICE_CACHE_WRITE] = part_of(written, price->cache_write_nano,
                                           price->prompt_nano);
    part[AIGW_PRICE_COMPLETION] = part_of(completion - reasoning,
                                          price->completion_nano,
                                          AIGW_PRICE_NONE);
    part[AIGW_PRICE_REASONING] = part_of(reasoning, price->reasoning_nano,
                                         price->completion_nano);
}


aigw_err_t
aigw_price_cost(const aigw_price_t *price, const aigw_tokens_t *tokens,
    int64_t *cost_nano)
{
    int                i;
    wide_t             cost, sum;
    aigw_price_part_t  part[AIGW_PRICE_PARTS];

    aigw_price_split(price, tokens, part);
    sum = 0;

    for (i = 0; i < AIGW_PRICE_PARTS; i++) {
        if (part[i].tokens == 0) {
            continue;
        }

        if (part[i].price_nano < 0) {
            return AIGW_EINVAL;
        }

        sum += (wide_t) part[i].tokens * (wide_t) part[i].price_nano;
    }

    /* a division of 128 bits is a call, and hardly ever needed */

    cost = sum <= UINT64_MAX ? (uint64_t) sum / PER_MILLION : sum / PER_MILLION;
    cost += (cost * PER_MILLION != sum);

    if (cost > INT64_MAX) {
        return AIGW_ERANGE;
    }

    *cost_nano = (int64_t) cost;

    return AIGW_OK;
}


static aigw_err_t
push_digit(int64_t *n, int digit)
{
    if (__builtin_mul_overflow(*n, 10, n)
        || __builtin_add_overflow(*n, digit, n))
    {
        return AIGW_ERANGE;
    }

    return AIGW_OK;
}


static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


/* The form alone, so that a bad one is never taken for a big one. */
static aigw_err_t
check_form(aigw_str_t text)
{
    size_t  i, whole, places;

    for (i = 0; i < text.len && is_digit(text.data[i]); i++) { /* void */ }

    whole = i;

    if (whole == 0) {
        return AIGW_EINVAL;
    }

    if (whole == text.len) {
        return AIGW_OK;
    }

    if (text.data[i++] != '.') {
        return AIGW_EINVAL;
    }

    for ( ; i < text.len && is_digit(text.data[i]); i++) { /* void */ }

    places = i - whole - 1;

    return i == text.len && places >= 1 && places <= PLACES ? AIGW_OK
                                                            : AIGW_EINVAL;
}


aigw_err_t
aigw_amount_parse(aigw_str_t text, int64_t *nano)
{
    int      places;
    size_t   i;
    int64_t  n;

    if (check_form(text) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    n = 0;
    places = -1;                      /* no point yet */

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '.') {
            places = 0;
            continue;
        }

        if (push_digit(&n, text.data[i] - '0') != AIGW_OK) {
            return AIGW_ERANGE;
        }

        if (places >= 0) {
            places++;
        }
    }

    for (places = places < 0 ? 0 : places; places < PLACES; places++) {
        if (push_digit(&n, 0) != AIGW_OK) {
            return AIGW_ERANGE;
        }
    }

    *nano = n;

    return AIGW_OK;
}


size_t
aigw_amount_format(int64_t nano, char text[AIGW_AMOUNT_LEN + 1])
{
    char      digits[AIGW_AMOUNT_LEN];
    size_t    n, len, places;
    uint64_t  rest;

    /* INT64_MIN has no positive twin */
    rest = nano < 0 ? -(uint64_t) nano : (uint64_t) nano;

    /* backwards, at least one digit before the point */
    for (n = 0; n <= PLACES || rest > 0; n++) {
        digits[n] = (char) ('0' + rest % 10);
        rest /= 10;
    }

    for (places = PLACES; places > 0; places--) {
        if (digits[PLACES - places] != '0') {
            break;
        }
    }

    len = 0;

    if (nano < 0) {
        text[len++] = '-';
    }

    while (n > PLACES) {
        text[len++] = digits[--n];
    }

    if (places > 0) {
        text[len++] = '.';
    }

    while (n > PLACES - places) {
        text[len++] = digits[--n];
    }

    text[len] = '\0';

    return len;
}


aigw_err_t
aigw_amount_add(int64_t *sum, int64_t add)
{
    int64_t  result;

    if (__builtin_add_overflow(*sum, add, &result)) {
        return AIGW_ERANGE;
    }

    *sum = result;

    return AIGW_OK;
}
