/*
 * Writing usage: what a batch of rows adds to accounts and roll-ups, added up
 * in memory first, one read and one write for each. Part of a settlement:
 * begins and ends no transaction.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>

#include "aigw_store_internal.h"


/* Rows that share a roll-up cell, and so all their accounts. */
typedef struct {
    const aigw_row_t  *row;           /* one of them */
    aigw_sums_t        sums;
} group_t;


static int
compare_int(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}


static int64_t
hour_of(const aigw_row_t *row)
{
    int64_t  hour;

    hour = row->time_ms / AIGW_STORE_HOUR_MS;

    return hour < 0 ? 0 : hour > UINT32_MAX ? UINT32_MAX : hour;
}


static int
compare_cells(const aigw_row_t *x, const aigw_row_t *y)
{
    int  order;

    if ((order = compare_int((uint64_t) hour_of(x), (uint64_t) hour_of(y)))
        || (order = compare_int(x->project_id, y->project_id))
        || (order = compare_int(x->key_id, y->key_id))
        || (order = compare_int(x->user_id, y->user_id))
        || (order = compare_int(x->partition, y->partition)))
    {
        return order;
    }

    return strncmp(x->model, y->model, AIGW_MODEL_MAX);
}


static int
by_cell(const void *a, const void *b)
{
    const aigw_row_t *const  *x = a, *const  *y = b;

    return compare_cells(*x, *y);
}


/* Sums that overflow stay at their bound: an error would stop settlement for
   ever. */
static size_t
make_groups(const aigw_row_t **rows, size_t n, group_t *groups)
{
    size_t       i, ngroups;
    aigw_sums_t  one;

    qsort(rows, n, sizeof(rows[0]), by_cell);
    ngroups = 0;

    for (i = 0; i < n; i++) {
        if (i == 0 || compare_cells(rows[i - 1], rows[i]) != 0) {
            groups[ngroups++].row = rows[i];
        }

        aigw_record_row_sums(rows[i], &one);
        (void) aigw_record_add_saturated(&groups[ngroups - 1].sums, &one);
    }

    return ngroups;
}


/* Adds sums to what the table has under key. */
static void
add_sums(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    const aigw_sums_t *sums)
{
    uint8_t      buf[AIGW_RECORD_MAX];
    aigw_sums_t  total;

    if (!aigw_store_load(txn, table, key, aigw_store_unpack_sums, &total)) {
        memset(&total, 0, sizeof(total));
    }

    (void) aigw_record_add_saturated(&total, sums);

    aigw_db_put(txn, table, key, buf, aigw_record_pack_sums(&total, buf));
}


static void
write_rollups(aigw_db_txn_t *txn, const group_t *groups, size_t n)
{
    size_t             i;
    aigw_db_key_t      at;
    const aigw_row_t  *row;

    for (i = 0; i < n; i++) {
        row = groups[i].row;

        aigw_db_key(&at);
        aigw_db_key_int(&at, (uint64_t) hour_of(row), 4);
        aigw_db_key_int(&at, row->project_id, 8);
        aigw_db_key_int(&at, row->key_id, 8);
        aigw_db_key_int(&at, row->user_id, 8);
        aigw_db_key_bytes(&at, row->model,
                          aigw_store_text(row->model, AIGW_MODEL_MAX).len);

        add_sums(txn, AIGW_USAGE_ROLLUPS, &at, &groups[i].sums);
    }
}


static uint64_t
account_of(const aigw_row_t *row, aigw_account_kind_t kind)
{
    switch (kind) {
    case AIGW_ACCOUNT_USER:     return row->user_id;
    case AIGW_ACCOUNT_PROJECT:  return row->project_id;
    case AIGW_ACCOUNT_KEY:      return row->key_id;
    }

    return 0;
}


static int
by_account(const void *a, const void *b, void *data)
{
    int                         order;
    const group_t              *x = a, *y = b;
    const aigw_account_kind_t  *kind = data;

    order = compare_int(x->row->partition, y->row->partition);

    return order ? order : compare_int(account_of(x->row, *kind),
                                       account_of(y->row, *kind));
}


/* One read and one write for all groups that share an account. */
static void
write_accounts(aigw_db_txn_t *txn, group_t *groups, size_t n,
    aigw_account_kind_t kind)
{
    size_t         i;
    uint64_t       id;
    aigw_sums_t    sums;
    aigw_db_key_t  at;

    qsort_r(groups, n, sizeof(groups[0]), by_account, &kind);
    memset(&sums, 0, sizeof(sums));

    for (i = 0; i < n; i++) {
        (void) aigw_record_add_saturated(&sums, &groups[i].sums);

        if (i + 1 < n
            && by_account(&groups[i], &groups[i + 1], &kind) == 0)
        {
            continue;
        }

        id = account_of(groups[i].row, kind);

        if (id != 0) {
            aigw_db_key(&at);
            aigw_db_key_int(&at, groups[i].row->partition, 2);
            aigw_db_key_int(&at, kind, 1);
            aigw_db_key_int(&at, id, 8);
            add_sums(txn, AIGW_USAGE_SUMS, &at, &sums);
        }

        memset(&sums, 0, sizeof(sums));
    }
}


void
aigw_store_add_rows(aigw_db_txn_t *txn, const aigw_row_t **rows, size_t n)
{
    size_t    ngroups;
    group_t  *groups;

    groups = calloc(n + 1, sizeof(groups[0]));

    if (groups == NULL) {
        aigw_db_fail(txn, AIGW_ENOMEM);
        return;
    }

    ngroups = make_groups(rows, n, groups);
    write_rollups(txn, groups, ngroups);
    write_accounts(txn, groups, ngroups, AIGW_ACCOUNT_USER);
    write_accounts(txn, groups, ngroups, AIGW_ACCOUNT_PROJECT);
    write_accounts(txn, groups, ngroups, AIGW_ACCOUNT_KEY);

    free(groups);
}
