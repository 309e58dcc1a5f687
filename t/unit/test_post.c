/* Credits and refunds: booked once, whoever dies at whatever step; what is
   spent follows, below zero too; what verifies says nothing. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>

static void step(void);

#define AIGW_LIVE_STEP()     step()
#define AIGW_LEDGER_WAIT_MS  300

#include "aigw_live_cell.c"
#include "aigw_flight.c"
#include "aigw_flight_recover.c"
#include "aigw_ledger_post.c"

#include "aigw_ledger_verify.h"
#include "aigw_store_prune.h"
#include "aigw_store_verify.h"
#include "flight_env.h"


#define STEPS_MAX  200


static unsigned  step_at, step_n;


static void
step(void)
{
    if (++step_n == step_at) {
        kill(getpid(), SIGKILL);
    }
}


/* --- what is booked --- */

static void
credit(aigw_row_t *row, uint64_t n, const char *ref, int64_t amount)
{
    memset(row, 0, sizeof(*row));
    row->settled = AIGW_SETTLED_CREDIT;
    row->project_id = n;
    row->user_id = n;
    row->time_ms = row->settled_ms = aigw_time_now_ms();
    row->cost_nano = -amount;
    strcpy(row->ref, ref);
    strcpy(row->note, "a note");
}


static void
refund(aigw_row_t *row, const aigw_row_t *of, int64_t amount)
{
    memset(row, 0, sizeof(*row));
    row->settled = AIGW_SETTLED_REFUND;
    row->project_id = of->project_id;
    row->user_id = of->user_id;
    row->key_id = of->key_id;
    row->time_ms = row->settled_ms = aigw_time_now_ms();
    row->cost_nano = -amount;
    memcpy(row->of, of->id, AIGW_ROW_ID_LEN);
    strcpy(row->model, of->model);
}


static aigw_err_t
post(aigw_row_t *row)
{
    char  fault[AIGW_FAULT_LEN + 1];

    return aigw_ledger_post(env_store, env_live_path, row, fault);
}


/* A call of account n that costs so much. */
static aigw_row_t
spend(uint64_t n, int64_t cost)
{
    unsigned         flight, which;
    aigw_row_t       row;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { -1, -1, -1 } };

    flight_row(&row, journal, n, cost);
    must(flight_begin(journal, &row, &limits, &flight, &which), "begin", "");
    aigw_flight_sent(journal, flight);
    row.tokens.prompt_tokens = cost / 2;
    flight_end(journal, flight, &row, cost);
    aigw_journal_release(journal);

    return row;
}


static aigw_err_t
on_finding(void *data, const aigw_finding_t *finding)
{
    printf("# %s %s: %lld, not %lld\n", aigw_store_finding_name(finding->kind),
           finding->field ? finding->field : "", (long long) finding->found,
           (long long) finding->expected);
    ++*(unsigned *) data;

    return AIGW_OK;
}


static unsigned
findings(void)
{
    unsigned              n = 0;
    aigw_verify_stats_t   stats;
    aigw_verify_watch_t   watch = { &n, on_finding, NULL };

    env_drain();
    must(aigw_store_verify(env_store, &watch, &stats), "verify", "");
    must(aigw_ledger_verify(env_store, env_live, &watch), "verify live", "");

    return n;
}


static void
test_credit(void)
{
    int64_t      left;
    unsigned     which;
    aigw_row_t   row, again, found;
    aigw_sums_t  sums;

    const flight_limits_t  limits = { { 1000, 1000, 1000 } };

    (void) spend(1, 100);
    credit(&row, 1, "x", 30);
    is_int(post(&row), AIGW_OK, "a credit");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 1), 70, "comes off the project's");
    is_int(env_spent(AIGW_ACCOUNT_USER, 1), 70, "and the user's");
    is_int(env_spent(AIGW_ACCOUNT_KEY, 1), 100, "and no key's");
    is_int(aigw_store_find_row(env_store, row.id, &found), AIGW_OK,
           "it is in the store");
    is_str(found.ref, "x", "with its name");
    is_str(found.note, "a note", "and note");

    credit(&again, 1, "x", 30);
    is_int(post(&again), AIGW_EEXIST, "the same again: it is there");
    ok(memcmp(again.id, row.id, AIGW_ROW_ID_LEN) == 0, "that very one");
    credit(&again, 1, "x", 31);
    is_int(post(&again), AIGW_EEXIST, "with another amount, too");
    is_int(again.cost_nano, -30, "the first one's is told");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 1), 70, "nothing more came off");

    credit(&row, 1, "x2", 1);
    is_int(post(&row), AIGW_OK, "another name");
    (void) spend(2, 10);
    credit(&row, 2, "x", 1000);
    is_int(post(&row), AIGW_OK, "another project's, beyond what it spent");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 2), -990, "below zero");
    is_int(flight_free(&(aigw_row_t) { .key_id = 2, .project_id = 2,
                                       .user_id = 2 }, &limits, &left,
                       &which), 990, "what is free: the key's");

    sums = env_sums(AIGW_ACCOUNT_PROJECT, 2);
    is_int(sums.cost_nano, -990, "the store's sum, too");
    is_int(sums.calls, 1, "it is no call");
    is_int(sums.refused_calls, 0, "nor a refused one");

    credit(&row, 2, "y", INT64_MAX);
    is_int(post(&row), AIGW_ERANGE, "Q11 no sum wraps");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 2), -990, "and nothing was done");
    row.cost_nano = 1;
    is_int(post(&row), AIGW_EINVAL, "a credit is no charge");
    row.settled = AIGW_SETTLED_EXACT;
    is_int(post(&row), AIGW_EINVAL, "and no call is booked so");
    is_int(findings(), 0, "all agrees");
}


