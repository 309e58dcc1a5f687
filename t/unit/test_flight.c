/* Calls in flight: holds, limits, settlement, and what is left of them by who
   dies at each step. test_flight_kill.c does it at random moments. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <sys/prctl.h>

static void step(void);

#define AIGW_LIVE_STEP()  step()

#include "aigw_live_cell.c"
#include "aigw_flight.c"
#include "aigw_flight_recover.c"

#include "flight_env.h"


static unsigned   step_at, step_n;


static void
step_die(void)
{
    kill(getpid(), SIGKILL);
}


static void     (*step_do)(void) = step_die;


static void
step(void)
{
    if (++step_n == step_at) {
        step_do();
    }
}


/* --- admission --- */

static void
test_holds(void)
{
    int64_t          left;
    unsigned         flight = 99, other, which = 9, i;
    aigw_row_t       row;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { 1000, 1000, 1000 } };

    flight_row(&row, journal, 1, 400);
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_OK,
           "a hold that fits");
    is_int(which, 9, "which is left alone");
    is_int(flight_held(1), 1200, "held in all three");
    is_int(aigw_journal_flights(journal), 1, "one in flight");

    is_int(flight_free(&row, &limits, &left, &which), 600,
           "free: what is not held");
    is_int(left, 1000, "left: what is not spent");

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        limits.nano[i] = 999;
        flight_row(&row, journal, 1, 600);
        is_int(flight_begin(journal, &row, &limits, &other, &which),
               AIGW_ERANGE, "a unit too much");
        is_int(which, i, "in this account");
        is_int(flight_held(1), 1200, "and none holds more");
        is_int(flight_free(&row, &limits, &left, &which), 599,
               "a unit less free");
        is_int(which, i, "there");
        limits.nano[i] = 1000;
    }

    is_int(flight_begin(journal, &row, &limits, &other, &which), AIGW_OK,
           "to the last unit");
    flight_row(&row, journal, 1, 1);
    is_int(flight_begin(journal, &row, &limits, &other, &which), AIGW_ERANGE,
           "nothing beyond");
    flight_row(&row, journal, 1, 0);
    is_int(flight_begin(journal, &row, &limits, &other, &which), AIGW_OK,
           "a hold of nothing fits");
    flight_end(journal, other, &row, 0);

    limits.nano[0] = limits.nano[1] = limits.nano[2] = AIGW_UNLIMITED;
    flight_row(&row, journal, 1, 5000);
    is_int(flight_begin(journal, &row, &limits, &other, &which), AIGW_OK,
           "without limits it is held all the same");
    is_int(flight_held(1), 18000, "by all three");
    is_int(flight_free(&row, &limits, &left, &which), INT64_MAX, "free: all");
    flight_end(journal, other, &row, 7);

    flight_row(&row, journal, 1, INT64_MAX);
    is_int(flight_begin(journal, &row, &limits, &other, &which), AIGW_ERANGE,
           "a hold never wraps");
    row.hold_nano = -1;
    is_int(flight_begin(journal, &row, &limits, &other, &which), AIGW_EINVAL,
           "nor is it a credit");

    aigw_journal_release(journal);
    journal = env_claim();
    is_int(flight_held(1), 0, "released and claimed: nothing held");
    is_int(flight_spent(1), 21, "what was not sent costs nothing");
    flight_agree(1, "holds");
    aigw_journal_release(journal);
}


