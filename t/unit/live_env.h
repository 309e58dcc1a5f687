/* A store and a live segment in a directory of their own on /dev/shm, and rows
   to put in: for the tests of live segment and ledger. */

#ifndef AIGW_LIVE_ENV_H
#define AIGW_LIVE_ENV_H

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aigw_ledger.h"
#include "aigw_live_internal.h"
#include "aigw_time.h"
#include "flusher.h"
#include "tap.h"


#define ENV_COST  INT64_C(1000003)    /* of row n: n times that */


static char           env_root[64], env_store_path[80], env_live_path[80];
static aigw_store_t  *env_store;
static aigw_live_t   *env_live;


static int
env_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st, (void) flag, (void) ftw;

    return remove(path);
}


/* What no test can go on without. */
static void
must(aigw_err_t err, const char *what, const char *fault)
{
    if (err != AIGW_OK) {
        printf("Bail out! %s: %s (%s)\n", what, aigw_strerror(err), fault);
        nftw(env_root, env_unlink, 16, FTW_DEPTH | FTW_PHYS);
        exit(1);
    }
}


static inline void
env_start(void)
{
    char  fault[AIGW_FAULT_LEN + 1] = "";

    strcpy(env_root, "/dev/shm/aigw-test-XXXXXX");
    must(mkdtemp(env_root) == NULL ? AIGW_EIO : AIGW_OK, "mkdtemp", env_root);
    snprintf(env_store_path, sizeof(env_store_path), "%s/store", env_root);
    snprintf(env_live_path, sizeof(env_live_path), "%s/live", env_root);

    must(aigw_store_init(env_store_path, (gid_t) -1, NULL, fault), "init",
         fault);
    must(aigw_store_open(env_store_path, AIGW_STORE_USAGE_WRITE, &env_store,
                         fault), "store", fault);
    must(aigw_live_prepare(env_live_path, geteuid(), getegid(), fault),
         "prepare", fault);
    must(aigw_live_open(env_live_path, env_store, &env_live, fault), "live",
         fault);
}


static inline void
env_stop(void)
{
    aigw_live_close(env_live);
    aigw_store_close(env_store);
    nftw(env_root, env_unlink, 16, FTW_DEPTH | FTW_PHYS);
}


static inline aigw_journal_t *
env_claim(void)
{
    char             fault[AIGW_FAULT_LEN + 1] = "";
    aigw_journal_t  *journal = NULL;

    must(aigw_journal_claim(env_live, &journal, fault), "claim", fault);

    return journal;
}


/* Row n of project 7, key 70 + n % 10, user 5. */
static inline void
env_row(aigw_row_t *row, aigw_journal_t *journal, uint64_t n)
{
    memset(row, 0, sizeof(*row));
    row->time_ms = aigw_time_now_ms();
    row->settled_ms = row->time_ms;
    aigw_journal_new_id(journal, row->time_ms, row->id);
    row->user_id = 5;
    row->project_id = 7;
    row->key_id = 70 + n % 10;
    row->status = 200;
    row->route = AIGW_ROUTE_CHAT;
    row->settled = AIGW_SETTLED_EXACT;
    row->attempts = 1;
    row->tokens.prompt_tokens = 9;
    row->tokens.completion_tokens = 3;
    row->price_version = 1;
    row->cost_nano = (int64_t) n * ENV_COST;
    strcpy(row->model, "gpt-4o-mini");
}


static inline void
env_charge(const aigw_live_account_t account[AIGW_LIVE_LEVELS], int64_t cost)
{
    unsigned  i;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        must(aigw_live_add(env_live->counters, account[i].kind, account[i].id,
                           cost, 0), "charge", "");
    }
}


