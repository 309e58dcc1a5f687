/*
 * What comes back comes back once: which credits and refunds there are, by
 * what names them, in the table beside the rows; and the locks of those who
 * book one. Entries outlive their rows.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "aigw_store_internal.h"


#define ENTRY    (AIGW_ROW_ID_LEN + 8)   /* row id, cost */
#define POLL_MS  5
#define DATA     "data.mdb"
#define LOCK     "lock.mdb"


void
aigw_store_key_return(aigw_db_key_t *at, unsigned settled, uint64_t project_id,
    aigw_str_t ref)
{
    aigw_db_key(at);
    aigw_db_key_int(at, settled, 1);

    if (settled == AIGW_SETTLED_CREDIT) {
        aigw_db_key_int(at, project_id, 8);
    }

    aigw_db_key_bytes(at, ref.data, ref.len);
}


int
aigw_store_get_return(aigw_db_txn_t *txn, const aigw_db_key_t *at,
    uint8_t id[AIGW_ROW_ID_LEN], int64_t *cost_nano)
{
    aigw_db_value_t  value;

    if (!aigw_db_get(txn, AIGW_USAGE_RETURNS, at, &value)) {
        return 0;
    }

    if (value.len != ENTRY) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
        return 0;
    }

    memcpy(id, value.data, AIGW_ROW_ID_LEN);
    *cost_nano = (int64_t) aigw_db_int(value.data + AIGW_ROW_ID_LEN, 8);

    return 1;
}


void
aigw_store_put_return(aigw_db_txn_t *txn, const aigw_db_key_t *at,
    const uint8_t id[AIGW_ROW_ID_LEN], int64_t cost_nano)
{
    aigw_db_key_t  value;

    aigw_db_key(&value);
    aigw_db_key_bytes(&value, id, AIGW_ROW_ID_LEN);
    aigw_db_key_int(&value, (uint64_t) cost_nano, 8);
    aigw_db_put(txn, AIGW_USAGE_RETURNS, at, value.bytes, value.len);
}


aigw_str_t
aigw_store_ref_of(const aigw_row_t *row)
{
    aigw_str_t  of = { AIGW_ROW_ID_LEN, (const char *) row->of };

    return row->settled == AIGW_SETTLED_REFUND
           ? of : aigw_store_text(row->ref, AIGW_NAME_MAX);
}


aigw_err_t
aigw_store_find_return(aigw_store_t *store, const aigw_row_t *row,
    uint8_t id[AIGW_ROW_ID_LEN], int64_t *cost_nano)
{
    int64_t        cost = 0;
    uint8_t        found[AIGW_ROW_ID_LEN] = { 0 };
    aigw_err_t     err;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_read(store->usage, &txn);
    aigw_store_key_return(&at, row->settled, row->project_id,
                          aigw_store_ref_of(row));

    if (!aigw_store_get_return(&txn, &at, found, &cost)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        memcpy(id, found, AIGW_ROW_ID_LEN);
        *cost_nano = cost;
    }

    return err;
}


/* A file of the store for each: LMDB locks them in other ways. 0: it is not
   open. */
static int
lock_path(const aigw_store_t *store, aigw_store_lock_t which,
    char path[AIGW_STORE_SUB_MAX])
{
    int          len;
    const char  *data = store->files[which == AIGW_STORE_LOCK_POST].path;

    if (data == NULL) {
        return 0;
    }

    len = (int) (strlen(data) - strlen(DATA));
    (void) snprintf(path, AIGW_STORE_SUB_MAX, "%.*s%s", len, data,
                    which == AIGW_STORE_LOCK_SUBKEYS ? LOCK : DATA);

    return 1;
}


aigw_err_t
aigw_store_lock(const aigw_store_t *store, aigw_store_lock_t which,
    unsigned wait_ms, int *fd)
{
    int              file;
    char             path[AIGW_STORE_SUB_MAX];
    unsigned         waited;
    aigw_err_t       err;
    struct timespec  pause = { 0, POLL_MS * 1000000 };

    if (!lock_path(store, which, path)) {
        return AIGW_EINVAL;
    }

    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file == -1) {
        return aigw_from_errno(errno);
    }

    for (waited = 0; flock(file, LOCK_EX | LOCK_NB) == -1; waited += POLL_MS) {
        if (errno != EWOULDBLOCK || waited >= wait_ms) {
            err = errno == EWOULDBLOCK ? AIGW_EBUSY : aigw_from_errno(errno);
            close(file);
            return err;
        }

        nanosleep(&pause, NULL);
    }

    *fd = file;

    return AIGW_OK;
}


/* The lock ends here also if a fork meanwhile has copied fd. */
void
aigw_store_unlock(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
}
