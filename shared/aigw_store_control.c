/*
 * Reading control: things by name or id, and lists. One read transaction a
 * call; results are copies.
 */

#include <string.h>

#include "aigw_store_internal.h"
#include "aigw_store_subkey.h"


/* 1: which is all digits, *id is their value; too many of them are 0, which
   no record has. */
static int
parse_id(aigw_str_t which, uint64_t *id)
{
    size_t    i;
    unsigned  digit;
    uint64_t  n;

    n = 0;

    for (i = 0; i < which.len; i++) {
        digit = (unsigned char) which.data[i] - (unsigned) '0';

        if (digit > 9) {
            return 0;
        }

        if (__builtin_mul_overflow(n, 10, &n)
            || __builtin_add_overflow(n, digit, &n))
        {
            n = 0;
            break;
        }
    }

    *id = n;

    return which.len > 0;
}


static int
is_name(aigw_str_t which)
{
    return which.len > 0 && which.len <= AIGW_MODEL_MAX;
}


/* A record of a table by id, which has a table of names beside it. */
static aigw_err_t
find_named(aigw_store_t *store, aigw_str_t which, unsigned table,
    unsigned names, aigw_store_unpack_pt unpack, void *record)
{
    uint64_t       id;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    if (!is_name(which)) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);

    if (!parse_id(which, &id)) {
        aigw_store_key_text(&at, which);
        id = aigw_store_get_int(&txn, names, &at);
    }

    aigw_store_key_int(&at, id);

    if (!aigw_store_load(&txn, table, &at, unpack, record)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_find_user(aigw_store_t *store, aigw_str_t which, aigw_user_t *user)
{
    return find_named(store, which, AIGW_CONTROL_USERS,
                      AIGW_CONTROL_USER_NAMES, aigw_store_unpack_user, user);
}


aigw_err_t
aigw_store_find_project(aigw_store_t *store, aigw_str_t which,
    aigw_project_t *project)
{
    return find_named(store, which, AIGW_CONTROL_PROJECTS,
                      AIGW_CONTROL_PROJECT_NAMES, aigw_store_unpack_project,
                      project);
}


aigw_err_t
aigw_store_find_key(aigw_store_t *store, uint64_t project_id,
    aigw_str_t which, aigw_key_t *key)
{
    uint64_t       id;
    aigw_key_t     result;
    aigw_err_t     err;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    if (!is_name(which)) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);

    if (!parse_id(which, &id)) {
        aigw_store_key_int(&at, project_id);
        aigw_db_key_bytes(&at, which.data, which.len);
        id = aigw_store_get_int(&txn, AIGW_CONTROL_KEY_NAMES, &at);
    }

    aigw_store_load_key(&txn, id, &result);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK && project_id != 0
        && result.project_id != project_id)
    {
        return AIGW_ENOTFOUND;
    }

    if (err == AIGW_OK) {
        *key = result;
    }

    return err;
}


aigw_err_t
aigw_store_find_gone(aigw_store_t *store, aigw_account_kind_t kind,
    uint64_t id, aigw_gone_t *gone)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_read(store->control, &txn);
    aigw_db_key(&at);
    aigw_db_key_int(&at, kind, 1);
    aigw_db_key_int(&at, id, 8);

    if (!aigw_store_load(&txn, AIGW_CONTROL_GONE, &at,
                         aigw_store_unpack_gone, gone))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_find_model(aigw_store_t *store, aigw_str_t name,
    aigw_model_t *model)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    if (!is_name(name)) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);
    aigw_store_key_text(&at, name);

    if (!aigw_store_load(&txn, AIGW_CONTROL_MODELS, &at,
                         aigw_store_unpack_model, model))
    {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}


/* What a list collects into: an array of records of one size. */
typedef struct {
    aigw_store_unpack_pt   unpack;
    char                  *next;
    size_t                 size;
    size_t                 n;
    size_t                 max;
} list_t;


static void
list_add(list_t *list, aigw_db_txn_t *txn, const aigw_db_value_t *value)
{
    aigw_db_fail(txn, list->unpack(value->data, value->len, list->next));
    list->next += list->size;
    list->n++;
}


static aigw_err_t
list_end(const list_t *list, aigw_db_txn_t *txn, aigw_db_cursor_t *cur,
    size_t *n)
{
    aigw_err_t  err;

    aigw_db_cursor_close(cur);
    err = aigw_db_end(txn);

    if (err == AIGW_OK) {
        *n = list->n;
    }

    return err;
}


static aigw_err_t
list_by_id(aigw_store_t *store, unsigned table, uint64_t before, list_t list,
    size_t *n)
{
    int               more;
    aigw_db_key_t     at;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, table);
    aigw_store_key_int(&at, before ? before : UINT64_MAX);

    for (more = aigw_db_seek_before(&cur, &at); more && list.n < list.max;
         more = aigw_db_previous(&cur))
    {
        list_add(&list, &txn, &cur.value);
    }

    return list_end(&list, &txn, &cur, n);
}


static aigw_err_t
list_by_name(aigw_store_t *store, unsigned table, aigw_str_t after,
    list_t list, size_t *n)
{
    int               more;
    aigw_db_key_t     at;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    if (after.len > AIGW_DB_KEY_MAX) {
        return AIGW_EINVAL;
    }

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, table);
    aigw_store_key_text(&at, after);
    more = aigw_db_seek(&cur, &at);

    if (more && after.len > 0 && cur.key.len == after.len
        && aigw_db_in(&cur, &at))
    {
        more = aigw_db_next(&cur);
    }

    for ( ; more && list.n < list.max; more = aigw_db_next(&cur)) {
        list_add(&list, &txn, &cur.value);
    }

    return list_end(&list, &txn, &cur, n);
}


