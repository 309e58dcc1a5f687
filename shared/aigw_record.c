/*
 * Packs and unpacks what the control environment holds: users, projects, keys,
 * what was deleted, models, prices, upstreams. No I/O; the order of fields here
 * is the format at rest.
 */

#include "aigw_record_internal.h"
#include "aigw_record.h"


#define PROJECT_VERSION  2            /* has a byte more: it has a sub-key */


static aigw_writer_t
writer(uint8_t *buf)
{
    aigw_writer_t  w = { buf };

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);

    return w;
}


static int64_t
read_time(aigw_reader_t *r)
{
    return aigw_read_min(r, INT64_MIN);
}


size_t
aigw_record_pack_user(const aigw_user_t *user, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_int(&w, user->id, 8);
    aigw_write_text(&w, user->name, AIGW_NAME_MAX);
    aigw_write_int(&w, user->role, 1);
    aigw_write_int(&w, user->enabled, 1);
    aigw_write_int(&w, (uint64_t) user->quota_nano, 8);
    aigw_write_int(&w, (uint64_t) user->created_ms, 8);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_user(const uint8_t *buf, size_t len, aigw_user_t *user)
{
    aigw_err_t     err;
    aigw_user_t    u;
    aigw_reader_t  r = aigw_reader(buf, len);

    u.id = aigw_read_int(&r, 8);
    aigw_read_text(&r, u.name, AIGW_NAME_MAX);
    u.role = (uint8_t) aigw_read_below(&r, 1, AIGW_ROLE_MAX);
    u.enabled = (uint8_t) aigw_read_below(&r, 1, 2);
    u.quota_nano = aigw_read_min(&r, AIGW_UNLIMITED);
    u.created_ms = read_time(&r);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *user = u;
    }

    return err;
}


size_t
aigw_record_pack_project(const aigw_project_t *project, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_int(&w, project->id, 8);
    aigw_write_int(&w, project->user_id, 8);
    aigw_write_text(&w, project->name, AIGW_NAME_MAX);
    aigw_write_int(&w, project->enabled, 1);
    aigw_write_int(&w, project->cap_strict, 1);
    aigw_write_int(&w, project->disconnect_abort, 1);
    aigw_write_int(&w, (uint64_t) project->quota_nano, 8);
    aigw_write_int(&w, (uint64_t) project->created_ms, 8);
    aigw_write_int(&w, (uint64_t) project->expires_ms, 8);
    aigw_write_text(&w, project->models, AIGW_MODELS_MAX);

    /* the older form where it says the same: older workers read it, too */

    if (project->has_subkey) {
        buf[0] = PROJECT_VERSION;
        aigw_write_int(&w, 1, 1);
    }

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_project(const uint8_t *buf, size_t len,
    aigw_project_t *project)
{
    aigw_err_t      err;
    aigw_reader_t   r = aigw_reader_upto(buf, len, PROJECT_VERSION);
    aigw_project_t  p;

    p.id = aigw_read_int(&r, 8);
    p.user_id = aigw_read_int(&r, 8);
    aigw_read_text(&r, p.name, AIGW_NAME_MAX);
    p.enabled = (uint8_t) aigw_read_below(&r, 1, 2);
    p.cap_strict = (uint8_t) aigw_read_below(&r, 1, 2);
    p.disconnect_abort = (uint8_t) aigw_read_below(&r, 1, 2);
    p.quota_nano = aigw_read_min(&r, AIGW_UNLIMITED);
    p.created_ms = read_time(&r);
    p.expires_ms = read_time(&r);
    aigw_read_text(&r, p.models, AIGW_MODELS_MAX);
    p.has_subkey = 0;

    if (r.err == AIGW_OK && buf[0] == PROJECT_VERSION) {
        p.has_subkey = 1;
        r.err = aigw_read_int(&r, 1) == 1 ? AIGW_OK : AIGW_ECORRUPT;
    }

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *project = p;
    }

    return err;
}


