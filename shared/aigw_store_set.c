/*
 * Writing control, the things that are set rather than created: models,
 * prices, settings. Each call is one transaction.
 */

#include <string.h>

#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"


static int
is_alias(aigw_db_txn_t *txn, aigw_str_t name)
{
    aigw_db_key_t  at;
    aigw_model_t   model;

    aigw_store_key_text(&at, name);

    return aigw_store_load(txn, AIGW_CONTROL_MODELS, &at,
                           aigw_store_unpack_model, &model)
           && model.alias_of[0] != '\0';
}


static int
has_alias(aigw_db_txn_t *txn, const char *name)
{
    int               more;
    aigw_db_key_t     first;
    aigw_model_t      model = { 0 };
    aigw_db_cursor_t  cur;

    aigw_db_cursor(&cur, txn, AIGW_CONTROL_MODELS);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        aigw_db_fail(txn, aigw_record_unpack_model(cur.value.data,
                                                   cur.value.len, &model));

        if (txn->err != AIGW_OK || strcmp(model.alias_of, name) == 0) {
            break;
        }
    }

    aigw_db_cursor_close(&cur);

    return more;
}


static int
is_tokens(int64_t n)
{
    return n >= 0 && n <= AIGW_TOKENS_MAX;
}


static aigw_err_t
check_model(const aigw_model_t *model)
{
    aigw_str_t  target;

    target = aigw_store_text(model->alias_of, sizeof(model->alias_of));

    if (aigw_store_check_model(aigw_store_text(model->name,
                                               sizeof(model->name)))
        != AIGW_OK
        || !is_tokens(model->max_output) || !is_tokens(model->context)
        || model->reasoning >= AIGW_REASONING_MAX)
    {
        return AIGW_EINVAL;
    }

    if (target.len == 0) {
        return AIGW_OK;
    }

    return aigw_store_check_model(target) == AIGW_OK
           && strcmp(model->name, model->alias_of) != 0
           && model->max_output == 0 && model->context == 0
           && model->reasoning == AIGW_REASONING_BY_NAME
           ? AIGW_OK : AIGW_EINVAL;
}


static void
take_model(unsigned fields, const aigw_model_t *from, aigw_model_t *to)
{
    if (fields & AIGW_CHANGE_ALIAS) {
        memcpy(to->alias_of, from->alias_of, sizeof(to->alias_of));

        if (to->alias_of[0] != '\0') {
            to->max_output = 0;
            to->context = 0;
            to->reasoning = AIGW_REASONING_BY_NAME;
        }
    }

    if (fields & AIGW_CHANGE_MAX_OUTPUT) {
        to->max_output = from->max_output;
    }

    if (fields & AIGW_CHANGE_CONTEXT) {
        to->context = from->context;
    }

    if (fields & AIGW_CHANGE_REASONING) {
        to->reasoning = from->reasoning;
    }
}


aigw_err_t
aigw_store_set_model(aigw_store_t *store, unsigned fields,
    aigw_model_t *model)
{
    int            known;
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_err_t     err;
    aigw_str_t     name, target;
    aigw_model_t   old, m;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    name = aigw_store_text(model->name, sizeof(model->name));

    if (aigw_store_check_model(name) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, name);

    known = aigw_store_load(&txn, AIGW_CONTROL_MODELS, &at,
                            aigw_store_unpack_model, &old);

    if (known) {
        m = old;

    } else {
        memset(&m, 0, sizeof(m));
        memcpy(m.name, model->name, sizeof(m.name));
        m.created_ms = aigw_time_now_ms();
    }

    take_model(fields, model, &m);
    aigw_db_fail(&txn, check_model(&m));
    target = aigw_store_text(m.alias_of, AIGW_MODEL_MAX);

    if (txn.err == AIGW_OK && (fields & AIGW_CHANGE_ALIAS) && target.len > 0
        && (is_alias(&txn, target) || has_alias(&txn, m.name)))
    {
        aigw_db_fail(&txn, AIGW_EEXIST);
    }

    if (txn.err == AIGW_OK) {
        aigw_db_put(&txn, AIGW_CONTROL_MODELS, &at, buf,
                    aigw_record_pack_model(&m, buf));
        aigw_store_audit(store, &txn, known ? "set" : "create",
                         AIGW_LINE_MODEL, known ? &old : NULL, &m);
    }

    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *model = m;
    }

    return err;
}


static int
is_part(int64_t nano)
{
    return nano >= 0 || nano == AIGW_PRICE_NONE;
}


