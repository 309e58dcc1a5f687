/* Power failures: random histories whose writes are replayed up to each point,
   with whatever a disk may do to what was not synced. TEST_STATES: how many
   (5000; fewer with a sanitizer), TEST_SEED. Show 3 of the ledger. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>

#include "power_history.h"

#include "aigw_ledger_verify.h"
#include "aigw_verdict.h"


#if defined(__SANITIZE_ADDRESS__)
#define STATES      400
#else
#define STATES      5000
#endif

#define STEPS       700               /* of a history */
#define EACH        6                 /* states at each write of it */
#define PATIENCE_S  20                /* for one state */
#define SERVED      100               /* each so many: calls go on */
#define NOSYNC      0x10000           /* LMDB's MDB_NOSYNC */


/* What has become of the states: children of this process count here. */
typedef struct {
    uint64_t    next;                 /* the first of a history not begun */
    uint64_t    states;
    uint64_t    points;               /* at which power failed */
    uint64_t    how[DISK_HOWS];
    uint64_t    between;              /* in which a commit was half-written */
    uint64_t    served;
    uint64_t    violations;           /* states */
    uint64_t    lost;                 /* of them: an older commit, and whole */
    char        first[400];
} result_t;

/* A state: what may be in the files. */
typedef struct {
    const disk_event_t  *pending[DISK_EVENTS];
    size_t               npending;
    unsigned             acked[DISK_FILES];
} state_t;


static result_t  *result;
static state_t    state;
static int        violated, lost;     /* this state */
static unsigned   env_flags;
static char       image_path[120], image_live[120];


/* In place of LMDB's, which it calls: the control's have no syncs. */
int mdb_env_open(void *env, const char *path, unsigned flags, mode_t mode);

int
mdb_env_open(void *env, const char *path, unsigned flags, mode_t mode)
{
    union {
        void  *symbol;
        int  (*call)(void *, const char *, unsigned, mode_t);
    } real;

    real.symbol = dlsym(RTLD_NEXT, "mdb_env_open");

    return real.call(env, path, flags | env_flags, mode);
}


/* --- is a state sound? --- */

static void __attribute__((format(printf, 1, 2)))
violation(const char *format, ...)
{
    va_list  args;

    violated = 1;

    if (result->first[0] == '\0') {
        va_start(args, format);
        vsnprintf(result->first, sizeof(result->first), format, args);
        va_end(args);
    }
}


/* The number of the commit whose content the file has: the last one that had
   returned, or one that was under way. 0: a violation. */
static unsigned
find_commit(aigw_store_t *store, unsigned file)
{
    unsigned    i, acked = state.acked[file];
    uint64_t    digest;
    aigw_err_t  err;

    digest = digest_file(store, file, &err);

    if (err != AIGW_OK) {
        violation("file %u cannot be read: %s", file, aigw_strerror(err));
        return 0;
    }

    for (i = history.n[file]; i > 0; i--) {
        if (history.commits[file][i - 1].digest == digest) {
            break;
        }
    }

    if (i == acked || i == acked + 1) {
        return i;
    }

    lost = i > 0;
    violation("file %u is at commit %u, %u had returned", file, i, acked);

    return 0;
}


static aigw_err_t
report(void *data, const aigw_finding_t *finding)
{
    int  *findings = data;

    (*findings)++;
    violation("verify: %s, seq %" PRIu64,
              aigw_store_finding_name(finding->kind), finding->seq);

    return AIGW_OK;
}


static int
is_verified(aigw_store_t *store, aigw_live_t *live)
{
    int                  findings = 0;
    aigw_err_t           err;
    aigw_verify_stats_t  stats;
    aigw_verify_watch_t  watch = { &findings, report, NULL };

    err = aigw_store_verify(store, &watch, &stats);

    if (err == AIGW_OK && live != NULL) {
        err = aigw_ledger_verify(store, live, &watch);
    }

    if (err != AIGW_OK) {
        violation("verify: %s", aigw_strerror(err));
    }

    return err == AIGW_OK && findings == 0;
}