/* Appends row n and charges its accounts; AIGW_EFULL if it does not fit. */
static inline aigw_err_t
env_append(aigw_journal_t *journal, uint64_t n)
{
    aigw_err_t           err;
    aigw_row_t           row;
    aigw_live_account_t  account[AIGW_LIVE_LEVELS];

    env_row(&row, journal, n);

    account[0] = (aigw_live_account_t) { AIGW_ACCOUNT_KEY, row.key_id,
                                         AIGW_UNLIMITED };
    account[1] = (aigw_live_account_t) { AIGW_ACCOUNT_PROJECT, row.project_id,
                                         AIGW_UNLIMITED };
    account[2] = (aigw_live_account_t) { AIGW_ACCOUNT_USER, row.user_id,
                                         AIGW_UNLIMITED };

    err = aigw_journal_append(journal, &row);
    if (err == AIGW_OK) {
        env_charge(account, row.cost_nano);
    }

    return err;
}


static inline int64_t
env_spent(aigw_account_kind_t kind, uint64_t id)
{
    int64_t  spent, held;

    aigw_live_read(env_live, kind, id, &spent, &held);

    return spent;
}


static inline aigw_sums_t
env_sums(aigw_account_kind_t kind, uint64_t id)
{
    aigw_sums_t  sums;

    must(aigw_store_get_sums(env_store, kind, id, &sums), "sums", "");

    return sums;
}


/* A file of the live segment as bytes, to look at or to spoil. */
static inline void *
env_map(const char *name, size_t size)
{
    int    fd;
    char   path[160];
    void  *map;

    snprintf(path, sizeof(path), "%s/%s", env_live_path, name);
    fd = open(path, O_RDWR);
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    must(fd == -1 || map == MAP_FAILED ? AIGW_EIO : AIGW_OK, "map", path);

    return map;
}


static inline void
env_remove(const char *name)
{
    char  path[160];

    snprintf(path, sizeof(path), "%s/%s", env_live_path, name);
    must(unlink(path) == 0 ? AIGW_OK : AIGW_EIO, "unlink", path);
}


static inline void
env_sleep_ms(long ms)
{
    struct timespec  ts = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&ts, NULL);
}


static inline double
env_seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static inline aigw_ledger_stats_t
env_drain(void)
{
    aigw_ledger_stats_t  stats;

    must(aigw_ledger_drain(env_store, env_live, &stats), "drain", "");

    return stats;
}


/* All accounts of row 1 to n and the like: live = sums, and rows counted. */
static inline void
env_agree(const char *name)
{
    unsigned  i, keys = 0;

    for (i = 70; i < 80; i++) {
        keys += env_spent(AIGW_ACCOUNT_KEY, i)
                == env_sums(AIGW_ACCOUNT_KEY, i).cost_nano;
    }

    ok(keys == 10 && env_spent(AIGW_ACCOUNT_PROJECT, 7)
                     == env_sums(AIGW_ACCOUNT_PROJECT, 7).cost_nano
       && env_spent(AIGW_ACCOUNT_USER, 5)
          == env_sums(AIGW_ACCOUNT_USER, 5).cost_nano,
       "%s: counters = sums of the store", name);
}


static inline int64_t
env_calls(void)
{
    return env_sums(AIGW_ACCOUNT_PROJECT, 7).calls;
}


static inline uint64_t
env_undrained(void)
{
    aigw_live_stats_t  stats;

    aigw_live_stats(env_live, &stats);

    return stats.undrained;
}


static inline flusher_t
env_flusher(unsigned interval_ms)
{
    return flusher_start(env_store_path, env_live_path, interval_ms);
}


/* Of its last pass. */
static inline int
env_flusher_error(flusher_t f)
{
    return atomic_load(&f.shared->error);
}


static inline void
env_flusher_stop(flusher_t f)
{
    must(flusher_stop(f) ? AIGW_EIO : AIGW_OK, "the flusher's end", "");
}


static inline void
env_reopen(unsigned flags)
{
    char  fault[AIGW_FAULT_LEN + 1] = "";

    aigw_store_close(env_store);
    env_store = NULL;
    must(aigw_store_open(env_store_path, flags, &env_store, fault), "open",
         fault);
}

#endif /* AIGW_LIVE_ENV_H */
