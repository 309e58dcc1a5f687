/* Bytes at rest: there and back, cut, longer, flipped, random (threat S12). */

#include <stdlib.h>
#include <string.h>

#include "aigw_record.h"
#include "aigw_verdict.h"
#include "tap.h"


#define BIG  10240                    /* above any record in memory */


typedef struct {
    const char   *name;
    size_t        size;
    size_t        max;
    void        (*fill)(void *record);
    size_t      (*pack)(const void *record, uint8_t *buf);
    aigw_err_t  (*unpack)(const uint8_t *buf, size_t len, void *record);
    int         (*sane)(const void *record);
} kind_t;


#define WRAP(kind)                                                            \
    static size_t                                                             \
    pack_##kind(const void *record, uint8_t *buf)                             \
    {                                                                         \
        return aigw_record_pack_##kind(record, buf);                          \
    }                                                                         \
                                                                              \
    static aigw_err_t                                                         \
    unpack_##kind(const uint8_t *buf, size_t len, void *record)               \
    {                                                                         \
        return aigw_record_unpack_##kind(buf, len, record);                   \
    }


WRAP(user)
WRAP(project)
WRAP(key)
WRAP(login)
WRAP(ticket)
WRAP(gone)
WRAP(model)
WRAP(price)
WRAP(upstream)
WRAP(driver)
WRAP(subkey)
WRAP(row)
WRAP(sums)
WRAP(audit)


static void
full(char *text, size_t max)
{
    memset(text, 'x', max);
    text[max] = '\0';
}


static void
fill_user(void *record)
{
    aigw_user_t  *u = record;

    u->id = UINT64_MAX;
    full(u->name, AIGW_NAME_MAX);
    u->role = AIGW_ROLE_AUDITOR;
    u->enabled = 1;
    u->quota_nano = INT64_MAX;
    u->created_ms = INT64_MIN;
}


static void
fill_login(void *record)
{
    aigw_login_t  *l = record;

    l->user_id = UINT64_MAX;
    l->token_version = UINT32_MAX;
    l->password_changed_ms = INT64_MIN;
    l->password.scheme = AIGW_PASSWORD_SCRYPT;
    l->password.log_n = 17;
    l->password.r = 8;
    l->password.p = 255;
    memset(l->password.salt, 0xa5, sizeof(l->password.salt));
    memset(l->password.hash, 0x5a, sizeof(l->password.hash));
}


static void
fill_ticket(void *record)
{
    aigw_ticket_t  *t = record;

    memset(t->hash, 0xa5, sizeof(t->hash));
    t->kind = AIGW_TICKET_BOOTSTRAP;
    t->role = AIGW_ROLE_AUDITOR;
    t->uses_left = UINT32_MAX;
    t->token_version = 1;
    t->user_id = UINT64_MAX;
    t->quota_nano = AIGW_UNLIMITED;
    t->created_ms = INT64_MIN;
    t->expires_ms = INT64_MAX;
}


static void
fill_project(void *record)
{
    aigw_project_t  *p = record;

    p->id = 1;
    p->user_id = UINT64_C(0x0102030405060708);
    full(p->name, AIGW_NAME_MAX);
    p->enabled = 1;
    p->cap_strict = 1;
    p->disconnect_abort = 1;
    p->quota_nano = AIGW_UNLIMITED;
    p->created_ms = 1763996007123;
    p->expires_ms = INT64_MAX;
    full(p->models, AIGW_MODELS_MAX);
}


static void
fill_key(void *record)
{
    aigw_key_t  *k = record;

    k->id = 7;
    k->project_id = 8;
    memset(k->hash, 0xa5, sizeof(k->hash));
    full(k->prefix, AIGW_KEY_PREFIX_LEN);
    full(k->last4, AIGW_KEY_LAST_LEN);
    full(k->name, AIGW_NAME_MAX);
    k->enabled = 1;
    k->quota_nano = 0;
    k->created_ms = 1;
    k->expires_ms = 2;
    k->revoked_ms = 3;
    k->old_until_ms = 4;
    memset(k->old_hash, 0xa5, sizeof(k->old_hash));
    full(k->models, AIGW_MODELS_MAX);
}


