/*
 * What somebody does to sub-keys who can write to control:
 *   tamper STORE swap NAME NAME   the two records change places
 *   tamper STORE steal NAME NAME  what is sealed in the second stands in the
 *                                 first
 *   tamper STORE flip NAME        one bit of what is sealed
 *   tamper STORE own NAME UPSTREAM
 *                                 the upstream's own key, sealed, in its place
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_store_internal.h"
#include "aigw_store_subkey.h"


static aigw_subkey_t
get(aigw_store_t *store, const char *name)
{
    aigw_subkey_t  s;

    if (aigw_store_get_subkey(store, aigw_store_text(name, 64), &s) != AIGW_OK)
    {
        fprintf(stderr, "tamper: no sub-key '%s'\n", name);
        exit(1);
    }

    return s;
}


/* subkey under a name that need not be its own. */
static void
put(aigw_store_t *store, const char *name, const aigw_subkey_t *subkey)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, aigw_store_text(name, 64));
    aigw_db_put(&txn, AIGW_CONTROL_SUBKEYS, &at, buf,
                aigw_record_pack_subkey(subkey, buf));

    if (aigw_db_end(&txn) != AIGW_OK) {
        exit(1);
    }
}


int
main(int argc, char **argv)
{
    char              fault[AIGW_FAULT_LEN + 1];
    aigw_store_t     *store;
    aigw_subkey_t     a, b;
    aigw_upstream_t   u;

    if (argc < 4 || aigw_store_open(argv[1], AIGW_STORE_CONTROL_WRITE, &store,
                                    fault) != AIGW_OK)
    {
        return 1;
    }

    a = get(store, argv[3]);

    if (strcmp(argv[2], "flip") == 0) {
        a.sealed[a.sealed_len / 2] ^= 1;

    } else if (strcmp(argv[2], "own") == 0) {
        if (aigw_store_find_upstream(store, aigw_store_text(argv[4], 64), &u)
            != AIGW_OK)
        {
            return 1;
        }

        a.sealed_len = u.sealed_len;
        memcpy(a.sealed, u.sealed, u.sealed_len);

    } else {
        b = get(store, argv[4]);

        if (strcmp(argv[2], "swap") == 0) {
            put(store, argv[4], &a);
            a = b;

        } else {
            a.sealed_len = b.sealed_len;
            memcpy(a.sealed, b.sealed, b.sealed_len);
        }
    }

    put(store, argv[3], &a);
    aigw_store_close(store);

    return 0;
}
