/*
 * What the request's path reads of control: access, price, upstream, model
 * names. One held reader, renewed and reset: no allocation but a cursor's, no
 * system call, no lock.
 */

#include <string.h>

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


aigw_err_t
aigw_store_find_access(aigw_store_t *store,
    const uint8_t hash[AIGW_KEY_HASH_LEN], aigw_access_t *access)
{
    aigw_key_t      key;
    aigw_err_t      err;
    aigw_user_t     user;
    aigw_db_txn_t   txn;
    aigw_db_key_t   at;
    aigw_project_t  project;

    aigw_db_read(store->control, &txn);

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, hash, AIGW_KEY_HASH_LEN);

    if (!aigw_store_load(&txn, AIGW_CONTROL_KEYS, &at, aigw_store_unpack_key,
                         &key))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
        return aigw_db_end(&txn);
    }

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


/* Others have the price of "*": a NUL might look like the end of another's
   name. */
static int
can_be_model(aigw_str_t model)
{
    return model.len > 0 && model.len <= AIGW_MODEL_MAX
           && memchr(model.data, '\0', model.len) == NULL;
}


/* The newest price of model at now_ms: 1 if there is one. */
static int
find_price(aigw_db_txn_t *txn, aigw_db_cursor_t *cur, aigw_str_t model,
    int64_t now_ms, aigw_price_entry_t *entry)
{
    aigw_db_key_t  at, prefix;

    aigw_store_key_price(&at, model, now_ms);

    prefix = at;
    prefix.len = model.len + 1;

    if (!aigw_db_seek(cur, &at) || !aigw_db_in(cur, &prefix)) {
        return 0;
    }

    aigw_db_fail(txn, aigw_record_unpack_price(cur->value.data,
                                               cur->value.len, entry));

    return txn->err == AIGW_OK;
}


aigw_err_t
aigw_store_find_price(aigw_store_t *store, aigw_str_t model, int64_t now_ms,
    aigw_price_t *price)
{
    aigw_err_t          err;
    aigw_db_txn_t       txn;
    aigw_db_cursor_t    cur;
    aigw_price_entry_t  entry;

    static const aigw_str_t  any = aigw_str("*");

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_PRICES);

    if ((!can_be_model(model)
         || !find_price(&txn, &cur, model, now_ms, &entry))
        && !find_price(&txn, &cur, any, now_ms, &entry))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    aigw_db_cursor_close(&cur);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *price = entry.price;
    }

    return err;
}


aigw_err_t
aigw_store_find_alias(aigw_store_t *store, aigw_str_t name,
    char target[AIGW_MODEL_MAX + 1])
{
    aigw_err_t     err;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;
    aigw_model_t   model;

    if (!can_be_model(name)) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);
    aigw_store_key_text(&at, name);

    if (!aigw_store_load(&txn, AIGW_CONTROL_MODELS, &at,
                         aigw_store_unpack_model, &model)
        || model.alias_of[0] == '\0')
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        copy_text(target, model.alias_of);
    }

    return err;
}


aigw_err_t
aigw_store_find_upstream(aigw_store_t *store, aigw_str_t name,
    aigw_upstream_t *upstream)
{
    aigw_err_t       err;
    aigw_db_key_t    at;
    aigw_db_txn_t    txn;
    aigw_upstream_t  result;

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

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *upstream = result;
    }

    return err;
}


/* The next model's name in either table; done says that there is none. */
typedef struct {
    aigw_db_cursor_t  cur;
    unsigned          priced;         /* its keys go on behind a NUL */
    int               done;
    aigw_str_t        name;           /* in the map */
} names_t;


/* Moves to the first name behind name: keys of one name begin with it and a
   NUL (prices) or end there (models), and no name has a byte below '!'. */
static void
names_after(names_t *names, aigw_str_t name)
{
    size_t         len;
    const char    *data;
    aigw_db_key_t  at;

    aigw_store_key_text(&at, name);

    if (name.len > 0) {
        aigw_db_key_int(&at, 1, 1);
    }

    names->done = !aigw_db_seek(&names->cur, &at);

    if (names->done) {
        return;
    }

    data = (const char *) names->cur.key.data;
    len = names->cur.key.len;

    if (names->priced) {
        len = aigw_store_text(data, len).len;
    }

    names->name = (aigw_str_t) { len, data };

    if (names->priced && len == 1 && data[0] == '*') {
        names_after(names, names->name);
    }
}


/* As memcmp, a shorter one first. */
static int
compare_names(aigw_str_t a, aigw_str_t b)
{
    int  order;

    order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}


/* Moves on if it stands on name. */
static void
names_past(names_t *names, aigw_str_t name)
{
    if (!names->done && compare_names(names->name, name) == 0) {
        names_after(names, name);
    }
}


static names_t *
lower(names_t *models, names_t *prices)
{
    if (models->done || prices->done) {
        return models->done ? prices : models;
    }

    return compare_names(models->name, prices->name) <= 0 ? models : prices;
}


aigw_err_t
aigw_store_list_model_names(aigw_store_t *store, aigw_str_t after,
    char (*list)[AIGW_MODEL_MAX + 1], size_t max, size_t *n)
{
    size_t         count;
    names_t        models, prices;
    names_t       *next;
    aigw_str_t     name;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    if (after.len > AIGW_MODEL_MAX) {
        return AIGW_EINVAL;
    }

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&models.cur, &txn, AIGW_CONTROL_MODELS);
    aigw_db_cursor(&prices.cur, &txn, AIGW_CONTROL_PRICES);
    models.priced = 0;
    prices.priced = 1;
    names_after(&models, after);
    names_after(&prices, after);

    for (count = 0; count < max; count++) {
        next = lower(&models, &prices);

        if (next->done) {
            break;
        }

        name = next->name;

        if (name.len > AIGW_MODEL_MAX) {
            aigw_db_fail(&txn, AIGW_ECORRUPT);
            break;
        }

        memcpy(list[count], name.data, name.len);
        list[count][name.len] = '\0';

        /* both may stand on it */
        name.data = list[count];
        names_past(&prices, name);
        names_past(&models, name);
    }

    aigw_db_cursor_close(&models.cur);
    aigw_db_cursor_close(&prices.cur);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *n = count;
    }

    return err;
}
