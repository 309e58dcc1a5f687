/* Prefixes and sticky errors: what needs no LMDB. */

#include <errno.h>
#include <string.h>

#include "aigw_db.h"


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
