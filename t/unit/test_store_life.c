/* Making and opening stores; other processes (S09, S14 to S17, K17, L06). */

#include "store.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

#include "aigw_seal.h"
#include "aigw_store_internal.h"


#define NOBODY   65534
#define SOMEONE  12345


static const char *
in_store(const char *name)
{
    static char  path[300];

    snprintf(path, sizeof(path), "%s/%s", test_store, name);

    return path;
}


static int
mode_of(const char *path)
{
    struct stat  st;

    return stat(path, &st) == 0 ? (int) (st.st_mode & 07777) : -1;
}


static unsigned
group_of(const char *path)
{
    struct stat  st;

    return stat(path, &st) == 0 ? st.st_gid : 77777;
}


/* A process of its own, of that user and group, tries to open the store. */
static int
child_open(uid_t uid, gid_t gid, unsigned flags)
{
    int            status;
    pid_t          pid;
    aigw_store_t  *store;

    pid = fork();

    if (pid == 0) {
        if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(gid) != 0
                               || setuid(uid) != 0))
        {
            _exit(100);
        }

        _exit((int) aigw_store_open(test_store, flags, &store, fault));
    }

    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return 101;
    }

    return WEXITSTATUS(status);
}


static void
test_modes_alone(void)
{
    aigw_seal_master_t  master;

    (void) umask(0);
    is_int(aigw_store_init(test_store, NO_GROUP, NULL, fault), AIGW_OK,
           "init");
    (void) umask(022);

    is_int(mode_of(test_store), 0700, "K17 DIR, under umask 0");
    is_int(mode_of(in_store("control")), 0700, "control");
    is_int(mode_of(in_store("control/data.mdb")), 0600, "its data");
    is_int(mode_of(in_store("control/lock.mdb")), 0600, "its lock");
    is_int(mode_of(in_store("usage")), 0700, "usage");
    is_int(mode_of(in_store("usage/data.mdb")), 0600, "its data");
    is_int(mode_of(in_store("usage/lock.mdb")), 0600, "its lock");
    is_int(mode_of(in_store("key")), 0600, "the key");
    is_int(mode_of(in_store(".init")), -1, "no scaffold is left");
    is_int(aigw_seal_load(in_store("key"), &master), AIGW_OK, "it loads");

    is_int(aigw_store_init(test_store, NO_GROUP, NULL, fault), AIGW_EEXIST,
           "never made over another");
    ok(strstr(fault, test_store) != NULL && strstr(fault, "not empty"),
       "M25 says so: %s", fault);
    is_int(child_open(geteuid(), getegid(), AIGW_STORE_USAGE_WRITE), AIGW_OK,
           "and it is whole");

    test_remove(test_store);
}


static void
test_modes_group(void)
{
    gid_t  gid = geteuid() == 0 ? NOBODY : getegid();

    (void) umask(077);
    is_int(aigw_store_init(test_store, gid, NULL, fault), AIGW_OK, "init");
    (void) umask(022);

    is_int(mode_of(test_store), 0750, "K17 DIR, under umask 077");
    is_int(mode_of(in_store("control")), 0750, "control");
    is_int(mode_of(in_store("control/data.mdb")), 0640, "its data");
    is_int(mode_of(in_store("control/lock.mdb")), 0660, "its lock");
    is_int(mode_of(in_store("usage")), 0770, "usage");
    is_int(mode_of(in_store("usage/data.mdb")), 0660, "its data");
    is_int(mode_of(in_store("usage/lock.mdb")), 0660, "its lock");
    is_int(mode_of(in_store("key")), 0600, "the key is the owner's");
    is_int(group_of(in_store("usage/data.mdb")), gid, "the group's");

    is_int(child_open(NOBODY, gid, AIGW_STORE_USAGE_WRITE), AIGW_OK,
           "a worker reads control and writes usage");

    if (geteuid() == 0) {
        is_int(child_open(NOBODY, gid, AIGW_STORE_CONTROL_WRITE),
               AIGW_EACCESS, "it does not write control");
        is_int(child_open(SOMEONE, SOMEONE, 0), AIGW_EACCESS,
               "S14 others do not open it");
    }

    /* a backup restored without its lock files, opened by root first */
    (void) unlink(in_store("control/lock.mdb"));
    (void) unlink(in_store("usage/lock.mdb"));
    (void) umask(077);
    is_int(child_open(geteuid(), getegid(), AIGW_STORE_CONTROL_WRITE
                                            | AIGW_STORE_USAGE_WRITE),
           AIGW_OK, "S21 without lock files");
    (void) umask(022);
    is_int(mode_of(in_store("control/lock.mdb")), 0660, "made for the group");
    is_int(child_open(NOBODY, gid, AIGW_STORE_USAGE_WRITE), AIGW_OK,
           "workers still open it");

    test_remove(test_store);
}


