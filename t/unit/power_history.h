/*
 * A random history of a store while its disk is watched: calls that are let in
 * and settled, workers that die, passes of the flusher, an admin's changes.
 * After each commit that returned: what is in the store, and what the accounts
 * must have spent by the history's own books.
 */

#ifndef AIGW_POWER_HISTORY_H
#define AIGW_POWER_HISTORY_H

#include "flight_env.h"
#include "power_disk.h"

#include "aigw_crc.h"
#include "aigw_store_internal.h"
#include "aigw_verdict.h"


#define CONTROL    0                  /* files of the log */
#define USAGE      1
#define COMMITS    600                /* of a file in one history */
#define ACCOUNTS   6                  /* of a kind */
#define PENDING    400                /* rows between two passes */
#define JOURNALS   2
#define OPEN       12                 /* calls in flight in one journal */
#define UNKNOWN    (-1)               /* a cost that recovery finds */
#define TOKEN      (AIGW_UNIT_NANO / 100000)    /* 10 units a million */
#define START_MS   INT64_C(1795000000000)


typedef struct {
    uint64_t    digest;               /* of all tables */
    int64_t     spent[AIGW_LIVE_LEVELS][ACCOUNTS];
} commit_t;

typedef struct {
    aigw_row_t  row;
    unsigned    flight;
    int         used;
    int         sent;
} call_t;


static struct {
    commit_t         commits[DISK_FILES][COMMITS];
    unsigned         n[DISK_FILES];
    int64_t          spent[AIGW_LIVE_LEVELS][ACCOUNTS];
    aigw_row_t       pending[PENDING];
    unsigned         npending;
    aigw_journal_t  *journals[JOURNALS];
    call_t           calls[JOURNALS][OPEN];
    int64_t          now_ms;
    uint64_t         rows;
    unsigned         names;           /* used so far */
    unsigned         wrong;           /* rows that are not what was settled */
} history;

static uint64_t  dice_seed;

static const unsigned  dice_ids[AIGW_LIVE_LEVELS] = { 10, 20, 30 };
static const unsigned  dice_most[AIGW_LIVE_LEVELS] = { ACCOUNTS, 3, 2 };


static unsigned
dice(unsigned n)
{
    dice_seed = disk_mix(dice_seed);

    return (unsigned) (dice_seed >> 33) % n;
}


/* In place of libc's: ids of journals are keys of the store, and the pages that
   a seed leads to shall be the same each time. */
ssize_t
getrandom(void *to, size_t len, unsigned flags)
{
    size_t    i;
    uint8_t  *bytes = to;

    (void) flags;

    for (i = 0; i < len; i++) {
        bytes[i] = (uint8_t) dice(256);
    }

    return (ssize_t) len;
}


/* Of each key and value of each table; err: it cannot be read. */
static uint64_t
digest_of(aigw_db_t *db, unsigned tables, aigw_err_t *err)
{
    int               more;
    uint32_t          crc = 0, n = 0;
    unsigned          table;
    aigw_db_key_t     first = { .len = 0 };
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    aigw_db_read(db, &txn);

    for (table = 0; table < tables; table++) {
        aigw_db_cursor(&cur, &txn, table);

        for (more = aigw_db_seek(&cur, &first); more;
             more = aigw_db_next(&cur))
        {
            crc = aigw_crc32c(crc, &cur.key.len, sizeof(cur.key.len));
            crc = aigw_crc32c(crc, cur.key.data, cur.key.len);
            crc = aigw_crc32c(crc, cur.value.data, cur.value.len);
            n++;
        }

        aigw_db_cursor_close(&cur);
    }

    *err = aigw_db_end(&txn);

    return (uint64_t) n << 32 | crc;
}


static uint64_t
digest_file(aigw_store_t *store, unsigned file, aigw_err_t *err)
{
    return file == CONTROL
           ? digest_of(store->control, AIGW_CONTROL_TABLES, err)
           : digest_of(store->usage, AIGW_USAGE_TABLES, err);
}


/* A commit has returned: from here on it must survive. */
static void
acknowledge(unsigned file)
{
    commit_t    *c;
    aigw_err_t   err;

    must(history.n[file] == COMMITS ? AIGW_EFULL : AIGW_OK, "commits", "");

    c = &history.commits[file][history.n[file]++];
    memcpy(c->spent, history.spent, sizeof(c->spent));
    c->digest = digest_file(env_store, file, &err);
    must(err, "digest", "");

    if (disk_log.on) {
        (void) disk_note(DISK_ACK, file);
    }
}


