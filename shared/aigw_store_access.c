/*
 * What the request's path reads of control: access, price, upstream.
 * What was read stays good until the next commit there; after it, one held
 * reader, renewed and reset: no system call, no lock.
 */

#include <stddef.h>
#include <string.h>

#include <openssl/crypto.h>

#include "aigw_store_internal.h"


static void
copy_text(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}


static void
set_key(aigw_access_t *access, const aigw_key_t *key)
{
    access->key_id = key->id;
    access->key_quota_nano = key->quota_nano;
    access->key_expires_ms = key->expires_ms;
    access->key_enabled = key->enabled != 0;
    access->key_revoked = key->revoked_ms != 0;
    copy_text(access->key_prefix, key->prefix);
    copy_text(access->key_last4, key->last4);
    copy_text(access->key_models, key->models);
}


static void
set_project(aigw_access_t *access, const aigw_project_t *project)
{
    access->project_id = project->id;
    access->project_quota_nano = project->quota_nano;
    access->project_expires_ms = project->expires_ms;
    access->project_enabled = project->enabled != 0;
    access->cap_strict = project->cap_strict != 0;
    access->disconnect_abort = project->disconnect_abort != 0;
    access->has_subkey = project->has_subkey != 0;
    copy_text(access->project_name, project->name);
    copy_text(access->project_models, project->models);
}


static void
set_user(aigw_access_t *access, const aigw_user_t *user)
{
    access->user_id = user->id;
    access->user_quota_nano = user->quota_nano;
    access->user_enabled = user->enabled != 0;
}


/* An old secret of the key ends at its own time, or with the key. */
static void
limit_old(aigw_db_txn_t *txn, const uint8_t hash[AIGW_KEY_HASH_LEN],
    aigw_key_t *key)
{
    if (CRYPTO_memcmp(hash, key->hash, AIGW_KEY_HASH_LEN) == 0) {
        return;
    }

    if (key->old_until_ms == 0
        || CRYPTO_memcmp(hash, key->old_hash, AIGW_KEY_HASH_LEN) != 0)
    {
        aigw_db_fail(txn, AIGW_ECORRUPT);
    }

    if (key->expires_ms == 0 || key->expires_ms > key->old_until_ms) {
        key->expires_ms = key->old_until_ms;
    }
}


static aigw_err_t
read_access(aigw_store_t *store, const uint8_t hash[AIGW_KEY_HASH_LEN],
    aigw_access_t *access, uint64_t *version)
{
    aigw_key_t      key;
    aigw_err_t      err;
    aigw_user_t     user;
    aigw_db_txn_t   txn;
    aigw_db_key_t   at;
    aigw_project_t  project;

    aigw_db_read(store->control, &txn);
    *version = txn.version;

    aigw_store_key_hash(&at, hash);

    if (!aigw_store_load(&txn, AIGW_CONTROL_KEYS, &at, aigw_store_unpack_key,
                         &key))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
        return aigw_db_end(&txn);
    }

    limit_old(&txn, hash, &key);

    aigw_store_key_int(&at, key.project_id);
    aigw_store_load_sure(&txn, AIGW_CONTROL_PROJECTS, &at,
                         aigw_store_unpack_project, &project);

    if (txn.err == AIGW_OK) {
        aigw_store_key_int(&at, project.user_id);
        aigw_store_load_sure(&txn, AIGW_CONTROL_USERS, &at,
                             aigw_store_unpack_user, &user);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        set_key(access, &key);
        set_project(access, &project);
        set_user(access, &user);
    }

    return err;
}


/* As much as there is: lists that are full, and secrets as long as can be, are
   most of a record, and hardly ever there. */
static void
copy_access(aigw_access_t *to, const aigw_access_t *from)
{
    memcpy(to, from, offsetof(aigw_access_t, project_models)
                     + strlen(from->project_models) + 1);
    copy_text(to->key_models, from->key_models);
}

_Static_assert(sizeof(aigw_access_t)
               < offsetof(aigw_access_t, project_models)
                 + 2 * (AIGW_MODELS_MAX + 1) + sizeof(uint64_t),
               "nothing stands behind the two lists");


static void
copy_upstream(aigw_upstream_t *to, const aigw_upstream_t *from)
{
    memcpy(to, from, offsetof(aigw_upstream_t, sealed) + from->sealed_len);
    to->log_user = from->log_user;
    to->log_sealed_len = from->log_sealed_len;
    memcpy(to->log_sealed, from->log_sealed, from->log_sealed_len);
}

_Static_assert(sizeof(aigw_upstream_t)
               < offsetof(aigw_upstream_t, log_user) + sizeof(uint64_t)
                 + sizeof(uint16_t) + AIGW_SEALED_MAX + sizeof(uint64_t),
               "nothing stands behind a log's token");


