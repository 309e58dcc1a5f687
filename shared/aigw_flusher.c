/*
 * The flusher: a thread in each worker that drains the journals while it is the
 * leader among all of them. Must call nothing of nginx, take no signal and
 * never make the process wait for it at exit.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "aigw_live_internal.h"
#include "aigw_ledger_internal.h"
#include "aigw_ledger.h"


#define AIGW_FLUSHER_FULL          (AIGW_JOURNAL_RECORDS / 4)
#define AIGW_FLUSHER_FOLLOW_MS     250    /* between tries to be leader */
#define AIGW_FLUSHER_LAST_MS       10
#define AIGW_FLUSHER_LAST_TRIES    20


struct aigw_flusher_s {
    aigw_ledger_drainer_t  drainer;
    pthread_t              thread;
    pthread_mutex_t        mutex;
    pthread_cond_t         wake;
    unsigned               interval_ms;
    int                    stop;          /* under mutex */
    int64_t                due_ms;
    _Atomic int            error;
};


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


/* Returns the milliseconds until there may be something to do again. */
static unsigned
aigw_flusher_step(aigw_flusher_t *f)
{
    aigw_err_t              err;
    aigw_ledger_stats_t     stats = { 0 };
    aigw_ledger_drainer_t  *d = &f->drainer;

    if (d->leader != -1 && aigw_flusher_now_ms() < f->due_ms
        && !aigw_flusher_has(d, AIGW_FLUSHER_FULL))
    {
        return f->interval_ms / 4 + 1;
    }

    err = aigw_flusher_lead(d);

    if (err == AIGW_OK) {
        err = aigw_ledger_pass(d, &stats);
        f->due_ms = aigw_flusher_now_ms() + f->interval_ms;

        /* another's store may be in better health */
        if (err != AIGW_OK && err != AIGW_ECORRUPT) {
            aigw_ledger_yield(d);
        }
    }

    atomic_store(&f->error, err == AIGW_EBUSY ? AIGW_OK : (int) err);

    return d->leader != -1 ? f->interval_ms / 4 + 1 : AIGW_FLUSHER_FOLLOW_MS;
}


/* Before the thread ends: what is left is written by it, or by the leader, who
   gets a moment. */
static void
aigw_flusher_last(aigw_flusher_t *f)
{
    unsigned                i;
    aigw_err_t              err;
    struct timespec         pause = { 0, AIGW_FLUSHER_LAST_MS * 1000000 };
    aigw_ledger_drainer_t  *d = &f->drainer;

    for (i = 0; i < AIGW_FLUSHER_LAST_TRIES; i++) {
        f->due_ms = 0;
        (void) aigw_flusher_step(f);

        if (d->leader != -1 || aigw_flusher_error(f) != AIGW_OK) {
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


static void *
aigw_flusher_main(void *data)
{
    int64_t          until_ms;
    unsigned         wait_ms;
    aigw_flusher_t  *f = data;
    struct timespec  until;

    pthread_mutex_lock(&f->mutex);

    while (!f->stop) {
        pthread_mutex_unlock(&f->mutex);
        wait_ms = aigw_flusher_step(f);
        until_ms = aigw_flusher_now_ms() + wait_ms;
        until.tv_sec = (time_t) (until_ms / 1000);
        until.tv_nsec = (long) (until_ms % 1000) * 1000000;
        pthread_mutex_lock(&f->mutex);

        if (!f->stop) {
            pthread_cond_timedwait(&f->wake, &f->mutex, &until);
        }
    }

    pthread_mutex_unlock(&f->mutex);
    aigw_flusher_last(f);

    return NULL;
}


/* The signals stay with the event loop. */
static int
aigw_flusher_spawn(aigw_flusher_t *f)
{
    int       rc;
    sigset_t  all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&f->thread, NULL, aigw_flusher_main, f);
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc;
}


static void
aigw_flusher_free(aigw_flusher_t *f)
{
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}


aigw_err_t
aigw_flusher_start(aigw_store_t *store, aigw_live_t *live, unsigned interval_ms,
    aigw_flusher_t **flusher)
{
    aigw_flusher_t      *f;
    pthread_condattr_t   attr;

    f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return AIGW_ENOMEM;
    }

    aigw_ledger_init(&f->drainer, store, live);
    f->interval_ms = interval_ms;

    pthread_mutex_init(&f->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);

    if (aigw_flusher_spawn(f) != 0) {
        aigw_flusher_free(f);
        return AIGW_ENOMEM;
    }

    *flusher = f;

    return AIGW_OK;
}


aigw_err_t
aigw_flusher_stop(aigw_flusher_t *flusher, unsigned timeout_ms)
{
    struct timespec  until;

    pthread_mutex_lock(&flusher->mutex);
    flusher->stop = 1;
    pthread_cond_signal(&flusher->wake);
    pthread_mutex_unlock(&flusher->mutex);

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long) (timeout_ms % 1000) * 1000000;

    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }

    if (pthread_timedjoin_np(flusher->thread, NULL, &until) != 0) {
        return AIGW_EBUSY;
    }

    aigw_flusher_free(flusher);

    return AIGW_OK;
}


aigw_err_t
aigw_flusher_error(const aigw_flusher_t *flusher)
{
    return (aigw_err_t) atomic_load(&flusher->error);
}
