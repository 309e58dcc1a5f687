/*
 * A thin layer over LMDB, for the store alone. A transaction carries a sticky
 * error: after a failure every call on it does nothing, and its end rolls back
 * and returns what went wrong, so that callers check once. Only aigw_db*.c
 * know <lmdb.h>; everything else sees aigw_err_t.
 *
 * An environment belongs to the process that opened it (never across a fork)
 * and to one thread at a time. Values point into the map: they die with the
 * transaction, or with its next write.
 */

#ifndef AIGW_DB_H
#define AIGW_DB_H

#include <string.h>
#include <sys/types.h>

#include "aigw.h"


#define AIGW_DB_TABLES   32
#define AIGW_DB_KEY_MAX  192
#define AIGW_DB_READERS  512          /* processes that have it open */


typedef struct aigw_db_s  aigw_db_t;


/* What to open. tables: their names, which must outlive db; a table is its
   index there. Those from nfirst on came later: where one is missing, opening
   for writing makes it, and for reading it is an empty one. */
typedef struct {
    const char *const  *tables;
    unsigned            ntables;
    unsigned            nfirst;
    size_t              map_bytes;    /* what the file may grow to: sparse */
    unsigned            write:1;
    unsigned            create:1;     /* an empty directory becomes a store */
} aigw_db_options_t;


typedef struct {
    uint64_t   file_bytes;
    uint64_t   map_bytes;
    unsigned   readers;               /* slots in use, ours among them */
} aigw_db_info_t;


typedef struct {
    size_t          len;
    const uint8_t  *data;
} aigw_db_value_t;


/* Built by the functions below; one that would overflow stays short, which no
   record within the limits of aigw.h can bring about. */
typedef struct {
    size_t     len;
    uint8_t    bytes[AIGW_DB_KEY_MAX];
} aigw_db_key_t;


typedef struct {
    aigw_db_t        *db;
    struct MDB_txn   *mdb;
    aigw_err_t        err;            /* the first one */
    int               cause;          /* its errno */
    uint64_t          version;        /* what is read: see aigw_db_version */
    unsigned          write:1;
    unsigned          held:1;         /* the handle's own reader */
} aigw_db_txn_t;


typedef struct {
    aigw_db_txn_t      *txn;
    struct MDB_cursor  *mdb;
    aigw_db_value_t     key;          /* where it stands */
    aigw_db_value_t     value;
} aigw_db_cursor_t;


/*
 * Opens the environment in directory path. AIGW_ENOTFOUND, AIGW_EACCESS,
 * AIGW_ECORRUPT (no LMDB file, or a table is missing), AIGW_EVERSION (made by
 * another LMDB), AIGW_EBUSY (this process has it open already: a second handle
 * would lose the first one's locks), AIGW_EIO, AIGW_ENOMEM.
 */
aigw_err_t aigw_db_open(const char *path, const aigw_db_options_t *options,
    aigw_db_t **db) AIGW_CHECKED;

/* NULL does nothing. Never while a thread is in a write transaction: others
   would wait for its lock for ever. */
void aigw_db_close(aigw_db_t *db);

/* From now on what db writes is seen by db alone, and gone when it closes. A
   write then holds the lock until that: others wait. */
void aigw_db_try(aigw_db_t *db);

/* Copies it, compacted, as it is at one moment, into the empty directory
   path. Others go on reading and writing. */
aigw_err_t aigw_db_copy(aigw_db_t *db, const char *path) AIGW_CHECKED;

/* Clears the slots of readers that died; *cleared of them. */
aigw_err_t aigw_db_check_readers(aigw_db_t *db, int *cleared) AIGW_CHECKED;

aigw_err_t aigw_db_info(aigw_db_t *db, aigw_db_info_t *info) AIGW_CHECKED;


/*
 * on: between reads the handle's reader stays as it is, and the next read goes
 * on with it while nobody has committed. A reader that comes and goes stores
 * into the lock file's map, and on a frozen file system that store waits until
 * the thaw; nobody commits there either. It keeps old pages from their reuse:
 * call it again, from a timer, to have it follow commits. Off: it lets go.
 */
