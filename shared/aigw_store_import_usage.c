/*
 * Importing usage: rows get their numbers and indices anew, and add up to sums
 * and roll-ups with what was pruned; the sums of the export are compared. Some
 * lines a transaction, for the memory's sake.
 */

#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_line.h"


#define BATCH  AIGW_IMPORT_BATCH
#define ID_MS  6
#define CRC    4


static void
begin(aigw_store_import_t *m)
{
    if (!m->writing) {
        aigw_db_write(m->store->usage, &m->usage);
        m->writing = 1;
        m->n = 0;
    }
}


aigw_err_t
aigw_store_import_flush(aigw_store_import_t *m)
{
    size_t  i;

    if (!m->writing) {
        return AIGW_OK;
    }

    for (i = 0; i < m->n; i++) {
        m->items[i] = (aigw_store_item_t) { 0, 0, &m->views[i] };
    }

    if (m->n > 0) {
        aigw_store_add_rows(&m->usage, m->items, m->n);
    }

    m->writing = 0;
    m->n = 0;

    return aigw_db_end(&m->usage);
}


/* Of a transaction that has had enough. */
static aigw_err_t
flush_full(aigw_store_import_t *m)
{
    return m->lines % BATCH == 0 ? aigw_store_import_flush(m) : AIGW_OK;
}


/* Adds to what a table has under key. */
static void
add_sums(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *at,
    const aigw_sums_t *sums)
{
    uint8_t      buf[AIGW_RECORD_MAX];
    aigw_sums_t  total;

    if (!aigw_store_load(txn, table, at, aigw_store_unpack_sums, &total)) {
        memset(&total, 0, sizeof(total));
    }

    (void) aigw_record_add_saturated(&total, sums);
    aigw_db_put(txn, table, at, buf, aigw_record_pack_sums(&total, buf));
}


static void
add_account(aigw_db_txn_t *txn, aigw_account_kind_t kind, uint64_t id,
    const aigw_sums_t *sums)
{
    aigw_db_key_t  at;

    if (id != 0) {
        aigw_db_key(&at);
        aigw_db_key_int(&at, 0, 2);
        aigw_db_key_int(&at, kind, 1);
        aigw_db_key_int(&at, id, 8);
        add_sums(txn, AIGW_USAGE_SUMS, &at, sums);
    }
}


static aigw_err_t
add_closing(aigw_store_import_t *m)
{
    aigw_db_key_t               at;
    aigw_db_value_t             value;
    aigw_db_txn_t              *txn = &m->usage;
    const aigw_line_closing_t  *closing = &m->line.u.closing;

    if (closing->hour * AIGW_STORE_HOUR_MS >= m->pruned_ms) {
        return aigw_store_import_fault(m, AIGW_ERANGE, "its hour was not"
                                       " pruned");
    }

    aigw_db_key(&at);
    aigw_db_key_int(&at, closing->hour, 4);
    aigw_db_key_int(&at, closing->project_id, 8);
    aigw_db_key_int(&at, closing->key_id, 8);
    aigw_db_key_int(&at, closing->user_id, 8);
    aigw_db_key_bytes(&at, closing->model, strlen(closing->model));

    if (m->dry) {
        return AIGW_OK;
    }

    begin(m);

    if (aigw_db_get(txn, AIGW_USAGE_CLOSINGS, &at, &value)) {
        return aigw_store_import_fault(m, AIGW_EEXIST, "it is there twice");
    }

    add_sums(txn, AIGW_USAGE_CLOSINGS, &at, &closing->sums);
    add_sums(txn, AIGW_USAGE_ROLLUPS, &at, &closing->sums);
    add_account(txn, AIGW_ACCOUNT_USER, closing->user_id, &closing->sums);
    add_account(txn, AIGW_ACCOUNT_PROJECT, closing->project_id,
                &closing->sums);
    add_account(txn, AIGW_ACCOUNT_KEY, closing->key_id, &closing->sums);

    return txn->err == AIGW_OK ? flush_full(m) : txn->err;
}


/* As settling writes it: how far the id's time is from the row's. */
static void
put_skew(aigw_db_txn_t *txn, const aigw_row_view_t *row)
{
    int64_t   skew;
    uint64_t  apart;

    if (__builtin_sub_overflow((int64_t) aigw_db_int(row->id, ID_MS),
                               row->time_ms, &skew))
    {
        skew = INT64_MAX;
    }

    apart = skew < 0 ? 0 - (uint64_t) skew : (uint64_t) skew;

    if (apart > aigw_store_get_meta(txn, AIGW_META_SKEW)) {
        aigw_store_put_meta(txn, AIGW_META_SKEW, apart);
    }
}


/* Its own name, by which it comes back once. */
static aigw_err_t
put_return(aigw_store_import_t *m, unsigned settled, uint64_t project_id,
    aigw_str_t ref, const uint8_t id[AIGW_ROW_ID_LEN], int64_t cost_nano)
{
    int64_t        cost;
    uint8_t        other[AIGW_ROW_ID_LEN];
    aigw_db_key_t  at;

    aigw_store_key_return(&at, settled, project_id, ref);

    if (aigw_store_get_return(&m->usage, &at, other, &cost)) {
        return aigw_store_import_fault(m, AIGW_EEXIST, "that money has come"
                                       " back before");
    }

    aigw_store_put_return(&m->usage, &at, id, cost_nano);

    return m->usage.err;
}


