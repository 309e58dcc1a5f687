/*
 * Writing usage: what a batch of rows adds to accounts and roll-ups, added up
 * in memory first, one read and one write for each. Part of a settlement:
 * begins and ends no transaction.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_store_internal.h"


#define ACCOUNTS  3                   /* above each call */
#define MIX       UINT64_C(0x9e3779b97f4a7c15)


/* Rows that share a roll-up cell, and so all their accounts. */
typedef struct {
    const aigw_row_view_t  *row;      /* one of them */
    uint64_t                hour;
    aigw_sums_t             sums;
} cell_t;


/* A table of cells by hash: open addressing, at most half full. Whoever makes
   hashes collide gets a walk over the batch, no more. */
typedef struct {
    cell_t    *cells;
    size_t     n;
    uint32_t  *slots;                 /* index + 1; 0: free */
    unsigned   bits;
} cells_t;


static uint64_t
hour_of(const aigw_row_view_t *row)
{
    int64_t  hour;

    hour = row->time_ms / AIGW_STORE_HOUR_MS;

    return hour < 0 ? 0 : hour > UINT32_MAX ? UINT32_MAX : (uint64_t) hour;
}


static size_t
hash_of(const aigw_row_view_t *row, unsigned bits)
{
    size_t       left = row->model.len;
    uint64_t     hash, word;
    const char  *p = row->model.data;

    hash = (row->key_id ^ row->partition) * MIX;
    hash = (hash ^ row->project_id) * MIX;
    hash = (hash ^ row->user_id) * MIX;
    hash = (hash ^ hour_of(row)) * MIX;

    for ( /* void */ ; left >= sizeof(word); left -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = (hash ^ word) * MIX;
        hash ^= hash >> 32;
        p += sizeof(word);
    }

    word = left;
    memcpy((char *) &word + 1, p, left);
    hash = (hash ^ word) * MIX;

    return (size_t) (hash >> (64 - bits));
}


static inline int
is_of(const cell_t *cell, const aigw_row_view_t *y)
{
    const aigw_row_view_t  *x = cell->row;

    return x->key_id == y->key_id && x->project_id == y->project_id
           && x->user_id == y->user_id && x->partition == y->partition
           && cell->hour == hour_of(y) && x->model.len == y->model.len
           && memcmp(x->model.data, y->model.data, x->model.len) == 0;
}


/* last: what was found for the row before, or NULL. Rows come by project, so
   that it often is this one's, too. */
static cell_t *
find_cell(cells_t *t, const aigw_row_view_t *row, cell_t *last)
{
    size_t  at, mask;

    if (last != NULL && is_of(last, row)) {
        return last;
    }

    mask = ((size_t) 1 << t->bits) - 1;

    for (at = hash_of(row, t->bits); t->slots[at] != 0; at = (at + 1) & mask) {
        if (is_of(&t->cells[t->slots[at] - 1], row)) {
            return &t->cells[t->slots[at] - 1];
        }
    }

    t->cells[t->n] = (cell_t) { .row = row, .hour = hour_of(row) };
    t->slots[at] = (uint32_t) ++t->n;

    return &t->cells[t->n - 1];
}


/* Adds sums to what the table has under key. Sums that overflow stay at their
   bound: an error would stop settlement for ever. */
static void
add_sums(aigw_db_cursor_t *cur, const aigw_db_key_t *key,
    const aigw_sums_t *sums)
{
    uint8_t      buf[AIGW_RECORD_MAX];
    aigw_sums_t  total = { 0 };

    if (aigw_db_seek(cur, key) && cur->key.len == key->len
        && aigw_db_in(cur, key))
    {
        aigw_db_fail(cur->txn, aigw_record_unpack_sums(cur->value.data,
                                                       cur->value.len,
                                                       &total));
    }

    (void) aigw_record_add_saturated(&total, sums);

    aigw_db_cursor_put(cur, key, buf, aigw_record_pack_sums(&total, buf), 0);
}


void
aigw_store_key_rollup(aigw_db_key_t *at, const aigw_row_view_t *row)
{
    aigw_db_key(at);
    aigw_db_key_int(at, hour_of(row), 4);
    aigw_db_key_int(at, row->project_id, 8);
    aigw_db_key_int(at, row->key_id, 8);
    aigw_db_key_int(at, row->user_id, 8);
    aigw_db_key_bytes(at, row->model.data, row->model.len);
}


