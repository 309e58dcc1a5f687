/*
 * Pruning usage: rows and their entries in both indices go, their sums go into
 * closings and their numbers into the list of what was pruned. Never touches
 * sums, roll-ups or watermarks.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_internal.h"
#include "aigw_store_prune.h"


#define LOOK   500                    /* rows of one transaction */
#define ID_MS  6                      /* bytes of time in an id */
#define CRC    4


/* Rows that go, copied: what is in the map dies with the first delete. */
typedef struct {
    size_t             n;
    size_t             looked;
    int64_t            skew;
    aigw_prune_t       prune;         /* as it is if the transaction holds */
    uint64_t           seqs[LOOK];
    aigw_row_view_t    views[LOOK];
    aigw_store_item_t  items[LOOK + LOOK / 2];
    uint8_t            packed[LOOK][AIGW_ROW_PACKED_MAX];
} batch_t;


static void
row_key(aigw_db_key_t *at, uint64_t seq)
{
    aigw_db_key(at);
    aigw_db_key_int(at, 0, 2);
    aigw_db_key_int(at, seq, 8);
}


/* Nobody looks at it again: it must be the row that was written. */
static void
take_row(aigw_db_txn_t *txn, batch_t *batch, const aigw_db_cursor_t *ids)
{
    aigw_err_t        err = AIGW_ECORRUPT;
    aigw_row_t        row;
    const uint8_t    *named = ids->value.data;
    aigw_db_key_t     at;
    aigw_db_value_t   value;

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, named, AIGW_STORE_ROW_KEY);

    if (aigw_db_get(txn, AIGW_USAGE_ROWS, &at, &value)
        && (ids->value.len == AIGW_STORE_ROW_KEY
            || aigw_crc32c(0, value.data, value.len)
               == aigw_db_int(named + AIGW_STORE_ROW_KEY, CRC)))
    {
        err = aigw_record_unpack_row(value.data, value.len, &row);
    }

    if (err == AIGW_OK && (value.len > AIGW_ROW_PACKED_MAX
                           || memcmp(row.id, ids->key.data, sizeof(row.id))))
    {
        err = AIGW_ECORRUPT;
    }

    aigw_db_fail(txn, err);

    if (txn->err != AIGW_OK || row.time_ms >= batch->prune.before_ms) {
        return;
    }

    memcpy(batch->packed[batch->n], value.data, value.len);
    batch->seqs[batch->n] = aigw_db_int(named + 2, 8);
    aigw_db_fail(txn, aigw_record_view_row(batch->packed[batch->n], value.len,
                                           &batch->views[batch->n]));
    batch->n++;
    batch->prune.rows++;

    if (__builtin_add_overflow(batch->prune.cost_nano, row.cost_nano,
                               &batch->prune.cost_nano))
    {
        batch->prune.cost_nano = INT64_MAX;
    }
}


/* The next rows by id, up to the last that can be of a row that goes. */
static void
collect(aigw_db_txn_t *txn, batch_t *batch)
{
    int               more;
    int64_t           last_ms;
    aigw_prune_t     *prune = &batch->prune;
    aigw_db_key_t     at;
    aigw_db_cursor_t  ids;

    if (__builtin_add_overflow(prune->before_ms, batch->skew, &last_ms)) {
        last_ms = INT64_MAX;
    }

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, prune->last, AIGW_ROW_ID_LEN);
    aigw_db_cursor(&ids, txn, AIGW_USAGE_ROW_IDS);
    more = aigw_db_seek(&ids, &at);

    if (more && aigw_db_in(&ids, &at)) {
        more = aigw_db_next(&ids);
    }

    for ( /* void */ ; more && batch->looked < LOOK; batch->looked++) {
        if (ids.key.len != AIGW_ROW_ID_LEN
            || (ids.value.len != AIGW_STORE_ROW_KEY
                && ids.value.len != AIGW_STORE_ROW_KEY + CRC))
        {
            aigw_db_fail(txn, AIGW_ECORRUPT);
            break;
        }

        if ((int64_t) aigw_db_int(ids.key.data, ID_MS) > last_ms) {
            more = 0;
            break;
        }

        take_row(txn, batch, &ids);

        if (txn->err != AIGW_OK) {
            break;
        }

        memcpy(prune->last, ids.key.data, AIGW_ROW_ID_LEN);
        more = aigw_db_next(&ids);
    }

    prune->looked += batch->looked;
    prune->done = !more;
    aigw_db_cursor_close(&ids);
}


static void
delete_entry(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *at)
{
    if (!aigw_db_delete(txn, table, at)) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
    }
}


