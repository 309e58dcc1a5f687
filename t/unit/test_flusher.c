/* The flusher: all rows once, whoever is killed; one leader among many; a
   prompt end. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <sys/prctl.h>

#include "live_env.h"


/* A child that does not outlive this test, however it ends. */
static pid_t
spawn(void)
{
    pid_t  pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }

    return pid;
}


/* Appends rows 1 to n, waiting where the ring is full. */
static void
writer(uint64_t n)
{
    uint64_t         i;
    aigw_journal_t  *journal = env_claim();

    for (i = 1; i <= n; i++) {
        while (env_append(journal, i) != AIGW_OK) {
            env_sleep_ms(1);
        }
    }
}


#define WRAP_ROWS  30000

/* Two writers, two would-be leaders, each ring several times around. */
static void
test_wrap(void)
{
    int              i, status, failed = 0;
    pid_t            child[2];
    int64_t          before = env_calls(), doubles;
    flusher_t        a = env_flusher(20), b = env_flusher(20);

    for (i = 0; i < 2; i++) {
        child[i] = spawn();

        if (child[i] == 0) {
            writer(WRAP_ROWS);
            _exit(0);
        }
    }

    for (i = 0; i < 2; i++) {
        waitpid(child[i], &status, 0);
        failed |= status;
    }

    env_flusher_stop(a);
    env_flusher_stop(b);

    doubles = env_calls() - before - 2 * WRAP_ROWS;
    is_int(failed, 0, "two processes append, two flushers drain");
    is_int(doubles, 0, "rows = appends");
    is_int((int64_t) env_undrained(), 0, "nothing left behind");
    env_agree("wrapped");
}


static uint64_t
heads(void)
{
    uint64_t              sum = 0;
    unsigned              i;
    aigw_journals_t       journals = { 0 };
    aigw_journal_file_t  *file;

    must(aigw_journal_map_all(env_live_path, env_live->store, &journals), "map",
         "");

    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        file = journals.map[i].file;
        sum += file == NULL ? 0 : atomic_load(&file->head);
    }

    aigw_journal_unmap_all(&journals);

    return sum;
}


#define KILLS  25

/* A writer killed anywhere: each record that it released becomes a row. */
static void
test_kill(void)
{
    int                i;
    pid_t              pid;
    int64_t            before = env_calls();
    uint64_t           first = heads(), last;
    flusher_t          f = env_flusher(10);
    aigw_live_stats_t  stats, then;

    aigw_live_stats(env_live, &then);

    for (i = 0; i < KILLS; i++) {
        pid = spawn();

        if (pid == 0) {
            writer(UINT64_MAX);
            _exit(0);
        }

        env_sleep_ms(3 + i % 7);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }

    env_flusher_stop(f);
    last = heads();
    aigw_live_stats(env_live, &stats);

    ok(last - first > KILLS, "writers killed %d times after %" PRIu64
       " records", KILLS, last - first);
    is_int(env_calls() - before, (int64_t) (last - first),
           "each released record is a row");
    is_int((int64_t) (stats.undrained + stats.damaged - then.damaged), 0,
           "none left, none damaged");
    is_int(stats.journals, then.journals, "the dead one's journal is reused");
}


/* A leader killed anywhere, between commit and tail too: all rows, once. */
static void
test_kill_leader(void)
{
    int                  i, wait_ms, killed = 0;
    pid_t                appender;
    flusher_t            f;
    int64_t              before = env_calls();
    uint64_t             first = heads();
    aigw_ledger_stats_t  stats;

    aigw_store_close(env_store);
    env_store = NULL;

    appender = spawn();

    if (appender == 0) {
        writer(UINT64_MAX);
        _exit(0);
    }

    for (i = 0; i < KILLS
                || (heads() - first <= AIGW_JOURNAL_RECORDS && i < 999); i++)
    {
        f = env_flusher(1);

        for (wait_ms = 0; wait_ms < 5000; wait_ms++) {
            if (aigw_live_dir_is_locked(env_live_path, AIGW_LIVE_LEADER)) {
                break;
            }

            env_sleep_ms(1);
        }

        /* longer and longer, for a machine too slow to commit once */
        env_sleep_ms(1 + i % 11 + i / 10);
        kill(f.pid, SIGKILL);
        killed += flusher_stop(f) == SIGKILL;
    }

    kill(appender, SIGKILL);
    waitpid(appender, NULL, 0);

    env_reopen(AIGW_STORE_USAGE_WRITE);
    stats = env_drain();
    is_int(killed, i, "leaders killed");
    is_int((int64_t) stats.doubles, 0, "no doubles");
    is_int(env_calls() - before, (int64_t) (heads() - first),
           "rows = appends");
    ok(heads() - first > AIGW_JOURNAL_RECORDS, "more than a ring of them");
}


