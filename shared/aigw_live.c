/*
 * The counters: what each account has spent, and how many refusals got a row.
 * All workers write them at once, by atomics only: nothing on the request's
 * path here may lock, allocate or call the system.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aigw_limit.h"
#include "aigw_live_internal.h"


/* Further from its place no account is put: a lookup in a full table stays
   some microseconds. Reached at about nine tenths. */
#define AIGW_LIVE_PROBES         4096

#define AIGW_LIVE_REFUSAL_ROWS   10
#define AIGW_LIVE_CLOCK_BACK_S   2


/* The finalizer of splitmix64: each bit of x moves every bit. */
static uint64_t
aigw_live_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);

    return x ^ (x >> 31);
}


aigw_live_slot_t *
aigw_live_slot(aigw_live_counters_t *counters, aigw_account_kind_t kind,
    uint64_t id, int make)
{
    unsigned           n;
    uint64_t           tag, seen, i;
    aigw_live_slot_t  *slot;

    tag = AIGW_LIVE_TAG(kind, id);
    i = aigw_live_mix(tag);

    for (n = 0; n < AIGW_LIVE_PROBES; n++) {
        slot = &counters->slots[(i + n) % AIGW_LIVE_ACCOUNTS];
        seen = atomic_load_explicit(&slot->tag, memory_order_relaxed);

        if (seen == 0) {
            if (!make) {
                return NULL;
            }

            /* a loser sees who won: perhaps the same account */
            if (atomic_compare_exchange_strong(&slot->tag, &seen, tag)) {
                return slot;
            }
        }

        if (seen == tag) {
            return slot;
        }
    }

    return NULL;
}


aigw_err_t
aigw_live_add(aigw_live_counters_t *counters, aigw_account_kind_t kind,
    uint64_t id, int64_t spent_nano, int64_t held_nano)
{
    uint64_t           op = AIGW_LIVE_OP(AIGW_LIVE_ANYBODY, 0);
    aigw_live_slot_t  *slot;

    slot = aigw_live_slot(counters, kind, id, 1);
    if (slot == NULL) {
        return AIGW_EFULL;
    }

    if (spent_nano != 0) {
        aigw_live_cell_add(counters, AIGW_LIVE_ANYBODY, &slot->spent,
                           spent_nano, op);
    }

    if (held_nano != 0) {
        aigw_live_cell_add(counters, AIGW_LIVE_ANYBODY, &slot->held, held_nano,
                           op);
    }

    return AIGW_OK;
}


/* held first: a settlement raises spent before it lowers held, so that the two
   together are never too little. */
static void
aigw_live_look(const aigw_live_slot_t *slot, int64_t *spent, int64_t *held)
{
    *held = atomic_load_explicit(&slot->held.value, memory_order_acquire);
    *spent = atomic_load_explicit(&slot->spent.value, memory_order_acquire);
}


void
aigw_live_read(const aigw_live_t *live, aigw_account_kind_t kind, uint64_t id,
    int64_t *spent_nano, int64_t *held_nano)
{
    aigw_live_slot_t  *slot = aigw_live_slot(live->counters, kind, id, 0);

    *spent_nano = 0;
    *held_nano = 0;

    if (slot != NULL) {
        aigw_live_look(slot, spent_nano, held_nano);
    }
}


int64_t
aigw_live_free(const aigw_live_t *live,
    const aigw_live_account_t account[AIGW_LIVE_LEVELS], int64_t *left_nano,
    unsigned *which)
{
    int64_t   spent, held, free, left;
    int64_t   least = INT64_MAX, least_left = INT64_MAX;
    unsigned  i, binds = 0;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        if (account[i].limit_nano == AIGW_UNLIMITED) {
            continue;
        }

        aigw_live_read(live, account[i].kind, account[i].id, &spent, &held);
        free = aigw_limit_left(account[i].limit_nano, spent, held);
        left = aigw_limit_left(account[i].limit_nano, spent, 0);

        if (free < least) {
            least = free;
            binds = i;
        }

        least_left = left < least_left ? left : least_left;
    }

    *left_nano = least_left;
    *which = binds;

    return least;
}


int
aigw_live_may_log_refusal(aigw_live_t *live, uint64_t who, int64_t now_ms)
{
    uint64_t           second, seen, next;
    _Atomic uint64_t  *bucket;

    second = (uint64_t) now_ms / 1000;
    bucket = &live->counters->refusals[aigw_live_mix(who) % AIGW_LIVE_REFUSALS];
    seen = atomic_load_explicit(bucket, memory_order_relaxed);

    do {
        /* another worker's clock may be a tick ahead: its second goes on */
        if (seen >> 16 < second
            || seen >> 16 > second + AIGW_LIVE_CLOCK_BACK_S)
        {
            next = second << 16 | 1;

        } else if ((seen & 0xffff) < AIGW_LIVE_REFUSAL_ROWS) {
            next = seen + 1;

        } else {
            atomic_fetch_add(&live->counters->refusals_unlogged, 1);
            return 0;
        }
    } while (!atomic_compare_exchange_weak(bucket, &seen, next));

    return 1;
}