static void
test_init_faults(void)
{
    char  path[300];

    snprintf(path, sizeof(path), "%s/no/such", test_dir);
    is_int(aigw_store_init(path, NO_GROUP, NULL, fault), AIGW_ENOTFOUND,
           "S14 no parent directory");
    ok(strstr(fault, path) != NULL, "names it: %s", fault);

    is_int(aigw_store_init("", NO_GROUP, NULL, fault), AIGW_EINVAL, "no path");

    snprintf(path, sizeof(path), "%s/", test_store);
    is_int(mkdir(test_store, 0755), 0, "an empty directory");
    is_int(aigw_store_init(path, NO_GROUP, NULL, fault), AIGW_OK, "will do");
    is_int(mode_of(test_store), 0700, "and is closed to others");
    test_remove(test_store);

    is_int(mkdir(test_store, 0755), 0, "a directory");
    is_int(mkdir(in_store("x"), 0755), 0, "with something in it");
    is_int(aigw_store_init(test_store, NO_GROUP, NULL, fault), AIGW_EEXIST,
           "will not");
    is_int(mode_of(test_store), 0755, "and is as it was");
    is_int(rmdir(in_store("x")), 0, "nothing else was put there");
    is_int(rmdir(test_store), 0, "nothing at all");

    is_int(symlink("/tmp", test_store), 0, "a link");
    is_int(aigw_store_init(test_store, NO_GROUP, NULL, fault), AIGW_EACCESS,
           "S14 will not");
    is_int(unlink(test_store), 0, "unlinked");

    if (geteuid() != 0) {
        is_int(aigw_store_init(test_store, 0, NULL, fault), AIGW_EACCESS,
               "a group that is not ours");
        is_int(mode_of(test_store), -1, "leaves nothing");
    }
}


/* A process that can write no file beyond so many bytes makes a store. */
static int
child_init(rlim_t bytes)
{
    int            status;
    pid_t          pid;
    aigw_err_t     err;
    struct rlimit  limit = { bytes, bytes };

    pid = fork();

    if (pid == 0) {
        (void) signal(SIGXFSZ, SIG_IGN);

        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(100);
        }

        err = aigw_store_init(test_store, NO_GROUP, NULL, fault);

        if (err == AIGW_EIO && strstr(fault, "File too large") == NULL
            && strstr(fault, "No space left") == NULL)
        {
            _exit(102);
        }

        _exit((int) err);
    }

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status)
           ? WEXITSTATUS(status) : 101;
}


static void
test_init_fails(void)
{
    size_t  i, left;

    static const rlim_t  sizes[] = { 0, 64, 4096, 8192, 12288, 16384, 20480 };

    left = 0;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        is_int(child_init(sizes[i]), AIGW_EIO, "S10 no room");
        left += mode_of(test_store) != -1;
    }

    is_int((int64_t) left, 0, "S10 nothing was left behind");

    is_int(mkdir(test_store, 0755), 0, "an empty directory");
    is_int(child_init(8192), AIGW_EIO, "S10 no room");
    is_int(rmdir(test_store), 0, "is empty again");
    is_int(child_init(1 << 20), AIGW_OK, "and with room it works");
    test_remove(test_store);
}


static void
open_fails(const char *path, unsigned flags, aigw_err_t want,
    const char *word, const char *name)
{
    aigw_err_t     err;
    aigw_store_t  *store = (aigw_store_t *) fault;

    fault[0] = '\0';
    err = aigw_store_open(path, flags, &store, fault);

    is_int(err, want, name);
    ok(store == (aigw_store_t *) fault, "store is not set");
    ok(strstr(fault, word) != NULL, "says '%s': %s", word, fault);
}


static void
clobber(const char *name, off_t offset, const char *bytes, size_t len)
{
    int  fd;

    fd = open(in_store(name), O_WRONLY);

    if (fd < 0 || pwrite(fd, bytes, len, offset) != (ssize_t) len) {
        ok(0, "cannot write to %s", name);
    }

    (void) close(fd);
}


