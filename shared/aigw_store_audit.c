/*
 * Appending to the audit log, within the transaction of the change it is about.
 * Must never hold what is secret: hashes and what is sealed are left out here.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "aigw_time.h"
#include "aigw_store_audit_internal.h"


/* A JSON object in the making, of AIGW_AUDIT_JSON_MAX bytes and NUL. */
typedef struct {
    char   *text;
    size_t  len;
    int     full;
} members_t;


void
aigw_store_act_as(aigw_store_t *store, const aigw_actor_t *actor)
{
    if (actor != NULL) {
        store->actor = *actor;

    } else {
        memset(&store->actor, 0, sizeof(store->actor));
    }
}


static void
add_member(members_t *m, const char *member, size_t len)
{
    if (m->len + len + 2 > AIGW_AUDIT_JSON_MAX) {
        m->full = 1;
        return;
    }

    m->text[m->len] = m->len == 0 ? '{' : ',';
    memcpy(m->text + m->len + 1, member, len);
    m->len += len + 1;
}


/* Empty if there is no member. */
static void
end_members(members_t *m)
{
    if (m->len > 0) {
        m->text[m->len++] = '}';
    }

    m->text[m->len] = '\0';
}


static size_t
write_member(const aigw_field_t *field, const void *of, char *member)
{
    return of == NULL ? 0
           : (size_t) (aigw_store_line_field(member, field, of) - member);
}


/* Of both the fields that differ. */
static aigw_err_t
describe(const aigw_store_changed_t *changed, aigw_audit_t *audit)
{
    char                 was[AIGW_LINE_FIELD_MAX], is[AIGW_LINE_FIELD_MAX];
    size_t               nwas, nis;
    members_t            before = { audit->before, 0, 0 };
    members_t            after = { audit->after, 0, 0 };
    const aigw_field_t  *field;

    for (field = changed->fields; field != NULL && field->name != NULL;
         field++)
    {
        if (field->kind == AIGW_FIELD_HEX
            || field->kind == AIGW_FIELD_SEALED)
        {
            continue;
        }

        nwas = write_member(field, changed->before, was);
        nis = write_member(field, changed->after, is);

        if (nwas == nis && memcmp(was, is, nis) == 0) {
            continue;
        }

        if (nwas > 0) {
            add_member(&before, was, nwas);
        }

        if (nis > 0) {
            add_member(&after, is, nis);
        }
    }

    if (changed->secret != NULL) {
        nis = (size_t) snprintf(is, sizeof(is), "\"%s\":\"changed\"",
                                changed->secret);
        add_member(&after, is, nis);
    }

    end_members(&before);
    end_members(&after);

    return before.full || after.full ? AIGW_ERANGE : AIGW_OK;
}


uint64_t
aigw_store_audit_head(aigw_db_txn_t *txn, uint8_t hash[AIGW_AUDIT_HASH_LEN])
{
    uint64_t         seq;
    aigw_db_key_t    at;
    aigw_db_value_t  value;

    memset(hash, 0, AIGW_AUDIT_HASH_LEN);
    seq = aigw_store_get_meta(txn, AIGW_META_AUDIT_SEQ);

    if (seq == 0) {
        return 0;
    }

    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_AUDIT_HASH));

    if (aigw_db_get(txn, AIGW_CONTROL_META, &at, &value)
        && value.len == AIGW_AUDIT_HASH_LEN)
    {
        memcpy(hash, value.data, AIGW_AUDIT_HASH_LEN);

    } else {
        aigw_db_fail(txn, AIGW_ECORRUPT);
    }

    return seq;
}


/* Over the hash before and all of the packed bytes but the hash itself. */
aigw_err_t
aigw_store_audit_hash(const uint8_t before[AIGW_AUDIT_HASH_LEN],
    const uint8_t *packed, size_t len, uint8_t hash[AIGW_AUDIT_HASH_LEN])
{
    uint8_t  buf[AIGW_AUDIT_HASH_LEN + AIGW_AUDIT_PACKED_MAX];

    if (len < AIGW_AUDIT_HASH_LEN || len > AIGW_AUDIT_PACKED_MAX) {
        return AIGW_ECORRUPT;
    }

    len -= AIGW_AUDIT_HASH_LEN;
    memcpy(buf, before, AIGW_AUDIT_HASH_LEN);
    memcpy(buf + AIGW_AUDIT_HASH_LEN, packed, len);

    return SHA256(buf, AIGW_AUDIT_HASH_LEN + len, hash) != NULL
           ? AIGW_OK : AIGW_ECRYPTO;
}


