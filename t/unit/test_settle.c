/* The store's usage half: settlement (threats Q11, S04, S09; I1, I2). */

#include "store_rows.h"

#include <signal.h>

#include "aigw_store_internal.h"
#include "aigw_verdict.h"


static aigw_row_t     rows[500];
static const uint8_t  newest[AIGW_ROW_ID_LEN];

static const aigw_row_filter_t  any = { .status = -1 };


static void
test_one(void)
{
    size_t         n, doubles;
    aigw_row_t     row, found, list[2];
    aigw_sums_t    sums;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);

    row = a_row(BASE + 5, 1);
    strcpy(row.tag, "a tag");
    is_int(settle(s, &row, 1, &doubles), AIGW_OK, "one row");
    is_int((int64_t) doubles, 0, "no double");
    is_int(aigw_store_find_row(s, row.id, &found), AIGW_OK, "found by id");
    ok(found.cost_nano == 300 && found.time_ms == BASE + 5
       && strcmp(found.model, "gpt-4o") == 0
       && strcmp(found.tag, "a tag") == 0, "as written");

    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    ok(sums.calls == 1 && sums.ok_calls == 1 && sums.cost_nano == 300
       && sums.prompt_tokens == 10 && sums.last_ms == BASE + 5,
       "the key's sums");
    sums = sums_of(s, AIGW_ACCOUNT_PROJECT, 2);
    is_int(sums.cost_nano, 300, "the project's");
    sums = sums_of(s, AIGW_ACCOUNT_USER, 1);
    is_int(sums.cost_nano, 300, "the user's");
    sums = sums_of(s, AIGW_ACCOUNT_USER, 3);
    is_int(sums.calls, 0, "an account without rows is all zero");

    is_int(settle(s, &row, 1, &doubles), AIGW_OK, "the same row again");
    is_int((int64_t) doubles, 1, "I2 is a double");
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    is_int(sums.cost_nano, 300, "I2 never charged twice");
    is_int(aigw_store_list_rows(s, &any, newest, list, 2, &n), AIGW_OK, "all");
    is_int((int64_t) n, 1, "I2 one row");

    found.id[0] ^= 1;
    is_int(aigw_store_find_row(s, found.id, &row), AIGW_ENOTFOUND,
           "another id");

    aigw_store_close(s);
}


static void
test_doubles_in_batch(void)
{
    size_t         doubles;
    aigw_row_t     batch[5];
    aigw_sums_t    sums;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);

    batch[0] = a_row(BASE + 9, 9);
    batch[1] = a_row(BASE + 1, 1);
    batch[2] = a_row(BASE + 9, 9);
    batch[2].cost_nano = 999;
    batch[3] = a_row(BASE + 5, 5);
    batch[4] = a_row(BASE + 1, 1);

    is_int(settle(s, batch, 5, &doubles), AIGW_OK, "three and two again");
    is_int((int64_t) doubles, 2, "two doubles");
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    ok(sums.calls == 3 && sums.cost_nano == 900, "the first of each counts");

    batch[0] = a_row(BASE + 2, 2);
    is_int(settle(s, batch, 5, &doubles), AIGW_OK, "one more, and these");
    is_int((int64_t) doubles, 4, "four were there");
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    ok(sums.calls == 4 && sums.cost_nano == 1200, "one was added");

    is_int(settle(s, NULL, 0, &doubles), AIGW_OK, "nothing at all");
    is_int((int64_t) doubles, 0, "no double");

    aigw_store_close(s);
}


static aigw_err_t
count_sums(void *data, aigw_account_kind_t kind, uint64_t id,
    const aigw_sums_t *sums)
{
    size_t  *n = data;

    (void) kind;
    (void) sums;

    if (id == 0) {
        return AIGW_EINVAL;
    }

    (*n)++;

    return AIGW_OK;
}


static aigw_err_t
count_cells(void *data, const aigw_cell_t *cell)
{
    aigw_cell_t  *last = data;

    *last = *cell;

    return AIGW_OK;
}


