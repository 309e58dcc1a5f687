/* Money: exact costs, decimal strings, edges (threats Q11, M08). */

#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "tap.h"


#define NONE  AIGW_PRICE_NONE
#define UNIT  AIGW_UNIT_NANO


typedef struct {
    const char     *name;
    aigw_price_t    price;
    aigw_tokens_t   tokens;           /* prompt, completion, cached, cache
                                         write, reasoning */
    aigw_err_t      err;
    int64_t         cost;
} cost_case_t;


static const cost_case_t  costs[] = {

    { "the original's 0.01 per 1,000",
      { 1, 10 * UNIT, 10 * UNIT, NONE, NONE, NONE },
      { 1000, 500, 0, 0, 0 }, AIGW_OK, 15 * UNIT / 1000 },

    { "no tokens cost nothing",
      { 1, 10 * UNIT, 10 * UNIT, NONE, NONE, NONE },
      { 0, 0, 0, 0, 0 }, AIGW_OK, 0 },

    { "no tokens cost nothing, even without a price",
      { 1, NONE, NONE, NONE, NONE, NONE },
      { 0, 0, 0, 0, 0 }, AIGW_OK, 0 },

    { "one nano per million: one token is rounded up",
      { 1, 1, 0, NONE, NONE, NONE }, { 1, 9, 0, 0, 0 }, AIGW_OK, 1 },

    { "a million of them is exactly one",
      { 1, 1, 0, NONE, NONE, NONE }, { 1000000, 0, 0, 0, 0 }, AIGW_OK, 1 },

    { "a million and one is two",
      { 1, 1, 0, NONE, NONE, NONE }, { 1000001, 0, 0, 0, 0 }, AIGW_OK, 2 },

    { "one rounding for the sum, not one for each part",
      { 1, 1, 1, NONE, NONE, NONE }, { 1, 1, 0, 0, 0 }, AIGW_OK, 1 },

    { "cached, cache-write, reasoning at their own price",
      { 1, 1000000, 10000000, 100000, 2000000, 20000000 },
      { 100, 50, 30, 20, 40 },
      AIGW_OK, 50 * 1 + 3 + 20 * 2 + 10 * 10 + 40 * 20 },

    { "parts without a price are charged as their whole",
      { 1, 1000000, 10000000, NONE, NONE, NONE },
      { 100, 50, 30, 20, 40 }, AIGW_OK, 100 + 500 },

    { "a price of 0 is a price, not none",
      { 1, 1000000, 1000000, 0, NONE, 0 },
      { 100, 50, 100, 0, 50 }, AIGW_OK, 0 },

    { "J32 cached above the prompt is clamped",
      { 1, 1000000, 1000000, 0, NONE, NONE },
      { 10, 0, 1000, 0, 0 }, AIGW_OK, 0 },

    { "J32 cached and written together are clamped to the prompt",
      { 1, 1000000, 1000000, 2000000, 3000000, NONE },
      { 10, 0, 8, 8, 0 }, AIGW_OK, 8 * 2 + 2 * 3 },

    { "J32 reasoning above the completion is clamped",
      { 1, 1000000, 1000000, NONE, NONE, 5000000 },
      { 0, 10, 0, 0, 11 }, AIGW_OK, 50 },

    { "J32 negative details count as none",
      { 1, 1000000, 1000000, 9000000, 9000000, 9000000 },
      { 10, 10, -5, -6, -7 }, AIGW_OK, 20 },

    { "J25 a negative count is never a credit",
      { 1, 1000000, 1000000, NONE, NONE, NONE },
      { -1000, 10, 0, 0, 0 }, AIGW_OK, 10 },

    { "INT64_MIN everywhere",
      { 1, 1000000, 1000000, NONE, NONE, NONE },
      { INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN },
      AIGW_OK, 0 },

    { "completion tokens, no completion price",
      { 1, 1000000, NONE, NONE, NONE, NONE },
      { 1, 1, 0, 0, 0 }, AIGW_EINVAL, 0 },

    { "only cached tokens, only a cached price",
      { 1, NONE, NONE, 1000000, NONE, NONE },
      { 7, 0, 7, 0, 0 }, AIGW_OK, 7 },

    { "Q11 the largest cost that fits",
      { 1, INT64_MAX, 0, NONE, NONE, NONE },
      { 1000000, 0, 0, 0, 0 }, AIGW_OK, INT64_MAX },

    { "Q11 one token more",
      { 1, INT64_MAX, 0, NONE, NONE, NONE },
      { 1000001, 0, 0, 0, 0 }, AIGW_ERANGE, 0 },

    { "Q11 one nano above by rounding up",
      { 1, INT64_MAX, 1, NONE, NONE, NONE },
      { 1000000, 1, 0, 0, 0 }, AIGW_ERANGE, 0 },

    { "Q11 everything at its maximum",
      { 1, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX },
      { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX },
      AIGW_ERANGE, 0 },

    { "Q11 largest tokens at price 0",
      { 1, 0, 0, NONE, NONE, NONE },
      { INT64_MAX, INT64_MAX, 0, 0, 0 }, AIGW_OK, 0 },
};


static void
test_costs(void)
{
    size_t              i;
    int64_t             cost;
    aigw_err_t          err;
    const cost_case_t  *c;

    for (i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
        c = &costs[i];
        cost = -77;
        err = aigw_price_cost(&c->price, &c->tokens, &cost);

        ok(err == c->err && cost == (err == AIGW_OK ? c->cost : -77),
           "%s (%s, %" PRId64 ")", c->name, aigw_strerror(err), cost);
    }
}


