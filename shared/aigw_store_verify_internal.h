/*
 * What the files aigw_store_verify*.c, _tally.c and _tariff.c share. Nobody
 * else includes it.
 */

#ifndef AIGW_STORE_VERIFY_INTERNAL_H
#define AIGW_STORE_VERIFY_INTERNAL_H

#include "aigw_store_internal.h"
#include "aigw_store_verify.h"


/* --- aigw_store_tally.c: sums by key, added up in memory --- */

typedef struct {
    aigw_sums_t    sums;
    size_t         len;
    uint8_t        key[];
} aigw_store_tallied_t;


/* All zero at first. */
typedef struct {
    aigw_store_tallied_t  **slots;
    size_t                  size;     /* a power of two, or 0 */
    size_t                  n;
} aigw_store_tally_t;


/* Adds to what is under key. */
aigw_err_t aigw_store_tally_add(aigw_store_tally_t *tally,
    const aigw_db_key_t *key, const aigw_sums_t *sums) AIGW_CHECKED;

/* Takes out those before key (NULL: all), in order: *list of *n, each of them
   and the list to be freed by the caller. */
aigw_err_t aigw_store_tally_take(aigw_store_tally_t *tally,
    const aigw_db_key_t *before, aigw_store_tallied_t ***list, size_t *n)
    AIGW_CHECKED;

void aigw_store_tally_free(aigw_store_tally_t *tally);

/* memcmp's answer for keys, a shorter one first. */
int aigw_store_tally_compare(const uint8_t *a, size_t alen, const uint8_t *b,
    size_t blen);


/* --- aigw_store_tariff.c: prices by version --- */

typedef struct {
    aigw_price_t  *prices;            /* by version */
    size_t         n;
    size_t         room;
} aigw_store_tariff_t;

typedef enum {
    AIGW_STORE_CHARGED_RIGHT = 0,
    AIGW_STORE_CHARGED_WRONG,
    AIGW_STORE_CHARGED_UNPRICED       /* the price is gone: not to be told */
} aigw_store_charged_t;

/* Of an all zero tariff; to be freed also after an error. */
aigw_err_t aigw_store_tariff_read(aigw_store_t *store,
    aigw_store_tariff_t *tariff) AIGW_CHECKED;
void aigw_store_tariff_free(aigw_store_tariff_t *tariff);

/* Does a row cost what it must? expected is set if it does not. */
aigw_store_charged_t aigw_store_tariff_check(
    const aigw_store_tariff_t *tariff, const aigw_row_t *row,
    int64_t *expected);


/* --- aigw_store_verify.c --- */

typedef struct {
    const aigw_verify_watch_t  *watch;
    aigw_verify_stats_t         stats;
    aigw_db_txn_t               txn;
    aigw_store_tariff_t         tariff;
    aigw_store_tally_t          accounts;
    aigw_store_tally_t          cells;
    aigw_db_cursor_t            rollup;     /* those before it are compared */
    int                         more;       /* it stands on one */
    aigw_db_cursor_t            closing;    /* those before it are tallied */
    int                         more_closings;
    int64_t                     pruned_ms;
    int64_t                     skew;
    int64_t                     hour;       /* that ids are in now */
    uint64_t                    indexed;    /* rows that their index names */
    uint64_t                    in_projects;
    uint64_t                    dangling;   /* entries without their row */
} aigw_store_verify_t;

void aigw_store_verify_report(aigw_store_verify_t *v,
    const aigw_finding_t *finding);

/* About one row; id NULL: it has none that can be read. */
void aigw_store_verify_row(aigw_store_verify_t *v,
    aigw_finding_kind_t kind, const uint8_t *id, uint64_t seq);

/* The number in a row's key. */
uint64_t aigw_store_verify_seq(const uint8_t *key);


/* --- aigw_store_verify_sums.c --- */

/* Compares the roll-ups to which no row of an id of ms or later can belong. */
void aigw_store_verify_hours(aigw_store_verify_t *v, int64_t ms);

/* Compares the rest of them, and the accounts. */
void aigw_store_verify_sums(aigw_store_verify_t *v);

void aigw_store_verify_add(aigw_store_verify_t *v, const aigw_row_view_t *row);

void aigw_store_verify_account(aigw_store_verify_t *v, unsigned partition,
    aigw_account_kind_t kind, uint64_t id, const aigw_sums_t *sums);

/* Whose sums a key of either table means. */
void aigw_store_verify_name(aigw_finding_t *finding, const uint8_t *key,
    size_t len);


/* --- aigw_store_verify_prune.c --- */

/* Begins with closings, of which none is tallied so far. */
void aigw_store_verify_closings(aigw_store_verify_t *v);

/* Tallies those of the first hour that is left. Returns the one behind it; 0:
   there is none before `hour` (-1: at all). */
int64_t aigw_store_verify_close_hour(aigw_store_verify_t *v, int64_t hour);

/* Counts what was pruned, and looks at the runs of it. */
void aigw_store_verify_runs(aigw_store_verify_t *v, uint64_t last_seq);

/* The last number of the run that has seq; 0: it was not pruned. */
uint64_t aigw_store_verify_run_of(aigw_store_verify_t *v, uint64_t seq);


/* --- aigw_store_verify_return.c --- */

/* Of a credit or a refund; of a call there is nothing to say. */
void aigw_store_verify_return(aigw_store_verify_t *v,
    const aigw_row_view_t *row, uint64_t seq);


/* --- aigw_store_verify_rest.c --- */

/* After the walk by ids: is there anything that it has not come by? */
void aigw_store_verify_rest(aigw_store_verify_t *v);

#endif /* AIGW_STORE_VERIFY_INTERNAL_H */
