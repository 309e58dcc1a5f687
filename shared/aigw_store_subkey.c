/*
 * Writing sub-keys. Each call is one transaction: the records, the table of
 * active ones and the projects' own marks change together.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "aigw_limit.h"
#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"
#include "aigw_store_subkey.h"


#define RANDOM_LEN  8                 /* letters of 5 bits */
#define SHOWN_IDS   10000000          /* of a project's id: 7 digits */


static aigw_str_t
name_of(const aigw_subkey_t *subkey)
{
    return aigw_store_text(subkey->name, AIGW_SUBKEY_NAME_MAX);
}


/* At most AIGW_SUBKEY_NAME_MAX bytes: older ones take no more. */
static aigw_err_t
make_name(const aigw_store_t *store, aigw_subkey_t *subkey)
{
    char      prefix[AIGW_SUBKEY_PREFIX_LEN + 1], tail[RANDOM_LEN + 1];
    size_t    i;
    uint8_t   random[RANDOM_LEN];

    static const char  letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return AIGW_ECRYPTO;
    }

    for (i = 0; i < RANDOM_LEN; i++) {
        tail[i] = letters[random[i] & 31];
    }

    tail[RANDOM_LEN] = '\0';
    aigw_store_subkey_prefix(store, prefix);
    (void) snprintf(subkey->name, sizeof(subkey->name), "%s%" PRIu64 "-%s",
                    prefix, subkey->project_id % SHOWN_IDS, tail);

    return AIGW_OK;
}


void
aigw_store_put_subkey(aigw_db_txn_t *txn, const aigw_subkey_t *subkey)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;

    aigw_store_key_text(&at, name_of(subkey));
    aigw_db_put(txn, AIGW_CONTROL_SUBKEYS, &at, buf,
                aigw_record_pack_subkey(subkey, buf));
}


void
aigw_store_put_active(aigw_db_txn_t *txn, const aigw_subkey_t *subkey)
{
    aigw_db_key_t  at;

    aigw_store_key_subkey(&at, subkey->project_id, subkey->upstream_id);
    aigw_db_put(txn, AIGW_CONTROL_PROJECT_SUBKEYS, &at, subkey->name,
                name_of(subkey).len);
}


void
aigw_store_mark_subkeys(aigw_db_txn_t *txn, uint64_t project_id)
{
    uint8_t         any;
    uint64_t        upstream_id;
    aigw_db_key_t   at;
    aigw_project_t  project;

    any = aigw_store_first_of(txn, AIGW_CONTROL_PROJECT_SUBKEYS, project_id,
                              &upstream_id) != 0;
    aigw_store_key_int(&at, project_id);

    if (aigw_store_load(txn, AIGW_CONTROL_PROJECTS, &at,
                        aigw_store_unpack_project, &project)
        && project.has_subkey != any)
    {
        project.has_subkey = any;
        aigw_store_put_project(txn, &project);
    }
}


/* Within a transaction: neither active nor planned any more, no secret. */
static void
retire(aigw_store_t *store, aigw_db_txn_t *txn, unsigned state,
    aigw_subkey_t *subkey)
{
    aigw_db_key_t  at;
    aigw_subkey_t  old = *subkey;

    if (subkey->state == AIGW_SUBKEY_ACTIVE) {
        aigw_store_key_subkey(&at, subkey->project_id, subkey->upstream_id);
        (void) aigw_db_delete(txn, AIGW_CONTROL_PROJECT_SUBKEYS, &at);
    }

    subkey->state = (uint8_t) state;
    subkey->changed_ms = aigw_time_now_ms();
    subkey->sealed_len = 0;
    aigw_store_put_subkey(txn, subkey);
    aigw_store_audit(store, txn, "retire", AIGW_LINE_SUBKEY, &old, subkey);
}


aigw_err_t
aigw_store_check_subkey(const aigw_subkey_t *subkey)
{
    return name_of(subkey).len > 0 && subkey->state > 0
           && subkey->state < AIGW_SUBKEY_MAX && subkey->project_id > 0
           && subkey->upstream_id > 0 && subkey->quota_nano >= AIGW_UNLIMITED
           && subkey->expires_ms >= 0
           && (subkey->sealed_len > 0) == (subkey->state == AIGW_SUBKEY_ACTIVE)
           && aigw_limit_check_models(aigw_store_text(subkey->models,
                                                      sizeof(subkey->models)))
              == AIGW_OK
           ? AIGW_OK : AIGW_EINVAL;
}


aigw_err_t
aigw_store_plan_subkey(aigw_store_t *store, aigw_subkey_t *subkey)
{
    aigw_err_t      err;
    aigw_db_key_t   at;
    aigw_db_txn_t   txn;
    aigw_subkey_t   s, taken;
    aigw_driver_t   driver;

    s = *subkey;
    s.state = AIGW_SUBKEY_PLANNED;
    s.remote_id = 0;
    s.sealed_len = 0;
    s.created_ms = aigw_time_now_ms();
    s.changed_ms = s.created_ms;
    err = make_name(store, &s);

    if (err == AIGW_OK) {
        err = aigw_store_check_subkey(&s);
    }

    if (err != AIGW_OK) {
        return err;
    }

    aigw_db_write(store->control, &txn);
    aigw_store_need(&txn, AIGW_CONTROL_PROJECTS, s.project_id);
    aigw_store_key_int(&at, s.upstream_id);

    if (!aigw_store_load(&txn, AIGW_CONTROL_DRIVERS, &at,
                         aigw_store_unpack_driver, &driver))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    if (aigw_store_load_subkey(&txn, name_of(&s), &taken)) {
        aigw_db_fail(&txn, AIGW_EEXIST);
    }

    aigw_store_put_subkey(&txn, &s);
    aigw_store_audit(store, &txn, "plan", AIGW_LINE_SUBKEY, NULL, &s);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *subkey = s;
    }

    return err;
}


