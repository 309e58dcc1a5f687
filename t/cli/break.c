/*
 * Makes a ledger as workers and flushers do, and breaks it in one place, for
 * the tests of `store verify`. break STORE fill N | write MS | WHAT [N [BIT]];
 * N is a row's number, that of an entry (sum, rollup), or a user's (hold,
 * spent).
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aigw_ledger.h"
#include "aigw_live_internal.h"
#include "aigw_store_internal.h"
#include "aigw_time.h"
#include "../unit/flusher.h"


#define BATCH    1000
#define PRICE    10000                /* nano-units a token: a new store's */
#define BEGIN    INT64_C(1790000000000)
#define STEP_MS  37                   /* from one row to the next */


static char          fault[AIGW_FAULT_LEN + 1];
static aigw_store_t  *store;
static aigw_live_t   *live;


static void
must(aigw_err_t err, const char *what)
{
    if (err != AIGW_OK) {
        fprintf(stderr, "break: %s: %s %s\n", what, aigw_strerror(err), fault);
        exit(1);
    }
}


/* User 1 and 2, projects 1 to 10 of them, key 1 to 30 of those. */
static void
make_row(aigw_row_t *row, uint64_t n, int64_t time_ms)
{
    memset(row, 0, sizeof(*row));
    row->time_ms = time_ms;
    row->settled_ms = time_ms + 250 + (int64_t) (n % 977);
    row->key_id = n % 30 + 1;
    row->project_id = row->key_id % 10 + 1;
    row->user_id = row->project_id % 2 + 1;
    row->status = 200;
    row->route = AIGW_ROUTE_CHAT;
    row->settled = n % 50 == 0 ? AIGW_SETTLED_ESTIMATED : AIGW_SETTLED_EXACT;
    row->attempts = 1;
    row->tokens.prompt_tokens = (int64_t) (n % 1000);
    row->tokens.completion_tokens = (int64_t) (n % 77);
    row->price_version = 1;
    row->cost_nano = PRICE * (row->tokens.prompt_tokens
                              + row->tokens.completion_tokens);
    row->hold_nano = row->cost_nano;
    snprintf(row->model, sizeof(row->model), "model-%u", (unsigned) (n % 7));
    snprintf(row->tag, sizeof(row->tag), "scene-%u", (unsigned) (n % 3));
}


static void
make_id(aigw_row_t *row, uint64_t n)
{
    size_t  i;

    for (i = 0; i < 6; i++) {
        row->id[i] = (uint8_t) (row->time_ms >> (40 - 8 * i));
        row->id[10 + i] = (uint8_t) (n >> (40 - 8 * i));
    }
}


/* As several workers' rows come: not quite in the order of their ids. */
static void
fill(uint64_t n)
{
    size_t       i, doubles;
    uint64_t     done, at;
    aigw_row_t  *rows = calloc(BATCH, sizeof(rows[0]));

    for (done = 0; done < n; done += BATCH) {
        for (i = 0; i < BATCH; i++) {
            at = done + i * 7 % BATCH;
            make_row(&rows[i], at, BEGIN + (int64_t) at * STEP_MS);
            make_id(&rows[i], at);
        }

        must(aigw_store_settle(store, rows, BATCH, NULL, 0, &doubles),
             "settle");
    }

    free(rows);
}


static void
open_live(void)
{
    char  path[AIGW_LIVE_PATH_LEN + 1];

    aigw_live_locate(aigw_store_id(store), path);
    must(aigw_live_prepare(path, geteuid(), getegid(), fault), "prepare");
    must(aigw_live_open(path, store, &live, fault), "open live");
}


/* One call from its admission to its settlement. */
static void
call(aigw_journal_t *journal, uint64_t n)
{
    unsigned             flight, which;
    aigw_row_t           row;
    aigw_price_t         price = {
        .version = 1,
        .prompt_nano = PRICE * INT64_C(1000000),
        .completion_nano = PRICE * INT64_C(1000000),
        .cached_nano = AIGW_PRICE_NONE,
        .cache_write_nano = AIGW_PRICE_NONE,
        .reasoning_nano = AIGW_PRICE_NONE
    };
    aigw_live_account_t  account[AIGW_LIVE_LEVELS];

    make_row(&row, n, aigw_time_now_ms());
    aigw_journal_new_id(journal, row.time_ms, row.id);
    account[0] = (aigw_live_account_t)
        { AIGW_ACCOUNT_KEY, row.key_id, AIGW_UNLIMITED };
    account[1] = (aigw_live_account_t)
        { AIGW_ACCOUNT_PROJECT, row.project_id, AIGW_UNLIMITED };
    account[2] = (aigw_live_account_t)
        { AIGW_ACCOUNT_USER, row.user_id, AIGW_UNLIMITED };

    must(aigw_flight_begin(live, journal, account, &row, &price, &flight,
                           &which), "begin");
    aigw_flight_sent(journal, flight);
    usleep(300);
    must(aigw_flight_end(live, journal, flight, &row), "end");
}


