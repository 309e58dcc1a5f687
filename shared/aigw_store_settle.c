/*
 * Writing usage: batches of rows with their indices, sums (aigw_store_sums.c)
 * and watermarks, all in one transaction. For the flusher; never the event
 * loop.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_store_internal.h"


#define NODE   0
#define ID_MS  6                      /* a row id begins with its time */


/* A row that is to be written, and the seq that it gets. */
typedef struct {
    const aigw_row_t  *row;
    uint64_t           seq;
} entry_t;


/* Entries are sorted anew for each table: a B-tree takes neighbours best. */
typedef struct {
    entry_t            *entries;
    const aigw_row_t  **rows;         /* theirs, for the sums */
    size_t              n;
    size_t              doubles;
} batch_t;


/* By id; of two with the same, the one that came first. */
static int
by_id(const void *a, const void *b)
{
    int             order;
    const entry_t  *x = a, *y = b;

    order = memcmp(x->row->id, y->row->id, AIGW_ROW_ID_LEN);

    return order ? order : x->row < y->row ? -1 : x->row > y->row;
}


/* By project, then by id, in whose order seqs are given. */
static int
by_project(const void *a, const void *b)
{
    const entry_t  *x = a, *y = b;

    if (x->row->project_id != y->row->project_id) {
        return x->row->project_id < y->row->project_id ? -1 : 1;
    }

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}


/* Leaves out rows whose id was written before or stands earlier here. newest
   is the highest id that the store has. */
static void
drop_doubles(aigw_db_txn_t *txn, batch_t *batch, const aigw_db_key_t *newest)
{
    size_t            i, n;
    entry_t          *entries = batch->entries;
    aigw_db_key_t     at;
    aigw_db_value_t   value;

    qsort(entries, batch->n, sizeof(entries[0]), by_id);
    n = 0;

    for (i = 0; i < batch->n; i++) {
        aigw_db_key(&at);
        aigw_db_key_bytes(&at, entries[i].row->id, AIGW_ROW_ID_LEN);

        if ((n > 0 && memcmp(entries[n - 1].row->id, at.bytes, at.len) == 0)
            || (memcmp(at.bytes, newest->bytes, at.len) <= 0
                && aigw_db_get(txn, AIGW_USAGE_ROW_IDS, &at, &value)))
        {
            continue;
        }

        batch->rows[n] = entries[i].row;
        entries[n++] = entries[i];
    }

    batch->doubles = batch->n - n;
    batch->n = n;
}


static void
make_row_key(aigw_db_key_t *key, uint64_t seq)
{
    aigw_db_key(key);
    aigw_db_key_int(key, NODE, 2);
    aigw_db_key_int(key, seq, 8);
}


/* The highest id in the index, all zero if there is none. */
static void
find_newest(aigw_db_txn_t *txn, aigw_db_key_t *newest)
{
    aigw_db_cursor_t  cur;

    static const uint8_t  zero[AIGW_ROW_ID_LEN], last[AIGW_ROW_ID_LEN] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
    };

    aigw_db_cursor(&cur, txn, AIGW_USAGE_ROW_IDS);
    aigw_db_key(newest);
    aigw_db_key_bytes(newest, last, sizeof(last));

    if (aigw_db_seek_before(&cur, newest)
        && cur.key.len == AIGW_ROW_ID_LEN)
    {
        memcpy(newest->bytes, cur.key.data, cur.key.len);
    } else {
        memcpy(newest->bytes, zero, sizeof(zero));
    }

    aigw_db_cursor_close(&cur);
}


/* Rows and the index of ids, both in the order of ids: most are behind all
   that is there. */
static void
write_rows(aigw_db_txn_t *txn, batch_t *batch, const aigw_db_key_t *newest)
{
    size_t            i;
    uint8_t           buf[AIGW_ROW_PACKED_MAX];
    uint64_t          seq;
    entry_t          *entry;
    aigw_db_key_t     at, id;
    aigw_db_cursor_t  rows, ids;

    seq = aigw_store_get_meta(txn, AIGW_META_ROW_SEQ);
    aigw_db_cursor(&rows, txn, AIGW_USAGE_ROWS);
    aigw_db_cursor(&ids, txn, AIGW_USAGE_ROW_IDS);

    for (i = 0; i < batch->n; i++) {
        entry = &batch->entries[i];
        entry->seq = ++seq;
        make_row_key(&at, seq);
        aigw_db_cursor_put(&rows, &at, buf,
                           aigw_record_pack_row(entry->row, buf), 1);

        aigw_db_key(&id);
        aigw_db_key_bytes(&id, entry->row->id, AIGW_ROW_ID_LEN);

        aigw_db_cursor_put(&ids, &id, at.bytes, at.len,
                           memcmp(id.bytes, newest->bytes, id.len) > 0);
    }

    aigw_db_cursor_close(&ids);
    aigw_db_cursor_close(&rows);
    aigw_store_put_meta(txn, AIGW_META_ROW_SEQ, seq);
}


