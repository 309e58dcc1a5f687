/*
 * LMDB behind a small door: environments, sticky transactions. Nobody but
 * aigw_db*.c includes <lmdb.h>. Default sync mode; never WRITEMAP, NOSYNC.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "aigw_db_internal.h"


aigw_err_t
aigw_db_error(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:           return AIGW_OK;
    case MDB_NOTFOUND:          return AIGW_ENOTFOUND;
    case MDB_KEYEXIST:          return AIGW_EEXIST;
    case MDB_MAP_FULL:
    case MDB_DBS_FULL:
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:          return AIGW_EFULL;
    case MDB_VERSION_MISMATCH:  return AIGW_EVERSION;
    case MDB_MAP_RESIZED:       return AIGW_EBUSY;
    case MDB_PANIC:             return AIGW_EIO;
    case MDB_BAD_VALSIZE:       return AIGW_EINVAL;
    default:                    return rc < 0 ? AIGW_ECORRUPT
                                              : aigw_from_errno(rc);
    }
}


void
aigw_db_try(aigw_db_t *db)
{
    db->trying = 1;
}


aigw_err_t
aigw_db_check_readers(aigw_db_t *db, int *cleared)
{
    return aigw_db_error(mdb_reader_check(db->env, cleared));
}


/* LMDB lists a line for each slot in use, below a headline. */
static int
count_reader(const char *line, void *data)
{
    unsigned  *n = data;

    if (strspn(line, " 0123456789") >= 10) {
        (*n)++;
    }

    return 0;
}


aigw_err_t
aigw_db_info(aigw_db_t *db, aigw_db_info_t *info)
{
    int               rc;
    unsigned          readers;
    MDB_envinfo       env;
    struct stat       st;
    mdb_filehandle_t  fd;

    readers = 0;

    if ((rc = mdb_env_info(db->env, &env))
        || (rc = mdb_env_get_fd(db->env, &fd))
        || (rc = fstat(fd, &st) == 0 ? 0 : errno))
    {
        return aigw_db_error(rc);
    }

    if (mdb_reader_list(db->env, count_reader, &readers) < 0) {
        return AIGW_EIO;
    }

    info->file_bytes = (uint64_t) st.st_size;
    info->map_bytes = env.me_mapsize;
    info->readers = readers;

    return AIGW_OK;
}


uint64_t
aigw_db_version(const aigw_db_t *db)
{
    MDB_envinfo  info;

    return db != NULL && db->trial == NULL && mdb_env_info(db->env, &info)
                                              == MDB_SUCCESS
           ? info.me_last_txnid : 0;
}


/* Lets a reader go that stays. */
static void
leave(aigw_db_t *db)
{
    if (db->reader_open && !db->reader_busy) {
        mdb_txn_reset(db->reader);
        db->reader_open = 0;
    }
}


/* Does it stay on what is still the newest? */
static int
stays(aigw_db_t *db)
{
    if (db->reader_open && mdb_txn_id(db->reader) != aigw_db_version(db)) {
        leave(db);
    }

    return db->reader_open;
}


/*
 * Renews the handle's reader *txn, or makes *txn; once more after what can be
 * mended: another process has grown the file (the map must follow, which is
 * safe only while nothing of ours reads), dead readers hold all slots, or a
 * commit of ours has failed so that LMDB takes no more.
 */
static int
begin(aigw_db_t *db, unsigned flags, MDB_txn **txn, int renew)
{
    int  rc, dead, mended;

    for (mended = 0; ; mended = 1) {
        rc = db->env == NULL ? MDB_PANIC
             : renew ? mdb_txn_renew(*txn)
                     : mdb_txn_begin(db->env, NULL, flags, txn);

        if (!mended && rc == MDB_READERS_FULL) {
            (void) mdb_reader_check(db->env, &dead);

        } else if (!mended && rc == MDB_PANIC) {
            if (aigw_db_revive(db) != MDB_SUCCESS) {
                return rc;
            }

            renew = 0;

        } else if (mended || rc != MDB_MAP_RESIZED || db->reading > 0
                   || mdb_env_set_mapsize(db->env, 0) != MDB_SUCCESS)
        {
            return rc;
        }
    }
}


/* The same for txn, which keeps the error. */
static void
start(aigw_db_txn_t *txn, unsigned flags, int renew)
{
    aigw_db_fail(txn, txn->db == NULL ? AIGW_EINVAL
                      : aigw_db_error(begin(txn->db, flags, &txn->mdb, renew)));

    if (txn->err != AIGW_OK) {
        txn->mdb = NULL;
    }
}


