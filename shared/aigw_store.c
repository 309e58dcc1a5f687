/*
 * The store's life: opening, checking and closing both environments, and
 * statistics. Makes no store and changes no record.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "aigw_store_internal.h"


#define NFS   0x6969u
#define SMB   0x517bu
#define SMB2  0xfe534d42u
#define CIFS  0xff534d42u


static const char *const  control_tables[AIGW_CONTROL_TABLES] = {
    "meta", "users", "user_names", "projects", "project_names", "keys",
    "key_ids", "key_names", "project_keys", "models", "prices", "upstreams",
    "settings", "gone", "logins", "tickets", "audit", "drivers",
    "subkeys", "project_subkeys"
};

static const char *const  usage_tables[AIGW_USAGE_TABLES] = {
    "meta", "rows", "row_ids", "project_rows", "sums", "rollups", "marks",
    "returns", "closings", "pruned"
};


aigw_err_t
aigw_store_open_control(const char *path, size_t map_bytes, int write,
    int create, aigw_db_t **db)
{
    aigw_db_options_t  options = {
        control_tables, AIGW_CONTROL_TABLES, AIGW_CONTROL_FIRST, map_bytes,
        write != 0, create != 0
    };

    return aigw_db_open(path, &options, db);
}


aigw_err_t
aigw_store_open_usage(const char *path, size_t map_bytes, int write,
    int create, aigw_db_t **db)
{
    aigw_db_options_t  options = {
        usage_tables, AIGW_USAGE_TABLES, AIGW_USAGE_TABLES, map_bytes,
        write != 0, create != 0
    };

    return aigw_db_open(path, &options, db);
}


/* LMDB's locks and maps are of one machine. */
static int
is_network(const char *path)
{
    unsigned long  type;
    struct statfs  fs;

    if (statfs(path, &fs) != 0) {
        return 0;
    }

    type = (unsigned long) fs.f_type & 0xffffffffu;

    return type == NFS || type == SMB || type == SMB2 || type == CIFS;
}


/* The directory itself, before anything in it is opened. */
static aigw_err_t
check_directory(const char *path, char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t   err;
    struct stat  st;

    if (lstat(path, &st) != 0) {
        err = aigw_from_errno(errno);

        if (err == AIGW_ENOTFOUND) {
            return aigw_store_fault(fault, err, "store '%s' does not exist:"
                                    " make it with 'aigw store init %s'",
                                    path, path);
        }

        return aigw_store_fault(fault, err, "cannot look at store '%s': %s",
                                path, strerror(errno));
    }

    if (S_ISLNK(st.st_mode)) {
        return aigw_store_fault(fault, AIGW_EACCESS, "store '%s' is a"
                                " symbolic link: name the directory itself",
                                path);
    }

    if (!S_ISDIR(st.st_mode)) {
        return aigw_store_fault(fault, AIGW_EINVAL, "store '%s' is not a"
                                " directory", path);
    }

    if (is_network(path)) {
        return aigw_store_fault(fault, AIGW_EINVAL, "store '%s' is on a"
                                " network file system, where its locks do not"
                                " hold: use a local disk", path);
    }

    return AIGW_OK;
}


static aigw_err_t
explain_open(aigw_err_t err, const char *path, char fault[AIGW_FAULT_LEN + 1])
{
    switch (err) {
    case AIGW_ENOTFOUND:
        return aigw_store_fault(fault, err, "'%s' holds no store: make one in"
                                " an empty directory with 'aigw store init',"
                                " or restore a backup", path);
    case AIGW_EACCESS:
        return aigw_store_fault(fault, err, "cannot open '%s': permission"
                                " denied: run as root or in the group of its"
                                " files, where nginx's workers must be too",
                                path);
    case AIGW_EVERSION:
        return aigw_store_fault(fault, err, "'%s' was made by another version"
                                " of LMDB: run the program that made it",
                                path);
    case AIGW_ECORRUPT:
        return aigw_store_fault(fault, err, "'%s' is damaged: restore it from"
                                " a backup", path);
    case AIGW_EBUSY:
        return aigw_store_fault(fault, err, "'%s' is open in this process"
                                " already", path);
    case AIGW_EFULL:
        return aigw_store_fault(fault, err, "'%s' has no reader slot left:"
                                " too many processes have it open", path);
    case AIGW_EIO:
        return aigw_store_fault(fault, err, "cannot open '%s': %s", path,
                                strerror(errno));
    default:
        return aigw_store_fault(fault, err, "cannot open '%s': %s", path,
                                aigw_strerror(err));
    }
}


