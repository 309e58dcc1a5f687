/*
 * Where a live segment is, and whose it is: only on tmpfs, only the workers'.
 * Must not trust what it finds there, for /dev/shm is open to all.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "aigw_live_internal.h"


#define AIGW_LIVE_PLACE_RUN  "/run/aigw"
#define AIGW_LIVE_PLACE_SHM  "/dev/shm/aigw-"


static int
aigw_live_place_is_tmpfs(int fd)
{
    struct statfs  fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}


void
aigw_live_locate(aigw_str_t store_id, char path[AIGW_LIVE_PATH_LEN + 1])
{
    int   run, len = (int) store_id.len;
    char  shm[AIGW_LIVE_PATH_LEN + 1];

    snprintf(path, AIGW_LIVE_PATH_LEN + 1, AIGW_LIVE_PLACE_RUN "/%.*s", len,
             store_id.data);
    snprintf(shm, sizeof(shm), AIGW_LIVE_PLACE_SHM "%.*s", len, store_id.data);

    if (access(path, F_OK) == 0) {
        return;
    }

    run = open("/run", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (access(shm, F_OK) == 0 || run == -1 || !aigw_live_place_is_tmpfs(run)
        || (access(AIGW_LIVE_PLACE_RUN, W_OK) != 0
            && (errno != ENOENT || access("/run", W_OK) != 0)))
    {
        memcpy(path, shm, sizeof(shm));
    }

    if (run != -1) {
        close(run);
    }
}


static aigw_err_t
aigw_live_place_open(const char *dir, int *fd, char fault[AIGW_FAULT_LEN + 1])
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
                            : error == ENOTDIR ? "it is no directory: remove it"
                            : error == EACCES ? "it belongs to another user:"
                                                " only root and nginx's workers"
                                                " may"
                            : strerror(error));
        return aigw_live_dir_err(error);
    }

    if (!aigw_live_place_is_tmpfs(*fd)) {
        aigw_live_dir_fault(fault, "live segment '%s' is not on a tmpfs, where"
                            " a store could wait for a disk: mount a tmpfs at"
                            " /run or /dev/shm", dir);
        close(*fd);
        return AIGW_EINVAL;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_live_place_check(const char *dir, char fault[AIGW_FAULT_LEN + 1])
{
    int         fd;
    aigw_err_t  err = aigw_live_place_open(dir, &fd, fault);

    if (err == AIGW_OK) {
        close(fd);
    }

    return err;
}


/* Gives a directory of root's, and what root has made in it, to the workers. */
static int
aigw_live_place_give(int fd, uid_t uid, gid_t gid)
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
aigw_live_place_own(int fd, const char *path, uid_t uid, gid_t gid,
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
            && aigw_live_place_give(fd, uid, gid) == -1))
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

        /* whatever the umask: the workers must get through */
        if (mkdir(parent, 0755) == 0 && chmod(parent, 0755) == -1) {
            aigw_live_dir_fault(fault, "cannot open '%s' to the workers: %s",
                                parent, strerror(errno));
            return AIGW_EACCESS;
        }
    }

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        err = aigw_live_dir_err(errno);
        aigw_live_dir_fault(fault, "cannot make live segment '%s': %s", path,
                            strerror(errno));
        return err;
    }

    err = aigw_live_place_open(path, &fd, fault);
    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_live_place_own(fd, path, uid, gid, fault);
    close(fd);

    return err;
}