/* --- calls --- */

static void
expect_row(const aigw_row_t *row, int64_t cost)
{
    history.pending[history.npending] = *row;
    history.pending[history.npending++].cost_nano = cost;
}


/* The row as recovery has settled it. */
static int
is_fair(const aigw_row_t *expected, const aigw_row_t *row)
{
    return expected->cost_nano == UNKNOWN
           ? row->cost_nano >= 0 && row->cost_nano <= expected->hold_nano
             && (expected->attempts || row->cost_nano == 0)
           : row->cost_nano == expected->cost_nano;
}


/* Journals into the store: all that was settled is there, as it was. */
static void
drain(void)
{
    unsigned           i;
    uint64_t           before = aigw_db_version(env_store->usage);
    aigw_row_t         row, *expected;

    env_drain();

    for (i = 0; i < history.npending; i++) {
        expected = &history.pending[i];

        if (aigw_store_find_row(env_store, expected->id, &row) != AIGW_OK
            || !is_fair(expected, &row))
        {
            history.wrong++;
            continue;
        }

        history.spent[0][row.key_id - dice_ids[0]] += row.cost_nano;
        history.spent[1][row.project_id - dice_ids[1]] += row.cost_nano;
        history.spent[2][row.user_id - dice_ids[2]] += row.cost_nano;
        history.rows++;
    }

    history.npending = 0;

    if (aigw_db_version(env_store->usage) != before) {
        acknowledge(USAGE);
    }
}


static void
make_row(aigw_row_t *row, aigw_journal_t *journal)
{
    flight_row(row, journal, 1, 60 * TOKEN);

    history.now_ms += dice(400000);
    row->time_ms = row->settled_ms = history.now_ms;
    aigw_journal_new_id(journal, history.now_ms, row->id);
    row->key_id = dice_ids[0] + dice(dice_most[0]);
    row->project_id = dice_ids[1] + dice(dice_most[1]);
    row->user_id = dice_ids[2] + dice(dice_most[2]);
    row->price_version = 1;
    row->attempts = 0;
    snprintf(row->model, sizeof(row->model), "model-%u", dice(3));
}


static void
start_call(unsigned j, call_t *call)
{
    unsigned             which;
    aigw_live_account_t  account[AIGW_LIVE_LEVELS];

    static const flight_limits_t  limits = {
        { AIGW_UNLIMITED, AIGW_UNLIMITED, AIGW_UNLIMITED }
    };
    static const aigw_price_t  price = {
        .version = 1, .prompt_nano = 10 * AIGW_UNIT_NANO,
        .completion_nano = 10 * AIGW_UNIT_NANO,
        .cached_nano = AIGW_PRICE_NONE, .cache_write_nano = AIGW_PRICE_NONE,
        .reasoning_nano = AIGW_PRICE_NONE
    };

    make_row(&call->row, history.journals[j]);
    flight_accounts(account, &call->row, &limits);
    must(aigw_flight_begin(env_live, history.journals[j], account, &call->row,
                           &price, &call->flight, &which), "begin", "");
    call->used = 1;
    call->sent = 0;
}


static void
go_on(unsigned j, call_t *call)
{
    aigw_row_t  *row = &call->row;

    row->tokens.completion_tokens = dice(50);

    if (!call->sent) {
        aigw_flight_sent(history.journals[j], call->flight);
        call->sent = 1;
        row->attempts = 1;

    } else if (dice(2)) {
        aigw_flight_update(history.journals[j], call->flight, &row->tokens,
                           dice(200));
    } else {
        flight_end(history.journals[j], call->flight, row,
                   (10 + row->tokens.completion_tokens) * TOKEN);
        expect_row(row, row->cost_nano);
        call->used = 0;
    }
}


/* A refusal: costs nothing, has a row. */
static void
refuse(unsigned j)
{
    aigw_row_t  row;

    make_row(&row, history.journals[j]);
    row.hold_nano = 0;
    row.status = 429;
    row.verdict = AIGW_VERDICT_QUOTA_SPENT;
    row.tokens = (aigw_tokens_t) { 0 };
    must(aigw_journal_append(history.journals[j], &row), "append", "");
    expect_row(&row, 0);
}


