/*
 * Logins: reading them, passwords and versions. What changes a user calls the
 * helpers here within its own transaction.
 */

#include <string.h>

#include <openssl/rand.h>

#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"
#include "aigw_store_login.h"


/* 0 stands for any. */
static uint32_t
next_version(uint32_t version)
{
    return version == UINT32_MAX ? 1 : version + 1;
}


void
aigw_store_put_login(aigw_db_txn_t *txn, const aigw_login_t *login)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;

    aigw_store_key_int(&at, login->user_id);
    aigw_db_put(txn, AIGW_CONTROL_LOGINS, &at, buf,
                aigw_record_pack_login(login, buf));
}


void
aigw_store_load_login(aigw_db_txn_t *txn, uint64_t user_id,
    aigw_login_t *login)
{
    aigw_db_key_t  at;

    aigw_store_key_int(&at, user_id);

    if (!aigw_store_load(txn, AIGW_CONTROL_LOGINS, &at,
                         aigw_store_unpack_login, login))
    {
        *login = (aigw_login_t) { .user_id = user_id, .token_version = 1 };
    }
}


/* At random: a token of an id that another store gave away is of no use. */
void
aigw_store_add_login(aigw_db_txn_t *txn, uint64_t user_id,
    aigw_login_t *login)
{
    uint32_t  version;

    if (RAND_bytes((uint8_t *) &version, sizeof(version)) != 1) {
        aigw_db_fail(txn, AIGW_ECRYPTO);
        version = 0;
    }

    *login = (aigw_login_t) {
        .user_id = user_id, .token_version = next_version(version)
    };
    aigw_store_put_login(txn, login);
}


void
aigw_store_raise_login(aigw_db_txn_t *txn, uint64_t user_id)
{
    aigw_login_t  login;

    aigw_store_load_login(txn, user_id, &login);
    login.token_version = next_version(login.token_version);
    aigw_store_put_login(txn, &login);
}


static int
is_admin(const aigw_user_t *user)
{
    return user->role == AIGW_ROLE_ADMIN && user->enabled;
}


void
aigw_store_keep_admin(aigw_db_txn_t *txn, const aigw_user_t *old,
    const aigw_user_t *user)
{
    int               more;
    aigw_user_t       other;
    aigw_db_key_t     first;
    aigw_db_cursor_t  cur;

    if (!is_admin(old) || (user != NULL && is_admin(user))) {
        return;
    }

    aigw_db_cursor(&cur, txn, AIGW_CONTROL_USERS);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        aigw_db_fail(txn, aigw_record_unpack_user(cur.value.data,
                                                  cur.value.len, &other));

        if (txn->err != AIGW_OK || (other.id != old->id && is_admin(&other))) {
            break;
        }
    }

    aigw_db_cursor_close(&cur);

    if (!more) {
        aigw_db_fail(txn, AIGW_ELAST);
    }
}


void
aigw_store_load_user(aigw_db_txn_t *txn, uint64_t id, aigw_user_t *user)
{
    aigw_db_key_t  at;

    aigw_store_key_int(&at, id);

    if (!aigw_store_load(txn, AIGW_CONTROL_USERS, &at, aigw_store_unpack_user,
                         user))
    {
        aigw_db_fail(txn, AIGW_ENOTFOUND);
    }
}


aigw_err_t
aigw_store_end_login(aigw_db_txn_t *txn, const aigw_user_t *u,
    const aigw_login_t *l, aigw_user_t *user, aigw_login_t *login)
{
    aigw_err_t  err;

    err = aigw_db_end(txn);

    if (err == AIGW_OK) {
        *login = *l;

        if (user != NULL) {
            *user = *u;
        }
    }

    return err;
}


aigw_err_t
aigw_store_get_login(aigw_store_t *store, uint64_t user_id, aigw_user_t *user,
    aigw_login_t *login)
{
    aigw_user_t    u;
    aigw_login_t   l;
    aigw_db_txn_t  txn;

    aigw_db_read(store->control, &txn);
    aigw_store_load_user(&txn, user_id, &u);
    aigw_store_load_login(&txn, user_id, &l);

    return aigw_store_end_login(&txn, &u, &l, user, login);
}