/* A worker with its flusher. */
static void
write_for(const char *store_path, int64_t ms)
{
    int64_t          end = aigw_time_now_ms() + ms;
    uint64_t         n;
    aigw_journal_t  *journal;
    flusher_t        flusher;

    open_live();
    must(aigw_journal_claim(live, &journal, fault), "claim");
    flusher = flusher_start(store_path, live->path, 20);

    for (n = 0; aigw_time_now_ms() < end; n++) {
        call(journal, n);
    }

    must(flusher_stop(flusher) ? AIGW_EIO : AIGW_OK, "flusher");
    aigw_journal_release(journal);
    aigw_live_close(live);
}


/* --- one place --- */

static aigw_db_txn_t  txn;
static uint64_t       bit;


static void
row_key(aigw_db_key_t *key, uint64_t seq)
{
    aigw_db_key(key);
    aigw_db_key_int(key, 0, 2);
    aigw_db_key_int(key, seq, 8);
}


static size_t
get_row(uint64_t seq, uint8_t *packed)
{
    aigw_db_key_t    key;
    aigw_db_value_t  value;

    row_key(&key, seq);

    if (!aigw_db_get(&txn, AIGW_USAGE_ROWS, &key, &value)) {
        must(AIGW_ENOTFOUND, "the row");
    }

    memcpy(packed, value.data, value.len);

    return value.len;
}


static void
put_row(uint64_t seq, const uint8_t *packed, size_t len)
{
    aigw_db_key_t  key;

    row_key(&key, seq);
    aigw_db_put(&txn, AIGW_USAGE_ROWS, &key, packed, len);
}


static void
flip(uint64_t seq)
{
    size_t   len;
    uint8_t  packed[AIGW_ROW_PACKED_MAX];

    len = get_row(seq, packed);
    packed[bit / 8 % len] ^= (uint8_t) (1 << bit % 8);
    put_row(seq, packed, len);
}


static void
delete(uint64_t seq)
{
    aigw_db_key_t  key;

    row_key(&key, seq);
    (void) aigw_db_delete(&txn, AIGW_USAGE_ROWS, &key);
}


static void
twice(uint64_t seq)
{
    size_t    len;
    uint8_t   packed[AIGW_ROW_PACKED_MAX];
    uint64_t  last = aigw_store_get_meta(&txn, AIGW_META_ROW_SEQ) + 1;

    len = get_row(seq, packed);
    put_row(last, packed, len);
    aigw_store_put_meta(&txn, AIGW_META_ROW_SEQ, last);
}


/* The row's entry in one of the indices, by which its number is found. */
static size_t
get_entry(unsigned table, uint64_t seq, aigw_db_key_t *key, uint8_t *named)
{
    size_t           len;
    uint8_t          packed[AIGW_ROW_PACKED_MAX];
    aigw_row_view_t  row;
    aigw_db_value_t  value;

    len = get_row(seq, packed);
    must(aigw_record_view_row(packed, len, &row), "view");
    aigw_db_key(key);

    if (table == AIGW_USAGE_PROJECT_ROWS) {
        aigw_db_key_int(key, row.project_id, 8);
    }

    aigw_db_key_bytes(key, row.id, AIGW_ROW_ID_LEN);

    if (!aigw_db_get(&txn, table, key, &value)) {
        must(AIGW_ENOTFOUND, "the entry");
    }

    memcpy(named, value.data, value.len);

    return value.len;
}


static void
unindex(unsigned table, uint64_t seq)
{
    uint8_t        named[AIGW_ROW_PACKED_MAX];
    aigw_db_key_t  key;

    (void) get_entry(table, seq, &key, named);
    (void) aigw_db_delete(&txn, table, &key);
}


/* The entry of another id that names the row. */
static void
stray(unsigned table, uint64_t seq)
{
    size_t         len;
    uint8_t        named[AIGW_ROW_PACKED_MAX];
    aigw_db_key_t  key;

    len = get_entry(table, seq, &key, named);
    key.bytes[key.len - 1] ^= 0xa5;
    key.bytes[key.len - 9] ^= 0x5a;
    aigw_db_put(&txn, table, &key, named, len);
}


/* An entry as it was before rows had checksums. */
static void
unsign(uint64_t seq)
{
    uint8_t        named[AIGW_ROW_PACKED_MAX];
    aigw_db_key_t  key;

    (void) get_entry(AIGW_USAGE_ROW_IDS, seq, &key, named);
    aigw_db_put(&txn, AIGW_USAGE_ROW_IDS, &key, named, AIGW_STORE_ROW_KEY);
}


/* One nano-unit more in entry n of a table of sums. */
static void
add_one(unsigned table, uint64_t n)
{
    uint8_t           buf[AIGW_RECORD_MAX];
    aigw_sums_t       sums;
    aigw_db_key_t     key;
    aigw_db_cursor_t  cur;

    aigw_db_key(&key);
    aigw_db_cursor(&cur, &txn, table);

    if (!aigw_db_seek(&cur, &key)) {
        must(AIGW_ENOTFOUND, "the sums");
    }

    while (n-- > 0 && aigw_db_next(&cur)) {
        /* void */
    }

    must(aigw_record_unpack_sums(cur.value.data, cur.value.len, &sums),
         "unpack");
    aigw_db_key_bytes(&key, cur.key.data, cur.key.len);
    aigw_db_cursor_close(&cur);
    sums.cost_nano++;
    aigw_db_put(&txn, table, &key, buf, aigw_record_pack_sums(&sums, buf));
}


