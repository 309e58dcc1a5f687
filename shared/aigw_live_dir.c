/*
 * The files and locks in the directory of a live segment. Knows nothing of what
 * is in them. Must not follow a link: root works here in a directory that
 * belongs to the workers' user.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "aigw_live_internal.h"


#define AIGW_LIVE_DIR_POLL_MS  5

typedef char  aigw_live_dir_path_t[AIGW_LIVE_PATH_LEN + AIGW_LIVE_NAME_LEN + 2];


aigw_err_t
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

    if (fstat(file, &st) == -1) {
        err = aigw_live_dir_err(errno);
        goto err1;
    }

    if (!S_ISREG(st.st_mode) || st.st_size != (off_t) size) {
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


aigw_err_t
aigw_live_dir_journals(const char *dir, ino_t inode[AIGW_JOURNAL_MAX])
{
    DIR            *d;
    char           *end;
    unsigned long   slot;
    struct dirent  *entry;

    memset(inode, 0, AIGW_JOURNAL_MAX * sizeof(inode[0]));

    d = opendir(dir);
    if (d == NULL) {
        return errno == ENOENT ? AIGW_OK : aigw_live_dir_err(errno);
    }

    while ((entry = readdir(d)) != NULL) {
        if (strncmp(entry->d_name, "j.", 2) != 0) {
            continue;
        }

        slot = strtoul(entry->d_name + 2, &end, 10);

        if (end != entry->d_name + 2 && *end == '\0'
            && slot < AIGW_JOURNAL_MAX)
        {
            inode[slot] = entry->d_ino;
        }
    }

    closedir(d);

    return AIGW_OK;
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


/* The lock ends here also if a fork meanwhile has copied fd. */
void
aigw_live_dir_unlock(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
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
    aigw_live_dir_unlock(fd);

    return locked;
}
