/*
 * Which model a name calls, and what is set for it: one look-up of the
 * request's path, kept until the next commit whether there is a record or not.
 * Must not refuse a name that nobody has set.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_limit.h"
#include "aigw_store_internal.h"


/* Names of models that think, without what stands before the last '/'. */
static const aigw_str_t  thinkers = aigw_str(
    "o1,o1-*,o3,o3-*,o4,o4-*,gpt-5*,deepseek-reasoner*,deepseek-r1*,"
    "*-thinking,*-thinking-*,qwq*"
);

/* Of these, those that do not. */
static const aigw_str_t  talkers = aigw_str("gpt-5-chat*");


static int
thinks_by_name(const aigw_called_t *called)
{
    char        name[AIGW_MODEL_MAX];
    size_t      i;
    aigw_str_t  base = { 0, name };

    for (i = 0; i < called->model_len; i++) {
        name[base.len] = called->model[i];

        if (name[base.len] >= 'A' && name[base.len] <= 'Z') {
            name[base.len] = (char) (name[base.len] | 0x20);
        }

        base.len = name[base.len] == '/' ? 0 : base.len + 1;
    }

    return aigw_limit_model_allowed(thinkers, base)
           && !aigw_limit_model_allowed(talkers, base);
}


static void
set_name(aigw_called_t *called, aigw_str_t name)
{
    memcpy(called->model, name.data, name.len);
    called->model[name.len] = '\0';
    called->model_len = name.len;
}


/* 1: there is a record of it. */
static int
load_model(aigw_db_txn_t *txn, aigw_str_t name, aigw_model_t *model)
{
    aigw_db_key_t  at;

    if (name.len == 0) {
        return 0;
    }

    aigw_store_key_text(&at, name);

    return aigw_store_load(txn, AIGW_CONTROL_MODELS, &at,
                           aigw_store_unpack_model, model);
}


static int64_t
assumed_output(aigw_db_txn_t *txn)
{
    char     value[AIGW_VALUE_MAX + 1], *end;
    int64_t  n;

    static const aigw_str_t  name = aigw_str(AIGW_SETTING_MAX_OUTPUT);

    if (!aigw_store_load_setting(txn, name, value)) {
        return AIGW_ASSUMED_OUTPUT;
    }

    n = strtoll(value, &end, 10);

    if (*end != '\0' || n <= 0 || n > AIGW_TOKENS_MAX) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
    }

    return n;
}


static aigw_err_t
read_called(aigw_store_t *store, aigw_str_t name, aigw_called_t *called,
    uint64_t *version)
{
    int            known;
    aigw_model_t   model;
    aigw_db_txn_t  txn;

    memset(called, 0, sizeof(*called));
    set_name(called, name);

    aigw_db_read(store->control, &txn);
    *version = txn.version;

    known = load_model(&txn, name, &model);

    if (known && model.alias_of[0] != '\0') {
        called->alias = 1;
        set_name(called, aigw_store_text(model.alias_of, AIGW_MODEL_MAX));
        known = load_model(&txn, (aigw_str_t) { called->model_len,
                                                called->model }, &model);
    }

    if (known) {
        called->max_output = model.max_output;
        called->context = model.context;
    }

    called->reasoning = known && model.reasoning != AIGW_REASONING_BY_NAME
                        ? model.reasoning == AIGW_REASONING_YES
                        : thinks_by_name(called);
    called->assumed_output = assumed_output(&txn);

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_find_called(aigw_store_t *store, aigw_str_t name,
    aigw_called_t *called)
{
    uint64_t              version;
    aigw_err_t            err;
    aigw_called_t         found;
    aigw_store_cached_t  *entry;

    if (name.len > AIGW_MODEL_MAX) {
        return AIGW_EINVAL;
    }

    if (name.len == 0) {
        name.data = "";               /* NULL is nothing to copy from */
    }

    entry = aigw_store_cache_find(store, AIGW_STORE_CACHED_CALLED, name, 0);

    if (entry != NULL) {
        *called = entry->value.called;
        return AIGW_OK;
    }

    err = read_called(store, name, &found, &version);

    if (err != AIGW_OK) {
        return err;
    }

    *called = found;
    entry = aigw_store_cache_put(store, AIGW_STORE_CACHED_CALLED, name,
                                 version);

    if (entry != NULL) {
        entry->value.called = found;
    }

    return AIGW_OK;
}