/* A run of pruned rows loses its first number; one row is pruned no more. */
static void
shorten_run(uint64_t seq)
{
    uint64_t       last;
    aigw_db_key_t  key;

    aigw_store_key_int(&key, 1);
    last = aigw_store_get_int(&txn, AIGW_USAGE_PRUNED, &key);
    must(last > seq ? AIGW_OK : AIGW_ENOTFOUND, "the run");
    aigw_store_put_int(&txn, AIGW_USAGE_PRUNED, &key, seq - 1);
    aigw_store_key_int(&key, seq + 1);
    aigw_store_put_int(&txn, AIGW_USAGE_PRUNED, &key, last);
}


/* The last row under the number of one that was pruned. */
static void
revive(uint64_t seq)
{
    size_t   len;
    uint8_t  packed[AIGW_ROW_PACKED_MAX];

    len = get_row(aigw_store_get_meta(&txn, AIGW_META_ROW_SEQ), packed);
    put_row(seq, packed, len);
}


/* --- the live segment: nobody else is at work --- */

static aigw_journal_file_t *
journal_file(void)
{
    static aigw_journals_t  journals;

    must(aigw_journal_map_all(live->path, live->store, &journals), "journals");

    return journals.map[0].file;
}


/* 1: it was for the live segment. */
static int
break_live(const char *what, uint64_t n)
{
    aigw_journal_t       *journal;
    aigw_journal_file_t  *file;
    aigw_db_key_t         key;

    if (strcmp(what, "hold") == 0) {
        open_live();
        must(aigw_live_add(live->counters, AIGW_ACCOUNT_USER, n, 0, 5), "add");

    } else if (strcmp(what, "spent") == 0) {
        open_live();
        must(aigw_live_add(live->counters, AIGW_ACCOUNT_USER, n, 7, 0), "add");

    } else if (strcmp(what, "mark") == 0) {
        open_live();
        file = journal_file();
        aigw_db_write(store->usage, &txn);
        aigw_store_key_int(&key, file->id);
        aigw_store_put_int(&txn, AIGW_USAGE_MARKS, &key, file->head + n);
        must(aigw_db_end(&txn), "end");

    } else if (strcmp(what, "record") == 0) {
        open_live();
        must(aigw_journal_claim(live, &journal, fault), "claim");
        call(journal, n);
        file = journal_file();
        file->ring[file->head % AIGW_JOURNAL_RECORDS].row[30] ^= 1;
        aigw_journal_release(journal);

    } else {
        return 0;
    }

    aigw_live_close(live);

    return 1;
}


static void
break_store(const char *what, uint64_t n)
{
    aigw_db_write(store->usage, &txn);

    if (strcmp(what, "flip") == 0) {
        flip(n);
    } else if (strcmp(what, "delete") == 0) {
        delete(n);
    } else if (strcmp(what, "double") == 0) {
        twice(n);
    } else if (strcmp(what, "unindex") == 0) {
        unindex(AIGW_USAGE_ROW_IDS, n);
    } else if (strcmp(what, "unproject") == 0) {
        unindex(AIGW_USAGE_PROJECT_ROWS, n);
    } else if (strcmp(what, "unsign") == 0) {
        unsign(n);
    } else if (strcmp(what, "stray") == 0) {
        stray(AIGW_USAGE_ROW_IDS, n);
    } else if (strcmp(what, "straypro") == 0) {
        stray(AIGW_USAGE_PROJECT_ROWS, n);
    } else if (strcmp(what, "sum") == 0) {
        add_one(AIGW_USAGE_SUMS, n);
    } else if (strcmp(what, "rollup") == 0) {
        add_one(AIGW_USAGE_ROLLUPS, n);
    } else if (strcmp(what, "closing") == 0) {
        add_one(AIGW_USAGE_CLOSINGS, n);
    } else if (strcmp(what, "run") == 0) {
        shorten_run(n);
    } else if (strcmp(what, "revive") == 0) {
        revive(n);
    } else {
        must(AIGW_EINVAL, what);
    }

    must(aigw_db_end(&txn), "end");
}


int
main(int argc, char **argv)
{
    uint64_t     n = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    const char  *what = argc > 2 ? argv[2] : "";

    bit = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;

    must(aigw_store_open(argc > 1 ? argv[1] : "", AIGW_STORE_USAGE_WRITE,
                         &store, fault), "open store");

    if (strcmp(what, "fill") == 0) {
        fill(n);

    } else if (strcmp(what, "write") == 0) {
        write_for(argv[1], (int64_t) n);

    } else if (!break_live(what, n)) {
        break_store(what, n);
    }

    aigw_store_close(store);

    return 0;
}
