/*
 * Journals to store. Rows, sums and watermarks go in one transaction; only then
 * the rings are freed, so that a death in between costs nothing. Waits for the
 * disk: must never run in the event loop.
 */

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "aigw_live_internal.h"
#include "aigw_ledger_internal.h"
#include "aigw_ledger.h"


void
aigw_ledger_init(aigw_ledger_drainer_t *d, aigw_store_t *store,
    aigw_live_t *live)
{
    d->store = store;
    d->live = live;
    d->leader = -1;
}


void
aigw_ledger_yield(aigw_ledger_drainer_t *d)
{
    if (d->leader != -1) {
        aigw_live_dir_unlock(d->leader);
        d->leader = -1;
    }
}


aigw_err_t
aigw_ledger_lead(aigw_ledger_drainer_t *d)
{
    return aigw_live_dir_lock(d->live->path, AIGW_LIVE_LEADER, 0, &d->leader);
}


/* Puts one record into the batch, packed as it is. Is it a row? */
static int
aigw_ledger_take(aigw_ledger_drainer_t *d, const aigw_journal_file_t *file,
    uint64_t seq)
{
    size_t            len;
    uint8_t          *packed = d->packed + d->used;
    aigw_row_view_t  *row = &d->rows[d->nrows];

    if (aigw_journal_copy(file, seq, packed, &len, &row->crc) != AIGW_OK
        || aigw_record_view_row(packed, len, row) != AIGW_OK)
    {
        return 0;
    }

    d->used += len;
    d->nrows++;

    return 1;
}


/* Moves records of one journal into the batch while there is room. Returns
   how many of them were damaged. */
static uint64_t
aigw_ledger_collect(aigw_ledger_drainer_t *d, unsigned slot)
{
    uint64_t                    damaged = 0;
    const aigw_journal_file_t  *file = d->journals.map[slot].file;

    if (d->after[slot] == d->end[slot] || d->nrows == AIGW_LEDGER_BATCH) {
        return 0;
    }

    while (d->after[slot] < d->end[slot] && d->nrows < AIGW_LEDGER_BATCH) {
        damaged += !aigw_ledger_take(d, file, ++d->after[slot]);
    }

    d->marks[d->nmarks].journal = file->id;
    d->marks[d->nmarks].seq = d->after[slot];
    d->nmarks++;

    return damaged;
}


/* After the commit: the writers may have the room again. */
static void
aigw_ledger_publish(aigw_ledger_drainer_t *d)
{
    unsigned              slot;
    aigw_journal_file_t  *file;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        file = d->journals.map[slot].file;

        if (file != NULL) {
            atomic_store_explicit(&file->tail, d->after[slot],
                                  memory_order_release);
        }
    }
}


/* One transaction; AIGW_AGAIN: it went well and there may be more. */
static aigw_err_t
aigw_ledger_batch(aigw_ledger_drainer_t *d, aigw_ledger_stats_t *stats)
{
    size_t      doubles = 0;
    uint64_t    damaged = 0;
    unsigned    slot;
    aigw_err_t  err;

    d->used = 0;
    d->nrows = 0;
    d->nmarks = 0;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        damaged += aigw_ledger_collect(d, slot);
    }

    if (d->nmarks == 0) {
        return AIGW_OK;
    }

    err = aigw_store_settle_packed(d->store, d->rows, d->nrows, d->marks,
                                   d->nmarks, &doubles);
    if (err != AIGW_OK) {
        return err;
    }

    aigw_ledger_publish(d);

    stats->rows += d->nrows - doubles;
    stats->doubles += doubles;
    stats->damaged += damaged;
    atomic_fetch_add(&d->live->counters->damaged, damaged);

    return AIGW_AGAIN;
}


/* A worker that died has left calls in flight: its journal's lock is free. */
static void
aigw_ledger_recover(aigw_ledger_drainer_t *d)
{
    unsigned              slot;
    aigw_err_t            err;
    aigw_journal_file_t  *file;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        file = d->journals.map[slot].file;

        if (file != NULL && atomic_load(&file->in_flight) > 0) {
            err = aigw_journal_recover(d->live, slot);

            /* its owner lives, or the next pass tries again */
            (void) err;
        }
    }
}


/*
 * The store's watermark counts, not the tail: a leader may have died between
 * its commit and the tail. Each pass asks for it anew, for another leader may
 * have been at work since the last one.
 */
aigw_err_t
aigw_ledger_pass(aigw_ledger_drainer_t *d, aigw_ledger_stats_t *stats)
{
    unsigned              slot;
    aigw_err_t            err, odd = AIGW_OK;
    aigw_journal_file_t  *file;

    err = aigw_journal_map_all(d->live->path, d->live->store, &d->journals);

    if (err == AIGW_OK) {
        aigw_ledger_recover(d);
    }

    for (slot = 0; slot < AIGW_JOURNAL_MAX && err == AIGW_OK; slot++) {
        file = d->journals.map[slot].file;
        d->after[slot] = file == NULL ? 0 : atomic_load(&file->tail);
        d->end[slot] = d->after[slot];

        if (file == NULL || aigw_journal_undrained(file) == 0) {
            continue;
        }

        err = aigw_journal_pending(d->store, file, &d->after[slot],
                                   &d->end[slot]);

        if (err == AIGW_ECORRUPT) {
            odd = err;
            err = AIGW_OK;
        }
    }

    if (err != AIGW_OK) {
        return err;
    }

    aigw_ledger_publish(d);

    do {
        err = aigw_ledger_batch(d, stats);
    } while (err == AIGW_AGAIN);

    return err == AIGW_OK ? odd : err;
}


aigw_err_t
aigw_ledger_drain(aigw_store_t *store, aigw_live_t *live,
    aigw_ledger_stats_t *stats)
{
    aigw_err_t              err;
    aigw_ledger_stats_t     done = { 0 };
    aigw_ledger_drainer_t  *d;

    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return AIGW_ENOMEM;
    }

    aigw_ledger_init(d, store, live);

    err = aigw_ledger_lead(d);

    if (err == AIGW_OK) {
        err = aigw_ledger_pass(d, &done);
        aigw_ledger_yield(d);
        aigw_journal_unmap_all(&d->journals);
    }

    free(d);

    if (stats != NULL && err == AIGW_OK) {
        *stats = done;
    }

    return err;
}
