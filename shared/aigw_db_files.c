/*
 * The two files of an LMDB environment as the file system has them. Knows
 * nothing of LMDB and opens neither: closing a descriptor of the lock file
 * would drop this process's locks on it (threats S15).
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aigw_db_files.h"


static void
file_path(char *buf, size_t size, const char *dir, const char *name)
{
    (void) snprintf(buf, size, "%s/%s", dir, name);
}


static int
is_file(int fd, const struct stat *st)
{
    struct stat  other;

    return fstat(fd, &other) == 0 && other.st_dev == st->st_dev
           && other.st_ino == st->st_ino;
}


static unsigned
each_descriptor(const aigw_db_files_t *files, int close_on_exec)
{
    DIR            *dir;
    int             fd;
    unsigned        n;
    struct dirent  *entry;

    n = 0;
    dir = opendir("/proc/self/fd");

    if (dir == NULL) {
        return 0;
    }

    while ((entry = readdir(dir)) != NULL) {
        fd = atoi(entry->d_name);

        if (fd <= 2 || fd == dirfd(dir)
            || (!is_file(fd, &files->data) && !is_file(fd, &files->lock)))
        {
            continue;
        }

        n++;

        if (close_on_exec) {
            (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }

    (void) closedir(dir);

    return n;
}


aigw_err_t
aigw_db_files_look(const char *dir, int create, aigw_db_files_t *files)
{
    char  path[PATH_MAX];

    memset(files, 0, sizeof(*files));

    file_path(path, sizeof(path), dir, "lock.mdb");
    files->has_lock = stat(path, &files->lock) == 0;

    file_path(path, sizeof(path), dir, "data.mdb");

    if (stat(path, &files->data) != 0) {
        return create && errno == ENOENT ? AIGW_OK : aigw_from_errno(errno);
    }

    if (!S_ISREG(files->data.st_mode) || files->data.st_size == 0) {
        return AIGW_ECORRUPT;
    }

    if (create) {
        return AIGW_EEXIST;
    }

    return each_descriptor(files, 0) > 0 ? AIGW_EBUSY : AIGW_OK;
}


static void
share_lock(const char *dir, const aigw_db_files_t *files)
{
    char    path[PATH_MAX];
    mode_t  mode;

    file_path(path, sizeof(path), dir, "lock.mdb");
    mode = files->data.st_mode & S_IRGRP ? 0660 : 0600;

    if (chown(path, (uid_t) -1, files->data.st_gid) == 0) {
        (void) chmod(path, mode);
    }
}


void
aigw_db_files_opened(const char *dir, int create,
    const aigw_db_files_t *files)
{
    aigw_db_files_t  now;

    if (!create && !files->has_lock) {
        share_lock(dir, files);
    }

    /* busy, by LMDB's own descriptors */
    if (aigw_db_files_look(dir, 0, &now) == AIGW_EBUSY) {
        (void) each_descriptor(&now, 1);
    }
}
