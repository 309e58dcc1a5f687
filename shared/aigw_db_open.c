/*
 * An environment's life: opened, closed, and opened anew where LMDB has given
 * it up. Must never have one open twice, nor open another file than before.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_db_files.h"
#include "aigw_db_internal.h"


static int
open_tables(aigw_db_t *db)
{
    int                       rc, make;
    MDB_txn                  *txn;
    unsigned                  i;
    const aigw_db_options_t  *options = &db->options;

    rc = mdb_txn_begin(db->env, NULL, options->write ? 0 : MDB_RDONLY, &txn);

    if (rc != MDB_SUCCESS) {
        return rc;
    }

    for (i = 0; i < options->ntables; i++) {
        make = options->create || (options->write && i >= options->nfirst);
        rc = mdb_dbi_open(txn, options->tables[i], make ? MDB_CREATE : 0,
                          &db->tables[i]);

        if (rc == MDB_NOTFOUND && i >= options->nfirst) {
            db->tables[i] = AIGW_DB_MISSING;

        } else if (rc != MDB_SUCCESS) {
            mdb_txn_abort(txn);
            return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
        }
    }

    return mdb_txn_commit(txn);
}


/* A handle opened within a read ends with it: so until this is opened anew. */
int
aigw_db_table(aigw_db_txn_t *txn, unsigned table, MDB_dbi *dbi)
{
    if (txn->err != AIGW_OK) {
        return 0;
    }

    *dbi = txn->db->tables[table];

    return *dbi != AIGW_DB_MISSING
           || aigw_db_found(txn, mdb_dbi_open(txn->mdb,
                                              txn->db->options.tables[table],
                                              0, dbi));
}


static int
open_env(aigw_db_t *db)
{
    int       rc;
    unsigned  flags;

    flags = MDB_NOTLS | (db->options.write ? 0 : MDB_RDONLY);

    if ((rc = mdb_env_create(&db->env))) {
        db->env = NULL;
        return rc;
    }

    if ((rc = mdb_env_set_maxdbs(db->env, AIGW_DB_TABLES))
        || (rc = mdb_env_set_maxreaders(db->env, AIGW_DB_READERS))
        || (rc = mdb_env_set_mapsize(db->env, db->options.map_bytes))
        || (rc = mdb_env_open(db->env, db->path, flags, 0600)))
    {
        mdb_env_close(db->env);
        db->env = NULL;
    }

    return rc;
}


/* Which file it is. */
static int
remember(aigw_db_t *db)
{
    int               rc;
    struct stat       st;
    mdb_filehandle_t  fd;

    rc = mdb_env_get_fd(db->env, &fd);

    if (rc != MDB_SUCCESS || fstat(fd, &st) != 0) {
        return rc != MDB_SUCCESS ? rc : errno;
    }

    db->dev = st.st_dev;
    db->ino = st.st_ino;

    return MDB_SUCCESS;
}


/* Leaves db->env NULL on error. */
static int
open_all(aigw_db_t *db, const aigw_db_files_t *files)
{
    int  rc, dead;

    if ((rc = open_env(db)) != MDB_SUCCESS) {
        return rc;
    }

    if ((rc = remember(db)) != MDB_SUCCESS) {
        goto err0;
    }

    aigw_db_files_opened(db->path, db->options.create, files);
    (void) mdb_reader_check(db->env, &dead);

    if ((rc = open_tables(db)) != MDB_SUCCESS) {
        goto err0;
    }

    return MDB_SUCCESS;

err0:

    mdb_env_close(db->env);
    db->env = NULL;

    return rc;
}


aigw_err_t
aigw_db_open(const char *path, const aigw_db_options_t *options,
    aigw_db_t **db)
{
    int               rc;
    aigw_db_t        *d;
    aigw_err_t        err;
    aigw_db_files_t   files;

    err = aigw_db_files_look(path, options->create, &files);

    if (err != AIGW_OK) {
        return err;
    }

    d = calloc(1, sizeof(*d) + strlen(path) + 1);

    if (d == NULL) {
        return AIGW_ENOMEM;
    }

    strcpy(d->path, path);
    d->options = *options;

    if ((rc = open_all(d, &files)) != MDB_SUCCESS) {
        free(d);
        return aigw_db_error(rc);
    }

    d->options.create = 0;
    *db = d;

    return AIGW_OK;
}


static void
close_env(aigw_db_t *db)
{
    if (db->reader != NULL) {
        mdb_txn_abort(db->reader);
        db->reader = NULL;
        db->reader_open = 0;
    }

    mdb_env_close(db->env);
    db->env = NULL;
}


int
aigw_db_revive(aigw_db_t *db)
{
    aigw_err_t       err;
    aigw_db_files_t  files;

    err = aigw_db_files_look(db->path, 0, &files);

    if ((err != AIGW_OK && err != AIGW_EBUSY) || db->reading > 0
        || db->trial != NULL || files.data.st_dev != db->dev
        || files.data.st_ino != db->ino)
    {
        return MDB_PANIC;
    }

    close_env(db);

    return open_all(db, &files);
}


void
aigw_db_close(aigw_db_t *db)
{
    if (db == NULL) {
        return;
    }

    if (db->trial != NULL) {
        mdb_txn_abort(db->trial);
    }

    close_env(db);
    free(db);
}
