/*
 * Every price that the list has, by its version: what a row must have cost by
 * its own tokens. Rounds as a settlement does, with the same function.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_store_verify_internal.h"


#define FIRST  64


static void
add_price(aigw_db_txn_t *txn, aigw_store_tariff_t *tariff,
    const aigw_db_value_t *value)
{
    size_t               room;
    aigw_price_t        *prices;
    aigw_price_entry_t   entry;

    aigw_db_fail(txn, aigw_record_unpack_price(value->data, value->len,
                                               &entry));

    if (txn->err == AIGW_OK && tariff->n == tariff->room) {
        room = tariff->room ? 2 * tariff->room : FIRST;
        prices = realloc(tariff->prices, room * sizeof(prices[0]));

        if (prices == NULL) {
            aigw_db_fail(txn, AIGW_ENOMEM);
            return;
        }

        tariff->prices = prices;
        tariff->room = room;
    }

    if (txn->err == AIGW_OK) {
        tariff->prices[tariff->n++] = entry.price;
    }
}


static int
compare(const void *a, const void *b)
{
    const aigw_price_t  *x = a, *y = b;

    return (x->version > y->version) - (x->version < y->version);
}


aigw_err_t
aigw_store_tariff_read(aigw_store_t *store, aigw_store_tariff_t *tariff)
{
    int               more;
    aigw_db_key_t     first;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_PRICES);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        add_price(&txn, tariff, &cur.value);
    }

    aigw_db_cursor_close(&cur);

    if (tariff->n > 0) {
        qsort(tariff->prices, tariff->n, sizeof(tariff->prices[0]), compare);
    }

    return aigw_db_end(&txn);
}


void
aigw_store_tariff_free(aigw_store_tariff_t *tariff)
{
    free(tariff->prices);
}


/*
 * A call that is settled by estimate, or not known at all, costs no more than
 * was held for it. What was not sent, or void, costs nothing. What is no call
 * has no price.
 */
aigw_store_charged_t
aigw_store_tariff_check(const aigw_store_tariff_t *tariff,
    const aigw_row_t *row, int64_t *expected)
{
    int64_t              cost;
    const aigw_price_t  *price, key = { .version = row->price_version };

    if (!aigw_row_is_call(row)) {
        return AIGW_STORE_CHARGED_RIGHT;
    }

    if (row->settled == AIGW_SETTLED_NONE || row->settled == AIGW_SETTLED_VOID
        || row->attempts == 0)
    {
        *expected = 0;
        return row->cost_nano == 0 ? AIGW_STORE_CHARGED_RIGHT
                                   : AIGW_STORE_CHARGED_WRONG;
    }

    price = tariff->n == 0 ? NULL
            : bsearch(&key, tariff->prices, tariff->n,
                      sizeof(tariff->prices[0]), compare);

    if (price == NULL
        || aigw_price_cost(price, &row->tokens, &cost) != AIGW_OK)
    {
        return AIGW_STORE_CHARGED_UNPRICED;
    }

    *expected = cost;

    if ((row->settled == AIGW_SETTLED_ESTIMATED
         || row->settled == AIGW_SETTLED_UNKNOWN)
        && row->hold_nano < cost && row->cost_nano != cost)
    {
        *expected = row->hold_nano;
    }

    return row->cost_nano == *expected ? AIGW_STORE_CHARGED_RIGHT
                                       : AIGW_STORE_CHARGED_WRONG;
}