static void
test_open_faults(void)
{
    char           link[300];
    struct stat    st;
    aigw_db_txn_t  txn;
    aigw_store_t  *s;

    open_fails(test_store, 0, AIGW_ENOTFOUND, "aigw store init",
               "S14 no store");
    open_fails("/etc/passwd", 0, AIGW_EINVAL, "not a directory", "a file");
    open_fails("/etc/passwd/x", 0, AIGW_ENOTFOUND, "/etc/passwd/x", "in it");
    open_fails(test_dir, 0, AIGW_ENOTFOUND, "holds no store", "no store");

    aigw_store_close(test_fresh(0));
    snprintf(link, sizeof(link), "%s/link", test_dir);
    is_int(symlink(test_store, link), 0, "a link to it");
    open_fails(link, 0, AIGW_EACCESS, "symbolic link", "S14 a link");
    strcat(link, "/");
    open_fails(link, 0, AIGW_EACCESS, "symbolic link", "S14 and a slash");

    s = test_open(AIGW_STORE_CONTROL_WRITE);
    aigw_db_write(s->control, &txn);
    aigw_store_put_meta(&txn, AIGW_META_SCHEMA, 2);
    is_int(aigw_db_end(&txn), AIGW_OK, "a schema to come");
    aigw_store_close(s);
    open_fails(test_store, 0, AIGW_EVERSION, "schema 2", "S22 newer");

    aigw_store_close(test_fresh(0));
    clobber("usage/data.mdb", 16, "garbage!", 8);
    open_fails(test_store, AIGW_STORE_USAGE, AIGW_ECORRUPT, "usage",
               "S12 the first page is damaged");

    is_int(truncate(in_store("usage/data.mdb"), 0), 0, "emptied");
    open_fails(test_store, AIGW_STORE_USAGE_WRITE, AIGW_ECORRUPT, "damaged",
               "S12 an empty file is not made new");
    ok(stat(in_store("usage/data.mdb"), &st) == 0 && st.st_size == 0,
       "it is as it was");
    is_int(unlink(in_store("usage/data.mdb")), 0, "removed");
    open_fails(test_store, AIGW_STORE_USAGE_WRITE, AIGW_ENOTFOUND, "backup",
               "nor a missing one");
    is_int(mode_of(in_store("usage/data.mdb")), -1, "nothing was made");
}


/* Control of one store, usage of another. */
static void
test_mixed(void)
{
    char  other[200], from[300];

    snprintf(other, sizeof(other), "%s/other", test_dir);
    snprintf(from, sizeof(from), "%s/usage", other);

    aigw_store_close(test_fresh(0));
    is_int(aigw_store_init(other, NO_GROUP, NULL, fault), AIGW_OK, "another");
    test_remove(in_store("usage"));
    is_int(rename(from, in_store("usage")), 0, "its usage");
    open_fails(test_store, AIGW_STORE_USAGE, AIGW_ECORRUPT, "another store",
               "S21 halves of two stores");
    test_remove(other);
}


static void
test_descriptors(void)
{
    int            fd, flags, open_fds, inherited;
    char           path[64], target[300];
    ssize_t        n;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE | AIGW_STORE_USAGE_WRITE);
    open_fails(test_store, 0, AIGW_EBUSY, "already",
               "S15 a second handle in one process");

    open_fds = 0;
    inherited = 0;

    for (fd = 3; fd < 100; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, target, sizeof(target) - 1);

        if (n > 0 && strncmp(target, test_store, strlen(test_store)) == 0) {
            flags = fcntl(fd, F_GETFD);
            open_fds++;
            inherited += !(flags & FD_CLOEXEC);
        }
    }

    ok(open_fds >= 4, "%d descriptors in the store", open_fds);
    is_int(inherited, 0, "S16 none survives an exec");

    aigw_store_close(s);

    for (fd = 3; fd < 100; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, target, sizeof(target) - 1);
        open_fds -= n > 0
                    && strncmp(target, test_store, strlen(test_store)) == 0;
    }

    ok(open_fds >= 4, "closed again");
    aigw_store_close(NULL);
}


