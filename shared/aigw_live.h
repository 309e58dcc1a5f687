/*
 * The live segment: files on tmpfs that all workers of all nginx generations
 * and the CLI map: running counters of every account, and one journal per
 * worker with its calls in flight. Atomics only; no lock is taken on the
 * request's path. Directory DIR/ holds `counters`, `j.0` ..., `lock`
 * (construction) and `leader` (who flushes). It outlives any process, not a
 * reboot; it is rebuilt from usage.
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
#define AIGW_LIVE_ACCOUNTS     131072 /* slots of 64 bytes */
#define AIGW_JOURNAL_MAX       64     /* workers of all generations alive */
#define AIGW_FLIGHT_MAX        2048   /* calls in flight, of one worker */
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

/* 0 for an account that has no slot. */
void aigw_live_read(const aigw_live_t *live, aigw_account_kind_t kind,
    uint64_t id, int64_t *spent_nano, int64_t *held_nano);

/*
 * What one more hold may be: the least of limit - spent - held, never below 0;
 * INT64_MAX where nothing binds. *which gets the account it is, *left_nano the
 * least of limit - spent.
 */
int64_t aigw_live_free(const aigw_live_t *live,
    const aigw_live_account_t account[AIGW_LIVE_LEVELS], int64_t *left_nano,
    unsigned *which);

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
    uint64_t   in_flight;             /* calls in all of them */
    uint64_t   damaged;               /* records lost to a wrong checksum */
} aigw_live_stats_t;

void aigw_live_stats(const aigw_live_t *live, aigw_live_stats_t *stats);


/* --- journals: one writer, the worker that claimed it --- */

/* Claims a free journal by an OFD lock that the kernel frees at death, or
   makes a new one (preallocated). One that died in use goes on where it was;
   what it and others of the dead left in flight is settled. Borrows live during
   the call. AIGW_EFULL: all are taken, or no room. */
aigw_err_t aigw_journal_claim(aigw_live_t *live, aigw_journal_t **journal,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* Gives it back; what is in it stays for the flusher, and what is in flight for
   who comes next, as if this process had died. NULL does nothing. */
void aigw_journal_release(aigw_journal_t *journal);

/* AIGW_OK: may take admissions. AIGW_EFULL: it is 90 % full, calls in flight
   included, or its oldest record has waited AIGW_JOURNAL_STALE_MS (design, I4).
   No system call. */
aigw_err_t aigw_journal_ready(const aigw_journal_t *journal, int64_t now_ms)
    AIGW_CHECKED;

/* A new row id: time-ordered, unique over workers and restarts. */
void aigw_journal_new_id(aigw_journal_t *journal, int64_t now_ms,
    uint8_t id[AIGW_ROW_ID_LEN]);

/* Appends a row: pack, checksum, release. No system call, no allocation.
   Copies row. Its age counts from the later of time_ms and settled_ms.
   AIGW_EFULL: nothing is written, for what room there is belongs to calls in
   flight. For rows that cost nothing: others are aigw_flight_end's. */
aigw_err_t aigw_journal_append(aigw_journal_t *journal, const aigw_row_t *row)
    AIGW_CHECKED;


/*
 * --- calls in flight ---
 *
 * From begin to end a call has an entry in its worker's journal and holds an
 * amount in its three accounts. Whatever kills the worker at whatever
 * instruction, whoever recovers the journal settles it once (design, I1 to I4).
 * No system call, no lock, no allocation. `flight` is valid from a begin that
 * returned AIGW_OK to its end.
 */

/*
 * Lets a call in: all three accounts hold row->hold_nano (0 or more) from here
 * on, or none does. account: key, project, user, the ids being the row's own.
 * Copies of row: id, ids, time_ms, route, flags, model, tag, hold_nano, and as
 * estimate tokens.prompt_tokens; of price: all, its version goes into rows.
 *
 * AIGW_ERANGE: spent + held + hold would be above the limit of account *which
 * now, the first such one. AIGW_EFULL: no entry left, no room reserved in the
 * ring, or no slot for an account. AIGW_EINVAL: a hold below 0.
 */
aigw_err_t aigw_flight_begin(aigw_live_t *live, aigw_journal_t *journal,
    const aigw_live_account_t account[AIGW_LIVE_LEVELS], const aigw_row_t *row,
    const aigw_price_t *price, unsigned *flight, unsigned *which) AIGW_CHECKED;

/* From here on it may have reached the upstream: to be called before. */
void aigw_flight_sent(aigw_journal_t *journal, unsigned flight);

/* What the answer has shown so far; to be called before bytes are passed on.
   tokens NULL: no usage seen yet, or none since. text_bytes: of all text. */
void aigw_flight_update(aigw_journal_t *journal, unsigned flight,
    const aigw_tokens_t *tokens, uint64_t text_bytes);

/*
 * Charges row->cost_nano to the three, appends row, gives the hold back and
 * frees the entry: all of it once, even if killed in between. The row has the
 * id and ids of begin. It has room (begin saw to it). AIGW_EINVAL: there is no
 * such flight, or the cost is below 0, and nothing was done.
 */
aigw_err_t aigw_flight_end(aigw_live_t *live, aigw_journal_t *journal,
    unsigned flight, const aigw_row_t *row) AIGW_CHECKED;

/*
 * Books a credit or a refund: what its accounts (an id of 0 is none) have spent
 * grows by row->cost_nano, 0 or below, and the row is appended; both once, even
 * if killed in between. For aigw_ledger_post, which sees to it that there is no
 * second one. AIGW_EFULL: no entry, no room or no slot. AIGW_ERANGE: an
 * account's sum would leave its bounds. AIGW_EINVAL: it is neither.
 */
aigw_err_t aigw_flight_post(aigw_live_t *live, aigw_journal_t *journal,
    const aigw_row_t *row) AIGW_CHECKED;

/* How many are in flight in this journal. */
unsigned aigw_journal_flights(const aigw_journal_t *journal);


/* A call in flight as others see it. row: what begin copied, and the tokens
   seen so far where `seen`. */
typedef struct {
    aigw_row_t  row;
    uint64_t    text_bytes;
    unsigned    journal;
    unsigned    sent:1;
    unsigned    seen:1;
    unsigned    settling:1;
} aigw_flight_view_t;

typedef aigw_err_t (*aigw_flight_each_pt)(void *data,
    const aigw_flight_view_t *view);

/* Each call in flight of all journals, one moment each; those that end or begin
   meanwhile may be missing. Ends at the first that each does not answer with
   AIGW_OK, and returns that. */
aigw_err_t aigw_flight_each(const aigw_live_t *live, aigw_flight_each_pt each,
    void *data) AIGW_CHECKED;

#endif /* AIGW_LIVE_H */
