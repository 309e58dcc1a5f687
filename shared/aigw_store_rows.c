/*
 * Reading usage: rows, and the cells of a time range. Lists look at a bounded
 * number of rows per transaction, so that no reader pins pages for long.
 */

#include <string.h>

#include "aigw_store_internal.h"


#define CHUNK      1000               /* rows looked at per transaction */
#define BATCH      64                 /* rows on the stack: 32 KiB */
#define ID_MS      6                  /* a row id begins with its time */
#define ID_MS_MAX  ((INT64_C(1) << 48) - 1)
#define HOUR       AIGW_STORE_HOUR_MS


/* The row that an index entry names; it must be there. An entry may have more
   behind the row's key. */
static void
load_row(aigw_db_txn_t *txn, const aigw_db_value_t *at, aigw_row_t *row)
{
    aigw_db_key_t  key;

    aigw_db_key(&key);
    aigw_db_key_bytes(&key, at->data, at->len < AIGW_STORE_ROW_KEY
                                      ? at->len : AIGW_STORE_ROW_KEY);
    aigw_store_load_sure(txn, AIGW_USAGE_ROWS, &key, aigw_store_unpack_row,
                         row);
}


aigw_err_t
aigw_store_find_row(aigw_store_t *store, const uint8_t id[AIGW_ROW_ID_LEN],
    aigw_row_t *row)
{
    aigw_err_t       err;
    aigw_row_t       result;
    aigw_db_key_t    key;
    aigw_db_txn_t    txn;
    aigw_db_value_t  at;

    aigw_db_read(store->usage, &txn);
    aigw_db_key(&key);
    aigw_db_key_bytes(&key, id, AIGW_ROW_ID_LEN);

    if (aigw_db_get(&txn, AIGW_USAGE_ROW_IDS, &key, &at)) {
        load_row(&txn, &at, &result);
    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *row = result;
    }

    return err;
}


static int
is_text(aigw_str_t wanted, const char *text)
{
    return wanted.len == 0
           || (strlen(text) == wanted.len
               && memcmp(text, wanted.data, wanted.len) == 0);
}


int
aigw_store_is_match(const aigw_row_filter_t *filter, const aigw_row_t *row)
{
    return (filter->user_id == 0 || filter->user_id == row->user_id)
           && (filter->project_id == 0
               || filter->project_id == row->project_id)
           && (filter->key_id == 0 || filter->key_id == row->key_id)
           && (filter->status < 0 || filter->status == row->status)
           && row->time_ms >= filter->since_ms
           && (filter->until_ms == 0 || row->time_ms < filter->until_ms)
           && is_text(filter->model, row->model)
           && is_text(filter->tag, row->tag);
}


/* Backwards through an index of ids: all, or a project's. */
typedef struct {
    const aigw_row_filter_t  *filter;
    aigw_db_txn_t            *txn;
    aigw_db_cursor_t          cur;
    aigw_db_key_t             prefix;
    int64_t                   oldest_ms;    /* ids before it: none matches */
    int                       started;
    aigw_db_key_t             start;
} walk_t;


typedef enum {
    WALK_END = 0,
    WALK_MISS,
    WALK_MATCH
} walk_step_t;


static int64_t
add_clamped(int64_t ms, int64_t skew)
{
    int64_t  sum;

    if (__builtin_add_overflow(ms, skew, &sum)) {
        return skew > 0 ? ID_MS_MAX : 0;
    }

    return sum < 0 ? 0 : sum > ID_MS_MAX ? ID_MS_MAX : sum;
}


/* The highest id that can be of a row before until_ms. */
static void
newest_id(int64_t until_ms, int64_t skew, uint8_t id[AIGW_ROW_ID_LEN])
{
    size_t   i;
    int64_t  ms;

    ms = until_ms == 0 ? ID_MS_MAX : add_clamped(until_ms, skew);
    memset(id, 0xff, AIGW_ROW_ID_LEN);

    for (i = 0; i < ID_MS; i++) {
        id[i] = (uint8_t) (ms >> (8 * (ID_MS - 1 - i)));
    }
}


/*
 * before: the id to begin below, all zero for none. Ids are in the order of
 * their own time, filters are about time_ms: the store knows how far the two
 * have ever been apart.
 */
