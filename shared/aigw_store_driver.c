/*
 * The accounts under which sub-keys are made, one for each upstream that makes
 * any. Each call is one transaction.
 */

#include <string.h>

#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"
#include "aigw_store_subkey.h"


/* What the audit log tells of one: no secret. */
static const aigw_field_t  told[] = {
    { "driver", AIGW_FIELD_UINT, offsetof(aigw_driver_t, kind), 1, 0 },
    { "master_user", AIGW_FIELD_UINT, offsetof(aigw_driver_t, user), 8, 0 },
    { "group", AIGW_FIELD_TEXT, offsetof(aigw_driver_t, group),
      AIGW_NAME_MAX, 0 },
    { "quota_per_unit", AIGW_FIELD_UINT,
      offsetof(aigw_driver_t, quota_per_unit), 4, 0 },
    { NULL, 0, 0, 0, 0 }
};


/* secret: whether its token is another. */
static void
audit(aigw_store_t *store, aigw_db_txn_t *txn, const char *name,
    const aigw_driver_t *old, const aigw_driver_t *d, int secret)
{
    aigw_store_changed_t  changed = {
        d != NULL ? "set" : "delete", "driver",
        d != NULL ? d->upstream_id : old->upstream_id, name, told, old, d,
        secret ? "master_token" : NULL
    };

    aigw_store_audit_changed(store, txn, &changed);
}


static int
load_driver(aigw_db_txn_t *txn, uint64_t upstream_id, aigw_driver_t *driver)
{
    aigw_db_key_t  at;

    aigw_store_key_int(&at, upstream_id);

    return aigw_store_load(txn, AIGW_CONTROL_DRIVERS, &at,
                           aigw_store_unpack_driver, driver);
}


aigw_err_t
aigw_store_find_driver(aigw_store_t *store, uint64_t upstream_id,
    aigw_driver_t *driver)
{
    aigw_err_t     err;
    aigw_db_txn_t  txn;
    aigw_driver_t  result;

    aigw_db_read(store->control, &txn);

    if (!load_driver(&txn, upstream_id, &result)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *driver = result;
    }

    return err;
}


int
aigw_store_has_subkeys(aigw_db_txn_t *txn, uint64_t upstream_id)
{
    int               more;
    aigw_db_key_t     first;
    aigw_subkey_t     subkey;
    aigw_db_cursor_t  cur;

    aigw_db_cursor(&cur, txn, AIGW_CONTROL_SUBKEYS);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        aigw_db_fail(txn, aigw_record_unpack_subkey(cur.value.data,
                                                    cur.value.len, &subkey));

        if (txn->err != AIGW_OK || subkey.upstream_id == upstream_id) {
            break;
        }
    }

    aigw_db_cursor_close(&cur);

    return more;
}


void
aigw_store_drop_driver(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_upstream_t *upstream)
{
    aigw_db_key_t  at;
    aigw_driver_t  old;

    if (aigw_store_has_subkeys(txn, upstream->id)) {
        aigw_db_fail(txn, AIGW_EEXIST);

    } else if (load_driver(txn, upstream->id, &old)) {
        aigw_store_key_int(&at, upstream->id);
        (void) aigw_db_delete(txn, AIGW_CONTROL_DRIVERS, &at);
        audit(store, txn, upstream->name, &old, NULL, 0);
    }
}


static aigw_err_t
check_driver(const aigw_driver_t *driver, aigw_str_t token)
{
    aigw_str_t  group;

    group = aigw_store_text(driver->group, sizeof(driver->group));

    return driver->kind < AIGW_DRIVER_MAX && driver->quota_per_unit > 0
           && group.len <= AIGW_NAME_MAX && token.len <= AIGW_SECRET_MAX
           && driver->user <= INT64_MAX
           ? AIGW_OK : AIGW_EINVAL;
}


/* A new token is sealed, none keeps the old one: of the same user. */
static aigw_err_t
seal_token(const aigw_seal_master_t *master, const aigw_driver_t *old,
    aigw_str_t token, aigw_driver_t *d)
{
    size_t      len;
    aigw_err_t  err;

    d->sealed_len = 0;

    if (token.len == 0) {
        if (old != NULL && old->user == d->user) {
            d->sealed_len = old->sealed_len;
            memcpy(d->sealed, old->sealed, old->sealed_len);
        }

        return d->user == 0 || d->sealed_len > 0 ? AIGW_OK : AIGW_EINVAL;
    }

    err = aigw_seal(master, AIGW_UPSTREAM_MASTER(d->upstream_id), token,
                    d->sealed, &len);

    if (err == AIGW_OK) {
        d->sealed_len = (uint16_t) len;
    }

    return err;
}


/* Within a transaction: of upstream, which is there. */
static void
set_driver(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_seal_master_t *master, const aigw_upstream_t *upstream,
    aigw_driver_t *d, aigw_str_t token)
{
    int            known;
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;
    aigw_driver_t  old;

    d->upstream_id = upstream->id;
    known = load_driver(txn, d->upstream_id, &old);

    if (known && (old.kind != d->kind || old.user != d->user)
        && aigw_store_has_subkeys(txn, d->upstream_id))
    {
        aigw_db_fail(txn, AIGW_EEXIST);
    }

    aigw_db_fail(txn, seal_token(master, known ? &old : NULL, token, d));

    if (txn->err != AIGW_OK) {
        return;
    }

    d->changed_ms = aigw_time_now_ms();
    aigw_store_key_int(&at, d->upstream_id);
    aigw_db_put(txn, AIGW_CONTROL_DRIVERS, &at, buf,
                aigw_record_pack_driver(d, buf));
    audit(store, txn, upstream->name, known ? &old : NULL, d, token.len > 0);
}


aigw_err_t
aigw_store_set_driver(aigw_store_t *store, const aigw_seal_master_t *master,
    aigw_str_t upstream, aigw_driver_t *driver, aigw_str_t token)
{
    aigw_err_t       err;
    aigw_db_key_t    at;
    aigw_db_txn_t    txn;
    aigw_driver_t    d = *driver;
    aigw_upstream_t  u;

    if (check_driver(&d, token) != AIGW_OK
        || aigw_store_check_name(upstream) != AIGW_OK)
    {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, upstream);

    if (!aigw_store_load(&txn, AIGW_CONTROL_UPSTREAMS, &at,
                         aigw_store_unpack_upstream, &u))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);

    } else if (d.kind == AIGW_DRIVER_NONE) {
        aigw_store_drop_driver(store, &txn, &u);

    } else {
        set_driver(store, &txn, master, &u, &d, token);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *driver = d;
    }

    return err;
}
