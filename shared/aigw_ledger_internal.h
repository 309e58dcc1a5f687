/*
 * A drainer: what the leader, or who would be one, works with. Shared by the
 * one-shot drain and the flusher; not for module or CLI.
 */

#ifndef AIGW_LEDGER_INTERNAL_H
#define AIGW_LEDGER_INTERNAL_H

#include "aigw_ledger.h"
#include "aigw_live_internal.h"


/* Rows in a transaction: a busy worker's of one interval, for each commit waits
   twice for the disk. */
#define AIGW_LEDGER_BATCH  4096


typedef struct {
    aigw_store_t      *store;
    aigw_live_t       *live;
    int                leader;            /* the locked file; -1: not leader */
    aigw_journals_t    journals;
    uint64_t           after[AIGW_JOURNAL_MAX];
    uint64_t           end[AIGW_JOURNAL_MAX];
    aigw_watermark_t   marks[AIGW_JOURNAL_MAX];
    size_t             nmarks;
    size_t             nrows;
    size_t             used;              /* of packed */
    aigw_row_view_t    rows[AIGW_LEDGER_BATCH];
    uint8_t            packed[AIGW_LEDGER_BATCH * AIGW_ROW_PACKED_MAX];
} aigw_ledger_drainer_t;


/* Of zeroed memory (some 2 MiB, touched as far as a batch has rows: for the
   heap). Borrows store and live. */
void aigw_ledger_init(aigw_ledger_drainer_t *d, aigw_store_t *store,
    aigw_live_t *live);

/* Becomes leader. AIGW_EBUSY: somebody else is. */
aigw_err_t aigw_ledger_lead(aigw_ledger_drainer_t *d) AIGW_CHECKED;

/* Is leader no longer. */
void aigw_ledger_yield(aigw_ledger_drainer_t *d);

/*
 * The leader's: writes what the journals hold now; what is appended meanwhile
 * is the next pass's. On error the rest stays in the journals. Adds to stats.
 * AIGW_ECORRUPT: all was written but for a journal whose header is damaged.
 */
aigw_err_t aigw_ledger_pass(aigw_ledger_drainer_t *d,
    aigw_ledger_stats_t *stats) AIGW_CHECKED;

#endif /* AIGW_LEDGER_INTERNAL_H */
