/* Each call of the ledger that can fail fails in turn: an error comes back,
   and once the fault is gone the same objects go on and all is exact. Of each
   kind some places in the code are drawn by lot: TEST_TRIES (2), 0 for all of
   them; TEST_SEED. TEST_KIND: one kind. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "flight_env.h"
#include "faults.h"

#include "aigw_ledger_verify.h"
#include "aigw_store_internal.h"


#define N          10                 /* the account that all is booked on */
#define CALLS      12
#define PRICE      INT64_C(20)        /* a call's */
#define PATIENCE_S 60
#define TRIES      2


static struct {
    char             fault[AIGW_FAULT_LEN + 1];
    char             backup[100];
    aigw_journal_t  *a, *b;
    aigw_row_t       rows[CALLS];
    unsigned         flights[CALLS];
    unsigned         done;            /* calls begun */
    unsigned         findings;
    int64_t          spent, held;     /* before the counters were lost */
    const char      *wrong;           /* the first thing that is */
} run;


static uint64_t  seed;


static void
is_wrong(const char *what)
{
    if (run.wrong == NULL) {
        run.wrong = what;
    }
}


/* --- what is done, step by step: each may be tried again --- */

static aigw_err_t
open_store(void)
{
    return aigw_store_open(env_store_path, AIGW_STORE_CONTROL_WRITE
                                           | AIGW_STORE_USAGE_WRITE,
                           &env_store, run.fault);
}


static aigw_err_t
prepare(void)
{
    return aigw_live_prepare(env_live_path, geteuid(), getegid(), run.fault);
}


static aigw_err_t
open_live(void)
{
    return aigw_live_open(env_live_path, env_store, &env_live, run.fault);
}


static aigw_err_t
claim_a(void)
{
    return aigw_journal_claim(env_live, &run.a, run.fault);
}


static aigw_err_t
claim_b(void)
{
    return aigw_journal_claim(env_live, &run.b, run.fault);
}


/* Calls of one journal: some end, one after another was sent stays. None of
   this can fail, whatever the system does. */
static void
call(aigw_journal_t *journal, unsigned ends)
{
    unsigned                which, i;
    static flight_limits_t  limits = { { -1, -1, 100000 } };

    for (i = 0; i < 4; i++, run.done++) {
        flight_row(&run.rows[run.done], journal, N, 50);

        if (flight_begin(journal, &run.rows[run.done], &limits,
                         &run.flights[run.done], &which)
            != AIGW_OK)
        {
            is_wrong("a call is not let in");
            return;
        }

        if (i > 0) {
            aigw_flight_sent(journal, run.flights[run.done]);
        }

        if (i >= 4 - ends) {
            flight_end(journal, run.flights[run.done], &run.rows[run.done],
                       PRICE);
        }
    }
}


static aigw_err_t
call_a(void)
{
    call(run.a, 3);

    return AIGW_OK;
}


static aigw_err_t
call_b(void)
{
    call(run.b, 2);

    return AIGW_OK;
}


static aigw_err_t
drain(void)
{
    return aigw_ledger_drain(env_store, env_live, NULL);
}


/* As if its worker had died. */
static aigw_err_t
leave_b(void)
{
    aigw_journal_release(run.b);
    run.b = NULL;

    return AIGW_OK;
}


static aigw_err_t
create(void)
{
    aigw_key_t      key = { .enabled = 1, .name = "k", .prefix = "aigw_Ab12",
                            .last4 = "wxyz", .quota_nano = AIGW_UNLIMITED,
                            .models = "*" };
    aigw_project_t  project = { .enabled = 1, .user_id = 1, .name = "p",
                                .quota_nano = 5, .models = "*" };

    return aigw_store_create_project(env_store, &project, &key);
}


static aigw_err_t
set_price(void)
{
    aigw_price_entry_t  entry = { .model = "m", .from_ms = 1 };

    return aigw_store_set_price(env_store, &entry);
}


static aigw_err_t
delete_key(void)
{
    return aigw_store_delete_key(env_store, 1);
}


static aigw_err_t
access_key(void)
{
    uint8_t        hash[AIGW_KEY_HASH_LEN] = { 0 };
    aigw_err_t     err;
    aigw_access_t  access;

    err = aigw_store_find_access(env_store, hash, &access);

    return err == AIGW_ENOTFOUND ? AIGW_OK : err;
}


static aigw_err_t
found(void *data, const aigw_finding_t *finding)
{
    (void) data, (void) finding;
    run.findings++;

    return AIGW_OK;
}


static const aigw_verify_watch_t  watch = { NULL, found, NULL };