static void
fill_gone(void *record)
{
    aigw_gone_t  *g = record;

    g->of_id = UINT64_MAX;
    g->gone_ms = 6;
    full(g->name, AIGW_NAME_MAX);
}


static void
fill_model(void *record)
{
    aigw_model_t  *m = record;

    full(m->name, AIGW_MODEL_MAX);
    full(m->alias_of, AIGW_MODEL_MAX);
    m->created_ms = 5;
    m->max_output = AIGW_TOKENS_MAX;
    m->context = 1;
    m->reasoning = AIGW_REASONING_NO;
}


static void
fill_price(void *record)
{
    aigw_price_entry_t  *e = record;

    full(e->model, AIGW_MODEL_MAX);
    e->from_ms = -1;
    e->price.version = UINT32_MAX;
    e->price.prompt_nano = INT64_MAX;
    e->price.completion_nano = 0;
    e->price.cached_nano = AIGW_PRICE_NONE;
    e->price.cache_write_nano = 1;
    e->price.reasoning_nano = AIGW_PRICE_NONE;
}


static void
fill_upstream(void *record)
{
    aigw_upstream_t  *u = record;

    u->id = 3;
    full(u->name, AIGW_NAME_MAX);
    full(u->url, AIGW_URL_MAX);
    u->created_ms = 4;
    u->changed_ms = 5;
    u->sealed_len = AIGW_SEALED_MAX;
    memset(u->sealed, 0x5a, AIGW_SEALED_MAX);
    u->log_user = UINT64_MAX;
    u->log_sealed_len = AIGW_SEALED_MAX;
    memset(u->log_sealed, 0xa5, AIGW_SEALED_MAX);
}


static void
fill_subkeyed(void *record)
{
    aigw_project_t  *p = record;

    fill_project(record);
    p->has_subkey = 1;
}


static void
fill_driver(void *record)
{
    aigw_driver_t  *d = record;

    d->upstream_id = UINT64_MAX;
    d->kind = AIGW_DRIVER_SEED;
    d->user = UINT64_MAX;
    full(d->group, AIGW_NAME_MAX);
    d->quota_per_unit = UINT32_MAX;
    d->changed_ms = INT64_MIN;
    d->sealed_len = AIGW_SEALED_MAX;
    memset(d->sealed, 0x5a, AIGW_SEALED_MAX);
}


static void
fill_subkey(void *record)
{
    aigw_subkey_t  *s = record;

    full(s->name, AIGW_SUBKEY_NAME_MAX);
    s->state = AIGW_SUBKEY_FORGOTTEN;
    s->project_id = UINT64_MAX;
    s->upstream_id = 2;
    s->remote_id = 3;
    s->quota_nano = AIGW_UNLIMITED;
    s->expires_ms = INT64_MAX;
    s->created_ms = INT64_MIN;
    s->changed_ms = 4;
    s->sealed_len = AIGW_SEALED_MAX;
    memset(s->sealed, 0x5a, AIGW_SEALED_MAX);
    full(s->models, AIGW_MODELS_MAX);
}


static void
fill_row(void *record)
{
    aigw_row_t  *r = record;

    memset(r->id, 0xee, AIGW_ROW_ID_LEN);
    r->partition = 0xabcd;
    r->user_id = 1;
    r->project_id = 2;
    r->key_id = 3;
    r->time_ms = 1763996007123;
    r->settled_ms = 1763996007124;
    r->duration_ms = UINT32_MAX;
    r->ttft_ms = 12;
    r->status = 65535;
    r->route = AIGW_ROUTE_MAX - 1;
    r->verdict = AIGW_VERDICT_MAX - 1;
    r->settled = AIGW_SETTLED_UNKNOWN;
    r->attempts = 255;
    r->flags = 0xffff;
    r->tokens.prompt_tokens = INT64_MAX;
    r->tokens.completion_tokens = 2;
    r->tokens.cached_tokens = 3;
    r->tokens.cache_write_tokens = 4;
    r->tokens.reasoning_tokens = 5;
    r->price_version = 6;
    r->hold_nano = 7;
    r->cost_nano = INT64_MAX;
    full(r->model, AIGW_MODEL_MAX);
    full(r->tag, AIGW_TAG_MAX);
}


