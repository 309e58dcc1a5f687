/* Settlement against the slow way: random batches with rows that are there
   already; order, indices, sums and roll-ups (I1, I2). */

#include "store_rows.h"

#include "aigw_verdict.h"


#define BATCHES   60
#define BATCH     150
#define ROWS_MAX  (BATCHES * BATCH)


static aigw_row_t     written[ROWS_MAX];  /* in the order of their seq */
static aigw_row_t     sorted[ROWS_MAX];   /* in the order of their ids */
static size_t         nwritten;
static const uint8_t  newest[AIGW_ROW_ID_LEN];


/* Of few accounts and models; with an id of a few ms ago, which may be that of
   another row. */
static aigw_row_t
random_row(int64_t now_ms)
{
    aigw_row_t  row;

    row = a_row(now_ms - (int64_t) (next_random() % 40),
                (unsigned) (next_random() % 5));
    row.time_ms += (int64_t) (next_random() % 2) * HOUR;
    row.key_id = next_random() % 12;
    row.project_id = row.key_id ? 1 + row.key_id % 3 : 0;
    row.user_id = row.project_id ? 1 + row.project_id % 2 : 0;
    row.attempts = next_random() % 4 != 0;
    row.verdict = next_random() % 5 ? AIGW_VERDICT_OK
                                    : AIGW_VERDICT_UPSTREAM_ERROR;
    row.settled = (uint8_t) (next_random() % AIGW_SETTLED_CREDIT);
    row.cost_nano = (int64_t) (next_random() % 1000);
    row.tokens.prompt_tokens = (int64_t) (next_random() % 100);
    snprintf(row.model, sizeof(row.model), "%c-model%.*s",
             (char) ('a' + next_random() % 6),
             (int) (next_random() % 2) * 9, "-of-a-name");
    snprintf(row.tag, sizeof(row.tag), "%x", (unsigned) next_random());

    return row;
}


static int
by_id(const void *a, const void *b)
{
    const aigw_row_t  *x = a, *y = b;

    return memcmp(x->id, y->id, AIGW_ROW_ID_LEN);
}


/* What a batch must do: of each id the first row ever, the new ones of a batch
   in the order of ids. Returns how many are left out. */
static size_t
expect(const aigw_row_t *batch, size_t n)
{
    size_t  i, k, before = nwritten;

    for (i = 0; i < n; i++) {
        for (k = 0; k < nwritten && by_id(&batch[i], &written[k]); k++) { }

        if (k == nwritten) {
            written[nwritten++] = batch[i];
        }
    }

    qsort(written + before, nwritten - before, sizeof(written[0]), by_id);

    return n - (nwritten - before);
}


static size_t
is_other(const aigw_row_t *a, const aigw_row_t *b)
{
    size_t   len;
    uint8_t  x[AIGW_ROW_PACKED_MAX], y[AIGW_ROW_PACKED_MAX];

    len = aigw_record_pack_row(a, x);

    return aigw_record_pack_row(b, y) != len || memcmp(x, y, len) != 0;
}


/* Rows of a list that are not what they must be; project 0: all. */
static size_t
count_wrong(aigw_store_t *s, uint64_t project)
{
    size_t             i, n = 0, at = 0, wrong = 0;
    aigw_row_filter_t  filter = { .status = -1, .project_id = project };

    static aigw_row_t  list[ROWS_MAX + 1];

    wrong += aigw_store_list_rows(s, &filter, newest, list, ROWS_MAX + 1, &n)
             != AIGW_OK;

    for (i = nwritten; i > 0; i--) {
        if (project == 0 || sorted[i - 1].project_id == project) {
            wrong += at == n || is_other(&sorted[i - 1], &list[at++]);
        }
    }

    return wrong + (n - at);
}