size_t
aigw_record_pack_key(const aigw_key_t *key, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_int(&w, key->id, 8);
    aigw_write_int(&w, key->project_id, 8);
    aigw_write_bytes(&w, key->hash, AIGW_KEY_HASH_LEN);
    aigw_write_text(&w, key->prefix, AIGW_KEY_PREFIX_LEN);
    aigw_write_text(&w, key->last4, AIGW_KEY_LAST_LEN);
    aigw_write_text(&w, key->name, AIGW_NAME_MAX);
    aigw_write_int(&w, key->enabled, 1);
    aigw_write_int(&w, (uint64_t) key->quota_nano, 8);
    aigw_write_int(&w, (uint64_t) key->created_ms, 8);
    aigw_write_int(&w, (uint64_t) key->expires_ms, 8);
    aigw_write_int(&w, (uint64_t) key->revoked_ms, 8);
    aigw_write_int(&w, (uint64_t) key->old_until_ms, 8);
    aigw_write_bytes(&w, key->old_hash, AIGW_KEY_HASH_LEN);
    aigw_write_text(&w, key->models, AIGW_MODELS_MAX);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_key(const uint8_t *buf, size_t len, aigw_key_t *key)
{
    aigw_key_t     k;
    aigw_err_t     err;
    aigw_reader_t  r = aigw_reader(buf, len);

    k.id = aigw_read_int(&r, 8);
    k.project_id = aigw_read_int(&r, 8);
    aigw_read_bytes(&r, k.hash, AIGW_KEY_HASH_LEN);
    aigw_read_text(&r, k.prefix, AIGW_KEY_PREFIX_LEN);
    aigw_read_text(&r, k.last4, AIGW_KEY_LAST_LEN);
    aigw_read_text(&r, k.name, AIGW_NAME_MAX);
    k.enabled = (uint8_t) aigw_read_below(&r, 1, 2);
    k.quota_nano = aigw_read_min(&r, AIGW_UNLIMITED);
    k.created_ms = read_time(&r);
    k.expires_ms = read_time(&r);
    k.revoked_ms = read_time(&r);
    k.old_until_ms = read_time(&r);
    aigw_read_bytes(&r, k.old_hash, AIGW_KEY_HASH_LEN);
    aigw_read_text(&r, k.models, AIGW_MODELS_MAX);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *key = k;
    }

    return err;
}


size_t
aigw_record_pack_gone(const aigw_gone_t *gone, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_int(&w, gone->of_id, 8);
    aigw_write_int(&w, (uint64_t) gone->gone_ms, 8);
    aigw_write_text(&w, gone->name, AIGW_NAME_MAX);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_gone(const uint8_t *buf, size_t len, aigw_gone_t *gone)
{
    aigw_err_t     err;
    aigw_gone_t    g;
    aigw_reader_t  r = aigw_reader(buf, len);

    g.of_id = aigw_read_int(&r, 8);
    g.gone_ms = read_time(&r);
    aigw_read_text(&r, g.name, AIGW_NAME_MAX);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *gone = g;
    }

    return err;
}


size_t
aigw_record_pack_model(const aigw_model_t *model, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_text(&w, model->name, AIGW_MODEL_MAX);
    aigw_write_text(&w, model->alias_of, AIGW_MODEL_MAX);
    aigw_write_int(&w, (uint64_t) model->created_ms, 8);
    aigw_write_int(&w, (uint64_t) model->max_output, 4);
    aigw_write_int(&w, (uint64_t) model->context, 4);
    aigw_write_int(&w, model->reasoning, 1);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_model(const uint8_t *buf, size_t len, aigw_model_t *model)
{
    aigw_err_t     err;
    aigw_model_t   m;
    aigw_reader_t  r = aigw_reader(buf, len);

    aigw_read_text(&r, m.name, AIGW_MODEL_MAX);
    aigw_read_text(&r, m.alias_of, AIGW_MODEL_MAX);
    m.created_ms = read_time(&r);
    m.max_output = (int64_t) aigw_read_below(&r, 4, AIGW_TOKENS_MAX + 1);
    m.context = (int64_t) aigw_read_below(&r, 4, AIGW_TOKENS_MAX + 1);
    m.reasoning = (uint8_t) aigw_read_below(&r, 1, AIGW_REASONING_MAX);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *model = m;
    }

    return err;
}


