/* Draining: all rows once, whoever dies when; one leader; the thread. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>

#include "live_env.h"


static aigw_ledger_stats_t
drain(void)
{
    aigw_ledger_stats_t  stats;

    must(aigw_ledger_drain(env_store, env_live, &stats), "drain", "");

    return stats;
}


/* All accounts of row 1 to n and the like: live = sums, and rows counted. */
static void
agree(const char *name)
{
    unsigned  i, keys = 0;

    for (i = 70; i < 80; i++) {
        keys += env_spent(AIGW_ACCOUNT_KEY, i)
                == env_sums(AIGW_ACCOUNT_KEY, i).cost_nano;
    }

    ok(keys == 10 && env_spent(AIGW_ACCOUNT_PROJECT, 7)
                     == env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano
       && env_spent(AIGW_ACCOUNT_USER, 5)
          == env_sums(AIGW_ACCOUNT_USER, 5).cost_nano,
       "%s: counters = sums of the store", name);
}


static int64_t
calls(void)
{
    return env_sums(AIGW_ACCOUNT_PROJECT, 7).calls;
}


static uint64_t
undrained(void)
{
    aigw_live_stats_t  stats;

    aigw_live_stats(env_live, &stats);

    return stats.undrained;
}


static void
test_drain(void)
{
    uint8_t               packed[2][AIGW_ROW_PACKED_MAX] = { { 0 } };
    uint64_t              n;
    aigw_row_t            row, found;
    aigw_journal_t       *a = env_claim(), *b = env_claim();
    aigw_ledger_stats_t   stats;

    stats = drain();
    is_int((int64_t) stats.rows, 0, "nothing to drain");

    for (n = 1; n <= 3000; n++) {
        must(env_append(n % 3 ? a : b, n), "append", "");
    }

    env_row(&row, a, 0);
    strcpy(row.tag, "scene");
    must(aigw_journal_append(a, &row), "append", "");
    is_int((int64_t) undrained(), 3001, "undrained, of two journals");

    stats = drain();
    is_int((int64_t) stats.rows, 3001, "all written, in several batches");
    is_int((int64_t) (stats.doubles + stats.damaged), 0, "all good");
    is_int(env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano,
           3000 * 3001 / 2 * ENV_COST, "their sum");
    agree("drained");

    must(aigw_store_find_row(env_store, row.id, &found), "find", "");
    is_int((int64_t) aigw_record_pack_row(&found, packed[1]),
           (int64_t) aigw_record_pack_row(&row, packed[0]), "found by its id");
    ok(memcmp(packed[0], packed[1], AIGW_ROW_PACKED_MAX) == 0,
       "a row as it was appended");

    stats = drain();
    is_int((int64_t) (stats.rows + stats.doubles), 0, "once");
    aigw_journal_release(a);
    aigw_journal_release(b);
}


/* A leader that dies between its commit and the tail: the next one believes
   the store. */
static void
test_watermark(void)
{
    int64_t               before;
    uint64_t              n, tail;
    aigw_journal_t       *journal = env_claim();
    aigw_ledger_stats_t   stats;
    aigw_journal_file_t  *file = env_map("j.0", sizeof(*file));

    for (n = 1; n <= 500; n++) {
        must(env_append(journal, n), "append", "");
    }

    (void) drain();
    before = calls();
    tail = atomic_load(&file->tail);
    atomic_store(&file->tail, tail - 500);

    stats = drain();
    is_int((int64_t) stats.rows, 0, "tail set back: no row is written again");
    is_int((int64_t) stats.doubles, 0, "nor even looked at");
    is_int((int64_t) (atomic_load(&file->tail) - tail), 0, "tail put right");
    is_int(calls() - before, 0, "no call counted twice");

    atomic_store(&file->tail, tail - 500);
    must(env_append(journal, 1), "append", "");
    stats = drain();
    is_int((int64_t) stats.rows, 1, "with a new record: that one");
    is_int((int64_t) stats.doubles, 0, "no doubles");
    agree("watermark");

    munmap(file, sizeof(*file));
    aigw_journal_release(journal);
}