static void
fill_credit(void *record)
{
    aigw_row_t  *r = record;

    fill_row(record);
    r->settled = AIGW_SETTLED_CREDIT;
    r->attempts = 0;
    r->hold_nano = 0;
    r->cost_nano = -INT64_MAX;
    r->model[0] = '\0';
    full(r->ref, AIGW_NAME_MAX);
    full(r->note, AIGW_NOTE_MAX);
}


static void
fill_refund(void *record)
{
    aigw_row_t  *r = record;

    fill_credit(record);
    r->settled = AIGW_SETTLED_REFUND;
    r->cost_nano = -1;
    full(r->model, AIGW_MODEL_MAX);
    memset(r->of, 0xdd, AIGW_ROW_ID_LEN);
    r->ref[0] = '\0';
    r->note[0] = '\0';
}


static void
fill_sums(void *record)
{
    aigw_sums_t  *s = record;

    s->calls = INT64_MAX;
    s->ok_calls = 1;
    s->refused_calls = 2;
    s->inexact_calls = 3;
    s->prompt_tokens = 4;
    s->completion_tokens = 5;
    s->cost_nano = 6;
    s->last_ms = -7;
}


/* Half as long as it can be: each of its bits is flipped. */
static void
fill_audit(void *record)
{
    aigw_audit_t  *a = record;

    a->seq = UINT64_MAX;
    a->time_ms = INT64_MIN;
    a->actor.id = 1000;
    a->actor.kind = AIGW_ACTOR_API;
    full(a->actor.name, AIGW_NAME_MAX);
    full(a->actor.from, AIGW_FROM_MAX);
    full(a->action, AIGW_AUDIT_WORD_MAX);
    full(a->object, AIGW_AUDIT_WORD_MAX);
    a->object_id = 7;
    full(a->name, AIGW_MODEL_MAX);
    full(a->before, 300);
    full(a->after, 301);
    memset(a->hash, 0xaa, sizeof(a->hash));
}


/* What callers rely on, whatever the bytes were. */
static int
sane_user(const void *record)
{
    const aigw_user_t  *u = record;

    return memchr(u->name, '\0', sizeof(u->name)) && u->role < AIGW_ROLE_MAX
           && u->enabled <= 1 && u->quota_nano >= -1;
}


static int
sane_login(const void *record)
{
    const aigw_login_t  *l = record;

    return l->password.scheme < AIGW_PASSWORD_SCHEMES;
}


static int
sane_ticket(const void *record)
{
    const aigw_ticket_t  *t = record;

    return t->kind < AIGW_TICKET_MAX && t->role < AIGW_ROLE_MAX
           && t->quota_nano >= -1 && t->expires_ms >= 0;
}


static int
sane_project(const void *record)
{
    const aigw_project_t  *p = record;

    return memchr(p->name, '\0', sizeof(p->name))
           && memchr(p->models, '\0', sizeof(p->models)) && p->enabled <= 1
           && p->cap_strict <= 1 && p->disconnect_abort <= 1
           && p->has_subkey <= 1
           && p->quota_nano >= -1;
}


static int
sane_key(const void *record)
{
    const aigw_key_t  *k = record;

    return memchr(k->name, '\0', sizeof(k->name))
           && memchr(k->models, '\0', sizeof(k->models))
           && memchr(k->prefix, '\0', sizeof(k->prefix))
           && memchr(k->last4, '\0', sizeof(k->last4)) && k->enabled <= 1
           && k->quota_nano >= -1;
}


