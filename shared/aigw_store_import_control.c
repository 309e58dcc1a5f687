/*
 * Importing control: each line is checked as a command would check it, and
 * against those before it. All in the one transaction of the import.
 */

#include <openssl/crypto.h>
#include <string.h>

#include "aigw_store_line.h"


#define TEXT(field)  aigw_store_text(field, sizeof(field))


/* An id that was given away, and is not there yet. */
static aigw_err_t
check_id(aigw_store_import_t *m, unsigned table, uint64_t id, uint64_t highest)
{
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    aigw_store_key_int(&at, id);

    if (id == 0 || id > highest) {
        return aigw_store_import_fault(m, AIGW_ERANGE, "its id is not among"
                                       " those of the counters");
    }

    return aigw_db_get(&m->control, table, &at, &value)
           ? aigw_store_import_fault(m, AIGW_EEXIST, "its id is there twice")
           : AIGW_OK;
}


static int
is_there(aigw_store_import_t *m, unsigned table, uint64_t id)
{
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    aigw_store_key_int(&at, id);

    return aigw_db_get(&m->control, table, &at, &value);
}


/* What took its name or its hash. */
static aigw_err_t
taken(aigw_store_import_t *m)
{
    return m->control.err == AIGW_EEXIST
           ? aigw_store_import_fault(m, AIGW_EEXIST, "its name is taken")
           : m->control.err;
}


static aigw_err_t
add_user(aigw_store_import_t *m)
{
    aigw_err_t          err;
    aigw_login_t        login;
    aigw_db_key_t       at;
    const aigw_user_t  *user = &m->line.u.user;

    if (aigw_store_check_user(user) != AIGW_OK) {
        return aigw_store_import_fault(m, AIGW_EINVAL, "no user can be that");
    }

    err = check_id(m, AIGW_CONTROL_USERS, user->id, m->counters.user);

    if (err != AIGW_OK) {
        return err;
    }

    aigw_store_key_text(&at, TEXT(user->name));
    aigw_store_take_name(&m->control, AIGW_CONTROL_USER_NAMES, &at, user->id);
    aigw_store_put_user(&m->control, user);
    aigw_store_add_login(&m->control, user->id, &login);

    return taken(m);
}


static aigw_err_t
add_project(aigw_store_import_t *m)
{
    aigw_err_t             err;
    aigw_db_key_t          at;
    const aigw_project_t  *project = &m->line.u.project;

    if (aigw_store_check_project(project) != AIGW_OK) {
        return aigw_store_import_fault(m, AIGW_EINVAL,
                                       "no project can be that");
    }

    err = check_id(m, AIGW_CONTROL_PROJECTS, project->id,
                   m->counters.project);

    if (err != AIGW_OK) {
        return err;
    }

    if (!is_there(m, AIGW_CONTROL_USERS, project->user_id)) {
        return aigw_store_import_fault(m, AIGW_ENOTFOUND,
                                       "there is no such user");
    }

    aigw_store_key_text(&at, TEXT(project->name));
    aigw_store_take_name(&m->control, AIGW_CONTROL_PROJECT_NAMES, &at,
                         project->id);
    aigw_store_put_project(&m->control, project);

    return taken(m);
}


/* A hash opens one key. */
static int
is_free(aigw_store_import_t *m, const uint8_t hash[AIGW_KEY_HASH_LEN])
{
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    aigw_store_key_hash(&at, hash);

    return !aigw_db_get(&m->control, AIGW_CONTROL_KEYS, &at, &value);
}


