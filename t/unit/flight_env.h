/* Calls in flight of account n (key, project and user n), and whether what is
   spent is the sum of its rows: for the tests of what is in flight. */

#ifndef AIGW_FLIGHT_ENV_H
#define AIGW_FLIGHT_ENV_H

#include "live_env.h"


typedef struct {
    int64_t  nano[AIGW_LIVE_LEVELS];
} flight_limits_t;


static const aigw_account_kind_t  flight_kinds[AIGW_LIVE_LEVELS] = {
    AIGW_ACCOUNT_KEY, AIGW_ACCOUNT_PROJECT, AIGW_ACCOUNT_USER
};

/* 2 nano-units a prompt token, 3 a completion token */
static const aigw_price_t  flight_price = {
    .version = 3, .prompt_nano = 2000000, .completion_nano = 3000000,
    .cached_nano = AIGW_PRICE_NONE, .cache_write_nano = AIGW_PRICE_NONE,
    .reasoning_nano = AIGW_PRICE_NONE
};


static inline void
flight_row(aigw_row_t *row, aigw_journal_t *journal, uint64_t n, int64_t hold)
{
    env_row(row, journal, 1);
    row->key_id = row->project_id = row->user_id = n;
    row->tokens = (aigw_tokens_t) { .prompt_tokens = 10 };
    row->flags = AIGW_ROW_STREAM;
    row->price_version = flight_price.version;
    row->hold_nano = hold;
    row->cost_nano = 0;
    strcpy(row->tag, "a/tag");
}


/* Those of a row. */
static inline void
flight_accounts(aigw_live_account_t account[AIGW_LIVE_LEVELS],
    const aigw_row_t *row, const flight_limits_t *limits)
{
    unsigned  i;

    account[0].id = row->key_id;
    account[1].id = row->project_id;
    account[2].id = row->user_id;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        account[i].kind = flight_kinds[i];
        account[i].limit_nano = limits->nano[i];
    }
}


static inline aigw_err_t
flight_begin(aigw_journal_t *journal, const aigw_row_t *row,
    const flight_limits_t *limits, unsigned *flight, unsigned *which)
{
    aigw_live_account_t  account[AIGW_LIVE_LEVELS];

    flight_accounts(account, row, limits);

    return aigw_flight_begin(env_live, journal, account, row, &flight_price,
                             flight, which);
}


static inline void
flight_end(aigw_journal_t *journal, unsigned flight, aigw_row_t *row,
    int64_t cost)
{
    row->cost_nano = cost;
    must(aigw_flight_end(env_live, journal, flight, row), "end", "");
}


static inline int64_t
flight_free(const aigw_row_t *row, const flight_limits_t *limits, int64_t *left,
    unsigned *which)
{
    aigw_live_account_t  account[AIGW_LIVE_LEVELS];

    flight_accounts(account, row, limits);

    return aigw_live_free(env_live, account, left, which);
}


/* Of the three accounts together. */
static inline int64_t
flight_spent(uint64_t n)
{
    return env_spent(AIGW_ACCOUNT_KEY, n) + env_spent(AIGW_ACCOUNT_PROJECT, n)
           + env_spent(AIGW_ACCOUNT_USER, n);
}


static inline int64_t
flight_held(uint64_t n)
{
    int64_t   spent, held, sum = 0;
    unsigned  i;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        aigw_live_read(env_live, flight_kinds[i], n, &spent, &held);
        sum += held;
    }

    return sum;
}


typedef struct {
    uint64_t    rows;
    int64_t     cost;
    aigw_row_t  last;
} flight_look_t;


/* The rows that no pass has drained yet, of account n or of an id. */
static inline flight_look_t
flight_look(uint64_t n, const uint8_t *id)
{
    uint64_t                    seq;
    unsigned                    i;
    aigw_row_t                  row;
    flight_look_t               look = { 0 };
    aigw_journals_t             journals = { 0 };
    const aigw_journal_file_t  *file;

    must(aigw_journal_map_all(env_live_path, env_live->store, &journals),
         "map", "");

    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        file = journals.map[i].file;

        for (seq = file == NULL ? 0 : atomic_load(&file->tail);
             file != NULL && seq < atomic_load(&file->head); )
        {
            must(aigw_journal_read(file, ++seq, &row), "read", "");

            if (id != NULL ? memcmp(row.id, id, AIGW_ROW_ID_LEN) == 0
                           : row.key_id == n)
            {
                look.rows++;
                look.cost += row.cost_nano;
                look.last = row;
            }
        }
    }

    aigw_journal_unmap_all(&journals);

    return look;
}


static inline uint64_t
flight_rows(uint64_t n)
{
    aigw_sums_t  sums = env_sums(AIGW_ACCOUNT_KEY, n);

    return (uint64_t) (sums.calls + sums.refused_calls)
           + flight_look(n, NULL).rows;
}


/* How many rows has this id, not drained yet? */
static inline unsigned
flight_has_row(const uint8_t *id)
{
    return (unsigned) flight_look(0, id).rows;
}


/* The same row. */
static inline aigw_err_t
flight_find(const uint8_t *id, aigw_row_t *row)
{
    flight_look_t  look = flight_look(0, id);

    *row = look.last;

    return look.rows > 0 ? AIGW_OK : AIGW_ENOTFOUND;
}


/* Is what each account has spent the sum of its rows? */
static inline int
flight_agrees(uint64_t n)
{
    int64_t   rows = flight_look(n, NULL).cost;
    unsigned  i, agree = 0;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        agree += env_spent(flight_kinds[i], n)
                 == env_sums(flight_kinds[i], n).cost_nano + rows;
    }

    return agree == AIGW_LIVE_LEVELS;
}


static inline void
flight_agree(uint64_t n, const char *name)
{
    ok(flight_agrees(n), "%s: spent = sum of the rows", name);
}

#endif /* AIGW_FLIGHT_ENV_H */
