/*
 * The directory of a live segment: where it is, whose it is, its files and
 * locks. Knows nothing of what is in them. Must not follow a link: root works
 * here in a directory that belongs to the workers' user.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "aigw_live_internal.h"


#define AIGW_LIVE_DIR_RUN      "/run/aigw"
#define AIGW_LIVE_DIR_SHM      "/dev/shm/aigw-"
#define AIGW_LIVE_DIR_POLL_MS  5

typedef char  aigw_live_dir_path_t[AIGW_LIVE_PATH_LEN + AIGW_LIVE_NAME_LEN + 2];


static int
aigw_live_dir_is_tmpfs(int fd)
{
    struct statfs  fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}


static aigw_err_t
aigw_live_dir_err(int error)
{
    switch (error) {
    case ENOENT:      return AIGW_ENOTFOUND;
    case EEXIST:      return AIGW_EEXIST;
    case EPERM:
    case EACCES:      return AIGW_EACCESS;
    case ENOSPC:
    case EDQUOT:      return AIGW_EFULL;
    case ENOMEM:      return AIGW_ENOMEM;
    case ELOOP:
    case ENOTDIR:     return AIGW_EINVAL;
    default:          return AIGW_EIO;
    }
}


static void
aigw_live_dir_join(aigw_live_dir_path_t path, const char *dir,
    const char *name)
{
    snprintf(path, sizeof(aigw_live_dir_path_t), "%s/%s", dir, name);
}


void
aigw_live_dir_fault(char fault[AIGW_FAULT_LEN + 1], const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(fault, AIGW_FAULT_LEN + 1, format, args);
    va_end(args);
}


void
aigw_live_locate(aigw_str_t store_id, char path[AIGW_LIVE_PATH_LEN + 1])
{
    int   run, len = (int) store_id.len;
    char  shm[AIGW_LIVE_PATH_LEN + 1];

    snprintf(path, AIGW_LIVE_PATH_LEN + 1, AIGW_LIVE_DIR_RUN "/%.*s", len,
             store_id.data);
    snprintf(shm, sizeof(shm), AIGW_LIVE_DIR_SHM "%.*s", len, store_id.data);

    if (access(path, F_OK) == 0) {
        return;
    }

    run = open("/run", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (access(shm, F_OK) == 0 || run == -1 || !aigw_live_dir_is_tmpfs(run)
        || (access(AIGW_LIVE_DIR_RUN, W_OK) != 0
            && (errno != ENOENT || access("/run", W_OK) != 0)))
    {
        memcpy(path, shm, sizeof(shm));
    }

    if (run != -1) {
        close(run);
    }
}


static aigw_err_t
aigw_live_dir_open(const char *dir, int *fd, char fault[AIGW_FAULT_LEN + 1])
{
    int  error;

    if (dir[0] != '/' || strlen(dir) > AIGW_LIVE_PATH_LEN) {
        aigw_live_dir_fault(fault, "the path of a live segment must begin with"
                            " '/' and have at most %d bytes",
                            AIGW_LIVE_PATH_LEN);
        return AIGW_EINVAL;
    }

    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd == -1) {
        error = errno;
        aigw_live_dir_fault(fault, "cannot open live segment '%s': %s", dir,
                            error == ENOENT ? "nginx has not made it yet"
                                            : strerror(error));
        return aigw_live_dir_err(error);
    }

    if (!aigw_live_dir_is_tmpfs(*fd)) {
        aigw_live_dir_fault(fault, "live segment '%s' is not on a tmpfs, where"
                            " a store could wait for a disk: mount a tmpfs at"
                            " /run or /dev/shm", dir);
        close(*fd);
        return AIGW_EINVAL;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_live_dir_check(const char *dir, char fault[AIGW_FAULT_LEN + 1])
{
    int         fd;
    aigw_err_t  err = aigw_live_dir_open(dir, &fd, fault);

    if (err == AIGW_OK) {
        close(fd);
    }

    return err;
}


/* Gives a directory of root's, and what root has made in it, to the workers. */
static int
aigw_live_dir_give(int fd, uid_t uid, gid_t gid)
{
    int       rc;
    unsigned  i;
    char      names[AIGW_JOURNAL_MAX + 3][AIGW_LIVE_NAME_LEN + 1] = {
        AIGW_LIVE_COUNTERS, AIGW_LIVE_LOCK, AIGW_LIVE_LEADER
    };

    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        snprintf(names[i + 3], sizeof(names[0]), AIGW_LIVE_JOURNAL, i);
    }

    for (i = 0; i < AIGW_JOURNAL_MAX + 3; i++) {
        rc = fchownat(fd, names[i], uid, gid, AT_SYMLINK_NOFOLLOW);
        if (rc == -1 && errno != ENOENT) {
            return -1;
        }
    }

    return fchown(fd, uid, gid);
}


static aigw_err_t
aigw_live_dir_own(int fd, const char *path, uid_t uid, gid_t gid,
    char fault[AIGW_FAULT_LEN + 1])
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        aigw_live_dir_fault(fault, "cannot stat '%s': %s", path,
                            strerror(errno));
        return AIGW_EIO;
    }

    if (st.st_uid != uid && st.st_uid != 0 && st.st_uid != geteuid()) {
        aigw_live_dir_fault(fault, "live segment '%s' belongs to uid %u:"
                            " stop what uses it and remove it", path,
                            (unsigned) st.st_uid);
        return AIGW_EACCESS;
    }

    if (((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) == -1)
        || (st.st_uid != uid && geteuid() == 0
            && aigw_live_dir_give(fd, uid, gid) == -1))
    {
        aigw_live_dir_fault(fault, "cannot change the owner of live segment"
                            " '%s': %s", path, strerror(errno));
        return AIGW_EACCESS;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_live_prepare(const char *path, uid_t uid, gid_t gid,
    char fault[AIGW_FAULT_LEN + 1])
{
    int         fd;
    char        parent[AIGW_LIVE_PATH_LEN + 1];
    char       *slash;
    aigw_err_t  err;

    snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');

    if (slash != NULL && slash != parent) {
        *slash = '\0';
        (void) mkdir(parent, 0755);
    }

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        err = aigw_live_dir_err(errno);
        aigw_live_dir_fault(fault, "cannot make live segment '%s': %s", path,
                            strerror(errno));
        return err;
    }

    err = aigw_live_dir_open(path, &fd, fault);
    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_live_dir_own(fd, path, uid, gid, fault);
    close(fd);

    return err;
}