static void
walk_begin(walk_t *walk, aigw_db_txn_t *txn, const aigw_row_filter_t *filter,
    const uint8_t before[AIGW_ROW_ID_LEN])
{
    int64_t  skew;
    uint8_t  newest[AIGW_ROW_ID_LEN];

    static const uint8_t  none[AIGW_ROW_ID_LEN];

    walk->txn = txn;
    walk->filter = filter;
    walk->started = 0;

    skew = (int64_t) (aigw_store_get_meta(txn, AIGW_META_SKEW) & INT64_MAX);
    walk->oldest_ms = add_clamped(filter->since_ms, -skew);
    newest_id(filter->until_ms, skew, newest);

    if (memcmp(before, none, sizeof(none)) == 0
        || memcmp(before, newest, sizeof(newest)) > 0)
    {
        before = newest;
    }

    aigw_db_cursor(&walk->cur, txn, filter->project_id
                                    ? AIGW_USAGE_PROJECT_ROWS
                                    : AIGW_USAGE_ROW_IDS);
    aigw_db_key(&walk->prefix);

    if (filter->project_id) {
        aigw_db_key_int(&walk->prefix, filter->project_id, 8);
    }

    walk->start = walk->prefix;
    aigw_db_key_bytes(&walk->start, before, AIGW_ROW_ID_LEN);
}


/* Looks at one row more. */
static walk_step_t
walk_step(walk_t *walk, aigw_row_t *row)
{
    int             more;
    const uint8_t  *id;

    more = walk->started ? aigw_db_previous(&walk->cur)
                         : aigw_db_seek_before(&walk->cur, &walk->start);
    walk->started = 1;

    if (!more || !aigw_db_in(&walk->cur, &walk->prefix)) {
        return WALK_END;
    }

    if (walk->cur.key.len != walk->prefix.len + AIGW_ROW_ID_LEN) {
        aigw_db_fail(walk->txn, AIGW_ECORRUPT);
        return WALK_END;
    }

    id = walk->cur.key.data + walk->prefix.len;

    if ((int64_t) aigw_db_int(id, ID_MS) < walk->oldest_ms) {
        return WALK_END;
    }

    load_row(walk->txn, &walk->cur.value, row);

    if (walk->txn->err != AIGW_OK) {
        return WALK_END;
    }

    return aigw_store_is_match(walk->filter, row) ? WALK_MATCH : WALK_MISS;
}


/* One transaction's share of a list: goes on below `before` and moves it. */
static aigw_err_t
list_chunk(aigw_store_t *store, const aigw_row_filter_t *filter,
    uint8_t before[AIGW_ROW_ID_LEN], aigw_row_t *rows, size_t max, size_t *n,
    walk_step_t *step)
{
    walk_t         walk;
    size_t         looked;
    aigw_row_t     row;
    aigw_db_txn_t  txn;

    aigw_db_read(store->usage, &txn);
    walk_begin(&walk, &txn, filter, before);

    for (looked = 0; looked < CHUNK && *n < max; looked++) {
        *step = walk_step(&walk, &row);

        if (*step == WALK_END) {
            break;
        }

        memcpy(before, row.id, AIGW_ROW_ID_LEN);

        if (*step == WALK_MATCH) {
            rows[(*n)++] = row;
        }
    }

    aigw_db_cursor_close(&walk.cur);

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_list_rows(aigw_store_t *store, const aigw_row_filter_t *filter,
    const uint8_t before[AIGW_ROW_ID_LEN], aigw_row_t *rows, size_t max,
    size_t *n)
{
    size_t       count;
    uint8_t      from[AIGW_ROW_ID_LEN];
    aigw_err_t   err;
    walk_step_t  step;

    count = 0;
    step = WALK_MISS;
    memcpy(from, before, sizeof(from));

    do {
        err = list_chunk(store, filter, from, rows, max, &count, &step);
    } while (err == AIGW_OK && step != WALK_END && count < max);

    if (err == AIGW_OK) {
        *n = count;
    }

    return err;
}


/* What each_cell carries through one transaction. */
typedef struct {
    const aigw_row_filter_t  *filter;
    aigw_db_txn_t            *txn;
    aigw_store_cell_pt        visit;
    void                     *data;
} cells_t;


static void
make_cell(const aigw_row_t *row, aigw_cell_t *cell)
{
    cell->hour_ms = row->time_ms - row->time_ms % HOUR;
    cell->user_id = row->user_id;
    cell->project_id = row->project_id;
    cell->key_id = row->key_id;
    memcpy(cell->model, row->model, sizeof(cell->model));
    memcpy(cell->tag, row->tag, sizeof(cell->tag));
    aigw_record_row_sums(row, &cell->sums);
}


/* Visits rows from since_ms on and before until_ms (0: no end). */
static void
visit_rows(const cells_t *cells, int64_t since_ms, int64_t until_ms)
{
    walk_t             walk;
    aigw_row_t         row;
    aigw_cell_t        cell;
    walk_step_t        step;
    aigw_row_filter_t  filter = *cells->filter;

    static const uint8_t  none[AIGW_ROW_ID_LEN];

    filter.since_ms = since_ms;
    filter.until_ms = until_ms;
    filter.status = -1;

    walk_begin(&walk, cells->txn, &filter, none);

    while ((step = walk_step(&walk, &row)) != WALK_END) {
        if (step == WALK_MISS) {
            continue;
        }

        make_cell(&row, &cell);
        aigw_db_fail(cells->txn, cells->visit(cells->data, &cell));
    }

    aigw_db_cursor_close(&walk.cur);
}


static void
unpack_cell(aigw_db_txn_t *txn, const aigw_db_cursor_t *cur,
    aigw_cell_t *cell)
{
    size_t          len;
    const uint8_t  *key = cur->key.data;

    len = cur->key.len - AIGW_STORE_ROLLUP_FIXED;

    if (cur->key.len < AIGW_STORE_ROLLUP_FIXED || len > AIGW_MODEL_MAX) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
        return;
    }

    cell->hour_ms = (int64_t) aigw_db_int(key, 4) * HOUR;
    cell->project_id = aigw_db_int(key + 4, 8);
    cell->key_id = aigw_db_int(key + 12, 8);
    cell->user_id = aigw_db_int(key + 20, 8);
    memcpy(cell->model, key + AIGW_STORE_ROLLUP_FIXED, len);
    cell->model[len] = '\0';
    cell->tag[0] = '\0';

    aigw_db_fail(txn, aigw_record_unpack_sums(cur->value.data,
                                              cur->value.len, &cell->sums));
}