static aigw_err_t
put_row(aigw_store_import_t *m, const aigw_row_view_t *row)
{
    uint64_t           seq;
    aigw_db_txn_t     *txn = &m->usage;
    aigw_db_key_t      at, id, named;
    aigw_db_value_t    value;
    aigw_db_cursor_t   rows;

    seq = aigw_store_get_meta(txn, AIGW_META_ROW_SEQ) + 1;
    aigw_db_key(&at);
    aigw_db_key_int(&at, 0, 2);
    aigw_db_key_int(&at, seq, 8);
    aigw_db_key(&id);
    aigw_db_key_bytes(&id, row->id, AIGW_ROW_ID_LEN);

    if (aigw_db_get(txn, AIGW_USAGE_ROW_IDS, &id, &value)) {
        return aigw_store_import_fault(m, AIGW_EEXIST, "its id is there"
                                       " twice");
    }

    aigw_db_cursor(&rows, txn, AIGW_USAGE_ROWS);
    aigw_db_cursor_put(&rows, &at, row->packed, row->len, 1);
    aigw_db_cursor_close(&rows);
    named = at;
    aigw_db_key_int(&named, aigw_crc32c(0, row->packed, row->len), CRC);
    aigw_db_put(txn, AIGW_USAGE_ROW_IDS, &id, named.bytes, named.len);

    if (row->project_id != 0) {
        aigw_store_key_int(&id, row->project_id);
        aigw_db_key_bytes(&id, row->id, AIGW_ROW_ID_LEN);
        aigw_db_put(txn, AIGW_USAGE_PROJECT_ROWS, &id, at.bytes, at.len);
    }

    aigw_store_put_meta(txn, AIGW_META_ROW_SEQ, seq);
    put_skew(txn, row);

    return txn->err;
}


static aigw_err_t
add_row(aigw_store_import_t *m)
{
    size_t            len;
    uint8_t          *packed = m->packed + m->n * AIGW_RECORD_MAX;
    aigw_err_t        err;
    aigw_row_view_t  *row = &m->views[m->n];

    len = aigw_record_pack_row(&m->line.u.row, packed);

    if (len > AIGW_ROW_PACKED_MAX
        || aigw_record_view_row(packed, len, row) != AIGW_OK)
    {
        return aigw_store_import_fault(m, AIGW_EINVAL, "no row can be that");
    }

    m->rows++;

    if (m->dry) {
        return AIGW_OK;
    }

    begin(m);
    err = put_row(m, row);

    if (err == AIGW_OK && !aigw_row_is_call(row)) {
        err = put_return(m, row->settled, row->project_id, row->ref, row->id,
                         row->sums.cost_nano);
    }

    if (err != AIGW_OK) {
        return err;
    }

    m->n++;

    return m->n == BATCH ? aigw_store_import_flush(m) : AIGW_OK;
}


static aigw_err_t
add_return(aigw_store_import_t *m)
{
    aigw_err_t                 err;
    aigw_str_t                 ref;
    const aigw_line_return_t  *back = &m->line.u.back;

    if (back->settled < AIGW_SETTLED_CREDIT || back->cost_nano > 0) {
        return aigw_store_import_fault(m, AIGW_EINVAL, "no credit or refund");
    }

    if (m->dry) {
        return AIGW_OK;
    }

    ref = back->settled == AIGW_SETTLED_CREDIT
          ? aigw_store_text(back->ref, AIGW_NAME_MAX)
          : (aigw_str_t) { AIGW_ROW_ID_LEN, (const char *) back->of };

    begin(m);
    err = put_return(m, back->settled, back->project_id, ref, back->id,
                     back->cost_nano);

    return err == AIGW_OK ? flush_full(m) : err;
}


static int
is_same(const aigw_sums_t *a, const aigw_sums_t *b)
{
    size_t   len;
    uint8_t  one[AIGW_RECORD_MAX], other[AIGW_RECORD_MAX];

    len = aigw_record_pack_sums(a, one);

    return aigw_record_pack_sums(b, other) == len
           && memcmp(one, other, len) == 0;
}


/* What has been added up so far must be what the other store had. */
static aigw_err_t
check_sums(aigw_store_import_t *m)
{
    aigw_err_t               err;
    aigw_sums_t              found = { 0 };
    aigw_db_key_t            at;
    const aigw_line_sums_t  *sums = &m->line.u.sums;

    m->sums++;

    if (m->dry) {
        return AIGW_OK;
    }

    if (m->n > 0) {
        err = aigw_store_import_flush(m);

        if (err != AIGW_OK) {
            return err;
        }
    }

    begin(m);
    aigw_db_key(&at);
    aigw_db_key_int(&at, sums->partition, 2);
    aigw_db_key_int(&at, sums->kind, 1);
    aigw_db_key_int(&at, sums->id, 8);

    if (!aigw_store_load(&m->usage, AIGW_USAGE_SUMS, &at,
                         aigw_store_unpack_sums, &found)
        || !is_same(&found, &sums->sums))
    {
        return aigw_store_import_fault(m, AIGW_ECORRUPT, "they are not what"
                                       " the rows come to");
    }

    return m->usage.err;
}


aigw_err_t
aigw_store_import_usage(aigw_store_import_t *m)
{
    switch (m->line.type) {

    case AIGW_LINE_PRUNED:
        m->pruned_ms = m->line.u.pruned.before_ms;

        if (m->dry) {
            return AIGW_OK;
        }

        begin(m);
        aigw_store_put_meta(&m->usage, AIGW_META_PRUNED,
                            (uint64_t) m->pruned_ms);
        return m->usage.err;

    case AIGW_LINE_CLOSING:
        return add_closing(m);

    case AIGW_LINE_ROW:
        return add_row(m);

    case AIGW_LINE_RETURN:
        return add_return(m);

    default:
        return check_sums(m);
    }
}
