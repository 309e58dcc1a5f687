/*
 * The journals as those see them who do not write there: which there are, what
 * is in them beyond the store. Must not trust a record without its checksum.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "aigw_crc.h"
#include "aigw_live_internal.h"


uint64_t
aigw_journal_undrained(const aigw_journal_file_t *file)
{
    uint64_t  tail, n;

    tail = atomic_load_explicit(&file->tail, memory_order_acquire);
    n = atomic_load_explicit(&file->head, memory_order_acquire) - tail;

    return n > AIGW_JOURNAL_RECORDS ? AIGW_JOURNAL_RECORDS : n;
}


int
aigw_journal_is_valid(const aigw_journal_file_t *file,
    const char store[AIGW_STORE_ID_LEN])
{
    return file->magic == AIGW_JOURNAL_MAGIC
           && file->layout == AIGW_LIVE_LAYOUT
           && file->records == AIGW_JOURNAL_RECORDS
           && memcmp(file->store, store, AIGW_STORE_ID_LEN) == 0;
}


uint32_t
aigw_journal_crc(const aigw_journal_record_t *record)
{
    uint32_t  crc;

    crc = aigw_crc32c(0, record, offsetof(aigw_journal_record_t, crc));

    return aigw_crc32c(crc, record->row, record->len);
}


static void
aigw_journal_unmap(aigw_journal_map_t *map)
{
    if (map->file != NULL) {
        munmap(map->file, sizeof(*map->file));
        map->file = NULL;
    }
}


aigw_err_t
aigw_journal_map_all(const char *dir, const char store[AIGW_STORE_ID_LEN],
    aigw_journals_t *journals)
{
    void                *file;
    char                 name[AIGW_LIVE_NAME_LEN + 1];
    ino_t                inode[AIGW_JOURNAL_MAX];
    unsigned             slot;
    aigw_err_t           err;
    aigw_journal_map_t  *map;

    err = aigw_live_dir_journals(dir, inode);
    if (err != AIGW_OK) {
        return err;
    }

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        map = &journals->map[slot];

        /* one that was unlinked may still have a writer: drain it */
        if (inode[slot] == 0 || inode[slot] == map->inode) {
            continue;
        }

        aigw_journal_unmap(map);
        snprintf(name, sizeof(name), AIGW_LIVE_JOURNAL, slot);

        err = aigw_live_dir_map(dir, name, sizeof(*map->file), &file, NULL);

        if (err != AIGW_OK && err != AIGW_ENOTFOUND && err != AIGW_ECORRUPT) {
            return err;
        }

        map->inode = inode[slot];

        if (err == AIGW_OK) {
            map->file = file;

            if (!aigw_journal_is_valid(map->file, store)) {
                aigw_journal_unmap(map);
            }
        }
    }

    return AIGW_OK;
}


void
aigw_journal_unmap_all(aigw_journals_t *journals)
{
    unsigned  slot;

    for (slot = 0; slot < AIGW_JOURNAL_MAX; slot++) {
        aigw_journal_unmap(&journals->map[slot]);
    }
}


aigw_err_t
aigw_journal_pending(aigw_store_t *store, const aigw_journal_file_t *file,
    uint64_t *after, uint64_t *head)
{
    uint64_t    mark, tail, last;
    aigw_err_t  err;

    err = aigw_store_get_watermark(store, file->id, &mark);
    if (err != AIGW_OK) {
        /* it is the store that is damaged then, not the journal */
        return err == AIGW_ECORRUPT ? AIGW_EIO : err;
    }

    tail = atomic_load_explicit(&file->tail, memory_order_acquire);
    last = atomic_load_explicit(&file->head, memory_order_acquire);
    mark = mark > tail ? mark : tail;

    if (mark > last || last - mark > AIGW_JOURNAL_RECORDS) {
        return AIGW_ECORRUPT;
    }

    *after = mark;
    *head = last;

    return AIGW_OK;
}


/* A copy: what is checked is what is used, whoever writes there. */
aigw_err_t
aigw_journal_copy(const aigw_journal_file_t *file, uint64_t seq, uint8_t *row,
    size_t *len, uint32_t *crc)
{
    uint32_t                      sum, row_sum;
    aigw_journal_record_t         head;
    const aigw_journal_record_t  *from;

    from = &file->ring[seq % AIGW_JOURNAL_RECORDS];
    memcpy(&head, from, offsetof(aigw_journal_record_t, row));

    if (head.seq != seq || head.len > AIGW_ROW_PACKED_MAX) {
        return AIGW_ECORRUPT;
    }

    sum = aigw_crc32c(0, &head, offsetof(aigw_journal_record_t, crc));
    row_sum = aigw_crc32c_copy(row, from->row, head.len, &sum);

    if (head.crc != sum) {
        return AIGW_ECORRUPT;
    }

    *len = head.len;
    *crc = row_sum;

    return AIGW_OK;
}


aigw_err_t
aigw_journal_read(const aigw_journal_file_t *file, uint64_t seq,
    aigw_row_t *row)
{
    size_t    len;
    uint8_t   packed[AIGW_ROW_PACKED_MAX];
    uint32_t  crc;

    if (aigw_journal_copy(file, seq, packed, &len, &crc) != AIGW_OK
        || aigw_record_unpack_row(packed, len, row) != AIGW_OK)
    {
        return AIGW_ECORRUPT;
    }

    return AIGW_OK;
}