static void
test_unknown_key(void)
{
    size_t         n, doubles;
    aigw_row_t     row, list[2];
    aigw_cell_t    cell;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);

    row = a_row(BASE, 1);
    row.user_id = 0;
    row.project_id = 0;
    row.key_id = 0;
    row.status = 401;
    row.attempts = 0;
    row.cost_nano = 0;
    row.settled = AIGW_SETTLED_NONE;
    row.verdict = AIGW_VERDICT_UNKNOWN_KEY;
    row.model[0] = '\0';
    row.tokens.prompt_tokens = 0;
    row.tokens.completion_tokens = 0;

    is_int(settle(s, &row, 1, &doubles), AIGW_OK, "a row of nobody");
    is_int(aigw_store_list_rows(s, &any, newest, list, 2, &n), AIGW_OK, "it");
    is_int((int64_t) n, 1, "is listed");
    n = 0;
    is_int(aigw_store_each_sums(s, count_sums, &n), AIGW_OK, "sums");
    is_int((int64_t) n, 0, "there are none for id 0");
    memset(&cell, 0, sizeof(cell));
    is_int(aigw_store_each_cell(s, &any, count_cells, &cell), AIGW_OK, "cell");
    ok(cell.hour_ms == BASE && cell.sums.refused_calls == 1
       && cell.sums.calls == 0 && cell.model[0] == '\0', "it is counted");

    aigw_store_close(s);
}


static aigw_err_t
stop_at_two(void *data, aigw_account_kind_t kind, uint64_t id,
    const aigw_sums_t *sums)
{
    unsigned  *n = data;

    (void) kind;
    (void) id;
    (void) sums;

    return ++*n == 2 ? AIGW_EBUSY : AIGW_OK;
}


typedef struct {
    aigw_store_t  *store;
    unsigned       n;
    unsigned       bad;
} nested_t;


/* Reads while a read is under way. */
static aigw_err_t
look_again(void *data, aigw_account_kind_t kind, uint64_t id,
    const aigw_sums_t *sums)
{
    nested_t     *nested = data;
    aigw_sums_t   again;

    again = sums_of(nested->store, kind, id);
    nested->n++;
    nested->bad += memcmp(&again, sums, sizeof(again)) != 0;

    return AIGW_OK;
}


static void
test_visits(void)
{
    size_t         doubles;
    unsigned       n;
    nested_t       nested = { NULL, 0, 0 };
    aigw_row_t     row;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);
    row = a_row(BASE, 1);
    is_int(settle(s, &row, 1, &doubles), AIGW_OK, "a row");

    n = 0;
    is_int(aigw_store_each_sums(s, stop_at_two, &n), AIGW_EBUSY,
           "a visit's error is returned");
    is_int(n, 2, "and ends it");

    nested.store = s;
    is_int(aigw_store_each_sums(s, look_again, &nested), AIGW_OK,
           "a visit may read");
    ok(nested.n == 3 && nested.bad == 0, "what it was shown");

    aigw_store_close(s);

    s = test_open(0);
    is_int(aigw_store_each_sums(s, look_again, &nested), AIGW_EINVAL,
           "usage that was not opened");
    is_int(settle(s, &row, 1, &doubles), AIGW_EINVAL, "nor written");
    aigw_store_close(s);

    s = test_open(AIGW_STORE_USAGE);
    is_int(settle(s, &row, 1, &doubles), AIGW_EACCESS, "opened to read");
    aigw_store_close(s);
}


static void
test_edges(void)
{
    size_t         doubles;
    aigw_row_t     batch[2];
    aigw_sums_t    sums;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);

    batch[0] = a_row(BASE, 1);
    batch[1] = a_row(BASE, 2);
    batch[1].cost_nano = -1;
    is_int(settle(s, batch, 2, &doubles), AIGW_EINVAL, "Q13 a negative cost");
    batch[1].cost_nano = 0;
    batch[1].tokens.prompt_tokens = -1;
    is_int(settle(s, batch, 2, &doubles), AIGW_EINVAL, "a negative count");
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    is_int(sums.calls, 0, "nothing of either batch");

    batch[0].cost_nano = INT64_MAX;
    batch[1].tokens.prompt_tokens = INT64_MAX;
    batch[1].cost_nano = INT64_MAX;
    is_int(settle(s, batch, 2, &doubles), AIGW_OK,
           "Q11 sums that overflow do not stop settlement");
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    is_int(sums.cost_nano, INT64_MAX, "Q11 saturated, not wrapped");
    is_int(sums.prompt_tokens, INT64_MAX, "Q11 tokens too");

    batch[0] = a_row(BASE, 3);
    is_int(settle(s, batch, 1, &doubles), AIGW_OK, "one more");
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    ok(sums.cost_nano == INT64_MAX && sums.calls == 3, "Q11 spent for good");

    aigw_store_close(s);
}


