/*
 * A copy of a store that others go on using. It has an id of its own: opened
 * beside the original it must not find, and drain, the original's journals.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aigw_store_internal.h"


typedef struct {
    const char  *dir;
    char        *fault;
} backup_t;

/* In the order of removal. */
static const char *const  parts[] = {
    "control/lock.mdb", "control/data.mdb", "control",
    "usage/lock.mdb", "usage/data.mdb", "usage"
};


static aigw_err_t
fail(const backup_t *backup, aigw_err_t err, const char *what)
{
    return aigw_store_fault(backup->fault, err, "cannot back up to '%s': %s:"
                            " %s", backup->dir, what,
                            err == AIGW_EIO && errno != 0
                            ? strerror(errno) : aigw_strerror(err));
}


static void
part_path(const backup_t *backup, const char *part,
    char path[AIGW_STORE_SUB_MAX])
{
    (void) snprintf(path, AIGW_STORE_SUB_MAX, "%s/%s", backup->dir, part);
}


/* What was copied is on the disk when this returns. */
static aigw_err_t
sync_part(const backup_t *backup, const char *part)
{
    int   fd, rc;
    char  path[AIGW_STORE_SUB_MAX];

    part_path(backup, part, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return fail(backup, aigw_from_errno(errno), part);
    }

    rc = fsync(fd);
    (void) close(fd);

    return rc == 0 ? AIGW_OK : fail(backup, aigw_from_errno(errno), part);
}


static aigw_err_t
copy_part(const backup_t *backup, const char *part, aigw_db_t *db)
{
    char        path[AIGW_STORE_SUB_MAX];
    aigw_err_t  err;

    part_path(backup, part, path);

    if (mkdir(path, 0700) != 0) {
        return fail(backup, aigw_from_errno(errno), part);
    }

    err = aigw_db_copy(db, path);

    if (err != AIGW_OK) {
        return fail(backup, err, part);
    }

    /* LMDB leaves it to the umask */
    (void) snprintf(path, sizeof(path), "%s/%s/data.mdb", backup->dir, part);

    return chmod(path, 0600) == 0 ? AIGW_OK
           : fail(backup, aigw_from_errno(errno), part);
}


static aigw_err_t
put_id(aigw_db_t *db, const char *id)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_write(db, &txn);
    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_ID));
    aigw_db_put(&txn, AIGW_CONTROL_META, &at, id, AIGW_STORE_ID_LEN);

    return aigw_db_end(&txn);
}


/* Both have their meta as the first table. */
static aigw_err_t
rename_copy(const backup_t *backup, const char *id)
{
    char        path[AIGW_STORE_SUB_MAX];
    aigw_db_t  *control, *usage;
    aigw_err_t  err;

    control = NULL;
    usage = NULL;

    part_path(backup, "control", path);
    err = aigw_store_open_control(path, AIGW_STORE_CONTROL_MAP, 1, 0,
                                  &control);

    if (err == AIGW_OK) {
        part_path(backup, "usage", path);
        err = aigw_store_open_usage(path, AIGW_STORE_USAGE_MAP, 1, 0, &usage);
    }

    if (err == AIGW_OK) {
        err = put_id(control, id);
    }

    if (err == AIGW_OK) {
        err = put_id(usage, id);
    }

    aigw_db_close(usage);
    aigw_db_close(control);

    return err == AIGW_OK ? AIGW_OK : fail(backup, err, "its id");
}


/* usage first: whoever has a row in it is in control, which comes later. */
static aigw_err_t
copy_all(const backup_t *backup, aigw_store_t *store, const char *id)
{
    size_t      i;
    aigw_err_t  err;

    static const char *const  synced[] = {
        "usage/data.mdb", "control/data.mdb", "usage", "control", "."
    };

    err = copy_part(backup, "usage", store->usage);

    if (err == AIGW_OK) {
        err = copy_part(backup, "control", store->control);
    }

    if (err == AIGW_OK) {
        err = rename_copy(backup, id);
    }

    for (i = 0; i < sizeof(synced) / sizeof(synced[0]) && err == AIGW_OK;
         i++)
    {
        err = sync_part(backup, synced[i]);
    }

    return err;
}


aigw_err_t
aigw_store_backup(aigw_store_t *store, const char *path,
    char id[AIGW_STORE_ID_LEN + 1], char fault[AIGW_FAULT_LEN + 1])
{
    int         cause;
    char        dir[AIGW_STORE_PATH_MAX + 1], part[AIGW_STORE_SUB_MAX];
    size_t      i;
    backup_t    backup = { dir, fault };
    aigw_err_t  err;

    err = aigw_store_clean_path(path, dir, fault);

    if (err == AIGW_OK && mkdir(dir, 0700) != 0) {
        err = aigw_from_errno(errno);
        err = fail(&backup, err, "it must not be there yet, but the directory"
                                 " above it");
    }

    if (err == AIGW_OK && (err = aigw_store_make_id(id)) != AIGW_OK) {
        err = fail(&backup, err, "its id");
        (void) rmdir(dir);
    }

    if (err != AIGW_OK) {
        return err;
    }

    err = copy_all(&backup, store, id);

    if (err == AIGW_OK) {
        return AIGW_OK;
    }

    cause = errno;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        part_path(&backup, parts[i], part);
        (void) remove(part);
    }

    (void) rmdir(dir);
    errno = cause;

    return err;
}