static int
sane_gone(const void *record)
{
    const aigw_gone_t  *g = record;

    return memchr(g->name, '\0', sizeof(g->name)) != NULL;
}


static int
sane_model(const void *record)
{
    const aigw_model_t  *m = record;

    return memchr(m->name, '\0', sizeof(m->name))
           && memchr(m->alias_of, '\0', sizeof(m->alias_of))
           && m->max_output >= 0 && m->max_output <= AIGW_TOKENS_MAX
           && m->context >= 0 && m->context <= AIGW_TOKENS_MAX
           && m->reasoning < AIGW_REASONING_MAX;
}


static int
sane_price(const void *record)
{
    const aigw_price_entry_t  *e = record;

    return memchr(e->model, '\0', sizeof(e->model))
           && e->price.prompt_nano >= -1 && e->price.completion_nano >= -1
           && e->price.cached_nano >= -1 && e->price.cache_write_nano >= -1
           && e->price.reasoning_nano >= -1;
}


static int
sane_upstream(const void *record)
{
    const aigw_upstream_t  *u = record;

    return memchr(u->name, '\0', sizeof(u->name))
           && memchr(u->url, '\0', sizeof(u->url))
           && u->sealed_len <= AIGW_SEALED_MAX
           && u->log_sealed_len <= AIGW_SEALED_MAX;
}


static int
sane_driver(const void *record)
{
    const aigw_driver_t  *d = record;

    return memchr(d->group, '\0', sizeof(d->group))
           && d->kind < AIGW_DRIVER_MAX && d->sealed_len <= AIGW_SEALED_MAX;
}


static int
sane_subkey(const void *record)
{
    const aigw_subkey_t  *s = record;

    return memchr(s->name, '\0', sizeof(s->name))
           && memchr(s->models, '\0', sizeof(s->models))
           && s->state < AIGW_SUBKEY_MAX && s->quota_nano >= -1
           && s->expires_ms >= 0 && s->sealed_len <= AIGW_SEALED_MAX;
}


static int
sane_row(const void *record)
{
    const aigw_row_t  *r = record;

    return memchr(r->model, '\0', sizeof(r->model))
           && memchr(r->tag, '\0', sizeof(r->tag))
           && memchr(r->ref, '\0', sizeof(r->ref))
           && memchr(r->note, '\0', sizeof(r->note))
           && (aigw_row_is_call(r) ? r->cost_nano >= 0
               : r->cost_nano <= 0 && r->cost_nano != INT64_MIN)
           && r->hold_nano >= 0 && r->tokens.prompt_tokens >= 0
           && r->tokens.completion_tokens >= 0
           && r->tokens.cached_tokens >= 0
           && r->tokens.cache_write_tokens >= 0
           && r->tokens.reasoning_tokens >= 0
           && r->route < AIGW_ROUTE_MAX && r->verdict < AIGW_VERDICT_MAX
           && r->settled < AIGW_SETTLED_MAX;
}


static int
sane_sums(const void *record)
{
    const aigw_sums_t  *s = record;

    return s->calls >= 0 && s->ok_calls >= 0 && s->refused_calls >= 0
           && s->inexact_calls >= 0 && s->prompt_tokens >= 0
           && s->completion_tokens >= 0;
}


static int
sane_audit(const void *record)
{
    const aigw_audit_t  *a = record;

    return a->actor.kind < AIGW_ACTOR_MAX
           && memchr(a->actor.name, '\0', sizeof(a->actor.name))
           && memchr(a->actor.from, '\0', sizeof(a->actor.from))
           && memchr(a->action, '\0', sizeof(a->action))
           && memchr(a->object, '\0', sizeof(a->object))
           && memchr(a->name, '\0', sizeof(a->name))
           && memchr(a->before, '\0', sizeof(a->before))
           && memchr(a->after, '\0', sizeof(a->after));
}


