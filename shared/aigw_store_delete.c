/*
 * Writing control: users, projects, keys and models are deleted. Their rows in
 * usage stay, with ids that no other thing ever gets: a record of the name is
 * left for them. Each call is one transaction.
 */

#include <string.h>

#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"


/* Deletes from a table of names. */
static void
drop_name(aigw_db_txn_t *txn, unsigned table, const char *name)
{
    aigw_db_key_t  at;

    aigw_store_key_text(&at, aigw_store_text(name, AIGW_NAME_MAX));
    (void) aigw_db_delete(txn, table, &at);
}


static void
drop_id(aigw_db_txn_t *txn, unsigned table, uint64_t id)
{
    aigw_db_key_t  at;

    aigw_store_key_int(&at, id);
    (void) aigw_db_delete(txn, table, &at);
}


static void
leave(aigw_db_txn_t *txn, aigw_account_kind_t kind, uint64_t id,
    uint64_t of_id, const char *name)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_gone_t    gone;
    aigw_db_key_t  at;

    gone.of_id = of_id;
    gone.gone_ms = aigw_time_now_ms();
    memcpy(gone.name, name, sizeof(gone.name));

    aigw_db_key(&at);
    aigw_db_key_int(&at, kind, 1);
    aigw_db_key_int(&at, id, 8);
    aigw_db_put(txn, AIGW_CONTROL_GONE, &at, buf,
                aigw_record_pack_gone(&gone, buf));
}


static void
drop_key(aigw_store_t *store, aigw_db_txn_t *txn, uint64_t id)
{
    aigw_key_t     key;
    aigw_db_key_t  at;

    aigw_store_load_key(txn, id, &key);

    if (txn->err != AIGW_OK) {
        return;
    }

    aigw_store_key_hash(&at, key.hash);
    (void) aigw_db_delete(txn, AIGW_CONTROL_KEYS, &at);

    if (key.old_until_ms != 0) {
        aigw_store_key_hash(&at, key.old_hash);
        (void) aigw_db_delete(txn, AIGW_CONTROL_KEYS, &at);
    }

    if (key.name[0] != '\0') {
        aigw_store_key_name(&at, &key);
        (void) aigw_db_delete(txn, AIGW_CONTROL_KEY_NAMES, &at);
    }

    aigw_store_key_of_project(&at, &key);
    (void) aigw_db_delete(txn, AIGW_CONTROL_PROJECT_KEYS, &at);
    drop_id(txn, AIGW_CONTROL_KEY_IDS, id);

    leave(txn, AIGW_ACCOUNT_KEY, id, key.project_id, key.name);
    aigw_store_audit(store, txn, "delete", AIGW_LINE_KEY, &key, NULL);
}


aigw_err_t
aigw_store_delete_key(aigw_store_t *store, uint64_t id)
{
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    drop_key(store, &txn, id);

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_delete_project(aigw_store_t *store, uint64_t id)
{
    uint64_t        key_id;
    aigw_db_key_t   at;
    aigw_db_txn_t   txn;
    aigw_project_t  project;

    aigw_db_write(store->control, &txn);
    aigw_store_key_int(&at, id);

    if (aigw_store_load(&txn, AIGW_CONTROL_PROJECTS, &at,
                        aigw_store_unpack_project, &project))
    {
        while (aigw_store_first_of(&txn, AIGW_CONTROL_PROJECT_KEYS, id,
                                   &key_id))
        {
            drop_key(store, &txn, key_id);
        }

        aigw_store_retire_all(store, &txn, id);
        drop_name(&txn, AIGW_CONTROL_PROJECT_NAMES, project.name);
        drop_id(&txn, AIGW_CONTROL_PROJECTS, id);
        leave(&txn, AIGW_ACCOUNT_PROJECT, id, project.user_id, project.name);
        aigw_store_audit(store, &txn, "delete", AIGW_LINE_PROJECT, &project,
                         NULL);

    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}


static int
has_project(aigw_db_txn_t *txn, uint64_t user_id)
{
    int               more;
    aigw_db_key_t     first;
    aigw_project_t    project = { 0 };
    aigw_db_cursor_t  cur;

    aigw_db_cursor(&cur, txn, AIGW_CONTROL_PROJECTS);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        aigw_db_fail(txn, aigw_record_unpack_project(cur.value.data,
                                                     cur.value.len,
                                                     &project));

        if (txn->err != AIGW_OK || project.user_id == user_id) {
            break;
        }
    }

    aigw_db_cursor_close(&cur);

    return more;
}


aigw_err_t
aigw_store_delete_user(aigw_store_t *store, uint64_t id)
{
    aigw_user_t    user;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_key_int(&at, id);

    if (!aigw_store_load(&txn, AIGW_CONTROL_USERS, &at,
                         aigw_store_unpack_user, &user))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);

    } else if (has_project(&txn, id)) {
        aigw_db_fail(&txn, AIGW_EEXIST);

    } else {
        aigw_store_keep_admin(&txn, &user, NULL);
        drop_name(&txn, AIGW_CONTROL_USER_NAMES, user.name);
        drop_id(&txn, AIGW_CONTROL_USERS, id);
        drop_id(&txn, AIGW_CONTROL_LOGINS, id);
        leave(&txn, AIGW_ACCOUNT_USER, id, 0, user.name);
        aigw_store_audit(store, &txn, "delete", AIGW_LINE_USER, &user, NULL);
    }

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_delete_model(aigw_store_t *store, aigw_str_t name)
{
    aigw_model_t   model;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    if (aigw_store_check_model(name) != AIGW_OK) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, name);

    if (aigw_store_load(&txn, AIGW_CONTROL_MODELS, &at,
                        aigw_store_unpack_model, &model))
    {
        (void) aigw_db_delete(&txn, AIGW_CONTROL_MODELS, &at);
        aigw_store_audit(store, &txn, "delete", AIGW_LINE_MODEL, &model,
                         NULL);

    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}
