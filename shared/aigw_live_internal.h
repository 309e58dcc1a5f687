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


#define AIGW_LIVE_LAYOUT        2
#define AIGW_LIVE_MAGIC         UINT64_C(0x61696777636e7431)  /* "aigwcnt1" */
#define AIGW_JOURNAL_MAGIC      UINT64_C(0x616967776a726e31)  /* "aigwjrn1" */
#define AIGW_LIVE_REFUSALS      4096
#define AIGW_LIVE_NAME_LEN      15     /* of a file in the directory */
#define AIGW_LIVE_LOCK_WAIT_MS  10000

#define AIGW_LIVE_COUNTERS      "counters"
#define AIGW_LIVE_LOCK          "lock"
#define AIGW_LIVE_LEADER        "leader"
#define AIGW_LIVE_JOURNAL       "j.%u"


/* Where a test dies; nothing in production. */
#ifndef AIGW_LIVE_STEP
#define AIGW_LIVE_STEP()
#endif


/*
 * A number that many write, each update of which can be told from all others
 * after the death of its writer: op = writer << 56 | seq, 0 for none yet. A
 * writer is whoever holds the journal of that number.
 */
typedef struct {
    _Alignas(16)
    _Atomic int64_t   value;
    _Atomic uint64_t  op;
} aigw_live_cell_t;

#define AIGW_LIVE_OP(writer, seq)  ((uint64_t) (writer) << 56 | (seq))
#define AIGW_LIVE_ANYBODY          AIGW_JOURNAL_MAX  /* without a journal */


/* seq: the last one used. seen[q]: the last one of q that this writer has found
   in a cell. Both only grow, and belong to the cells beside them: they are lost
   with them, and with nothing else. */
typedef struct {
    _Alignas(64)
    _Atomic uint64_t  seq;
    _Atomic uint64_t  seen[AIGW_JOURNAL_MAX];
} aigw_live_writer_t;


/* tag: 0 where free. */
#define AIGW_LIVE_TAG(kind, id)                                               \
    ((uint64_t) (kind) << 56 | ((id) & ((UINT64_C(1) << 56) - 1)))

typedef struct {
    _Alignas(64)
    _Atomic uint64_t  tag;
    uint64_t          reserved[3];
    aigw_live_cell_t  spent;
    aigw_live_cell_t  held;
} aigw_live_slot_t;


/* id: random. complete is the last thing its maker stores. The generation is
   for what workers poll for: streams to be cut. */
typedef struct {
    uint64_t                   magic;
    uint32_t                   layout;
    uint32_t                   accounts;
    uint64_t                   id;
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
    aigw_live_writer_t         writers[AIGW_JOURNAL_MAX + 1];
    _Alignas(4096)
    aigw_live_slot_t           slots[AIGW_LIVE_ACCOUNTS];
} aigw_live_counters_t;

_Static_assert(sizeof(aigw_live_slot_t) == 64
               && sizeof(aigw_live_counters_t)
                  == 4096 + AIGW_LIVE_REFUSALS * 8 + 10 * 4096
                     + AIGW_LIVE_ACCOUNTS * 64,
               "the counters are laid out without holes");


/* What is to be done next in an entry, or has been done: in this order. The
   three of HOLD, UNDO, SPEND and RELEASE are those of key, project, user. */
typedef enum {
    AIGW_FLIGHT_FREE = 0,
    AIGW_FLIGHT_HOLD,
    AIGW_FLIGHT_UNDO = AIGW_FLIGHT_HOLD + AIGW_LIVE_LEVELS,
    AIGW_FLIGHT_HELD = AIGW_FLIGHT_UNDO + AIGW_LIVE_LEVELS,
    AIGW_FLIGHT_SPEND,
    AIGW_FLIGHT_APPEND = AIGW_FLIGHT_SPEND + AIGW_LIVE_LEVELS,
    AIGW_FLIGHT_RELEASE,
    AIGW_FLIGHT_STAGES = AIGW_FLIGHT_RELEASE + AIGW_LIVE_LEVELS
} aigw_flight_stage_t;