/* Whether this program may touch it at all, and whose it is. */
static aigw_err_t
read_identity(aigw_db_t *db, const char *path, char id[AIGW_STORE_ID_LEN + 1],
    char fault[AIGW_FAULT_LEN + 1])
{
    int              half;
    uint64_t         schema;
    aigw_err_t       err;
    aigw_db_key_t    key;
    aigw_db_txn_t    txn;
    aigw_db_value_t  value;

    aigw_db_read(db, &txn);

    schema = aigw_store_get_meta(&txn, AIGW_META_SCHEMA);
    half = aigw_store_get_meta(&txn, AIGW_META_IMPORTING) != 0;

    aigw_store_key_text(&key, (aigw_str_t) aigw_str(AIGW_META_ID));

    if (!aigw_db_get(&txn, AIGW_CONTROL_META, &key, &value) || schema == 0
        || value.len != AIGW_STORE_ID_LEN)
    {
        aigw_db_fail(&txn, AIGW_ECORRUPT);

    } else {
        memcpy(id, value.data, AIGW_STORE_ID_LEN);
        id[AIGW_STORE_ID_LEN] = '\0';
    }

    err = aigw_db_end(&txn);

    if (err != AIGW_OK) {
        return explain_open(err, path, fault);
    }

    if (half) {
        return aigw_store_fault(fault, AIGW_ECORRUPT, "'%s' has half an import:"
                                " wait for its end; if there is none at work,"
                                " remove the store and make a new one", path);
    }

    if (schema != AIGW_STORE_SCHEMA) {
        return aigw_store_fault(fault, AIGW_EVERSION, "'%s' has schema %llu,"
                                " this program knows %d: run the program of"
                                " its version", path,
                                (unsigned long long) schema,
                                AIGW_STORE_SCHEMA);
    }

    return AIGW_OK;
}


static aigw_err_t
open_both(aigw_store_t *store, const char *path, unsigned flags,
    const aigw_store_maps_t *maps, char fault[AIGW_FAULT_LEN + 1])
{
    char        sub[AIGW_STORE_SUB_MAX], usage_id[AIGW_STORE_ID_LEN + 1];
    aigw_err_t  err;

    (void) snprintf(sub, sizeof(sub), "%s/control", path);

    err = aigw_store_open_control(sub, maps->control_bytes,
                                  flags & AIGW_STORE_CONTROL_WRITE, 0,
                                  &store->control);

    if (err != AIGW_OK) {
        return explain_open(err, sub, fault);
    }

    err = read_identity(store->control, sub, store->id, fault);

    if (err != AIGW_OK || !(flags & AIGW_STORE_USAGE)) {
        return err;
    }

    (void) snprintf(sub, sizeof(sub), "%s/usage", path);

    err = aigw_store_open_usage(sub, maps->usage_bytes,
                                (flags & AIGW_STORE_USAGE_WRITE)
                                == AIGW_STORE_USAGE_WRITE, 0,
                                &store->usage);

    if (err != AIGW_OK) {
        return explain_open(err, sub, fault);
    }

    err = read_identity(store->usage, sub, usage_id, fault);

    if (err == AIGW_OK && strcmp(usage_id, store->id) != 0) {
        return aigw_store_fault(fault, AIGW_ECORRUPT, "'%s' belongs to"
                                " another store: restore control and usage"
                                " from the same backup", sub);
    }

    return err;
}


aigw_err_t
aigw_store_clean_path(const char *path, char dir[AIGW_STORE_PATH_MAX + 1],
    char fault[AIGW_FAULT_LEN + 1])
{
    size_t  len;

    len = strlen(path);

    /* lstat would follow a link with a slash behind it */
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }

    if (len == 0 || len > AIGW_STORE_PATH_MAX) {
        return aigw_store_fault(fault, AIGW_EINVAL,
                                "the store's path is empty or too long");
    }

    memcpy(dir, path, len);
    dir[len] = '\0';

    return AIGW_OK;
}


