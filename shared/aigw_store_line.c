/*
 * What the lines of an export have, and how they are written. Reading them is
 * aigw_store_line_read.c, by the same tables.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aigw_verdict.h"
#include "aigw_store_line.h"


#define SIZE(t, m)  sizeof(((t *) 0)->m)

#define UINT(n, t, m, max)                                                    \
    { n, AIGW_FIELD_UINT, offsetof(t, m), SIZE(t, m), max }
#define ID(n, t, m)      UINT(n, t, m, INT64_MAX)
#define INT(n, t, m)     { n, AIGW_FIELD_INT, offsetof(t, m), 8, 0 }
#define TIME(n, t, m)    { n, AIGW_FIELD_TIME, offsetof(t, m), 8, 0 }
#define BOOL(n, t, m)    { n, AIGW_FIELD_BOOL, offsetof(t, m), 1, 0 }
#define LIMIT(n, t, m)   { n, AIGW_FIELD_LIMIT, offsetof(t, m), 8, 0 }
#define AMOUNT(n, t, m)  { n, AIGW_FIELD_AMOUNT, offsetof(t, m), 8, 0 }
#define TEXT(n, t, m)                                                         \
    { n, AIGW_FIELD_TEXT, offsetof(t, m), SIZE(t, m) - 1, 0 }
#define HEX(n, t, m)                                                          \
    { n, AIGW_FIELD_HEX, offsetof(t, m), SIZE(t, m), 0 }
#define SEALED(n, t, m)                                                       \
    { n, AIGW_FIELD_SEALED, offsetof(t, m), AIGW_SEALED_MAX, 0 }
#define END              { NULL, 0, 0, 0, 0 }

#define SUMS(t)                                                               \
    INT("calls", t, sums.calls),                                              \
    INT("ok_calls", t, sums.ok_calls),                                        \
    INT("refused_calls", t, sums.refused_calls),                              \
    INT("inexact_calls", t, sums.inexact_calls),                              \
    INT("prompt_tokens", t, sums.prompt_tokens),                              \
    INT("completion_tokens", t, sums.completion_tokens),                      \
    AMOUNT("cost", t, sums.cost_nano),                                        \
    TIME("last_ms", t, sums.last_ms)


static const aigw_field_t  head[] = {
    UINT("format", aigw_line_head_t, format, UINT32_MAX),
    UINT("schema", aigw_line_head_t, schema, UINT32_MAX),
    END
};

static const aigw_field_t  counters[] = {
    ID("user", aigw_line_counters_t, user),
    ID("project", aigw_line_counters_t, project),
    ID("key", aigw_line_counters_t, key),
    ID("upstream", aigw_line_counters_t, upstream),
    UINT("price", aigw_line_counters_t, price, UINT32_MAX),
    END
};

static const aigw_field_t  user[] = {
    ID("id", aigw_user_t, id),
    TEXT("name", aigw_user_t, name),
    { "role", AIGW_FIELD_ROLE, offsetof(aigw_user_t, role), 1, 0 },
    BOOL("enabled", aigw_user_t, enabled),
    LIMIT("quota", aigw_user_t, quota_nano),
    TIME("created_ms", aigw_user_t, created_ms),
    END
};

static const aigw_field_t  project[] = {
    ID("id", aigw_project_t, id),
    ID("user_id", aigw_project_t, user_id),
    TEXT("name", aigw_project_t, name),
    BOOL("enabled", aigw_project_t, enabled),
    BOOL("cap_strict", aigw_project_t, cap_strict),
    BOOL("disconnect_abort", aigw_project_t, disconnect_abort),
    LIMIT("quota", aigw_project_t, quota_nano),
    TIME("created_ms", aigw_project_t, created_ms),
    TIME("expires_ms", aigw_project_t, expires_ms),
    TEXT("models", aigw_project_t, models),
    END
};

static const aigw_field_t  key[] = {
    ID("id", aigw_key_t, id),
    ID("project_id", aigw_key_t, project_id),
    TEXT("name", aigw_key_t, name),
    HEX("sha256", aigw_key_t, hash),
    TEXT("prefix", aigw_key_t, prefix),
    TEXT("last4", aigw_key_t, last4),
    BOOL("enabled", aigw_key_t, enabled),
    LIMIT("quota", aigw_key_t, quota_nano),
    TIME("created_ms", aigw_key_t, created_ms),
    TIME("expires_ms", aigw_key_t, expires_ms),
    TIME("revoked_ms", aigw_key_t, revoked_ms),
    TIME("old_until_ms", aigw_key_t, old_until_ms),
    HEX("old_sha256", aigw_key_t, old_hash),
    TEXT("models", aigw_key_t, models),
    END
};

static const aigw_field_t  gone[] = {
    UINT("kind", aigw_line_gone_t, kind, AIGW_ACCOUNT_KEY),
    ID("id", aigw_line_gone_t, id),
    ID("of_id", aigw_line_gone_t, gone.of_id),
    TEXT("name", aigw_line_gone_t, gone.name),
    TIME("gone_ms", aigw_line_gone_t, gone.gone_ms),
    END
};

static const aigw_field_t  model[] = {
    TEXT("name", aigw_model_t, name),
    TEXT("alias_of", aigw_model_t, alias_of),
    TIME("created_ms", aigw_model_t, created_ms),
    INT("max_output", aigw_model_t, max_output),
    INT("context", aigw_model_t, context),
    UINT("reasoning", aigw_model_t, reasoning, AIGW_REASONING_MAX - 1),
    END
};

static const aigw_field_t  price[] = {
    TEXT("model", aigw_price_entry_t, model),
    TIME("from_ms", aigw_price_entry_t, from_ms),
    UINT("version", aigw_price_entry_t, price.version, UINT32_MAX),
    LIMIT("prompt", aigw_price_entry_t, price.prompt_nano),
    LIMIT("completion", aigw_price_entry_t, price.completion_nano),
    LIMIT("cached", aigw_price_entry_t, price.cached_nano),
    LIMIT("cache_write", aigw_price_entry_t, price.cache_write_nano),
    LIMIT("reasoning", aigw_price_entry_t, price.reasoning_nano),
    END
};

static const aigw_field_t  upstream[] = {
    ID("id", aigw_upstream_t, id),
    TEXT("name", aigw_upstream_t, name),
    TEXT("url", aigw_upstream_t, url),
    TIME("created_ms", aigw_upstream_t, created_ms),
    TIME("changed_ms", aigw_upstream_t, changed_ms),
    SEALED("sealed", aigw_upstream_t, sealed_len),
    END
};

static const aigw_field_t  subkey[] = {
    TEXT("name", aigw_subkey_t, name),
    UINT("state", aigw_subkey_t, state, AIGW_SUBKEY_MAX - 1),
    ID("project_id", aigw_subkey_t, project_id),
    ID("upstream_id", aigw_subkey_t, upstream_id),
    ID("remote_id", aigw_subkey_t, remote_id),
    LIMIT("quota", aigw_subkey_t, quota_nano),
    TIME("expires_ms", aigw_subkey_t, expires_ms),
    TEXT("models", aigw_subkey_t, models),
    TIME("created_ms", aigw_subkey_t, created_ms),
    TIME("changed_ms", aigw_subkey_t, changed_ms),
    SEALED("sealed", aigw_subkey_t, sealed_len),
    END
};

_Static_assert(offsetof(aigw_upstream_t, sealed)
               == offsetof(aigw_upstream_t, sealed_len)
                  + offsetof(aigw_line_sealed_t, bytes)
               && offsetof(aigw_subkey_t, sealed)
                  == offsetof(aigw_subkey_t, sealed_len)
                     + offsetof(aigw_line_sealed_t, bytes),
               "aigw_line_sealed_t is as the records have it");

static const aigw_field_t  setting[] = {
    TEXT("name", aigw_line_setting_t, name),
    TEXT("value", aigw_line_setting_t, value),
    END
};

static const aigw_field_t  pruned[] = {
    INT("before_ms", aigw_line_pruned_t, before_ms),
    END
};

static const aigw_field_t  closing[] = {
    UINT("hour", aigw_line_closing_t, hour, UINT32_MAX),
    ID("project_id", aigw_line_closing_t, project_id),
    ID("key_id", aigw_line_closing_t, key_id),
    ID("user_id", aigw_line_closing_t, user_id),
    TEXT("model", aigw_line_closing_t, model),
    SUMS(aigw_line_closing_t),
    END
};

static const aigw_field_t  row[] = {
    HEX("id", aigw_row_t, id),
    UINT("partition", aigw_row_t, partition, 0),
    ID("user_id", aigw_row_t, user_id),
    ID("project_id", aigw_row_t, project_id),
    ID("key_id", aigw_row_t, key_id),
    TIME("time_ms", aigw_row_t, time_ms),
    TIME("settled_ms", aigw_row_t, settled_ms),
    UINT("duration_ms", aigw_row_t, duration_ms, UINT32_MAX),
    UINT("ttft_ms", aigw_row_t, ttft_ms, UINT32_MAX),
    UINT("status", aigw_row_t, status, UINT16_MAX),
    UINT("route", aigw_row_t, route, AIGW_ROUTE_MAX - 1),
    UINT("verdict", aigw_row_t, verdict, AIGW_VERDICT_MAX - 1),
    UINT("settled", aigw_row_t, settled, AIGW_SETTLED_MAX - 1),
    UINT("attempts", aigw_row_t, attempts, UINT8_MAX),
    UINT("flags", aigw_row_t, flags, UINT16_MAX),
    INT("prompt_tokens", aigw_row_t, tokens.prompt_tokens),
    INT("completion_tokens", aigw_row_t, tokens.completion_tokens),
    INT("cached_tokens", aigw_row_t, tokens.cached_tokens),
    INT("cache_write_tokens", aigw_row_t, tokens.cache_write_tokens),
    INT("reasoning_tokens", aigw_row_t, tokens.reasoning_tokens),
    UINT("price_version", aigw_row_t, price_version, UINT32_MAX),
    AMOUNT("hold", aigw_row_t, hold_nano),
    AMOUNT("cost", aigw_row_t, cost_nano),
    TEXT("model", aigw_row_t, model),
    TEXT("tag", aigw_row_t, tag),
    HEX("of", aigw_row_t, of),
    TEXT("ref", aigw_row_t, ref),
    TEXT("note", aigw_row_t, note),
    END
};

static const aigw_field_t  back[] = {
    UINT("settled", aigw_line_return_t, settled, AIGW_SETTLED_MAX - 1),
    ID("project_id", aigw_line_return_t, project_id),
    HEX("of", aigw_line_return_t, of),
    TEXT("ref", aigw_line_return_t, ref),
    HEX("id", aigw_line_return_t, id),
    AMOUNT("cost", aigw_line_return_t, cost_nano),
    END
};

static const aigw_field_t  sums[] = {
    UINT("partition", aigw_line_sums_t, partition, UINT16_MAX),
    UINT("kind", aigw_line_sums_t, kind, AIGW_ACCOUNT_KEY),
    ID("id", aigw_line_sums_t, id),
    SUMS(aigw_line_sums_t),
    END
};

static const aigw_field_t  end[] = {
    UINT("lines", aigw_line_end_t, lines, INT64_MAX),
    UINT("crc32c", aigw_line_end_t, crc, UINT32_MAX),
    END
};

static const struct {
    const char          *name;
    const aigw_field_t  *fields;
} types[AIGW_LINE_MAX] = {
    [AIGW_LINE_HEAD] = { "aigw_export", head },
    [AIGW_LINE_COUNTERS] = { "counters", counters },
    [AIGW_LINE_USER] = { "user", user },
    [AIGW_LINE_PROJECT] = { "project", project },
    [AIGW_LINE_KEY] = { "key", key },
    [AIGW_LINE_GONE] = { "gone", gone },
    [AIGW_LINE_MODEL] = { "model", model },
    [AIGW_LINE_PRICE] = { "price", price },
    [AIGW_LINE_UPSTREAM] = { "upstream", upstream },
    [AIGW_LINE_SUBKEY] = { "subkey", subkey },
    [AIGW_LINE_SETTING] = { "setting", setting },
    [AIGW_LINE_PRUNED] = { "pruned", pruned },
    [AIGW_LINE_CLOSING] = { "closing", closing },
    [AIGW_LINE_ROW] = { "row", row },
    [AIGW_LINE_RETURN] = { "return", back },
    [AIGW_LINE_SUMS] = { "sums", sums },
    [AIGW_LINE_END] = { "end", end }
};


const char *
aigw_store_line_name(aigw_line_type_t type)
{
    return types[type].name;
}


const aigw_field_t *
aigw_store_line_fields(aigw_line_type_t type)
{
    return types[type].fields;
}


size_t
aigw_store_line_utf8(const uint8_t *p, size_t n)
{
    size_t    i, len;
    uint32_t  c;

    len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2
          : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (len < 2 || len > n) {
        return len > n ? 0 : len;
    }

    c = p[0] & (0x7fu >> len);

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    return (len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000)))
           || (len == 4 && (c < 0x10000 || c > 0x10ffff)) ? 0 : len;
}


static char *
write_text(char *p, const char *text, size_t max)
{
    size_t          n, len;
    const uint8_t  *in = (const uint8_t *) text;

    *p++ = '"';

    for (len = aigw_store_text(text, max).len; len > 0; in += n, len -= n) {
        n = aigw_store_line_utf8(in, len);

        if (n == 0) {
            p += sprintf(p, "\\udc%02x", in[0]);
            n = 1;

        } else if (in[0] < 0x20 || in[0] == 0x7f) {
            p += sprintf(p, "\\u%04x", in[0]);

        } else {
            if (in[0] == '"' || in[0] == '\\') {
                *p++ = '\\';
            }

            memcpy(p, in, n);
            p += n;
        }
    }

    *p++ = '"';

    return p;
}


static char *
write_hex(char *p, const uint8_t *bytes, size_t n)
{
    size_t  i;

    static const char  digits[] = "0123456789abcdef";

    *p++ = '"';

    for (i = 0; i < n; i++) {
        *p++ = digits[bytes[i] >> 4];
        *p++ = digits[bytes[i] & 15];
    }

    *p++ = '"';

    return p;
}


static uint64_t
load_uint(const void *at, size_t size)
{
    return size == 1 ? *(const uint8_t *) at
           : size == 2 ? *(const uint16_t *) at
           : size == 4 ? *(const uint32_t *) at : *(const uint64_t *) at;
}


static char *
write_amount(char *p, int64_t nano)
{
    size_t  len;

    *p = '"';
    len = aigw_amount_format(nano, p + 1);
    p[len + 1] = '"';

    return p + len + 2;
}


static char *
write_value(char *p, const aigw_field_t *field, const void *at)
{
    const aigw_line_sealed_t  *sealed = at;

    switch (field->kind) {

    case AIGW_FIELD_UINT:
        return p + sprintf(p, "%" PRIu64, load_uint(at, field->size));

    case AIGW_FIELD_BOOL:
        return p + sprintf(p, "%s", *(const uint8_t *) at ? "true" : "false");

    case AIGW_FIELD_ROLE:
        return write_text(p, aigw_record_role_name(*(const uint8_t *) at),
                          AIGW_NAME_MAX);

    case AIGW_FIELD_LIMIT:
        return *(const int64_t *) at < 0 ? p + sprintf(p, "null")
               : write_amount(p, *(const int64_t *) at);

    case AIGW_FIELD_AMOUNT:
        return write_amount(p, *(const int64_t *) at);

    case AIGW_FIELD_TEXT:
        return write_text(p, at, field->size);

    case AIGW_FIELD_HEX:
        return write_hex(p, at, field->size);

    case AIGW_FIELD_SEALED:
        return write_hex(p, sealed->bytes, sealed->len);

    default:
        return p + sprintf(p, "%" PRId64, *(const int64_t *) at);
    }
}


char *
aigw_store_line_field(char *p, const aigw_field_t *field, const void *of)
{
    p += sprintf(p, "\"%s\":", field->name);

    return write_value(p, field, (const char *) of + field->at);
}


size_t
aigw_store_line_write(const aigw_line_t *line, char text[AIGW_EXPORT_LINE_MAX])
{
    char                *p = text;
    const aigw_field_t  *field;

    p += sprintf(p, "{\"type\":\"%s\"", types[line->type].name);

    for (field = types[line->type].fields;
         field->name != NULL
         && p - text < AIGW_EXPORT_LINE_MAX - AIGW_LINE_FIELD_MAX;
         field++)
    {
        *p++ = ',';
        p = aigw_store_line_field(p, field, &line->u);
    }

    *p++ = '}';
    *p++ = '\n';

    return (size_t) (p - text);
}
