/*
 * Verifying: what a walk by ids has not come by, rows without an entry and
 * entries without a row. Where the counts agree there is nothing to look for.
 */

#include <string.h>

#include "aigw_store_verify_internal.h"


/* Does the entry of that id name the row with that key? -1: there is none. */
static int
is_named(aigw_store_verify_t *v, const uint8_t *id, const uint8_t *key)
{
    aigw_db_key_t    at;
    aigw_db_value_t  named;

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, id, AIGW_ROW_ID_LEN);

    if (!aigw_db_get(&v->txn, AIGW_USAGE_ROW_IDS, &at, &named)) {
        return -1;
    }

    return named.len >= AIGW_STORE_ROW_KEY
           && memcmp(named.data, key, AIGW_STORE_ROW_KEY) == 0;
}


/* Has an entry of ids led to this row? */
static void
check_row(aigw_store_verify_t *v, const aigw_db_cursor_t *cur, uint64_t seq)
{
    int             named;
    const uint8_t  *id = cur->value.data + 1;

    if (cur->value.len < 1 + AIGW_ROW_ID_LEN
        || cur->key.len != AIGW_STORE_ROW_KEY)
    {
        aigw_store_verify_row(v, AIGW_FINDING_ROW_DAMAGED, NULL, seq);
        return;
    }

    if (aigw_store_verify_run_of(v, seq) != 0) {
        aigw_store_verify_row(v, AIGW_FINDING_PRUNED, id, seq);
    }

    named = is_named(v, id, cur->key.data);

    if (named != 1) {
        aigw_store_verify_row(v, named ? AIGW_FINDING_ROW_UNINDEXED
                                       : AIGW_FINDING_ROW_DOUBLE, id, seq);
    }
}


/* The numbers from first to before end are no row's: where were they? */
static void
check_gap(aigw_store_verify_t *v, uint64_t first, uint64_t end)
{
    uint64_t  n, last;

    for (n = first; n < end && v->txn.err == AIGW_OK; n++) {
        last = aigw_store_verify_run_of(v, n);

        if (last == 0) {
            aigw_store_verify_row(v, AIGW_FINDING_ROW_MISSING, NULL, n);

        } else {
            n = last;
        }
    }
}


/* All rows by number. gaps: numbers are missing that no index has. */
static void
walk_rows(aigw_store_verify_t *v, uint64_t last_seq, int gaps)
{
    int               more;
    uint64_t          seq, last = 0;
    aigw_db_key_t     first;
    aigw_db_cursor_t  cur;

    aigw_db_key(&first);
    aigw_db_cursor(&cur, &v->txn, AIGW_USAGE_ROWS);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        seq = cur.key.len == AIGW_STORE_ROW_KEY
              ? aigw_store_verify_seq(cur.key.data) : last + 1;
        check_row(v, &cur, seq);

        if (gaps) {
            check_gap(v, last + 1, seq);
        }

        last = seq;
    }

    if (gaps) {
        check_gap(v, last + 1, last_seq + 1);
    }

    aigw_db_cursor_close(&cur);
}


/* Does an entry of a project's rows name a row of this id and project? Where
   the entry of ids names it as well, the walk by ids has said what is wrong. */
static int
is_of_project(aigw_store_verify_t *v, const aigw_db_cursor_t *cur)
{
    aigw_db_key_t    at;
    const uint8_t   *id = cur->key.data + 8, *key = cur->value.data;
    aigw_db_value_t  value;
    aigw_row_view_t  row;

    if (cur->key.len != 8 + AIGW_ROW_ID_LEN
        || cur->value.len != AIGW_STORE_ROW_KEY)
    {
        return 0;
    }

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, key, AIGW_STORE_ROW_KEY);

    if (aigw_db_get(&v->txn, AIGW_USAGE_ROWS, &at, &value)
        && aigw_record_view_row(value.data, value.len, &row) == AIGW_OK)
    {
        return row.project_id == aigw_db_int(cur->key.data, 8)
               && memcmp(row.id, id, AIGW_ROW_ID_LEN) == 0;
    }

    return is_named(v, id, key) == 1;
}


static void
walk_projects(aigw_store_verify_t *v)
{
    int               more;
    aigw_db_key_t     first;
    aigw_db_cursor_t  cur;

    aigw_db_key(&first);
    aigw_db_cursor(&cur, &v->txn, AIGW_USAGE_PROJECT_ROWS);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        if (!is_of_project(v, &cur)) {
            aigw_store_verify_row(v, AIGW_FINDING_INDEX_STRAY,
                                  cur.key.len == 8 + AIGW_ROW_ID_LEN
                                  ? cur.key.data + 8 : NULL, 0);
        }
    }

    aigw_db_cursor_close(&cur);
}


void
aigw_store_verify_rest(aigw_store_verify_t *v)
{
    uint64_t        rows = v->stats.rows, seq, all;
    aigw_finding_t  finding = { .kind = AIGW_FINDING_ROW_SEQ,
                                .field = "rows" };

    seq = aigw_store_get_meta(&v->txn, AIGW_META_ROW_SEQ);

    aigw_store_verify_runs(v, seq);
    all = rows + v->stats.pruned;

    if (seq < all) {
        finding.expected = (int64_t) seq;
        finding.found = (int64_t) all;
        aigw_store_verify_report(v, &finding);
    }

    if (rows != v->indexed || seq < all || seq > all + v->dangling) {
        walk_rows(v, seq, seq > all + v->dangling);
    }

    if (aigw_db_count(&v->txn, AIGW_USAGE_PROJECT_ROWS) != v->in_projects) {
        walk_projects(v);
    }
}
