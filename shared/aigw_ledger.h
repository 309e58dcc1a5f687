/*
 * From the journals to the ledger: group commit by one leader among all
 * workers, old and new, and the CLI. A pass reads every journal behind its
 * watermark and writes rows, sums and watermarks in one transaction, then
 * frees the ring. Killed anywhere, the next pass starts at the watermark that
 * the store holds: nothing is lost, nothing written twice.
 */

#ifndef AIGW_LEDGER_H
#define AIGW_LEDGER_H

#include "aigw.h"
#include "aigw_live.h"
#include "aigw_store.h"


typedef struct aigw_flusher_s  aigw_flusher_t;


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
 * A thread that drains every interval_ms while it can be leader (sooner when a
 * ring fills), all signals blocked. Borrows store and live until stopped.
 * Start it after fork: a child has no such thread.
 */
aigw_err_t aigw_flusher_start(aigw_store_t *store, aigw_live_t *live,
    unsigned interval_ms, aigw_flusher_t **flusher) AIGW_CHECKED;

/*
 * Asks it to make a last pass and end. AIGW_OK: joined and freed. AIGW_EBUSY:
 * not within timeout_ms; the thread may still hold the write transaction, so
 * store and live must stay as they are until the process exits.
 */
aigw_err_t aigw_flusher_stop(aigw_flusher_t *flusher, unsigned timeout_ms)
    AIGW_CHECKED;

/* The last pass's error, AIGW_OK if it went well or somebody else leads: for
   somebody who can log. */
aigw_err_t aigw_flusher_error(const aigw_flusher_t *flusher);

#endif /* AIGW_LEDGER_H */