static void
delete_rows(aigw_db_txn_t *txn, const batch_t *batch)
{
    size_t                  i;
    aigw_db_key_t           at;
    const aigw_row_view_t  *row;

    for (i = 0; i < batch->n; i++) {
        row_key(&at, batch->seqs[i]);
        delete_entry(txn, AIGW_USAGE_ROWS, &at);
    }

    for (i = 0; i < batch->n; i++) {
        row = &batch->views[i];
        aigw_db_key(&at);
        aigw_db_key_bytes(&at, row->id, AIGW_ROW_ID_LEN);
        delete_entry(txn, AIGW_USAGE_ROW_IDS, &at);

        if (row->project_id != 0) {
            aigw_store_key_int(&at, row->project_id);
            aigw_db_key_bytes(&at, row->id, AIGW_ROW_ID_LEN);
            delete_entry(txn, AIGW_USAGE_PROJECT_ROWS, &at);
        }
    }
}


/* A run of numbers, made one with those that it touches. */
static void
add_run(aigw_db_txn_t *txn, uint64_t first, uint64_t last)
{
    uint64_t          to;
    aigw_db_key_t     at;
    aigw_db_cursor_t  cur;

    aigw_store_key_int(&at, last + 1);
    to = aigw_store_get_int(txn, AIGW_USAGE_PRUNED, &at);

    if (to != 0) {
        last = to;
        (void) aigw_db_delete(txn, AIGW_USAGE_PRUNED, &at);
    }

    aigw_db_cursor(&cur, txn, AIGW_USAGE_PRUNED);
    aigw_store_key_int(&at, first);

    if (aigw_db_seek_before(&cur, &at) && cur.key.len == 8
        && cur.value.len == 8
        && aigw_db_int(cur.value.data, 8) + 1 == first)
    {
        first = aigw_db_int(cur.key.data, 8);
        aigw_store_key_int(&at, first);
    }

    aigw_db_cursor_close(&cur);
    aigw_store_put_int(txn, AIGW_USAGE_PRUNED, &at, last);
}


static void
add_runs(aigw_db_txn_t *txn, batch_t *batch)
{
    size_t    i;
    uint64_t  first, last;

    for (i = 0; i < batch->n; i++) {
        batch->items[i] = (aigw_store_item_t) { 0, batch->seqs[i], NULL };
    }

    aigw_store_sort(batch->items, batch->n, batch->items + batch->n);

    for (i = 0; i < batch->n; i++) {
        first = batch->items[i].low;

        for (last = first; i + 1 < batch->n
                           && batch->items[i + 1].low == last + 1; i++)
        {
            last++;
        }

        add_run(txn, first, last);
    }
}


static void
remove_batch(aigw_db_txn_t *txn, batch_t *batch)
{
    size_t  i;

    delete_rows(txn, batch);
    add_runs(txn, batch);

    for (i = 0; i < batch->n; i++) {
        batch->items[i] = (aigw_store_item_t) { 0, 0, &batch->views[i] };
    }

    aigw_store_add_closings(txn, batch->items, batch->n);

    if (aigw_store_get_meta(txn, AIGW_META_PRUNED)
        < (uint64_t) batch->prune.before_ms)
    {
        aigw_store_put_meta(txn, AIGW_META_PRUNED,
                            (uint64_t) batch->prune.before_ms);
    }
}


aigw_err_t
aigw_store_prune(aigw_store_t *store, aigw_prune_t *prune, int dry)
{
    batch_t        *batch;
    uint64_t        skew;
    aigw_err_t      err;
    aigw_db_txn_t   txn;

    if (prune->before_ms < 0) {
        return AIGW_EINVAL;
    }

    batch = malloc(sizeof(*batch));

    if (batch == NULL) {
        return AIGW_ENOMEM;
    }

    batch->n = 0;
    batch->looked = 0;
    batch->prune = *prune;

    if (dry) {
        aigw_db_read(store->usage, &txn);

    } else {
        aigw_db_write(store->usage, &txn);
    }

    skew = aigw_store_get_meta(&txn, AIGW_META_SKEW);
    batch->skew = (int64_t) (skew & INT64_MAX);
    collect(&txn, batch);

    if (!dry && batch->n > 0) {
        remove_batch(&txn, batch);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *prune = batch->prune;
    }

    free(batch);

    return err;
}


aigw_err_t
aigw_store_pruned_before(aigw_store_t *store, int64_t *ms)
{
    uint64_t       pruned;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    aigw_db_read(store->usage, &txn);
    pruned = aigw_store_get_meta(&txn, AIGW_META_PRUNED);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *ms = (int64_t) (pruned & INT64_MAX);
    }

    return err;
}
