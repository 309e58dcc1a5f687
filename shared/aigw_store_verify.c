/*
 * Verifying usage in one snapshot: a walk by ids, so that hours come in order
 * and each hour's roll-ups can be compared as soon as it is over; what counts
 * leave open is then looked for in the other tables. Must not write.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_verify_internal.h"


#define ID_MS      6                  /* bytes of time in an id */
#define CRC        4
#define PROGRESS   4096               /* rows from one report to the next */


const char *
aigw_store_finding_name(aigw_finding_kind_t kind)
{
    static const char *const  names[AIGW_FINDING_MAX] = {
        "row_damaged", "row_missing", "row_double", "row_unindexed",
        "index_missing", "index_stray", "row_cost", "row_time", "row_seq",
        "sums", "rollup", "closing", "pruned", "watermark", "journal_record",
        "live_spent", "live_held"
    };

    return kind < AIGW_FINDING_MAX ? names[kind] : "unknown";
}


void
aigw_store_verify_report(aigw_store_verify_t *v, const aigw_finding_t *finding)
{
    /* what could not be read is not a finding */
    if (v->txn.err == AIGW_OK) {
        aigw_db_fail(&v->txn, v->watch->found(v->watch->data, finding));
    }
}


void
aigw_store_verify_row(aigw_store_verify_t *v, aigw_finding_kind_t kind,
    const uint8_t *id, uint64_t seq)
{
    aigw_finding_t  finding = { .kind = kind, .seq = seq };

    if (id != NULL) {
        finding.has_id = 1;
        memcpy(finding.id, id, AIGW_ROW_ID_LEN);
    }

    aigw_store_verify_report(v, &finding);
}


uint64_t
aigw_store_verify_seq(const uint8_t *key)
{
    return aigw_db_int(key + 2, 8);
}


static void
check_project(aigw_store_verify_t *v, const aigw_row_view_t *row,
    const uint8_t *key)
{
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    if (row->project_id == 0) {
        return;
    }

    aigw_store_key_int(&at, row->project_id);
    aigw_db_key_bytes(&at, row->id, AIGW_ROW_ID_LEN);

    if (aigw_db_get(&v->txn, AIGW_USAGE_PROJECT_ROWS, &at, &value)
        && value.len == AIGW_STORE_ROW_KEY
        && memcmp(value.data, key, AIGW_STORE_ROW_KEY) == 0)
    {
        v->in_projects++;

    } else {
        aigw_store_verify_row(v, AIGW_FINDING_INDEX_MISSING, row->id,
                              aigw_store_verify_seq(key));
    }
}


static void
check_time(aigw_store_verify_t *v, const aigw_row_view_t *row, uint64_t seq)
{
    int64_t         ms = (int64_t) aigw_db_int(row->id, ID_MS), apart;
    aigw_finding_t  finding = { .kind = AIGW_FINDING_ROW_TIME, .seq = seq,
                                .has_id = 1, .field = "time_ms" };

    if (__builtin_sub_overflow(ms, row->time_ms, &apart)) {
        apart = INT64_MAX;
    }

    if (apart > v->skew || apart < -v->skew) {
        memcpy(finding.id, row->id, AIGW_ROW_ID_LEN);
        finding.expected = ms;
        finding.found = row->time_ms;
        aigw_store_verify_report(v, &finding);
    }
}


static void
check_cost(aigw_store_verify_t *v, const aigw_row_view_t *view,
    uint64_t seq)
{
    aigw_row_t             row;
    aigw_finding_t         finding = { .kind = AIGW_FINDING_ROW_COST,
                                       .seq = seq, .has_id = 1, .money = 1,
                                       .field = "cost" };
    aigw_store_charged_t   charged;

    aigw_db_fail(&v->txn, aigw_record_unpack_row(view->packed, view->len,
                                                 &row));

    if (v->txn.err != AIGW_OK) {
        return;
    }

    charged = aigw_store_tariff_check(&v->tariff, &row, &finding.expected);

    if (charged == AIGW_STORE_CHARGED_UNPRICED) {
        v->stats.unpriced++;

    } else if (charged == AIGW_STORE_CHARGED_WRONG) {
        memcpy(finding.id, row.id, AIGW_ROW_ID_LEN);
        finding.found = row.cost_nano;
        aigw_store_verify_report(v, &finding);
    }
}