/* Control as it was before there were logins. */
static void
make_old(const char *path)
{
    int               more;
    unsigned          t;
    aigw_db_t        *from, *to;
    aigw_db_key_t     at;
    aigw_db_txn_t     read, write;
    aigw_db_cursor_t  cur;

    static const char *const  tables[] = {
        "meta", "users", "user_names", "projects", "project_names", "keys",
        "key_ids", "key_names", "project_keys", "models", "prices",
        "upstreams", "settings", "gone"
    };
    aigw_db_options_t  options = {
        tables, AIGW_CONTROL_FIRST, AIGW_CONTROL_FIRST, 1 << 20, 1, 1
    };

    (void) mkdir(path, 0700);
    is_int(aigw_db_open(path, &options, &to), AIGW_OK, "an old store");
    options.create = 0;
    is_int(aigw_db_open(in_store("control"), &options, &from), AIGW_OK,
           "an old program opens a new one");

    aigw_db_read(from, &read);
    aigw_db_write(to, &write);

    for (t = 0; t < AIGW_CONTROL_FIRST; t++) {
        aigw_db_cursor(&cur, &read, t);
        aigw_db_key(&at);

        for (more = aigw_db_seek(&cur, &at); more; more = aigw_db_next(&cur)) {
            aigw_db_key(&at);
            aigw_db_key_bytes(&at, cur.key.data, cur.key.len);
            aigw_db_put(&write, t, &at, cur.value.data, cur.value.len);
        }

        aigw_db_cursor_close(&cur);
    }

    ok(aigw_db_end(&read) == AIGW_OK && aigw_db_end(&write) == AIGW_OK,
       "all of it is copied");
    aigw_db_close(from);
    aigw_db_close(to);
}


/* Entries of the table of logins as one read sees it; -1: an error. */
static int
count_logins(aigw_store_t *s)
{
    int               n, more;
    uint64_t          count;
    aigw_db_key_t     at;
    aigw_db_txn_t     txn;
    aigw_db_value_t   value;
    aigw_db_cursor_t  cur;

    n = 0;
    aigw_db_read(s->control, &txn);
    count = aigw_db_count(&txn, AIGW_CONTROL_LOGINS);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_LOGINS);
    aigw_db_key(&at);

    for (more = aigw_db_seek(&cur, &at); more; more = aigw_db_next(&cur)) {
        n++;
    }

    aigw_db_cursor_close(&cur);
    aigw_store_key_int(&at, 77);

    if (aigw_db_get(&txn, AIGW_CONTROL_LOGINS, &at, &value) != (n > 0)
        || count != (uint64_t) n)
    {
        n = -1;
    }

    return aigw_db_end(&txn) == AIGW_OK ? n : -1;
}


/* A table that came later: an old store serves, and gets it when one writes. */
static void
test_old(void)
{
    int             status, go[2];
    char            old[300];
    pid_t           pid;
    aigw_user_t     admin;
    aigw_store_t   *s;
    aigw_db_key_t   at;
    aigw_db_txn_t   txn;

    snprintf(old, sizeof(old), "%s/old", test_dir);
    aigw_store_close(test_fresh(0));
    make_old(old);
    test_remove(in_store("control"));
    is_int(rename(old, in_store("control")), 0, "put in its place");

    ok(pipe(go) == 0, "a pipe");
    (void) fflush(stdout);
    pid = fork();

    if (pid == 0) {
        (void) close(go[1]);
        (void) !read(go[0], &status, 1);
        s = test_open(AIGW_STORE_CONTROL_WRITE);
        aigw_db_write(s->control, &txn);
        aigw_store_key_int(&at, 77);
        aigw_db_put(&txn, AIGW_CONTROL_LOGINS, &at, "x", 1);
        _exit(aigw_db_end(&txn) == AIGW_OK ? 0 : 1);
    }

    s = test_open(0);
    is_int(aigw_store_find_user(s, str("admin"), &admin), AIGW_OK,
           "opened for reading it is as it was");
    is_int(count_logins(s), 0, "a table that it has not is empty");

    (void) close(go[0]);
    (void) close(go[1]);
    ok(waitpid(pid, &status, 0) == pid && status == 0,
       "opened for writing it has it");
    is_int(count_logins(s), 1, "who has it open reads it");
    is_int(count_logins(s), 1, "again and again");

    aigw_store_stay(s, 1);
    is_int(count_logins(s), 1, "by a reader that stays");
    is_int(count_logins(s), 1, "again, too");
    aigw_store_close(s);
}


int
main(void)
{
    test_begin();

    test_modes_alone();
    test_modes_group();
    test_init_faults();
    test_init_fails();
    test_open_faults();
    test_mixed();
    test_descriptors();
    test_old();

    test_remove(test_dir);

    return done();
}