static void
put_head(aigw_db_txn_t *txn, const aigw_audit_t *audit)
{
    aigw_db_key_t  at;

    aigw_store_put_meta(txn, AIGW_META_AUDIT_SEQ, audit->seq);
    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_AUDIT_HASH));
    aigw_db_put(txn, AIGW_CONTROL_META, &at, audit->hash,
                AIGW_AUDIT_HASH_LEN);
}


/* Numbers, dates and signs it, and writes it behind all others. */
static void
append(aigw_store_t *store, aigw_db_txn_t *txn, aigw_audit_t *audit)
{
    size_t            len;
    uint8_t           before[AIGW_AUDIT_HASH_LEN];
    uint8_t           packed[AIGW_AUDIT_PACKED_MAX];
    aigw_db_key_t     at;
    aigw_db_cursor_t  cur;

    audit->seq = aigw_store_audit_head(txn, before) + 1;
    audit->time_ms = aigw_time_now_ms();
    audit->actor = store->actor;
    len = aigw_record_pack_audit(audit, packed);
    aigw_db_fail(txn, aigw_store_audit_hash(before, packed, len,
                                            audit->hash));
    memcpy(packed + len - AIGW_AUDIT_HASH_LEN, audit->hash,
           AIGW_AUDIT_HASH_LEN);
    aigw_store_key_int(&at, audit->seq);
    aigw_db_cursor(&cur, txn, AIGW_CONTROL_AUDIT);
    aigw_db_cursor_put(&cur, &at, packed, len, 1);
    aigw_db_cursor_close(&cur);
    put_head(txn, audit);
}


static void
set_text(char *to, size_t max, const char *text)
{
    aigw_str_t  s;

    s = text != NULL ? aigw_store_text(text, max) : (aigw_str_t) { 0, "" };
    memcpy(to, s.data, s.len);
    to[s.len] = '\0';
}


void
aigw_store_audit_changed(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_store_changed_t *changed)
{
    aigw_audit_t  audit;

    if (txn->err != AIGW_OK) {
        return;
    }

    memset(&audit, 0, sizeof(audit));
    aigw_db_fail(txn, describe(changed, &audit));

    if (audit.before[0] == '\0' && audit.after[0] == '\0') {
        return;
    }

    set_text(audit.action, AIGW_AUDIT_WORD_MAX, changed->action);
    set_text(audit.object, AIGW_AUDIT_WORD_MAX, changed->object);
    set_text(audit.name, AIGW_MODEL_MAX, changed->name);
    audit.object_id = changed->id;
    append(store, txn, &audit);
}


/* By the names that all tables of fields have for them. */
static void
find_names(const void *thing, aigw_store_changed_t *changed)
{
    const char          *at;
    const aigw_field_t  *field;

    for (field = changed->fields; field->name != NULL; field++) {
        at = (const char *) thing + field->at;

        if (strcmp(field->name, "id") == 0 && field->size == 8) {
            memcpy(&changed->id, at, sizeof(changed->id));

        } else if (field->kind == AIGW_FIELD_TEXT && changed->name == NULL
                   && (strcmp(field->name, "name") == 0
                       || strcmp(field->name, "model") == 0))
        {
            changed->name = at;
        }
    }
}


static void
audit_line(aigw_store_t *store, aigw_db_txn_t *txn, const char *action,
    aigw_line_type_t type, const void *before, const void *after,
    const char *secret)
{
    aigw_store_changed_t  changed = {
        action, aigw_store_line_name(type), 0, NULL,
        aigw_store_line_fields(type), before, after, secret
    };

    find_names(after != NULL ? after : before, &changed);
    aigw_store_audit_changed(store, txn, &changed);
}


void
aigw_store_audit(aigw_store_t *store, aigw_db_txn_t *txn, const char *action,
    aigw_line_type_t type, const void *before, const void *after)
{
    audit_line(store, txn, action, type, before, after, NULL);
}


void
aigw_store_audit_secret(aigw_store_t *store, aigw_db_txn_t *txn,
    const char *action, aigw_line_type_t type, const void *before,
    const void *after)
{
    audit_line(store, txn, action, type, before, after, "secret");
}


aigw_err_t
aigw_store_audit_note(aigw_store_t *store, aigw_audit_t *audit)
{
    aigw_db_txn_t  txn;

    if (audit->action[0] == '\0' || audit->object[0] == '\0') {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    append(store, &txn, audit);

    return aigw_db_end(&txn);
}
