/*
 * Calls in flight as others see them: what a dead worker has left is finished,
 * undone or settled by what is known; counters that are built count them; a
 * reader lists them. Must not trust that the one before it came to its end.
 */

#include <string.h>

#include "aigw_time.h"
#include "aigw_verdict.h"
#include "aigw_flight_internal.h"


#define AIGW_FLIGHT_BYTES_A_TOKEN  4


static unsigned
aigw_flight_stage(const aigw_flight_entry_t *entry)
{
    return (unsigned) (atomic_load_explicit(&entry->word, memory_order_acquire)
                       & 0xff);
}


/* What begin copied, and the usage seen: 1 if there is one. */
static int
aigw_flight_row(const aigw_flight_entry_t *entry, aigw_row_t *row)
{
    uint32_t  usage = atomic_load_explicit(&entry->usage, memory_order_acquire);

    memset(row, 0, sizeof(*row));
    memcpy(row->id, entry->id, AIGW_ROW_ID_LEN);
    memcpy(row->model, entry->model, AIGW_MODEL_MAX);
    memcpy(row->tag, entry->tag, AIGW_TAG_MAX);
    row->key_id = entry->account[0];
    row->project_id = entry->account[1];
    row->user_id = entry->account[2];
    row->time_ms = entry->time_ms;
    row->route = entry->route;
    row->flags = entry->flags;
    row->price_version = entry->price.version;
    row->hold_nano = entry->hold_nano;
    row->tokens.prompt_tokens = entry->prompt_tokens;

    if (usage > 0) {
        row->tokens = entry->tokens[usage % 2];
    }

    return usage > 0;
}


/* How a call ends whose worker died: by usage, by estimate, or as not made. */
static void
aigw_flight_decide(const aigw_flight_entry_t *entry, aigw_row_t *row)
{
    int         seen = aigw_flight_row(entry, row);
    uint64_t    text = atomic_load(&entry->text_bytes);
    aigw_err_t  err;

    row->settled_ms = aigw_time_now_ms();
    row->verdict = AIGW_VERDICT_INTERNAL;

    if (row->settled_ms > row->time_ms) {
        row->duration_ms = (uint32_t) (row->settled_ms - row->time_ms);
    }

    if (!atomic_load(&entry->sent)) {
        row->settled = AIGW_SETTLED_VOID;
        memset(&row->tokens, 0, sizeof(row->tokens));
        return;
    }

    row->attempts = 1;
    row->flags |= AIGW_ROW_INCOMPLETE;
    row->settled = seen ? AIGW_SETTLED_PARTIAL : AIGW_SETTLED_UNKNOWN;

    if (!seen) {
        row->tokens.completion_tokens = (int64_t)
            (text / AIGW_FLIGHT_BYTES_A_TOKEN
             + (text % AIGW_FLIGHT_BYTES_A_TOKEN != 0));
    }

    err = aigw_price_cost(&entry->price, &row->tokens, &row->cost_nano);

    if (err != AIGW_OK || (!seen && row->cost_nano > row->hold_nano)) {
        row->cost_nano = row->hold_nano;
    }

    if (row->cost_nano > row->hold_nano) {
        row->flags |= AIGW_ROW_OVER_HOLD;
    }
}


/* Did the update happen that the entry announced last? */
static unsigned
aigw_flight_happened(const aigw_flight_t *f, unsigned i, int spent)
{
    uint64_t                 word = atomic_load(&f->entry->word);
    const aigw_live_slot_t  *slot = f->slot[i];

    return slot != NULL
           && aigw_live_cell_happened(f->counters,
                                      spent ? &slot->spent : &slot->held,
                                      AIGW_LIVE_OP(f->writer, word >> 8));
}


/* An entry that is between two stages: to its end. */
static void
aigw_flight_resume(aigw_flight_t *f, unsigned stage)
{
    unsigned  i;

    if (stage < AIGW_FLIGHT_UNDO) {
        i = stage - AIGW_FLIGHT_HOLD;
        aigw_flight_undo(f, i + aigw_flight_happened(f, i, 0));

    } else if (stage < AIGW_FLIGHT_HELD) {
        i = stage - AIGW_FLIGHT_UNDO;
        aigw_flight_undo(f, i + !aigw_flight_happened(f, i, 0));

    } else if (stage < AIGW_FLIGHT_APPEND) {
        i = stage - AIGW_FLIGHT_SPEND;
        aigw_flight_finish(f, stage + aigw_flight_happened(f, i, 1));

    } else if (stage == AIGW_FLIGHT_APPEND) {
        aigw_flight_finish(f, stage);

    } else {
        i = stage - AIGW_FLIGHT_RELEASE;
        aigw_flight_finish(f, stage + aigw_flight_happened(f, i, 0));
    }
}


/*
 * First the one that is between two stages (one thread at a time has been at
 * work, so there is at most one): it alone asks what has become of an update,
 * and only until its writer's next.
 */
