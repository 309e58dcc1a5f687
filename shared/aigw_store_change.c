/*
 * Writing control: users, projects and keys are changed. Each call reads,
 * changes and writes in one transaction, so that of two admins at the same
 * time neither undoes what the other did to another field.
 */

#include <string.h>

#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"


/* Copies one field if it is among fields. */
#define TAKE(bit, field)                                                      \
    do {                                                                      \
        if (fields & (bit)) {                                                 \
            memcpy(&to->field, &from->field, sizeof(to->field));              \
        }                                                                     \
    } while (0)


/* Gives id the name `to` of a table of names instead of `from`. */
static void
move_name(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *from,
    const aigw_db_key_t *to, uint64_t id)
{
    if (from->len == to->len && memcmp(from->bytes, to->bytes, to->len) == 0) {
        return;
    }

    aigw_store_take_name(txn, table, to, id);
    (void) aigw_db_delete(txn, table, from);
}


static void
key_text(aigw_db_key_t *at, const char *name)
{
    aigw_store_key_text(at, aigw_store_text(name, AIGW_NAME_MAX));
}


/* What a change is called. */
static const char *
action_of(unsigned fields, int enabled)
{
    return fields & AIGW_CHANGE_REVOKED ? "revoke"
           : fields != AIGW_CHANGE_ENABLED ? "set"
           : enabled ? "enable" : "disable";
}


static void
take_user(unsigned fields, const aigw_user_t *from, aigw_user_t *to)
{
    TAKE(AIGW_CHANGE_NAME, name);
    TAKE(AIGW_CHANGE_ROLE, role);
    TAKE(AIGW_CHANGE_ENABLED, enabled);
    TAKE(AIGW_CHANGE_QUOTA, quota_nano);
}


