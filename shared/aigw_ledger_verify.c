/*
 * Verifying the live segment: counters are built anew in memory, as after a
 * boot, and compared with those that run. No lock is taken, so that a look may
 * catch the others in the middle of something: hence several looks.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "aigw_live_internal.h"
#include "aigw_ledger_verify.h"


#define LOOKS       25
#define WAIT_MS     20
#define CELLS       2                 /* of an account: spent, held */


/* A cell of an account as it was before and after the counters were built. */
typedef struct {
    int64_t   before;
    uint64_t  op;                     /* then */
    int64_t   expected;
    int64_t   found;
    unsigned  sure:1;                 /* equal, and nobody was at it */
    unsigned  fair:1;                 /* between before and after */
} look_t;

typedef struct {
    uint64_t  tag;
    look_t    cells[CELLS];
} account_t;

typedef struct {
    unsigned  ahead;                  /* looks in which the mark was */
    uint64_t  mark;
    uint64_t  head;
} journal_t;

typedef struct {
    aigw_store_t          *store;
    aigw_live_t           *live;
    aigw_live_counters_t  *built;
    account_t             *accounts;
    size_t                 n;
    unsigned               looks;
    journal_t              journals[AIGW_JOURNAL_MAX];
    char                   names[AIGW_JOURNAL_MAX][AIGW_LIVE_NAME_LEN + 1];
} verify_t;


static const aigw_live_cell_t *
cell_of(const aigw_live_slot_t *slot, unsigned i)
{
    return i == 0 ? &slot->spent : &slot->held;
}


static aigw_live_slot_t *
slot_of(aigw_live_counters_t *counters, uint64_t tag)
{
    return aigw_live_slot(counters, (aigw_account_kind_t) (tag >> 56),
                          tag & ((UINT64_C(1) << 56) - 1), 0);
}


static int64_t
read_cell(const aigw_live_slot_t *slot, unsigned i, uint64_t *op)
{
    const aigw_live_cell_t  *cell;

    if (slot == NULL) {
        *op = 0;
        return 0;
    }

    cell = cell_of(slot, i);
    *op = atomic_load_explicit(&cell->op, memory_order_acquire);

    return atomic_load_explicit(&cell->value, memory_order_acquire);
}


/* --- accounts --- */

/* All that one of the two has. A second look finds those that it knows. */
static aigw_err_t
list_accounts(verify_t *v)
{
    size_t      i, room = 0;
    uint64_t    tag;
    account_t  *accounts;

    for (i = 0; i < 2 * (size_t) AIGW_LIVE_ACCOUNTS; i++) {
        tag = i < AIGW_LIVE_ACCOUNTS
              ? atomic_load(&v->live->counters->slots[i].tag)
              : atomic_load(&v->built->slots[i - AIGW_LIVE_ACCOUNTS].tag);

        if (tag == 0
            || (i >= AIGW_LIVE_ACCOUNTS
                && slot_of(v->live->counters, tag) != NULL))
        {
            continue;
        }

        if (v->n == room) {
            room = room ? 2 * room : 64;
            accounts = realloc(v->accounts, room * sizeof(accounts[0]));

            if (accounts == NULL) {
                return AIGW_ENOMEM;
            }

            v->accounts = accounts;
        }

        v->accounts[v->n++] = (account_t) { .tag = tag };
    }

    return AIGW_OK;
}


static void
look_before(verify_t *v)
{
    size_t             i;
    look_t            *look;
    unsigned           cell;
    aigw_live_slot_t  *slot;

    for (i = 0; i < v->n; i++) {
        slot = slot_of(v->live->counters, v->accounts[i].tag);

        for (cell = 0; cell < CELLS; cell++) {
            look = &v->accounts[i].cells[cell];
            look->before = read_cell(slot, cell, &look->op);
        }
    }
}


static void
compare_cell(look_t *look, int64_t expected, int64_t after, uint64_t op)
{
    int64_t  low, high;

    low = look->before < after ? look->before : after;
    high = look->before < after ? after : look->before;

    if (expected >= low && expected <= high) {
        look->fair = 1;
        look->sure = low == high && op == look->op;
    }

    look->expected = expected;
    look->found = after;
}


/* Returns how many are not sure yet. */
static size_t
look_after(verify_t *v)
{
    size_t             i, open = 0;
    look_t            *look;
    int64_t            after, expected;
    uint64_t           op, unused;
    unsigned           cell;
    aigw_live_slot_t  *slot, *built;

    for (i = 0; i < v->n; i++) {
        slot = slot_of(v->live->counters, v->accounts[i].tag);
        built = slot_of(v->built, v->accounts[i].tag);

        for (cell = 0; cell < CELLS; cell++) {
            look = &v->accounts[i].cells[cell];

            if (!look->sure) {
                after = read_cell(slot, cell, &op);
                expected = read_cell(built, cell, &unused);
                compare_cell(look, expected, after, op);
                open += !look->sure;
            }
        }
    }

    return open;
}


/* --- journals --- */

