/*
 * Small helpers that all files of the store use: keys, integers, loading a
 * record within a transaction. Begins and ends no transaction itself.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aigw_store_internal.h"


aigw_err_t
aigw_store_fault(char fault[AIGW_FAULT_LEN + 1], aigw_err_t err,
    const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(fault, AIGW_FAULT_LEN + 1, format, args);
    va_end(args);

    return err;
}


aigw_str_t
aigw_store_text(const char *text, size_t max)
{
    const char  *end;

    end = memchr(text, '\0', max);

    return (aigw_str_t) { end ? (size_t) (end - text) : max, text };
}


void
aigw_store_key_int(aigw_db_key_t *key, uint64_t n)
{
    aigw_db_key(key);
    aigw_db_key_int(key, n, 8);
}


void
aigw_store_key_text(aigw_db_key_t *key, aigw_str_t text)
{
    aigw_db_key(key);
    aigw_db_key_bytes(key, text.data, text.len);
}


/* Order: by model, then newest first. No model has a NUL in its name. */
void
aigw_store_key_price(aigw_db_key_t *key, aigw_str_t model, int64_t from_ms)
{
    aigw_store_key_text(key, model);
    aigw_db_key_int(key, 0, 1);
    aigw_db_key_int(key, (uint64_t) INT64_MAX - (uint64_t) from_ms, 8);
}


void
aigw_store_key_hash(aigw_db_key_t *at, const uint8_t hash[AIGW_KEY_HASH_LEN])
{
    aigw_db_key(at);
    aigw_db_key_bytes(at, hash, AIGW_KEY_HASH_LEN);
}


void
aigw_store_key_of_project(aigw_db_key_t *at, const aigw_key_t *key)
{
    aigw_store_key_int(at, key->project_id);
    aigw_db_key_int(at, key->id, 8);
}


void
aigw_store_key_name(aigw_db_key_t *at, const aigw_key_t *key)
{
    aigw_store_key_int(at, key->project_id);
    aigw_db_key_bytes(at, key->name,
                      aigw_store_text(key->name, sizeof(key->name)).len);
}


void
aigw_store_key_subkey(aigw_db_key_t *at, uint64_t project_id,
    uint64_t upstream_id)
{
    aigw_store_key_int(at, project_id);
    aigw_db_key_int(at, upstream_id, 8);
}


uint64_t
aigw_store_get_int(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key)
{
    aigw_db_value_t  value;

    if (!aigw_db_get(txn, table, key, &value)) {
        return 0;
    }

    if (value.len != 8) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
        return 0;
    }

    return aigw_db_int(value.data, 8);
}


void
aigw_store_put_int(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key, uint64_t n)
{
    aigw_db_key_t  value;

    aigw_store_key_int(&value, n);
    aigw_db_put(txn, table, key, value.bytes, value.len);
}


/* Meta is the first table of either environment. */
uint64_t
aigw_store_get_meta(aigw_db_txn_t *txn, const char *name)
{
    aigw_db_key_t  key;

    aigw_store_key_text(&key, aigw_store_text(name, AIGW_NAME_MAX));

    return aigw_store_get_int(txn, AIGW_CONTROL_META, &key);
}


void
aigw_store_put_meta(aigw_db_txn_t *txn, const char *name, uint64_t n)
{
    aigw_db_key_t  key;

    aigw_store_key_text(&key, aigw_store_text(name, AIGW_NAME_MAX));
    aigw_store_put_int(txn, AIGW_CONTROL_META, &key, n);
}


int
aigw_store_load(aigw_db_txn_t *txn, unsigned table, const aigw_db_key_t *key,
    aigw_store_unpack_pt unpack, void *record)
{
    aigw_db_value_t  value;

    if (!aigw_db_get(txn, table, key, &value)) {
        return 0;
    }

    aigw_db_fail(txn, unpack(value.data, value.len, record));

    return txn->err == AIGW_OK;
}


void
aigw_store_load_sure(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key, aigw_store_unpack_pt unpack, void *record)
{
    if (!aigw_store_load(txn, table, key, unpack, record)) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
    }
}


int
aigw_store_first_of(aigw_db_txn_t *txn, unsigned table, uint64_t project_id,
    uint64_t *id)
{
    int               found;
    aigw_db_key_t     prefix;
    aigw_db_cursor_t  cur;

    aigw_db_cursor(&cur, txn, table);
    aigw_store_key_int(&prefix, project_id);
    found = aigw_db_seek(&cur, &prefix) && aigw_db_in(&cur, &prefix);

    if (found && cur.key.len == 16) {
        *id = aigw_db_int(cur.key.data + 8, 8);

    } else if (found) {
        aigw_db_fail(txn, AIGW_ECORRUPT);
        found = 0;
    }

    aigw_db_cursor_close(&cur);

    return found;
}


void
aigw_store_load_key(aigw_db_txn_t *txn, uint64_t id, aigw_key_t *key)
{
    aigw_db_key_t    at;
    aigw_db_value_t  hash;

    aigw_store_key_int(&at, id);

    if (!aigw_db_get(txn, AIGW_CONTROL_KEY_IDS, &at, &hash)) {
        aigw_db_fail(txn, AIGW_ENOTFOUND);
        return;
    }

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, hash.data, hash.len);
    aigw_store_load_sure(txn, AIGW_CONTROL_KEYS, &at, aigw_store_unpack_key,
                         key);
}


aigw_err_t
aigw_store_unpack_user(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_user(buf, len, out);
}


aigw_err_t
aigw_store_unpack_project(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_project(buf, len, out);
}


aigw_err_t
aigw_store_unpack_key(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_key(buf, len, out);
}


aigw_err_t
aigw_store_unpack_login(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_login(buf, len, out);
}


aigw_err_t
aigw_store_unpack_ticket(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_ticket(buf, len, out);
}


aigw_err_t
aigw_store_unpack_gone(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_gone(buf, len, out);
}


aigw_err_t
aigw_store_unpack_model(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_model(buf, len, out);
}


aigw_err_t
aigw_store_unpack_price(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_price(buf, len, out);
}


aigw_err_t
aigw_store_unpack_upstream(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_upstream(buf, len, out);
}


aigw_err_t
aigw_store_unpack_driver(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_driver(buf, len, out);
}


aigw_err_t
aigw_store_unpack_subkey(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_subkey(buf, len, out);
}


aigw_err_t
aigw_store_unpack_row(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_row(buf, len, out);
}


aigw_err_t
aigw_store_unpack_sums(const uint8_t *buf, size_t len, void *out)
{
    return aigw_record_unpack_sums(buf, len, out);
}