unsigned
aigw_flight_recover(aigw_live_t *live, aigw_journal_t *journal)
{
    unsigned              i, stage, n = 0;
    aigw_row_t            row;
    aigw_flight_t         f;
    aigw_journal_file_t  *file = journal->file;

    for (i = 0; i < AIGW_FLIGHT_MAX; i++) {
        stage = aigw_flight_stage(&file->flights[i]);

        if (stage != AIGW_FLIGHT_FREE && stage != AIGW_FLIGHT_HELD
            && stage < AIGW_FLIGHT_STAGES)
        {
            aigw_flight_open(&f, live, journal, i);
            aigw_flight_resume(&f, stage);
            n++;
        }
    }

    for (i = 0; i < AIGW_FLIGHT_MAX; i++) {
        if (aigw_flight_stage(&file->flights[i]) == AIGW_FLIGHT_HELD) {
            aigw_flight_decide(&file->flights[i], &row);
            aigw_flight_open(&f, live, journal, i);
            aigw_flight_settle(&f, &row);
            n++;
        }
    }

    atomic_store(&file->in_flight, 0);

    return n;
}


/* --- counters that are built --- */

/* What account i of an entry holds, and has spent beside the records. */
static void
aigw_flight_shares(const aigw_flight_entry_t *entry, unsigned stage, unsigned i,
    uint64_t head, int64_t *spent, int64_t *held)
{
    unsigned  holds, spends;

    if (stage < AIGW_FLIGHT_UNDO) {
        holds = stage > AIGW_FLIGHT_HOLD + i;
    } else if (stage < AIGW_FLIGHT_HELD) {
        holds = stage >= AIGW_FLIGHT_UNDO + i;
    } else {
        holds = stage <= AIGW_FLIGHT_RELEASE + i;
    }

    spends = stage > AIGW_FLIGHT_SPEND + i && stage <= AIGW_FLIGHT_APPEND
             && head < entry->planned;

    *held = holds ? entry->hold_nano : 0;
    *spent = spends ? entry->cost_nano : 0;
}


aigw_err_t
aigw_flight_build(aigw_live_counters_t *counters,
    const aigw_journal_file_t *file)
{
    int64_t                     spent, held;
    uint64_t                    head;
    unsigned                    n, i, stage;
    aigw_err_t                  err;
    const aigw_flight_entry_t  *entry;
    const aigw_account_kind_t   kinds[AIGW_LIVE_LEVELS] = {
        AIGW_ACCOUNT_KEY, AIGW_ACCOUNT_PROJECT, AIGW_ACCOUNT_USER
    };

    head = atomic_load_explicit(&file->head, memory_order_acquire);

    for (n = 0; n < AIGW_FLIGHT_MAX; n++) {
        entry = &file->flights[n];
        stage = aigw_flight_stage(entry);

        if (stage == AIGW_FLIGHT_FREE || stage >= AIGW_FLIGHT_STAGES) {
            continue;
        }

        for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
            if (entry->account[i] == 0) {
                continue;
            }

            aigw_flight_shares(entry, stage, i, head, &spent, &held);

            err = aigw_live_add(counters, kinds[i], entry->account[i], spent,
                                held);
            if (err != AIGW_OK) {
                return err;
            }
        }
    }

    return AIGW_OK;
}


/* --- readers --- */

/* 0: the entry is free, or changed under the eyes. */
static int
aigw_flight_view(const aigw_flight_entry_t *entry, aigw_flight_view_t *view)
{
    uint64_t  word = atomic_load_explicit(&entry->word, memory_order_acquire);
    uint32_t  usage = atomic_load_explicit(&entry->usage, memory_order_acquire);
    unsigned  stage = word & 0xff;

    if (stage < AIGW_FLIGHT_HELD || stage >= AIGW_FLIGHT_STAGES) {
        return 0;
    }

    view->seen = aigw_flight_row(entry, &view->row) != 0;
    view->sent = atomic_load(&entry->sent) != 0;
    view->settling = stage != AIGW_FLIGHT_HELD;
    view->text_bytes = atomic_load(&entry->text_bytes);
    atomic_thread_fence(memory_order_acquire);

    return atomic_load(&entry->word) == word
           && atomic_load(&entry->usage) == usage;
}


aigw_err_t
aigw_flight_each(const aigw_live_t *live, aigw_flight_each_pt each, void *data)
{
    unsigned              i, n;
    aigw_err_t            err;
    aigw_journals_t       journals = { 0 };
    aigw_flight_view_t    view;
    aigw_journal_file_t  *file;

    err = aigw_journal_map_all(live->path, live->store, &journals);

    for (i = 0; i < AIGW_JOURNAL_MAX && err == AIGW_OK; i++) {
        file = journals.map[i].file;

        if (file == NULL || atomic_load(&file->in_flight) == 0) {
            continue;
        }

        view.journal = i;

        for (n = 0; n < AIGW_FLIGHT_MAX && err == AIGW_OK; n++) {
            if (aigw_flight_view(&file->flights[n], &view)) {
                err = each(data, &view);
            }
        }
    }

    aigw_journal_unmap_all(&journals);

    return err;
}