/* The counters as they are made anew after the boot, against the books. */
static void
check_counters(aigw_store_t *store, const commit_t *commit)
{
    unsigned               kind, i;
    int64_t                spent;
    aigw_err_t             err;
    aigw_live_slot_t      *slot;
    aigw_live_counters_t  *counters;

    counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(counters == MAP_FAILED ? AIGW_ENOMEM : AIGW_OK, "mmap", "");
    memcpy(counters->store, store->id, AIGW_STORE_ID_LEN);
    err = aigw_live_build_fill(counters, image_live, store);

    for (kind = 0; kind < AIGW_LIVE_LEVELS && err == AIGW_OK; kind++) {
        for (i = 0; i < dice_most[kind]; i++) {
            slot = aigw_live_slot(counters, flight_kinds[kind],
                                  dice_ids[kind] + i, 0);
            spent = slot == NULL ? 0 : atomic_load(&slot->spent.value);

            if (spent != commit->spent[kind][i]) {
                violation("account %u-%u: %" PRId64 " spent, by the books %"
                          PRId64, kind, i, spent, commit->spent[kind][i]);
            }
        }
    }

    if (err != AIGW_OK) {
        violation("counters: %s", aigw_strerror(err));
    }

    munmap(counters, sizeof(*counters));
}


/* The gateway starts on it, a call is served, and all is well. */
static void
serve(aigw_store_t *store)
{
    unsigned      flight, which;
    aigw_row_t    row;
    aigw_err_t    err;
    aigw_live_t  *live;
    aigw_sums_t   before, after;
    char          text[AIGW_FAULT_LEN + 1] = "";

    aigw_journal_t        *journal;
    static const flight_limits_t  limits = { { -1, -1, -1 } };

    err = aigw_live_prepare(image_live, geteuid(), getegid(), text);

    if (err == AIGW_OK) {
        err = aigw_live_open(image_live, store, &live, text);
    }

    if (err != AIGW_OK) {
        violation("live segment: %s", text);
        return;
    }

    env_live = live;
    must(aigw_journal_claim(live, &journal, text), "claim", text);
    must(aigw_store_get_sums(store, AIGW_ACCOUNT_KEY, 900, &before), "sums",
         "");
    flight_row(&row, journal, 900, 5000);
    must(flight_begin(journal, &row, &limits, &flight, &which), "begin", "");
    aigw_flight_sent(journal, flight);
    row.price_version = 0;
    flight_end(journal, flight, &row, 4000);
    err = aigw_ledger_drain(store, live, NULL);

    if (err == AIGW_OK) {
        err = aigw_store_get_sums(store, AIGW_ACCOUNT_KEY, 900, &after);
    }

    if (err != AIGW_OK || after.cost_nano != before.cost_nano + 4000) {
        violation("a call afterwards: %s", aigw_strerror(err));
    }

    (void) is_verified(store, live);
    aigw_journal_release(journal);
    aigw_live_close(live);
    nftw(image_live, env_unlink, 16, FTW_DEPTH | FTW_PHYS);
}


static void
check(int served)
{
    char           text[AIGW_FAULT_LEN + 1] = "";
    unsigned       control, usage;
    aigw_err_t     err;
    aigw_store_t  *store;

    err = aigw_store_open(image_path, served ? AIGW_STORE_USAGE_WRITE
                                             : AIGW_STORE_USAGE, &store, text);
    if (err != AIGW_OK) {
        violation("it does not open: %s", text);
        return;
    }

    control = find_commit(store, CONTROL);
    usage = find_commit(store, USAGE);

    if (control > 0 && usage > 0 && is_verified(store, NULL)) {
        result->between += usage > state.acked[USAGE]
                           || control > state.acked[CONTROL];
        check_counters(store, &history.commits[USAGE][usage - 1]);
    }

    if (served && !violated) {
        result->served++;
        serve(store);
    }

    aigw_store_close(store);
}


/* --- all states of a history --- */