int
aigw_live_is_current(const aigw_live_t *live)
{
    int                    same;
    void                  *map;
    aigw_live_counters_t  *counters;

    if (aigw_live_dir_map(live->path, AIGW_LIVE_COUNTERS, sizeof(*counters),
                          &map, NULL)
        != AIGW_OK)
    {
        return 0;
    }

    counters = map;
    same = counters->id == live->counters->id;
    munmap(map, sizeof(*counters));

    return same;
}


/* Maps the counters if they are whole, and of store (NULL: of any). */
static aigw_err_t
aigw_live_map(aigw_live_t *live, aigw_store_t *store)
{
    void                  *map;
    aigw_err_t             err;
    aigw_live_counters_t  *counters;

    err = aigw_live_dir_map(live->path, AIGW_LIVE_COUNTERS, sizeof(*counters),
                            &map, NULL);
    if (err != AIGW_OK) {
        return err;
    }

    counters = map;

    if (counters->magic != AIGW_LIVE_MAGIC
        || counters->layout != AIGW_LIVE_LAYOUT
        || counters->accounts != AIGW_LIVE_ACCOUNTS
        || !atomic_load_explicit(&counters->complete, memory_order_acquire)
        || (store != NULL && memcmp(counters->store, aigw_store_id(store).data,
                                    AIGW_STORE_ID_LEN) != 0))
    {
        munmap(map, sizeof(*counters));
        return AIGW_ECORRUPT;
    }

    live->counters = counters;
    memcpy(live->store, counters->store, AIGW_STORE_ID_LEN);

    return AIGW_OK;
}


/* Under the lock file: maps what somebody else has made meanwhile, or makes
   it. */
static aigw_err_t
aigw_live_map_or_build(aigw_live_t *live, aigw_store_t *store,
    char fault[AIGW_FAULT_LEN + 1])
{
    int         lock;
    aigw_err_t  err;

    err = aigw_live_dir_lock(live->path, AIGW_LIVE_LOCK, AIGW_LIVE_LOCK_WAIT_MS,
                             &lock);
    if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot lock '%s/" AIGW_LIVE_LOCK "': %s",
                            live->path, aigw_strerror(err));
        return err;
    }

    err = aigw_live_map(live, store);

    if (err != AIGW_OK) {
        err = aigw_live_build(live->path, store, fault);

        if (err == AIGW_OK) {
            err = aigw_live_map(live, store);
        }
    }

    aigw_live_dir_unlock(lock);

    return err;
}


aigw_err_t
aigw_live_open(const char *path, aigw_store_t *store, aigw_live_t **live,
    char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t    err;
    aigw_live_t  *l;

    err = aigw_live_place_check(path, fault);
    if (err != AIGW_OK) {
        return err;
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        aigw_live_dir_fault(fault, "%s", aigw_strerror(AIGW_ENOMEM));
        return AIGW_ENOMEM;
    }

    strcpy(l->path, path);

    err = aigw_live_map(l, store);

    if (err == AIGW_ECORRUPT && store == NULL) {
        err = AIGW_ENOTFOUND;
    }

    if (store != NULL && (err == AIGW_ENOTFOUND || err == AIGW_ECORRUPT)) {
        err = aigw_live_map_or_build(l, store, fault);

    } else if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot map '%s/" AIGW_LIVE_COUNTERS "': %s",
                            path, aigw_strerror(err));
    }

    if (err != AIGW_OK) {
        free(l);
        return err;
    }

    *live = l;

    return AIGW_OK;
}


void
aigw_live_close(aigw_live_t *live)
{
    if (live == NULL) {
        return;
    }

    munmap(live->counters, sizeof(*live->counters));
    free(live);
}


void
aigw_live_stats(const aigw_live_t *live, aigw_live_stats_t *stats)
{
    size_t            i;
    aigw_err_t        err;
    aigw_journals_t   journals = { 0 };

    memset(stats, 0, sizeof(*stats));

    for (i = 0; i < AIGW_LIVE_ACCOUNTS; i++) {
        stats->accounts += atomic_load_explicit(&live->counters->slots[i].tag,
                                                memory_order_relaxed) != 0;
    }

    stats->refusals_unlogged = atomic_load(&live->counters->refusals_unlogged);
    stats->damaged = atomic_load(&live->counters->damaged);

    /* one that cannot be opened is not counted */
    err = aigw_journal_map_all(live->path, live->store, &journals);
    (void) err;

    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        if (journals.map[i].file != NULL) {
            stats->journals++;
            stats->undrained += aigw_journal_undrained(journals.map[i].file);
            stats->in_flight += atomic_load(&journals.map[i].file->in_flight);
        }
    }

    aigw_journal_unmap_all(&journals);
}
