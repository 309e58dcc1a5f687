/*
 * Deleting old rows so that every sum stays. What a row added to its roll-up
 * goes into the closing of that roll-up in the transaction that deletes it:
 * roll-ups and what accounts have spent are rows and closings together, at any
 * moment and whoever is killed.
 */

#ifndef AIGW_STORE_PRUNE_H
#define AIGW_STORE_PRUNE_H

#include "aigw.h"
#include "aigw_record.h"
#include "aigw_store.h"


/* How far it has come. All zero but before_ms at first. */
typedef struct {
    int64_t    before_ms;             /* rows of calls admitted before it go */
    uint64_t   rows;                  /* so many so far, */
    int64_t    cost_nano;             /* which cost that much, and */
    uint64_t   looked;                /* so many were looked at */
    uint8_t    last[AIGW_ROW_ID_LEN]; /* id of the last of these */
    unsigned   done:1;
} aigw_prune_t;


/*
 * Deletes some more rows, the oldest first: one small transaction, so that a
 * flusher waits for no longer than for another flush. dry: only counts them.
 * Call it until prune->done; who begins anew goes on where another was killed.
 * AIGW_ECORRUPT: a row is damaged or an index lacks it, and this call has done
 * nothing: verify knows which row.
 */
aigw_err_t aigw_store_prune(aigw_store_t *store, aigw_prune_t *prune, int dry)
    AIGW_CHECKED;

/* Rows before *ms have been pruned; 0: none ever was. */
aigw_err_t aigw_store_pruned_before(aigw_store_t *store, int64_t *ms)
    AIGW_CHECKED;

#endif /* AIGW_STORE_PRUNE_H */