static void
test_watermarks(void)
{
    size_t            doubles;
    uint64_t          seq;
    aigw_row_t        row;
    aigw_store_t     *s;
    aigw_watermark_t  marks[2] = { { 7, 100 }, { UINT64_MAX, 5 } };

    s = test_fresh(AIGW_STORE_USAGE_WRITE);

    is_int(aigw_store_get_watermark(s, 7, &seq), AIGW_OK, "never drained");
    is_int((int64_t) seq, 0, "is 0");
    row = a_row(BASE, 1);
    is_int(aigw_store_settle(s, &row, 1, marks, 2, &doubles), AIGW_OK, "set");
    ok(aigw_store_get_watermark(s, 7, &seq) == AIGW_OK && seq == 100
       && aigw_store_get_watermark(s, UINT64_MAX, &seq) == AIGW_OK
       && seq == 5, "both");
    marks[0].seq = 99;
    is_int(aigw_store_settle(s, NULL, 0, marks, 2, &doubles), AIGW_OK, "back");
    ok(aigw_store_get_watermark(s, 7, &seq) == AIGW_OK && seq == 100,
       "it never goes back");

    aigw_store_close(s);
}


/* A batch that finds the map full leaves no trace. */
static void
test_full(void)
{
    size_t              done_rows, doubles, i, n;
    uint64_t            seq;
    aigw_err_t          err;
    aigw_row_t          last[1];
    aigw_sums_t         sums;
    aigw_store_t       *s;
    aigw_watermark_t    mark = { 1, 0 };
    aigw_store_maps_t   maps = { 1 << 20, 1 << 20 };

    aigw_store_close(test_fresh(0));

    if (aigw_store_open_maps(test_store, AIGW_STORE_USAGE_WRITE, &maps, &s,
                             fault) != AIGW_OK)
    {
        ok(0, "%s", fault);
        return;
    }

    done_rows = 0;

    do {
        for (i = 0; i < 500; i++) {
            rows[i] = a_row(BASE + (int64_t) (done_rows + i), 1);
        }

        mark.seq = done_rows + 500;
        err = aigw_store_settle(s, rows, 500, &mark, 1, &doubles);
        done_rows += err == AIGW_OK ? 500 : 0;
    } while (err == AIGW_OK && done_rows < 100000);

    is_int(err, AIGW_EFULL, "S09 the map is full");
    ok(done_rows > 0, "after %zu rows", done_rows);
    sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
    is_int(sums.calls, (int64_t) done_rows, "S09 sums as before");
    ok(aigw_store_get_watermark(s, 1, &seq) == AIGW_OK && seq == done_rows,
       "I2 the watermark too");
    is_int(aigw_store_list_rows(s, &any, newest, last, 1, &n), AIGW_OK,
           "rows are read");
    is_int(last[0].time_ms, BASE + (int64_t) done_rows - 1, "the last is");
    aigw_store_close(s);

    s = test_open(AIGW_STORE_USAGE_WRITE);
    is_int(aigw_store_settle(s, rows, 500, &mark, 1, &doubles), AIGW_OK,
           "S09 with a larger map it goes on");
    aigw_store_close(s);
}


/* Killed anywhere: rows, sums and watermark are of one transaction. */
static void
test_kills(void)
{
    int               i, status, torn;
    pid_t             pid;
    size_t            k, doubles;
    uint64_t          seq;
    aigw_sums_t       sums;
    aigw_store_t     *s;
    aigw_watermark_t  mark = { 1, 0 };
    aigw_store_stats_t  stats;

    aigw_store_close(test_fresh(0));
    torn = 0;
    seq = 0;

    for (i = 0; i < 25; i++) {
        pid = fork();

        if (pid == 0) {
            s = test_open(AIGW_STORE_USAGE_WRITE);

            for (mark.seq = seq; ; ) {
                for (k = 0; k < 40; k++) {
                    rows[k] = a_row(BASE + (int64_t) ++mark.seq, 1);
                }

                (void) !aigw_store_settle(s, rows, 40, &mark, 1, &doubles);
            }
        }

        usleep(3000 + (useconds_t) (next_random() % 20000));
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, &status, 0);

        s = test_open(AIGW_STORE_USAGE_WRITE);
        sums = sums_of(s, AIGW_ACCOUNT_KEY, 3);
        torn += aigw_store_get_watermark(s, 1, &seq) != AIGW_OK
                || aigw_store_stats(s, &stats) != AIGW_OK
                || stats.rows != seq || (uint64_t) sums.calls != seq
                || seq % 40 != 0;
        aigw_store_close(s);
    }

    ok(seq > 0, "%u rows were written", (unsigned) seq);
    is_int(torn, 0, "S04 25 kills: rows = sums = watermark");
}


int
main(void)
{
    test_begin();

    test_one();
    test_doubles_in_batch();
    test_unknown_key();
    test_visits();
    test_edges();
    test_watermarks();
    test_full();
    test_kills();

    test_remove(test_dir);

    return done();
}