static aigw_err_t
verify(void)
{
    int                  on = faults.on;
    aigw_err_t           err;
    aigw_verify_stats_t  stats = { 0 };

    err = aigw_store_verify(env_store, &watch, &stats);
    faults.on = 0;

    if (err == AIGW_OK && (int64_t) stats.rows
                          != env_sums(AIGW_ACCOUNT_KEY, N).calls
                             + env_sums(AIGW_ACCOUNT_KEY, N).refused_calls)
    {
        is_wrong("verify has not looked at all rows");
    }

    faults.on = on;

    return err;
}


static aigw_err_t
verify_live(void)
{
    return aigw_ledger_verify(env_store, env_live, &watch);
}


/* The worker is gone and the counters are lost; rows that no pass has drained
   and calls in flight are in the journals. */
static aigw_err_t
lose_counters(void)
{
    run.spent = flight_spent(N);
    run.held = flight_held(N);
    aigw_journal_release(run.a);
    run.a = NULL;
    aigw_live_close(env_live);
    env_live = NULL;
    env_remove("counters");

    return AIGW_OK;
}


static aigw_err_t
rebuild(void)
{
    aigw_err_t  err = open_live();

    if (err == AIGW_OK
        && (flight_spent(N) != run.spent || flight_held(N) != run.held))
    {
        is_wrong("counters made anew are not what they were");
    }

    return err;
}


static aigw_err_t
check_readers(void)
{
    int  cleared;

    return aigw_store_check_readers(env_store, &cleared);
}


static aigw_err_t
stats(void)
{
    aigw_err_t          err;
    aigw_store_stats_t  s = { 0 };

    err = aigw_store_stats(env_store, &s);

    if (err == AIGW_OK && (s.rows == 0 || s.control_bytes == 0)) {
        is_wrong("statistics");
    }

    return err;
}


static aigw_err_t
list_rows(void)
{
    size_t             n = 0;
    aigw_err_t         err;
    aigw_row_t         rows[CALLS];
    uint8_t            before[AIGW_ROW_ID_LEN] = { 0 };
    aigw_row_filter_t  filter = { .status = -1, .key_id = N };

    err = aigw_store_list_rows(env_store, &filter, before, rows, CALLS, &n);

    if (err == AIGW_OK && n == 0) {
        is_wrong("rows are not listed");
    }

    return err;
}


static aigw_err_t
back_up(void)
{
    char  id[AIGW_STORE_ID_LEN + 1];

    return aigw_store_backup(env_store, run.backup, id, run.fault);
}


static aigw_err_t
init_another(void)
{
    char  path[120];

    snprintf(path, sizeof(path), "%s/another", env_root);

    return aigw_store_init(path, (gid_t) -1, NULL, run.fault);
}


static const struct {
    const char   *name;
    aigw_err_t  (*run)(void);
} steps[] = {
    { "open the store", open_store },
    { "prepare", prepare },
    { "open the live segment", open_live },
    { "claim", claim_a },
    { "claim a second", claim_b },
    { "calls", call_a },
    { "drain", drain },
    { "create a project", create },
    { "set a price", set_price },
    { "look up a key", access_key },
    { "delete a key", delete_key },
    { "calls of the second", call_b },
    { "the second dies", leave_b },
    { "drain and recover", drain },
    { "verify", verify },
    { "verify the counters", verify_live },
    { "calls", call_a },
    { "lose the counters", lose_counters },
    { "rebuild", rebuild },
    { "claim and recover", claim_a },
    { "drain the rest", drain },
    { "list rows", list_rows },
    { "statistics", stats },
    { "check readers", check_readers },
    { "back up", back_up },
    { "make another store", init_another },
};


/* --- one run --- */

static unsigned
count_files(void)
{
    DIR       *dir = opendir("/proc/self/fd");
    unsigned   n = 0;

    while (readdir(dir) != NULL) {
        n++;
    }

    closedir(dir);

    return n;
}


/* One that fails fails because of the fault, and not again without it. */
static void
take_steps(const char **failed)
{
    unsigned    i, fired;
    aigw_err_t  err;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        fired = faults.fired;
        err = steps[i].run();

        if (err == AIGW_OK) {
            continue;
        }

        *failed = steps[i].name;

        if (faults.fired == fired) {
            is_wrong("fails without a fault");
        }

        fault_lift();
        err = steps[i].run();

        if (err != AIGW_OK) {
            is_wrong("fails when the fault is gone");
            printf("# %s: %s %s\n", steps[i].name, aigw_strerror(err),
                   run.fault);
            return;
        }
    }
}


