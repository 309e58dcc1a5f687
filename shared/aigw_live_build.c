/*
 * Building the counters after a boot, a loss or a change of layout: the sums
 * of the store plus what the journals hold beyond its watermarks, and what is
 * in flight. Must leave the store as it is, and show nobody a half-built file.
 */

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "aigw_time.h"
#include "aigw_live_internal.h"


#define AIGW_LIVE_BUILD_NAME     "counters.new"
#define AIGW_LIVE_LEADER_WAIT_MS 5000
#define AIGW_LIVE_POST_WAIT_MS   5000


static aigw_err_t
aigw_live_build_sum(void *data, aigw_account_kind_t kind, uint64_t id,
    const aigw_sums_t *sums)
{
    return aigw_live_add(data, kind, id, sums->cost_nano, 0);
}


static aigw_err_t
aigw_live_build_row(aigw_live_counters_t *counters, const aigw_row_t *row)
{
    aigw_err_t  err;

    if (row->cost_nano == 0) {
        return AIGW_OK;
    }

    /* a credit has no key */
    err = row->key_id == 0 ? AIGW_OK
          : aigw_live_add(counters, AIGW_ACCOUNT_KEY, row->key_id,
                          row->cost_nano, 0);
    if (err == AIGW_OK) {
        err = aigw_live_add(counters, AIGW_ACCOUNT_PROJECT, row->project_id,
                            row->cost_nano, 0);
    }

    if (err == AIGW_OK) {
        err = aigw_live_add(counters, AIGW_ACCOUNT_USER, row->user_id,
                            row->cost_nano, 0);
    }

    return err;
}


static aigw_err_t
aigw_live_build_journal(aigw_live_counters_t *counters, aigw_store_t *store,
    const aigw_journal_file_t *file)
{
    uint64_t    seq, head;
    aigw_row_t  row;
    aigw_err_t  err;

    err = aigw_flight_build(counters, file);
    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_journal_pending(store, file, &seq, &head);

    /* what is damaged is the flusher's to report */
    if (err == AIGW_ECORRUPT) {
        return AIGW_OK;
    }

    while (err == AIGW_OK && seq < head) {
        if (aigw_journal_read(file, ++seq, &row) == AIGW_OK) {
            err = aigw_live_build_row(counters, &row);
        }
    }

    return err;
}


aigw_err_t
aigw_live_build_fill(aigw_live_counters_t *counters, const char *dir,
    aigw_store_t *store)
{
    unsigned         i;
    aigw_err_t       err;
    aigw_journals_t  journals = { 0 };

    err = aigw_store_each_sums(store, aigw_live_build_sum, counters);

    if (err == AIGW_OK) {
        err = aigw_journal_map_all(dir, counters->store, &journals);
    }

    for (i = 0; i < AIGW_JOURNAL_MAX && err == AIGW_OK; i++) {
        if (journals.map[i].file != NULL) {
            err = aigw_live_build_journal(counters, store,
                                          journals.map[i].file);
        }
    }

    aigw_journal_unmap_all(&journals);

    return err;
}


static aigw_err_t
aigw_live_build_head(aigw_live_counters_t *counters, aigw_store_t *store)
{
    unsigned  i;
    uint64_t  start = (uint64_t) aigw_time_now_ms() << 10;

    if (getrandom(&counters->id, sizeof(counters->id), 0)
        != sizeof(counters->id))
    {
        return AIGW_ECRYPTO;
    }

    counters->magic = AIGW_LIVE_MAGIC;
    counters->layout = AIGW_LIVE_LAYOUT;
    counters->accounts = AIGW_LIVE_ACCOUNTS;
    memcpy(counters->store, aigw_store_id(store).data, AIGW_STORE_ID_LEN);

    /* beyond what earlier counters have seen: entries in flight name it */
    for (i = 0; i < AIGW_JOURNAL_MAX; i++) {
        atomic_store(&counters->writers[i].seq, start);
    }

    return AIGW_OK;
}


/* The leader's place, and that of who books a credit where there are no
   counters. */
static aigw_err_t
aigw_live_build_lock(const char *dir, aigw_store_t *store, int *leader,
    int *post, char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t  err;

    err = aigw_live_dir_lock(dir, AIGW_LIVE_LEADER, AIGW_LIVE_LEADER_WAIT_MS,
                             leader);
    if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot lock '%s/" AIGW_LIVE_LEADER "' to"
                            " rebuild the counters: %s", dir,
                            aigw_strerror(err));
        return err;
    }

    err = aigw_store_lock(store, AIGW_STORE_LOCK_BUILD, AIGW_LIVE_POST_WAIT_MS,
                          post);
    if (err != AIGW_OK) {
        aigw_live_dir_unlock(*leader);
        aigw_live_dir_fault(fault, "cannot lock the store to rebuild the"
                            " counters in '%s': %s", dir, aigw_strerror(err));
    }

    return err;
}


aigw_err_t
aigw_live_build(const char *dir, aigw_store_t *store,
    char fault[AIGW_FAULT_LEN + 1])
{
    int                    leader, post;
    void                  *map;
    aigw_err_t             err;
    aigw_live_counters_t  *counters;

    err = aigw_live_build_lock(dir, store, &leader, &post, fault);
    if (err != AIGW_OK) {
        return err;
    }

    err = aigw_live_dir_make(dir, AIGW_LIVE_BUILD_NAME, sizeof(*counters), &map,
                             NULL, fault);
    if (err != AIGW_OK) {
        goto err1;
    }

    counters = map;

    err = aigw_live_build_head(counters, store);

    if (err == AIGW_OK) {
        err = aigw_live_build_fill(counters, dir, store);
    }

    if (err == AIGW_OK) {
        atomic_store_explicit(&counters->complete, 1, memory_order_release);
        err = aigw_live_dir_rename(dir, AIGW_LIVE_BUILD_NAME,
                                   AIGW_LIVE_COUNTERS);
    }

    if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot rebuild the counters in '%s': %s",
                            dir, aigw_strerror(err));
    }

    munmap(map, sizeof(*counters));

err1:

    aigw_store_unlock(post);
    aigw_live_dir_unlock(leader);

    return err;
}
