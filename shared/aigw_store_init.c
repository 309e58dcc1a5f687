/*
 * Making a store. Everything is built in DIR/.init and moved into place at the
 * end, control last: a directory with control in it is a whole store.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "aigw_seal.h"
#include "aigw_store_internal.h"


#define FIRST_PRICE   (10 * AIGW_UNIT_NANO)   /* per million tokens */


typedef struct {
    const char  *dir;
    gid_t        group;               /* (gid_t) -1: none */
    int          made;                /* DIR itself was missing */
    char        *bootstrap;           /* gets a ticket's text, or NULL */
    char        *fault;
} init_t;


/* Below DIR, before and after the move; modes with and without a group. */
static const struct {
    const char  *path;
    mode_t       shared;
    mode_t       alone;
} modes[] = {
    { "control",          0750, 0700 },
    { "control/data.mdb", 0640, 0600 },
    { "control/lock.mdb", 0660, 0600 },
    { "usage",            0770, 0700 },
    { "usage/data.mdb",   0660, 0600 },
    { "usage/lock.mdb",   0660, 0600 },
};

/* In the order of the move. */
static const char *const  parts[] = { "key", "usage", "control" };

/* In the order of removal. */
static const char *const  leftovers[] = {
    "control/data.mdb", "control/lock.mdb", "control",
    "usage/data.mdb", "usage/lock.mdb", "usage", "key"
};


/* A path of a checked length and one of ours; cut, it would name nothing. */
static const char *
join(char buf[AIGW_STORE_SUB_MAX], const char *dir, const char *sub)
{
    if (snprintf(buf, AIGW_STORE_SUB_MAX, "%s/%s", dir, sub)
        >= AIGW_STORE_SUB_MAX)
    {
        buf[0] = '\0';
    }

    return buf;
}


/* A sentence about a system call that failed just now. */
static aigw_err_t
system_fault(const init_t *init, const char *what)
{
    aigw_err_t  err;

    err = aigw_from_errno(errno);

    return aigw_store_fault(init->fault, err, "cannot make store '%s': %s:"
                            " %s", init->dir, what, strerror(errno));
}


static aigw_err_t
check_empty(const init_t *init)
{
    DIR            *dir;
    char            name[sizeof(((struct dirent *) 0)->d_name)];
    struct dirent  *entry;

    dir = opendir(init->dir);

    if (dir == NULL) {
        return system_fault(init, "cannot read the directory");
    }

    do {
        entry = readdir(dir);
    } while (entry != NULL && (strcmp(entry->d_name, ".") == 0
                               || strcmp(entry->d_name, "..") == 0));

    name[0] = '\0';

    if (entry != NULL) {
        memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
    }

    (void) closedir(dir);

    if (name[0] != '\0') {
        return aigw_store_fault(init->fault, AIGW_EEXIST, "'%s' is not empty"
                                " (it has '%s'): a store is there already, or"
                                " name another directory", init->dir, name);
    }

    return AIGW_OK;
}


static aigw_err_t
make_directory(init_t *init)
{
    aigw_err_t   err;
    struct stat  st;

    if (mkdir(init->dir, 0700) == 0) {
        init->made = 1;
        return AIGW_OK;
    }

    if (errno != EEXIST) {
        return system_fault(init, "cannot make the directory");
    }

    if (lstat(init->dir, &st) != 0) {
        return system_fault(init, "cannot look at the directory");
    }

    if (S_ISLNK(st.st_mode)) {
        err = AIGW_EACCESS;
        return aigw_store_fault(init->fault, err, "'%s' is a symbolic link:"
                                " name the directory itself", init->dir);
    }

    if (!S_ISDIR(st.st_mode)) {
        return aigw_store_fault(init->fault, AIGW_EEXIST,
                                "'%s' is not a directory", init->dir);
    }

    return check_empty(init);
}


aigw_err_t
aigw_store_make_id(char id[AIGW_STORE_ID_LEN + 1])
{
    size_t   i;
    uint8_t  random[AIGW_STORE_ID_LEN / 2];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return AIGW_ECRYPTO;
    }

    for (i = 0; i < sizeof(random); i++) {
        (void) snprintf(id + 2 * i, 3, "%02x", random[i]);
    }

    return AIGW_OK;
}


static aigw_err_t
write_identity(aigw_db_t *db, const char *id)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_write(db, &txn);
    aigw_store_put_meta(&txn, AIGW_META_SCHEMA, AIGW_STORE_SCHEMA);
    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_ID));
    aigw_db_put(&txn, AIGW_CONTROL_META, &at, id, AIGW_STORE_ID_LEN);

    return aigw_db_end(&txn);
}


/* What a fresh store holds. */
static aigw_err_t
fill(const init_t *init, aigw_store_t *store)
{
    aigw_err_t          err;
    aigw_user_t         admin = {
        .name = "admin", .role = AIGW_ROLE_ADMIN, .enabled = 1,
        .quota_nano = AIGW_UNLIMITED
    };
    aigw_price_entry_t  any = {
        .model = "*",
        .price = {
            .prompt_nano = FIRST_PRICE, .completion_nano = FIRST_PRICE,
            .cached_nano = AIGW_PRICE_NONE,
            .cache_write_nano = AIGW_PRICE_NONE,
            .reasoning_nano = AIGW_PRICE_NONE
        }
    };

    err = aigw_store_make_id(store->id);

    if (err == AIGW_OK) {
        err = write_identity(store->control, store->id);
    }

    if (err == AIGW_OK) {
        err = write_identity(store->usage, store->id);
    }

    if (err == AIGW_OK) {
        err = aigw_store_create_user(store, &admin);
    }

    if (err == AIGW_OK) {
        err = aigw_store_set_price(store, &any);
    }

    if (err == AIGW_OK && init->bootstrap != NULL) {
        err = aigw_store_create_bootstrap(store, init->bootstrap);
    }

    return err;
}