static aigw_err_t
add_key(aigw_store_import_t *m)
{
    aigw_err_t         err;
    aigw_db_key_t      at;
    const aigw_key_t  *key = &m->line.u.key;

    if (aigw_store_check_key(key) != AIGW_OK) {
        return aigw_store_import_fault(m, AIGW_EINVAL, "no key can be that");
    }

    err = check_id(m, AIGW_CONTROL_KEY_IDS, key->id, m->counters.key);

    if (err != AIGW_OK) {
        return err;
    }

    if (!is_there(m, AIGW_CONTROL_PROJECTS, key->project_id)) {
        return aigw_store_import_fault(m, AIGW_ENOTFOUND,
                                       "there is no such project");
    }

    if (!is_free(m, key->hash)
        || (key->old_until_ms != 0
            && (!is_free(m, key->old_hash)
                || CRYPTO_memcmp(key->hash, key->old_hash,
                                 AIGW_KEY_HASH_LEN) == 0)))
    {
        return aigw_store_import_fault(m, AIGW_EEXIST,
                                       "its hash is another key's");
    }

    aigw_store_put_key(&m->control, key);
    aigw_store_key_int(&at, key->id);
    aigw_db_put(&m->control, AIGW_CONTROL_KEY_IDS, &at, key->hash,
                AIGW_KEY_HASH_LEN);
    aigw_store_key_of_project(&at, key);
    aigw_db_put(&m->control, AIGW_CONTROL_PROJECT_KEYS, &at, key->hash,
                AIGW_KEY_HASH_LEN);

    if (key->name[0] != '\0') {
        aigw_store_key_name(&at, key);
        aigw_store_take_name(&m->control, AIGW_CONTROL_KEY_NAMES, &at,
                             key->id);
    }

    return taken(m);
}


/* Writes what no other line may have written. */
static aigw_err_t
add_new(aigw_store_import_t *m, unsigned table, const aigw_db_key_t *at,
    const void *data, size_t len)
{
    aigw_db_value_t  value;

    if (aigw_db_get(&m->control, table, at, &value)) {
        return aigw_store_import_fault(m, AIGW_EEXIST, "it is there twice");
    }

    aigw_db_put(&m->control, table, at, data, len);

    return m->control.err;
}


static aigw_err_t
add_gone(aigw_store_import_t *m)
{
    uint8_t                  buf[AIGW_RECORD_MAX];
    uint64_t                 highest;
    unsigned                 table;
    aigw_err_t               err;
    aigw_db_key_t            at;
    const aigw_line_gone_t  *gone = &m->line.u.gone;

    switch (gone->kind) {

    case AIGW_ACCOUNT_USER:
        table = AIGW_CONTROL_USERS;
        highest = m->counters.user;
        break;

    case AIGW_ACCOUNT_PROJECT:
        table = AIGW_CONTROL_PROJECTS;
        highest = m->counters.project;
        break;

    case AIGW_ACCOUNT_KEY:
        table = AIGW_CONTROL_KEY_IDS;
        highest = m->counters.key;
        break;

    default:
        return aigw_store_import_fault(m, AIGW_EINVAL, "no such kind");
    }

    err = check_id(m, table, gone->id, highest);

    if (err != AIGW_OK) {
        return err;
    }

    aigw_db_key(&at);
    aigw_db_key_int(&at, gone->kind, 1);
    aigw_db_key_int(&at, gone->id, 8);

    return add_new(m, AIGW_CONTROL_GONE, &at, buf,
                   aigw_record_pack_gone(&gone->gone, buf));
}


static aigw_err_t
add_model(aigw_store_import_t *m)
{
    uint8_t              buf[AIGW_RECORD_MAX];
    aigw_db_key_t        at;
    const aigw_model_t  *model = &m->line.u.model;

    if (aigw_store_check_model(TEXT(model->name)) != AIGW_OK
        || (model->alias_of[0] != '\0'
            && aigw_store_check_model(TEXT(model->alias_of)) != AIGW_OK)
        || model->max_output > AIGW_TOKENS_MAX
        || model->context > AIGW_TOKENS_MAX)
    {
        return aigw_store_import_fault(m, AIGW_EINVAL, "no model can be that");
    }

    aigw_store_key_text(&at, TEXT(model->name));

    return add_new(m, AIGW_CONTROL_MODELS, &at, buf,
                   aigw_record_pack_model(model, buf));
}


static aigw_err_t
add_price(aigw_store_import_t *m)
{
    uint8_t                    buf[AIGW_RECORD_MAX];
    aigw_db_key_t              at;
    const aigw_price_entry_t  *entry = &m->line.u.price;

    if ((strcmp(entry->model, "*") != 0
         && aigw_store_check_model(TEXT(entry->model)) != AIGW_OK)
        || entry->from_ms < 0 || entry->price.version == 0
        || entry->price.version > m->counters.price
        || entry->price.prompt_nano < 0 || entry->price.completion_nano < 0)
    {
        return aigw_store_import_fault(m, AIGW_EINVAL, "no price can be that");
    }

    aigw_store_key_price(&at, TEXT(entry->model), entry->from_ms);

    return add_new(m, AIGW_CONTROL_PRICES, &at, buf,
                   aigw_record_pack_price(entry, buf));
}


