/*
 * A disk that loses power. The functions below stand in front of libc's: what
 * LMDB writes to the two data files is noted, with every sync. From that log
 * comes what a disk may hold after a power failure: all that was synced, and
 * of the rest any part, in any order, in sectors of 512 bytes.
 */

#ifndef AIGW_POWER_DISK_H
#define AIGW_POWER_DISK_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap.h"


#define DISK_FILES   2
#define DISK_SECTOR  512
#define DISK_EVENTS  20000            /* of one history */
#define DISK_SIZE    (8 << 20)        /* what a file may grow to */


typedef enum {
    DISK_WRITE = 0,
    DISK_SYNC,
    DISK_ACK                          /* the commit has returned */
} disk_kind_t;

typedef struct {
    disk_kind_t   kind;
    unsigned      file;
    int           synced;             /* O_DSYNC: on the disk when it returns */
    size_t        off;
    size_t        len;
    uint8_t      *data;
} disk_event_t;

/* A file as it is on the disk for sure, and the one that is made of it: open
   only between two looks of the store, which takes no file that is. */
typedef struct {
    int           fd;
    char          path[160];
    size_t        len;
    uint8_t       bytes[DISK_SIZE];
} disk_image_t;


static struct {
    int           on;
    struct stat   file[DISK_FILES];
    disk_event_t  events[DISK_EVENTS];
    size_t        n;
} disk_log;

static disk_image_t  disk_images[DISK_FILES];


/* --- what is noted --- */

static void
disk_must(int good, const char *what)
{
    if (!good) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
}


static disk_event_t *
disk_note(disk_kind_t kind, unsigned file)
{
    disk_must(disk_log.n < DISK_EVENTS, "too many events");
    disk_log.events[disk_log.n] = (disk_event_t) { .kind = kind,
                                                   .file = file };

    return &disk_log.events[disk_log.n++];
}


/* The file of fd, DISK_FILES if it is none of them. */
static unsigned
disk_file(int fd)
{
    unsigned     i;
    struct stat  st;

    if (!disk_log.on || fstat(fd, &st) != 0) {
        return DISK_FILES;
    }

    for (i = 0; i < DISK_FILES; i++) {
        if (st.st_dev == disk_log.file[i].st_dev
            && st.st_ino == disk_log.file[i].st_ino)
        {
            break;
        }
    }

    return i;
}


static void
disk_wrote(int fd, const struct iovec *iov, int n, off_t off)
{
    int            i;
    unsigned       file = disk_file(fd);
    disk_event_t  *e;

    if (file == DISK_FILES) {
        return;
    }

    e = disk_note(DISK_WRITE, file);
    e->synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    e->off = (size_t) off;

    for (i = 0; i < n; i++) {
        e->data = realloc(e->data, e->len + iov[i].iov_len);
        memcpy(e->data + e->len, iov[i].iov_base, iov[i].iov_len);
        e->len += iov[i].iov_len;
    }
}


static void
disk_forget(void)
{
    while (disk_log.n > 0) {
        free(disk_log.events[--disk_log.n].data);
    }
}


/* --- libc's, as LMDB calls them: a short write would spoil the log --- */

ssize_t
pwrite(int fd, const void *buf, size_t len, off_t off)
{
    struct iovec  iov = { (void *) buf, len };

    disk_wrote(fd, &iov, 1, off);

    return syscall(SYS_pwrite64, fd, buf, len, off);
}


ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    if (disk_file(fd) != DISK_FILES) {
        disk_wrote(fd, iov, n, lseek(fd, 0, SEEK_CUR));
    }

    return syscall(SYS_writev, fd, iov, n);
}


ssize_t
write(int fd, const void *buf, size_t len)
{
    struct iovec  iov = { (void *) buf, len };

    if (disk_file(fd) != DISK_FILES) {
        disk_wrote(fd, &iov, 1, lseek(fd, 0, SEEK_CUR));
    }

    return syscall(SYS_write, fd, buf, len);
}


static int
disk_synced(int fd, long rc)
{
    unsigned  file = disk_file(fd);

    if (file != DISK_FILES) {
        (void) disk_note(DISK_SYNC, file);
    }

    return (int) rc;
}


int
fdatasync(int fd)
{
    return disk_synced(fd, syscall(SYS_fdatasync, fd));
}


int
fsync(int fd)
{
    return disk_synced(fd, syscall(SYS_fsync, fd));
}


/* No such write is known to the log: LMDB makes none in its default mode. */
int
ftruncate(int fd, off_t len)
{
    disk_must(disk_file(fd) == DISK_FILES, "a data file is cut");

    return (int) syscall(SYS_ftruncate, fd, len);
}