/* Both environments, closed again at the end, and the key. */
static aigw_err_t
build(const init_t *init, const char *tmp)
{
    int           cause;
    char          path[AIGW_STORE_SUB_MAX];
    aigw_err_t    err;
    aigw_store_t  store;

    memset(&store, 0, sizeof(store));

    if (mkdir(join(path, tmp, "control"), 0700) != 0
        || mkdir(join(path, tmp, "usage"), 0700) != 0)
    {
        return system_fault(init, "cannot make a directory");
    }

    err = aigw_store_open_control(join(path, tmp, "control"),
                                  AIGW_STORE_CONTROL_MAP, 1, 1,
                                  &store.control);

    if (err == AIGW_OK) {
        err = aigw_store_open_usage(join(path, tmp, "usage"),
                                    AIGW_STORE_USAGE_MAP, 1, 1, &store.usage);
    }

    if (err == AIGW_OK) {
        err = fill(init, &store);
    }

    if (err == AIGW_OK) {
        err = aigw_seal_create(join(path, tmp, "key"));
    }

    cause = errno;
    aigw_db_close(store.usage);
    aigw_db_close(store.control);

    if (err != AIGW_OK) {
        return aigw_store_fault(init->fault, err, "cannot make store '%s':"
                                " %s", init->dir, err == AIGW_EIO
                                ? strerror(cause) : aigw_strerror(err));
    }

    return AIGW_OK;
}


/* By path, but of what we have made in a directory of mode 0700. */
static aigw_err_t
set_owner(const init_t *init, const char *path, mode_t shared, mode_t alone)
{
    int  has_group;

    has_group = init->group != (gid_t) -1;

    if (has_group && chown(path, (uid_t) -1, init->group) != 0) {
        return system_fault(init, "cannot give it to the group");
    }

    if (chmod(path, has_group ? shared : alone) != 0) {
        return system_fault(init, "cannot set a mode");
    }

    return AIGW_OK;
}


static aigw_err_t
sync_directory(const init_t *init, const char *path)
{
    int  fd, rc;

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return system_fault(init, "cannot open the directory");
    }

    rc = fsync(fd);
    (void) close(fd);

    return rc == 0 ? AIGW_OK : system_fault(init, "cannot sync it");
}


static aigw_err_t
move_into_place(const init_t *init, const char *tmp)
{
    char    from[AIGW_STORE_SUB_MAX], to[AIGW_STORE_SUB_MAX];
    size_t  i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (rename(join(from, tmp, parts[i]), join(to, init->dir, parts[i]))
            != 0)
        {
            return system_fault(init, "cannot move it into place");
        }
    }

    if (rmdir(tmp) != 0) {
        return system_fault(init, "cannot remove '.init'");
    }

    return sync_directory(init, init->dir);
}


static aigw_err_t
build_and_move(const init_t *init, const char *tmp)
{
    char        path[AIGW_STORE_SUB_MAX];
    size_t      i;
    aigw_err_t  err;

    err = build(init, tmp);

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]) && err == AIGW_OK; i++) {
        err = set_owner(init, join(path, tmp, modes[i].path),
                        modes[i].shared, modes[i].alone);
    }

    if (err == AIGW_OK) {
        err = set_owner(init, init->dir, 0750, 0700);
    }

    if (err == AIGW_OK) {
        err = sync_directory(init, join(path, tmp, "control"));
    }

    if (err == AIGW_OK) {
        err = sync_directory(init, join(path, tmp, "usage"));
    }

    if (err == AIGW_OK) {
        err = move_into_place(init, tmp);
    }

    return err;
}


/* Takes away what of our own names is in dir. */
static void
remove_parts(const char *dir)
{
    char    path[AIGW_STORE_SUB_MAX];
    size_t  i;

    for (i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        (void) remove(join(path, dir, leftovers[i]));
    }
}


aigw_err_t
aigw_store_init(const char *path, gid_t group,
    char bootstrap[AIGW_TICKET_LEN + 1], char fault[AIGW_FAULT_LEN + 1])
{
    char        dir[AIGW_STORE_PATH_MAX + 1], tmp[AIGW_STORE_SUB_MAX];
    init_t      init = { dir, group, 0, bootstrap, fault };
    aigw_err_t  err;

    err = aigw_store_clean_path(path, dir, fault);

    if (err == AIGW_OK) {
        err = make_directory(&init);
    }

    if (err != AIGW_OK) {
        return err;
    }

    /* two inits at once: only one of them makes this */
    if (mkdir(join(tmp, dir, ".init"), 0700) != 0) {
        err = system_fault(&init, "cannot make '.init' in it");
        goto err0;
    }

    err = build_and_move(&init, tmp);

    if (err == AIGW_OK) {
        return AIGW_OK;
    }

    remove_parts(tmp);
    remove_parts(dir);
    (void) rmdir(tmp);

err0:

    if (init.made) {
        (void) rmdir(dir);
    }

    return err;
}