aigw_err_t
aigw_store_find_access(aigw_store_t *store,
    const uint8_t hash[AIGW_KEY_HASH_LEN], aigw_access_t *access)
{
    uint64_t              version;
    aigw_err_t            err;
    aigw_str_t            key = { AIGW_KEY_HASH_LEN, (const char *) hash };
    aigw_store_cached_t  *entry;

    entry = aigw_store_cache_find(store, AIGW_STORE_CACHED_ACCESS, key, 0);

    if (entry != NULL) {
        copy_access(access, &entry->value.access);
        return AIGW_OK;
    }

    err = read_access(store, hash, access, &version);

    if (err != AIGW_OK) {
        return err;
    }

    entry = aigw_store_cache_put(store, AIGW_STORE_CACHED_ACCESS, key,
                                 version);

    if (entry != NULL) {
        copy_access(&entry->value.access, access);
    }

    return AIGW_OK;
}


/* Others have the price of "*": a NUL might look like the end of another's
   name. */
static int
can_be_model(aigw_str_t model)
{
    return model.len > 0 && model.len <= AIGW_MODEL_MAX
           && memchr(model.data, '\0', model.len) == NULL;
}


/* The cursor stands on a price of that prefix: 1, and which. */
static int
take_price(aigw_db_txn_t *txn, aigw_db_cursor_t *cur,
    const aigw_db_key_t *prefix, aigw_price_entry_t *entry)
{
    if (!aigw_db_in(cur, prefix)) {
        return 0;
    }

    aigw_db_fail(txn, aigw_record_unpack_price(cur->value.data,
                                               cur->value.len, entry));

    return txn->err == AIGW_OK;
}


/* The newest price of model at now_ms: 1 if there is one. Lowers *until_ms to
   the time of the next one to come. */
static int
find_price(aigw_db_txn_t *txn, aigw_db_cursor_t *cur, aigw_str_t model,
    int64_t now_ms, aigw_price_t *price, int64_t *until_ms)
{
    aigw_db_key_t       at, prefix;
    aigw_price_entry_t  entry;

    aigw_store_key_price(&at, model, now_ms);

    prefix = at;
    prefix.len = model.len + 1;

    if (aigw_db_seek_before(cur, &at)
        && take_price(txn, cur, &prefix, &entry) && entry.from_ms < *until_ms)
    {
        *until_ms = entry.from_ms;
    }

    if (!aigw_db_seek(cur, &at) || !take_price(txn, cur, &prefix, &entry)) {
        return 0;
    }

    *price = entry.price;

    return 1;
}


static aigw_err_t
read_price(aigw_store_t *store, aigw_str_t model, int64_t now_ms,
    aigw_price_t *price, int64_t *until_ms, uint64_t *version)
{
    aigw_err_t        err;
    aigw_db_txn_t     txn;
    aigw_price_t      found;
    aigw_db_cursor_t  cur;

    static const aigw_str_t  any = aigw_str("*");

    *until_ms = INT64_MAX;
    aigw_db_read(store->control, &txn);
    *version = txn.version;
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_PRICES);

    if ((!can_be_model(model)
         || !find_price(&txn, &cur, model, now_ms, &found, until_ms))
        && !find_price(&txn, &cur, any, now_ms, &found, until_ms))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    aigw_db_cursor_close(&cur);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *price = found;
    }

    return err;
}


aigw_err_t
aigw_store_find_price(aigw_store_t *store, aigw_str_t model, int64_t now_ms,
    aigw_price_t *price)
{
    int64_t               until_ms;
    uint64_t              version;
    aigw_err_t            err;
    aigw_store_cached_t  *entry;

    entry = aigw_store_cache_find(store, AIGW_STORE_CACHED_PRICE, model,
                                  now_ms);

    if (entry != NULL) {
        *price = entry->value.price;
        return AIGW_OK;
    }

    err = read_price(store, model, now_ms, price, &until_ms, &version);

    if (err != AIGW_OK) {
        return err;
    }

    entry = aigw_store_cache_put(store, AIGW_STORE_CACHED_PRICE, model,
                                 version);

    if (entry != NULL) {
        entry->from_ms = now_ms;
        entry->until_ms = until_ms;
        entry->value.price = *price;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_store_find_upstream(aigw_store_t *store, aigw_str_t name,
    aigw_upstream_t *upstream)
{
    uint64_t              version;
    aigw_err_t            err;
    aigw_db_key_t         at;
    aigw_db_txn_t         txn;
    aigw_upstream_t       result;
    aigw_store_cached_t  *entry;

    entry = aigw_store_cache_find(store, AIGW_STORE_CACHED_UPSTREAM, name, 0);

    if (entry != NULL) {
        copy_upstream(upstream, &entry->value.upstream);
        return AIGW_OK;
    }

    if (aigw_store_check_name(name) != AIGW_OK) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);
    aigw_store_key_text(&at, name);

    if (!aigw_store_load(&txn, AIGW_CONTROL_UPSTREAMS, &at,
                         aigw_store_unpack_upstream, &result))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    version = txn.version;
    err = aigw_db_end(&txn);

    if (err != AIGW_OK) {
        return err;
    }

    copy_upstream(upstream, &result);
    entry = aigw_store_cache_put(store, AIGW_STORE_CACHED_UPSTREAM, name,
                                 version);

    if (entry != NULL) {
        copy_upstream(&entry->value.upstream, &result);
    }

    return AIGW_OK;
}
