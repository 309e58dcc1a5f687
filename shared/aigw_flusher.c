/*
 * The flusher: a process beside each worker that drains the journals while it
 * is the leader among all of them. Not a thread: a worker with one pays for it
 * with every system call and allocation. Must call nothing of nginx and hold
 * nothing that the worker has open.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "aigw_live_internal.h"
#include "aigw_ledger_internal.h"
#include "aigw_ledger.h"


#define AIGW_FLUSHER_FULL          (AIGW_JOURNAL_RECORDS / 4)
#define AIGW_FLUSHER_MANY          (AIGW_JOURNAL_RECORDS / 2)
#define AIGW_FLUSHER_LOOK_MS       100    /* between looks at rings in peace */
#define AIGW_FLUSHER_FOLLOW_MS     250    /* between tries to be leader */
#define AIGW_FLUSHER_BUSY          8
#define AIGW_FLUSHER_READERS_MS    5000   /* between looks for dead ones */
#define AIGW_FLUSHER_LAST_MS       10
#define AIGW_FLUSHER_LAST_TRIES    20


/* One process's. */
typedef struct {
    aigw_ledger_drainer_t  drainer;
    aigw_flusher_t        *shared;
    pid_t                  worker;
    unsigned               interval_ms;
    unsigned               busy;          /* tries in vain, one after another */
    uint64_t               rows;          /* of the last pass */
    int64_t                due_ms;
    int64_t                readers_ms;
} aigw_flusher_life_t;


static int64_t
aigw_flusher_now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* Has any journal more than n records to drain? */
static int
aigw_flusher_has(const aigw_ledger_drainer_t *d, uint64_t n)
{
    unsigned              slot;
    aigw_journal_file_t  *file;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        file = d->journals.map[slot].file;

        if (file != NULL && aigw_journal_undrained(file) > n) {
            return 1;
        }
    }

    return 0;
}


/* Stays or becomes leader. Whoever builds the counters holds the lock file and
   waits for the leader to make room. */
static aigw_err_t
aigw_flusher_lead(aigw_ledger_drainer_t *d)
{
    const char  *dir = d->live->path;

    if (aigw_live_dir_is_locked(dir, AIGW_LIVE_LOCK)) {
        aigw_ledger_yield(d);
        return AIGW_EBUSY;
    }

    if (d->leader != -1
        && !aigw_live_dir_is_same(dir, AIGW_LIVE_LEADER, d->leader))
    {
        aigw_ledger_yield(d);
    }

    return d->leader != -1 ? AIGW_OK : aigw_ledger_lead(d);
}


/* A leader looks again when a pass is due, and before a ring can have filled:
   sooner where the last pass had many rows. Each look takes the processor from
   the worker. */
static unsigned
aigw_flusher_wait(const aigw_flusher_life_t *f)
{
    int64_t   left = f->due_ms - aigw_flusher_now_ms();
    unsigned  most = f->interval_ms / 4 + 1;

    if (f->rows < AIGW_FLUSHER_MANY && most < AIGW_FLUSHER_LOOK_MS) {
        most = AIGW_FLUSHER_LOOK_MS;
    }

    return left < 1 ? 1 : left < most ? (unsigned) left : most;
}


/* Returns the milliseconds until there may be something to do again. */
static unsigned
aigw_flusher_step(aigw_flusher_life_t *f)
{
    aigw_err_t              err;
    aigw_ledger_stats_t     stats = { 0 };
    aigw_ledger_drainer_t  *d = &f->drainer;

    if (d->leader != -1 && aigw_flusher_now_ms() < f->due_ms
        && !aigw_flusher_has(d, AIGW_FLUSHER_FULL))
    {
        return aigw_flusher_wait(f);
    }

    err = aigw_flusher_lead(d);

    if (err == AIGW_OK) {
        err = aigw_ledger_pass(d, &stats);
        f->due_ms = aigw_flusher_now_ms() + f->interval_ms;
        f->rows = stats.rows;

        /* another's store may be in better health */
        if (err != AIGW_OK && err != AIGW_ECORRUPT) {
            aigw_ledger_yield(d);
        }
    }

    /* two whose disk is full take turns: only who leads for a while is well */
    f->busy = err == AIGW_EBUSY ? f->busy + 1 : 0;

    if (f->busy == 0) {
        atomic_store(&f->shared->error, (int) err);

    } else if (f->busy >= AIGW_FLUSHER_BUSY) {
        atomic_store(&f->shared->error, AIGW_OK);
    }

    return d->leader != -1 ? aigw_flusher_wait(f) : AIGW_FLUSHER_FOLLOW_MS;
}


