/*
 * The files of the live segment as bytes, and what its .c files and the ledger
 * share. Not for module or CLI. A change of a struct is a new layout number:
 * counters are then rebuilt, journals made anew as soon as they are free.
 */

#ifndef AIGW_LIVE_INTERNAL_H
#define AIGW_LIVE_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "aigw.h"
#include "aigw_live.h"


#define AIGW_LIVE_LAYOUT        1
#define AIGW_LIVE_MAGIC         UINT64_C(0x61696777636e7431)  /* "aigwcnt1" */
#define AIGW_JOURNAL_MAGIC      UINT64_C(0x616967776a726e31)  /* "aigwjrn1" */
#define AIGW_LIVE_REFUSALS      4096
#define AIGW_LIVE_NAME_LEN      15     /* of a file in the directory */
#define AIGW_LIVE_LOCK_WAIT_MS  10000

#define AIGW_LIVE_COUNTERS      "counters"
#define AIGW_LIVE_LOCK          "lock"
#define AIGW_LIVE_LEADER        "leader"
#define AIGW_LIVE_JOURNAL       "j.%u"


/* tag: kind << 56 | id, 0 where free. held is 0 until there are holds. */
typedef struct {
    _Atomic uint64_t  tag;
    _Atomic int64_t   spent_nano;
    _Atomic int64_t   held_nano;
    uint64_t          reserved;
} aigw_live_slot_t;


/* complete is the last thing its maker stores. The generation is for what
   workers poll for: streams to be cut. */
typedef struct {
    uint64_t                   magic;
    uint32_t                   layout;
    uint32_t                   accounts;
    char                       store[AIGW_STORE_ID_LEN];
    _Atomic uint32_t           complete;
    _Alignas(64)
    _Atomic uint64_t           refusals_unlogged;
    _Atomic uint64_t           damaged;
    _Alignas(64)
    _Atomic uint64_t           generation;
    /* second << 16 | rows in it */
    _Alignas(4096)
    _Atomic uint64_t           refusals[AIGW_LIVE_REFUSALS];
    _Alignas(4096)
    aigw_live_slot_t           slots[AIGW_LIVE_ACCOUNTS];
} aigw_live_counters_t;

_Static_assert(sizeof(aigw_live_counters_t)
               == 4096 + AIGW_LIVE_REFUSALS * 8 + AIGW_LIVE_ACCOUNTS * 32,
               "the counters are laid out without holes");


/* crc: CRC-32C of seq, time_ms, len and the packed row. time_ms: when it was
   appended, for the writer's look at its age. */
typedef struct {
    uint64_t   seq;
    int64_t    time_ms;
    uint32_t   len;
    uint32_t   crc;
    uint8_t    row[AIGW_ROW_PACKED_MAX];
} aigw_journal_record_t;


/* Record seq is in ring[seq % AIGW_JOURNAL_RECORDS]; those in (tail, head] are
   not drained. head and counter are the writer's, tail is the leader's. */
typedef struct {
    uint64_t               magic;
    uint32_t               layout;
    uint32_t               records;
    uint64_t               id;         /* random: the watermark's key */
    char                   store[AIGW_STORE_ID_LEN];
    _Alignas(64)
    _Atomic uint64_t       head;
    uint64_t               counter;    /* of row ids: goes on at take-over */
    _Alignas(64)
    _Atomic uint64_t       tail;
    _Alignas(4096)
    aigw_journal_record_t  ring[AIGW_JOURNAL_RECORDS];
} aigw_journal_file_t;

_Static_assert(sizeof(aigw_journal_record_t) == 384
               && sizeof(aigw_journal_file_t)
                  == 4096 + AIGW_JOURNAL_RECORDS * 384,
               "journals are laid out without holes");


struct aigw_live_s {
    char                   path[AIGW_LIVE_PATH_LEN + 1];
    char                   store[AIGW_STORE_ID_LEN];
    aigw_live_counters_t  *counters;
};


/* The journals of a live segment as their readers map them. */
typedef struct {
    aigw_journal_file_t   *file;       /* NULL: none in this slot */
    ino_t                  inode;
} aigw_journal_map_t;

