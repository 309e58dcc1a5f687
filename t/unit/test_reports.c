/* Lists and reports against a plain look at all rows (I1, C3). */

#include "store_rows.h"


#define ROWS  3000

static aigw_row_t  rows[ROWS];

static const aigw_row_filter_t  any = { .status = -1 };


/* Rows over five hours, in batches of all sizes, in no order. skew: how far
   ids may be from their rows' times. */
static void
fill(aigw_store_t *s, int64_t skew)
{
    size_t      i, n, doubles, failed;
    int64_t     ms;
    aigw_row_t  row;

    static const char *const  models[] = { "a", "ab", "b", "gpt-4o" };
    static const char *const  tags[] = { "", "x", "xy" };

    for (i = 0; i < ROWS; i++) {
        ms = BASE + (int64_t) (next_random() % (5 * HOUR));

        /* some on the very edge of an hour */
        if (i % 10 == 0) {
            ms = BASE + HOUR * (int64_t) (i % 5) - (i % 20 == 0);
        }

        row = a_row(ms + (skew ? (int64_t) (next_random()
                                            % (uint64_t) skew) : 0),
                    (unsigned) i);
        row.time_ms = ms;
        row.user_id = 1 + next_random() % 2;
        row.project_id = next_random() % 4;
        row.key_id = row.project_id ? row.project_id * 10
                                      + next_random() % 2 : 0;
        row.status = next_random() % 3 ? 200 : 429;
        row.attempts = row.status == 200;
        row.cost_nano = row.status == 200
                        ? (int64_t) (next_random() % 1000) : 0;
        strcpy(row.model, models[next_random() % 4]);
        strcpy(row.tag, tags[next_random() % 3]);
        rows[i] = row;
    }

    failed = 0;

    for (i = 0; i < ROWS; i += n) {
        n = 1 + next_random() % 700;
        n = n < ROWS - i ? n : ROWS - i;
        failed += settle(s, rows + i, n, &doubles) != AIGW_OK || doubles;
    }

    is_int((int64_t) failed, 0, "3,000 rows are settled");
}


static int
compare_newest(const void *a, const void *b)
{
    return memcmp(((const aigw_row_t *) b)->id, ((const aigw_row_t *) a)->id,
                  AIGW_ROW_ID_LEN);
}


static int
matches(const aigw_row_filter_t *f, const aigw_row_t *row)
{
    return (!f->user_id || f->user_id == row->user_id)
           && (!f->project_id || f->project_id == row->project_id)
           && (!f->key_id || f->key_id == row->key_id)
           && (f->status < 0 || f->status == row->status)
           && row->time_ms >= f->since_ms
           && (!f->until_ms || row->time_ms < f->until_ms)
           && (!f->model.len || (strlen(row->model) == f->model.len
               && !memcmp(row->model, f->model.data, f->model.len)))
           && (!f->tag.len || (strlen(row->tag) == f->tag.len
               && !memcmp(row->tag, f->tag.data, f->tag.len)));
}


static aigw_row_filter_t
a_filter(void)
{
    aigw_row_filter_t  f = any;

    static const char *const  models[] = { "a", "b", "gpt-4o", "none" };

    if (next_random() % 3 == 0) {
        f.project_id = next_random() % 5;
    }

    if (next_random() % 5 == 0) {
        f.user_id = 1 + next_random() % 2;
    }

    if (next_random() % 5 == 0) {
        f.key_id = 10 + next_random() % 2;
    }

    if (next_random() % 4 == 0) {
        f.model = str(models[next_random() % 4]);
    }

    if (next_random() % 4 == 0) {
        f.tag = str("x");
    }

    f.by_tag = next_random() % 4 == 0;

    if (next_random() % 2) {
        f.since_ms = BASE + (int64_t) (next_random() % (5 * HOUR)) - HOUR;
    }

    if (next_random() % 2) {
        f.until_ms = BASE + (int64_t) (next_random() % (6 * HOUR)) - HOUR;
    }

    if (next_random() % 3 == 0) {
        f.since_ms -= f.since_ms % HOUR;
        f.until_ms -= f.until_ms % HOUR;
    }

    return f;
}


