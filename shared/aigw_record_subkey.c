/*
 * Packs and unpacks sub-keys and the accounts that make them. No I/O; the order
 * of fields here is the format at rest.
 */

#include "aigw_record_internal.h"
#include "aigw_record.h"


static aigw_writer_t
writer(uint8_t *buf)
{
    aigw_writer_t  w = { buf };

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);

    return w;
}


size_t
aigw_record_pack_driver(const aigw_driver_t *driver, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_int(&w, driver->upstream_id, 8);
    aigw_write_int(&w, driver->kind, 1);
    aigw_write_int(&w, driver->user, 8);
    aigw_write_text(&w, driver->group, AIGW_NAME_MAX);
    aigw_write_int(&w, driver->quota_per_unit, 4);
    aigw_write_int(&w, (uint64_t) driver->changed_ms, 8);
    aigw_write_int(&w, driver->sealed_len, 2);
    aigw_write_bytes(&w, driver->sealed, driver->sealed_len);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_driver(const uint8_t *buf, size_t len,
    aigw_driver_t *driver)
{
    aigw_err_t     err;
    aigw_driver_t  d;
    aigw_reader_t  r = aigw_reader(buf, len);

    d.upstream_id = aigw_read_int(&r, 8);
    d.kind = (uint8_t) aigw_read_below(&r, 1, AIGW_DRIVER_MAX);
    d.user = aigw_read_int(&r, 8);
    aigw_read_text(&r, d.group, AIGW_NAME_MAX);
    d.quota_per_unit = (uint32_t) aigw_read_int(&r, 4);
    d.changed_ms = aigw_read_min(&r, INT64_MIN);
    d.sealed_len = (uint16_t) aigw_read_below(&r, 2, AIGW_SEALED_MAX + 1);
    aigw_read_bytes(&r, d.sealed, d.sealed_len);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *driver = d;
    }

    return err;
}


size_t
aigw_record_pack_subkey(const aigw_subkey_t *subkey, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_text(&w, subkey->name, AIGW_SUBKEY_NAME_MAX);
    aigw_write_int(&w, subkey->state, 1);
    aigw_write_int(&w, subkey->project_id, 8);
    aigw_write_int(&w, subkey->upstream_id, 8);
    aigw_write_int(&w, subkey->remote_id, 8);
    aigw_write_int(&w, (uint64_t) subkey->quota_nano, 8);
    aigw_write_int(&w, (uint64_t) subkey->expires_ms, 8);
    aigw_write_int(&w, (uint64_t) subkey->created_ms, 8);
    aigw_write_int(&w, (uint64_t) subkey->changed_ms, 8);
    aigw_write_int(&w, subkey->sealed_len, 2);
    aigw_write_bytes(&w, subkey->sealed, subkey->sealed_len);
    aigw_write_text(&w, subkey->models, AIGW_MODELS_MAX);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_subkey(const uint8_t *buf, size_t len,
    aigw_subkey_t *subkey)
{
    aigw_err_t     err;
    aigw_reader_t  r = aigw_reader(buf, len);
    aigw_subkey_t  s;

    aigw_read_text(&r, s.name, AIGW_SUBKEY_NAME_MAX);
    s.state = (uint8_t) aigw_read_below(&r, 1, AIGW_SUBKEY_MAX);
    s.project_id = aigw_read_int(&r, 8);
    s.upstream_id = aigw_read_int(&r, 8);
    s.remote_id = aigw_read_int(&r, 8);
    s.quota_nano = aigw_read_min(&r, AIGW_UNLIMITED);
    s.expires_ms = aigw_read_min(&r, 0);
    s.created_ms = aigw_read_min(&r, INT64_MIN);
    s.changed_ms = aigw_read_min(&r, INT64_MIN);
    s.sealed_len = (uint16_t) aigw_read_below(&r, 2, AIGW_SEALED_MAX + 1);
    aigw_read_bytes(&r, s.sealed, s.sealed_len);
    aigw_read_text(&r, s.models, AIGW_MODELS_MAX);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *subkey = s;
    }

    return err;
}


const char *
aigw_record_driver_name(unsigned kind)
{
    static const char *const  names[AIGW_DRIVER_MAX] = {
        "none", "newapi", "seed"
    };

    return kind < AIGW_DRIVER_MAX ? names[kind] : "unknown";
}


const char *
aigw_record_subkey_name(unsigned state)
{
    static const char *const  names[AIGW_SUBKEY_MAX] = {
        "none", "planned", "active", "retiring", "forgotten"
    };

    return state < AIGW_SUBKEY_MAX ? names[state] : "unknown";
}
