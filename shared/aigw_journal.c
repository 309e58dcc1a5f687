/*
 * The journals: rings of rows, each with one writer, that outlive it. A record
 * is there once head says so; whatever is behind head may be half-written by
 * somebody who died. Appending must not lock, allocate or call the system.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "aigw_live_internal.h"


#define AIGW_JOURNAL_NEW   "j.new"
#define AIGW_JOURNAL_NODE  0

/* The largest number of records with which a request is let in. */
#define AIGW_JOURNAL_HIGH  (AIGW_JOURNAL_RECORDS * 9 / 10)


/* AIGW_EBUSY: somebody has claimed it. AIGW_ECORRUPT: nobody has, but it is of
   another layout or store, or damaged. */
static aigw_err_t
aigw_journal_take(aigw_live_t *live, unsigned slot, aigw_journal_t *j)
{
    void                 *map;
    char                  name[AIGW_LIVE_NAME_LEN + 1];
    aigw_err_t            err;
    aigw_journal_file_t  *file;

    snprintf(name, sizeof(name), AIGW_LIVE_JOURNAL, slot);

    err = aigw_live_dir_map(live->path, name, sizeof(*file), &map, &j->fd);
    if (err != AIGW_OK) {
        /* another user's: it may be in use */
        return err == AIGW_EACCESS ? AIGW_EBUSY : err;
    }

    file = map;

    if (!aigw_journal_is_valid(file, live->store)
        || atomic_load(&file->head) - atomic_load(&file->tail)
           > AIGW_JOURNAL_RECORDS)
    {
        munmap(map, sizeof(*file));
        close(j->fd);
        return AIGW_ECORRUPT;
    }

    j->file = file;
    j->slot = slot;

    return AIGW_OK;
}


static aigw_err_t
aigw_journal_make(aigw_live_t *live, unsigned slot, aigw_journal_t *j,
    char fault[AIGW_FAULT_LEN + 1])
{
    void                 *map;
    char                  name[AIGW_LIVE_NAME_LEN + 1];
    uint64_t              random[2];
    aigw_err_t            err;
    aigw_journal_file_t  *file;

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        aigw_live_dir_fault(fault, "no random bytes for a journal");
        return AIGW_ECRYPTO;
    }

    err = aigw_live_dir_make(live->path, AIGW_JOURNAL_NEW, sizeof(*file), &map,
                             &j->fd, fault);
    if (err != AIGW_OK) {
        return err;
    }

    file = map;
    file->magic = AIGW_JOURNAL_MAGIC;
    file->layout = AIGW_LIVE_LAYOUT;
    file->records = AIGW_JOURNAL_RECORDS;
    file->id = random[0];
    file->counter = random[1];
    memcpy(file->store, live->store, AIGW_STORE_ID_LEN);

    snprintf(name, sizeof(name), AIGW_LIVE_JOURNAL, slot);

    err = aigw_live_dir_rename(live->path, AIGW_JOURNAL_NEW, name);
    if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot make journal '%s/%s': %s",
                            live->path, name, aigw_strerror(err));
        munmap(map, sizeof(*file));
        close(j->fd);
        return err;
    }

    j->file = file;
    j->slot = slot;

    return AIGW_OK;
}


/* Under the lock file, so that two workers never make the same one. */
static aigw_err_t
aigw_journal_find(aigw_live_t *live, aigw_journal_t *j,
    char fault[AIGW_FAULT_LEN + 1])
{
    unsigned    slot, free_slot = AIGW_JOURNAL_MAX;
    aigw_err_t  err;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        err = aigw_journal_take(live, slot, j);

        if (err == AIGW_ECORRUPT) {
            return aigw_journal_make(live, slot, j, fault);
        }

        if (err == AIGW_OK) {
            return AIGW_OK;
        }

        if (err == AIGW_ENOTFOUND && free_slot == AIGW_JOURNAL_MAX) {
            free_slot = slot;
        }
    }

    if (free_slot == AIGW_JOURNAL_MAX) {
        aigw_live_dir_fault(fault, "all %d journals in '%s' are taken: fewer"
                            " workers, or wait for those of an earlier reload"
                            " to end", AIGW_JOURNAL_MAX, live->path);
        return AIGW_EFULL;
    }

    return aigw_journal_make(live, free_slot, j, fault);
}


static void
aigw_journal_drop(aigw_journal_t *j)
{
    munmap(j->file, sizeof(*j->file));
    close(j->fd);
}


aigw_err_t
aigw_journal_recover(aigw_live_t *live, unsigned slot)
{
    aigw_err_t      err;
    aigw_journal_t  j;

    err = aigw_journal_take(live, slot, &j);
    if (err != AIGW_OK) {
        return err;
    }

    if (atomic_load(&j.file->in_flight) > 0) {
        if (aigw_live_is_current(live)) {
            (void) aigw_flight_recover(live, &j);
        } else {
            err = AIGW_EBUSY;
        }
    }

    aigw_journal_drop(&j);

    return err;
}