/* A worker goes and leaves what it has in flight to the next one. */
static void
take_over(unsigned j)
{
    unsigned  i;

    for (i = 0; i < OPEN; i++) {
        if (history.calls[j][i].used) {
            expect_row(&history.calls[j][i].row, UNKNOWN);
            history.calls[j][i].used = 0;
        }
    }

    aigw_journal_release(history.journals[j]);
    history.journals[j] = env_claim();
}


/* --- an admin --- */

static void
name_it(char *name)
{
    snprintf(name, AIGW_NAME_MAX, "thing-%u", history.names++);
}


static aigw_err_t
make_project(void)
{
    aigw_key_t      key = { .enabled = 1, .quota_nano = AIGW_UNLIMITED,
                            .models = "*" };
    aigw_project_t  project = { .enabled = 1, .user_id = 1,
                                .quota_nano = 25 * AIGW_UNIT_NANO,
                                .models = "*" };

    name_it(project.name);
    memcpy(key.hash, &dice_seed, sizeof(dice_seed));
    strcpy(key.prefix, "aigw_Ab12");
    strcpy(key.last4, "wxyz");

    return aigw_store_create_project(env_store, &project, &key);
}


static void
change(void)
{
    uint64_t            before = aigw_db_version(env_store->control);
    aigw_err_t          err;
    aigw_user_t         user = { .enabled = 1, .quota_nano = 5 };
    aigw_model_t        model = { .max_output = 4096 };
    aigw_price_entry_t  entry = { .from_ms = dice(1000) };

    switch (dice(5)) {
    case 0:
        name_it(user.name);
        err = aigw_store_create_user(env_store, &user);
        break;
    case 1:
        name_it(model.name);
        err = aigw_store_set_model(env_store, AIGW_CHANGE_MAX_OUTPUT, &model);
        break;
    case 2:
        name_it(entry.model);
        entry.price.prompt_nano = dice(1000);
        err = aigw_store_set_price(env_store, &entry);
        break;
    case 3:
        err = aigw_store_delete_project(env_store, 1 + dice(20));
        break;
    default:
        err = make_project();
    }

    must(err == AIGW_ENOTFOUND ? AIGW_OK : err, "change", "");

    if (aigw_db_version(env_store->control) != before) {
        acknowledge(CONTROL);
    }
}


/* --- all of it --- */

static void
step(void)
{
    call_t    *call;
    unsigned   j = dice(JOURNALS), what = dice(100);

    if (what < 4 || history.npending > PENDING - JOURNALS * OPEN - 2) {
        drain();

    } else if (what < 5) {
        change();

    } else if (what < 8) {
        refuse(j);

    } else if (what < 9 && dice(4) == 0) {
        take_over(j);

    } else {
        call = &history.calls[j][dice(OPEN)];

        if (call->used) {
            go_on(j, call);
        } else {
            start_call(j, call);
        }
    }
}


static void
watch_file(unsigned file, const char *env)
{
    char  path[120];

    snprintf(path, sizeof(path), "%s/%s/data.mdb", env_store_path, env);
    must(stat(path, &disk_log.file[file]) == 0 ? AIGW_OK : AIGW_EIO, "stat",
         path);
    disk_load(&disk_images[file], path);
    acknowledge(file);
}


/* A fresh store that lives through so many steps; its log and its end stay. */
static void
live_through(uint64_t seed, unsigned steps)
{
    unsigned  j;

    dice_seed = seed;
    memset(&history, 0, sizeof(history));
    history.now_ms = START_MS;
    disk_forget();
    env_start();
    env_reopen(AIGW_STORE_CONTROL_WRITE | AIGW_STORE_USAGE_WRITE);

    for (j = 0; j < JOURNALS; j++) {
        history.journals[j] = env_claim();
    }

    watch_file(CONTROL, "control");
    watch_file(USAGE, "usage");
    disk_log.on = 1;

    while (steps-- > 0) {
        step();
    }

    drain();
    disk_log.on = 0;

    for (j = 0; j < JOURNALS; j++) {
        aigw_journal_release(history.journals[j]);
    }
}

#endif /* AIGW_POWER_HISTORY_H */
