/*
 * Which files a store was opened from, and whether they are still those. It
 * looks at names and inodes only, never into a file.
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


aigw_err_t
aigw_store_remember_file(aigw_store_file_t *file, const char *dir,
    const char *env, char fault[AIGW_FAULT_LEN + 1])
{
    struct stat  st;

    if (asprintf(&file->path, "%s/%s/data.mdb", dir, env) == -1) {
        file->path = NULL;
        return aigw_store_fault(fault, AIGW_ENOMEM, "out of memory");
    }

    if (stat(file->path, &st) == -1) {
        return aigw_store_fault(fault, aigw_from_errno(errno),
                                "cannot look at '%s': %s", file->path,
                                strerror(errno));
    }

    file->dev = st.st_dev;
    file->ino = st.st_ino;

    return AIGW_OK;
}


static int
is_same_file(const aigw_store_file_t *file)
{
    struct stat  st;

    return file->path == NULL
           || (stat(file->path, &st) == 0 && st.st_dev == file->dev
               && st.st_ino == file->ino
               && faccessat(AT_FDCWD, file->path, R_OK, AT_EACCESS) == 0);
}


int
aigw_store_is_current(const aigw_store_t *store)
{
    return is_same_file(&store->files[0]) && is_same_file(&store->files[1]);
}