/* --- images --- */

/* The file at path is on the disk as it is now. */
static void
disk_load(disk_image_t *image, const char *path)
{
    int          fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat  st;

    disk_must(fd != -1 && fstat(fd, &st) == 0 && st.st_size <= DISK_SIZE
              && read(fd, image->bytes, DISK_SIZE) == st.st_size, path);
    image->len = (size_t) st.st_size;
    close(fd);
}


static void
disk_open(void)
{
    unsigned  i;

    for (i = 0; i < DISK_FILES; i++) {
        disk_images[i].fd = open(disk_images[i].path,
                                 O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        disk_must(disk_images[i].fd != -1, disk_images[i].path);
    }
}


static void
disk_close(void)
{
    close(disk_images[0].fd);
    close(disk_images[1].fd);
}


/* All of it, whatever the file has now. */
static void
disk_restore(disk_image_t *image)
{
    disk_must(syscall(SYS_ftruncate, image->fd, 0) == 0
              && syscall(SYS_pwrite64, image->fd, image->bytes, image->len, 0)
                 == (long) image->len, "an image");
}


/* An event is on the disk for sure; the image's file does not follow. */
static void
disk_settle(const disk_event_t *e)
{
    disk_image_t  *image = &disk_images[e->file];

    disk_must(e->off + e->len <= DISK_SIZE, "a file grew too big");
    memcpy(image->bytes + e->off, e->data, e->len);

    if (e->off + e->len > image->len) {
        image->len = e->off + e->len;
    }
}


/* --- what a failure leaves of the writes that are not synced --- */

typedef enum {
    DISK_ALL = 0,
    DISK_NONE,
    DISK_PREFIX,                      /* those before a write */
    DISK_TORN,                        /* and the first sectors of that */
    DISK_LATER,                       /* that and those behind it, no others */
    DISK_BUT_ONE,                     /* all but one sector */
    DISK_ONE,                         /* one sector alone */
    DISK_WRITES,                      /* some of the writes */
    DISK_SECTORS,                     /* some of the sectors */
    DISK_MOST,                        /* most of them */
    DISK_HOWS
} disk_how_t;

typedef struct {
    disk_how_t    how;
    size_t        cut;                /* a write */
    size_t        at;                 /* a sector of it */
    uint64_t      seed;
} disk_choice_t;


static uint64_t
disk_mix(uint64_t x)
{
    x = (x + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 30)) * UINT64_C(0x94d049bb133111eb);

    return x ^ (x >> 31);
}


static int
disk_is_kept(const disk_choice_t *c, size_t write, size_t sector)
{
    int       here = write == c->cut && sector == c->at;
    uint64_t  dice = disk_mix(c->seed + write * 65536 + sector);

    switch (c->how) {
    case DISK_ALL:      return 1;
    case DISK_NONE:     return 0;
    case DISK_PREFIX:   return write < c->cut;
    case DISK_TORN:     return write < c->cut
                               || (write == c->cut && sector <= c->at);
    case DISK_LATER:    return write >= c->cut;
    case DISK_BUT_ONE:  return !here;
    case DISK_ONE:      return here;
    case DISK_WRITES:   return (int) (disk_mix(c->seed + write) & 1);
    case DISK_SECTORS:  return (int) (dice & 1);
    default:            return dice % 8 != 0;
    }
}


/* Sectors of one write into the image's file. */
static void
disk_put(const disk_event_t *e, const disk_choice_t *c, size_t write)
{
    size_t  done, n;

    for (done = 0; done < e->len; done += n) {
        n = DISK_SECTOR - (e->off + done) % DISK_SECTOR;
        n = n < e->len - done ? n : e->len - done;

        if (disk_is_kept(c, write, (e->off + done) / DISK_SECTOR
                                   - e->off / DISK_SECTOR))
        {
            disk_must(syscall(SYS_pwrite64, disk_images[e->file].fd,
                              e->data + done, n, e->off + done) == (long) n,
                      "an image");
        }
    }
}


/* Puts back what disk_put may have changed. */
static void
disk_take_back(const disk_event_t *e)
{
    size_t         n;
    disk_image_t  *image = &disk_images[e->file];

    n = e->off >= image->len ? 0 : image->len - e->off;
    n = n < e->len ? n : e->len;

    disk_must(syscall(SYS_pwrite64, image->fd, image->bytes + e->off, n, e->off)
              == (long) n
              && syscall(SYS_ftruncate, image->fd, image->len) == 0,
              "an image");
}

#endif /* AIGW_POWER_DISK_H */
