/*
 * Reading usage: sums of accounts and watermarks. One read transaction a call.
 */

#include <string.h>

#include "aigw_store_internal.h"


#define SUMS_KEY  11                  /* partition 2, kind 1, id 8 */


aigw_err_t
aigw_store_get_sums(aigw_store_t *store, aigw_account_kind_t kind,
    uint64_t id, aigw_sums_t *sums)
{
    aigw_err_t     err;
    aigw_sums_t    result;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_read(store->usage, &txn);

    aigw_db_key(&at);
    aigw_db_key_int(&at, 0, 2);
    aigw_db_key_int(&at, kind, 1);
    aigw_db_key_int(&at, id, 8);

    if (!aigw_store_load(&txn, AIGW_USAGE_SUMS, &at, aigw_store_unpack_sums,
                         &result))
    {
        memset(&result, 0, sizeof(result));
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *sums = result;
    }

    return err;
}


aigw_err_t
aigw_store_each_sums(aigw_store_t *store, aigw_store_sums_pt visit,
    void *data)
{
    int               more;
    aigw_sums_t       sums;
    aigw_db_key_t     first;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    aigw_db_read(store->usage, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_USAGE_SUMS);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        if (cur.key.len != SUMS_KEY) {
            aigw_db_fail(&txn, AIGW_ECORRUPT);
            break;
        }

        aigw_db_fail(&txn, aigw_record_unpack_sums(cur.value.data,
                                                   cur.value.len, &sums));

        if (txn.err == AIGW_OK) {
            aigw_db_fail(&txn, visit(data, cur.key.data[2],
                                     aigw_db_int(cur.key.data + 3, 8),
                                     &sums));
        }
    }

    aigw_db_cursor_close(&cur);

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_get_watermark(aigw_store_t *store, uint64_t journal, uint64_t *seq)
{
    uint64_t       found;
    aigw_err_t     err;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_read(store->usage, &txn);
    aigw_store_key_int(&at, journal);
    found = aigw_store_get_int(&txn, AIGW_USAGE_MARKS, &at);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *seq = found;
    }

    return err;
}
