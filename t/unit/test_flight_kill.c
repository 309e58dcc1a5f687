/* Calls in flight of many processes at once: limits that hold exactly, and
   processes killed at random moments. TEST_KILLS: how many (60), TEST_SEED. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <sys/prctl.h>

#include "flight_env.h"


#define WORKERS   4
#define OPEN      8                   /* in flight in one worker */
#define ADMITTED  40000               /* noted in a round, of one worker */


typedef struct {
    _Atomic uint64_t  served;
    int64_t           limit[3];       /* of accounts 10, 11, 12 */
    _Atomic unsigned  n[WORKERS];
    uint8_t           id[WORKERS][ADMITTED][AIGW_ROW_ID_LEN];
} common_t;


static common_t  *common;
static uint64_t   seed;


static unsigned
dice(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (unsigned) (seed >> 33) % n;
}


static pid_t
spawn(void (*work)(unsigned worker), unsigned worker)
{
    pid_t     pid;
    uint64_t  mine = seed + dice(1000000) + worker;

    pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        seed = mine;
        work(worker);
        _exit(0);
    }

    return pid;
}


/* --- one limit, many who want it --- */

#define HOLD    INT64_C(700)
#define CALLS   INT64_C(50000)


/* Takes part until nothing is left. Fails if more was let in than there was. */
static void
greedy(unsigned worker)
{
    int              over = 0;
    int64_t          left = HOLD;
    unsigned         flight, which;
    aigw_row_t       row;
    aigw_err_t       err;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { -1, -1, CALLS * HOLD + HOLD - 1 } };

    while (left >= HOLD) {
        flight_row(&row, journal, 20 + worker, HOLD);
        row.user_id = 20;
        err = flight_begin(journal, &row, &limits, &flight, &which);

        if (err == AIGW_OK) {
            over += (int64_t) atomic_fetch_add(&common->served, 1) >= CALLS;
            flight_end(journal, flight, &row, HOLD);

        } else if (err == AIGW_EFULL) {
            env_sleep_ms(1);
        }

        (void) flight_free(&row, &limits, &left, &which);
    }

    _exit(over != 0);
}


static void
test_limit(void)
{
    int              status, failed = 0;
    pid_t            child[WORKERS];
    unsigned         i;
    flusher_t        f = env_flusher(5);

    for (i = 0; i < WORKERS; i++) {
        child[i] = spawn(greedy, i);
    }

    for (i = 0; i < WORKERS; i++) {
        waitpid(child[i], &status, 0);
        failed += status != 0;
    }

    env_flusher_stop(f);
    is_int(failed, 0, "4 processes, one limit: never one too many");
    is_int((int64_t) common->served, CALLS, "exactly so many are served");
    is_int(env_spent(AIGW_ACCOUNT_USER, 20), CALLS * HOLD, "all is spent");
    is_int(env_sums(AIGW_ACCOUNT_USER, 20).calls, CALLS, "each has a row");
    is_int(flight_held(20), 0, "nothing held");
}


/* --- death at random moments --- */

typedef struct {
    unsigned    flight;
    aigw_row_t  row;
    int         used;
} open_t;


static void
note(unsigned worker, const aigw_row_t *row)
{
    unsigned  n = atomic_load(&common->n[worker]);

    memcpy(common->id[worker][n], row->id, AIGW_ROW_ID_LEN);
    atomic_store(&common->n[worker], n + 1);
}


static void
start_call(aigw_journal_t *journal, unsigned worker, open_t *o)
{
    unsigned         which, account = dice(3);
    aigw_err_t       err;
    flight_limits_t  limits;

    limits.nano[0] = limits.nano[1] = limits.nano[2] = common->limit[account];
    flight_row(&o->row, journal, 10 + account, 100 + dice(400));
    err = flight_begin(journal, &o->row, &limits, &o->flight, &which);

    if (err == AIGW_OK) {
        o->used = 1;
        note(worker, &o->row);

    } else if (err == AIGW_EFULL) {
        env_sleep_ms(1);
    }
}


/* Never more than the hold, in whatever way it ends. */
static void
go_on(aigw_journal_t *journal, open_t *o)
{
    aigw_tokens_t  tokens = { 10, 0, 0, 0, 0 };

    switch (dice(4)) {
    case 0:
        aigw_flight_sent(journal, o->flight);
        break;
    case 1:
        tokens.completion_tokens = dice(26);
        aigw_flight_update(journal, o->flight, &tokens, dice(100));
        break;
    case 2:
        aigw_flight_update(journal, o->flight, NULL, dice(1000));
        break;
    default:
        flight_end(journal, o->flight, &o->row,
                   dice(10) ? dice((unsigned) o->row.hold_nano + 1) : 0);
        o->used = 0;
    }
}