#define KIND(kind, type, max)                                                 \
    { #kind, sizeof(type), max, fill_##kind, pack_##kind, unpack_##kind,      \
      sane_##kind }

static const kind_t  kinds[] = {
    KIND(user, aigw_user_t, AIGW_RECORD_MAX),
    KIND(project, aigw_project_t, AIGW_RECORD_MAX),
    KIND(key, aigw_key_t, AIGW_RECORD_MAX),
    KIND(login, aigw_login_t, AIGW_RECORD_MAX),
    KIND(ticket, aigw_ticket_t, AIGW_RECORD_MAX),
    KIND(gone, aigw_gone_t, AIGW_RECORD_MAX),
    KIND(model, aigw_model_t, AIGW_RECORD_MAX),
    KIND(price, aigw_price_entry_t, AIGW_RECORD_MAX),
    KIND(upstream, aigw_upstream_t, AIGW_RECORD_MAX),
    KIND(driver, aigw_driver_t, AIGW_RECORD_MAX),
    KIND(subkey, aigw_subkey_t, AIGW_RECORD_MAX),
    { "project with a sub-key", sizeof(aigw_project_t), AIGW_RECORD_MAX,
      fill_subkeyed, pack_project, unpack_project, sane_project },
    KIND(row, aigw_row_t, AIGW_ROW_PACKED_MAX),
    KIND(sums, aigw_sums_t, AIGW_RECORD_MAX),
    KIND(audit, aigw_audit_t, AIGW_AUDIT_PACKED_MAX),
    { "credit", sizeof(aigw_row_t), AIGW_ROW_PACKED_MAX, fill_credit, pack_row,
      unpack_row, sane_row },
    { "refund", sizeof(aigw_row_t), AIGW_ROW_PACKED_MAX, fill_refund, pack_row,
      unpack_row, sane_row },
};


/* Unpacks a heap copy of exactly len bytes. 1: refused with record untouched,
   or accepted and sane. */
static int
unpack_copy(const kind_t *kind, const uint8_t *bytes, size_t len,
    uint8_t *record, aigw_err_t *err)
{
    int       good;
    size_t    i;
    uint8_t  *copy;

    copy = malloc(len ? len : 1);
    memcpy(copy, bytes, len);
    memset(record, 0xc3, BIG);
    *err = kind->unpack(copy, len, record);
    free(copy);

    good = 1;

    for (i = *err == AIGW_OK ? kind->size : 0; i < BIG; i++) {
        good &= record[i] == 0xc3;
    }

    return good && (*err != AIGW_OK || kind->sane(record));
}


static void
test_round_trip(const kind_t *kind, uint8_t *buf, size_t *len)
{
    uint8_t     again[AIGW_AUDIT_PACKED_MAX];
    aigw_err_t  err;

    static _Alignas(16) uint8_t  record[BIG], back[BIG];

    memset(record, 0, sizeof(record));
    kind->fill(record);
    *len = kind->pack(record, buf);

    ok(*len > 1 && *len <= kind->max, "%s: %zu bytes fit", kind->name, *len);
    ok(unpack_copy(kind, buf, *len, back, &err) && err == AIGW_OK,
       "%s: reads back", kind->name);
    ok(kind->pack(back, again) == *len && memcmp(again, buf, *len) == 0,
       "%s: packs to the same bytes", kind->name);

    memset(record, 0, kind->size);
    *len = kind->pack(record, buf);
    ok(unpack_copy(kind, buf, *len, back, &err) && err == AIGW_OK
       && kind->pack(back, again) == *len && memcmp(again, buf, *len) == 0,
       "%s: all zero there and back", kind->name);

    kind->fill(record);
    *len = kind->pack(record, buf);
}


static void
test_damage(const kind_t *kind, const uint8_t *good, size_t len)
{
    size_t      i, bad, accepted, version;
    uint8_t     buf[AIGW_AUDIT_PACKED_MAX + 1];
    unsigned    bit;
    aigw_err_t  err;

    static _Alignas(16) uint8_t  record[BIG];

    bad = 0;

    for (i = 0; i < len; i++) {
        bad += !unpack_copy(kind, good, i, record, &err)
               || err != AIGW_ECORRUPT;
    }

    ok(bad == 0, "%s: each shorter one is corrupt", kind->name);

    memcpy(buf, good, len);
    buf[len] = 0;
    ok(unpack_copy(kind, buf, len + 1, record, &err) && err == AIGW_ECORRUPT,
       "%s: a byte too many is corrupt", kind->name);

    bad = 0;
    accepted = 0;
    version = 0;

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(buf, good, len);
            buf[i] ^= (uint8_t) (1u << bit);
            bad += !unpack_copy(kind, buf, len, record, &err);
            accepted += err == AIGW_OK;
            version += i == 0 && err == AIGW_EVERSION;
        }
    }

    ok(bad == 0, "S12 %s: any bit flipped: refused or sane (%zu accepted)",
       kind->name, accepted);
    is_int((int64_t) version, 8, "S22 another version byte is refused");
}