static void
test_end(void)
{
    uint64_t         before = flight_rows(2);
    unsigned         flight, which;
    aigw_row_t       row;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { 1000, 1000, 1000 } };

    flight_row(&row, journal, 2, 300);
    must(flight_begin(journal, &row, &limits, &flight, &which), "begin", "");
    is_int(aigw_flight_end(env_live, journal, flight + 1, &row), AIGW_EINVAL,
           "no such flight");
    is_int(aigw_flight_end(env_live, journal, AIGW_FLIGHT_MAX, &row),
           AIGW_EINVAL, "nor this");
    flight_end(journal, flight, &row, 250);
    is_int(flight_held(2), 0, "its end: nothing held");
    is_int(flight_spent(2), 750, "all three have spent");
    is_int((int64_t) (flight_rows(2) - before), 1, "a row");
    is_int(aigw_flight_end(env_live, journal, flight, &row), AIGW_EINVAL,
           "it ends once");

    flight_row(&row, journal, 2, 750);
    must(flight_begin(journal, &row, &limits, &flight, &which), "begin", "");
    flight_end(journal, flight, &row, 900);
    is_int(flight_spent(2), 3450, "more than its hold: charged");
    row.hold_nano = 0;
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_ERANGE,
           "and nothing is let in below zero");
    flight_agree(2, "ends");
    aigw_journal_release(journal);
}


static void
test_room(void)
{
    unsigned         i, flight, which, n = 0;
    aigw_row_t       row;
    aigw_err_t       err;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { -1, -1, -1 } };
    static unsigned  flights[AIGW_FLIGHT_MAX];

    env_drain();

    for (i = 0; i <= AIGW_FLIGHT_MAX; i++) {
        flight_row(&row, journal, 3, 1);
        err = flight_begin(journal, &row, &limits, &flight, &which);

        if (err == AIGW_OK) {
            flights[n++] = flight;
        }
    }

    is_int(n, AIGW_FLIGHT_MAX, "so many are in flight");
    is_int(err, AIGW_EFULL, "then the table is full");
    is_int(flight_held(3), 3 * AIGW_FLIGHT_MAX, "each holds");

    flight_row(&row, journal, 3, 0);

    for (i = 0; aigw_journal_append(journal, &row) == AIGW_OK; i++) {
        aigw_journal_new_id(journal, row.time_ms, row.id);
    }

    is_int(i, AIGW_JOURNAL_RECORDS - AIGW_FLIGHT_MAX,
           "other rows leave room for theirs");
    is_int(aigw_journal_ready(journal, row.time_ms), AIGW_EFULL, "not ready");

    while (n > 0) {
        flight_row(&row, journal, 3, 1);
        flight_end(journal, flights[--n], &row, 1);
    }

    is_int((int64_t) env_undrained(), AIGW_JOURNAL_RECORDS, "all have a row");
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_EFULL,
           "a full ring lets nothing in");
    env_drain();
    is_int(flight_begin(journal, &row, &limits, &flight, &which), AIGW_OK,
           "a drained one does");
    flight_end(journal, flight, &row, 1);
    flight_agree(3, "rooms");
    aigw_journal_release(journal);
}


static int64_t  spoil_held;           /* when spoil came */


/* What others do between two steps: a call that costs more than it held. */
static void
spoil(void)
{
    int64_t  spent;

    aigw_live_read(env_live, AIGW_ACCOUNT_KEY, 7, &spent, &spoil_held);
    must(aigw_live_add(env_live->counters, AIGW_ACCOUNT_KEY, 7, 600, 0), "add",
         "");
}


/* Somebody spends while a hold is taken: it is seen until the hold stands. */
static void
test_spent_meanwhile(void)
{
    int              wrong = 0, with_hold = 0;
    unsigned         flight, which, at, refused = 0;
    aigw_row_t       row;
    aigw_err_t       err;
    aigw_journal_t  *journal = env_claim();
    flight_limits_t  limits = { { 0, -1, -1 } };

    step_do = spoil;

    for (at = 1; at < 99; at++) {
        limits.nano[0] = env_spent(AIGW_ACCOUNT_KEY, 7) + 1000;
        flight_row(&row, journal, 7, 500);
        spoil_held = -1;
        step_n = 0;
        step_at = at;
        err = flight_begin(journal, &row, &limits, &flight, &which);
        step_at = 0;

        if (spoil_held == -1) {
            flight_end(journal, flight, &row, 0);
            break;
        }

        /* the step right behind the swap is the last that counts */
        wrong += err == AIGW_OK && (spoil_held == 0 || !with_hold++);
        with_hold += spoil_held == 500;
        refused += err == AIGW_ERANGE;

        if (err == AIGW_OK) {
            flight_end(journal, flight, &row, 0);
        }
    }

    step_do = step_die;
    ok(wrong == 0 && refused > 3 && refused < at - 1,
       "spent at one of %u steps: refused by %u", at - 1, refused);
    is_int(flight_held(7), 0, "nothing held");
    aigw_journal_release(journal);
}


