/*
 * Calls in flight: an amount held from admission to settlement, a row at the
 * end. Each step is announced in the entry before it is taken, so that it can
 * be finished or undone after a death at any instruction. Must not lock,
 * allocate or call the system.
 */

#include <string.h>

#include "aigw_flight_internal.h"


#define AIGW_FLIGHT_LINE       64     /* of a cache */
#define AIGW_FLIGHT_ROW_BYTES  256    /* of most records */


static const aigw_account_kind_t  aigw_flight_kinds[AIGW_LIVE_LEVELS] = {
    AIGW_ACCOUNT_KEY, AIGW_ACCOUNT_PROJECT, AIGW_ACCOUNT_USER
};


void
aigw_flight_init(aigw_journal_t *journal)
{
    unsigned  i;

    for (i = 0; i < AIGW_FLIGHT_MAX; i++) {
        journal->free[i] = (uint16_t) (AIGW_FLIGHT_MAX - 1 - i);
    }

    journal->nfree = AIGW_FLIGHT_MAX;
}


void
aigw_flight_open(aigw_flight_t *f, aigw_live_t *live, aigw_journal_t *journal,
    unsigned flight)
{
    unsigned              i;
    uint32_t              at;
    aigw_live_slot_t     *slot;
    aigw_flight_entry_t  *entry = &journal->file->flights[flight];

    f->counters = live->counters;
    f->file = journal->file;
    f->writer = journal->slot;
    f->entry = entry;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        if (entry->account[i] == 0) {
            f->slot[i] = NULL;
            continue;
        }

        at = entry->slot[i] % AIGW_LIVE_ACCOUNTS;
        slot = &f->counters->slots[at];

        /* other counters may have it elsewhere */
        if (atomic_load_explicit(&slot->tag, memory_order_relaxed)
            != AIGW_LIVE_TAG(aigw_flight_kinds[i], entry->account[i]))
        {
            slot = aigw_live_slot(f->counters, aigw_flight_kinds[i],
                                  entry->account[i], 1);
        }

        f->slot[i] = slot;
    }
}


/* From here on a recoverer goes on at stage. Returns the op of its update. */
static uint64_t
aigw_flight_announce(aigw_flight_t *f, unsigned stage)
{
    uint64_t  seq = aigw_live_cell_next(f->counters, f->writer);

    atomic_store_explicit(&f->entry->word, seq << 8 | stage,
                          memory_order_release);
    AIGW_LIVE_STEP();

    return AIGW_LIVE_OP(f->writer, seq);
}


static void
aigw_flight_change(aigw_flight_t *f, unsigned stage, aigw_live_cell_t *cell,
    int64_t delta)
{
    aigw_live_cell_add(f->counters, f->writer, cell, delta,
                       aigw_flight_announce(f, stage));
}


/* The entry first: those who read in_flight may find too many, never too
   few. */
static void
aigw_flight_free(aigw_flight_t *f)
{
    uint64_t  n;

    atomic_store_explicit(&f->entry->word, AIGW_FLIGHT_FREE,
                          memory_order_release);
    AIGW_LIVE_STEP();

    n = atomic_load_explicit(&f->file->in_flight, memory_order_relaxed);
    atomic_store_explicit(&f->file->in_flight, n - 1, memory_order_release);
    AIGW_LIVE_STEP();
}


void
aigw_flight_undo(aigw_flight_t *f, unsigned n)
{
    int64_t  hold = f->entry->hold_nano;

    while (n > 0) {
        n--;

        if (hold > 0 && f->slot[n] != NULL) {
            aigw_flight_change(f, AIGW_FLIGHT_UNDO + n, &f->slot[n]->held,
                               -hold);
        }
    }

    aigw_flight_free(f);
}


void
aigw_flight_finish(aigw_flight_t *f, unsigned stage)
{
    unsigned              i;
    aigw_flight_entry_t  *entry = f->entry;

    for ( ; stage < AIGW_FLIGHT_APPEND; stage++) {
        i = stage - AIGW_FLIGHT_SPEND;

        if (entry->cost_nano != 0 && f->slot[i] != NULL) {
            aigw_flight_change(f, stage, &f->slot[i]->spent, entry->cost_nano);
        }
    }

    if (stage == AIGW_FLIGHT_APPEND) {
        (void) aigw_flight_announce(f, stage);
        aigw_journal_publish(f->file, entry->planned);
        AIGW_LIVE_STEP();
        stage++;
    }

    for ( ; stage < AIGW_FLIGHT_STAGES; stage++) {
        i = stage - AIGW_FLIGHT_RELEASE;

        if (entry->hold_nano > 0 && f->slot[i] != NULL) {
            aigw_flight_change(f, stage, &f->slot[i]->held, -entry->hold_nano);
        }
    }

    aigw_flight_free(f);
}