/* The row that an entry of ids names, and all that is said of it elsewhere. */
static void
check_entry(aigw_store_verify_t *v, aigw_db_cursor_t *rows,
    const aigw_db_cursor_t *ids)
{
    int              damaged, mine;
    uint64_t         seq;
    aigw_db_key_t    at;
    const uint8_t   *id = ids->key.data, *named = ids->value.data;
    aigw_row_view_t  row;

    if (ids->key.len != AIGW_ROW_ID_LEN
        || (ids->value.len != AIGW_STORE_ROW_KEY
            && ids->value.len != AIGW_STORE_ROW_KEY + CRC))
    {
        aigw_store_verify_row(v, AIGW_FINDING_INDEX_STRAY, NULL, 0);
        return;
    }

    aigw_store_verify_hours(v, (int64_t) aigw_db_int(id, ID_MS));
    seq = aigw_store_verify_seq(named);
    aigw_db_key(&at);
    aigw_db_key_bytes(&at, named, AIGW_STORE_ROW_KEY);

    if (!aigw_db_seek(rows, &at) || rows->key.len != at.len
        || !aigw_db_in(rows, &at))
    {
        v->dangling++;
        aigw_store_verify_row(v, AIGW_FINDING_ROW_MISSING, id, seq);
        return;
    }

    damaged = ids->value.len > AIGW_STORE_ROW_KEY
              && aigw_crc32c(0, rows->value.data, rows->value.len)
                 != aigw_db_int(named + AIGW_STORE_ROW_KEY, CRC);
    v->stats.unsigned_rows += ids->value.len == AIGW_STORE_ROW_KEY;

    if (aigw_record_view_row(rows->value.data, rows->value.len, &row)
        != AIGW_OK)
    {
        v->indexed++;
        aigw_store_verify_row(v, AIGW_FINDING_ROW_DAMAGED, id, seq);
        return;
    }

    mine = memcmp(row.id, id, AIGW_ROW_ID_LEN) == 0;

    if (!mine && !damaged) {
        aigw_store_verify_row(v, AIGW_FINDING_INDEX_STRAY, id, seq);
        return;
    }

    v->indexed++;
    aigw_store_verify_add(v, &row);

    if (damaged) {
        aigw_store_verify_row(v, AIGW_FINDING_ROW_DAMAGED, id, seq);
        v->in_projects += row.project_id != 0;
        return;
    }

    check_project(v, &row, named);
    check_time(v, &row, seq);
    check_cost(v, &row, seq);
    aigw_store_verify_return(v, &row, seq);
}


static void
walk_ids(aigw_store_verify_t *v)
{
    int               more;
    uint64_t          n;
    aigw_db_key_t     first;
    aigw_db_cursor_t  ids, rows;

    aigw_db_key(&first);
    aigw_store_verify_closings(v);
    aigw_db_cursor(&ids, &v->txn, AIGW_USAGE_ROW_IDS);
    aigw_db_cursor(&rows, &v->txn, AIGW_USAGE_ROWS);
    aigw_db_cursor(&v->rollup, &v->txn, AIGW_USAGE_ROLLUPS);
    v->more = aigw_db_seek(&v->rollup, &first);
    more = aigw_db_seek(&ids, &first);

    for (n = 0; more; more = aigw_db_next(&ids)) {
        check_entry(v, &rows, &ids);

        if (++n % PROGRESS == 0 && v->watch->progress != NULL) {
            v->watch->progress(v->watch->data, n, v->stats.rows);
        }
    }

    aigw_store_verify_sums(v);
    aigw_db_cursor_close(&v->closing);
    aigw_db_cursor_close(&v->rollup);
    aigw_db_cursor_close(&rows);
    aigw_db_cursor_close(&ids);
}


aigw_err_t
aigw_store_verify(aigw_store_t *store, const aigw_verify_watch_t *watch,
    aigw_verify_stats_t *stats)
{
    uint64_t    skew;
    aigw_err_t  err;
    aigw_store_verify_t   *v;

    v = calloc(1, sizeof(*v));

    if (v == NULL) {
        return AIGW_ENOMEM;
    }

    v->watch = watch;
    aigw_db_read(store->usage, &v->txn);

    /* not before the rows: a price is there before the first row that has it */
    aigw_db_fail(&v->txn, aigw_store_tariff_read(store, &v->tariff));

    skew = aigw_store_get_meta(&v->txn, AIGW_META_SKEW);
    v->skew = skew > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t) skew;
    v->stats.rows = aigw_db_count(&v->txn, AIGW_USAGE_ROWS);

    if (v->txn.err == AIGW_OK) {
        walk_ids(v);
        aigw_store_verify_rest(v);
    }

    err = aigw_db_end(&v->txn);

    if (err == AIGW_OK) {
        *stats = v->stats;
    }

    aigw_store_tally_free(&v->accounts);
    aigw_store_tally_free(&v->cells);
    aigw_store_tariff_free(&v->tariff);
    free(v);

    return err;
}
