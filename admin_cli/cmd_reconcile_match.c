/*
 * aigw reconcile: which row of ours is which entry of theirs. Both sides come
 * newest first; a window of the last minutes is held, no more. By id where the
 * upstream has ours; else by model, tokens and time; at last by model and time.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd_reconcile.h"


#define BATCH      64                 /* rows on the stack: 32 KiB */
#define BUCKETS    4096
#define SLACK_MS   10000              /* between both clocks, and of an end */
#define REACH_MS   900000             /* the longest call */
#define SWEEP      256                /* entries between two looks at all */


typedef struct ours_s {
    struct ours_s  *chain;            /* of its bucket */
    struct ours_s  *prev;
    struct ours_s  *next;
    aigw_row_t      row;
} ours_t;

typedef struct {
    reconcile_log_t          *log;
    const reconcile_watch_t  *watch;
    aigw_row_filter_t         filter;
    uint8_t                   before[AIGW_ROW_ID_LEN];
    aigw_row_t                rows[BATCH];
    size_t                    n;
    size_t                    at;
    ours_t                    list;   /* all that have no pair yet */
    ours_t                   *buckets[BUCKETS];
    reconcile_entry_t        *first;  /* entries that have none, newest first */
    reconcile_entry_t       **last;
    unsigned                  ended:1;
} match_t;


static size_t
bucket_of(const char *model, int64_t prompt, int64_t completion)
{
    uint64_t  hash = (uint64_t) prompt * 1000003 + (uint64_t) completion;

    for ( ; *model != '\0'; model++) {
        hash = hash * 31 + (unsigned char) *model;
    }

    return (size_t) ((hash ^ hash >> 17) % BUCKETS);
}


static ours_t **
chain_of(match_t *m, const char *model, int64_t prompt, int64_t completion)
{
    return &m->buckets[bucket_of(model, prompt, completion)];
}


/* --- our side --- */

/* It leaves the window: with its pair, or without one. What was void cost
   nothing on either side, so it need not have any. */
static void
drop(match_t *m, ours_t *o, const reconcile_entry_t *entry)
{
    ours_t  **p;

    p = chain_of(m, o->row.model, o->row.tokens.prompt_tokens,
                 o->row.tokens.completion_tokens);

    while (*p != o) {
        p = &(*p)->chain;
    }

    *p = o->chain;
    o->prev->next = o->next;
    o->next->prev = o->prev;

    if (entry != NULL
        || (o->row.settled != AIGW_SETTLED_VOID
            && o->row.settled_ms >= m->log->since_ms))
    {
        m->watch->pair(m->watch->data, &o->row, entry);
    }

    free(o);
}


static void
hold(match_t *m, const aigw_row_t *row)
{
    ours_t  *o, **p;

    if (!aigw_row_is_call(row) || row->attempts == 0
        || row->settled_ms < m->log->since_ms
        || row->settled_ms >= m->log->until_ms)
    {
        return;
    }

    o = cli_realloc(NULL, sizeof(*o));
    o->row = *row;
    p = chain_of(m, row->model, row->tokens.prompt_tokens,
                 row->tokens.completion_tokens);
    o->chain = *p;
    *p = o;
    o->next = &m->list;
    o->prev = m->list.prev;
    o->prev->next = o;
    m->list.prev = o;
}


/* --- pairs --- */

static int64_t
apart(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}


static ours_t *
find_exact(match_t *m, const reconcile_entry_t *entry)
{
    uint8_t     id[AIGW_ROW_ID_LEN];
    ours_t     *o, *best = NULL;
    int64_t     far, least = SLACK_MS + 1;
    aigw_err_t  err = aigw_record_parse_id(cli_str(entry->request), id);

    for (o = m->list.next; err == AIGW_OK && o != &m->list; o = o->next) {
        if (memcmp(o->row.id, id, AIGW_ROW_ID_LEN) == 0) {
            return o;
        }
    }

    o = *chain_of(m, entry->model, entry->prompt_tokens,
                  entry->completion_tokens);

    for ( ; o != NULL; o = o->chain) {
        far = apart(o->row.settled_ms, entry->time_s * 1000);

        if (far < least
            && o->row.tokens.prompt_tokens == entry->prompt_tokens
            && o->row.tokens.completion_tokens == entry->completion_tokens
            && strcmp(o->row.model, entry->model) == 0)
        {
            least = far;
            best = o;
        }
    }

    return best;
}