/* Maps file. With fd: locks it and keeps it there; closes it else, and on
   error. */
static aigw_err_t
aigw_live_dir_map_file(int file, size_t size, void **map, int *fd)
{
    void          *p;
    aigw_err_t     err;
    struct stat    st;
    struct flock   lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fd != NULL && fcntl(file, F_OFD_SETLK, &lock) == -1) {
        err = errno == EAGAIN || errno == EACCES ? AIGW_EBUSY : AIGW_EIO;
        goto err1;
    }

    if (fstat(file, &st) == -1 || !S_ISREG(st.st_mode)
        || st.st_size != (off_t) size)
    {
        err = AIGW_ECORRUPT;
        goto err1;
    }

    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (p == MAP_FAILED) {
        err = aigw_live_dir_err(errno);
        goto err1;
    }

    *map = p;

    if (fd != NULL) {
        *fd = file;
    } else {
        close(file);
    }

    return AIGW_OK;

err1:

    close(file);

    return err;
}


aigw_err_t
aigw_live_dir_map(const char *dir, const char *name, size_t size, void **map,
    int *fd)
{
    int                   file;
    aigw_live_dir_path_t  path;

    aigw_live_dir_join(path, dir, name);

    file = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file == -1) {
        return aigw_live_dir_err(errno);
    }

    return aigw_live_dir_map_file(file, size, map, fd);
}


/* A new file, the directory owner's: root makes what workers must open. */
static int
aigw_live_dir_create(const char *dir, const char *path)
{
    int          fd;
    struct stat  st;

    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd != -1 && geteuid() == 0 && stat(dir, &st) == 0
        && fchown(fd, st.st_uid, st.st_gid) == -1)
    {
        close(fd);
        unlink(path);
        return -1;
    }

    return fd;
}


aigw_err_t
aigw_live_dir_make(const char *dir, const char *name, size_t size, void **map,
    int *fd, char fault[AIGW_FAULT_LEN + 1])
{
    int                   file, error;
    aigw_err_t            err;
    aigw_live_dir_path_t  path;

    aigw_live_dir_join(path, dir, name);
    unlink(path);

    file = aigw_live_dir_create(dir, path);
    if (file == -1) {
        err = aigw_live_dir_err(errno);
        aigw_live_dir_fault(fault, "cannot make '%s': %s", path,
                            strerror(errno));
        return err;
    }

    do {
        error = posix_fallocate(file, 0, (off_t) size);
    } while (error == EINTR);

    if (error) {
        close(file);
        err = aigw_live_dir_err(error);
    } else {
        err = aigw_live_dir_map_file(file, size, map, fd);
    }

    if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot make '%s' of %zu KiB: %s", path,
                            size / 1024, err == AIGW_EFULL
                            ? "no room left on the tmpfs, make it larger"
                              " (docker run --shm-size)"
                            : aigw_strerror(err));
        unlink(path);
    }

    return err;
}


aigw_err_t
aigw_live_dir_rename(const char *dir, const char *from, const char *to)
{
    aigw_live_dir_path_t  old, new;

    aigw_live_dir_join(old, dir, from);
    aigw_live_dir_join(new, dir, to);

    return rename(old, new) == 0 ? AIGW_OK : aigw_live_dir_err(errno);
}


ino_t
aigw_live_dir_inode(const char *dir, const char *name)
{
    struct stat           st;
    aigw_live_dir_path_t  path;

    aigw_live_dir_join(path, dir, name);

    return lstat(path, &st) == 0 ? st.st_ino : 0;
}


int
aigw_live_dir_is_same(const char *dir, const char *name, int fd)
{
    struct stat  st;

    return fstat(fd, &st) == 0
           && st.st_ino == aigw_live_dir_inode(dir, name);
}


aigw_err_t
aigw_live_dir_lock(const char *dir, const char *name, unsigned wait_ms, int *fd)
{
    int                   file;
    unsigned              waited;
    struct timespec       pause = { 0, AIGW_LIVE_DIR_POLL_MS * 1000000 };
    aigw_live_dir_path_t  path;

    aigw_live_dir_join(path, dir, name);

    for (waited = 0; ; waited += AIGW_LIVE_DIR_POLL_MS) {
        file = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        if (file == -1 && errno == ENOENT) {
            file = aigw_live_dir_create(dir, path);
        }

        if (file == -1 && errno != EEXIST) {
            return aigw_live_dir_err(errno);
        }

        if (file != -1) {
            if (flock(file, LOCK_EX | LOCK_NB) == 0
                && aigw_live_dir_is_same(dir, name, file))
            {
                *fd = file;
                return AIGW_OK;
            }

            close(file);
        }

        if (waited >= wait_ms) {
            return AIGW_EBUSY;
        }

        nanosleep(&pause, NULL);
    }
}


int
aigw_live_dir_is_locked(const char *dir, const char *name)
{
    int                   fd, locked;
    aigw_live_dir_path_t  path;

    aigw_live_dir_join(path, dir, name);

    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    locked = flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
    close(fd);

    return locked;
}
