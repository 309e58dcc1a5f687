/* The live segment: where it may be, counters at their edges and under load,
   rebuilding. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <signal.h>

#include "live_env.h"


static void
test_places(void)
{
    char          fault[AIGW_FAULT_LEN + 1] = "", path[AIGW_LIVE_PATH_LEN + 1];
    char          want[64], link[96];
    aigw_str_t    id;
    struct stat   st;
    aigw_live_t  *live;

    snprintf(want, sizeof(want), "/dev/shm/aigw-test%012d", (int) getpid());
    id.data = want + strlen("/dev/shm/aigw-");
    id.len = AIGW_STORE_ID_LEN;
    must(mkdir(want, 0700) ? AIGW_EIO : AIGW_OK, "mkdir", want);
    aigw_live_locate(id, path);
    is_str(path, want, "located where it is");
    rmdir(want);

    is_int(aigw_live_open("/proc", env_store, &live, fault), AIGW_EINVAL,
           "not on a tmpfs: refused");
    ok(strstr(fault, "tmpfs") != NULL, "and the sentence says why");

    snprintf(path, sizeof(path), "%s/none", env_root);
    is_int(aigw_live_open(path, env_store, &live, fault), AIGW_ENOTFOUND,
           "no directory");

    snprintf(link, sizeof(link), "%s/link", env_root);
    must(symlink(env_live_path, link) ? AIGW_EIO : AIGW_OK, "symlink", link);
    is_int(aigw_live_prepare(link, geteuid(), getegid(), fault), AIGW_EINVAL,
           "a link is refused");

    snprintf(path, sizeof(path), "%s/above/below", env_root);
    umask(0077);
    is_int(aigw_live_prepare(path, geteuid(), getegid(), fault), AIGW_OK,
           "its parent is made too");
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700, "mode 0700");
    *strrchr(path, '/') = '\0';
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0755, "above it 0755");
    strcat(path, "/below");

    is_int(aigw_live_open(path, NULL, &live, fault), AIGW_ENOTFOUND,
           "nothing in it: not found without a store");
}


/* A process forked while a lock is held does not keep it. */
static void
test_lock(void)
{
    int    fd;
    pid_t  pid;

    must(aigw_live_dir_lock(env_live_path, AIGW_LIVE_LEADER, 0, &fd), "lock",
         "");

    pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }

    ok(aigw_live_dir_is_locked(env_live_path, AIGW_LIVE_LEADER), "locked");
    aigw_live_dir_unlock(fd);
    ok(!aigw_live_dir_is_locked(env_live_path, AIGW_LIVE_LEADER),
       "unlocked, though a child has the same file open");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}


/* Root hands over what it made, and refuses what a stranger has. */
static void
test_owners(void)
{
    char          fault[AIGW_FAULT_LEN + 1] = "", path[96], file[112];
    struct stat   st;
    aigw_live_t  *live = NULL;

    if (geteuid() != 0) {
        return;
    }

    snprintf(path, sizeof(path), "%s/owned", env_root);
    snprintf(file, sizeof(file), "%s/counters", path);

    must(aigw_live_prepare(path, 0, 0, fault), "prepare", fault);
    must(aigw_live_open(path, env_store, &live, fault), "open", fault);
    aigw_live_close(live);

    is_int(aigw_live_prepare(path, 1234, 1235, fault), AIGW_OK,
           "root's directory is given to the workers");
    ok(stat(path, &st) == 0 && st.st_uid == 1234 && st.st_gid == 1235,
       "the directory");
    ok(stat(file, &st) == 0 && st.st_uid == 1234 && st.st_gid == 1235,
       "and the counters in it");

    must(unlink(file) ? AIGW_EIO : AIGW_OK, "unlink", file);
    must(aigw_live_open(path, env_store, &live, fault), "open", fault);
    aigw_live_close(live);
    ok(stat(file, &st) == 0 && st.st_uid == 1234 && (st.st_mode & 0777) == 0600,
       "what root rebuilds there belongs to them");

    is_int(aigw_live_prepare(path, 4321, 4321, fault), AIGW_EACCESS,
           "a stranger's directory is refused");
}


/* What is free and left, and which account binds. */
static void
free_is(const aigw_live_account_t account[AIGW_LIVE_LEVELS], int64_t want,
    int64_t want_left, unsigned want_which, const char *name)
{
    int64_t   left = -1, free;
    unsigned  which = 9;

    free = aigw_live_free(env_live, account, &left, &which);

    ok(free == want && left == want_left && which == want_which,
       "%s (%" PRId64 " of %" PRId64 ", account %u)", name, free, left, which);
}