aigw_err_t
aigw_store_open_maps(const char *path, unsigned flags,
    const aigw_store_maps_t *maps, aigw_store_t **store,
    char fault[AIGW_FAULT_LEN + 1])
{
    char           dir[AIGW_STORE_PATH_MAX + 1];
    aigw_err_t     err;
    aigw_store_t  *s;

    err = aigw_store_clean_path(path, dir, fault);

    if (err == AIGW_OK) {
        err = check_directory(dir, fault);
    }

    if (err != AIGW_OK) {
        return err;
    }

    s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return aigw_store_fault(fault, AIGW_ENOMEM, "out of memory");
    }

    err = open_both(s, dir, flags, maps, fault);

    if (err == AIGW_OK) {
        err = aigw_store_remember_file(&s->files[0], dir, "control", fault);
    }

    if (err == AIGW_OK && s->usage != NULL) {
        err = aigw_store_remember_file(&s->files[1], dir, "usage", fault);
    }

    if (err != AIGW_OK) {
        aigw_store_close(s);
        return err;
    }

    *store = s;

    return AIGW_OK;
}


aigw_err_t
aigw_store_open(const char *path, unsigned flags, aigw_store_t **store,
    char fault[AIGW_FAULT_LEN + 1])
{
    aigw_store_maps_t  maps = {
        AIGW_STORE_CONTROL_MAP, AIGW_STORE_USAGE_MAP
    };

    return aigw_store_open_maps(path, flags, &maps, store, fault);
}


void
aigw_store_try(aigw_store_t *store)
{
    aigw_db_try(store->control);
}


void
aigw_store_stay(aigw_store_t *store, int on)
{
    aigw_db_stay(store->control, on);
}


void
aigw_store_close(aigw_store_t *store)
{
    if (store == NULL) {
        return;
    }

    aigw_db_close(store->usage);
    aigw_db_close(store->control);
    free(store->files[0].path);
    free(store->files[1].path);
    free(store->cache);
    free(store);
}


aigw_str_t
aigw_store_id(const aigw_store_t *store)
{
    return (aigw_str_t) { AIGW_STORE_ID_LEN, store->id };
}


aigw_err_t
aigw_store_check_readers(aigw_store_t *store, int *cleared)
{
    int         control, usage;
    aigw_err_t  err;

    usage = 0;
    err = aigw_db_check_readers(store->control, &control);

    if (err == AIGW_OK && store->usage != NULL) {
        err = aigw_db_check_readers(store->usage, &usage);
    }

    if (err == AIGW_OK) {
        *cleared = control + usage;
    }

    return err;
}


static aigw_err_t
control_stats(aigw_db_t *db, aigw_store_stats_t *stats)
{
    aigw_err_t      err;
    aigw_db_txn_t   txn;
    aigw_db_info_t  info;

    aigw_db_read(db, &txn);
    stats->users = aigw_db_count(&txn, AIGW_CONTROL_USERS);
    stats->projects = aigw_db_count(&txn, AIGW_CONTROL_PROJECTS);
    stats->keys = aigw_db_count(&txn, AIGW_CONTROL_KEY_IDS);
    stats->models = aigw_db_count(&txn, AIGW_CONTROL_MODELS);
    stats->prices = aigw_db_count(&txn, AIGW_CONTROL_PRICES);
    stats->upstreams = aigw_db_count(&txn, AIGW_CONTROL_UPSTREAMS);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        err = aigw_db_info(db, &info);
    }

    if (err == AIGW_OK) {
        stats->control_bytes = info.file_bytes;
        stats->control_map_bytes = info.map_bytes;
        stats->control_readers = info.readers;
    }

    return err;
}


static aigw_err_t
usage_stats(aigw_db_t *db, aigw_store_stats_t *stats)
{
    aigw_err_t      err;
    aigw_db_txn_t   txn;
    aigw_db_info_t  info;

    aigw_db_read(db, &txn);
    stats->rows = aigw_db_count(&txn, AIGW_USAGE_ROWS);
    stats->rollups = aigw_db_count(&txn, AIGW_USAGE_ROLLUPS);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        err = aigw_db_info(db, &info);
    }

    if (err == AIGW_OK) {
        stats->usage_bytes = info.file_bytes;
        stats->usage_map_bytes = info.map_bytes;
        stats->usage_readers = info.readers;
    }

    return err;
}


aigw_err_t
aigw_store_stats(aigw_store_t *store, aigw_store_stats_t *stats)
{
    aigw_err_t          err;
    aigw_store_stats_t  result;

    memset(&result, 0, sizeof(result));
    err = control_stats(store->control, &result);

    if (err == AIGW_OK && store->usage != NULL) {
        err = usage_stats(store->usage, &result);
    }

    if (err == AIGW_OK) {
        *stats = result;
    }

    return err;
}
