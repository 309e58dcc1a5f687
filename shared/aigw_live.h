/*
 * The live segment: files on tmpfs that all workers of all nginx generations
 * and the CLI map: running counters of every account, and one journal per
 * worker. Atomics only; no lock is taken on the request's path. Directory
 * DIR/ holds `counters`, `j.0` ..., `lock` (construction) and `leader` (who
 * flushes). It outlives any process, not a reboot; it is rebuilt from usage.
 */

#ifndef AIGW_LIVE_H
#define AIGW_LIVE_H

#include <sys/types.h>

#include "aigw.h"
#include "aigw_record.h"
#include "aigw_store.h"


typedef struct aigw_live_s     aigw_live_t;
typedef struct aigw_journal_s  aigw_journal_t;

#define AIGW_LIVE_PATH_LEN     255
#define AIGW_LIVE_ACCOUNTS     262144 /* slots of 32 bytes */
#define AIGW_JOURNAL_MAX       64     /* workers of all generations alive */
#define AIGW_JOURNAL_RECORDS   8192   /* in each ring, of 384 bytes */
#define AIGW_JOURNAL_STALE_MS  5000   /* a record older than that: refuse */


/* --- life --- */

/*
 * The directory of a store's live segment: /run/aigw/ID where that exists or
 * /run is a tmpfs that this process may write, else /dev/shm/aigw-ID.
 */
void aigw_live_locate(aigw_str_t store_id, char path[AIGW_LIVE_PATH_LEN + 1]);

/*
 * Makes the directory (mode 0700) for uid and gid, and checks it: on tmpfs, a
 * directory and no link, owned by uid, root or this process. The master calls
 * it while it is root. fault gets a sentence that says what to do.
 */
aigw_err_t aigw_live_prepare(const char *path, uid_t uid, gid_t gid,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/*
 * Maps the counters. With a store (usage open): builds or rebuilds them first
 * where they are missing, damaged, of another store or another layout: sums of
 * the store plus what the journals hold beyond it (under the lock file; may
 * take a while, the store is only read). With store NULL: AIGW_ENOTFOUND if
 * there are none. AIGW_EBUSY: somebody else has been at it for 10 s. Those who
 * have the old counters mapped keep them.
 */
aigw_err_t aigw_live_open(const char *path, aigw_store_t *store,
    aigw_live_t **live, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* Unmaps; NULL does nothing. */
void aigw_live_close(aigw_live_t *live);


/* --- counters --- */

typedef struct {
    aigw_account_kind_t  kind;
    uint64_t             id;
    int64_t              limit_nano;  /* or AIGW_UNLIMITED */
} aigw_live_account_t;

#define AIGW_LIVE_LEVELS  3           /* key, project, user: in this order */

/*
 * May a request be let in that is charged to all of these? AIGW_OK, or
 * AIGW_ERANGE with *which = the first account that has nothing left, or
 * AIGW_EFULL (no slot for a new account). The one place that compares a limit
 * with what is spent; a hold joins it here.
 */
aigw_err_t aigw_live_admit(aigw_live_t *live,
    const aigw_live_account_t account[AIGW_LIVE_LEVELS], unsigned *which)
    AIGW_CHECKED;

/* Adds cost to what each has spent. Saturates at INT64_MAX; a cost of 0 or
   less adds nothing. */
void aigw_live_charge(aigw_live_t *live,
    const aigw_live_account_t account[AIGW_LIVE_LEVELS], int64_t cost_nano);

/* 0 for an account that has no slot. */
void aigw_live_read(const aigw_live_t *live, aigw_account_kind_t kind,
    uint64_t id, int64_t *spent_nano, int64_t *held_nano);

/*
 * May one more refusal of `who` (a key's id, or a hash of an address) get a
 * row in this second? At most 10 do; the others are counted. Constant memory:
 * two whos may share a counter.
 */
int aigw_live_may_log_refusal(aigw_live_t *live, uint64_t who, int64_t now_ms);


typedef struct {
    uint64_t   accounts;              /* slots in use */
    uint64_t   refusals_unlogged;
    unsigned   journals;              /* files */
    uint64_t   undrained;             /* records in all of them */
    uint64_t   damaged;               /* records lost to a wrong checksum */
} aigw_live_stats_t;

void aigw_live_stats(const aigw_live_t *live, aigw_live_stats_t *stats);


/* --- journals: one writer, the worker that claimed it --- */

/* Claims a free journal by an OFD lock that the kernel frees at death, or
   makes a new one (preallocated). One that died in use goes on where it was.
   Borrows live during the call. AIGW_EFULL: all are taken, or no room. */
aigw_err_t aigw_journal_claim(aigw_live_t *live, aigw_journal_t **journal,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* Gives it back; what is in it stays for the flusher. NULL does nothing. */
void aigw_journal_release(aigw_journal_t *journal);

/* AIGW_OK: may take admissions. AIGW_EFULL: it is 90 % full, or its oldest
   record has waited AIGW_JOURNAL_STALE_MS (design, I4). No system call. */
aigw_err_t aigw_journal_ready(const aigw_journal_t *journal, int64_t now_ms)
    AIGW_CHECKED;

/* A new row id: time-ordered, unique over workers and restarts. */
void aigw_journal_new_id(aigw_journal_t *journal, int64_t now_ms,
    uint8_t id[AIGW_ROW_ID_LEN]);

/* Appends a row: pack, checksum, release. No system call, no allocation.
   Copies row. Its age counts from the later of time_ms and settled_ms.
   AIGW_EFULL: nothing is written. */
aigw_err_t aigw_journal_append(aigw_journal_t *journal, const aigw_row_t *row)
    AIGW_CHECKED;

#endif /* AIGW_LIVE_H */