size_t
aigw_record_pack_price(const aigw_price_entry_t *entry, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_text(&w, entry->model, AIGW_MODEL_MAX);
    aigw_write_int(&w, (uint64_t) entry->from_ms, 8);
    aigw_write_int(&w, entry->price.version, 4);
    aigw_write_int(&w, (uint64_t) entry->price.prompt_nano, 8);
    aigw_write_int(&w, (uint64_t) entry->price.completion_nano, 8);
    aigw_write_int(&w, (uint64_t) entry->price.cached_nano, 8);
    aigw_write_int(&w, (uint64_t) entry->price.cache_write_nano, 8);
    aigw_write_int(&w, (uint64_t) entry->price.reasoning_nano, 8);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_price(const uint8_t *buf, size_t len,
    aigw_price_entry_t *entry)
{
    aigw_err_t          err;
    aigw_reader_t       r = aigw_reader(buf, len);
    aigw_price_entry_t  e;

    aigw_read_text(&r, e.model, AIGW_MODEL_MAX);
    e.from_ms = read_time(&r);
    e.price.version = (uint32_t) aigw_read_int(&r, 4);
    e.price.prompt_nano = aigw_read_min(&r, AIGW_PRICE_NONE);
    e.price.completion_nano = aigw_read_min(&r, AIGW_PRICE_NONE);
    e.price.cached_nano = aigw_read_min(&r, AIGW_PRICE_NONE);
    e.price.cache_write_nano = aigw_read_min(&r, AIGW_PRICE_NONE);
    e.price.reasoning_nano = aigw_read_min(&r, AIGW_PRICE_NONE);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *entry = e;
    }

    return err;
}


size_t
aigw_record_pack_upstream(const aigw_upstream_t *upstream, uint8_t *buf)
{
    aigw_writer_t  w = writer(buf);

    aigw_write_int(&w, upstream->id, 8);
    aigw_write_text(&w, upstream->name, AIGW_NAME_MAX);
    aigw_write_text(&w, upstream->url, AIGW_URL_MAX);
    aigw_write_int(&w, (uint64_t) upstream->created_ms, 8);
    aigw_write_int(&w, (uint64_t) upstream->changed_ms, 8);
    aigw_write_int(&w, upstream->sealed_len, 2);
    aigw_write_bytes(&w, upstream->sealed, upstream->sealed_len);
    aigw_write_int(&w, upstream->log_user, 8);
    aigw_write_int(&w, upstream->log_sealed_len, 2);
    aigw_write_bytes(&w, upstream->log_sealed, upstream->log_sealed_len);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_upstream(const uint8_t *buf, size_t len,
    aigw_upstream_t *upstream)
{
    aigw_err_t       err;
    aigw_reader_t    r = aigw_reader(buf, len);
    aigw_upstream_t  u;

    u.id = aigw_read_int(&r, 8);
    aigw_read_text(&r, u.name, AIGW_NAME_MAX);
    aigw_read_text(&r, u.url, AIGW_URL_MAX);
    u.created_ms = read_time(&r);
    u.changed_ms = read_time(&r);
    u.sealed_len = (uint16_t) aigw_read_below(&r, 2, AIGW_SEALED_MAX + 1);
    aigw_read_bytes(&r, u.sealed, u.sealed_len);
    u.log_user = aigw_read_int(&r, 8);
    u.log_sealed_len = (uint16_t) aigw_read_below(&r, 2, AIGW_SEALED_MAX + 1);
    aigw_read_bytes(&r, u.log_sealed, u.log_sealed_len);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *upstream = u;
    }

    return err;
}