/* Random bytes behind a right version, of random lengths. */
static void
test_noise(const kind_t *kind)
{
    size_t      i, j, len, bad;
    uint8_t     buf[AIGW_RECORD_MAX];
    uint64_t    x;
    aigw_err_t  err;

    static _Alignas(16) uint8_t  record[BIG];

    bad = 0;
    x = 88172645463325252u;

    for (i = 0; i < 3000; i++) {
        for (j = 0; j < sizeof(buf); j++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            buf[j] = (uint8_t) (i % 3 == 0 ? x : x % 3 == 0 ? x >> 8 : 0);
        }

        buf[0] = 1;
        len = x % sizeof(buf);
        bad += !unpack_copy(kind, buf, len, record, &err);
    }

    ok(bad == 0, "%s: noise is refused or sane", kind->name);
}


static void
test_longest_audit(void)
{
    size_t  len;

    static uint8_t       buf[AIGW_AUDIT_PACKED_MAX], again[sizeof(buf)];
    static aigw_audit_t  audit, back;

    fill_audit(&audit);
    full(audit.before, AIGW_AUDIT_JSON_MAX);
    full(audit.after, AIGW_AUDIT_JSON_MAX);
    len = aigw_record_pack_audit(&audit, buf);
    ok(len <= sizeof(buf), "the longest record of the audit fits");
    is_int(aigw_record_unpack_audit(buf, len, &back), AIGW_OK, "... reads");
    ok(aigw_record_pack_audit(&back, again) == len
       && memcmp(buf, again, len) == 0, "... the same");
    is_str(aigw_record_actor_name(AIGW_ACTOR_SHELL), "shell", "an actor");
    is_str(aigw_record_actor_name(200), "unknown", "none of them");
}


/* What says nothing new is what older programs wrote and read. */
static void
test_old_form(void)
{
    size_t          len;
    uint8_t         buf[AIGW_RECORD_MAX];
    aigw_project_t  p, back;

    memset(&p, 0, sizeof(p));
    fill_project(&p);
    len = aigw_record_pack_project(&p, buf);
    is_int(buf[0], 1, "a project without a sub-key has the older form");
    is_int(aigw_record_unpack_project(buf, len, &back), AIGW_OK, "... read");
    is_int(back.has_subkey, 0, "... as one without");

    p.has_subkey = 1;
    is_int((int64_t) aigw_record_pack_project(&p, buf), (int64_t) len + 1,
           "with one it has a byte more");
    is_int(buf[0], 2, "... in the newer form");
    is_int(aigw_record_unpack_project(buf, len + 1, &back), AIGW_OK,
           "... read");
    is_int(back.has_subkey, 1, "... as one with");
    buf[len] = 0;
    is_int(aigw_record_unpack_project(buf, len + 1, &back), AIGW_ECORRUPT,
           "one form for each");
    buf[0] = 3;
    is_int(aigw_record_unpack_project(buf, len + 1, &back), AIGW_EVERSION,
           "one that is to come");
}


