/*
 * Booking what comes back, once: a credit or a refund goes into a journal as a
 * call's end does, so that counters and ledger follow whatever is killed; into
 * the store itself where there are no counters. Waits for disks and locks:
 * must never run in the event loop.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "aigw_live_internal.h"
#include "aigw_ledger.h"


#define AIGW_LEDGER_LOCK_MS   10000
#define AIGW_LEDGER_BUILD_MS  5000
#ifndef AIGW_LEDGER_WAIT_MS
#define AIGW_LEDGER_WAIT_MS   5000    /* for the leader to write it */
#endif
#define AIGW_LEDGER_POLL_MS   10
#define AIGW_LEDGER_NOBODY    0xff    /* both bytes of a journal in an id */


/* Are the two one credit, or one refund? */
static int
aigw_ledger_is_same(const aigw_row_t *a, const aigw_row_t *b)
{
    return a->settled == b->settled
           && (a->settled == AIGW_SETTLED_REFUND
               ? memcmp(a->of, b->of, AIGW_ROW_ID_LEN) == 0
               : a->project_id == b->project_id
                 && strcmp(a->ref, b->ref) == 0);
}


/* Does a journal have it, drained or not? AIGW_ENOTFOUND. */
static aigw_err_t
aigw_ledger_find_journalled(aigw_live_t *live, aigw_row_t *row)
{
    uint64_t                    seq, head;
    unsigned                    i;
    aigw_row_t                  one;
    aigw_err_t                  err;
    aigw_journals_t             journals = { 0 };
    const aigw_journal_file_t  *file;

    err = aigw_journal_map_all(live->path, live->store, &journals);
    if (err != AIGW_OK) {
        return err;
    }

    err = AIGW_ENOTFOUND;

    for (i = 0; i < AIGW_JOURNAL_MAX && err != AIGW_OK; i++) {
        file = journals.map[i].file;

        if (file == NULL) {
            continue;
        }

        head = atomic_load_explicit(&file->head, memory_order_acquire);
        seq = head - aigw_journal_undrained(file);

        while (seq < head && err != AIGW_OK) {
            if (aigw_journal_read(file, ++seq, &one) == AIGW_OK
                && aigw_ledger_is_same(&one, row))
            {
                *row = one;
                err = AIGW_OK;
            }
        }
    }

    aigw_journal_unmap_all(&journals);

    return err;
}


/*
 * AIGW_EEXIST: it is there, *row is that one. Journals first: what a leader
 * moves meanwhile is in the store by then.
 */
static aigw_err_t
aigw_ledger_need_new(aigw_store_t *store, aigw_live_t *live, aigw_row_t *row)
{
    int64_t     cost;
    uint8_t     id[AIGW_ROW_ID_LEN];
    aigw_err_t  err = AIGW_ENOTFOUND;

    if (live != NULL) {
        err = aigw_ledger_find_journalled(live, row);
    }

    if (err == AIGW_ENOTFOUND) {
        err = aigw_store_find_return(store, row, id, &cost);

        if (err == AIGW_OK
            && aigw_store_find_row(store, id, row) != AIGW_OK)
        {
            /* its row is gone: this much is known */
            memcpy(row->id, id, AIGW_ROW_ID_LEN);
            row->cost_nano = cost;
            row->time_ms = 0;
        }
    }

    return err == AIGW_OK ? AIGW_EEXIST : err == AIGW_ENOTFOUND ? AIGW_OK
                                                                : err;
}


/* --- with counters --- */

static aigw_err_t
aigw_ledger_journal(aigw_store_t *store, aigw_live_t *live, aigw_row_t *row,
    char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t       err;
    aigw_journal_t  *journal;

    /* settles what is left of one who died over the same */
    err = aigw_journal_claim(live, &journal, fault);
    if (err != AIGW_OK) {
        return err;
    }

    AIGW_LIVE_STEP();
    err = aigw_ledger_need_new(store, live, row);

    if (err == AIGW_OK) {
        aigw_journal_new_id(journal, row->time_ms, row->id);
        err = aigw_flight_post(live, journal, row);
    }

    AIGW_LIVE_STEP();
    aigw_journal_release(journal);

    return err;
}


/* Writes it, or waits for the leader to. AIGW_AGAIN: neither so far. */
static aigw_err_t
aigw_ledger_write(aigw_store_t *store, aigw_live_t *live,
    const aigw_row_t *row)
{
    int              waited;
    aigw_row_t       found;
    aigw_err_t       err;
    struct timespec  pause = { 0, AIGW_LEDGER_POLL_MS * 1000000 };

    for (waited = 0; waited < AIGW_LEDGER_WAIT_MS;
         waited += AIGW_LEDGER_POLL_MS)
    {
        /* its row may lie there for another pass, or for the leader's */
        err = aigw_ledger_drain(store, live, NULL);
        AIGW_LIVE_STEP();

        if (err != AIGW_OK && err != AIGW_EBUSY && err != AIGW_ECORRUPT) {
            return AIGW_AGAIN;
        }

        err = aigw_store_find_row(store, row->id, &found);
        if (err != AIGW_ENOTFOUND) {
            return err;
        }

        nanosleep(&pause, NULL);
    }

    return AIGW_AGAIN;
}


