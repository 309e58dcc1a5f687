/*
 * Writing usage: batches of rows with their indices, sums, roll-ups and
 * watermarks, all in one transaction. For the flusher; never the event loop.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_store_internal.h"


#define NODE      0
#define ID_MS     6                   /* a row id begins with its time */


/* A row that is to be written. key is remade for each table in turn; entries
   are sorted by it, since a B-tree takes neighbours best. */
typedef struct {
    const aigw_row_t  *row;
    uint64_t           seq;
    aigw_db_key_t      key;
} entry_t;


typedef struct {
    entry_t   *entries;
    entry_t  **sorted;
    size_t     n;
    size_t     doubles;
} batch_t;


/* Makes entry->key for one table; 0: the row has no place there. */
typedef int (*make_key_pt)(entry_t *entry);


static int
make_id_key(entry_t *entry)
{
    aigw_db_key(&entry->key);
    aigw_db_key_bytes(&entry->key, entry->row->id, AIGW_ROW_ID_LEN);

    return 1;
}


static int
make_project_row_key(entry_t *entry)
{
    aigw_store_key_int(&entry->key, entry->row->project_id);
    aigw_db_key_bytes(&entry->key, entry->row->id, AIGW_ROW_ID_LEN);

    return entry->row->project_id != 0;
}


static int
make_sums_key(entry_t *entry, aigw_account_kind_t kind, uint64_t id)
{
    aigw_db_key(&entry->key);
    aigw_db_key_int(&entry->key, entry->row->partition, 2);
    aigw_db_key_int(&entry->key, kind, 1);
    aigw_db_key_int(&entry->key, id, 8);

    return id != 0;
}


static int
make_user_key(entry_t *entry)
{
    return make_sums_key(entry, AIGW_ACCOUNT_USER, entry->row->user_id);
}


static int
make_project_key(entry_t *entry)
{
    return make_sums_key(entry, AIGW_ACCOUNT_PROJECT, entry->row->project_id);
}


static int
make_key_key(entry_t *entry)
{
    return make_sums_key(entry, AIGW_ACCOUNT_KEY, entry->row->key_id);
}


static int
make_rollup_key(entry_t *entry)
{
    int64_t            hour;
    const aigw_row_t  *row = entry->row;

    hour = row->time_ms / AIGW_STORE_HOUR_MS;
    hour = hour < 0 ? 0 : hour > UINT32_MAX ? UINT32_MAX : hour;

    aigw_db_key(&entry->key);
    aigw_db_key_int(&entry->key, (uint64_t) hour, 4);
    aigw_db_key_int(&entry->key, row->project_id, 8);
    aigw_db_key_int(&entry->key, row->key_id, 8);
    aigw_db_key_int(&entry->key, row->user_id, 8);
    aigw_db_key_bytes(&entry->key, row->model,
                      aigw_store_text(row->model, AIGW_MODEL_MAX).len);

    return 1;
}


static int
compare_keys(const aigw_db_key_t *a, const aigw_db_key_t *b)
{
    int  order;

    order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

    return order ? order : a->len < b->len ? -1 : a->len > b->len;
}


/* By key; of two with the same, the one that came first. */
static int
compare_entries(const void *a, const void *b)
{
    int                    order;
    const entry_t *const  *x = a;
    const entry_t *const  *y = b;

    order = compare_keys(&(*x)->key, &(*y)->key);

    return order ? order : *x < *y ? -1 : *x > *y;
}


/* batch->sorted becomes the entries that have a key, in its order. */
static size_t
sort_by(batch_t *batch, make_key_pt make)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < batch->n; i++) {
        if (make(&batch->entries[i])) {
            batch->sorted[n++] = &batch->entries[i];
        }
    }

    qsort(batch->sorted, n, sizeof(batch->sorted[0]), compare_entries);

    return n;
}


/* Leaves out rows whose id was written before or stands earlier here: marks
   them with the row NULL, then closes the gaps. */