void
aigw_db_read(aigw_db_t *db, aigw_db_txn_t *txn)
{
    int  renew;

    *txn = (aigw_db_txn_t) { .db = db };

    if (db != NULL && db->trial != NULL) {
        txn->mdb = db->trial;
        return;
    }

    /* a read within another's visit needs a transaction of its own */
    txn->held = db != NULL && !db->reader_busy;
    renew = txn->held && db->reader != NULL;
    txn->mdb = renew ? db->reader : NULL;

    if (!txn->held || !stays(db)) {
        start(txn, MDB_RDONLY, renew);
    }

    if (txn->err != AIGW_OK) {
        return;
    }

    txn->version = mdb_txn_id(txn->mdb);
    db->reading++;

    if (txn->held) {
        db->reader = txn->mdb;
        db->reader_busy = 1;
    }
}


void
aigw_db_stay(aigw_db_t *db, int on)
{
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    db->stay = on != 0;

    if (!on) {
        leave(db);

    } else if (db->reader != NULL && !stays(db) && !db->reader_busy) {
        aigw_db_read(db, &txn);
        err = aigw_db_end(&txn);

        /* whoever reads next hears of it */
        (void) err;
    }
}


/* Within the one that is never committed, which the first of them begins: what
   went before asked people and other machines, and others may write then. */
static void
start_trial(aigw_db_txn_t *txn)
{
    int         rc;
    aigw_db_t  *db = txn->db;

    rc = db->trial == NULL ? begin(db, 0, &db->trial, 0) : MDB_SUCCESS;

    if (rc == MDB_SUCCESS) {
        rc = mdb_txn_begin(db->env, db->trial, 0, &txn->mdb);
    }

    aigw_db_fail(txn, aigw_db_error(rc));

    if (txn->err != AIGW_OK) {
        txn->mdb = NULL;
    }
}


void
aigw_db_write(aigw_db_t *db, aigw_db_txn_t *txn)
{
    *txn = (aigw_db_txn_t) { .db = db, .write = 1 };

    if (db == NULL || !db->trying) {
        start(txn, 0, 0);

    } else {
        start_trial(txn);
    }
}


static void
end_read(aigw_db_txn_t *txn)
{
    if (txn->mdb == txn->db->trial) {
        return;
    }

    txn->db->reading--;

    if (txn->held) {
        txn->db->reader_busy = 0;
        txn->db->reader_open = 1;

        /* after an error of its own it would fail for ever */
        if (!txn->db->stay
            || (txn->err != AIGW_OK && txn->err != AIGW_ENOTFOUND))
        {
            leave(txn->db);
        }

    } else {
        mdb_txn_abort(txn->mdb);
    }
}


aigw_err_t
aigw_db_end(aigw_db_txn_t *txn)
{
    if (txn->mdb == NULL) {
        return txn->err;
    }

    if (!txn->write) {
        end_read(txn);

    } else if (txn->err != AIGW_OK) {
        mdb_txn_abort(txn->mdb);

    } else {
        aigw_db_fail(txn, aigw_db_error(mdb_txn_commit(txn->mdb)));
    }

    txn->mdb = NULL;
    errno = txn->err != AIGW_OK ? txn->cause : errno;

    return txn->err;
}


int
aigw_db_found(aigw_db_txn_t *txn, int rc)
{
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        aigw_db_fail(txn, aigw_db_error(rc));
    }

    return rc == MDB_SUCCESS;
}


int
aigw_db_get(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    aigw_db_value_t *value)
{
    MDB_dbi  dbi;
    MDB_val  k = aigw_db_val(key), v;

    if (key->len > 0 && aigw_db_table(txn, table, &dbi)
        && aigw_db_found(txn, mdb_get(txn->mdb, dbi, &k, &v)))
    {
        *value = (aigw_db_value_t) { v.mv_size, v.mv_data };
        return 1;
    }

    return 0;
}


void
aigw_db_put(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    const void *data, size_t len)
{
    MDB_val  k = aigw_db_val(key), v = { len, (void *) data };

    if (txn->err == AIGW_OK) {
        aigw_db_fail(txn, aigw_db_error(mdb_put(txn->mdb,
                                                txn->db->tables[table], &k,
                                                &v, 0)));
    }
}


int
aigw_db_delete(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key)
{
    MDB_val  k = aigw_db_val(key);

    return txn->err == AIGW_OK
           && aigw_db_found(txn, mdb_del(txn->mdb, txn->db->tables[table], &k,
                                         NULL));
}


uint64_t
aigw_db_count(aigw_db_txn_t *txn, unsigned table)
{
    MDB_dbi   dbi;
    MDB_stat  stat;

    return aigw_db_table(txn, table, &dbi)
           && aigw_db_found(txn, mdb_stat(txn->mdb, dbi, &stat))
           ? stat.ms_entries : 0;
}