static void
test_limits(void)
{
    unsigned             i;
    aigw_live_account_t  account[AIGW_LIVE_LEVELS] = {
        { AIGW_ACCOUNT_KEY, 1, 100 },
        { AIGW_ACCOUNT_PROJECT, 1, 100 },
        { AIGW_ACCOUNT_USER, 1, 100 }
    };

    free_is(account, 100, 100, 0, "unspent, without a slot");
    env_charge(account, 99);
    free_is(account, 1, 1, 0, "a unit left");
    env_charge(account, 1);

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        free_is(account, 0, 0, i, "spent = limit: by key, project, user");
        account[i].limit_nano = 101;
    }

    free_is(account, 1, 1, 0, "a limit raised counts at once");

    must(aigw_live_add(env_live->counters, AIGW_ACCOUNT_USER, 1, 0, 1), "hold",
         "");
    free_is(account, 0, 1, 2, "what is held is not free, but it is left");

    account[1].limit_nano = AIGW_UNLIMITED;
    env_charge(account, INT64_MAX - 50);
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 1), INT64_MAX, "charges saturate");
    env_charge(account, INT64_MAX);
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 1), INT64_MAX, "and stay there");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 2), 0, "no slot: nothing spent");
    is_int(env_spent(AIGW_ACCOUNT_USER, 1), INT64_MAX, "kinds are apart");
    free_is(account, 0, 0, 0, "below zero there is nothing");

    account[0] = (aigw_live_account_t) { AIGW_ACCOUNT_KEY, 2, 0 };
    account[2].limit_nano = AIGW_UNLIMITED;
    free_is(account, 0, 0, 0, "a limit of 0 lets nothing in");
    account[0].limit_nano = AIGW_UNLIMITED;
    free_is(account, INT64_MAX, INT64_MAX, 0, "without limits all is free");
}


#define CHARGES  20000


static void *
charger(void *data)
{
    unsigned             i;
    uint64_t             salt = (uintptr_t) data;
    aigw_live_account_t  account[AIGW_LIVE_LEVELS] = {
        { AIGW_ACCOUNT_KEY, 0, AIGW_UNLIMITED },
        { AIGW_ACCOUNT_PROJECT, 300, AIGW_UNLIMITED },
        { AIGW_ACCOUNT_USER, 300, AIGW_UNLIMITED }
    };

    for (i = 0; i < CHARGES; i++) {
        /* all make the same slots at about the same time */
        account[0].id = 1000 + i % 500;
        env_charge(account, (int64_t) (salt + i % 7));
    }

    return NULL;
}


static void
test_concurrent(void)
{
    int        status, failed = 0;
    pid_t      child[4];
    int64_t    want = 0, keys = 0;
    unsigned   i, n;
    pthread_t  thread[4];

    for (i = 0; i < 4; i++) {
        child[i] = fork();

        if (child[i] == 0) {
            charger((void *) (uintptr_t) (i + 5));
            _exit(0);
        }
    }

    for (i = 0; i < 4; i++) {
        pthread_create(&thread[i], NULL, charger, (void *) (uintptr_t) (i + 1));
    }

    for (i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        waitpid(child[i], &status, 0);
        failed |= status;
    }

    for (n = 1; n <= 8; n++) {
        for (i = 0; i < CHARGES; i++) {
            want += n + i % 7;
        }
    }

    for (i = 0; i < 500; i++) {
        keys += env_spent(AIGW_ACCOUNT_KEY, 1000 + i);
    }

    is_int(failed, 0, "4 threads and 4 processes charge");
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 300), want, "one account: exact");
    is_int(keys, want, "500 accounts made meanwhile: exact, none twice");
}


static void
test_refusals(void)
{
    int                i, n = 0, other = 0;
    aigw_live_stats_t  stats;

    for (i = 0; i < 25; i++) {
        n += aigw_live_may_log_refusal(env_live, 42, 5000 + i);
        other += aigw_live_may_log_refusal(env_live, 43, 5999);
    }

    is_int(n, 10, "10 refusals a second get a row");
    is_int(other, 10, "for each who");

    aigw_live_stats(env_live, &stats);
    is_int((int64_t) stats.refusals_unlogged, 30, "the others are counted");

    for (i = 0, n = 0; i < 25; i++) {
        n += aigw_live_may_log_refusal(env_live, 42, 6000);
        n += aigw_live_may_log_refusal(env_live, 42, 5999);
    }

    is_int(n, 10, "next second: 10 again, though a clock lags by one");
    is_int(aigw_live_may_log_refusal(env_live, 42, 1000), 1,
           "a clock set back starts anew");
}


