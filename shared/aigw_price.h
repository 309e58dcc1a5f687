/*
 * Money: amounts in nano-units (int64), prices in nano-units per million
 * tokens, decimal strings at the border. One rounding, up, per request.
 * Every operation is checked: overflow is AIGW_ERANGE, never a wrapped number.
 */

#ifndef AIGW_PRICE_H
#define AIGW_PRICE_H

#include "aigw.h"


#define AIGW_PRICE_NONE   (-1)        /* the price has no such part */

#define AIGW_AMOUNT_LEN   21          /* "-9223372036.854775808" */


/* The token counts of one call. prompt_tokens includes cached and cache-write
   tokens, completion_tokens includes reasoning tokens: subsets, clamped to
   their whole. */
typedef struct {
    int64_t    prompt_tokens;
    int64_t    completion_tokens;
    int64_t    cached_tokens;
    int64_t    cache_write_tokens;
    int64_t    reasoning_tokens;
} aigw_tokens_t;


/* Nano-units per million tokens. A part that is none is charged as the part
   that includes it: cached, cache_write as prompt; reasoning as completion. */
typedef struct {
    uint32_t   version;               /* of the whole price list, from 1 */
    int64_t    prompt_nano;
    int64_t    completion_nano;
    int64_t    cached_nano;
    int64_t    cache_write_nano;
    int64_t    reasoning_nano;
} aigw_price_t;


/* What tokens are charged as, each one once. */
typedef enum {
    AIGW_PRICE_PROMPT = 0,            /* neither cached nor written */
    AIGW_PRICE_CACHED,
    AIGW_PRICE_CACHE_WRITE,
    AIGW_PRICE_COMPLETION,            /* but for reasoning */
    AIGW_PRICE_REASONING,
    AIGW_PRICE_PARTS
} aigw_price_kind_t;

typedef struct {
    int64_t    tokens;                /* from 0 */
    int64_t    price_nano;            /* that counts, or AIGW_PRICE_NONE */
} aigw_price_part_t;

/* The parts of a cost: the sum of tokens times price_nano, divided by a
   million and rounded up, is what aigw_price_cost says. */
void aigw_price_split(const aigw_price_t *price, const aigw_tokens_t *tokens,
    aigw_price_part_t part[AIGW_PRICE_PARTS]);

/*
 * The cost of tokens, rounded up to a nano-unit. AIGW_EINVAL if the price
 * lacks a part that the call used; AIGW_ERANGE if it does not fit an int64.
 */
aigw_err_t aigw_price_cost(const aigw_price_t *price,
    const aigw_tokens_t *tokens, int64_t *cost_nano) AIGW_CHECKED;

/*
 * Reads "25", "0.5", "1234.000000001": digits, at most nine places, no sign,
 * no exponent, no blanks. AIGW_EINVAL, or AIGW_ERANGE above INT64_MAX nano.
 */
aigw_err_t aigw_amount_parse(aigw_str_t text, int64_t *nano) AIGW_CHECKED;

/* Writes the shortest exact decimal ("0", "12.5", "-0.000000001") and returns
   its length. */
size_t aigw_amount_format(int64_t nano, char text[AIGW_AMOUNT_LEN + 1]);

/* sum += add. AIGW_ERANGE on overflow, sum unchanged. */
aigw_err_t aigw_amount_add(int64_t *sum, int64_t add) AIGW_CHECKED;

#endif /* AIGW_PRICE_H */
