/*
 * Writing usage: batches of rows with their indices, sums (aigw_store_sums.c)
 * and watermarks, all in one transaction. Rows are written as the bytes that
 * were handed in. For the flusher; never the event loop.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_internal.h"


#define NODE         0
#define ID_AFTER_MS  16               /* bits behind the time in an id's half */

_Static_assert(AIGW_ROW_ID_LEN == 2 * sizeof(uint64_t), "an id has two halves");


/* Rows in the order of the table that is written next: a B-tree takes
   neighbours best. what is a row's view. */
typedef struct {
    aigw_store_item_t  *items;
    aigw_store_item_t  *spare;
    size_t              n;
    size_t              doubles;
    uint64_t            skew;         /* the most of any row */
} batch_t;


static void
make_row_key(aigw_db_key_t *key, uint64_t seq)
{
    aigw_db_key(key);
    aigw_db_key_int(key, NODE, 2);
    aigw_db_key_int(key, seq, 8);
}


static aigw_store_item_t
id_item(const uint8_t *id, const aigw_row_view_t *row)
{
    uint64_t  halves[2];

    memcpy(halves, id, sizeof(halves));

    return (aigw_store_item_t) { be64toh(halves[0]), be64toh(halves[1]), row };
}


/* How far the time in the row's id is from the row's. */
static uint64_t
skew_of(const aigw_store_item_t *item)
{
    int64_t                 skew;
    const aigw_row_view_t  *row = item->what;

    if (__builtin_sub_overflow((int64_t) (item->high >> ID_AFTER_MS),
                               row->time_ms, &skew))
    {
        return INT64_MAX;
    }

    return skew < 0 ? 0 - (uint64_t) skew : (uint64_t) skew;
}


static int
is_behind(const aigw_store_item_t *a, const aigw_store_item_t *b)
{
    return a->high != b->high ? a->high > b->high : a->low > b->low;
}


/* The highest id in the index, all zero if there is none. */
static aigw_store_item_t
find_newest(aigw_db_cursor_t *ids)
{
    if (aigw_db_last(ids) && ids->key.len == AIGW_ROW_ID_LEN) {
        return id_item(ids->key.data, NULL);
    }

    return (aigw_store_item_t) { 0, 0, NULL };
}


/* 0: there is such a credit or refund already, in this batch or before. */
static int
is_new_return(aigw_db_txn_t *txn, const aigw_row_view_t *row,
    aigw_db_key_t *at)
{
    int64_t  cost;
    uint8_t  id[AIGW_ROW_ID_LEN];

    aigw_store_key_return(at, row->settled, row->project_id, row->ref);

    return !aigw_store_get_return(txn, at, id, &cost);
}


/*
 * Rows and the index of ids, both in the order of ids: most are behind all
 * that is there. Leaves out rows whose id was written before or stands earlier
 * here. The rows that stay are then items by project and seq.
 */
static void
write_rows(aigw_db_txn_t *txn, batch_t *batch)
{
    size_t                  i, n;
    uint64_t                seq, skew;
    aigw_db_key_t           at, id, named, back;
    aigw_db_cursor_t        rows, ids;
    aigw_store_item_t       item, last, newest;
    const aigw_row_view_t  *row;

    aigw_store_sort(batch->items, batch->n, batch->spare);

    seq = aigw_store_get_meta(txn, AIGW_META_ROW_SEQ);
    aigw_db_cursor(&rows, txn, AIGW_USAGE_ROWS);
    aigw_db_cursor(&ids, txn, AIGW_USAGE_ROW_IDS);
    newest = find_newest(&ids);
    last = newest;
    n = 0;

    for (i = 0; i < batch->n; i++) {
        item = batch->items[i];
        row = item.what;
        make_row_key(&at, seq + 1);
        aigw_db_key(&id);
        aigw_db_key_bytes(&id, row->id, AIGW_ROW_ID_LEN);

        if ((n > 0 && !is_behind(&item, &last))
            || (!aigw_row_is_call(row) && !is_new_return(txn, row, &back)))
        {
            continue;
        }

        make_row_key(&named, seq + 1);
        aigw_db_key_int(&named, row->crc, 4);

        if (is_behind(&item, &newest)) {
            aigw_db_cursor_put(&ids, &id, named.bytes, named.len, 1);

        } else if (!aigw_db_cursor_add(&ids, &id, named.bytes, named.len)) {
            continue;
        }

        aigw_db_cursor_put(&rows, &at, row->packed, row->len, 1);

        if (!aigw_row_is_call(row)) {
            aigw_store_put_return(txn, &back, row->id, row->sums.cost_nano);
        }

        last = item;
        skew = skew_of(&item);
        batch->skew = skew > batch->skew ? skew : batch->skew;
        seq++;
        batch->items[n++] = (aigw_store_item_t) { row->project_id, seq, row };
    }

    aigw_db_cursor_close(&ids);
    aigw_db_cursor_close(&rows);
    aigw_store_put_meta(txn, AIGW_META_ROW_SEQ, seq);

    batch->doubles = batch->n - n;
    batch->n = n;
}