static int
is_same(const aigw_row_t *a, const aigw_row_t *b)
{
    uint8_t  x[AIGW_ROW_PACKED_MAX], y[AIGW_ROW_PACKED_MAX];
    size_t   len;

    len = aigw_record_pack_row(a, x);

    return aigw_record_pack_row(b, y) == len && memcmp(x, y, len) == 0;
}


/* Pages through a filter and compares with a plain look at all rows. */
static unsigned
wrong_list(aigw_store_t *s, const aigw_row_filter_t *f)
{
    size_t      i, n, max, page;
    uint8_t     before[AIGW_ROW_ID_LEN];
    unsigned    bad;
    aigw_row_t  list[200];

    i = 0;
    bad = 0;
    max = 1 + next_random() % 200;
    memset(before, 0, sizeof(before));

    do {
        if (aigw_store_list_rows(s, f, before, list, max, &n) != AIGW_OK) {
            return 1;
        }

        for (page = 0; page < n; page++) {
            while (i < ROWS && !matches(f, &rows[i])) {
                i++;
            }

            bad += i == ROWS || !is_same(&rows[i], &list[page]);
            i += i < ROWS;
            memcpy(before, list[page].id, sizeof(before));
        }
    } while (n == max);

    for ( ; i < ROWS; i++) {
        bad += matches(f, &rows[i]) != 0;
    }

    return bad;
}


/* Follows all rows and compares with a plain look at them, by the number in
   their ids. */
static unsigned
wrong_follow(aigw_store_t *s, const aigw_row_filter_t *f)
{
    size_t      i, n, number;
    uint64_t    seq, from;
    unsigned    bad;
    aigw_row_t  list[100];

    static unsigned char  seen[ROWS];

    memset(seen, 0, sizeof(seen));
    bad = 0;
    seq = 0;

    do {
        from = seq;

        if (aigw_store_follow_rows(s, f, &seq, list, 100, &n) != AIGW_OK) {
            return 1;
        }

        for (i = 0; i < n; i++) {
            number = list[i].id[14] * 256u + list[i].id[15];
            bad += number >= ROWS || seen[number]++ || !matches(f, &list[i]);
        }

    } while (seq != from);

    for (i = 0; i < ROWS; i++) {
        number = rows[i].id[14] * 256u + rows[i].id[15];
        bad += seen[number] != matches(f, &rows[i]);
    }

    return bad || aigw_store_last_seq(s, &from) != AIGW_OK || from != seq;
}


/* What is settled last comes last, however old its id. */
static void
test_follow(void)
{
    size_t         n, doubles;
    uint64_t       seq, from;
    aigw_row_t     row, list[4];
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);
    is_int(aigw_store_last_seq(s, &seq), AIGW_OK, "an empty ledger");
    is_int((int64_t) seq, 0, "has no last row");
    is_int(aigw_store_follow_rows(s, &any, &seq, list, 4, &n), AIGW_OK,
           "followed");
    ok(n == 0 && seq == 0, "nothing, standing still");

    row = a_row(BASE + 5000, 1);
    is_int(settle(s, &row, 1, &doubles), AIGW_OK, "a call");
    is_int(aigw_store_last_seq(s, &seq), AIGW_OK, "it is the last");
    row = a_row(BASE, 2);
    is_int(settle(s, &row, 1, &doubles), AIGW_OK, "one that began before it");
    from = seq;
    is_int(aigw_store_follow_rows(s, &any, &seq, list, 4, &n), AIGW_OK,
           "followed");
    ok(n == 1 && seq > from && memcmp(list[0].id, row.id, sizeof(row.id)) == 0,
       "comes behind");
    seq = UINT64_MAX;
    is_int(aigw_store_follow_rows(s, &any, &seq, list, 4, &n), AIGW_EINVAL,
           "there is nothing behind the end");

    aigw_store_close(s);
}


