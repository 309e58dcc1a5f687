/*
 * Writing control: upstreams, and the secrets that are sealed for them. Each
 * call is one transaction.
 */

#include <string.h>

#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"


/* What the audit log tells of one: no secret. */
static const aigw_field_t  told[] = {
    { "id", AIGW_FIELD_UINT, offsetof(aigw_upstream_t, id), 8, 0 },
    { "name", AIGW_FIELD_TEXT, offsetof(aigw_upstream_t, name),
      AIGW_NAME_MAX, 0 },
    { "url", AIGW_FIELD_TEXT, offsetof(aigw_upstream_t, url), AIGW_URL_MAX,
      0 },
    { "log_user", AIGW_FIELD_UINT, offsetof(aigw_upstream_t, log_user), 8,
      0 },
    { NULL, 0, 0, 0, 0 }
};


/* secret: which of them is another, or NULL. */
static void
audit(aigw_store_t *store, aigw_db_txn_t *txn, const aigw_upstream_t *old,
    const aigw_upstream_t *u, const char *secret)
{
    aigw_store_changed_t  changed = {
        old == NULL ? "create" : "set", "upstream", u->id, u->name, told, old,
        u, secret
    };

    aigw_store_audit_changed(store, txn, &changed);
}


/* Gives u the secret: a new one is sealed for its id, none keeps the old one,
   which must not follow the name to another URL. */
static aigw_err_t
seal_secret(const aigw_seal_master_t *master, const aigw_upstream_t *old,
    aigw_str_t secret, aigw_upstream_t *u)
{
    size_t      len;
    aigw_err_t  err;

    if (secret.len == 0) {
        if (old == NULL || strcmp(old->url, u->url) != 0) {
            return AIGW_EINVAL;
        }

        u->sealed_len = old->sealed_len;
        memcpy(u->sealed, old->sealed, old->sealed_len);

        return AIGW_OK;
    }

    err = aigw_seal(master, u->id, secret, u->sealed, &len);

    if (err == AIGW_OK) {
        u->sealed_len = (uint16_t) len;
    }

    return err;
}


/* Accounts are the same only at the same place. */
static void
keep_accounts(aigw_store_t *store, aigw_db_txn_t *txn, aigw_upstream_t *u,
    const aigw_upstream_t *old)
{
    if (strcmp(u->url, old->url) != 0) {
        aigw_store_drop_driver(store, txn, old);
        return;
    }

    u->log_user = old->log_user;
    u->log_sealed_len = old->log_sealed_len;
    memcpy(u->log_sealed, old->log_sealed, old->log_sealed_len);
}


aigw_err_t
aigw_store_set_upstream(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_upstream_t *upstream,
    aigw_str_t secret)
{
    int              known;
    uint8_t          buf[AIGW_RECORD_MAX];
    aigw_err_t       err;
    aigw_str_t       name, url;
    aigw_db_key_t    at;
    aigw_db_txn_t    txn;
    aigw_upstream_t  old, u;

    name = aigw_store_text(upstream->name, sizeof(upstream->name));
    url = aigw_store_text(upstream->url, sizeof(upstream->url));

    if (aigw_store_check_name(name) != AIGW_OK || url.len == 0
        || url.len > AIGW_URL_MAX)
    {
        return AIGW_EINVAL;
    }

    u = *upstream;
    u.changed_ms = aigw_time_now_ms();

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, name);

    known = aigw_store_load(&txn, AIGW_CONTROL_UPSTREAMS, &at,
                            aigw_store_unpack_upstream, &old);

    u.log_user = 0;
    u.log_sealed_len = 0;

    if (known) {
        u.id = old.id;
        u.created_ms = old.created_ms;
        keep_accounts(store, &txn, &u, &old);

    } else {
        u.id = aigw_store_get_meta(&txn, AIGW_META_UPSTREAM) + 1;
        u.created_ms = u.changed_ms;
        aigw_store_put_meta(&txn, AIGW_META_UPSTREAM, u.id);
    }

    if (txn.err == AIGW_OK) {
        aigw_db_fail(&txn, seal_secret(master, known ? &old : NULL, secret,
                                       &u));
    }

    if (txn.err == AIGW_OK) {
        aigw_db_put(&txn, AIGW_CONTROL_UPSTREAMS, &at, buf,
                    aigw_record_pack_upstream(&u, buf));
        audit(store, &txn, known ? &old : NULL, &u,
              secret.len > 0 ? "secret" : NULL);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *upstream = u;
    }

    return err;
}


aigw_err_t
aigw_store_set_upstream_log(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_upstream_t *upstream, uint64_t user,
    aigw_str_t token)
{
    size_t           len;
    uint8_t          buf[AIGW_RECORD_MAX];
    aigw_err_t       err;
    aigw_db_key_t    at;
    aigw_db_txn_t    txn;
    aigw_upstream_t  old, u;

    if (user == 0 || token.len == 0 || token.len > AIGW_SECRET_MAX) {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, aigw_store_text(upstream->name, AIGW_NAME_MAX));

    if (!aigw_store_load(&txn, AIGW_CONTROL_UPSTREAMS, &at,
                         aigw_store_unpack_upstream, &old))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);

    } else {
        u = old;
        err = aigw_seal(master, AIGW_UPSTREAM_LOG(u.id), token, u.log_sealed,
                        &len);
        aigw_db_fail(&txn, err);
        u.log_user = user;
        u.log_sealed_len = err == AIGW_OK ? (uint16_t) len : 0;
        u.changed_ms = aigw_time_now_ms();
    }

    if (txn.err == AIGW_OK) {
        aigw_db_put(&txn, AIGW_CONTROL_UPSTREAMS, &at, buf,
                    aigw_record_pack_upstream(&u, buf));
        audit(store, &txn, &old, &u, "log_token");
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *upstream = u;
    }

    return err;
}