/* Where what is left of a quota is more than the quota. */
static void
test_below_zero(void)
{
    unsigned         flight, which;
    aigw_row_t       row;
    aigw_journal_t  *journal;
    flight_limits_t  limits = { { -1, 10, 10 } };

    credit(&row, 3, "gift", 5);
    is_int(post(&row), AIGW_OK, "a credit before the first call");
    journal = env_claim();
    flight_row(&row, journal, 3, 16);
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_ERANGE,
           "one unit beyond quota and credit");
    flight_row(&row, journal, 3, 15);
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_OK,
           "to the last unit of both");
    flight_end(journal, flight, &row, 15);
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 3), 10, "spent to the quota");
    flight_row(&row, journal, 3, 1);
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_ERANGE,
           "then nothing more");
    aigw_journal_release(journal);
}


static void
test_refund(void)
{
    unsigned     i;
    aigw_row_t   of = spend(4, 100), row, again;
    aigw_sums_t  sums;

    env_drain();
    refund(&row, &of, 40);
    is_int(post(&row), AIGW_OK, "a refund");

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        is_int(env_spent(flight_kinds[i], 4), 60, "off each of its row's");
    }

    refund(&again, &of, 40);
    is_int(post(&again), AIGW_EEXIST, "once");
    refund(&again, &of, 20);
    is_int(post(&again), AIGW_EEXIST, "and not bit by bit");
    sums = env_sums(AIGW_ACCOUNT_KEY, 4);
    is_int(sums.last_ms, of.time_ms, "its key was not used");
    is_int(sums.cost_nano, 60, "the store's sum");
    is_int(findings(), 0, "all agrees");

    of = spend(5, 10);
    env_drain();
    refund(&row, &of, 11);
    must(post(&row), "refund", "");
    is_int(findings(), 1, "more than its row cost is found");
}


/* --- deaths --- */

/* In a process of its own, that dies at a step if it comes there. Nobody has
   the store open: it must not be taken over a fork. */
static pid_t
post_apart(aigw_row_t *row, unsigned at)
{
    pid_t  pid = fork();

    if (pid == 0) {
        env_store = NULL;
        env_reopen(AIGW_STORE_USAGE_WRITE);
        step_n = 0;
        step_at = at;
        _exit((int) post(row));
    }

    return pid;
}


/* 0: it came to its end before that. */
static int
post_and_die(aigw_row_t *row, unsigned at)
{
    int  status = 0;

    aigw_store_close(env_store);
    (void) waitpid(post_apart(row, at), &status, 0);
    env_store = NULL;
    env_reopen(AIGW_STORE_USAGE_WRITE);

    return WIFSIGNALED(status);
}


/* A credit, or a refund, whose maker dies at each step in turn and who then
   tries again until it is told that it is there. */
static void
test_deaths(int is_refund)
{
    char          ref[32];
    int64_t       before, wrong = 0, once = 0;
    unsigned      at, tries;
    aigw_row_t    row, of = spend(6, 1000000);
    aigw_err_t    err;

    env_drain();

    for (at = 1; at < STEPS_MAX; at++) {
        snprintf(ref, sizeof(ref), "%d-%u", is_refund, at);

        if (is_refund) {
            of = spend(6, 1000);
            env_drain();
        }

        before = env_spent(AIGW_ACCOUNT_PROJECT, 6);
        is_refund ? refund(&row, &of, 7) : credit(&row, 6, ref, 7);

        if (!post_and_die(&row, at)) {
            break;
        }

        for (tries = 0; tries < 2; tries++) {
            is_refund ? refund(&row, &of, 7) : credit(&row, 6, ref, 7);
            err = post(&row);
            wrong += err != AIGW_EEXIST && (err != AIGW_OK || tries > 0);
        }

        env_drain();
        once += env_spent(AIGW_ACCOUNT_PROJECT, 6) == before - 7
                && env_spent(AIGW_ACCOUNT_USER, 6) == before - 7
                && flight_agrees(6) && flight_held(6) == 0;
    }

    ok(at > 12 && at < STEPS_MAX, "%u steps", at);
    is_int(once, at - 1, "after a death at each: booked once");
    is_int(wrong, 0, "and told so");
}