typedef struct {
    const char  *text;
    aigw_err_t   err;
    int64_t      nano;
    const char  *shortest;            /* as it is written again, if other */
} amount_case_t;


static const amount_case_t  amounts[] = {
    { "0", AIGW_OK, 0, NULL },
    { "25", AIGW_OK, 25 * UNIT, NULL },
    { "0.5", AIGW_OK, UNIT / 2, NULL },
    { "2.50", AIGW_OK, 5 * UNIT / 2, "2.5" },
    { "12.000000000", AIGW_OK, 12 * UNIT, "12" },
    { "0.000000001", AIGW_OK, 1, NULL },
    { "1234.000000001", AIGW_OK, 1234 * UNIT + 1, NULL },
    { "100", AIGW_OK, 100 * UNIT, NULL },
    { "007", AIGW_OK, 7 * UNIT, "7" },
    { "9223372036.854775807", AIGW_OK, INT64_MAX, NULL },

    { "9223372036.854775808", AIGW_ERANGE, 0, NULL },
    { "9223372037", AIGW_ERANGE, 0, NULL },
    { "99999999999999999999999999999999", AIGW_ERANGE, 0, NULL },

    { "", AIGW_EINVAL, 0, NULL },
    { ".", AIGW_EINVAL, 0, NULL },
    { ".5", AIGW_EINVAL, 0, NULL },
    { "5.", AIGW_EINVAL, 0, NULL },
    { "1.2.3", AIGW_EINVAL, 0, NULL },
    { "-1", AIGW_EINVAL, 0, NULL },
    { "-0", AIGW_EINVAL, 0, NULL },
    { "+1", AIGW_EINVAL, 0, NULL },
    { "1e3", AIGW_EINVAL, 0, NULL },
    { "0x10", AIGW_EINVAL, 0, NULL },
    { " 1", AIGW_EINVAL, 0, NULL },
    { "1 ", AIGW_EINVAL, 0, NULL },
    { "1,5", AIGW_EINVAL, 0, NULL },
    { "NaN", AIGW_EINVAL, 0, NULL },
    { "inf", AIGW_EINVAL, 0, NULL },
    { "0.0000000001", AIGW_EINVAL, 0, NULL },
    { "1.0000000000", AIGW_EINVAL, 0, NULL },
    { "99999999999999999999999999x", AIGW_EINVAL, 0, NULL },
};


static void
test_amounts(void)
{
    char                  text[AIGW_AMOUNT_LEN + 1];
    char                 *exact;
    size_t                i, len;
    int64_t               nano;
    aigw_err_t            err;
    aigw_str_t            s;
    const amount_case_t  *c;

    for (i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        c = &amounts[i];
        len = strlen(c->text);
        exact = malloc(len ? len : 1);
        memcpy(exact, c->text, len);

        s.data = exact;
        s.len = len;
        nano = -77;
        err = aigw_amount_parse(s, &nano);
        free(exact);

        ok(err == c->err && nano == (err == AIGW_OK ? c->nano : -77),
           "M08 parse '%s' (%s)", c->text, aigw_strerror(err));

        if (err == AIGW_OK) {
            len = aigw_amount_format(nano, text);
            is_str(text, c->shortest ? c->shortest : c->text,
                   "and written again");
            is_int((int64_t) len, (int64_t) strlen(text), "its length");
        }
    }
}


static void
test_format_negative(void)
{
    char  text[AIGW_AMOUNT_LEN + 1];

    is_int((int64_t) aigw_amount_format(INT64_MIN, text), AIGW_AMOUNT_LEN,
           "INT64_MIN fills the buffer exactly");
    is_str(text, "-9223372036.854775808", "INT64_MIN");

    (void) aigw_amount_format(-1, text);
    is_str(text, "-0.000000001", "minus one nano");

    (void) aigw_amount_format(-12 * UNIT, text);
    is_str(text, "-12", "minus twelve");
}


/* What is written reads back as it was, for numbers of every size. */
static void
test_round_trip(void)
{
    char        text[AIGW_AMOUNT_LEN + 1];
    unsigned    i, shift, bad;
    uint64_t    x;
    int64_t     nano, back;
    aigw_str_t  s;

    bad = 0;
    x = 88172645463325252u;

    for (i = 0; i < 20000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        shift = 1 + i % 63;
        nano = (int64_t) (x >> shift);

        s.len = aigw_amount_format(nano, text);
        s.data = text;

        bad += aigw_amount_parse(s, &back) != AIGW_OK || back != nano
               || text[s.len - 1] == '.'
               || (memchr(text, '.', s.len) && text[s.len - 1] == '0');
    }

    is_int(bad, 0, "20,000 amounts: written shortest, read back exactly");
}


static void
test_add(void)
{
    int64_t  sum;

    sum = INT64_MAX - 5;
    is_int(aigw_amount_add(&sum, 5), AIGW_OK, "up to INT64_MAX");
    is_int(sum, INT64_MAX, "the sum");
    is_int(aigw_amount_add(&sum, 1), AIGW_ERANGE, "Q11 one more");
    is_int(sum, INT64_MAX, "sum unchanged");

    sum = INT64_MIN;
    is_int(aigw_amount_add(&sum, -1), AIGW_ERANGE, "below INT64_MIN");
    is_int(sum, INT64_MIN, "sum unchanged");
}


int
main(void)
{
    test_costs();
    test_amounts();
    test_format_negative();
    test_round_trip();
    test_add();

    return done();
}
