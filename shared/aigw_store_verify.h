/*
 * Is the ledger what it says? Every row against its checksum, its indices and
 * its price; sums and roll-ups against the rows. aigw_ledger_verify.h looks at
 * the live segment in the same way.
 */

#ifndef AIGW_STORE_VERIFY_H
#define AIGW_STORE_VERIFY_H

#include "aigw.h"
#include "aigw_record.h"
#include "aigw_store.h"


typedef enum {
    AIGW_FINDING_ROW_DAMAGED = 0,     /* unreadable, or a bit is wrong */
    AIGW_FINDING_ROW_MISSING,         /* an index or the numbering has it */
    AIGW_FINDING_ROW_DOUBLE,          /* its id is another row's */
    AIGW_FINDING_ROW_UNINDEXED,       /* its id is in no index */
    AIGW_FINDING_INDEX_MISSING,       /* of its project's rows */
    AIGW_FINDING_INDEX_STRAY,         /* an entry that names no row of its */
    AIGW_FINDING_ROW_COST,            /* is not its tokens at its price */
    AIGW_FINDING_ROW_TIME,            /* too far from its id's */
    AIGW_FINDING_ROW_SEQ,             /* rows behind the last one's number */
    AIGW_FINDING_SUMS,                /* of an account are not its rows' */
    AIGW_FINDING_ROLLUP,              /* is not the sum of its rows */
    AIGW_FINDING_CLOSING,             /* unreadable, or of what is not pruned */
    AIGW_FINDING_PRUNED,              /* a pruned row is there, or runs of
                                         them are wrong */
    AIGW_FINDING_WATERMARK,           /* is ahead of its journal */
    AIGW_FINDING_JOURNAL_RECORD,      /* was damaged: its row is lost */
    AIGW_FINDING_LIVE_SPENT,          /* a running counter */
    AIGW_FINDING_LIVE_HELD,           /* the same: a stray hold */
    AIGW_FINDING_MAX
} aigw_finding_kind_t;


/* What has no meaning for a kind is 0, empty or NULL. */
typedef struct {
    aigw_finding_kind_t   kind;
    unsigned              has_id:1;
    unsigned              money:1;    /* expected and found are nano-units */
    uint8_t               id[AIGW_ROW_ID_LEN];
    uint64_t              seq;        /* of the row */
    aigw_account_kind_t   account;    /* of a roll-up: its key */
    uint64_t              account_id;
    int64_t               hour_ms;    /* of a roll-up */
    char                  model[AIGW_MODEL_MAX + 1];
    const char           *journal;    /* its file's name */
    const char           *field;      /* what is wrong; NULL: no numbers */
    int64_t               expected;
    int64_t               found;
} aigw_finding_t;


/* found: an error of it ends the work and is returned. progress: so many rows
   of so many have been looked at. */
typedef struct {
    void         *data;
    aigw_err_t  (*found)(void *data, const aigw_finding_t *finding);
    void        (*progress)(void *data, uint64_t done, uint64_t all);
} aigw_verify_watch_t;


typedef struct {
    uint64_t   rows;
    uint64_t   accounts;
    uint64_t   rollups;
    uint64_t   pruned;                /* rows that were deleted by prune */
    uint64_t   unpriced;              /* rows whose price is gone */
    uint64_t   unsigned_rows;         /* rows of a time without checksums */
} aigw_verify_stats_t;


/*
 * Looks at usage in one snapshot (needs AIGW_STORE_USAGE), which keeps the file
 * from using again what others free meanwhile. Memory: for the accounts, the
 * prices and the roll-ups of an hour or two. Errors: those of the store, when
 * it cannot be read on; findings are none.
 */
aigw_err_t aigw_store_verify(aigw_store_t *store,
    const aigw_verify_watch_t *watch, aigw_verify_stats_t *stats)
    AIGW_CHECKED;

/* "row_damaged" */
const char *aigw_store_finding_name(aigw_finding_kind_t kind);

#endif /* AIGW_STORE_VERIFY_H */