/* Is it right now? */
static int
look_at_journal(verify_t *v, const aigw_journal_file_t *file, journal_t *j,
    aigw_err_t *err)
{
    uint64_t  after, head;

    *err = aigw_journal_pending(v->store, file, &after, &head);

    if (*err != AIGW_ECORRUPT) {
        return 1;
    }

    j->ahead++;
    j->head = atomic_load(&file->head);
    *err = aigw_store_get_watermark(v->store, file->id, &j->mark);

    return 0;
}


/* Returns how many journals have something wrong. */
static size_t
look_at_journals(verify_t *v, aigw_err_t *err)
{
    size_t           open = 0;
    unsigned         i;
    aigw_journals_t  journals = { 0 };

    *err = aigw_journal_map_all(v->live->path, v->live->store, &journals);

    for (i = 0; i < AIGW_JOURNAL_MAX && *err == AIGW_OK; i++) {
        if (journals.map[i].file != NULL) {
            open += !look_at_journal(v, journals.map[i].file, &v->journals[i],
                                     err);
        }
    }

    aigw_journal_unmap_all(&journals);

    return open;
}


/* --- looks --- */

/* *open: how much is not as it must be, or not surely so. */
static aigw_err_t
look(verify_t *v, size_t *open)
{
    void        *map;
    aigw_err_t   err;

    map = mmap(NULL, sizeof(*v->built), PROT_READ|PROT_WRITE,
               MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED) {
        return AIGW_ENOMEM;
    }

    v->built = map;
    memcpy(v->built->store, v->live->store, AIGW_STORE_ID_LEN);
    look_before(v);
    err = aigw_live_build_fill(v->built, v->live->path, v->store);

    if (err == AIGW_OK && v->looks++ == 0) {
        err = list_accounts(v);
        *open = v->n + 1;

    } else if (err == AIGW_OK) {
        *open = look_after(v);
        *open += look_at_journals(v, &err);
    }

    munmap(map, sizeof(*v->built));

    return err;
}


static aigw_err_t
report_account(const account_t *account, unsigned cell,
    const aigw_verify_watch_t *watch)
{
    aigw_finding_t  finding = { .money = 1 };

    finding.kind = cell == 0 ? AIGW_FINDING_LIVE_SPENT
                             : AIGW_FINDING_LIVE_HELD;
    finding.field = cell == 0 ? "spent" : "held";
    finding.account = (aigw_account_kind_t) (account->tag >> 56);
    finding.account_id = account->tag & ((UINT64_C(1) << 56) - 1);
    finding.expected = account->cells[cell].expected;
    finding.found = account->cells[cell].found;

    return watch->found(watch->data, &finding);
}


static aigw_err_t
report_journal(verify_t *v, unsigned i, const aigw_verify_watch_t *watch)
{
    const journal_t  *j = &v->journals[i];
    aigw_finding_t    finding = { .kind = AIGW_FINDING_WATERMARK,
                                  .field = "head", .journal = v->names[i] };

    /* in each look but the first, which is for the accounts alone */
    if (j->ahead + 1 != v->looks) {
        return AIGW_OK;
    }

    snprintf(v->names[i], sizeof(v->names[i]), AIGW_LIVE_JOURNAL, i);
    finding.expected = (int64_t) j->head;
    finding.found = (int64_t) j->mark;

    return watch->found(watch->data, &finding);
}


/* Records that a flusher could not take since the counters were made. */
static aigw_err_t
report_damaged(verify_t *v, const aigw_verify_watch_t *watch)
{
    aigw_finding_t  finding = { .kind = AIGW_FINDING_JOURNAL_RECORD,
                                .field = "damaged" };

    finding.found = (int64_t) atomic_load(&v->live->counters->damaged);

    return finding.found == 0 ? AIGW_OK
                              : watch->found(watch->data, &finding);
}


static aigw_err_t
report(verify_t *v, const aigw_verify_watch_t *watch)
{
    size_t      i;
    unsigned    cell;
    aigw_err_t  err = AIGW_OK;

    for (i = 0; i < CELLS * v->n && err == AIGW_OK; i++) {
        cell = (unsigned) (i % CELLS);

        if (!v->accounts[i / CELLS].cells[cell].fair) {
            err = report_account(&v->accounts[i / CELLS], cell, watch);
        }
    }

    for (i = 0; i < AIGW_JOURNAL_MAX && err == AIGW_OK; i++) {
        err = report_journal(v, (unsigned) i, watch);
    }

    return err == AIGW_OK ? report_damaged(v, watch) : err;
}


aigw_err_t
aigw_ledger_verify(aigw_store_t *store, aigw_live_t *live,
    const aigw_verify_watch_t *watch)
{
    size_t           open = 1;
    verify_t        *v;
    aigw_err_t       err = AIGW_OK;
    struct timespec  wait = { 0, WAIT_MS * 1000000L };

    v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return AIGW_ENOMEM;
    }

    v->store = store;
    v->live = live;

    while (err == AIGW_OK && open > 0 && v->looks < LOOKS) {
        if (v->looks > 1) {
            (void) nanosleep(&wait, NULL);
        }

        err = look(v, &open);
    }

    if (err == AIGW_OK) {
        err = report(v, watch);
    }

    free(v->accounts);
    free(v);

    return err;
}