/* The row goes to its place in the ring at once; there it is no record yet, but
   whoever finds the entry at a later stage makes it one. */
void
aigw_flight_settle(aigw_flight_t *f, const aigw_row_t *row)
{
    f->entry->cost_nano = row->cost_nano;
    aigw_journal_write(f->file, row, &f->entry->planned);
    AIGW_LIVE_STEP();

    aigw_flight_finish(f, AIGW_FLIGHT_SPEND);
}


/* --- begin --- */

static int
aigw_flight_fits(int64_t limit, int64_t spent, int64_t held, int64_t hold)
{
    int64_t  used;

    if (held < 0 || __builtin_add_overflow(held, hold, &used)) {
        return 0;
    }

    return limit == AIGW_UNLIMITED
           || (!__builtin_add_overflow(used, spent, &used) && used <= limit);
}


/*
 * Account i holds what the entry says: *held is 1 then. AIGW_ERANGE: it does
 * not fit. What is held cannot have changed between look and swap, but what is
 * spent can: hence the second look.
 */
static aigw_err_t
aigw_flight_hold(aigw_flight_t *f, unsigned i, int64_t limit, unsigned *done)
{
    int64_t            held, spent, hold = f->entry->hold_nano;
    uint64_t           op, seen;
    aigw_live_slot_t  *slot = f->slot[i];

    op = aigw_flight_announce(f, AIGW_FLIGHT_HOLD + i);

    do {
        held = atomic_load_explicit(&slot->held.value, memory_order_acquire);
        seen = atomic_load_explicit(&slot->held.op, memory_order_acquire);
        spent = atomic_load_explicit(&slot->spent.value, memory_order_acquire);

        if (!aigw_flight_fits(limit, spent, held, hold)) {
            return AIGW_ERANGE;
        }
    } while (hold > 0
             && !aigw_live_cell_swap(f->counters, f->writer, &slot->held, held,
                                     seen, held + hold, op));

    *done = i + 1;
    spent = atomic_load_explicit(&slot->spent.value, memory_order_acquire);

    return aigw_flight_fits(limit, spent, held, hold) ? AIGW_OK : AIGW_ERANGE;
}


static void
aigw_flight_write(aigw_flight_entry_t *entry, const aigw_row_t *row,
    const aigw_price_t *price)
{
    entry->cost_nano = 0;
    entry->hold_nano = row->hold_nano;
    entry->prompt_tokens = row->tokens.prompt_tokens;
    entry->time_ms = row->time_ms;
    entry->account[0] = row->key_id;
    entry->account[1] = row->project_id;
    entry->account[2] = row->user_id;
    entry->flags = row->flags;
    entry->route = row->route;
    entry->price = *price;
    memcpy(entry->id, row->id, AIGW_ROW_ID_LEN);
    memcpy(entry->model, row->model, sizeof(entry->model));
    memcpy(entry->tag, row->tag, sizeof(entry->tag));
    atomic_store_explicit(&entry->usage, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->sent, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->text_bytes, 0, memory_order_relaxed);
}


/* Takes an entry and fills it; the last store is its first announcement's. */
static aigw_err_t
aigw_flight_take(aigw_flight_t *f, aigw_live_t *live, aigw_journal_t *journal,
    const aigw_row_t *row, const aigw_price_t *price)
{
    unsigned              i, flight;
    uint64_t              n;
    aigw_flight_entry_t  *entry;

    if (journal->nfree == 0 || !aigw_journal_has_room(journal->file)) {
        return AIGW_EFULL;
    }

    flight = journal->free[journal->nfree - 1];
    entry = &journal->file->flights[flight];

    /* not before the entry is seen to be free */
    atomic_thread_fence(memory_order_release);
    aigw_flight_write(entry, row, price);
    AIGW_LIVE_STEP();
    aigw_flight_open(f, live, journal, flight);

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        if (entry->account[i] == 0) {
            entry->slot[i] = 0;
            continue;
        }

        if (f->slot[i] == NULL) {
            return AIGW_EFULL;
        }

        entry->slot[i] = (uint32_t) (f->slot[i] - f->counters->slots);
    }

    n = atomic_load_explicit(&f->file->in_flight, memory_order_relaxed);
    atomic_store_explicit(&f->file->in_flight, n + 1, memory_order_relaxed);
    AIGW_LIVE_STEP();

    return AIGW_OK;
}