static aigw_err_t
see(void *data, const aigw_flight_view_t *view)
{
    aigw_flight_view_t  *seen = data;

    *seen = *view;

    return AIGW_EEXIST;
}


static void
test_views(void)
{
    unsigned            flight, which;
    aigw_row_t          row;
    aigw_tokens_t       tokens = { 11, 3, 0, 0, 0 };
    aigw_journal_t     *journal = env_claim();
    aigw_live_stats_t   stats;
    aigw_flight_view_t  view;
    flight_limits_t     limits = { { -1, -1, -1 } };

    is_int(aigw_flight_each(env_live, see, &view), AIGW_OK, "none to see");
    flight_row(&row, journal, 8, 500);
    must(flight_begin(journal, &row, &limits, &flight, &which), "begin", "");
    is_int(aigw_flight_each(env_live, see, &view), AIGW_EEXIST, "one to see");
    ok(!view.sent && !view.seen && !view.settling
       && view.row.tokens.prompt_tokens == 10 && view.row.hold_nano == 500
       && memcmp(view.row.id, row.id, AIGW_ROW_ID_LEN) == 0, "before sent");

    aigw_flight_sent(journal, flight);
    aigw_flight_update(journal, flight, &tokens, 12);
    is_int(aigw_flight_each(env_live, see, &view), AIGW_EEXIST, "and again");
    ok(view.sent && view.seen && view.text_bytes == 12
       && view.row.tokens.completion_tokens == 3, "with usage");

    aigw_live_stats(env_live, &stats);
    is_int((int64_t) stats.in_flight, 1, "counted");
    flight_end(journal, flight, &row, 5);
    is_int(aigw_flight_each(env_live, see, &view), AIGW_OK, "none any more");
    aigw_journal_release(journal);
}


/* --- what is known of a call whose worker died --- */

static void
test_outcomes(void)
{
    size_t           i;
    unsigned         flight, which;
    aigw_row_t       row, got;
    aigw_tokens_t    seen = { 100, 7, 0, 0, 0 }, first = { 99, 1, 0, 0, 0 };
    aigw_journal_t  *journal, *witness;
    flight_limits_t  limits = { { -1, -1, -1 } };
    static const struct {
        const char  *name;
        int64_t      hold;
        int          sent, usage;
        uint64_t     text;
        int          settled;
        int64_t      cost;
        int64_t      completion;
    } t[] = {
        { "not sent", 500, 0, 0, 0, AIGW_SETTLED_VOID, 0, 0 },
        { "sent", 500, 1, 0, 0, AIGW_SETTLED_UNKNOWN, 20, 0 },
        { "text", 500, 1, 0, 41, AIGW_SETTLED_UNKNOWN, 20 + 11 * 3, 11 },
        { "text beyond the hold", 30, 1, 0, 4000, AIGW_SETTLED_UNKNOWN, 30,
          1000 },
        { "more text than there is", 30, 1, 0, UINT64_MAX,
          AIGW_SETTLED_UNKNOWN, 30, INT64_C(1) << 62 },
        { "usage", 500, 1, 1, 4000, AIGW_SETTLED_PARTIAL, 200 + 7 * 3, 7 },
        { "usage beyond the hold", 30, 1, 2, 4000, AIGW_SETTLED_PARTIAL,
          200 + 7 * 3, 7 },
    };

    witness = env_claim();

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        journal = env_claim();
        flight_row(&row, journal, 4, t[i].hold);
        must(flight_begin(journal, &row, &limits, &flight, &which), "begin",
             "");

        if (t[i].sent) {
            aigw_flight_sent(journal, flight);
        }

        if (t[i].usage > 1) {
            aigw_flight_update(journal, flight, &first, 0);
        }

        aigw_flight_update(journal, flight, t[i].usage ? &seen : NULL,
                           t[i].text);
        env_drain();
        is_int(aigw_journal_flights(journal), 1,
               "its owner lives: nobody recovers it");

        aigw_journal_release(journal);
        env_drain();

        is_int(aigw_store_find_row(env_store, row.id, &got), AIGW_OK,
               t[i].name);
        is_int(got.settled, t[i].settled, "  settled");
        is_int(got.cost_nano, t[i].cost, "  cost");
        is_int(got.tokens.completion_tokens, t[i].completion, "  completion");
        is_int(got.attempts, t[i].sent, "  attempts");
        is_int(got.hold_nano, t[i].hold, "  hold");
        is_int(got.status, 0, "  status");
        is_int(got.flags, AIGW_ROW_STREAM
                          | (t[i].sent ? AIGW_ROW_INCOMPLETE : 0)
                          | (t[i].cost > t[i].hold ? AIGW_ROW_OVER_HOLD : 0),
               "  flags");
        is_str(got.model, row.model, "  model");
        is_str(got.tag, row.tag, "  tag");
        ok(got.price_version == 3 && got.time_ms == row.time_ms
           && got.route == row.route && got.key_id == row.key_id
           && got.project_id == row.project_id && got.user_id == row.user_id,
           "  what begin knew");
    }

    is_int(flight_held(4), 0, "nothing held");
    flight_agree(4, "outcomes");
    aigw_journal_release(witness);
}


