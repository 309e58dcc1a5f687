/*
 * From the journals to the ledger: group commit by one leader among all
 * workers, old and new, and the CLI. A pass reads every journal behind its
 * watermark and writes rows, sums and watermarks in one transaction, then
 * frees the ring. Killed anywhere, the next pass starts at the watermark that
 * the store holds: nothing is lost, nothing written twice.
 */

#ifndef AIGW_LEDGER_H
#define AIGW_LEDGER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "aigw.h"
#include "aigw_live.h"
#include "aigw_store.h"


#define AIGW_FLUSHER_WAKE  SIGALRM


/* In memory that a flusher and its worker share. */
typedef struct {
    _Atomic int  stop;                /* the worker's: make a last pass, end */
    _Atomic int  error;               /* aigw_err_t of the last pass; AIGW_OK
                                         too if somebody else leads */
} aigw_flusher_t;


typedef struct {
    uint64_t   rows;                  /* written */
    uint64_t   doubles;               /* left out: their id was there */
    uint64_t   damaged;               /* checksum wrong: skipped, counted */
} aigw_ledger_stats_t;

/*
 * One pass over all journals: writes what they hold when it begins. On error
 * the rest stays where it is. AIGW_EBUSY: somebody else is the leader.
 * AIGW_ECORRUPT: a journal's header is damaged, the others are written. Blocks
 * on the disk: never in the event loop. stats may be NULL.
 */
aigw_err_t aigw_ledger_drain(aigw_store_t *store, aigw_live_t *live,
    aigw_ledger_stats_t *stats) AIGW_CHECKED;

/*
 * Books row, a credit or a refund of time_ms, and sets its id: once, whoever is
 * killed at whatever instruction. After AIGW_OK it is on disk. AIGW_EEXIST: it
 * is there already (perhaps with another cost), and *row is that one: time_ms 0
 * if the row is gone. AIGW_AGAIN: it counts, but nobody has written it to the
 * store so far. AIGW_ERANGE: a sum would leave its bounds. AIGW_EBUSY: somebody
 * else is at it. Blocks on locks and the disk. fault gets a sentence where the
 * error alone does not say what to do, else it is empty.
 */
aigw_err_t aigw_ledger_post(aigw_store_t *store, const char *live_path,
    aigw_row_t *row, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/*
 * The life of a flusher, a process of its own that the worker (a pid) has
 * forked and that has nothing else to do: drains every interval_ms while it
 * can be leader (sooner when a ring fills), until shared->stop is set or the
 * worker is gone; after a last pass it returns, for the caller to _exit. To be
 * told at once send it AIGW_FLUSHER_WAKE. Closes every file but 0 to 2, blocks
 * all signals (fork with them blocked), opens store and live segment for
 * itself; if it can't, shared->error says why.
 */
void aigw_flusher_run(aigw_flusher_t *shared, pid_t worker,
    const char *store_path, const char *live_path, unsigned interval_ms);

#endif /* AIGW_LEDGER_H */