/*
 * An admitted call. word = seq << 8 | stage is what its writer is about to do,
 * by which update: whatever it takes is here before. usage counts the tokens
 * noted: the last are in tokens[usage % 2]. slot is where the accounts were.
 */
typedef struct {
    _Alignas(64)
    _Atomic uint64_t  word;
    _Atomic uint32_t  usage;
    _Atomic uint32_t  sent;
    _Atomic uint64_t  text_bytes;
    uint64_t          planned;         /* its row's number in the ring */
    int64_t           cost_nano;
    int64_t           hold_nano;
    int64_t           prompt_tokens;   /* estimated */
    int64_t           time_ms;
    uint64_t          account[AIGW_LIVE_LEVELS];
    uint32_t          slot[AIGW_LIVE_LEVELS];
    uint16_t          flags;
    uint8_t           route;
    uint8_t           id[AIGW_ROW_ID_LEN];
    aigw_price_t      price;
    aigw_tokens_t     tokens[2];
    char              model[AIGW_MODEL_MAX + 1];
    char              tag[AIGW_TAG_MAX + 1];
} aigw_flight_entry_t;

#define AIGW_FLIGHT_SIZE  448


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
   not drained. tail is the leader's, all else the writer's. in_flight is never
   less than the entries in use. */
typedef struct {
    uint64_t               magic;
    uint32_t               layout;
    uint32_t               records;
    uint64_t               id;         /* random: the watermark's key */
    char                   store[AIGW_STORE_ID_LEN];
    _Alignas(64)
    _Atomic uint64_t       head;
    uint64_t               counter;    /* of row ids: goes on at take-over */
    _Atomic uint64_t       in_flight;
    _Alignas(64)
    _Atomic uint64_t       tail;
    _Alignas(4096)
    aigw_flight_entry_t    flights[AIGW_FLIGHT_MAX];
    _Alignas(4096)
    aigw_journal_record_t  ring[AIGW_JOURNAL_RECORDS];
} aigw_journal_file_t;

_Static_assert(sizeof(aigw_journal_record_t) == 384
               && sizeof(aigw_flight_entry_t) == AIGW_FLIGHT_SIZE
               && sizeof(aigw_journal_file_t)
                  == 4096 + AIGW_FLIGHT_MAX * AIGW_FLIGHT_SIZE
                     + AIGW_JOURNAL_RECORDS * 384,
               "journals are laid out without holes");


struct aigw_live_s {
    char                   path[AIGW_LIVE_PATH_LEN + 1];
    char                   store[AIGW_STORE_ID_LEN];
    aigw_live_counters_t  *counters;
};