/* A view is taken of what unpacks, and of nothing else. */
static void
test_view(void)
{
    size_t           i, len, bad = 0;
    uint8_t          buf[AIGW_ROW_PACKED_MAX];
    unsigned         bit;
    aigw_err_t       err;
    aigw_row_t       row, back;
    aigw_sums_t      sums;
    aigw_row_view_t  view;

    memset(&row, 0, sizeof(row));
    fill_row(&row);
    len = aigw_record_pack_row(&row, buf);
    aigw_record_row_sums(&row, &sums);

    is_int(aigw_record_view_row(buf, len, &view), AIGW_OK, "a view of a row");
    ok(view.packed == buf && view.len == len && view.partition == 0xabcd
       && view.user_id == 1 && view.project_id == 2 && view.key_id == 3
       && memcmp(view.id, row.id, AIGW_ROW_ID_LEN) == 0, "its fields");
    ok(view.model.len == AIGW_MODEL_MAX
       && memcmp(view.model.data, row.model, AIGW_MODEL_MAX) == 0, "its model");
    ok(memcmp(&view.sums, &sums, sizeof(sums)) == 0, "its sums");

    for (i = 0; i < 8 * len; i++) {
        bit = 1u << i % 8;
        buf[i / 8] ^= (uint8_t) bit;
        err = aigw_record_unpack_row(buf, len, &back);
        bad += aigw_record_view_row(buf, len, &view) != err;
        buf[i / 8] ^= (uint8_t) bit;
    }

    for (i = 0; i < len; i++) {
        bad += aigw_record_view_row(buf, i, &view) != AIGW_ECORRUPT;
    }

    is_int((int64_t) bad, 0, "S12 a view refuses what unpack refuses");
}


static void
test_text_with_nul(void)
{
    size_t       len;
    uint8_t      buf[AIGW_RECORD_MAX];
    aigw_user_t  user;

    memset(&user, 0, sizeof(user));
    strcpy(user.name, "bob");
    len = aigw_record_pack_user(&user, buf);
    buf[1 + 8 + 2 + 1] = '\0';

    is_int(aigw_record_unpack_user(buf, len, &user), AIGW_ECORRUPT,
           "a NUL inside a name is corrupt");
}


static void
test_sums(void)
{
    aigw_row_t   row;
    aigw_sums_t  sums, before;

    memset(&row, 0, sizeof(row));
    memset(&sums, 0, sizeof(sums));

    row.attempts = 2;
    row.verdict = AIGW_VERDICT_OK;
    row.settled = AIGW_SETTLED_EXACT;
    row.tokens.prompt_tokens = 10;
    row.tokens.completion_tokens = 20;
    row.cost_nano = 30;
    row.time_ms = 40;
    is_int(aigw_record_add_row(&sums, &row), AIGW_OK, "an exact call");

    row.settled = AIGW_SETTLED_PARTIAL;
    row.verdict = AIGW_VERDICT_UPSTREAM_ERROR;
    row.time_ms = 35;
    is_int(aigw_record_add_row(&sums, &row), AIGW_OK, "a partial one");

    row.attempts = 0;
    row.settled = AIGW_SETTLED_NONE;
    row.verdict = AIGW_VERDICT_QUOTA_SPENT;
    row.cost_nano = 0;
    row.tokens.prompt_tokens = 0;
    row.tokens.completion_tokens = 0;
    is_int(aigw_record_add_row(&sums, &row), AIGW_OK, "a refused one");

    row.settled = AIGW_SETTLED_CREDIT;
    row.cost_nano = -7;
    row.time_ms = 50;
    is_int(aigw_record_add_row(&sums, &row), AIGW_OK, "a credit");
    is_int(sums.cost_nano, 53, "comes off the cost");
    row.cost_nano = 0;
    row.settled = AIGW_SETTLED_REFUND;
    is_int(aigw_record_add_row(&sums, &row), AIGW_OK, "a refund");
    row.settled = AIGW_SETTLED_NONE;
    sums.cost_nano += 7;

    is_int(sums.calls, 2, "calls: sent upstream");
    is_int(sums.ok_calls, 1, "ok_calls");
    is_int(sums.refused_calls, 1, "refused_calls");
    is_int(sums.inexact_calls, 1, "inexact_calls");
    is_int(sums.prompt_tokens, 20, "prompt_tokens");
    is_int(sums.completion_tokens, 40, "completion_tokens");
    is_int(sums.cost_nano, 60, "cost");
    is_int(sums.last_ms, 40, "last_ms is the latest call's");

    row.cost_nano = INT64_MAX;
    before = sums;
    is_int(aigw_record_add_row(&sums, &row), AIGW_ERANGE, "Q11 overflow");
    ok(memcmp(&before, &sums, sizeof(sums)) == 0, "Q11 sums unchanged");
    is_int(aigw_record_add_sums(&sums, &sums), AIGW_OK, "sums to themselves");
    is_int(sums.cost_nano, 120, "doubled");

    aigw_record_row_sums(&row, &before);
    is_int(aigw_record_add_saturated(&sums, &before), 1, "Q11 saturated");
    is_int(sums.cost_nano, INT64_MAX, "Q11 at the maximum");
    is_int(sums.refused_calls, 3, "Q11 the other fields went on");
}