/* --- death at each step --- */

typedef enum { SERVED, COSTLESS, REFUSED_LAST, REFUSED_FIRST, CALLS } call_t;
typedef enum { PLAIN, OVERWRITTEN, REBUILT, OVERWRITER_DEAD, KILLED_AGAIN,
               MANNERS } manner_t;

static const char  *call_names[CALLS] = { "served", "for nothing",
                                          "refused by the user",
                                          "refused by the key" };
static const char  *manner_names[MANNERS] = { "plain", "cells overwritten",
                                              "counters rebuilt",
                                              "overwriter killed",
                                              "recoverer killed" };


/* One call beginning to end, its journal claimed before. */
static void
call(aigw_journal_t *journal, aigw_row_t *row, call_t what)
{
    unsigned         flight, which;
    aigw_tokens_t    seen[2] = { { 100, 7, 0, 0, 0 }, { 101, 8, 0, 0, 0 } };
    flight_limits_t  limits = { { -1, -1, -1 } };

    limits.nano[0] = what == REFUSED_FIRST ? 1 : AIGW_UNLIMITED;
    limits.nano[2] = what == REFUSED_LAST ? 1 : AIGW_UNLIMITED;

    if (flight_begin(journal, row, &limits, &flight, &which) == AIGW_OK) {
        aigw_flight_sent(journal, flight);
        aigw_flight_update(journal, flight, &seen[0], 40);
        aigw_flight_update(journal, flight, &seen[1], 44);
        row->tokens = seen[1];
        flight_end(journal, flight, row, what == COSTLESS ? 0 : 221);
    }
}


/* Runs fn in a child that dies at a step. 0: it came to its end before. */
static int
dies(unsigned at, void (*fn)(aigw_row_t *row, call_t what), aigw_row_t *row,
    call_t what)
{
    int    status;
    pid_t  pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        step_n = 0;
        step_at = at;
        fn(row, what);
        _exit(0);
    }

    waitpid(pid, &status, 0);

    return WIFSIGNALED(status);
}


/* Claimed by the parent for its children. */
static aigw_journal_t  *victim, *other;


static void
run_call(aigw_row_t *row, call_t what)
{
    call(victim, row, what);
}


static void
run_other(aigw_row_t *row, call_t what)
{
    (void) what;

    call(other, row, SERVED);
}


static void
run_recover(aigw_row_t *row, call_t what)
{
    (void) row, (void) what;

    (void) aigw_flight_recover(env_live, victim);
}