static void
test_full(void)
{
    unsigned             flight, which;
    uint64_t             id;
    aigw_row_t           row;
    aigw_err_t           err = AIGW_OK;
    aigw_price_t         price = { .version = 1 };
    aigw_journal_t      *journal = env_claim();
    aigw_live_stats_t    stats;
    aigw_live_account_t  account[AIGW_LIVE_LEVELS] = {
        { AIGW_ACCOUNT_KEY, 0, 10 },
        { AIGW_ACCOUNT_PROJECT, 300, AIGW_UNLIMITED },
        { AIGW_ACCOUNT_USER, 300, AIGW_UNLIMITED }
    };

    for (id = 10000; err == AIGW_OK && id < 10000 + AIGW_LIVE_ACCOUNTS; id++) {
        err = aigw_live_add(env_live->counters, AIGW_ACCOUNT_KEY, id, 4, 0);
    }

    aigw_live_stats(env_live, &stats);
    is_int(err, AIGW_EFULL, "no slot for one more account");
    ok(stats.accounts > AIGW_LIVE_ACCOUNTS / 10 * 8,
       "not before most are taken (%" PRIu64 ")", stats.accounts);

    env_row(&row, journal, 1);
    row.hold_nano = 7;
    row.project_id = row.user_id = 300;
    row.key_id = account[0].id = id - 1;
    is_int(aigw_flight_begin(env_live, journal, account, &row, &price, &flight,
                             &which), AIGW_EFULL, "it is not let in");

    row.key_id = account[0].id = 10000;
    is_int(aigw_flight_begin(env_live, journal, account, &row, &price, &flight,
                             &which), AIGW_ERANGE,
           "accounts that have one go on, with their limits");
    row.hold_nano = 6;
    is_int(aigw_flight_begin(env_live, journal, account, &row, &price, &flight,
                             &which), AIGW_OK, "and what is left of them");
    aigw_journal_release(journal);
}


/* Opens the segment again after one thing was done to its counters. */
static void
rebuilt(const char *how)
{
    char          fault[AIGW_FAULT_LEN + 1] = "";
    ino_t         before = aigw_live_dir_inode(env_live_path, "counters");
    aigw_live_t  *live = NULL;

    must(aigw_live_open(env_live_path, env_store, &live, fault), how, fault);
    aigw_live_close(env_live);
    env_live = live;

    ok(aigw_live_dir_inode(env_live_path, "counters") != before, "counters %s:"
       " made anew", how);
    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 7), 15 * ENV_COST,
           "project: sums and what is not drained");
    is_int(env_spent(AIGW_ACCOUNT_KEY, 73), 3 * ENV_COST, "key, drained");
    is_int(env_spent(AIGW_ACCOUNT_KEY, 75), 5 * ENV_COST, "key, not drained");
    is_int(env_spent(AIGW_ACCOUNT_USER, 5), 15 * ENV_COST, "user");
}


static void
test_rebuild(void)
{
    char                   fault[AIGW_FAULT_LEN + 1], path[160];
    size_t                 i;
    uint64_t               n;
    aigw_live_t           *live;
    aigw_journal_t        *journal = env_claim();
    aigw_live_counters_t  *counters;
    static const struct {
        const char        *how;
        size_t             offset;
    } spoils[] = {
        { "damaged", offsetof(aigw_live_counters_t, magic) },
        { "of another layout", offsetof(aigw_live_counters_t, layout) },
        { "of another size", offsetof(aigw_live_counters_t, accounts) },
        { "of another store", offsetof(aigw_live_counters_t, store) },
        { "half-built", offsetof(aigw_live_counters_t, complete) }
    };

    for (n = 1; n <= 5; n++) {
        must(env_append(journal, n), "append", "");

        if (n == 3) {
            must(aigw_ledger_drain(env_store, env_live, NULL), "drain", "");
        }
    }

    is_int(env_spent(AIGW_ACCOUNT_PROJECT, 7), 15 * ENV_COST, "charged");

    for (i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
        counters = env_map("counters", sizeof(*counters));
        ((uint8_t *) counters)[spoils[i].offset] ^= 1;
        munmap(counters, sizeof(*counters));
        rebuilt(spoils[i].how);
    }

    snprintf(path, sizeof(path), "%s/counters", env_live_path);
    must(truncate(path, 4096) ? AIGW_EIO : AIGW_OK, "truncate", path);
    rebuilt("cut short");

    env_remove("counters");
    is_int(aigw_live_open(env_live_path, NULL, &live, fault), AIGW_ENOTFOUND,
           "deleted: not found without a store");
    rebuilt("deleted");

    is_int((int64_t) env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano,
           6 * ENV_COST, "the store is as it was");
    aigw_journal_release(journal);
}


int
main(void)
{
    env_start();
    test_places();
    test_lock();
    test_owners();
    test_rebuild();
    test_limits();
    test_refusals();
    test_concurrent();
    test_full();
    env_stop();

    return done();
}