static void
test_damage(void)
{
    int64_t               cost;
    uint64_t              n, head;
    aigw_journal_t       *journal = env_claim();
    aigw_live_stats_t     live;
    aigw_ledger_stats_t   stats;
    aigw_journal_file_t  *file = env_map("j.0", sizeof(*file));

    for (n = 1; n <= 9; n++) {
        must(env_append(journal, 9), "append", "");
    }

    head = atomic_load(&file->head);
    file->ring[(head - 8) % AIGW_JOURNAL_RECORDS].row[40] ^= 0x10;
    file->ring[(head - 4) % AIGW_JOURNAL_RECORDS]
        = file->ring[(head - 5) % AIGW_JOURNAL_RECORDS];
    file->ring[(head - 2) % AIGW_JOURNAL_RECORDS].len = 1 << 30;
    file->ring[head % AIGW_JOURNAL_RECORDS].crc ^= 1;

    cost = env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano;
    stats = drain();
    aigw_live_stats(env_live, &live);

    is_int((int64_t) stats.damaged, 4, "damaged records are counted");
    is_int((int64_t) live.damaged, 4, "for all to see");
    is_int((int64_t) stats.rows, 5, "the others are written");
    is_int(env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano - cost,
           5 * 9 * ENV_COST, "and charged");
    is_int((int64_t) undrained(), 0, "nothing is stuck");

    /* what never got its head is nobody's record */
    memset(&file->ring[(head + 1) % AIGW_JOURNAL_RECORDS], 0xa5,
           sizeof(file->ring[0]));
    aigw_journal_release(journal);
    journal = env_claim();
    must(env_append(journal, 3), "append", "");
    stats = drain();
    is_int((int64_t) stats.rows, 1, "a torn record is overwritten");
    is_int((int64_t) stats.damaged, 0, "and not counted");

    /* the head of another ring in this one's place */
    atomic_store(&file->head, head + 2 * AIGW_JOURNAL_RECORDS);
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_ECORRUPT,
           "a head that cannot be is reported");
    aigw_journal_release(journal);
    munmap(file, sizeof(*file));

    journal = env_claim();
    must(env_append(journal, 3), "append", "");
    stats = drain();
    is_int((int64_t) stats.rows, 1, "such a ring is made anew once it is free");
    aigw_journal_release(journal);

    env_remove("j.0");
    journal = env_claim();
    must(env_append(journal, 2), "append", "");
    stats = drain();
    is_int((int64_t) stats.rows, 1, "a new j.0 has a watermark of its own");
    aigw_journal_release(journal);
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


static aigw_flusher_t *
flusher(unsigned interval_ms)
{
    aigw_flusher_t  *f = NULL;

    must(aigw_flusher_start(env_store, env_live, interval_ms, &f), "start", "");

    return f;
}


#define WRAP_ROWS  30000

/* Two writers, two would-be leaders, each ring several times around. */
static void
test_wrap(void)
{
    int              i, status, failed = 0;
    pid_t            child[2];
    int64_t          before = calls(), doubles;
    aigw_flusher_t  *a = flusher(20), *b = flusher(20);

    for (i = 0; i < 2; i++) {
        child[i] = fork();

        if (child[i] == 0) {
            writer(WRAP_ROWS);
            _exit(0);
        }
    }

    for (i = 0; i < 2; i++) {
        waitpid(child[i], &status, 0);
        failed |= status;
    }

    must(aigw_flusher_stop(a, 5000), "stop", "");
    must(aigw_flusher_stop(b, 5000), "stop", "");

    doubles = calls() - before - 2 * WRAP_ROWS;
    is_int(failed, 0, "two processes append, two flushers drain");
    is_int(doubles, 0, "rows = appends");
    is_int((int64_t) undrained(), 0, "nothing left behind");
    agree("wrapped");
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


static void
reopen(unsigned flags)
{
    char  fault[AIGW_FAULT_LEN + 1] = "";

    aigw_store_close(env_store);
    env_store = NULL;
    must(aigw_store_open(env_store_path, flags, &env_store, fault), "open",
         fault);
}


#define KILLS  25

/* A writer killed anywhere: each record that it released becomes a row. */
static void
test_kill(void)
{
    int                i;
    pid_t              pid;
    int64_t            before = calls();
    uint64_t           first = heads(), last;
    aigw_flusher_t    *f = flusher(10);
    aigw_live_stats_t  stats, then;

    aigw_live_stats(env_live, &then);

    for (i = 0; i < KILLS; i++) {
        pid = fork();

        if (pid == 0) {
            writer(UINT64_MAX);
            _exit(0);
        }

        env_sleep_ms(3 + i % 7);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }

    must(aigw_flusher_stop(f, 5000), "stop", "");
    last = heads();
    aigw_live_stats(env_live, &stats);

    ok(last - first > KILLS, "writers killed %d times after %" PRIu64
       " records", KILLS, last - first);
    is_int(calls() - before, (int64_t) (last - first),
           "each released record is a row");
    is_int((int64_t) (stats.undrained + stats.damaged - then.damaged), 0,
           "none left, none damaged");
    is_int(stats.journals, then.journals, "the dead one's journal is reused");
}


/* A leader killed anywhere, between commit and tail too: all rows, once. */
static void
test_kill_leader(void)
{
    int                  i;
    pid_t                pid, appender;
    int64_t              before = calls();
    uint64_t             first = heads();
    aigw_ledger_stats_t  stats;

    aigw_store_close(env_store);
    env_store = NULL;

    appender = fork();

    if (appender == 0) {
        writer(UINT64_MAX);
        _exit(0);
    }

    for (i = 0; i < KILLS
                || (heads() - first <= AIGW_JOURNAL_RECORDS && i < 999); i++)
    {
        pid = fork();

        if (pid == 0) {
            reopen(AIGW_STORE_USAGE_WRITE);
            (void) flusher(1);
            pause();
        }

        env_sleep_ms(15 + i % 7);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }

    kill(appender, SIGKILL);
    waitpid(appender, NULL, 0);

    reopen(AIGW_STORE_USAGE_WRITE);
    stats = drain();
    is_int((int64_t) stats.doubles, 0, "no doubles");
    is_int(calls() - before, (int64_t) (heads() - first),
           "leaders killed: rows = appends");
    ok(heads() - first > AIGW_JOURNAL_RECORDS, "more than a ring of them");
}


static void
test_leader(void)
{
    int                   leader;
    char                  fault[AIGW_FAULT_LEN + 1] = "";
    double                start;
    aigw_live_t          *live = NULL;
    aigw_flusher_t       *f;
    aigw_journal_t       *journal = env_claim();
    aigw_ledger_stats_t   stats = { 77, 77, 77 };

    must(aigw_live_dir_lock(env_live_path, AIGW_LIVE_LEADER, 0, &leader),
         "lock", "");
    must(env_append(journal, 1), "append", "");
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_EBUSY,
           "another leader: busy");
    is_int((int64_t) stats.rows, 77, "stats left alone");

    f = flusher(20);
    env_sleep_ms(100);
    is_int((int64_t) undrained(), 1, "the thread waits as well");
    is_int(aigw_flusher_error(f), AIGW_OK, "without calling it an error");
    close(leader);
    env_sleep_ms(400);
    is_int((int64_t) undrained(), 0, "and follows when the leader is gone");
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_EBUSY,
           "it is the leader now");

    env_remove(AIGW_LIVE_LEADER);
    env_sleep_ms(60);
    must(env_append(journal, 2), "append", "");
    env_sleep_ms(200);
    is_int((int64_t) undrained(), 0, "its lock file deleted: it makes another");
    is_int(aigw_ledger_drain(env_store, env_live, &stats), AIGW_EBUSY,
           "and leads by that");

    env_remove("counters");
    start = env_seconds();
    must(aigw_live_open(env_live_path, env_store, &live, fault), "open", fault);
    ok(env_seconds() - start < 2, "it makes room for who rebuilds counters");
    must(aigw_flusher_stop(f, 2000), "stop", "");
    aigw_live_close(env_live);
    env_live = live;
    agree("rebuilt under a running flusher");
    aigw_journal_release(journal);
}