/* A journal that is claimed. free: the entries not in use, a stack. */
struct aigw_journal_s {
    aigw_journal_file_t   *file;
    int                    fd;         /* its OFD lock is the claim */
    unsigned               slot;
    unsigned               nfree;
    uint16_t               free[AIGW_FLIGHT_MAX];
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
   than one that is. No directory: none. */
aigw_err_t aigw_live_dir_journals(const char *dir,
    ino_t inode[AIGW_JOURNAL_MAX]) AIGW_CHECKED;

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

/* An account's slot; made if missing and asked for. NULL: there is none. */
aigw_live_slot_t *aigw_live_slot(aigw_live_counters_t *counters,
    aigw_account_kind_t kind, uint64_t id, int make);

/* Adds to one account of counters that need not be complete yet. AIGW_EFULL:
   it has no slot and gets none. */
aigw_err_t aigw_live_add(aigw_live_counters_t *counters,
    aigw_account_kind_t kind, uint64_t id, int64_t spent_nano,
    int64_t held_nano) AIGW_CHECKED;

/* Are these the counters that the directory holds, or have they been made anew
   since? A few system calls. */
int aigw_live_is_current(const aigw_live_t *live);


/* --- aigw_live_cell.c --- */

/* The next number of writer, whose journal the caller holds. */
static inline uint64_t
aigw_live_cell_next(aigw_live_counters_t *counters, unsigned writer)
{
    uint64_t           n;
    _Atomic uint64_t  *seq = &counters->writers[writer].seq;

    n = atomic_load_explicit(seq, memory_order_relaxed) + 1;
    atomic_store_explicit(seq, n, memory_order_release);
    AIGW_LIVE_STEP();

    return n;
}


/* cell = to, by op of writer, if it is still `value` as of `seen`: 1. */
int aigw_live_cell_swap(aigw_live_counters_t *counters, unsigned writer,
    aigw_live_cell_t *cell, int64_t value, uint64_t seen, int64_t to,
    uint64_t op);

/* cell += delta, by op of writer; saturates. */
void aigw_live_cell_add(aigw_live_counters_t *counters, unsigned writer,
    aigw_live_cell_t *cell, int64_t delta, uint64_t op);

/* Did op, the last one of its writer, change cell? For whoever holds the
   writer's journal now. */
int aigw_live_cell_happened(const aigw_live_counters_t *counters,
    const aigw_live_cell_t *cell, uint64_t op);


/* --- aigw_flight.c --- */

/* All entries are free: for a journal just claimed and recovered. */
void aigw_flight_init(aigw_journal_t *journal);

/* Settles what the dead owner of a journal has left in flight; the caller has
   claimed it. Killed itself, the next one goes on. Returns how many calls. */
unsigned aigw_flight_recover(aigw_live_t *live, aigw_journal_t *journal);

/*
 * Adds what the entries of a journal hold, or have spent without a row, to
 * counters that are being built. An update that may or may not have happened
 * counts as not: so aigw_flight_recover will find it there.
 */
aigw_err_t aigw_flight_build(aigw_live_counters_t *counters,
    const aigw_journal_file_t *file) AIGW_CHECKED;


/* --- aigw_live_build.c --- */

/*
 * Makes the counters: sums of the store and what is not drained yet. The
 * caller holds the lock file; takes the leader's place meanwhile, so that no
 * record moves from a journal to the sums between the two looks.
 */
aigw_err_t aigw_live_build(const char *dir, aigw_store_t *store,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* Adds to counters (their store's id is set) what they would be. Without the
   leader's place others may be at work, and the result is wrong by that. */
aigw_err_t aigw_live_build_fill(aigw_live_counters_t *counters,
    const char *dir, aigw_store_t *store) AIGW_CHECKED;


/* --- aigw_journal_read.c --- */

/* Is it a journal of this store and layout? */
int aigw_journal_is_valid(const aigw_journal_file_t *file,
    const char store[AIGW_STORE_ID_LEN]);

uint32_t aigw_journal_crc(const aigw_journal_record_t *record);

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

/* Copy out the row of one released record: packed, AIGW_ROW_PACKED_MAX bytes at
   most, with its own CRC-32C; or unpacked. AIGW_ECORRUPT: it is damaged. That
   copied bytes are a row is not checked. */
aigw_err_t aigw_journal_copy(const aigw_journal_file_t *file, uint64_t seq,
    uint8_t *row, size_t *len, uint32_t *crc) AIGW_CHECKED;
aigw_err_t aigw_journal_read(const aigw_journal_file_t *file, uint64_t seq,
    aigw_row_t *row) AIGW_CHECKED;

/* Records between tail and head, at most AIGW_JOURNAL_RECORDS. */
uint64_t aigw_journal_undrained(const aigw_journal_file_t *file);


/* --- aigw_journal.c --- */

/* May one more call be let in, so that each in flight has room for its row? */
int aigw_journal_has_room(const aigw_journal_file_t *file);

/* Writes a row where it is no record yet, and its number into *planned. There
   must be room. */
void aigw_journal_write(aigw_journal_file_t *file, const aigw_row_t *row,
    uint64_t *planned);

/* Makes a record of it; no harm if it is one already. */
void aigw_journal_publish(aigw_journal_file_t *file, uint64_t planned);

/*
 * Settles what was left in flight in journal `slot`, if its owner is dead.
 * AIGW_EBUSY: it is alive, or the counters have been made anew.
 */
aigw_err_t aigw_journal_recover(aigw_live_t *live, unsigned slot)
    AIGW_CHECKED;

#endif /* AIGW_LIVE_INTERNAL_H */