/* Sorted but for model and user, which have no numbers small enough. */
static void
write_rollups(aigw_db_txn_t *txn, unsigned table, const cells_t *t,
    aigw_store_item_t *items, aigw_store_item_t *spare)
{
    size_t                  i;
    const cell_t           *cell;
    aigw_db_key_t           at;
    aigw_db_cursor_t        cur;
    const aigw_row_view_t  *row;

    for (i = 0; i < t->n; i++) {
        row = t->cells[i].row;
        items[i] = (aigw_store_item_t) { hour_of(row) << 32
                                         | (uint32_t) row->project_id,
                                         row->key_id, &t->cells[i] };
    }

    aigw_store_sort(items, t->n, spare);
    aigw_db_cursor(&cur, txn, table);

    for (i = 0; i < t->n; i++) {
        cell = items[i].what;
        aigw_store_key_rollup(&at, cell->row);
        add_sums(&cur, &at, &cell->sums);
    }

    aigw_db_cursor_close(&cur);
}


/* Of id 0, an unknown key's, no sums are kept. */
static size_t
add_account(aigw_store_item_t *item, const cell_t *cell,
    aigw_account_kind_t kind, uint64_t id)
{
    item->high = (uint64_t) cell->row->partition << 8 | kind;
    item->low = id;
    item->what = &cell->sums;

    return id != 0;
}


static size_t
list_accounts(const cells_t *t, aigw_store_item_t *items)
{
    size_t                  i, n;
    const cell_t           *cell;
    const aigw_row_view_t  *row;

    n = 0;

    for (i = 0; i < t->n; i++) {
        cell = &t->cells[i];
        row = cell->row;
        n += add_account(&items[n], cell, AIGW_ACCOUNT_USER, row->user_id);
        n += add_account(&items[n], cell, AIGW_ACCOUNT_PROJECT,
                         row->project_id);
        n += add_account(&items[n], cell, AIGW_ACCOUNT_KEY, row->key_id);
    }

    return n;
}


/* One read and one write for all cells that share an account. */
static void
write_accounts(aigw_db_txn_t *txn, const cells_t *t, aigw_store_item_t *items,
    aigw_store_item_t *spare)
{
    size_t            i, n;
    aigw_sums_t       sums;
    aigw_db_key_t     at;
    aigw_db_cursor_t  cur;

    n = list_accounts(t, items);
    aigw_store_sort(items, n, spare);
    aigw_db_cursor(&cur, txn, AIGW_USAGE_SUMS);
    memset(&sums, 0, sizeof(sums));

    for (i = 0; i < n; i++) {
        (void) aigw_record_add_saturated(&sums, items[i].what);

        if (i + 1 < n && items[i].high == items[i + 1].high
            && items[i].low == items[i + 1].low)
        {
            continue;
        }

        aigw_db_key(&at);
        aigw_db_key_int(&at, items[i].high, 3);
        aigw_db_key_int(&at, items[i].low, 8);
        add_sums(&cur, &at, &sums);

        memset(&sums, 0, sizeof(sums));
    }

    aigw_db_cursor_close(&cur);
}


/* How many rows share a cell is not known before: room for each to have one,
   which costs nothing while it is not written to. */
static void
add_rows(aigw_db_txn_t *txn, unsigned table, const aigw_store_item_t *rows,
    size_t n)
{
    size_t                  i, max;
    cell_t                 *cell = NULL;
    cells_t                 t = { .bits = 4 };
    aigw_store_item_t      *items = NULL, *spare;
    const aigw_row_view_t  *row;

    while (((size_t) 1 << t.bits) < 2 * n) {
        t.bits++;
    }

    t.slots = calloc((size_t) 1 << t.bits, sizeof(t.slots[0]));
    t.cells = malloc((n + 1) * sizeof(t.cells[0]));

    if (t.slots == NULL || t.cells == NULL) {
        aigw_db_fail(txn, AIGW_ENOMEM);
        goto err0;
    }

    for (i = 0; i < n; i++) {
        row = rows[i].what;
        cell = find_cell(&t, row, cell);
        (void) aigw_record_add_saturated(&cell->sums, &row->sums);
    }

    max = t.n * ACCOUNTS;
    items = malloc((max + max / 2 + 1) * sizeof(items[0]));

    if (items == NULL) {
        aigw_db_fail(txn, AIGW_ENOMEM);
        goto err0;
    }

    spare = items + max;
    write_rollups(txn, table, &t, items, spare);

    if (table == AIGW_USAGE_ROLLUPS) {
        write_accounts(txn, &t, items, spare);
    }

err0:

    free(items);
    free(t.cells);
    free(t.slots);
}


void
aigw_store_add_rows(aigw_db_txn_t *txn, const aigw_store_item_t *rows,
    size_t n)
{
    add_rows(txn, AIGW_USAGE_ROLLUPS, rows, n);
}


void
aigw_store_add_closings(aigw_db_txn_t *txn, const aigw_store_item_t *rows,
    size_t n)
{
    add_rows(txn, AIGW_USAGE_CLOSINGS, rows, n);
}
