/*
 * What the files aigw_db*.c share, LMDB's own types among them. Nobody else
 * includes it.
 */

#ifndef AIGW_DB_INTERNAL_H
#define AIGW_DB_INTERNAL_H

#include <lmdb.h>

#include "aigw_db.h"


#define AIGW_DB_MISSING  ((MDB_dbi) -1)


struct aigw_db_s {
    MDB_env   *env;                   /* NULL: to be opened anew */
    MDB_txn   *reader;                /* between reads reset, or staying */
    unsigned   reading;               /* read transactions in use */
    unsigned   reader_busy:1;
    unsigned   reader_open:1;         /* staying: see aigw_db_stay */
    unsigned   stay:1;
    unsigned   trying:1;              /* see aigw_db_try */
    MDB_txn   *trial;                 /* what was tried so far, or NULL */
    MDB_dbi    tables[AIGW_DB_TABLES];       /* or AIGW_DB_MISSING */
    dev_t      dev;                   /* of the file that is open */
    ino_t      ino;
    aigw_db_options_t  options;
    char       path[];
};


/* The one map from LMDB's codes; errno keeps a system error. */
aigw_err_t aigw_db_error(int rc) AIGW_CHECKED;

/*
 * After a commit whose last write failed LMDB refuses all work (MDB_PANIC): in
 * the file the commit before stands. Opens it anew, unless something of ours
 * reads or the path leads to another file now. An error of LMDB.
 */
int aigw_db_revive(aigw_db_t *db);

/* Borrows key. */
static inline MDB_val
aigw_db_val(const aigw_db_key_t *key)
{
    return (MDB_val) { key->len, (void *) key->bytes };
}


/*
 * 1: *dbi is the table's handle within txn. 0: the store is of a time before
 * that table, and nobody has opened it for writing since; or an error.
 */
int aigw_db_table(aigw_db_txn_t *txn, unsigned table, MDB_dbi *dbi);

/* Takes what a look-up returned: nothing there is no error. */
int aigw_db_found(aigw_db_txn_t *txn, int rc);

#endif /* AIGW_DB_INTERNAL_H */
