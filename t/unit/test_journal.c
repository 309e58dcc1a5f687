/* Journals: claims, take-over and damage, how full a ring may be. Its drain and
   the death of its writer are test_ledger's and test_flusher's. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "live_env.h"


static void
test_claims(void)
{
    char              fault[AIGW_FAULT_LEN + 1] = "";
    uint8_t           id[3][AIGW_ROW_ID_LEN];
    unsigned          i;
    aigw_journal_t   *j[AIGW_JOURNAL_MAX], *more = NULL;
    aigw_live_stats_t stats;

    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        j[i] = env_claim();
    }

    aigw_live_stats(env_live, &stats);
    is_int(stats.journals, AIGW_JOURNAL_MAX, "as many as there may be");
    is_int(aigw_journal_claim(env_live, &more, fault), AIGW_EFULL, "no more");
    ok(strstr(fault, "are taken") != NULL, "and the sentence says why");

    aigw_journal_new_id(j[3], 1000, id[0]);
    aigw_journal_release(j[3]);
    j[3] = env_claim();
    aigw_journal_new_id(j[3], 1000, id[1]);
    aigw_journal_new_id(j[3], 1001, id[2]);
    ok(memcmp(id[0], id[1], 10) == 0 && memcmp(id[0], id[1], 16) != 0,
       "one that was given back is taken again, its ids go on");
    ok(memcmp(id[2], id[1], 6) > 0 && id[2][4] == 0x03 && id[2][5] == 0xe9,
       "ids begin with the milliseconds");

    aigw_journal_new_id(j[4], 1001, id[1]);
    ok(memcmp(id[1] + 8, id[2] + 8, 2) != 0, "ids carry the journal");

    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        aigw_journal_release(j[i]);
    }
}


/* Spoils journal 0 while it is claimed, and when it is not. */
static void
test_replaced(void)
{
    uint64_t              id;
    aigw_journal_t       *first = env_claim(), *second;
    aigw_journal_file_t  *file = env_map("j.0", sizeof(*file));

    id = file->id;
    file->layout++;

    second = env_claim();
    munmap(file, sizeof(*file));
    file = env_map("j.0", sizeof(*file));
    ok(file->id == id, "a claimed journal of another layout is left alone");
    aigw_journal_release(second);
    aigw_journal_release(first);
    munmap(file, sizeof(*file));

    first = env_claim();
    file = env_map("j.0", sizeof(*file));
    ok(file->id != id && file->layout == AIGW_LIVE_LAYOUT,
       "when it is free it is made anew, with another id");
    munmap(file, sizeof(*file));
    aigw_journal_release(first);
}


static void
test_ring(void)
{
    int64_t          now = aigw_time_now_ms();
    uint64_t         n = 0, ready = 0;
    aigw_row_t       row;
    aigw_journal_t  *journal = env_claim();

    is_int(aigw_journal_ready(journal, now), AIGW_OK, "empty: ready");

    env_row(&row, journal, 1);
    row.time_ms = row.settled_ms = now;

    while (aigw_journal_append(journal, &row) == AIGW_OK) {
        n++;
        ready += aigw_journal_ready(journal, now) == AIGW_OK;
        aigw_journal_new_id(journal, now, row.id);
    }

    is_int((int64_t) n, AIGW_JOURNAL_RECORDS, "appends until it is full");
    is_int((int64_t) ready, AIGW_JOURNAL_RECORDS * 9 / 10 - 1,
           "ready until nine tenths are");
    is_int(aigw_journal_append(journal, &row), AIGW_EFULL, "full stays full");

    must(aigw_ledger_drain(env_store, env_live, NULL), "drain", "");
    is_int(aigw_journal_ready(journal, now), AIGW_OK, "ready when drained");

    must(aigw_journal_append(journal, &row), "append", "");
    row.settled_ms = now + 1000;
    aigw_journal_new_id(journal, now, row.id);
    must(aigw_journal_append(journal, &row), "append", "");

    is_int(aigw_journal_ready(journal, now + AIGW_JOURNAL_STALE_MS - 1),
           AIGW_OK, "the oldest record waits: ready");
    is_int(aigw_journal_ready(journal, now + AIGW_JOURNAL_STALE_MS),
           AIGW_EFULL, "for 5 s: no longer");
    must(aigw_ledger_drain(env_store, env_live, NULL), "drain", "");
    is_int(aigw_journal_ready(journal, now + AIGW_JOURNAL_STALE_MS), AIGW_OK,
           "ready when drained");
    aigw_journal_release(journal);
}


/* Figures for who reads the output; nothing depends on them. */
static void
test_speed(void)
{
    int              i;
    double           start, append = 0, drain = 0;
    uint64_t         n;
    aigw_row_t       row;
    aigw_err_t       err = AIGW_OK;
    aigw_journal_t  *journal = env_claim();

    env_row(&row, journal, 1);

    for (i = 0; i < 5; i++) {
        start = env_seconds();

        for (n = 0; n < AIGW_JOURNAL_RECORDS && err == AIGW_OK; n++) {
            aigw_journal_new_id(journal, row.time_ms, row.id);
            err = aigw_journal_append(journal, &row);
        }

        append += env_seconds() - start;
        start = env_seconds();
        must(aigw_ledger_drain(env_store, env_live, NULL), "drain", "");
        drain += env_seconds() - start;
    }

    is_int(err, AIGW_OK, "speed: all went well");
    printf("# append %.0f ns, drain %.0f ns a row (store on tmpfs)\n",
           append / 5 / AIGW_JOURNAL_RECORDS * 1e9,
           drain / 5 / AIGW_JOURNAL_RECORDS * 1e9);
    aigw_journal_release(journal);
}


int
main(void)
{
    env_start();
    test_claims();
    test_replaced();
    test_ring();
    test_speed();
    env_stop();

    return done();
}
