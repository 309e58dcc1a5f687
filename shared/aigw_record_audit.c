/*
 * Packs and unpacks records of the audit log. No I/O, and no hash is computed:
 * the order of fields here is the format at rest.
 */

#include "aigw_record_internal.h"
#include "aigw_record.h"


size_t
aigw_record_pack_audit(const aigw_audit_t *audit, uint8_t *buf)
{
    aigw_writer_t  w = { buf };

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);
    aigw_write_int(&w, audit->seq, 8);
    aigw_write_int(&w, (uint64_t) audit->time_ms, 8);
    aigw_write_int(&w, audit->actor.kind, 1);
    aigw_write_int(&w, audit->actor.id, 8);
    aigw_write_text(&w, audit->actor.name, AIGW_NAME_MAX);
    aigw_write_text(&w, audit->actor.from, AIGW_FROM_MAX);
    aigw_write_text(&w, audit->action, AIGW_AUDIT_WORD_MAX);
    aigw_write_text(&w, audit->object, AIGW_AUDIT_WORD_MAX);
    aigw_write_int(&w, audit->object_id, 8);
    aigw_write_text(&w, audit->name, AIGW_MODEL_MAX);
    aigw_write_text(&w, audit->before, AIGW_AUDIT_JSON_MAX);
    aigw_write_text(&w, audit->after, AIGW_AUDIT_JSON_MAX);
    aigw_write_bytes(&w, audit->hash, AIGW_AUDIT_HASH_LEN);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_audit(const uint8_t *buf, size_t len, aigw_audit_t *audit)
{
    aigw_err_t     err;
    aigw_audit_t   a;
    aigw_reader_t  r = aigw_reader(buf, len);

    a.seq = aigw_read_int(&r, 8);
    a.time_ms = aigw_read_min(&r, INT64_MIN);
    a.actor.kind = (uint8_t) aigw_read_below(&r, 1, AIGW_ACTOR_MAX);
    a.actor.id = aigw_read_int(&r, 8);
    aigw_read_text(&r, a.actor.name, AIGW_NAME_MAX);
    aigw_read_text(&r, a.actor.from, AIGW_FROM_MAX);
    aigw_read_text(&r, a.action, AIGW_AUDIT_WORD_MAX);
    aigw_read_text(&r, a.object, AIGW_AUDIT_WORD_MAX);
    a.object_id = aigw_read_int(&r, 8);
    aigw_read_text(&r, a.name, AIGW_MODEL_MAX);
    aigw_read_text(&r, a.before, AIGW_AUDIT_JSON_MAX);
    aigw_read_text(&r, a.after, AIGW_AUDIT_JSON_MAX);
    aigw_read_bytes(&r, a.hash, AIGW_AUDIT_HASH_LEN);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *audit = a;
    }

    return err;
}


const char *
aigw_record_actor_name(unsigned kind)
{
    static const char *const  names[AIGW_ACTOR_MAX] = {
        [AIGW_ACTOR_SYSTEM] = "system",
        [AIGW_ACTOR_SHELL] = "shell",
        [AIGW_ACTOR_API] = "api"
    };

    return kind < AIGW_ACTOR_MAX ? names[kind] : "unknown";
}