static void
fail_power(const disk_choice_t *choice, uint64_t number)
{
    size_t   i;
    int      served = number % SERVED == SERVED - 1;

    result->next = number + 1;
    alarm(PATIENCE_S);

    for (i = 0; i < state.npending; i++) {
        if (state.pending[i]->kind == DISK_WRITE) {
            disk_put(state.pending[i], choice, i);
        }
    }

    disk_close();
    violated = lost = 0;
    check(served);
    disk_open();
    result->violations += violated != 0;
    result->lost += lost != 0;
    result->states++;
    result->how[choice->how]++;

    for (i = 0; i < state.npending; i++) {
        disk_take_back(state.pending[i]);
    }

    if (served) {
        disk_restore(&disk_images[CONTROL]);
        disk_restore(&disk_images[USAGE]);
    }
}


static disk_choice_t
choose(uint64_t seed, uint64_t number, unsigned i)
{
    uint64_t             dice = disk_mix(seed ^ number << 20);
    const disk_event_t  *e;
    disk_choice_t        c = { .seed = dice };

    /* at each point all and nothing of what is not synced, then by lot */
    c.how = i < 2 ? (disk_how_t) i
                  : (disk_how_t) (DISK_PREFIX + dice % (DISK_HOWS - 2));
    c.cut = (size_t) (dice >> 8) % state.npending;
    e = state.pending[c.cut];
    c.at = (size_t) (dice >> 24) % (e->len / DISK_SECTOR + 1);

    return c;
}


/* What is not synced before event e has happened, and e. */
static void
settle(const disk_event_t *e)
{
    size_t  i, n = 0;

    if (e->kind == DISK_ACK) {
        state.acked[e->file]++;
        return;
    }

    if (e->kind == DISK_WRITE && e->synced) {
        disk_settle(e);
        disk_take_back(e);
        state.npending--;
        return;
    }

    if (e->kind != DISK_SYNC) {
        return;
    }

    for (i = 0; i < state.npending; i++) {
        if (state.pending[i]->file == e->file) {
            disk_settle(state.pending[i]);
            disk_take_back(state.pending[i]);
        } else {
            state.pending[n++] = state.pending[i];
        }
    }

    state.npending = n;
}


/* Walks the log; those states from number `from` on. */
static void
walk(uint64_t seed, uint64_t from)
{
    int             begun = 0;
    size_t          at;
    uint64_t        i, number = 0;
    disk_choice_t   choice;
    disk_event_t   *e;

    state = (state_t) { .acked = { 1, 1 } };

    for (at = 0; at < disk_log.n; at++) {
        e = &disk_log.events[at];

        if (e->kind == DISK_WRITE) {
            state.pending[state.npending++] = e;
        }

        for (i = 0; e->kind == DISK_WRITE && i < EACH; i++) {
            choice = choose(seed, number, (unsigned) i);

            if (number++ < from) {
                continue;
            }

            if (!begun) {
                begun = 1;
                disk_restore(&disk_images[CONTROL]);
                disk_restore(&disk_images[USAGE]);
            }

            result->points += i == 0;
            fail_power(&choice, number - 1);
        }

        settle(e);
    }
}


/* In children, for what is broken may kill who opens it: a violation, too. */
static void
walk_all(uint64_t seed)
{
    int    status;
    pid_t  child;

    result->next = 0;

    for ( ;; ) {
        fflush(stdout);
        child = fork();

        if (child == 0) {
            if (env_flags != 0) {
                (void) dup2(open("/dev/null", O_WRONLY), 2);
            }

            disk_open();
            walk(seed, result->next);
            _exit(0);
        }

        must(child == -1 || waitpid(child, &status, 0) != child ? AIGW_EIO
                                                                : AIGW_OK,
             "fork", "");

        if (status == 0) {
            return;
        }

        result->states++;
        result->violations++;
        violation("who opens it dies: status %d", status);
    }
}


static void
make_image(unsigned file, const char *env)
{
    char  *path = disk_images[file].path;

    snprintf(path, sizeof(disk_images[file].path), "%s/%s", image_path, env);
    must(mkdir(path, 0700) == 0 ? AIGW_OK : AIGW_EIO, "mkdir", path);
    strcat(path, "/data.mdb");
}


/* Is the log all that was written? With it applied the files are made again. */
static int
is_whole(unsigned file, const char *env)
{
    int                   same;
    char                  path[120];
    static disk_image_t   now;

    snprintf(path, sizeof(path), "%s/%s/data.mdb", env_store_path, env);
    disk_load(&now, path);
    same = now.len == disk_images[file].len
           && memcmp(now.bytes, disk_images[file].bytes, now.len) == 0;

    return same;
}