/* Of the same model and time, with the most alike tokens. */
static ours_t *
find_alike(match_t *m, const reconcile_entry_t *entry)
{
    ours_t   *o, *best = NULL;
    int64_t   far, least = INT64_MAX;

    for (o = m->list.next; o != &m->list; o = o->next) {
        if (apart(o->row.settled_ms, entry->time_s * 1000) > SLACK_MS
            || strcmp(o->row.model, entry->model) != 0)
        {
            continue;
        }

        far = apart(o->row.tokens.prompt_tokens, entry->prompt_tokens)
              + apart(o->row.tokens.completion_tokens,
                      entry->completion_tokens);

        if (far < least) {
            least = far;
            best = o;
        }
    }

    return best;
}


/* Entries for which all that could be like them has come: of ms and later. */
static void
settle(match_t *m, int64_t ms)
{
    ours_t             *o;
    reconcile_entry_t  *entry;

    while ((entry = m->first) != NULL && entry->time_s * 1000 >= ms) {
        o = find_alike(m, entry);

        if (o != NULL) {
            drop(m, o, entry);
        } else {
            m->watch->pair(m->watch->data, NULL, entry);
        }

        m->first = entry->next;
        free(entry);
    }

    if (m->first == NULL) {
        m->last = &m->first;
    }
}


/* Rows that no entry can be any more: ended at ms or later. */
static void
sweep(match_t *m, int64_t ms)
{
    ours_t  *o, *next;

    for (o = m->list.next; o != &m->list; o = next) {
        next = o->next;

        if (o->row.settled_ms >= ms) {
            drop(m, o, NULL);
        }
    }
}


/* All rows of the ledger down to those admitted before ms. From time to time
   what is far behind goes, so that the window stays one of minutes. */
static aigw_err_t
load(match_t *m, int64_t ms)
{
    int64_t     behind;
    aigw_err_t  err;

    while (!m->ended) {
        if (m->at == m->n) {
            m->at = m->n = 0;
            err = aigw_store_list_rows(m->log->cli->store, &m->filter,
                                       m->before, m->rows, BATCH, &m->n);
            if (err != AIGW_OK) {
                return err;
            }

            if (m->n == 0) {
                m->ended = 1;
                break;
            }

            memcpy(m->before, m->rows[m->n - 1].id, AIGW_ROW_ID_LEN);
            behind = m->rows[0].time_ms + REACH_MS + SLACK_MS;
            settle(m, behind);
            sweep(m, behind + SLACK_MS);
        }

        if (m->rows[m->at].time_ms < ms) {
            break;
        }

        hold(m, &m->rows[m->at++]);
    }

    return AIGW_OK;
}


static void
keep(match_t *m, const reconcile_entry_t *entry)
{
    reconcile_entry_t  *copy;

    copy = cli_realloc(NULL, sizeof(*copy));
    *copy = *entry;
    copy->next = NULL;
    *m->last = copy;
    m->last = &copy->next;
}


static cli_exit_t
match_all(match_t *m)
{
    int                 more;
    size_t              n;
    ours_t             *o;
    int64_t             ms;
    aigw_err_t          err;
    cli_exit_t          code;
    reconcile_entry_t   entry;

    for (n = 1; ; n++) {
        code = reconcile_log_next(m->log, &entry, &more);
        if (code != CLI_OK || !more) {
            return code;
        }

        ms = entry.time_s * 1000;
        err = load(m, ms - SLACK_MS - REACH_MS);
        if (err != AIGW_OK) {
            return cli_fail_store(m->log->cli, err, "rows", NULL);
        }

        o = find_exact(m, &entry);

        if (o != NULL) {
            drop(m, o, &entry);
        } else {
            keep(m, &entry);
        }

        settle(m, ms + 2 * SLACK_MS);

        if (n % SWEEP == 0) {
            sweep(m, ms + 4 * SLACK_MS);
        }
    }
}


cli_exit_t
reconcile_match(reconcile_log_t *log, const reconcile_watch_t *watch)
{
    ours_t             *o;
    match_t            *m;
    aigw_err_t          err;
    cli_exit_t          code;
    reconcile_entry_t  *entry;

    m = cli_realloc(NULL, sizeof(*m));
    memset(m, 0, sizeof(*m));
    m->log = log;
    m->watch = watch;
    m->filter.status = -1;
    m->filter.since_ms = log->since_ms - REACH_MS;
    m->filter.until_ms = log->until_ms;
    m->list.next = m->list.prev = &m->list;
    m->last = &m->first;

    code = match_all(m);

    if (code == CLI_OK) {
        err = load(m, INT64_MIN);
        code = err == AIGW_OK ? CLI_OK
               : cli_fail_store(log->cli, err, "rows", NULL);
    }

    if (code == CLI_OK) {
        settle(m, INT64_MIN);
        sweep(m, INT64_MIN);
    }

    while ((entry = m->first) != NULL) {
        m->first = entry->next;
        free(entry);
    }

    while ((o = m->list.next) != &m->list) {
        m->list.next = o->next;
        free(o);
    }

    free(m);

    return code;
}
