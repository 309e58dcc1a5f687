/*
 * What the files cmd_reconcile*.c share: entries of an upstream's log, pairs of
 * them and rows of ours, and who hears of both. Nobody else includes it.
 */

#ifndef CMD_RECONCILE_H
#define CMD_RECONCILE_H

#include "cli.h"


/* One charge by the upstream. */
typedef struct reconcile_entry_s {
    struct reconcile_entry_s  *next;
    int64_t                    id;    /* 0: has none */
    int64_t                    time_s;
    int64_t                    prompt_tokens;
    int64_t                    completion_tokens;
    int64_t                    cost_nano;
    char                       request[AIGW_NAME_MAX + 1];
    char                       model[AIGW_MODEL_MAX + 1];
} reconcile_entry_t;


/* --- cmd_reconcile_log.c: the upstream's log, a page at a time --- */

typedef struct {
    cli_t                  *cli;
    const aigw_upstream_t  *upstream;
    int64_t                 since_ms;
    int64_t                 until_ms;
    int64_t                 per_unit; /* quota of a unit */
    cJSON                  *page;
    const cJSON            *item;     /* the next one of it */
    int64_t                 number;   /* of the next page: from 1 */
    int64_t                 last_id;
    int64_t                 oldest_ms;
    int64_t                 seen;
    unsigned                older:1;  /* pages are counted from 0 */
    unsigned                ended:1;
} reconcile_log_t;

/* The next one, newest first. *more 0: there is none. */
cli_exit_t reconcile_log_next(reconcile_log_t *log, reconcile_entry_t *entry,
    int *more);
void reconcile_log_end(reconcile_log_t *log);

/* Adds `balance` and `used`, of the account where its log is open to us, else
   of the key. */
cli_exit_t reconcile_log_balance(reconcile_log_t *log, cJSON *object);


/* --- cmd_reconcile_match.c: rows and entries, pair by pair --- */

/* row or entry NULL: the other side has nothing for it. */
typedef void (*reconcile_pair_pt)(void *data, const aigw_row_t *row,
    const reconcile_entry_t *entry);

typedef struct {
    reconcile_pair_pt   pair;
    void               *data;
} reconcile_watch_t;

/* Goes through both from until_ms back to since_ms. */
cli_exit_t reconcile_match(reconcile_log_t *log,
    const reconcile_watch_t *watch);

#endif /* CMD_RECONCILE_H */
