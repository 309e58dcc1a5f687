/* Keys (big-endian parts, so that byte order is theirs) and sticky errors:
   what needs no LMDB. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "aigw_db.h"


void
aigw_db_key(aigw_db_key_t *key)
{
    key->len = 0;
}


void
aigw_db_key_int(aigw_db_key_t *key, uint64_t n, unsigned bytes)
{
    uint64_t  big = htobe64(n);

    aigw_db_key_bytes(key, (const uint8_t *) &big + 8 - bytes, bytes);
}


void
aigw_db_key_bytes(aigw_db_key_t *key, const void *data, size_t len)
{
    if (len > 0 && len <= sizeof(key->bytes) - key->len) {
        memcpy(key->bytes + key->len, data, len);
        key->len += len;
    }
}


uint64_t
aigw_db_int(const uint8_t *data, unsigned bytes)
{
    uint64_t  n;

    n = 0;

    while (bytes--) {
        n = n << 8 | *data++;
    }

    return n;
}


int
aigw_db_in(const aigw_db_cursor_t *cur, const aigw_db_key_t *prefix)
{
    return cur->key.len >= prefix->len
           && memcmp(cur->key.data, prefix->bytes, prefix->len) == 0;
}


void
aigw_db_fail(aigw_db_txn_t *txn, aigw_err_t err)
{
    if (txn->err == AIGW_OK) {
        txn->err = err;
        txn->cause = errno;
    }
}