static aigw_err_t
check_price(const aigw_price_entry_t *entry)
{
    aigw_str_t           model;
    const aigw_price_t  *price = &entry->price;

    model = aigw_store_text(entry->model, sizeof(entry->model));

    if (strncmp(entry->model, "*", sizeof(entry->model)) != 0
        && aigw_store_check_model(model) != AIGW_OK)
    {
        return AIGW_EINVAL;
    }

    return is_part(price->prompt_nano) && is_part(price->completion_nano)
           && is_part(price->cached_nano) && is_part(price->cache_write_nano)
           && is_part(price->reasoning_nano) ? AIGW_OK : AIGW_EINVAL;
}


aigw_err_t
aigw_store_set_price(aigw_store_t *store, aigw_price_entry_t *entry)
{
    int                 known;
    uint8_t             buf[AIGW_RECORD_MAX];
    uint64_t            version;
    aigw_err_t          err;
    aigw_db_key_t       at;
    aigw_db_txn_t       txn;
    aigw_price_entry_t  old, e;

    if (check_price(entry) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    e = *entry;

    aigw_db_write(store->control, &txn);
    version = aigw_store_get_meta(&txn, AIGW_META_PRICE) + 1;

    if (version > UINT32_MAX) {
        aigw_db_fail(&txn, AIGW_EFULL);
    }

    aigw_store_put_meta(&txn, AIGW_META_PRICE, version);
    e.price.version = (uint32_t) version;

    aigw_store_key_price(&at, aigw_store_text(e.model, AIGW_MODEL_MAX),
                         e.from_ms);
    known = aigw_store_load(&txn, AIGW_CONTROL_PRICES, &at,
                            aigw_store_unpack_price, &old);
    aigw_db_put(&txn, AIGW_CONTROL_PRICES, &at, buf,
                aigw_record_pack_price(&e, buf));
    aigw_store_audit(store, &txn, "set", AIGW_LINE_PRICE,
                     known ? &old : NULL, &e);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *entry = e;
    }

    return err;
}


aigw_err_t
aigw_store_delete_price(aigw_store_t *store, aigw_str_t model)
{
    int                 any, more;
    aigw_db_key_t       at, prefix;
    aigw_db_txn_t       txn;
    aigw_db_cursor_t    cur;
    aigw_price_entry_t  old;

    if (model.len == 0 || model.len > AIGW_MODEL_MAX) {
        return AIGW_ENOTFOUND;
    }

    aigw_store_key_text(&prefix, model);
    aigw_db_key_int(&prefix, 0, 1);

    aigw_db_write(store->control, &txn);

    /* a cursor of its own for each: a delete may move what one stands on */
    for (any = 0, more = 1; more; any |= more) {
        aigw_db_cursor(&cur, &txn, AIGW_CONTROL_PRICES);
        more = aigw_db_seek(&cur, &prefix) && aigw_db_in(&cur, &prefix);

        if (more) {
            aigw_db_key(&at);
            aigw_db_key_bytes(&at, cur.key.data, cur.key.len);
            aigw_db_fail(&txn, aigw_record_unpack_price(cur.value.data,
                                                        cur.value.len, &old));
        }

        aigw_db_cursor_close(&cur);
        more = more && aigw_db_delete(&txn, AIGW_CONTROL_PRICES, &at);

        if (more) {
            aigw_store_audit(store, &txn, "delete", AIGW_LINE_PRICE, &old,
                             NULL);
        }
    }

    if (!any) {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    return aigw_db_end(&txn);
}


/* Both have room for NUL, and are there or not by their value. */
static void
audit_setting(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_line_setting_t *old, const aigw_line_setting_t *new)
{
    if (old->value[0] == '\0' && new->value[0] == '\0') {
        return;
    }

    aigw_store_audit(store, txn, new->value[0] != '\0' ? "set" : "delete",
                     AIGW_LINE_SETTING, old->value[0] != '\0' ? old : NULL,
                     new->value[0] != '\0' ? new : NULL);
}


aigw_err_t
aigw_store_set_setting(aigw_store_t *store, aigw_str_t name,
    aigw_str_t value)
{
    aigw_db_key_t        at;
    aigw_db_txn_t        txn;
    aigw_line_setting_t  old = { "", "" }, new = { "", "" };

    if (aigw_store_check_name(name) != AIGW_OK || value.len > AIGW_VALUE_MAX
        || (value.len > 0 && memchr(value.data, '\0', value.len) != NULL))
    {
        return AIGW_EINVAL;
    }

    memcpy(old.name, name.data, name.len);
    memcpy(new.name, name.data, name.len);

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&at, name);
    (void) aigw_store_load_setting(&txn, name, old.value);

    if (value.len == 0) {
        (void) aigw_db_delete(&txn, AIGW_CONTROL_SETTINGS, &at);
    } else {
        memcpy(new.value, value.data, value.len);
        aigw_db_put(&txn, AIGW_CONTROL_SETTINGS, &at, value.data, value.len);
    }

    audit_setting(store, &txn, &old, &new);

    return aigw_db_end(&txn);
}