/* Makes room for the new one, or fails. */
static void
replace(aigw_store_t *store, aigw_db_txn_t *txn, const aigw_subkey_t *subkey,
    aigw_str_t replaces)
{
    aigw_str_t     name;
    aigw_subkey_t  old;

    if (!aigw_store_load_active(txn, subkey->project_id, subkey->upstream_id,
                                &old))
    {
        return;
    }

    name = name_of(&old);

    if (name.len != replaces.len
        || memcmp(name.data, replaces.data, name.len) != 0)
    {
        aigw_db_fail(txn, AIGW_EEXIST);
        return;
    }

    retire(store, txn, AIGW_SUBKEY_RETIRING, &old);
}


static aigw_err_t
seal_subkey(const aigw_seal_master_t *master, aigw_str_t secret,
    aigw_subkey_t *subkey)
{
    size_t         len;
    aigw_err_t     err;
    aigw_str_t     bound;
    aigw_db_key_t  buf;

    if (secret.len == 0) {
        return AIGW_EINVAL;
    }

    bound = aigw_store_bound_to(subkey->project_id, subkey->upstream_id,
                                subkey, &buf);
    err = aigw_seal_bound(master, bound, secret, subkey->sealed, &len);

    if (err == AIGW_OK) {
        subkey->sealed_len = (uint16_t) len;
    }

    return err;
}


aigw_err_t
aigw_store_activate_subkey(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_subkey_t *subkey, aigw_str_t secret,
    aigw_str_t replaces)
{
    aigw_err_t     err;
    aigw_db_txn_t  txn;
    aigw_subkey_t  old, s;

    aigw_db_write(store->control, &txn);

    if (!aigw_store_load_subkey(&txn, name_of(subkey), &old)
        || old.state != AIGW_SUBKEY_PLANNED)
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);

    } else {
        aigw_store_need(&txn, AIGW_CONTROL_PROJECTS, old.project_id);
        replace(store, &txn, &old, replaces);
    }

    if (txn.err == AIGW_OK) {
        s = old;
        s.state = AIGW_SUBKEY_ACTIVE;
        s.remote_id = subkey->remote_id;
        s.changed_ms = aigw_time_now_ms();
        aigw_db_fail(&txn, seal_subkey(master, secret, &s));
    }

    if (txn.err == AIGW_OK) {
        aigw_store_put_subkey(&txn, &s);
        aigw_store_put_active(&txn, &s);
        aigw_store_mark_subkeys(&txn, s.project_id);
        aigw_store_audit_secret(store, &txn, "activate", AIGW_LINE_SUBKEY,
                                &old, &s);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *subkey = s;
    }

    return err;
}


aigw_err_t
aigw_store_retire_subkey(aigw_store_t *store, unsigned state,
    aigw_subkey_t *subkey)
{
    aigw_err_t     err;
    aigw_db_txn_t  txn;
    aigw_subkey_t  s;

    if (state != AIGW_SUBKEY_RETIRING && state != AIGW_SUBKEY_FORGOTTEN) {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);

    if (aigw_store_load_subkey(&txn, name_of(subkey), &s)) {
        retire(store, &txn, state, &s);
        aigw_store_mark_subkeys(&txn, s.project_id);

    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *subkey = s;
    }

    return err;
}


void
aigw_store_retire_all(aigw_store_t *store, aigw_db_txn_t *txn,
    uint64_t project_id)
{
    uint64_t       upstream_id;
    aigw_subkey_t  subkey;

    while (aigw_store_first_of(txn, AIGW_CONTROL_PROJECT_SUBKEYS, project_id,
                               &upstream_id)
           && aigw_store_load_active(txn, project_id, upstream_id, &subkey))
    {
        retire(store, txn, AIGW_SUBKEY_RETIRING, &subkey);
    }
}


aigw_err_t
aigw_store_drop_subkey(aigw_store_t *store, aigw_str_t name)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;
    aigw_subkey_t  s;

    aigw_db_write(store->control, &txn);

    if (!aigw_store_load_subkey(&txn, name, &s)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);

    } else if (s.state == AIGW_SUBKEY_ACTIVE) {
        aigw_db_fail(&txn, AIGW_EINVAL);

    } else {
        aigw_store_key_text(&at, name);
        (void) aigw_db_delete(&txn, AIGW_CONTROL_SUBKEYS, &at);
        aigw_store_audit(store, &txn, "drop", AIGW_LINE_SUBKEY, &s, NULL);
    }

    return aigw_db_end(&txn);
}