aigw_err_t
aigw_store_list_users(aigw_store_t *store, uint64_t before,
    aigw_user_t *users, size_t max, size_t *n)
{
    list_t  list = {
        aigw_store_unpack_user, (char *) users, sizeof(*users), 0, max
    };

    return list_by_id(store, AIGW_CONTROL_USERS, before, list, n);
}


aigw_err_t
aigw_store_list_projects(aigw_store_t *store, uint64_t before,
    aigw_project_t *projects, size_t max, size_t *n)
{
    list_t  list = {
        aigw_store_unpack_project, (char *) projects, sizeof(*projects), 0,
        max
    };

    return list_by_id(store, AIGW_CONTROL_PROJECTS, before, list, n);
}


aigw_err_t
aigw_store_list_keys(aigw_store_t *store, uint64_t project_id,
    uint64_t before, aigw_key_t *keys, size_t max, size_t *n)
{
    int               more;
    list_t            list = {
        aigw_store_unpack_key, (char *) keys, sizeof(*keys), 0, max
    };
    aigw_db_key_t     at, prefix;
    aigw_db_txn_t     txn;
    aigw_db_value_t   record;
    aigw_db_cursor_t  cur;

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, project_id ? AIGW_CONTROL_PROJECT_KEYS
                                          : AIGW_CONTROL_KEY_IDS);
    aigw_db_key(&prefix);

    if (project_id) {
        aigw_db_key_int(&prefix, project_id, 8);
    }

    at = prefix;
    aigw_db_key_int(&at, before ? before : UINT64_MAX, 8);

    for (more = aigw_db_seek_before(&cur, &at);
         more && aigw_db_in(&cur, &prefix) && list.n < list.max;
         more = aigw_db_previous(&cur))
    {
        aigw_db_key(&at);
        aigw_db_key_bytes(&at, cur.value.data, cur.value.len);

        if (!aigw_db_get(&txn, AIGW_CONTROL_KEYS, &at, &record)) {
            aigw_db_fail(&txn, AIGW_ECORRUPT);
            break;
        }

        list_add(&list, &txn, &record);
    }

    return list_end(&list, &txn, &cur, n);
}


aigw_err_t
aigw_store_list_models(aigw_store_t *store, aigw_str_t after,
    aigw_model_t *models, size_t max, size_t *n)
{
    list_t  list = {
        aigw_store_unpack_model, (char *) models, sizeof(*models), 0, max
    };

    return list_by_name(store, AIGW_CONTROL_MODELS, after, list, n);
}


aigw_err_t
aigw_store_list_upstreams(aigw_store_t *store, aigw_str_t after,
    aigw_upstream_t *upstreams, size_t max, size_t *n)
{
    list_t  list = {
        aigw_store_unpack_upstream, (char *) upstreams, sizeof(*upstreams),
        0, max
    };

    return list_by_name(store, AIGW_CONTROL_UPSTREAMS, after, list, n);
}


aigw_err_t
aigw_store_list_subkeys(aigw_store_t *store, aigw_str_t after,
    aigw_subkey_t *subkeys, size_t max, size_t *n)
{
    list_t  list = {
        aigw_store_unpack_subkey, (char *) subkeys, sizeof(*subkeys), 0, max
    };

    return list_by_name(store, AIGW_CONTROL_SUBKEYS, after, list, n);
}


aigw_err_t
aigw_store_list_prices(aigw_store_t *store, aigw_str_t model,
    int64_t from_ms, aigw_price_entry_t *entries, size_t max, size_t *n)
{
    aigw_str_t     after = { 0, NULL };
    list_t         list = {
        aigw_store_unpack_price, (char *) entries, sizeof(*entries), 0, max
    };
    aigw_db_key_t  at;

    if (model.len > AIGW_MODEL_MAX) {
        return AIGW_EINVAL;
    }

    if (model.len > 0) {
        aigw_store_key_price(&at, model, from_ms);
        after.data = (const char *) at.bytes;
        after.len = at.len;
    }

    return list_by_name(store, AIGW_CONTROL_PRICES, after, list, n);
}


int
aigw_store_load_setting(aigw_db_txn_t *txn, aigw_str_t name,
    char value[AIGW_VALUE_MAX + 1])
{
    aigw_db_key_t    at;
    aigw_db_value_t  text;

    aigw_store_key_text(&at, name);

    if (!aigw_db_get(txn, AIGW_CONTROL_SETTINGS, &at, &text)) {
        return 0;
    }

    if (text.len > AIGW_VALUE_MAX || memchr(text.data, '\0', text.len) != NULL)
    {
        aigw_db_fail(txn, AIGW_ECORRUPT);
        return 0;
    }

    memcpy(value, text.data, text.len);
    value[text.len] = '\0';

    return 1;
}


aigw_err_t
aigw_store_get_setting(aigw_store_t *store, aigw_str_t name,
    char value[AIGW_VALUE_MAX + 1])
{
    aigw_db_txn_t  txn;

    if (!is_name(name)) {
        return AIGW_ENOTFOUND;
    }

    aigw_db_read(store->control, &txn);

    if (!aigw_store_load_setting(&txn, name, value)) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}
