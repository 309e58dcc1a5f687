/* What the tests of usage share: rows, and settling them. */

#ifndef AIGW_TEST_STORE_ROWS_H
#define AIGW_TEST_STORE_ROWS_H

#include "store.h"


#define HOUR  INT64_C(3600000)
#define BASE  (INT64_C(490000) * HOUR)   /* a whole hour of 2025 */


/* A row of that time; counter makes its id unique and orders ids of one ms. */
static inline aigw_row_t
a_row(int64_t time_ms, unsigned counter)
{
    unsigned    i;
    aigw_row_t  row;

    memset(&row, 0, sizeof(row));

    for (i = 0; i < 6; i++) {
        row.id[i] = (uint8_t) (time_ms >> (8 * (5 - i)));
    }

    for (i = 0; i < 4; i++) {
        row.id[12 + i] = (uint8_t) (counter >> (8 * (3 - i)));
    }

    row.user_id = 1;
    row.project_id = 2;
    row.key_id = 3;
    row.time_ms = time_ms;
    row.settled_ms = time_ms + 100;
    row.status = 200;
    row.route = AIGW_ROUTE_CHAT;
    row.settled = AIGW_SETTLED_EXACT;
    row.attempts = 1;
    row.tokens.prompt_tokens = 10;
    row.tokens.completion_tokens = 20;
    row.cost_nano = 300;
    strcpy(row.model, "gpt-4o");

    return row;
}


static inline aigw_err_t
settle(aigw_store_t *s, const aigw_row_t *list, size_t n, size_t *doubles)
{
    return aigw_store_settle(s, list, n, NULL, 0, doubles);
}


static inline aigw_sums_t
sums_of(aigw_store_t *s, aigw_account_kind_t kind, uint64_t id)
{
    aigw_sums_t  sums;

    memset(&sums, 0xff, sizeof(sums));

    if (aigw_store_get_sums(s, kind, id, &sums) != AIGW_OK) {
        ok(0, "sums of %d %d", (int) kind, (int) id);
    }

    return sums;
}


static inline uint64_t
next_random(void)
{
    static uint64_t  x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;

    return x >> 11;
}

#endif /* AIGW_TEST_STORE_ROWS_H */