static void
busy(unsigned worker)
{
    open_t          *o, open[OPEN];
    aigw_journal_t  *journal = env_claim();

    memset(open, 0, sizeof(open));

    while (atomic_load(&common->n[worker]) < ADMITTED) {
        o = &open[dice(OPEN)];

        if (o->used) {
            go_on(journal, o);
        } else {
            start_call(journal, worker, o);
        }
    }

    pause();
}


static void
kill_one(pid_t *child)
{
    kill(*child, SIGKILL);
    waitpid(*child, NULL, 0);
    *child = 0;
}


/* How many of the calls let in have no row? */
static unsigned
without_row(void)
{
    unsigned    i, n, missing = 0;
    aigw_row_t  row;

    for (i = 0; i < WORKERS; i++) {
        for (n = 0; n < atomic_load(&common->n[i]); n++) {
            missing += aigw_store_find_row(env_store, common->id[i][n], &row)
                       != AIGW_OK;
        }

        atomic_store(&common->n[i], 0);
    }

    return missing;
}


/* Kills one after the other, some of which have a successor who recovers; the
   flusher's thread recovers meanwhile. Returns the kills. */
static unsigned
kill_round(void)
{
    pid_t             child[WORKERS];
    unsigned          i, kills = 0;
    flusher_t         f = env_flusher(2);
    struct timespec   pause = { 0, 0 };

    for (i = 0; i < WORKERS; i++) {
        child[i] = spawn(busy, i);
    }

    for (i = 0; i < WORKERS * 3 / 2; i++) {
        pause.tv_nsec = 300000 + (long) dice(4000000);
        nanosleep(&pause, NULL);
        kill_one(&child[i % WORKERS]);
        kills++;

        if (i < WORKERS / 2) {
            child[i] = spawn(busy, i);
        }
    }

    env_flusher_stop(f);

    return kills;
}


static void
test_kills(unsigned kills)
{
    int                  odd = 0, over = 0, wrong = 0;
    unsigned             i, n, missing = 0;
    int64_t              held = 0;
    uint64_t             calls = 0, doubles = 0;
    aigw_live_stats_t    stats;

    for (n = 0; n < kills; ) {
        for (i = 0; i < 3; i++) {
            common->limit[i] = env_spent(AIGW_ACCOUNT_KEY, 10 + i)
                               + 1000 + dice(400000);
        }

        n += kill_round();
        aigw_journal_release(env_claim());

        for (i = 0; i < 3; i++) {
            held += flight_held(10 + i);
            wrong += !flight_agrees(10 + i);
            over += flight_spent(10 + i) > 3 * common->limit[i];
        }

        for (i = 0; i < WORKERS; i++) {
            calls += common->n[i];
        }

        doubles += env_drain().doubles;
        missing += without_row();
        aigw_live_stats(env_live, &stats);
        odd += stats.in_flight != 0 || stats.damaged != 0;
    }

    ok(calls > n, "%u kills, %" PRIu64 " calls let in", n, calls);
    is_int(wrong, 0, "spent = sum of the rows, after each round");
    is_int(held, 0, "nothing held");
    is_int(over, 0, "never over a limit");
    is_int(missing, 0, "each call let in has a row");
    is_int((int64_t) doubles, 0, "none twice");
    is_int(odd, 0, "nothing in flight, nothing damaged");
}


/* A figure for who reads the output; nothing depends on it. */
static void
test_speed(void)
{
    double           start, took, best = 1;
    unsigned         i, n, flight, which;
    aigw_row_t       row;
    aigw_err_t       err = AIGW_OK;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { AIGW_UNIT_NANO * 1000, -1, -1 } };

    flight_row(&row, journal, 6, 100);

    for (i = 0; i < 20; i++) {
        env_drain();
        start = env_seconds();

        for (n = 0; n < 4000 && err == AIGW_OK; n++) {
            aigw_journal_new_id(journal, row.time_ms, row.id);
            err = flight_begin(journal, &row, &limits, &flight, &which);
            aigw_flight_sent(journal, flight);
            aigw_flight_update(journal, flight, &row.tokens, 10);

            if (err == AIGW_OK) {
                row.cost_nano = 90;
                err = aigw_flight_end(env_live, journal, flight, &row);
            }
        }

        took = env_seconds() - start;
        best = took < best ? took : best;
    }

    is_int(err, AIGW_OK, "speed: all went well");
    printf("# begin, sent, update, end: %.0f ns\n", best / 4000 * 1e9);
    aigw_journal_release(journal);
}


int
main(void)
{
    const char  *kills = getenv("TEST_KILLS"), *start = getenv("TEST_SEED");

    seed = start != NULL ? strtoull(start, NULL, 10) | 1
                         : (uint64_t) aigw_time_now_ms() | 1;
    printf("# TEST_SEED=%" PRIu64 "\n", seed);

    env_start();
    common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(common == MAP_FAILED ? AIGW_ENOMEM : AIGW_OK, "mmap", "");
    test_speed();
    test_limit();
    test_kills(kills != NULL ? (unsigned) strtoul(kills, NULL, 10) : 60);
    env_stop();

    return done();
}