/* Those who are at it at once. */
static void
test_many(void)
{
    int         status = 0, booked = 0;
    unsigned    i, n = 0;
    pid_t       pid[6];
    aigw_row_t  row;

    credit(&row, 7, "all", 7);
    aigw_store_close(env_store);

    for (i = 0; i < 6; i++) {
        pid[i] = post_apart(&row, 0);
    }

    for (i = 0; i < 6; i++) {
        (void) waitpid(pid[i], &status, 0);
        booked += WEXITSTATUS(status) == AIGW_OK;
        n += WEXITSTATUS(status) == AIGW_EEXIST;
    }

    env_store = NULL;
    env_reopen(AIGW_STORE_USAGE_WRITE);
    is_int(booked, 1, "one of six books it");
    is_int(n, 5, "the others are told");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 7), -7, "once");
}


/* Of a credit whose row is gone its name and amount are known. */
static void
test_pruned(void)
{
    aigw_row_t    row, again;
    aigw_prune_t  prune = { .before_ms = aigw_time_now_ms() };

    prune.before_ms -= prune.before_ms % 3600000;
    credit(&row, 10, "old", 12);
    row.time_ms = prune.before_ms - 1800000;
    must(post(&row), "post", "");

    while (!prune.done) {
        must(aigw_store_prune(env_store, &prune, 0), "prune", "");
    }

    is_int(aigw_store_find_row(env_store, row.id, &again), AIGW_ENOTFOUND,
           "a row that is gone");
    is_int(env_sums(AIGW_ACCOUNT_PROJECT, 10).cost_nano, -12, "its sum stays");
    credit(&again, 10, "old", 12);
    is_int(post(&again), AIGW_EEXIST, "it is booked all the same");
    is_int(again.cost_nano, -12, "with so much");
    is_int(again.time_ms, 0, "nobody knows when");
    is_int(findings(), 1, "all agrees, but for what was found before");
}


/* Somebody else leads and writes nothing. */
static void
test_unwritten(void)
{
    int                    leader;
    aigw_row_t             row, again;
    aigw_live_counters_t  *counters;

    must(aigw_live_dir_lock(env_live_path, AIGW_LIVE_LEADER, 0, &leader),
         "lead", "");
    credit(&row, 8, "slow", 9);
    is_int(post(&row), AIGW_AGAIN, "not written yet");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 8), -9, "it counts all the same");
    credit(&again, 8, "slow", 9);
    is_int(post(&again), AIGW_EEXIST, "and is there");

    counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(counters == MAP_FAILED ? AIGW_ENOMEM : AIGW_OK, "mmap", "");
    memcpy(counters->store, env_live->store, AIGW_STORE_ID_LEN);
    must(aigw_live_build_fill(counters, env_live_path, env_store), "fill", "");
    is_int(atomic_load(&aigw_live_slot(counters, AIGW_ACCOUNT_PROJECT, 8, 1)
                       ->spent.value), -9, "counters made anew have it");
    ok(aigw_live_slot(counters, AIGW_ACCOUNT_KEY, 0, 0) == NULL,
       "and no key of id 0");
    munmap(counters, sizeof(*counters));
    aigw_live_dir_unlock(leader);
    is_int(findings(), 1, "all agrees, but for what was found before");
}


/* Without counters. */
static void
test_direct(void)
{
    int          fd;
    char         fault[AIGW_FAULT_LEN + 1];
    aigw_row_t   row, again;

    aigw_live_close(env_live);
    env_remove(AIGW_LIVE_COUNTERS);
    credit(&row, 9, "dry", 11);
    is_int(post(&row), AIGW_OK, "without counters");
    credit(&again, 9, "dry", 11);
    is_int(post(&again), AIGW_EEXIST, "once, too");
    is_int(env_sums(AIGW_ACCOUNT_PROJECT, 9).cost_nano, -11, "in the store");

    must(aigw_store_lock(env_store, AIGW_STORE_LOCK_BUILD, 0, &fd), "lock",
         "");
    is_int(aigw_store_lock(env_store, AIGW_STORE_LOCK_BUILD, 0, &fd),
           AIGW_EBUSY, "one at a time makes counters");
    aigw_store_unlock(fd);
    env_reopen(AIGW_STORE_USAGE_WRITE);
    must(aigw_live_open(env_live_path, env_store, &env_live, fault), "live",
         fault);
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 9), -11, "those made later have it");
}


int
main(void)
{
    env_start();
    test_credit();
    test_below_zero();
    test_refund();
    test_deaths(0);
    test_deaths(1);
    test_many();
    test_pruned();
    test_unwritten();
    test_direct();
    env_stop();

    return done();
}
