/*
 * Writing control: users, projects and keys are made. Each call is one
 * transaction; everything is checked before it is written.
 */

#include <string.h>

#include "aigw_limit.h"
#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"


static aigw_str_t
text_of(const char *field, size_t size)
{
    return aigw_store_text(field, size);
}


#define TEXT(field)  text_of(field, sizeof(field))


static int
is_quota(int64_t nano)
{
    return nano >= 0 || nano == AIGW_UNLIMITED;
}


/* An empty list is one that allows nothing. */
static int
is_list(aigw_str_t models)
{
    return models.len == 0 || aigw_limit_check_models(models) == AIGW_OK;
}


aigw_err_t
aigw_store_check_user(const aigw_user_t *user)
{
    return aigw_store_check_name(TEXT(user->name)) == AIGW_OK
           && user->role < AIGW_ROLE_MAX && user->enabled <= 1
           && is_quota(user->quota_nano) ? AIGW_OK : AIGW_EINVAL;
}


aigw_err_t
aigw_store_check_project(const aigw_project_t *project)
{
    return aigw_store_check_name(TEXT(project->name)) == AIGW_OK
           && project->enabled <= 1 && project->cap_strict <= 1
           && project->disconnect_abort <= 1 && is_quota(project->quota_nano)
           && project->expires_ms >= 0
           && is_list(TEXT(project->models)) ? AIGW_OK : AIGW_EINVAL;
}


aigw_err_t
aigw_store_check_key(const aigw_key_t *key)
{
    return (key->name[0] == '\0'
            || aigw_store_check_name(TEXT(key->name)) == AIGW_OK)
           && TEXT(key->prefix).len <= AIGW_KEY_PREFIX_LEN
           && TEXT(key->last4).len <= AIGW_KEY_LAST_LEN
           && key->enabled <= 1 && is_quota(key->quota_nano)
           && key->expires_ms >= 0 && key->revoked_ms >= 0
           && key->old_until_ms >= 0
           && is_list(TEXT(key->models)) ? AIGW_OK : AIGW_EINVAL;
}


static uint64_t
next_id(aigw_db_txn_t *txn, const char *counter)
{
    uint64_t  id;

    id = aigw_store_get_meta(txn, counter) + 1;
    aigw_store_put_meta(txn, counter, id);

    return id;
}


void
aigw_store_take_name(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *name, uint64_t id)
{
    aigw_db_value_t  taken;

    if (aigw_db_get(txn, table, name, &taken)) {
        aigw_db_fail(txn, AIGW_EEXIST);
    }

    aigw_store_put_int(txn, table, name, id);
}


void
aigw_store_put_user(aigw_db_txn_t *txn, const aigw_user_t *user)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;

    aigw_store_key_int(&at, user->id);
    aigw_db_put(txn, AIGW_CONTROL_USERS, &at, buf,
                aigw_record_pack_user(user, buf));
}


void
aigw_store_put_project(aigw_db_txn_t *txn, const aigw_project_t *project)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;

    aigw_store_key_int(&at, project->id);
    aigw_db_put(txn, AIGW_CONTROL_PROJECTS, &at, buf,
                aigw_record_pack_project(project, buf));
}


void
aigw_store_put_key(aigw_db_txn_t *txn, const aigw_key_t *key)
{
    size_t         len;
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;

    len = aigw_record_pack_key(key, buf);

    aigw_store_key_hash(&at, key->hash);
    aigw_db_put(txn, AIGW_CONTROL_KEYS, &at, buf, len);

    if (key->old_until_ms != 0) {
        aigw_store_key_hash(&at, key->old_hash);
        aigw_db_put(txn, AIGW_CONTROL_KEYS, &at, buf, len);
    }
}


void
aigw_store_need(aigw_db_txn_t *txn, unsigned table, uint64_t id)
{
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    aigw_store_key_int(&at, id);

    if (!aigw_db_get(txn, table, &at, &value)) {
        aigw_db_fail(txn, AIGW_ENOTFOUND);
    }
}


