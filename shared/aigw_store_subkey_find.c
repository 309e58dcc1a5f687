/*
 * Reading sub-keys: the request's look-up, and what they are sealed for. Writes
 * nothing.
 */

#include <stdio.h>

#include "aigw_store_internal.h"
#include "aigw_store_subkey.h"


void
aigw_store_subkey_prefix(const aigw_store_t *store,
    char prefix[AIGW_SUBKEY_PREFIX_LEN + 1])
{
    (void) snprintf(prefix, AIGW_SUBKEY_PREFIX_LEN + 1, "aigw-%.8s-",
                    store->id);
}


aigw_str_t
aigw_store_bound_to(uint64_t project_id, uint64_t upstream_id,
    const aigw_subkey_t *subkey, aigw_db_key_t *buf)
{
    aigw_str_t  name;

    name = aigw_store_text(subkey->name, AIGW_SUBKEY_NAME_MAX);
    aigw_store_key_subkey(buf, project_id, upstream_id);
    aigw_db_key_bytes(buf, name.data, name.len);

    return (aigw_str_t) { buf->len, (const char *) buf->bytes };
}


aigw_err_t
aigw_store_open_subkey(const aigw_seal_master_t *master, uint64_t project_id,
    uint64_t upstream_id, const aigw_subkey_t *subkey,
    char text[AIGW_SECRET_MAX], size_t *text_len)
{
    aigw_str_t     bound;
    aigw_db_key_t  buf;

    bound = aigw_store_bound_to(project_id, upstream_id, subkey, &buf);

    return aigw_seal_open_bound(master, bound, subkey->sealed,
                                subkey->sealed_len, text, text_len);
}


int
aigw_store_load_subkey(aigw_db_txn_t *txn, aigw_str_t name,
    aigw_subkey_t *subkey)
{
    aigw_db_key_t  at;

    if (name.len == 0 || name.len > AIGW_SUBKEY_NAME_MAX) {
        return 0;
    }

    aigw_store_key_text(&at, name);

    return aigw_store_load(txn, AIGW_CONTROL_SUBKEYS, &at,
                           aigw_store_unpack_subkey, subkey);
}


int
aigw_store_load_active(aigw_db_txn_t *txn, uint64_t project_id,
    uint64_t upstream_id, aigw_subkey_t *subkey)
{
    aigw_str_t       name;
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    aigw_store_key_subkey(&at, project_id, upstream_id);

    if (!aigw_db_get(txn, AIGW_CONTROL_PROJECT_SUBKEYS, &at, &value)) {
        return 0;
    }

    name = (aigw_str_t) { value.len, (const char *) value.data };

    if (!aigw_store_load_subkey(txn, name, subkey)
        || subkey->state != AIGW_SUBKEY_ACTIVE
        || subkey->project_id != project_id
        || subkey->upstream_id != upstream_id)
    {
        aigw_db_fail(txn, AIGW_ECORRUPT);
    }

    return txn->err == AIGW_OK;
}


aigw_err_t
aigw_store_find_subkey(aigw_store_t *store, uint64_t project_id,
    uint64_t upstream_id, aigw_subkey_t *subkey)
{
    uint64_t              version;
    aigw_err_t            err;
    aigw_str_t            key;
    aigw_db_key_t         at;
    aigw_db_txn_t         txn;
    aigw_subkey_t         result;
    aigw_store_cached_t  *entry;

    aigw_store_key_subkey(&at, project_id, upstream_id);
    key = (aigw_str_t) { at.len, (const char *) at.bytes };
    entry = aigw_store_cache_find(store, AIGW_STORE_CACHED_SUBKEY, key, 0);

    if (entry != NULL) {
        *subkey = entry->value.subkey;
        return AIGW_OK;
    }

    aigw_db_read(store->control, &txn);
    version = txn.version;

    if (!aigw_store_load_active(&txn, project_id, upstream_id, &result)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err != AIGW_OK) {
        return err;
    }

    *subkey = result;
    entry = aigw_store_cache_put(store, AIGW_STORE_CACHED_SUBKEY, key,
                                 version);

    if (entry != NULL) {
        entry->value.subkey = result;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_store_get_subkey(aigw_store_t *store, aigw_str_t name,
    aigw_subkey_t *subkey)
{
    aigw_err_t     err;
    aigw_db_txn_t  txn;
    aigw_subkey_t  result;

    aigw_db_read(store->control, &txn);

    if (!aigw_store_load_subkey(&txn, name, &result)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *subkey = result;
    }

    return err;
}
