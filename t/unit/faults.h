/*
 * Calls that fail when they are told to. The functions below stand in front of
 * those of libc and LMDB for the whole program, LMDB's own calls included. Of
 * one kind the call number `at` fails, or all from there on. What is mapped and
 * unmapped is counted.
 */

#ifndef AIGW_FAULTS_H
#define AIGW_FAULTS_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include "aigw_db_internal.h"


#define FAULT_SITES  800              /* calls of a kind in one run */
#define FAULT_DEPTH  24

/* kind, error */
#define FAULT_KINDS(X)                                                        \
    X(malloc, ENOMEM) X(calloc, ENOMEM) X(realloc, ENOMEM)                    \
    X(open, EMFILE) X(opendir, EMFILE) X(fcntl, EIO) X(flock, ENOLCK)         \
    X(stat, EIO) X(lstat, EIO) X(fstat, EIO)                                  \
    X(mkdir, ENOSPC) X(rename, EIO) X(chmod, EPERM) X(fchmod, EPERM)          \
    X(fchown, EPERM) X(getrandom, EIO) X(mmap, ENOMEM)                        \
    X(posix_fallocate, ENOSPC) X(write, ENOSPC) X(pwrite, ENOSPC)             \
    X(writev, EIO) X(fsync, EIO) X(fdatasync, EIO)  \
    X(mdb_env_create, ENOMEM) X(mdb_env_set_mapsize, EINVAL)                  \
    X(mdb_env_open, MDB_INVALID) X(mdb_dbi_open, MDB_DBS_FULL)                \
    X(mdb_reader_check, EIO) X(mdb_reader_list, EIO) X(mdb_env_info, EIO)     \
    X(mdb_env_copy2, ENOSPC)                                                  \
    X(mdb_txn_begin, MDB_READERS_FULL) X(mdb_txn_renew, MDB_READERS_FULL)     \
    X(mdb_txn_commit, EIO) X(mdb_get, MDB_PAGE_NOTFOUND)                      \
    X(mdb_put, MDB_MAP_FULL) X(mdb_del, MDB_TXN_FULL)                         \
    X(mdb_cursor_open, ENOMEM) X(mdb_cursor_get, MDB_PAGE_NOTFOUND)           \
    X(mdb_cursor_put, MDB_MAP_FULL) X(mdb_stat, EIO)

#define FAULT_NUMBER(name, error)  FAULT_##name,
#define FAULT_NAME(name, error)    #name,
#define FAULT_ERROR(name, error)   error,

enum { FAULT_KINDS(FAULT_NUMBER) FAULT_MAX };

static const char *const  fault_names[] = { FAULT_KINDS(FAULT_NAME) };
static const int          fault_errors[] = { FAULT_KINDS(FAULT_ERROR) };


static struct {
    int        on;
    unsigned   kind;
    unsigned   at;
    int        stays;                 /* all from there on fail */
    unsigned   calls[FAULT_MAX];
    unsigned   fired;
    int        inside;                /* of LMDB */
    int64_t    mapped;                /* bytes */

    /* none fails: where each call comes from is noted */
    int        listing;
    uint64_t   sites[FAULT_MAX][FAULT_SITES];
} faults;

static __thread int  fault_mine;


static void
fault_list(unsigned kind, unsigned n)
{
    int       i, depth;
    void     *stack[FAULT_DEPTH];
    uint64_t  site = 0;

    faults.on = 0;
    depth = backtrace(stack, FAULT_DEPTH);

    for (i = 0; i < depth; i++) {
        site = (site + (uintptr_t) stack[i]) * UINT64_C(0x9e3779b97f4a7c15);
        site ^= site >> 29;
    }

    faults.sites[kind][n % FAULT_SITES] = site;
    faults.on = 1;
}


/* A sanitizer calls these before it can look after anything. */
#define FAULT_EARLY  __attribute__((no_sanitize("address", "undefined")))

/* Is this the call that fails? */
FAULT_EARLY static int
fault_hits(unsigned kind)
{
    unsigned  n;

    /* the memory of a thread that LMDB starts is a sanitizer's, too */
    if (!faults.on || (kind <= FAULT_realloc && !fault_mine)) {
        return 0;
    }

    n = ++faults.calls[kind];

    if (faults.listing) {
        fault_list(kind, n);
        return 0;
    }

    if (kind != faults.kind
        || (n != faults.at && (n < faults.at || !faults.stays)))
    {
        return 0;
    }

    faults.fired++;
    errno = fault_errors[kind];

    return 1;
}