aigw_err_t
aigw_store_find_login(aigw_store_t *store, aigw_str_t name, aigw_user_t *user,
    aigw_login_t *login)
{
    uint64_t       id;
    aigw_user_t    u;
    aigw_login_t   l;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    if (aigw_store_check_name(name) != AIGW_OK) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);
    aigw_store_key_text(&at, name);
    id = aigw_store_get_int(&txn, AIGW_CONTROL_USER_NAMES, &at);
    aigw_store_load_user(&txn, id, &u);
    aigw_store_load_login(&txn, id, &l);

    return aigw_store_end_login(&txn, &u, &l, user, login);
}


/* Into the audit log: what of a user's login has changed. */
static void
tell(aigw_store_t *store, aigw_db_txn_t *txn, const aigw_user_t *user,
    const char *action, const char *secret)
{
    aigw_store_changed_t  changed = {
        .action = action, .object = "user", .id = user->id,
        .name = user->name, .secret = secret
    };

    aigw_store_audit_changed(store, txn, &changed);
}


void
aigw_store_put_password(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_user_t *user, aigw_login_t *login,
    const aigw_password_t *password)
{
    login->token_version = next_version(login->token_version);
    login->password_changed_ms = aigw_time_now_ms();
    login->password = *password;
    aigw_store_put_login(txn, login);
    tell(store, txn, user, "set", "password");
}


/* A user, and the login if it has the version that was expected. */
static void
load_expected(aigw_db_txn_t *txn, const aigw_login_t *expected,
    aigw_user_t *user, aigw_login_t *login)
{
    aigw_store_load_user(txn, expected->user_id, user);
    aigw_store_load_login(txn, expected->user_id, login);

    if (expected->token_version != 0
        && expected->token_version != login->token_version)
    {
        aigw_db_fail(txn, AIGW_AGAIN);
    }
}


aigw_err_t
aigw_store_register(aigw_store_t *store, const aigw_password_t *password,
    aigw_user_t *user, aigw_login_t *login)
{
    aigw_user_t    u = *user;
    aigw_login_t   l;
    aigw_db_txn_t  txn;

    if (password->scheme != AIGW_PASSWORD_SCRYPT
        || aigw_store_check_user(&u) != AIGW_OK)
    {
        return AIGW_EINVAL;
    }

    u.created_ms = aigw_time_now_ms();
    aigw_db_write(store->control, &txn);
    aigw_store_add_user(store, &txn, &u, &l);
    aigw_store_put_password(store, &txn, &u, &l, password);

    return aigw_store_end_login(&txn, &u, &l, user, login);
}


aigw_err_t
aigw_store_sign_up(aigw_store_t *store, const aigw_password_t *password,
    aigw_user_t *user, aigw_login_t *login)
{
    aigw_err_t   err;
    aigw_user_t  u = *user;

    u.role = AIGW_ROLE_MEMBER;
    u.enabled = 1;
    err = aigw_store_register(store, password, &u, login);

    if (err == AIGW_OK) {
        *user = u;
    }

    return err;
}


static aigw_err_t
change_password(aigw_store_t *store, aigw_login_t *login, int rehash)
{
    aigw_user_t    user;
    aigw_login_t   l;
    aigw_db_txn_t  txn;

    if (login->password.scheme >= AIGW_PASSWORD_SCHEMES) {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    load_expected(&txn, login, &user, &l);

    if (rehash) {
        l.password = login->password;
        aigw_store_put_login(&txn, &l);
        tell(store, &txn, &user, "rehash", "password_hash");

    } else {
        aigw_store_put_password(store, &txn, &user, &l, &login->password);
    }

    return aigw_store_end_login(&txn, NULL, &l, NULL, login);
}


aigw_err_t
aigw_store_set_password(aigw_store_t *store, aigw_login_t *login)
{
    return change_password(store, login, 0);
}


aigw_err_t
aigw_store_rehash_password(aigw_store_t *store, aigw_login_t *login)
{
    return change_password(store, login, 1);
}


aigw_err_t
aigw_store_raise_version(aigw_store_t *store, uint64_t user_id,
    uint32_t *version)
{
    aigw_err_t     err;
    aigw_user_t    user;
    aigw_login_t   login;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_load_user(&txn, user_id, &user);
    aigw_store_raise_login(&txn, user_id);
    aigw_store_load_login(&txn, user_id, &login);
    tell(store, &txn, &user, "logout", "tokens");
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *version = login.token_version;
    }

    return err;
}