/* Before it ends: what is left is written by it, or by the leader, who gets a
   moment. */
static void
aigw_flusher_last(aigw_flusher_life_t *f)
{
    unsigned                i;
    aigw_err_t              err;
    struct timespec         pause = { 0, AIGW_FLUSHER_LAST_MS * 1000000 };
    aigw_ledger_drainer_t  *d = &f->drainer;

    for (i = 0; i < AIGW_FLUSHER_LAST_TRIES; i++) {
        f->due_ms = 0;
        (void) aigw_flusher_step(f);

        if (d->leader != -1 || atomic_load(&f->shared->error)) {
            break;
        }

        err = aigw_journal_map_all(d->live->path, d->live->store,
                                   &d->journals);
        if (err != AIGW_OK || !aigw_flusher_has(d, 0)) {
            break;
        }

        nanosleep(&pause, NULL);
    }

    aigw_ledger_yield(d);
    aigw_journal_unmap_all(&d->journals);
}


static int
aigw_flusher_is_over(const aigw_flusher_life_t *f)
{
    return atomic_load(&f->shared->stop) || getppid() != f->worker;
}


/* Here, for to clear one takes LMDB's lock, which waits for a frozen disk. */
static void
aigw_flusher_clear_readers(aigw_flusher_life_t *f)
{
    int         cleared;
    int64_t     now_ms = aigw_flusher_now_ms();
    aigw_err_t  err;

    if (now_ms < f->readers_ms) {
        return;
    }

    f->readers_ms = now_ms + AIGW_FLUSHER_READERS_MS;
    err = aigw_store_check_readers(f->drainer.store, &cleared);

    /* tried again: what is left costs slots and old pages */
    (void) err;
}


/* Until told to end by the worker, or by its death: either sends the signal,
   which is blocked but for here. */
static void
aigw_flusher_live(aigw_flusher_life_t *f)
{
    unsigned         wait_ms;
    sigset_t         wake;
    struct timespec  wait;

    sigemptyset(&wake);
    sigaddset(&wake, AIGW_FLUSHER_WAKE);

    while (!aigw_flusher_is_over(f)) {
        wait_ms = aigw_flusher_step(f);
        aigw_flusher_clear_readers(f);
        wait.tv_sec = wait_ms / 1000;
        wait.tv_nsec = (long) (wait_ms % 1000) * 1000000;
        (void) sigtimedwait(&wake, NULL, &wait);
    }

    aigw_flusher_last(f);
}


static aigw_err_t
aigw_flusher_drain(aigw_flusher_life_t *f, const char *store_path,
    const char *live_path)
{
    char           fault[AIGW_FAULT_LEN + 1];
    aigw_err_t     err;
    aigw_live_t   *live;
    aigw_store_t  *store;

    err = aigw_store_open(store_path, AIGW_STORE_USAGE_WRITE, &store, fault);
    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_live_open(live_path, store, &live, fault);

    if (err == AIGW_OK) {
        aigw_ledger_init(&f->drainer, store, live);
        aigw_flusher_live(f);
        aigw_live_close(live);
    }

    aigw_store_close(store);

    return err;
}


void
aigw_flusher_run(aigw_flusher_t *shared, pid_t worker, const char *store_path,
    const char *live_path, unsigned interval_ms)
{
    sigset_t              all;
    aigw_err_t            err = AIGW_ENOMEM;
    aigw_flusher_life_t  *f;

    /* among the files are a listening socket and the lock of the worker's
       journal, which must end with the worker */

    sigfillset(&all);
    (void) sigprocmask(SIG_SETMASK, &all, NULL);
    (void) close_range(STDERR_FILENO + 1, UINT_MAX, 0);
    (void) prctl(PR_SET_PDEATHSIG, AIGW_FLUSHER_WAKE);

    f = calloc(1, sizeof(*f));

    if (f != NULL) {
        f->shared = shared;
        f->worker = worker;
        f->interval_ms = interval_ms;
        err = aigw_flusher_drain(f, store_path, live_path);
        free(f);
    }

    if (err != AIGW_OK) {
        atomic_store(&shared->error, (int) err);
    }
}
