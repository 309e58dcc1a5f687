/* Cursors: steps through a table in the order of its keys, within a
   transaction that the caller holds. */

#include "aigw_db_internal.h"


void
aigw_db_cursor(aigw_db_cursor_t *cur, aigw_db_txn_t *txn, unsigned table)
{
    MDB_dbi  dbi;

    *cur = (aigw_db_cursor_t) { .txn = txn };

    if (aigw_db_table(txn, table, &dbi)) {
        aigw_db_fail(txn, aigw_db_error(mdb_cursor_open(txn->mdb, dbi,
                                                        &cur->mdb)));
    }
}


void
aigw_db_cursor_close(aigw_db_cursor_t *cur)
{
    if (cur->mdb != NULL) {
        mdb_cursor_close(cur->mdb);
        cur->mdb = NULL;
    }
}


static int
move(aigw_db_cursor_t *cur, const aigw_db_key_t *key, MDB_cursor_op op)
{
    MDB_val  k = { 0, NULL }, v;

    /* no cursor: the table is not there yet, which is empty */
    if (cur->txn->err != AIGW_OK || cur->mdb == NULL) {
        return 0;
    }

    if (key != NULL) {
        k = aigw_db_val(key);
    }

    if (!aigw_db_found(cur->txn, mdb_cursor_get(cur->mdb, &k, &v, op))) {
        return 0;
    }

    cur->key = (aigw_db_value_t) { k.mv_size, k.mv_data };
    cur->value = (aigw_db_value_t) { v.mv_size, v.mv_data };

    return 1;
}


int
aigw_db_seek(aigw_db_cursor_t *cur, const aigw_db_key_t *key)
{
    return move(cur, key, key->len ? MDB_SET_RANGE : MDB_FIRST);
}


int
aigw_db_seek_before(aigw_db_cursor_t *cur, const aigw_db_key_t *key)
{
    return move(cur, NULL, move(cur, key, MDB_SET_RANGE) ? MDB_PREV
                                                         : MDB_LAST);
}


int
aigw_db_last(aigw_db_cursor_t *cur)
{
    return move(cur, NULL, MDB_LAST);
}


int
aigw_db_next(aigw_db_cursor_t *cur)
{
    return move(cur, NULL, MDB_NEXT);
}


int
aigw_db_previous(aigw_db_cursor_t *cur)
{
    return move(cur, NULL, MDB_PREV);
}


void
aigw_db_cursor_put(aigw_db_cursor_t *cur, const aigw_db_key_t *key,
    const void *data, size_t len, int append)
{
    int      rc;
    MDB_val  k = aigw_db_val(key), v = { len, (void *) data };

    if (cur->txn->err != AIGW_OK) {
        return;
    }

    rc = mdb_cursor_put(cur->mdb, &k, &v, append ? MDB_APPEND : 0);

    if (rc != MDB_SUCCESS) {
        aigw_db_fail(cur->txn, aigw_db_error(rc));
    }
}


int
aigw_db_cursor_add(aigw_db_cursor_t *cur, const aigw_db_key_t *key,
    const void *data, size_t len)
{
    int      rc;
    MDB_val  k = aigw_db_val(key), v = { len, (void *) data };

    if (cur->txn->err != AIGW_OK) {
        return 0;
    }

    rc = mdb_cursor_put(cur->mdb, &k, &v, MDB_NOOVERWRITE);

    if (rc != MDB_SUCCESS && rc != MDB_KEYEXIST) {
        aigw_db_fail(cur->txn, aigw_db_error(rc));
    }

    return rc == MDB_SUCCESS;
}


void
aigw_db_clear(aigw_db_txn_t *txn, unsigned table)
{
    if (txn->err == AIGW_OK) {
        aigw_db_fail(txn, aigw_db_error(mdb_drop(txn->mdb,
                                                 txn->db->tables[table], 0)));
    }
}