static void
test_stop(void)
{
    int              i;
    double           start, took, worst = 0;
    int64_t          before = calls();
    aigw_flusher_t  *f;
    aigw_journal_t  *journal = env_claim();

    for (i = 0; i < 5; i++) {
        f = flusher(60000);
        env_sleep_ms(i * 5);
        must(env_append(journal, 1), "append", "");
        start = env_seconds();
        must(aigw_flusher_stop(f, 2000), "stop", "");
        took = env_seconds() - start;
        worst = took > worst ? took : worst;
    }

    ok(worst < 0.3, "an idle flusher ends at once");
    is_int(calls() - before, 5, "after a last pass");

    f = flusher(60000);
    env_sleep_ms(50);

    for (i = 0; i < AIGW_JOURNAL_RECORDS / 2; i++) {
        must(env_append(journal, 1), "append", "");
    }

    /* every interval / 4 it looks: so not by that look, but by the last */
    is_int((int64_t) undrained(), AIGW_JOURNAL_RECORDS / 2, "a long interval");
    must(aigw_flusher_stop(f, 2000), "stop", "");

    f = flusher(400);
    env_sleep_ms(50);

    for (i = 0; i < AIGW_JOURNAL_RECORDS / 2; i++) {
        must(env_append(journal, 1), "append", "");
    }

    env_sleep_ms(250);
    is_int((int64_t) undrained(), 0, "a ring that fills is drained sooner");
    must(aigw_flusher_stop(f, 2000), "stop", "");
    agree("stopped");
    aigw_journal_release(journal);
}


/* The store refuses: the journals keep everything until it works again. */
static void
test_refused(void)
{
    aigw_flusher_t       *f;
    aigw_journal_t       *journal = env_claim();
    aigw_ledger_stats_t   stats;

    reopen(AIGW_STORE_USAGE);
    must(env_append(journal, 1), "append", "");

    f = flusher(10);
    env_sleep_ms(50);
    ok(aigw_flusher_error(f) != AIGW_OK, "the thread says what went wrong");
    is_int((int64_t) undrained(), 1, "the record stays");
    must(aigw_flusher_stop(f, 2000), "stop", "");
    is_int((int64_t) undrained(), 1, "to the end");

    reopen(AIGW_STORE_USAGE_WRITE);
    stats = drain();
    is_int((int64_t) stats.rows, 1, "and is written once it can be");
    agree("refused");
    aigw_journal_release(journal);
}


int
main(void)
{
    env_start();
    test_drain();
    test_watermark();
    test_wrap();
    test_stop();
    test_leader();
    test_refused();
    test_kill();
    test_kill_leader();
    test_damage();
    env_stop();

    return done();
}