/* --- without --- */

static aigw_err_t
aigw_ledger_is_too_low(aigw_store_t *store, const aigw_row_t *row)
{
    int64_t      to;
    unsigned     i;
    aigw_err_t   err;
    aigw_sums_t  sums;

    const struct {
        aigw_account_kind_t  kind;
        uint64_t             id;
    } accounts[AIGW_LIVE_LEVELS] = {
        { AIGW_ACCOUNT_KEY, row->key_id },
        { AIGW_ACCOUNT_PROJECT, row->project_id },
        { AIGW_ACCOUNT_USER, row->user_id }
    };

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        err = aigw_store_get_sums(store, accounts[i].kind, accounts[i].id,
                                  &sums);

        if (err == AIGW_OK
            && (sums.cost_nano == INT64_MAX
                || __builtin_add_overflow(sums.cost_nano, row->cost_nano, &to)
                || to == INT64_MIN))
        {
            err = AIGW_ERANGE;
        }

        if (err != AIGW_OK) {
            return err;
        }
    }

    return AIGW_OK;
}


static aigw_err_t
aigw_ledger_settle(aigw_store_t *store, aigw_row_t *row)
{
    int         i;
    size_t      doubles;
    aigw_err_t  err;

    err = aigw_ledger_need_new(store, NULL, row);

    if (err == AIGW_OK) {
        err = aigw_ledger_is_too_low(store, row);
    }

    if (err != AIGW_OK) {
        return err;
    }

    memset(row->id, 0, AIGW_ROW_ID_LEN);

    for (i = 0; i < 6; i++) {
        row->id[i] = (uint8_t) (row->time_ms >> (40 - 8 * i));
    }

    row->id[8] = AIGW_LEDGER_NOBODY;
    row->id[9] = AIGW_LEDGER_NOBODY;

    if (getrandom(row->id + 10, 6, 0) != 6) {
        return AIGW_ECRYPTO;
    }

    err = aigw_store_settle(store, row, 1, NULL, 0, &doubles);

    return err == AIGW_OK && doubles > 0 ? AIGW_EEXIST : err;
}


/* Nobody makes counters meanwhile: those that are made later have it. */
static aigw_err_t
aigw_ledger_direct(aigw_store_t *store, const char *live_path, aigw_row_t *row,
    char fault[AIGW_FAULT_LEN + 1])
{
    int         lock;
    aigw_err_t  err;

    err = aigw_store_lock(store, AIGW_STORE_LOCK_BUILD, AIGW_LEDGER_BUILD_MS,
                          &lock);
    if (err != AIGW_OK) {
        return err;
    }

    if (aigw_live_dir_inode(live_path, AIGW_LIVE_COUNTERS) != 0) {
        aigw_live_dir_fault(fault, "the counters in '%s' are damaged or of"
                            " another version, or have been made just now: try"
                            " again, or reload nginx first", live_path);
        err = AIGW_EBUSY;

    } else {
        err = aigw_ledger_settle(store, row);
    }

    aigw_store_unlock(lock);

    return err;
}


static aigw_err_t
aigw_ledger_post_locked(aigw_store_t *store, const char *live_path,
    aigw_row_t *row, char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t    err;
    aigw_live_t  *live;

    err = aigw_live_open(live_path, NULL, &live, fault);

    if (err == AIGW_ENOTFOUND) {
        fault[0] = '\0';
        return aigw_ledger_direct(store, live_path, row, fault);
    }

    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_ledger_journal(store, live, row, fault);

    if (err == AIGW_OK) {
        err = aigw_ledger_write(store, live, row);
    }

    aigw_live_close(live);

    return err;
}


aigw_err_t
aigw_ledger_post(aigw_store_t *store, const char *live_path, aigw_row_t *row,
    char fault[AIGW_FAULT_LEN + 1])
{
    int         lock;
    aigw_err_t  err;

    fault[0] = '\0';

    if (aigw_row_is_call(row)) {
        return AIGW_EINVAL;
    }

    err = aigw_store_lock(store, AIGW_STORE_LOCK_POST, AIGW_LEDGER_LOCK_MS,
                          &lock);
    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_ledger_post_locked(store, live_path, row, fault);
    aigw_store_unlock(lock);

    return err;
}