/* --- memory: libc's own by its other name, since dlsym() needs memory --- */

#if defined(__SANITIZE_ADDRESS__)
#define FAULT_REAL(name)  __interceptor_##name
#else
#define FAULT_REAL(name)  __libc_##name
#endif

void *FAULT_REAL(malloc)(size_t size);
void *FAULT_REAL(calloc)(size_t n, size_t size);
void *FAULT_REAL(realloc)(void *old, size_t size);

FAULT_EARLY void *
malloc(size_t size)
{
    return fault_hits(FAULT_malloc) ? NULL : FAULT_REAL(malloc)(size);
}


FAULT_EARLY void *
calloc(size_t n, size_t size)
{
    return fault_hits(FAULT_calloc) ? NULL : FAULT_REAL(calloc)(n, size);
}


FAULT_EARLY void *
realloc(void *old, size_t size)
{
    return fault_hits(FAULT_realloc) ? NULL : FAULT_REAL(realloc)(old, size);
}


/* --- all others --- */

static void *
fault_real(const char *name)
{
    int    on = faults.on;
    void  *symbol;

    faults.on = 0;
    symbol = dlsym(RTLD_NEXT, name);
    faults.on = on;

    return symbol;
}


#define FAULT_CALL(type, name, bad, params, args)                             \
    type name params                                                          \
    {                                                                         \
        static type  (*real) params;                                          \
                                                                              \
        if (real == NULL) {                                                   \
            *(void **) &real = fault_real(#name);                             \
        }                                                                     \
                                                                              \
        return fault_hits(FAULT_##name) ? bad : real args;                    \
    }

FAULT_CALL(DIR *, opendir, NULL, (const char *path), (path))
FAULT_CALL(int, flock, -1, (int fd, int how), (fd, how))
FAULT_CALL(int, stat, -1, (const char *path, struct stat *st), (path, st))
FAULT_CALL(int, lstat, -1, (const char *path, struct stat *st), (path, st))
FAULT_CALL(int, fstat, -1, (int fd, struct stat *st), (fd, st))
FAULT_CALL(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
FAULT_CALL(int, rename, -1, (const char *from, const char *to), (from, to))
FAULT_CALL(int, chmod, -1, (const char *path, mode_t mode), (path, mode))
FAULT_CALL(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
FAULT_CALL(int, fchown, -1, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
FAULT_CALL(ssize_t, getrandom, -1, (void *to, size_t n, unsigned flags),
           (to, n, flags))
FAULT_CALL(int, posix_fallocate, ENOSPC, (int fd, off_t off, off_t len),
           (fd, off, len))
FAULT_CALL(ssize_t, write, -1, (int fd, const void *buf, size_t len),
           (fd, buf, len))
FAULT_CALL(ssize_t, pwrite, -1,
           (int fd, const void *buf, size_t len, off_t off),
           (fd, buf, len, off))
FAULT_CALL(ssize_t, writev, -1, (int fd, const struct iovec *iov, int n),
           (fd, iov, n))
FAULT_CALL(int, fsync, -1, (int fd), (fd))
FAULT_CALL(int, fdatasync, -1, (int fd), (fd))


int
open(const char *path, int flags, ...)
{
    mode_t      mode;
    va_list     args;
    static int  (*real)(const char *path, int flags, ...);

    if (real == NULL) {
        *(void **) &real = fault_real("open");
    }

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);

    return fault_hits(FAULT_open) ? -1 : real(path, flags, mode);
}


int
fcntl(int fd, int what, ...)
{
    void        *data;
    va_list      args;
    static int  (*real)(int fd, int what, ...);

    if (real == NULL) {
        *(void **) &real = fault_real("fcntl");
    }

    va_start(args, what);
    data = va_arg(args, void *);
    va_end(args);

    return fault_hits(FAULT_fcntl) ? -1 : real(fd, what, data);
}


void *
mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    void         *map;
    static void  *(*real)(void *, size_t, int, int, int, off_t);

    if (real == NULL) {
        *(void **) &real = fault_real("mmap");
    }

    if (fault_hits(FAULT_mmap)) {
        return MAP_FAILED;
    }

    map = real(at, len, prot, flags, fd, off);
    faults.mapped += map == MAP_FAILED ? 0 : (int64_t) len;

    return map;
}


/* Nobody else is at work here: who waits for others waits in vain. */
int
nanosleep(const struct timespec *wait, struct timespec *left)
{
    (void) wait, (void) left;

    return 0;
}


int
munmap(void *map, size_t len)
{
    int         rc;
    static int  (*real)(void *, size_t);

    if (real == NULL) {
        *(void **) &real = fault_real("munmap");
    }

    rc = real(map, len);
    faults.mapped -= rc == 0 ? (int64_t) len : 0;

    return rc;
}


/* --- LMDB's, as shared/ calls them: those by which it calls itself pass --- */

#define FAULT_MDB(name, params, args)                                         \
    int name params                                                           \
    {                                                                         \
        int         rc;                                                       \
        static int  (*real) params;                                           \
                                                                              \
        if (real == NULL) {                                                   \
            *(void **) &real = fault_real(#name);                             \
        }                                                                     \
                                                                              \
        if (faults.inside == 0 && fault_hits(FAULT_##name)) {                 \
            return fault_errors[FAULT_##name];                                \
        }                                                                     \
                                                                              \
        faults.inside++;                                                      \
        rc = real args;                                                       \
        faults.inside--;                                                      \
                                                                              \
        return rc;                                                            \
    }

FAULT_MDB(mdb_env_create, (MDB_env **env), (env))
FAULT_MDB(mdb_env_set_mapsize, (MDB_env *env, size_t size), (env, size))
FAULT_MDB(mdb_env_open,
          (MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode),
          (env, path, flags, mode))
FAULT_MDB(mdb_dbi_open,
          (MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *dbi),
          (txn, name, flags, dbi))
FAULT_MDB(mdb_reader_check, (MDB_env *env, int *dead), (env, dead))
FAULT_MDB(mdb_reader_list, (MDB_env *env, MDB_msg_func *func, void *data),
          (env, func, data))
FAULT_MDB(mdb_env_info, (MDB_env *env, MDB_envinfo *info), (env, info))
FAULT_MDB(mdb_env_copy2, (MDB_env *env, const char *path, unsigned flags),
          (env, path, flags))
FAULT_MDB(mdb_txn_begin,
          (MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
          (env, parent, flags, txn))
FAULT_MDB(mdb_txn_renew, (MDB_txn *txn), (txn))
FAULT_MDB(mdb_get, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
          (txn, dbi, key, data))
FAULT_MDB(mdb_put, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
                    unsigned flags), (txn, dbi, key, data, flags))
FAULT_MDB(mdb_del, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
          (txn, dbi, key, data))
FAULT_MDB(mdb_cursor_open, (MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor),
          (txn, dbi, cursor))
FAULT_MDB(mdb_cursor_get, (MDB_cursor *cursor, MDB_val *key, MDB_val *data,
                           MDB_cursor_op op), (cursor, key, data, op))
FAULT_MDB(mdb_cursor_put, (MDB_cursor *cursor, MDB_val *key, MDB_val *data,
                           unsigned flags), (cursor, key, data, flags))
FAULT_MDB(mdb_stat, (MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat),
          (txn, dbi, stat))


/* One that fails has ended its transaction. */
int
mdb_txn_commit(MDB_txn *txn)
{
    int         rc;
    static int  (*real)(MDB_txn *);

    if (real == NULL) {
        *(void **) &real = fault_real("mdb_txn_commit");
    }

    if (faults.inside == 0 && fault_hits(FAULT_mdb_txn_commit)) {
        mdb_txn_abort(txn);
        return fault_errors[FAULT_mdb_txn_commit];
    }

    faults.inside++;
    rc = real(txn);
    faults.inside--;

    return rc;
}


/* --- to be used --- */

/* Before all: backtrace() loads a library, and libc keeps that for itself. */
static void
fault_warm(void)
{
    void  *stack[2];

#if defined(__SANITIZE_ADDRESS__)
    __lsan_disable();
#endif

    (void) backtrace(stack, 2);

#if defined(__SANITIZE_ADDRESS__)
    __lsan_enable();
#endif
}


static void
fault_arm(unsigned kind, unsigned at, int stays)
{
    memset(faults.calls, 0, sizeof(faults.calls));
    faults.kind = kind;
    faults.at = at;
    faults.stays = stays;
    faults.fired = 0;
    fault_mine = 1;
    faults.on = 1;
}


static void
fault_lift(void)
{
    faults.on = 0;
}

#endif /* AIGW_FAULTS_H */