static void
test_ids(void)
{
    char        text[AIGW_ROW_ID_TEXT_LEN + 1];
    uint8_t     id[AIGW_ROW_ID_LEN], back[AIGW_ROW_ID_LEN];
    unsigned    i;
    aigw_str_t  s = { AIGW_ROW_ID_TEXT_LEN, text };

    for (i = 0; i < AIGW_ROW_ID_LEN; i++) {
        id[i] = (uint8_t) (i * 17);
    }

    aigw_record_format_id(id, text);
    is_str(text, "00112233445566778899aabbccddeeff", "an id as text");
    is_int(aigw_record_parse_id(s, back), AIGW_OK, "and back");
    ok(memcmp(id, back, sizeof(id)) == 0, "the same id");

    text[5] = 'G';
    is_int(aigw_record_parse_id(s, back), AIGW_EINVAL, "no hex digit");
    text[5] = 'A';
    is_int(aigw_record_parse_id(s, back), AIGW_EINVAL, "upper case");
    text[5] = 'a';
    s.len--;
    is_int(aigw_record_parse_id(s, back), AIGW_EINVAL, "too short");
    s.len = 0;
    is_int(aigw_record_parse_id(s, back), AIGW_EINVAL, "empty");
}


static void
test_names(void)
{
    is_str(aigw_record_driver_name(AIGW_DRIVER_NEWAPI), "newapi", "a driver");
    is_str(aigw_record_driver_name(AIGW_DRIVER_MAX), "unknown", "none such");
    is_str(aigw_record_subkey_name(AIGW_SUBKEY_PLANNED), "planned",
           "a state");
    is_str(aigw_record_subkey_name(AIGW_SUBKEY_FORGOTTEN), "forgotten",
           "the last");
    is_str(aigw_record_subkey_name(AIGW_SUBKEY_MAX), "unknown", "none such");

    is_str(aigw_record_settled_name(AIGW_SETTLED_EXACT), "exact", "exact");
    is_str(aigw_record_settled_name(AIGW_SETTLED_UNKNOWN), "unknown",
           "unknown");
    is_str(aigw_record_settled_name(200), "unknown", "out of range");
    is_str(aigw_record_route_name(AIGW_ROUTE_CHAT), "/v1/chat/completions",
           "the chat route");
    is_str(aigw_record_route_name(200), "none", "out of range");
}


int
main(void)
{
    size_t   i, len;
    uint8_t  buf[AIGW_AUDIT_PACKED_MAX];

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        test_round_trip(&kinds[i], buf, &len);
        test_damage(&kinds[i], buf, len);
        test_noise(&kinds[i]);
    }

    test_longest_audit();
    test_old_form();
    test_view();
    test_text_with_nul();
    test_sums();
    test_ids();
    test_names();

    return done();
}