static aigw_err_t
add_cell(void *data, const aigw_cell_t *cell)
{
    aigw_sums_t  *sums = data;

    if (cell->hour_ms % HOUR != 0) {
        return AIGW_ECORRUPT;
    }

    return aigw_record_add_sums(sums, &cell->sums);
}


/* Sums for each of the three tags. */
static aigw_err_t
add_tagged(void *data, const aigw_cell_t *cell)
{
    aigw_sums_t  *sums = data;

    return aigw_record_add_sums(&sums[strlen(cell->tag)], &cell->sums);
}


static unsigned
wrong_tags(aigw_store_t *s)
{
    size_t             i;
    aigw_sums_t        sums[3], want[3];
    aigw_row_filter_t  f = any;

    memset(sums, 0, sizeof(sums));
    memset(want, 0, sizeof(want));
    f.by_tag = 1;
    f.since_ms = BASE + HOUR / 2;

    for (i = 0; i < ROWS; i++) {
        if (rows[i].time_ms >= f.since_ms
            && aigw_record_add_row(&want[strlen(rows[i].tag)], &rows[i])
               != AIGW_OK)
        {
            return 1;
        }
    }

    return aigw_store_each_cell(s, &f, add_tagged, sums) != AIGW_OK
           || memcmp(sums, want, sizeof(sums)) != 0;
}


static unsigned
wrong_cells(aigw_store_t *s, const aigw_row_filter_t *f)
{
    size_t       i;
    aigw_sums_t  sums, want;

    memset(&sums, 0, sizeof(sums));
    memset(&want, 0, sizeof(want));

    for (i = 0; i < ROWS; i++) {
        if (matches(f, &rows[i])
            && aigw_record_add_row(&want, &rows[i]) != AIGW_OK)
        {
            return 1;
        }
    }

    return aigw_store_each_cell(s, f, add_cell, &sums) != AIGW_OK
           || memcmp(&sums, &want, sizeof(sums)) != 0;
}


static void
test_reports(int64_t skew)
{
    unsigned           i, lists, cells, follows;
    aigw_sums_t        sums, want;
    aigw_store_t      *s;
    aigw_row_filter_t  f;

    s = test_fresh(AIGW_STORE_USAGE_WRITE);
    fill(s, skew);

    memset(&want, 0, sizeof(want));

    for (i = 0; i < ROWS; i++) {
        if (rows[i].project_id == 2
            && aigw_record_add_row(&want, &rows[i]) != AIGW_OK)
        {
            break;
        }
    }

    sums = sums_of(s, AIGW_ACCOUNT_PROJECT, 2);
    ok(memcmp(&sums, &want, sizeof(sums)) == 0,
       "I1 C3 a project's sums are the sums of its rows");

    qsort(rows, ROWS, sizeof(rows[0]), compare_newest);
    lists = 0;
    cells = 0;
    follows = 0;

    for (i = 0; i < 150; i++) {
        f = a_filter();
        cells += wrong_cells(s, &f);

        if (next_random() % 3 == 0) {
            f.status = next_random() % 2 ? 200 : 429;
        }

        lists += wrong_list(s, &f);
        follows += wrong_follow(s, &f);
    }

    is_int(lists, 0, "150 lists, paged, newest first: each row once");
    is_int(cells, 0, "150 reports, exact in part hours too");

    is_int(follows, 0, "150 times followed: each row once");
    is_int(wrong_tags(s), 0, "a report by tag");

    f = any;
    f.status = 200;
    is_int(aigw_store_each_cell(s, &f, add_cell, &sums), AIGW_EINVAL,
           "cells know no status");

    aigw_store_close(s);
}


int
main(void)
{
    test_begin();

    test_follow();
    test_reports(0);
    test_reports(2 * HOUR);

    test_remove(test_dir);

    return done();
}