static aigw_err_t
add_upstream(aigw_store_import_t *m)
{
    uint8_t                 buf[AIGW_RECORD_MAX];
    aigw_db_key_t           at;
    const aigw_upstream_t  *upstream = &m->line.u.upstream;

    if (aigw_store_check_name(TEXT(upstream->name)) != AIGW_OK
        || upstream->url[0] == '\0' || upstream->id == 0
        || upstream->id > m->counters.upstream)
    {
        return aigw_store_import_fault(m, AIGW_EINVAL,
                                       "no upstream can be that");
    }

    aigw_store_key_text(&at, TEXT(upstream->name));

    return add_new(m, AIGW_CONTROL_UPSTREAMS, &at, buf,
                   aigw_record_pack_upstream(upstream, buf));
}


/* One that is active must be the only one of its project and upstream. */
static aigw_err_t
add_subkey(aigw_store_import_t *m)
{
    aigw_subkey_t         other;
    const aigw_subkey_t  *subkey = &m->line.u.subkey;

    if (aigw_store_check_subkey(subkey) != AIGW_OK
        || subkey->project_id > m->counters.project
        || subkey->upstream_id > m->counters.upstream)
    {
        return aigw_store_import_fault(m, AIGW_EINVAL,
                                       "no sub-key can be that");
    }

    if (aigw_store_load_subkey(&m->control, TEXT(subkey->name), &other)
        || (subkey->state == AIGW_SUBKEY_ACTIVE
            && aigw_store_load_active(&m->control, subkey->project_id,
                                      subkey->upstream_id, &other)))
    {
        return aigw_store_import_fault(m, AIGW_EEXIST, "it is there twice");
    }

    aigw_store_put_subkey(&m->control, subkey);

    if (subkey->state == AIGW_SUBKEY_ACTIVE) {
        if (!is_there(m, AIGW_CONTROL_PROJECTS, subkey->project_id)) {
            return aigw_store_import_fault(m, AIGW_ENOTFOUND,
                                           "there is no such project");
        }

        aigw_store_put_active(&m->control, subkey);
        aigw_store_mark_subkeys(&m->control, subkey->project_id);
    }

    return m->control.err;
}


static aigw_err_t
add_setting(aigw_store_import_t *m)
{
    aigw_db_key_t               at;
    const aigw_line_setting_t  *setting = &m->line.u.setting;

    if (setting->name[0] == '\0' || setting->value[0] == '\0') {
        return aigw_store_import_fault(m, AIGW_EINVAL, "it is empty");
    }

    aigw_store_key_text(&at, TEXT(setting->name));

    return add_new(m, AIGW_CONTROL_SETTINGS, &at, setting->value,
                   TEXT(setting->value).len);
}


static aigw_err_t
add_counters(aigw_store_import_t *m)
{
    aigw_db_txn_t               *txn = &m->control;
    const aigw_line_counters_t  *counters = &m->line.u.counters;

    m->counters = *counters;
    aigw_store_put_meta(txn, AIGW_META_USER, counters->user);
    aigw_store_put_meta(txn, AIGW_META_PROJECT, counters->project);
    aigw_store_put_meta(txn, AIGW_META_KEY, counters->key);
    aigw_store_put_meta(txn, AIGW_META_UPSTREAM, counters->upstream);
    aigw_store_put_meta(txn, AIGW_META_PRICE, counters->price);

    return txn->err;
}


aigw_err_t
aigw_store_import_control(aigw_store_import_t *m)
{
    static aigw_err_t  (*const add[AIGW_LINE_MAX])(aigw_store_import_t *m) = {
        [AIGW_LINE_COUNTERS] = add_counters,
        [AIGW_LINE_USER] = add_user,
        [AIGW_LINE_PROJECT] = add_project,
        [AIGW_LINE_KEY] = add_key,
        [AIGW_LINE_GONE] = add_gone,
        [AIGW_LINE_MODEL] = add_model,
        [AIGW_LINE_PRICE] = add_price,
        [AIGW_LINE_UPSTREAM] = add_upstream,
        [AIGW_LINE_SUBKEY] = add_subkey,
        [AIGW_LINE_SETTING] = add_setting
    };

    return add[m->line.type](m);
}
