/*
 * Reading usage: rows in the order of their settlement, for who follows them.
 * A long stream is settled after many calls that began later.
 */

#include "aigw_store_internal.h"


#define CHUNK    1000                 /* rows looked at per transaction */
#define ROW_KEY  10                   /* node 2, seq 8 */


aigw_err_t
aigw_store_follow_rows(aigw_store_t *store, const aigw_row_filter_t *filter,
    uint64_t *seq, aigw_row_t *rows, size_t max, size_t *n)
{
    int               more;
    size_t            count, looked;
    uint64_t          last;
    aigw_err_t        err;
    aigw_db_key_t     at;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    last = *seq;
    count = 0;

    if (last == UINT64_MAX) {
        return AIGW_EINVAL;
    }

    aigw_db_read(store->usage, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_USAGE_ROWS);
    aigw_db_key(&at);
    aigw_db_key_int(&at, 0, 2);
    aigw_db_key_int(&at, last + 1, 8);

    more = aigw_db_seek(&cur, &at);

    for (looked = 0; more && looked < CHUNK && count < max; looked++) {
        if (cur.key.len != ROW_KEY) {
            aigw_db_fail(&txn, AIGW_ECORRUPT);
            break;
        }

        aigw_db_fail(&txn, aigw_record_unpack_row(cur.value.data,
                                                  cur.value.len,
                                                  &rows[count]));
        if (txn.err != AIGW_OK) {
            break;
        }

        last = aigw_db_int(cur.key.data + 2, 8);
        count += (size_t) aigw_store_is_match(filter, &rows[count]);
        more = aigw_db_next(&cur);
    }

    aigw_db_cursor_close(&cur);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *seq = last;
        *n = count;
    }

    return err;
}


aigw_err_t
aigw_store_last_seq(aigw_store_t *store, uint64_t *seq)
{
    uint64_t       last;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    aigw_db_read(store->usage, &txn);
    last = aigw_store_get_meta(&txn, AIGW_META_ROW_SEQ);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *seq = last;
    }

    return err;
}