typedef struct {
    aigw_journal_map_t     map[AIGW_JOURNAL_MAX];
} aigw_journals_t;


/* --- aigw_live_place.c --- */

/* Is dir a directory on tmpfs? AIGW_ENOTFOUND, AIGW_EINVAL (not tmpfs), ... */
aigw_err_t aigw_live_place_check(const char *dir,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;


/* --- aigw_live_dir.c: files in the directory, and its locks --- */

/* Writes a sentence into fault. */
void aigw_live_dir_fault(char fault[AIGW_FAULT_LEN + 1], const char *format,
    ...) __attribute__((format(printf, 2, 3)));

/* What an errno is to us. */
aigw_err_t aigw_live_dir_err(int error);

/* Maps a file of exactly size bytes, for reading and writing. With fd: claims
   it by an OFD lock that lasts until fd is closed. AIGW_EBUSY: it is claimed.
   AIGW_ECORRUPT: another size or kind. */
aigw_err_t aigw_live_dir_map(const char *dir, const char *name, size_t size,
    void **map, int *fd) AIGW_CHECKED;

/* The same for a new file of zeros (an old one of that name goes away), owned
   as dir is. Preallocated: a store to the map cannot run out of space. */
aigw_err_t aigw_live_dir_make(const char *dir, const char *name, size_t size,
    void **map, int *fd, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

aigw_err_t aigw_live_dir_rename(const char *dir, const char *from,
    const char *to) AIGW_CHECKED;

/* The inode number of a file, 0 if there is none. */
ino_t aigw_live_dir_inode(const char *dir, const char *name);

/* Those of all journals in one look: a name that is not there costs tmpfs more
   than one that is. */
void aigw_live_dir_journals(const char *dir, ino_t inode[AIGW_JOURNAL_MAX]);

/* flock(LOCK_EX) on a file, made if missing; waits at most wait_ms. Ends with
   aigw_live_dir_unlock or the process. AIGW_EBUSY: somebody else has it. */
aigw_err_t aigw_live_dir_lock(const char *dir, const char *name,
    unsigned wait_ms, int *fd) AIGW_CHECKED;

void aigw_live_dir_unlock(int fd);

/* Does somebody hold that lock? */
int aigw_live_dir_is_locked(const char *dir, const char *name);

/* Is fd still the file of that name? */
int aigw_live_dir_is_same(const char *dir, const char *name, int fd);


/* --- aigw_live.c --- */

/* Adds cost to one account of counters that need not be complete yet.
   AIGW_EFULL: it has no slot and gets none. */
aigw_err_t aigw_live_add(aigw_live_counters_t *counters,
    aigw_account_kind_t kind, uint64_t id, int64_t cost_nano) AIGW_CHECKED;


/* --- aigw_live_build.c --- */

/*
 * Makes the counters: sums of the store and what is not drained yet. The
 * caller holds the lock file; takes the leader's place meanwhile, so that no
 * record moves from a journal to the sums between the two looks.
 */
aigw_err_t aigw_live_build(const char *dir, aigw_store_t *store,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;


/* --- aigw_journal.c: the readers' side --- */

/* Maps what is new or replaced; all zero for a first call. A file that is no
   journal of this store is left out. */
aigw_err_t aigw_journal_map_all(const char *dir,
    const char store[AIGW_STORE_ID_LEN], aigw_journals_t *journals)
    AIGW_CHECKED;
void aigw_journal_unmap_all(aigw_journals_t *journals);

/* Records (*after, *head] are not in the store yet: by the store's watermark,
   or by the tail where that is further. AIGW_ECORRUPT: that cannot be. */
aigw_err_t aigw_journal_pending(aigw_store_t *store,
    const aigw_journal_file_t *file, uint64_t *after, uint64_t *head)
    AIGW_CHECKED;

/* Copies out one released record. AIGW_ECORRUPT: it is damaged. */
aigw_err_t aigw_journal_read(const aigw_journal_file_t *file, uint64_t seq,
    aigw_row_t *row) AIGW_CHECKED;

/* Records between tail and head, at most AIGW_JOURNAL_RECORDS. */
uint64_t aigw_journal_undrained(const aigw_journal_file_t *file);

#endif /* AIGW_LIVE_INTERNAL_H */