static void
test_leader(void)
{
    int                   leader;
    char                  fault[AIGW_FAULT_LEN + 1] = "";
    double                start;
    aigw_live_t          *live = NULL;
    flusher_t             f;
    aigw_journal_t       *journal = env_claim();
    aigw_ledger_stats_t   stats = { 77, 77, 77 };

    must(aigw_live_dir_lock(env_live_path, AIGW_LIVE_LEADER, 0, &leader),
         "lock", "");
    must(env_append(journal, 1), "append", "");
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_EBUSY,
           "another leader: busy");
    is_int((int64_t) stats.rows, 77, "stats left alone");

    f = env_flusher(20);
    env_sleep_ms(100);
    is_int((int64_t) env_undrained(), 1, "the flusher waits as well");
    is_int(env_flusher_error(f), AIGW_OK, "without calling it an error");
    aigw_live_dir_unlock(leader);
    env_sleep_ms(400);
    is_int((int64_t) env_undrained(), 0, "and follows when the leader is gone");
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_EBUSY,
           "it is the leader now");

    env_remove(AIGW_LIVE_LEADER);
    env_sleep_ms(60);
    must(env_append(journal, 2), "append", "");
    env_sleep_ms(200);
    is_int((int64_t) env_undrained(), 0, "lock file deleted: it makes one");
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_EBUSY,
           "and leads by that");

    env_remove("counters");
    start = env_seconds();
    must(aigw_live_open(env_live_path, env_store, &live, fault), "open", fault);
    ok(env_seconds() - start < 2, "it makes room for who rebuilds counters");
    env_flusher_stop(f);
    aigw_live_close(env_live);
    env_live = live;
    env_agree("rebuilt under a running flusher");
    aigw_journal_release(journal);
}


static void
test_stop(void)
{
    int              i;
    double           start, took, worst = 0;
    int64_t          before = env_calls();
    flusher_t        f;
    aigw_journal_t  *journal = env_claim();

    for (i = 0; i < 5; i++) {
        f = env_flusher(60000);
        env_sleep_ms(i * 5);
        must(env_append(journal, 1), "append", "");
        start = env_seconds();
        env_flusher_stop(f);
        took = env_seconds() - start;
        worst = took > worst ? took : worst;
    }

    ok(worst < 0.3, "an idle flusher ends at once");
    is_int(env_calls() - before, 5, "after a last pass");

    f = env_flusher(60000);
    env_sleep_ms(50);

    for (i = 0; i < AIGW_JOURNAL_RECORDS / 2; i++) {
        must(env_append(journal, 1), "append", "");
    }

    /* every interval / 4 it looks: so not by that look, but by the last */
    is_int((int64_t) env_undrained(), AIGW_JOURNAL_RECORDS / 2, "not yet");
    env_flusher_stop(f);

    f = env_flusher(400);
    env_sleep_ms(50);

    for (i = 0; i < AIGW_JOURNAL_RECORDS / 2; i++) {
        must(env_append(journal, 1), "append", "");
    }

    env_sleep_ms(250);
    is_int((int64_t) env_undrained(), 0, "a ring that fills is drained sooner");
    env_flusher_stop(f);
    env_agree("stopped");
    aigw_journal_release(journal);
}


/* The one beside a worker that is killed: one last pass. */
static void
test_orphan(void)
{
    int              pipes[2], late;
    char             byte;
    pid_t            pid;
    int64_t          before = env_calls();
    aigw_journal_t  *journal;

    must(pipe(pipes) == 0 ? AIGW_OK : AIGW_EIO, "pipe", "");
    pid = spawn();

    if (pid == 0) {
        (void) env_flusher(60000);
        close(pipes[0]);
        env_sleep_ms(100);
        journal = env_claim();
        must(env_append(journal, 1), "append", "");
        (void) !write(pipes[1], "", 1);
        pause();
    }

    close(pipes[1]);
    (void) !read(pipes[0], &byte, 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);

    for (late = 0; env_undrained() && late < 200; late++) {
        env_sleep_ms(5);
    }

    is_int((int64_t) env_undrained(), 0, "killed: its flusher ends its work");
    is_int(env_calls() - before, 1, "a row");

    for (late = 0;
         aigw_live_dir_is_locked(env_live_path, AIGW_LIVE_LEADER) && late < 200;
         late++)
    {
        env_sleep_ms(5);
    }

    ok(!aigw_live_dir_is_locked(env_live_path, AIGW_LIVE_LEADER),
       "and leads no longer");
    close(pipes[0]);
}


int
main(void)
{
    env_start();
    test_wrap();
    test_orphan();
    test_stop();
    test_leader();
    test_kill();
    test_kill_leader();
    env_stop();

    return done();
}