void
aigw_store_add_user(aigw_store_t *store, aigw_db_txn_t *txn,
    aigw_user_t *user, aigw_login_t *login)
{
    aigw_db_key_t  at;

    user->id = next_id(txn, AIGW_META_USER);
    aigw_store_key_text(&at, TEXT(user->name));
    aigw_store_take_name(txn, AIGW_CONTROL_USER_NAMES, &at, user->id);
    aigw_store_put_user(txn, user);
    aigw_store_audit(store, txn, "create", AIGW_LINE_USER, NULL, user);
    aigw_store_add_login(txn, user->id, login);
}


aigw_err_t
aigw_store_create_user(aigw_store_t *store, aigw_user_t *user)
{
    aigw_err_t     err;
    aigw_user_t    u;
    aigw_login_t   login;
    aigw_db_txn_t  txn;

    if (aigw_store_check_user(user) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    u = *user;
    u.created_ms = aigw_time_now_ms();

    aigw_db_write(store->control, &txn);
    aigw_store_add_user(store, &txn, &u, &login);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *user = u;
    }

    return err;
}


/* Within a transaction, with key->project_id set; sets id. */
static void
add_key(aigw_store_t *store, aigw_db_txn_t *txn, aigw_key_t *key)
{
    aigw_db_key_t    at;
    aigw_db_value_t  taken;

    key->id = next_id(txn, AIGW_META_KEY);

    aigw_store_key_hash(&at, key->hash);

    if (aigw_db_get(txn, AIGW_CONTROL_KEYS, &at, &taken)) {
        aigw_db_fail(txn, AIGW_EEXIST);
    }

    aigw_store_put_key(txn, key);

    aigw_store_key_int(&at, key->id);
    aigw_db_put(txn, AIGW_CONTROL_KEY_IDS, &at, key->hash,
                AIGW_KEY_HASH_LEN);

    aigw_store_key_of_project(&at, key);
    aigw_db_put(txn, AIGW_CONTROL_PROJECT_KEYS, &at, key->hash,
                AIGW_KEY_HASH_LEN);

    if (key->name[0] != '\0') {
        aigw_store_key_name(&at, key);
        aigw_store_take_name(txn, AIGW_CONTROL_KEY_NAMES, &at, key->id);
    }

    aigw_store_audit(store, txn, "create", AIGW_LINE_KEY, NULL, key);
}


aigw_err_t
aigw_store_create_project(aigw_store_t *store, aigw_project_t *project,
    aigw_key_t *key)
{
    aigw_key_t      k;
    aigw_err_t      err;
    aigw_db_key_t   at;
    aigw_db_txn_t   txn;
    aigw_project_t  p;

    if (aigw_store_check_project(project) != AIGW_OK
        || aigw_store_check_key(key) != AIGW_OK)
    {
        return AIGW_EINVAL;
    }

    p = *project;
    k = *key;
    p.has_subkey = 0;
    p.created_ms = aigw_time_now_ms();
    k.created_ms = p.created_ms;

    aigw_db_write(store->control, &txn);
    aigw_store_need(&txn, AIGW_CONTROL_USERS, p.user_id);
    p.id = next_id(&txn, AIGW_META_PROJECT);
    aigw_store_key_text(&at, TEXT(p.name));
    aigw_store_take_name(&txn, AIGW_CONTROL_PROJECT_NAMES, &at, p.id);
    aigw_store_put_project(&txn, &p);
    aigw_store_audit(store, &txn, "create", AIGW_LINE_PROJECT, NULL, &p);
    k.project_id = p.id;
    add_key(store, &txn, &k);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *project = p;
        *key = k;
    }

    return err;
}


aigw_err_t
aigw_store_create_key(aigw_store_t *store, aigw_key_t *key)
{
    aigw_key_t     k;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    if (aigw_store_check_key(key) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    k = *key;
    k.created_ms = aigw_time_now_ms();

    aigw_db_write(store->control, &txn);
    aigw_store_need(&txn, AIGW_CONTROL_PROJECTS, k.project_id);
    add_key(store, &txn, &k);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *key = k;
    }

    return err;
}
