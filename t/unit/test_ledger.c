/* Draining: all rows, once; watermarks; damage; a store that refuses. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "aigw_crc.h"
#include "live_env.h"


static void
test_drain(void)
{
    uint8_t               packed[2][AIGW_ROW_PACKED_MAX] = { { 0 } };
    uint64_t              n;
    aigw_row_t            row, found;
    aigw_journal_t       *a = env_claim(), *b = env_claim();
    aigw_ledger_stats_t   stats;

    stats = env_drain();
    is_int((int64_t) stats.rows, 0, "nothing to drain");

    for (n = 1; n <= 5000; n++) {
        must(env_append(n % 3 ? a : b, n), "append", "");
    }

    env_row(&row, a, 0);
    strcpy(row.tag, "scene");
    must(aigw_journal_append(a, &row), "append", "");
    is_int((int64_t) env_undrained(), 5001, "undrained, of two journals");

    stats = env_drain();
    is_int((int64_t) stats.rows, 5001, "all written, in several batches");
    is_int((int64_t) (stats.doubles + stats.damaged), 0, "all good");
    is_int(env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano,
           INT64_C(5000) * 5001 / 2 * ENV_COST, "their sum");
    env_agree("drained");

    must(aigw_store_find_row(env_store, row.id, &found), "find", "");
    is_int((int64_t) aigw_record_pack_row(&found, packed[1]),
           (int64_t) aigw_record_pack_row(&row, packed[0]), "found by its id");
    ok(memcmp(packed[0], packed[1], AIGW_ROW_PACKED_MAX) == 0,
       "a row as it was appended");

    stats = env_drain();
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

    (void) env_drain();
    before = env_calls();
    tail = atomic_load(&file->tail);
    atomic_store(&file->tail, tail - 500);

    stats = env_drain();
    is_int((int64_t) stats.rows, 0, "tail set back: no row is written again");
    is_int((int64_t) stats.doubles, 0, "nor even looked at");
    is_int((int64_t) (atomic_load(&file->tail) - tail), 0, "tail put right");
    is_int(env_calls() - before, 0, "no call counted twice");

    atomic_store(&file->tail, tail - 500);
    must(env_append(journal, 1), "append", "");
    stats = env_drain();
    is_int((int64_t) stats.rows, 1, "with a new record: that one");
    is_int((int64_t) stats.doubles, 0, "no doubles");
    env_agree("watermark");

    munmap(file, sizeof(*file));
    aigw_journal_release(journal);
}


static void
test_damage(void)
{
    int64_t                 cost;
    uint64_t                n, head;
    aigw_journal_t         *journal = env_claim();
    aigw_live_stats_t       live;
    aigw_ledger_stats_t     stats;
    aigw_journal_record_t  *record;
    aigw_journal_file_t    *file = env_map("j.0", sizeof(*file));

    for (n = 1; n <= 9; n++) {
        must(env_append(journal, 9), "append", "");
    }

    head = atomic_load(&file->head);
    file->ring[(head - 8) % AIGW_JOURNAL_RECORDS].row[40] ^= 0x10;
    file->ring[(head - 4) % AIGW_JOURNAL_RECORDS]
        = file->ring[(head - 5) % AIGW_JOURNAL_RECORDS];
    file->ring[(head - 2) % AIGW_JOURNAL_RECORDS].len = 1 << 30;
    file->ring[head % AIGW_JOURNAL_RECORDS].crc ^= 1;

    /* whole, but no row: another version */
    record = &file->ring[(head - 6) % AIGW_JOURNAL_RECORDS];
    record->row[0]++;
    record->crc = aigw_crc32c(0, record, offsetof(aigw_journal_record_t, crc));
    record->crc = aigw_crc32c(record->crc, record->row, record->len);

    cost = env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano;
    stats = env_drain();
    aigw_live_stats(env_live, &live);

    is_int((int64_t) stats.damaged, 5, "damaged records are counted");
    is_int((int64_t) live.damaged, 5, "for all to see");
    is_int((int64_t) stats.rows, 4, "the others are written");
    is_int(env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano - cost,
           4 * 9 * ENV_COST, "and charged");
    is_int((int64_t) env_undrained(), 0, "nothing is stuck");

    /* what never got its head is nobody's record */
    memset(&file->ring[(head + 1) % AIGW_JOURNAL_RECORDS], 0xa5,
           sizeof(file->ring[0]));
    aigw_journal_release(journal);
    journal = env_claim();
    must(env_append(journal, 3), "append", "");
    stats = env_drain();
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
    stats = env_drain();
    is_int((int64_t) stats.rows, 1, "such a ring is made anew once it is free");
    aigw_journal_release(journal);

    env_remove("j.0");
    journal = env_claim();
    must(env_append(journal, 2), "append", "");
    stats = env_drain();
    is_int((int64_t) stats.rows, 1, "a new j.0 has a watermark of its own");
    aigw_journal_release(journal);
}


/* The store refuses: the journals keep everything until it works again. */
static void
test_refused(void)
{
    flusher_t             f;
    struct rlimit         limit, none;
    aigw_journal_t       *journal = env_claim();
    aigw_ledger_stats_t   stats;

    /* inherited: nothing can be written behind the first page */
    getrlimit(RLIMIT_FSIZE, &limit);
    none = limit;
    none.rlim_cur = 1;
    setrlimit(RLIMIT_FSIZE, &none);
    must(env_append(journal, 1), "append", "");

    f = env_flusher(10);
    setrlimit(RLIMIT_FSIZE, &limit);
    env_sleep_ms(50);
    ok(env_flusher_error(f) != AIGW_OK, "the flusher says what went wrong");
    is_int((int64_t) env_undrained(), 1, "the record stays");
    env_flusher_stop(f);
    is_int((int64_t) env_undrained(), 1, "to the end");

    stats = env_drain();
    is_int((int64_t) stats.rows, 1, "and is written once it can be");
    env_agree("refused");
    aigw_journal_release(journal);
}


int
main(void)
{
    env_start();
    test_drain();
    test_watermark();
    test_refused();
    test_damage();
    env_stop();

    return done();
}