/* Settles what is left in flight in this journal and in others of the dead. */
static aigw_err_t
aigw_journal_heal(aigw_live_t *live, aigw_journal_t *j,
    char fault[AIGW_FAULT_LEN + 1])
{
    ino_t       inode[AIGW_JOURNAL_MAX];
    unsigned    slot;
    aigw_err_t  err;

    if (atomic_load(&j->file->in_flight) > 0) {
        if (!aigw_live_is_current(live)) {
            aigw_live_dir_fault(fault, "the counters in '%s' have been made"
                                " anew just now", live->path);
            aigw_journal_drop(j);
            return AIGW_EBUSY;
        }

        (void) aigw_flight_recover(live, j);
    }

    aigw_flight_init(j);

    /* what is not found now is the flusher's */
    err = aigw_live_dir_journals(live->path, inode);
    (void) err;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        if (slot != j->slot && inode[slot] != 0) {
            /* one that lives, or cannot be read, is somebody else's */
            err = aigw_journal_recover(live, slot);
            (void) err;
        }
    }

    return AIGW_OK;
}


aigw_err_t
aigw_journal_claim(aigw_live_t *live, aigw_journal_t **journal,
    char fault[AIGW_FAULT_LEN + 1])
{
    int              lock;
    aigw_err_t       err;
    aigw_journal_t  *j;

    j = calloc(1, sizeof(*j));
    if (j == NULL) {
        aigw_live_dir_fault(fault, "%s", aigw_strerror(AIGW_ENOMEM));
        return AIGW_ENOMEM;
    }

    err = aigw_live_dir_lock(live->path, AIGW_LIVE_LOCK, AIGW_LIVE_LOCK_WAIT_MS,
                             &lock);
    if (err != AIGW_OK) {
        aigw_live_dir_fault(fault, "cannot lock '%s/" AIGW_LIVE_LOCK "': %s",
                            live->path, aigw_strerror(err));
        goto err1;
    }

    err = aigw_journal_find(live, j, fault);

    if (err == AIGW_OK) {
        err = aigw_journal_heal(live, j, fault);
    }

    aigw_live_dir_unlock(lock);

    if (err != AIGW_OK) {
        goto err1;
    }

    *journal = j;

    return AIGW_OK;

err1:

    free(j);

    return err;
}


void
aigw_journal_release(aigw_journal_t *journal)
{
    if (journal == NULL) {
        return;
    }

    aigw_journal_drop(journal);
    free(journal);
}


/* Records that are there or will be: one for each call in flight. */
static uint64_t
aigw_journal_promised(const aigw_journal_file_t *file)
{
    return atomic_load_explicit(&file->head, memory_order_relaxed)
           - atomic_load_explicit(&file->tail, memory_order_acquire)
           + atomic_load_explicit(&file->in_flight, memory_order_relaxed);
}


int
aigw_journal_has_room(const aigw_journal_file_t *file)
{
    return aigw_journal_promised(file) < AIGW_JOURNAL_HIGH;
}


aigw_err_t
aigw_journal_ready(const aigw_journal_t *journal, int64_t now_ms)
{
    uint64_t                      head, tail;
    const aigw_journal_file_t    *file = journal->file;
    const aigw_journal_record_t  *oldest;

    head = atomic_load_explicit(&file->head, memory_order_relaxed);
    tail = atomic_load_explicit(&file->tail, memory_order_acquire);

    oldest = &file->ring[(tail + 1) % AIGW_JOURNAL_RECORDS];

    return !aigw_journal_has_room(file)
           || (head != tail
               && now_ms - oldest->time_ms >= AIGW_JOURNAL_STALE_MS)
           ? AIGW_EFULL : AIGW_OK;
}


void
aigw_journal_new_id(aigw_journal_t *journal, int64_t now_ms,
    uint8_t id[AIGW_ROW_ID_LEN])
{
    uint64_t  counter = journal->file->counter++;
    uint64_t  parts[2] = {
        htobe64((uint64_t) now_ms << 16 | AIGW_JOURNAL_NODE),
        htobe64((uint64_t) journal->slot << 48
                | (counter & ((UINT64_C(1) << 48) - 1)))
    };

    _Static_assert(sizeof(parts) == AIGW_ROW_ID_LEN, "ms 6, node 2, journal 2,"
                   " counter 6");

    memcpy(id, parts, sizeof(parts));
}


void
aigw_journal_write(aigw_journal_file_t *file, const aigw_row_t *row,
    uint64_t *planned)
{
    uint64_t                seq;
    aigw_journal_record_t  *record;

    seq = atomic_load_explicit(&file->head, memory_order_relaxed) + 1;
    record = &file->ring[seq % AIGW_JOURNAL_RECORDS];

    record->seq = seq;
    record->time_ms = row->settled_ms > row->time_ms ? row->settled_ms
                                                     : row->time_ms;
    record->len = (uint32_t) aigw_record_pack_row(row, record->row);
    record->crc = aigw_journal_crc(record);
    *planned = seq;
}


void
aigw_journal_publish(aigw_journal_file_t *file, uint64_t planned)
{
    if (atomic_load_explicit(&file->head, memory_order_relaxed) < planned) {
        atomic_store_explicit(&file->head, planned, memory_order_release);
    }
}


aigw_err_t
aigw_journal_append(aigw_journal_t *journal, const aigw_row_t *row)
{
    uint64_t              planned;
    aigw_journal_file_t  *file = journal->file;

    if (aigw_journal_promised(file) >= AIGW_JOURNAL_RECORDS) {
        return AIGW_EFULL;
    }

    aigw_journal_write(file, row, &planned);
    aigw_journal_publish(file, planned);

    return AIGW_OK;
}


unsigned
aigw_journal_flights(const aigw_journal_t *journal)
{
    return (unsigned) atomic_load_explicit(&journal->file->in_flight,
                                           memory_order_relaxed);
}