aigw_err_t
aigw_store_change_user(aigw_store_t *store, unsigned fields,
    aigw_user_t *user)
{
    aigw_err_t     err;
    aigw_user_t    old, u;
    aigw_db_key_t  at, to;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_key_int(&at, user->id);

    if (aigw_store_load(&txn, AIGW_CONTROL_USERS, &at,
                        aigw_store_unpack_user, &old))
    {
        u = old;
        take_user(fields, user, &u);
        aigw_db_fail(&txn, aigw_store_check_user(&u));

    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    if (txn.err == AIGW_OK) {
        key_text(&at, old.name);
        key_text(&to, u.name);
        move_name(&txn, AIGW_CONTROL_USER_NAMES, &at, &to, u.id);
        aigw_store_put_user(&txn, &u);
        aigw_store_keep_admin(&txn, &old, &u);
        aigw_store_audit(store, &txn, action_of(fields, u.enabled),
                         AIGW_LINE_USER, &old, &u);

        if (u.role != old.role || u.enabled != old.enabled) {
            aigw_store_raise_login(&txn, u.id);
        }
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *user = u;
    }

    return err;
}


static void
take_project(unsigned fields, const aigw_project_t *from, aigw_project_t *to)
{
    TAKE(AIGW_CHANGE_NAME, name);
    TAKE(AIGW_CHANGE_USER, user_id);
    TAKE(AIGW_CHANGE_ENABLED, enabled);
    TAKE(AIGW_CHANGE_CAP, cap_strict);
    TAKE(AIGW_CHANGE_DISCONNECT, disconnect_abort);
    TAKE(AIGW_CHANGE_QUOTA, quota_nano);
    TAKE(AIGW_CHANGE_EXPIRES, expires_ms);
    TAKE(AIGW_CHANGE_MODELS, models);
}


aigw_err_t
aigw_store_change_project(aigw_store_t *store, unsigned fields,
    aigw_project_t *project)
{
    aigw_err_t      err;
    aigw_db_key_t   at, to;
    aigw_db_txn_t   txn;
    aigw_project_t  old, p;

    aigw_db_write(store->control, &txn);
    aigw_store_key_int(&at, project->id);

    if (aigw_store_load(&txn, AIGW_CONTROL_PROJECTS, &at,
                        aigw_store_unpack_project, &old))
    {
        p = old;
        take_project(fields, project, &p);
        aigw_db_fail(&txn, aigw_store_check_project(&p));

    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    if (txn.err == AIGW_OK) {
        aigw_store_need(&txn, AIGW_CONTROL_USERS, p.user_id);
        key_text(&at, old.name);
        key_text(&to, p.name);
        move_name(&txn, AIGW_CONTROL_PROJECT_NAMES, &at, &to, p.id);
        aigw_store_put_project(&txn, &p);
        aigw_store_audit(store, &txn, action_of(fields, p.enabled),
                         AIGW_LINE_PROJECT, &old, &p);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *project = p;
    }

    return err;
}


static void
take_key(unsigned fields, const aigw_key_t *from, aigw_key_t *to)
{
    TAKE(AIGW_CHANGE_NAME, name);
    TAKE(AIGW_CHANGE_ENABLED, enabled);
    TAKE(AIGW_CHANGE_QUOTA, quota_nano);
    TAKE(AIGW_CHANGE_EXPIRES, expires_ms);
    TAKE(AIGW_CHANGE_MODELS, models);

    /* revoking is final, and its first moment stands */
    if (to->revoked_ms == 0) {
        TAKE(AIGW_CHANGE_REVOKED, revoked_ms);
    }
}


/* A key may be without a name, which is in no table then. */
static void
move_key_name(aigw_db_txn_t *txn, const aigw_key_t *old,
    const aigw_key_t *key)
{
    aigw_db_key_t  from, to;

    aigw_store_key_name(&from, old);
    aigw_store_key_name(&to, key);

    if (key->name[0] != '\0') {
        move_name(txn, AIGW_CONTROL_KEY_NAMES, &from, &to, key->id);

    } else if (old->name[0] != '\0') {
        (void) aigw_db_delete(txn, AIGW_CONTROL_KEY_NAMES, &from);
    }
}


aigw_err_t
aigw_store_change_key(aigw_store_t *store, unsigned fields, aigw_key_t *key)
{
    aigw_key_t     old, k;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_load_key(&txn, key->id, &old);

    if (txn.err == AIGW_OK) {
        k = old;
        take_key(fields, key, &k);
        aigw_db_fail(&txn, aigw_store_check_key(&k));
    }

    if (txn.err == AIGW_OK) {
        move_key_name(&txn, &old, &k);
        aigw_store_put_key(&txn, &k);
        aigw_store_audit(store, &txn, action_of(fields, k.enabled),
                         AIGW_LINE_KEY, &old, &k);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *key = k;
    }

    return err;
}


/* Two secrets at most are alive: the one that old had beside its own is not
   any more. */
static void
move_hash(aigw_db_txn_t *txn, const aigw_key_t *old, const aigw_key_t *key)
{
    aigw_db_key_t    at;
    aigw_db_value_t  taken;

    aigw_store_key_hash(&at, key->hash);

    if (aigw_db_get(txn, AIGW_CONTROL_KEYS, &at, &taken)) {
        aigw_db_fail(txn, AIGW_EEXIST);
    }

    if (old->old_until_ms != 0) {
        aigw_store_key_hash(&at, old->old_hash);
        (void) aigw_db_delete(txn, AIGW_CONTROL_KEYS, &at);
    }

    aigw_store_key_hash(&at, old->hash);
    (void) aigw_db_delete(txn, AIGW_CONTROL_KEYS, &at);

    aigw_store_put_key(txn, key);

    aigw_store_key_int(&at, key->id);
    aigw_db_put(txn, AIGW_CONTROL_KEY_IDS, &at, key->hash,
                AIGW_KEY_HASH_LEN);

    aigw_store_key_of_project(&at, key);
    aigw_db_put(txn, AIGW_CONTROL_PROJECT_KEYS, &at, key->hash,
                AIGW_KEY_HASH_LEN);
}


aigw_err_t
aigw_store_rotate_key(aigw_store_t *store, aigw_key_t *key,
    int64_t until_ms)
{
    aigw_key_t     old, k;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    if (until_ms < 0) {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    aigw_store_load_key(&txn, key->id, &old);

    if (txn.err == AIGW_OK) {
        k = old;
        memcpy(k.hash, key->hash, sizeof(k.hash));
        memcpy(k.prefix, key->prefix, sizeof(k.prefix));
        memcpy(k.last4, key->last4, sizeof(k.last4));
        memset(k.old_hash, 0, sizeof(k.old_hash));
        k.old_until_ms = until_ms;

        if (until_ms != 0) {
            memcpy(k.old_hash, old.hash, sizeof(k.old_hash));
        }

        aigw_db_fail(&txn, old.revoked_ms != 0 ? AIGW_EINVAL
                                               : aigw_store_check_key(&k));
    }

    if (txn.err == AIGW_OK) {
        move_hash(&txn, &old, &k);
        aigw_store_audit_secret(store, &txn, "rotate", AIGW_LINE_KEY, &old,
                                &k);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *key = k;
    }

    return err;
}