static void
rebuild(void)
{
    char          fault[AIGW_FAULT_LEN + 1] = "";
    aigw_live_t  *live = NULL;

    env_remove("counters");
    must(aigw_live_open(env_live_path, env_store, &live, fault), "rebuild",
         fault);
    aigw_live_close(env_live);
    env_live = live;
}


/* Are the tokens of the row those of one moment? */
static int
is_whole(const uint8_t *id)
{
    aigw_row_t  row;

    return flight_find(id, &row) == AIGW_OK
           && ((row.settled == AIGW_SETTLED_VOID
                && row.tokens.completion_tokens == 0)
               || row.tokens.completion_tokens
                  == (row.tokens.prompt_tokens == 100 ? 7
                      : row.tokens.prompt_tokens == 101 ? 8
                      : row.tokens.prompt_tokens == 10 ? 0 : -1));
}


/* The parent holds the claim, so the child's death does not free it; what the
   child left is recovered as by a claim. *more: a recoverer killed at a later
   step would be another case. How often did it not agree? */
static int
die_and_recover(unsigned at, call_t what, unsigned again, int *died, int *more,
    manner_t how)
{
    int              bad = 0;
    uint64_t         rows = flight_rows(5), other_rows = 1;
    unsigned         expect, flight, which;
    aigw_row_t       row, mine;
    flight_limits_t  limits = { { -1, -1, -1 } };

    /* one more in flight, which comes first in the table */
    flight_row(&row, victim, 5, 300);
    must(flight_begin(victim, &row, &limits, &flight, &which), "begin", "");
    aigw_flight_sent(victim, flight);

    flight_row(&row, victim, 5, 500);
    *died = dies(at, run_call, &row, what);

    if (how == OVERWRITTEN || how == OVERWRITER_DEAD) {
        flight_row(&mine, other, 5, 500);
        *more = dies(how == OVERWRITTEN ? 0 : again, run_other, &mine, SERVED);
    }

    if (how == REBUILT) {
        rebuild();
    }

    if (how == KILLED_AGAIN) {
        *more = dies(again, run_recover, &row, what);
    }

    (void) aigw_flight_recover(env_live, victim);
    aigw_flight_init(victim);

    if (how == OVERWRITTEN || how == OVERWRITER_DEAD) {
        (void) aigw_flight_recover(env_live, other);
        other_rows += flight_has_row(mine.id);
    }

    expect = flight_has_row(row.id);
    bad += expect && !is_whole(row.id);
    bad += flight_rows(5) != rows + other_rows + expect;
    bad += (what == REFUSED_LAST || what == REFUSED_FIRST) && expect;
    bad += !*died && what == SERVED && !expect;
    bad += flight_held(5) != 0 || aigw_journal_flights(victim) != 0;
    bad += !flight_agrees(5);

    return bad;
}


static void
test_steps(void)
{
    int       bad, died, more, worst;
    unsigned  at, again, first, n, pace = getenv("SANITIZE") ? 31 : 2;
    call_t    what;
    manner_t  how;

    victim = env_claim();
    other = env_claim();

    for (how = 0; how < MANNERS; how++) {
        for (what = 0; what < CALLS; what++) {
            bad = 0;
            first = 0;
            n = 0;
            env_drain();

            for (at = 1, died = 1; died; at++) {
                for (again = 1 + at % pace, more = 1; more; again += pace) {
                    more = 0;
                    worst = die_and_recover(at, what, again, &died, &more, how);
                    bad += worst;
                    n++;
                    first = worst && !first ? at : first;
                }
            }

            ok(!bad && at > 5, "%s, %s: dead at each of %u steps, %u times",
               call_names[what], manner_names[how], at - 2, n);

            if (bad) {
                printf("#   %d wrong, first at step %u\n", bad, first);
            }
        }
    }

    aigw_journal_release(other);
    aigw_journal_release(victim);
}


int
main(void)
{
    env_start();
    test_holds();
    test_end();
    test_room();
    test_spent_meanwhile();
    test_views();
    test_outcomes();
    test_steps();
    env_stop();

    return done();
}