static void
write_project_rows(aigw_db_txn_t *txn, batch_t *batch)
{
    size_t             i;
    aigw_db_key_t      at, row_at;
    const aigw_row_t  *row;
    aigw_db_cursor_t   cur;

    qsort(batch->entries, batch->n, sizeof(batch->entries[0]), by_project);
    aigw_db_cursor(&cur, txn, AIGW_USAGE_PROJECT_ROWS);

    for (i = 0; i < batch->n; i++) {
        row = batch->entries[i].row;

        if (row->project_id != 0) {
            aigw_store_key_int(&at, row->project_id);
            aigw_db_key_bytes(&at, row->id, AIGW_ROW_ID_LEN);
            make_row_key(&row_at, batch->entries[i].seq);
            aigw_db_cursor_put(&cur, &at, row_at.bytes, row_at.len, 0);
        }
    }

    aigw_db_cursor_close(&cur);
}


/* How far the time in the row's id is from the row's. */
static uint64_t
skew_of(const aigw_row_t *row)
{
    int64_t  id_ms, skew;

    id_ms = (int64_t) aigw_db_int(row->id, ID_MS);

    if (__builtin_sub_overflow(id_ms, row->time_ms, &skew)) {
        return INT64_MAX;
    }

    return skew < 0 ? 0 - (uint64_t) skew : (uint64_t) skew;
}


/* What readers need to look for a time by way of ids. */
static void
write_skew(aigw_db_txn_t *txn, const batch_t *batch)
{
    size_t    i;
    uint64_t  skew, most, old;

    most = 0;

    for (i = 0; i < batch->n; i++) {
        skew = skew_of(batch->entries[i].row);
        most = skew > most ? skew : most;
    }

    old = aigw_store_get_meta(txn, AIGW_META_SKEW);

    if (most > old) {
        aigw_store_put_meta(txn, AIGW_META_SKEW, most);
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


static int
is_sound(const aigw_row_t *row)
{
    const aigw_tokens_t  *tokens = &row->tokens;

    return row->cost_nano >= 0 && row->hold_nano >= 0
           && tokens->prompt_tokens >= 0 && tokens->completion_tokens >= 0
           && tokens->cached_tokens >= 0 && tokens->cache_write_tokens >= 0
           && tokens->reasoning_tokens >= 0;
}


static aigw_err_t
make_batch(batch_t *batch, const aigw_row_t *rows, size_t n)
{
    size_t  i;

    memset(batch, 0, sizeof(*batch));

    for (i = 0; i < n; i++) {
        if (!is_sound(&rows[i])) {
            return AIGW_EINVAL;
        }
    }

    batch->n = n;
    batch->entries = calloc(n + 1, sizeof(batch->entries[0]));
    batch->rows = calloc(n + 1, sizeof(batch->rows[0]));

    if (batch->entries == NULL || batch->rows == NULL) {
        return AIGW_ENOMEM;
    }

    for (i = 0; i < n; i++) {
        batch->entries[i].row = &rows[i];
    }

    return AIGW_OK;
}


aigw_err_t
aigw_store_settle(aigw_store_t *store, const aigw_row_t *rows, size_t nrows,
    const aigw_watermark_t *marks, size_t nmarks, size_t *doubles)
{
    batch_t        batch;
    aigw_err_t     err;
    aigw_db_key_t  newest;
    aigw_db_txn_t  txn;

    err = make_batch(&batch, rows, nrows);

    if (err != AIGW_OK) {
        goto err0;
    }

    aigw_db_write(store->usage, &txn);

    find_newest(&txn, &newest);
    drop_doubles(&txn, &batch, &newest);
    write_rows(&txn, &batch, &newest);
    write_project_rows(&txn, &batch);
    aigw_store_add_rows(&txn, batch.rows, batch.n);
    write_skew(&txn, &batch);
    write_marks(&txn, marks, nmarks);

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *doubles = batch.doubles;
    }

err0:

    free(batch.rows);
    free(batch.entries);

    return err;
}