static int
is_cell_match(const aigw_row_filter_t *filter, const aigw_cell_t *cell)
{
    return (filter->user_id == 0 || filter->user_id == cell->user_id)
           && (filter->project_id == 0
               || filter->project_id == cell->project_id)
           && (filter->key_id == 0 || filter->key_id == cell->key_id)
           && is_text(filter->model, cell->model);
}


/* Visits whole hours, from first on and before end (both multiples of HOUR). */
static void
visit_hours(const cells_t *cells, int64_t first, int64_t end)
{
    int               more;
    aigw_cell_t       cell;
    aigw_db_key_t     at;
    aigw_db_cursor_t  cur;

    aigw_db_cursor(&cur, cells->txn, AIGW_USAGE_ROLLUPS);
    aigw_db_key(&at);
    aigw_db_key_int(&at, (uint64_t) (first / HOUR), 4);

    for (more = aigw_db_seek(&cur, &at); more; more = aigw_db_next(&cur)) {
        unpack_cell(cells->txn, &cur, &cell);

        if (cells->txn->err != AIGW_OK || cell.hour_ms >= end) {
            break;
        }

        if (is_cell_match(cells->filter, &cell)) {
            aigw_db_fail(cells->txn, cells->visit(cells->data, &cell));
        }
    }

    aigw_db_cursor_close(&cur);
}


/* Row by row, in chunks as lists are. */
static aigw_err_t
each_row(aigw_store_t *store, const aigw_row_filter_t *filter,
    aigw_store_cell_pt visit, void *data)
{
    size_t       i, n;
    uint8_t      before[AIGW_ROW_ID_LEN] = { 0 };
    aigw_err_t   err;
    aigw_row_t   rows[BATCH];
    aigw_cell_t  cell;

    do {
        n = 0;
        err = aigw_store_list_rows(store, filter, before, rows, BATCH, &n);

        for (i = 0; err == AIGW_OK && i < n; i++) {
            make_cell(&rows[i], &cell);
            err = visit(data, &cell);
            memcpy(before, rows[i].id, sizeof(before));
        }

    } while (err == AIGW_OK && n == BATCH);

    return err;
}


aigw_err_t
aigw_store_each_cell(aigw_store_t *store, const aigw_row_filter_t *filter,
    aigw_store_cell_pt visit, void *data)
{
    int64_t        since, until, first, end;
    cells_t        cells = { filter, NULL, visit, data };
    aigw_db_txn_t  txn;

    if (filter->status != -1) {
        return AIGW_EINVAL;
    }

    if (filter->by_tag || filter->tag.len > 0) {
        return each_row(store, filter, visit, data);
    }

    since = filter->since_ms < 0 ? 0 : filter->since_ms;
    until = filter->until_ms ? filter->until_ms : INT64_MAX;

    if (since >= until || since > INT64_MAX - HOUR) {
        return AIGW_OK;
    }

    /* the first hour that begins in the range, and the one that ends it */
    first = since % HOUR ? since - since % HOUR + HOUR : since;
    end = until == INT64_MAX ? until : until - until % HOUR;

    aigw_db_read(store->usage, &txn);
    cells.txn = &txn;

    if (first >= end) {
        visit_rows(&cells, since, filter->until_ms);

    } else {
        if (since < first) {
            visit_rows(&cells, since, first);
        }

        visit_hours(&cells, first, end);

        if (until > end) {
            visit_rows(&cells, end, until);
        }
    }

    return aigw_db_end(&txn);
}