/* Opened anew: each call has one row, what is spent is their sum. */
static void
check_books(void)
{
    unsigned     i;
    aigw_row_t   row;
    aigw_sums_t  sums;

    sums = env_sums(AIGW_ACCOUNT_KEY, N);

    if (run.done != CALLS || sums.calls + sums.refused_calls != CALLS) {
        is_wrong("not one row for each call");
    }

    for (i = 0; i < run.done; i++) {
        if (aigw_store_find_row(env_store, run.rows[i].id, &row) != AIGW_OK) {
            is_wrong("a call without a row");

        } else if (run.rows[i].cost_nano != 0
                   ? row.cost_nano != PRICE
                   : row.cost_nano > row.hold_nano)
        {
            is_wrong("a wrong cost");
        }
    }

    if (flight_spent(N) != 3 * sums.cost_nano || flight_held(N) != 0) {
        is_wrong("counters are not the sum of the rows");
    }

    if (verify() != AIGW_OK || verify_live() != AIGW_OK || run.findings != 0) {
        is_wrong("verify finds something");
    }
}


static void
end_run(void)
{
    aigw_journal_release(run.a);
    aigw_journal_release(run.b);
    aigw_live_close(env_live);
    aigw_store_close(env_store);
    env_live = NULL;
    env_store = NULL;
    run.a = run.b = NULL;
}


/* Call `at` of a kind fails, or all from there on. */
static void
run_with(unsigned kind, unsigned at, int stays)
{
    int64_t      mapped;
    unsigned     files;
    const char  *failed = "none";

    memset(&run, 0, sizeof(run));
    alarm(PATIENCE_S);
    env_start();
    snprintf(run.backup, sizeof(run.backup), "%s/backup", env_root);
    end_run();
    nftw(env_live_path, env_unlink, 16, FTW_DEPTH | FTW_PHYS);

    files = count_files();
    mapped = faults.mapped;
    fault_arm(kind, at, stays);
    take_steps(&failed);
    fault_lift();
    end_run();

    if (files != count_files()) {
        is_wrong("a file stays open");
    }

    if (mapped != faults.mapped) {
        is_wrong("something stays mapped");
    }

    if (run.wrong == NULL) {
        must(open_store(), "open", run.fault);
        must(open_live(), "live", run.fault);
        check_books();
        end_run();
    }

    nftw(env_root, env_unlink, 16, FTW_DEPTH | FTW_PHYS);

    if (run.wrong != NULL) {
        printf("# %s, call %u%s (it failed: %s): %s\n",
               kind < FAULT_MAX ? fault_names[kind] : "none", at,
               stays ? " and all others" : "", failed, run.wrong);
    }
}


/* --- each kind --- */

static int
is_known(const uint64_t *sites, unsigned at)
{
    unsigned  i;

    for (i = 1; i < at; i++) {
        if (sites[i] == sites[at]) {
            return 1;
        }
    }

    return 0;
}


/* The first calls from each place, in any order. */
static unsigned
list_places(const uint64_t *sites, unsigned calls, unsigned *places)
{
    unsigned  at, other, n = 0;

    for (at = 1; at <= calls && at < FAULT_SITES; at++) {
        if (!is_known(sites, at)) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            other = (unsigned) (seed >> 33) % (n + 1);
            places[n++] = places[other];
            places[other] = at;
        }
    }

    return n;
}


static void
test_kind(unsigned kind, unsigned calls, unsigned tries)
{
    unsigned         i, n, wrong = 0;
    static unsigned  places[FAULT_SITES];

    n = list_places(faults.sites[kind], calls, places);

    for (i = 0; i < n && (tries == 0 || i < tries); i++) {
        if (tries == 0 || i % 2 == 0) {
            run_with(kind, places[i], 0);
            wrong += run.wrong != NULL || faults.fired != 1;
        }

        if (tries == 0 || i % 2 == 1) {
            run_with(kind, places[i], 1);
            wrong += run.wrong != NULL || faults.fired == 0;
        }
    }

    ok(wrong == 0 && calls > 0 && calls < FAULT_SITES,
       "%s: %u of %u places, where %u calls are made", fault_names[kind], i, n,
       calls);
}


int
main(void)
{
    unsigned     kind, calls[FAULT_MAX];
    const char  *only = getenv("TEST_KIND"), *start = getenv("TEST_SEED");
    const char  *tries = getenv("TEST_TRIES");

    fault_warm();
    setvbuf(stdout, NULL, _IOLBF, 0);
    seed = start != NULL ? strtoull(start, NULL, 10)
                         : (uint64_t) aigw_time_now_ms();
    printf("# TEST_SEED=%" PRIu64 "\n", seed);

    /* what is done once in a process is done by the first run */
    faults.listing = 1;
    run_with(FAULT_MAX, 0, 0);
    run_with(FAULT_MAX, 0, 0);
    faults.listing = 0;
    ok(run.wrong == NULL, "without a fault");
    memcpy(calls, faults.calls, sizeof(calls));

    for (kind = 0; kind < FAULT_MAX; kind++) {
        if (only == NULL || strcmp(only, fault_names[kind]) == 0) {
            test_kind(kind, calls[kind],
                      tries != NULL ? (unsigned) atoi(tries) : TRIES);
        }
    }

    return done();
}