static void
drop_doubles(aigw_db_txn_t *txn, batch_t *batch)
{
    size_t            i, n;
    entry_t          *entry;
    aigw_db_value_t   value;

    const aigw_db_key_t  *last = NULL;

    n = sort_by(batch, make_id_key);

    for (i = 0; i < n; i++) {
        entry = batch->sorted[i];

        if ((last != NULL && compare_keys(last, &entry->key) == 0)
            || aigw_db_get(txn, AIGW_USAGE_ROW_IDS, &entry->key, &value))
        {
            entry->row = NULL;
        }

        last = &entry->key;
    }

    n = 0;

    for (i = 0; i < batch->n; i++) {
        if (batch->entries[i].row != NULL) {
            batch->entries[n++].row = batch->entries[i].row;
        }
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


/* In the order in which they came: the newest rows are the last pages. */
static void
write_rows(aigw_db_txn_t *txn, batch_t *batch)
{
    size_t    i;
    uint8_t   buf[AIGW_ROW_PACKED_MAX];
    uint64_t  seq;
    entry_t  *entry;

    seq = aigw_store_get_meta(txn, AIGW_META_ROW_SEQ);

    for (i = 0; i < batch->n; i++) {
        entry = &batch->entries[i];
        entry->seq = ++seq;
        make_row_key(&entry->key, seq);
        aigw_db_append(txn, AIGW_USAGE_ROWS, &entry->key, buf,
                       aigw_record_pack_row(entry->row, buf));
    }

    aigw_store_put_meta(txn, AIGW_META_ROW_SEQ, seq);
}


static void
write_index(aigw_db_txn_t *txn, batch_t *batch, unsigned table,
    make_key_pt make)
{
    size_t         i, n;
    aigw_db_key_t  at;

    n = sort_by(batch, make);

    for (i = 0; i < n; i++) {
        make_row_key(&at, batch->sorted[i]->seq);
        aigw_db_put(txn, table, &batch->sorted[i]->key, at.bytes, at.len);
    }
}


/* Adds sums to what the table has under key. */
static void
add_sums(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    const aigw_sums_t *sums)
{
    uint8_t      buf[AIGW_RECORD_MAX];
    aigw_sums_t  total;

    if (!aigw_store_load(txn, table, key, aigw_store_unpack_sums, &total)) {
        memset(&total, 0, sizeof(total));
    }

    /* a sum that overflows must not stop all settlement for ever */
    (void) aigw_record_add_saturated(&total, sums);

    aigw_db_put(txn, table, key, buf, aigw_record_pack_sums(&total, buf));
}


/* One read and one write for all rows of the batch that share a key. */
static void
write_sums(aigw_db_txn_t *txn, batch_t *batch, unsigned table,
    make_key_pt make)
{
    size_t       i, n;
    entry_t     *entry;
    aigw_sums_t  sums, one;

    n = sort_by(batch, make);
    memset(&sums, 0, sizeof(sums));

    for (i = 0; i < n; i++) {
        entry = batch->sorted[i];
        aigw_record_row_sums(entry->row, &one);
        (void) aigw_record_add_saturated(&sums, &one);

        if (i + 1 == n
            || compare_keys(&entry->key, &batch->sorted[i + 1]->key) != 0)
        {
            add_sums(txn, table, &entry->key, &sums);
            memset(&sums, 0, sizeof(sums));
        }
    }
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
    batch->sorted = calloc(n + 1, sizeof(batch->sorted[0]));

    if (batch->entries == NULL || batch->sorted == NULL) {
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
    aigw_db_txn_t  txn;

    err = make_batch(&batch, rows, nrows);

    if (err != AIGW_OK) {
        goto err0;
    }

    aigw_db_write(store->usage, &txn);

    drop_doubles(&txn, &batch);
    write_rows(&txn, &batch);
    write_index(&txn, &batch, AIGW_USAGE_ROW_IDS, make_id_key);
    write_index(&txn, &batch, AIGW_USAGE_PROJECT_ROWS, make_project_row_key);
    write_sums(&txn, &batch, AIGW_USAGE_SUMS, make_user_key);
    write_sums(&txn, &batch, AIGW_USAGE_SUMS, make_project_key);
    write_sums(&txn, &batch, AIGW_USAGE_SUMS, make_key_key);
    write_sums(&txn, &batch, AIGW_USAGE_ROLLUPS, make_rollup_key);
    write_skew(&txn, &batch);
    write_marks(&txn, marks, nmarks);

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *doubles = batch.doubles;
    }

err0:

    free(batch.sorted);
    free(batch.entries);

    return err;
}