void aigw_db_stay(aigw_db_t *db, int on);

/* The number of the last commit by anybody, 0 if it cannot be told: no lock, no
   system call. As long as it is a read's version, that read still holds. */
uint64_t aigw_db_version(const aigw_db_t *db);


/* Begin; a failure stands in txn->err. db NULL (not opened): AIGW_EINVAL.
   Reading reuses one reader slot: no system call, no allocation. Writing waits
   for other writers and is never for the event loop. */
void aigw_db_read(aigw_db_t *db, aigw_db_txn_t *txn);
void aigw_db_write(aigw_db_t *db, aigw_db_txn_t *txn);

/* Ends it: commits what was written if nothing failed, else rolls back; errno
   is that of the first error. */
aigw_err_t aigw_db_end(aigw_db_txn_t *txn) AIGW_CHECKED;

/* Makes err the transaction's error if it has none. */
void aigw_db_fail(aigw_db_txn_t *txn, aigw_err_t err) AIGW_COLD;


/* 1: there, value is set. 0: not there, or an error. */
int aigw_db_get(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    aigw_db_value_t *value);

void aigw_db_put(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    const void *data, size_t len);

/* 1: was there. */
int aigw_db_delete(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key);

/* All of a table's entries go. */
void aigw_db_clear(aigw_db_txn_t *txn, unsigned table);

/* The number of entries of a table. */
uint64_t aigw_db_count(aigw_db_txn_t *txn, unsigned table);


void aigw_db_cursor(aigw_db_cursor_t *cur, aigw_db_txn_t *txn, unsigned table);
/* Before the transaction ends. */
void aigw_db_cursor_close(aigw_db_cursor_t *cur);

/* Each is 1 if the cursor stands on an entry now: the first at or behind key,
   the last before key, the last of all, the next, the previous. */
int aigw_db_seek(aigw_db_cursor_t *cur, const aigw_db_key_t *key);
int aigw_db_seek_before(aigw_db_cursor_t *cur, const aigw_db_key_t *key);
int aigw_db_last(aigw_db_cursor_t *cur);
int aigw_db_next(aigw_db_cursor_t *cur);
int aigw_db_previous(aigw_db_cursor_t *cur);

/* Writes one of a run of sorted keys: quicker than aigw_db_put. append: it must
   be behind all others of the table, else AIGW_EEXIST; quicker still. */
void aigw_db_cursor_put(aigw_db_cursor_t *cur, const aigw_db_key_t *key,
    const void *data, size_t len, int append);

/* Writes it if the key is not there yet. 1: it was not. 0: it was, and is as it
   was, or an error. */
int aigw_db_cursor_add(aigw_db_cursor_t *cur, const aigw_db_key_t *key,
    const void *data, size_t len);

/* Does the key under the cursor begin with prefix? */
int aigw_db_in(const aigw_db_cursor_t *cur, const aigw_db_key_t *prefix);


/* Keys: begin empty, then parts; integers big-endian, so that order holds. */
static inline void
aigw_db_key(aigw_db_key_t *key)
{
    key->len = 0;
}


static inline void
aigw_db_key_bytes(aigw_db_key_t *key, const void *data, size_t len)
{
    if (len > 0 && len <= sizeof(key->bytes) - key->len) {
        memcpy(key->bytes + key->len, data, len);
        key->len += len;
    }
}


/* bytes is a constant: one swap and one store, without a loop (settlement
   builds some keys for each row). */
static inline void
aigw_db_key_int(aigw_db_key_t *key, uint64_t n, unsigned bytes)
{
    uint64_t  big = aigw_big_endian(n);

    aigw_db_key_bytes(key, (const uint8_t *) &big + 8 - bytes, bytes);
}


/* The integer of so many bytes at data. */
static inline uint64_t
aigw_db_int(const uint8_t *data, unsigned bytes)
{
    uint64_t  big = 0;

    memcpy((uint8_t *) &big + 8 - bytes, data, bytes);

    return aigw_big_endian(big);
}

#endif /* AIGW_DB_H */