aigw_err_t
aigw_flight_begin(aigw_live_t *live, aigw_journal_t *journal,
    const aigw_live_account_t account[AIGW_LIVE_LEVELS], const aigw_row_t *row,
    const aigw_price_t *price, unsigned *flight, unsigned *which)
{
    unsigned       i, done = 0;
    aigw_err_t     err;
    aigw_flight_t  f;

    if (row->hold_nano < 0) {
        return AIGW_EINVAL;
    }

    err = aigw_flight_take(&f, live, journal, row, price);
    if (err != AIGW_OK) {
        return err;
    }

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        err = aigw_flight_hold(&f, i, account[i].limit_nano, &done);

        if (err != AIGW_OK) {
            *which = i;
            aigw_flight_undo(&f, done);
            return err;
        }
    }

    (void) aigw_flight_announce(&f, AIGW_FLIGHT_HELD);
    *flight = journal->free[--journal->nfree];

    return AIGW_OK;
}


/* --- in flight --- */

void
aigw_flight_sent(aigw_journal_t *journal, unsigned flight)
{
    atomic_store_explicit(&journal->file->flights[flight].sent, 1,
                          memory_order_release);
}


/* Its row may come soon. The ring is larger than a cache, and swaps behind a
   row wait until what it is written to has been fetched. */
static void
aigw_flight_expect_row(const aigw_journal_file_t *file)
{
    size_t       i;
    uint64_t     head = atomic_load_explicit(&file->head, memory_order_relaxed);
    const char  *record = (const char *)
                          &file->ring[(head + 1) % AIGW_JOURNAL_RECORDS];

    for (i = 0; i < AIGW_FLIGHT_ROW_BYTES; i += AIGW_FLIGHT_LINE) {
        __builtin_prefetch(record + i, 1);
    }
}


void
aigw_flight_update(aigw_journal_t *journal, unsigned flight,
    const aigw_tokens_t *tokens, uint64_t text_bytes)
{
    uint32_t              n;
    aigw_flight_entry_t  *entry = &journal->file->flights[flight];

    if (tokens != NULL) {
        n = atomic_load_explicit(&entry->usage, memory_order_relaxed) + 1;
        entry->tokens[n % 2] = *tokens;
        AIGW_LIVE_STEP();
        atomic_store_explicit(&entry->usage, n, memory_order_release);
    }

    atomic_store_explicit(&entry->text_bytes, text_bytes, memory_order_release);

    aigw_flight_expect_row(journal->file);
}


/* --- end --- */

aigw_err_t
aigw_flight_end(aigw_live_t *live, aigw_journal_t *journal, unsigned flight,
    const aigw_row_t *row)
{
    uint64_t       word;
    aigw_flight_t  f;

    if (flight >= AIGW_FLIGHT_MAX || row->cost_nano < 0) {
        return AIGW_EINVAL;
    }

    word = atomic_load_explicit(&journal->file->flights[flight].word,
                                memory_order_relaxed);

    if ((word & 0xff) != AIGW_FLIGHT_HELD) {
        return AIGW_EINVAL;
    }

    aigw_flight_open(&f, live, journal, flight);
    aigw_flight_settle(&f, row);
    journal->free[journal->nfree++] = (uint16_t) flight;

    return AIGW_OK;
}


/* --- what is no call --- */

/* Would what an account has spent leave its bounds? Others add to it meanwhile,
   which only helps. */
static int
aigw_flight_is_too_low(const aigw_live_slot_t *slot, int64_t cost)
{
    int64_t  spent, to;

    if (slot == NULL) {
        return 0;
    }

    spent = atomic_load_explicit(&slot->spent.value, memory_order_acquire);

    return spent == INT64_MAX || __builtin_add_overflow(spent, cost, &to)
           || to == INT64_MIN;
}


aigw_err_t
aigw_flight_post(aigw_live_t *live, aigw_journal_t *journal,
    const aigw_row_t *row)
{
    unsigned       i;
    aigw_err_t     err;
    aigw_flight_t  f;

    static const aigw_price_t  none;

    if (aigw_row_is_call(row) || row->cost_nano > 0
        || row->cost_nano == INT64_MIN || row->hold_nano != 0)
    {
        return AIGW_EINVAL;
    }

    err = aigw_flight_take(&f, live, journal, row, &none);
    if (err != AIGW_OK) {
        return err;
    }

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        if (aigw_flight_is_too_low(f.slot[i], row->cost_nano)) {
            aigw_flight_free(&f);
            return AIGW_ERANGE;
        }
    }

    aigw_flight_settle(&f, row);

    return AIGW_OK;
}