/* One history and its states. Returns what was not as it must be of
   the history itself. */
static unsigned
history_of(uint64_t seed)
{
    size_t    i;
    unsigned  odd;

    live_through(seed, STEPS);
    snprintf(image_path, sizeof(image_path), "%s/image", env_root);
    snprintf(image_live, sizeof(image_live), "%s/live-of-image", env_root);
    must(mkdir(image_path, 0700) == 0 ? AIGW_OK : AIGW_EIO, "mkdir", "image");
    make_image(CONTROL, "control");
    make_image(USAGE, "usage");

    walk_all(seed);

    for (i = 0; i < disk_log.n; i++) {
        if (disk_log.events[i].kind == DISK_WRITE) {
            disk_settle(&disk_log.events[i]);
        }
    }

    odd = history.wrong + !is_whole(CONTROL, "control")
          + !is_whole(USAGE, "usage");
    env_stop();

    return odd;
}


static void
test_states(uint64_t seed, uint64_t states)
{
    unsigned  histories, odd = 0, commits = 0;
    uint64_t  rows = 0;

    memset(result, 0, sizeof(*result));

    for (histories = 0; result->states < states; histories++) {
        odd += history_of(seed + histories);
        commits += history.n[CONTROL] + history.n[USAGE] - 2;
        rows += history.rows;
    }

    is_int(odd, 0, "the log makes the files again; each row as it was settled");
    ok(result->violations == 0, "%" PRIu64 " states after power failures at %"
       PRIu64 " points", result->states, result->points);

    if (result->violations) {
        printf("# %" PRIu64 " violations, the first: %s\n", result->violations,
               result->first);
    }

    ok(result->between > 0, "with a commit that had not returned: %" PRIu64,
       result->between);
    ok(result->served > 0, "the gateway went on: %" PRIu64, result->served);
    printf("# %u histories, %u commits, %" PRIu64 " rows\n", histories,
           commits, rows);
    printf("# all %" PRIu64 ", none %" PRIu64 ", prefix %" PRIu64 ", torn %"
           PRIu64 ", later first %" PRIu64 ",\n# one sector missing %" PRIu64
           ", one alone %" PRIu64 ", some writes %" PRIu64 ", some sectors %"
           PRIu64 ", most %" PRIu64 "\n", result->how[DISK_ALL],
           result->how[DISK_NONE], result->how[DISK_PREFIX],
           result->how[DISK_TORN], result->how[DISK_LATER],
           result->how[DISK_BUT_ONE], result->how[DISK_ONE],
           result->how[DISK_WRITES], result->how[DISK_SECTORS],
           result->how[DISK_MOST]);
}


/* The same without syncs: the test sees it. */
static void
test_control(uint64_t seed)
{
    memset(result, 0, sizeof(*result));
    env_flags = NOSYNC;

    (void) history_of(seed);

    ok(result->violations > result->states / 4,
       "MDB_NOSYNC: %" PRIu64 " of %" PRIu64 " states violate",
       result->violations, result->states);
    ok(result->lost > 0, "commits that had returned are gone: %" PRIu64,
       result->lost);
    ok(result->violations > result->lost, "and stores are broken: %" PRIu64,
       result->violations - result->lost);
    printf("# the first: %s\n", result->first);
}


int
main(void)
{
    uint64_t        seed;
    const char     *states = getenv("TEST_STATES");
    const char     *start = getenv("TEST_SEED");
    struct rlimit   none = { 0, 0 };

    seed = start != NULL ? strtoull(start, NULL, 10)
                         : (uint64_t) aigw_time_now_ms();
    printf("# TEST_SEED=%" PRIu64 "\n", seed);
    (void) setrlimit(RLIMIT_CORE, &none);

    result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(result == MAP_FAILED ? AIGW_ENOMEM : AIGW_OK, "mmap", "");
    test_states(seed, states != NULL ? strtoull(states, NULL, 10) : STATES);
    test_control(seed);

    return done();
}