static void
test_rows(aigw_store_t *s)
{
    size_t             n, at, wrong = 0;
    uint64_t           before, seq = 0;
    aigw_row_t         list[100], row;
    aigw_row_filter_t  filter = { .status = -1 };

    at = 0;

    do {
        before = seq;
        n = 0;
        wrong += aigw_store_follow_rows(s, &filter, &seq, list, 100, &n)
                 != AIGW_OK;

        for ( ; n > 0 && at < nwritten; n--, at++) {
            wrong += is_other(&list[at - before], &written[at]);
        }
    } while (seq != before);

    ok(wrong == 0 && at == nwritten && seq == nwritten,
       "rows in the order of batches, then of ids: %zu", nwritten);

    memcpy(sorted, written, sizeof(sorted));
    qsort(sorted, nwritten, sizeof(sorted[0]), by_id);
    is_int((int64_t) count_wrong(s, 0), 0, "the index of ids");
    is_int((int64_t) (count_wrong(s, 1) + count_wrong(s, 2)
                      + count_wrong(s, 3)), 0, "the projects' indices");

    for (at = 0; at < nwritten; at++) {
        wrong += aigw_store_find_row(s, written[at].id, &row) != AIGW_OK
                 || is_other(&row, &written[at]);
    }

    is_int((int64_t) wrong, 0, "each is found by its id");
}


static aigw_err_t
check_account(void *data, aigw_account_kind_t kind, uint64_t id,
    const aigw_sums_t *sums)
{
    size_t             i, *wrong = data;
    uint64_t           of;
    aigw_sums_t        sum = { 0 };
    const aigw_row_t  *row;

    for (i = 0; i < nwritten; i++) {
        row = &written[i];
        of = kind == AIGW_ACCOUNT_USER ? row->user_id
             : kind == AIGW_ACCOUNT_PROJECT ? row->project_id : row->key_id;

        if (of == id) {
            *wrong += aigw_record_add_row(&sum, row) != AIGW_OK;
        }
    }

    *wrong += memcmp(&sum, sums, sizeof(sum)) != 0;
    wrong[1]++;

    return AIGW_OK;
}


static aigw_err_t
check_cell(void *data, const aigw_cell_t *cell)
{
    size_t             i, *wrong = data;
    aigw_sums_t        sum = { 0 };
    const aigw_row_t  *row;

    for (i = 0; i < nwritten; i++) {
        row = &written[i];

        if (row->time_ms - row->time_ms % HOUR == cell->hour_ms
            && row->key_id == cell->key_id && row->user_id == cell->user_id
            && row->project_id == cell->project_id
            && strcmp(row->model, cell->model) == 0)
        {
            *wrong += aigw_record_add_row(&sum, row) != AIGW_OK;
        }
    }

    *wrong += memcmp(&sum, &cell->sums, sizeof(sum)) != 0;
    wrong[1] += (size_t) (cell->sums.calls + cell->sums.refused_calls);

    return AIGW_OK;
}


static void
test_sums(aigw_store_t *s)
{
    size_t             accounts[2] = { 0, 0 }, cells[2] = { 0, 0 };
    aigw_row_filter_t  filter = { .status = -1 };

    is_int(aigw_store_each_sums(s, check_account, accounts), AIGW_OK, "sums");
    is_int((int64_t) accounts[0], 0, "I1 of each account");
    is_int((int64_t) accounts[1], 11 + 3 + 2, "of all accounts");

    is_int(aigw_store_each_cell(s, &filter, check_cell, cells), AIGW_OK,
           "roll-ups");
    is_int((int64_t) cells[0], 0, "I1 of each cell");
    is_int((int64_t) cells[1], (int64_t) nwritten, "all rows are in one");
}


int
main(void)
{
    size_t         i, k, n, doubles, wrong = 0, left_out = 0;
    int64_t        now_ms = BASE;
    aigw_store_t  *s;

    static aigw_row_t  batch[BATCH];

    test_begin();
    s = test_fresh(AIGW_STORE_USAGE_WRITE);

    for (i = 0; i < BATCHES; i++) {
        n = next_random() % (i % 3 ? BATCH : 4);

        for (k = 0; k < n; k++) {
            now_ms += (int64_t) (next_random() % 2);
            batch[k] = random_row(now_ms);
        }

        doubles = SIZE_MAX;
        wrong += settle(s, batch, n, &doubles) != AIGW_OK
                 || doubles != expect(batch, n);
        left_out += doubles;
    }

    is_int((int64_t) wrong, 0, "I2 doubles of each batch");
    ok(left_out > 100 && nwritten > 1000, "%zu of them", left_out);

    test_rows(s);
    test_sums(s);

    aigw_store_close(s);
    test_remove(test_dir);

    return done();
}