/* Those of the last project are mostly behind all that is there. */
static void
write_project_rows(aigw_db_txn_t *txn, batch_t *batch)
{
    int                     behind;
    size_t                  i;
    aigw_db_key_t           at, row_at, last;
    aigw_db_cursor_t        cur;
    const aigw_row_view_t  *row;

    aigw_store_sort(batch->items, batch->n, batch->spare);
    aigw_db_cursor(&cur, txn, AIGW_USAGE_PROJECT_ROWS);
    aigw_db_key(&last);
    behind = !aigw_db_last(&cur);

    if (!behind) {
        aigw_db_key_bytes(&last, cur.key.data, cur.key.len);
    }

    for (i = 0; i < batch->n; i++) {
        row = batch->items[i].what;

        if (row->project_id != 0) {
            aigw_db_key(&at);
            aigw_db_key_int(&at, row->project_id, 8);
            aigw_db_key_bytes(&at, row->id, AIGW_ROW_ID_LEN);
            make_row_key(&row_at, batch->items[i].low);
            behind = behind || (last.len == at.len
                                && memcmp(last.bytes, at.bytes, at.len) < 0);
            aigw_db_cursor_put(&cur, &at, row_at.bytes, row_at.len, behind);
        }
    }

    aigw_db_cursor_close(&cur);
}


/* What readers need to look for a time by way of ids. */
static void
write_skew(aigw_db_txn_t *txn, uint64_t skew)
{
    if (skew > aigw_store_get_meta(txn, AIGW_META_SKEW)) {
        aigw_store_put_meta(txn, AIGW_META_SKEW, skew);
    }
}


/* A watermark never goes back. */
static void
write_marks(aigw_db_txn_t *txn, const aigw_watermark_t *marks, size_t n)
{
    size_t         i;
    aigw_db_key_t  at;

    for (i = 0; i < n; i++) {
        aigw_store_key_int(&at, marks[i].journal);

        if (marks[i].seq > aigw_store_get_int(txn, AIGW_USAGE_MARKS, &at)) {
            aigw_store_put_int(txn, AIGW_USAGE_MARKS, &at, marks[i].seq);
        }
    }
}


aigw_err_t
aigw_store_settle_packed(aigw_store_t *store, const aigw_row_view_t *rows,
    size_t nrows, const aigw_watermark_t *marks, size_t nmarks,
    size_t *doubles)
{
    size_t         i;
    batch_t        batch = { .n = nrows };
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    batch.items = malloc((nrows + nrows / 2 + 1) * sizeof(batch.items[0]));

    if (batch.items == NULL) {
        return AIGW_ENOMEM;
    }

    batch.spare = batch.items + nrows;

    for (i = 0; i < nrows; i++) {
        batch.items[i] = id_item(rows[i].id, &rows[i]);
    }

    aigw_db_write(store->usage, &txn);

    write_rows(&txn, &batch);
    write_project_rows(&txn, &batch);
    aigw_store_add_rows(&txn, batch.items, batch.n);
    write_skew(&txn, batch.skew);
    write_marks(&txn, marks, nmarks);

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *doubles = batch.doubles;
    }

    free(batch.items);

    return err;
}


aigw_err_t
aigw_store_settle(aigw_store_t *store, const aigw_row_t *rows, size_t nrows,
    const aigw_watermark_t *marks, size_t nmarks, size_t *doubles)
{
    size_t            i, len;
    uint8_t          *packed;
    aigw_err_t        err = AIGW_ENOMEM;
    aigw_row_view_t  *views;

    views = calloc(nrows + 1, sizeof(views[0]));
    packed = calloc(nrows + 1, AIGW_ROW_PACKED_MAX);

    if (views == NULL || packed == NULL) {
        goto err0;
    }

    for (i = 0; i < nrows; i++) {
        len = aigw_record_pack_row(&rows[i], packed + i * AIGW_ROW_PACKED_MAX);

        if (aigw_record_view_row(packed + i * AIGW_ROW_PACKED_MAX, len,
                                 &views[i])
            != AIGW_OK)
        {
            err = AIGW_EINVAL;
            goto err0;
        }

        views[i].crc = aigw_crc32c(0, views[i].packed, len);
    }

    err = aigw_store_settle_packed(store, views, nrows, marks, nmarks,
                                   doubles);

err0:

    free(packed);
    free(views);

    return err;
}
