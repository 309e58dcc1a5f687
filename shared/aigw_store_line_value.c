/*
 * Values in a line of an export, by the kinds of its fields: what is not of a
 * kind's form, or out of its range, is refused.
 */

#include <string.h>

#include "aigw_store_line.h"


int
aigw_store_line_is(aigw_str_t text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}


static int
hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}


static int
read_hex(aigw_str_t text, uint8_t *bytes, size_t n)
{
    int     high, low;
    size_t  i;

    if (text.len != 2 * n) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        high = hex_value(text.data[2 * i]);
        low = hex_value(text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }

        bytes[i] = (uint8_t) (high << 4 | low);
    }

    return 1;
}


/* The four digits of an escape at *at; moves on. */
static int
read_code(aigw_str_t text, size_t *at, uint32_t *code)
{
    uint8_t     bytes[2];
    aigw_str_t  digits = { 4, text.data + *at };

    if (text.len - *at < 4 || !read_hex(digits, bytes, 2)) {
        return 0;
    }

    *code = (uint32_t) bytes[0] << 8 | bytes[1];
    *at += 4;

    return 1;
}


/* Bytes of a character, or the byte that a lone low surrogate stands for. */
static size_t
encode(uint32_t c, char out[4])
{
    if (c >= 0xdc80 && c < 0xdd00) {
        out[0] = (char) (c & 0xff);
        return 1;
    }

    if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
        return 0;
    }

    if (c < 0x80) {
        out[0] = (char) c;
        return 1;
    }

    if (c < 0x800) {
        out[0] = (char) (0xc0 | c >> 6);
        out[1] = (char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        out[0] = (char) (0xe0 | c >> 12);
        out[1] = (char) (0x80 | (c >> 6 & 0x3f));
        out[2] = (char) (0x80 | (c & 0x3f));
        return 3;
    }

    out[0] = (char) (0xf0 | c >> 18);
    out[1] = (char) (0x80 | (c >> 12 & 0x3f));
    out[2] = (char) (0x80 | (c >> 6 & 0x3f));
    out[3] = (char) (0x80 | (c & 0x3f));

    return 4;
}


/* What an escape at *at (behind the backslash) stands for; 0: it is none. */
static size_t
unescape(aigw_str_t text, size_t *at, char out[4])
{
    char         c;
    size_t       then;
    uint32_t     code, low;
    const char  *found;

    static const char  names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";

    c = text.data[(*at)++];

    if (c != 'u') {
        found = c ? strchr(names, c) : NULL;

        if (found == NULL) {
            return 0;
        }

        out[0] = values[found - names];
        return 1;
    }

    if (!read_code(text, at, &code)) {
        return 0;
    }

    if (code >= 0xd800 && code < 0xdc00) {
        then = *at + 2;

        if (text.len < then || memcmp(text.data + *at, "\\u", 2) != 0
            || !read_code(text, &then, &low) || low < 0xdc00 || low > 0xdfff)
        {
            return 0;
        }

        *at = then;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }

    return encode(code, out);
}


/* Into max bytes and NUL. */
static int
read_text(aigw_str_t text, char *out, size_t max)
{
    char    bytes[4];
    size_t  at, n, len = 0;

    for (at = 0; at < text.len; ) {
        if (text.data[at] == '\\') {
            at++;
            n = unescape(text, &at, bytes);

        } else {
            n = 1;
            bytes[0] = text.data[at++];
        }

        if (n == 0 || len + n > max) {
            return 0;
        }

        memcpy(out + len, bytes, n);
        len += n;
    }

    memset(out + len, 0, max + 1 - len);

    return 1;
}


static int
read_uint(aigw_str_t text, uint64_t max, uint64_t *n)
{
    size_t    i;
    uint64_t  value = 0;

    if (text.len == 0 || (text.len > 1 && text.data[0] == '0')) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9'
            || __builtin_mul_overflow(value, 10, &value)
            || __builtin_add_overflow(value, (uint64_t) (text.data[i] - '0'),
                                      &value))
        {
            return 0;
        }
    }

    *n = value;

    return value <= max;
}


static int
read_int(aigw_str_t text, int64_t *n)
{
    int         minus = text.len > 0 && text.data[0] == '-';
    uint64_t    value;
    aigw_str_t  digits = { text.len - (size_t) minus, text.data + minus };

    if (!read_uint(digits, (uint64_t) INT64_MAX + (uint64_t) minus, &value)) {
        return 0;
    }

    *n = (int64_t) (minus ? 0 - value : value);

    return 1;
}


/* The least number has no twin above 0. */
static int
read_amount(aigw_str_t text, int64_t *nano)
{
    int         minus = text.len > 0 && text.data[0] == '-';
    int64_t     value;
    aigw_str_t  number = { text.len - (size_t) minus, text.data + minus };

    if (aigw_store_line_is(text, "-9223372036.854775808")) {
        *nano = INT64_MIN;
        return 1;
    }

    if (aigw_amount_parse(number, &value) != AIGW_OK) {
        return 0;
    }

    *nano = minus ? -value : value;

    return 1;
}


static void
store_uint(void *at, size_t size, uint64_t n)
{
    if (size == 1) {
        *(uint8_t *) at = (uint8_t) n;

    } else if (size == 2) {
        *(uint16_t *) at = (uint16_t) n;

    } else if (size == 4) {
        *(uint32_t *) at = (uint32_t) n;

    } else {
        *(uint64_t *) at = n;
    }
}


static int
read_number(const aigw_line_member_t *m, const aigw_field_t *field, void *at)
{
    uint64_t  n;

    if (field->kind == AIGW_FIELD_UINT) {
        if (!read_uint(m->value, field->max, &n)) {
            return 0;
        }

        store_uint(at, field->size, n);
        return 1;
    }

    return read_int(m->value, at)
           && (field->kind == AIGW_FIELD_TIME || *(int64_t *) at >= 0);
}


static int
read_bool(aigw_str_t text, uint8_t *yes)
{
    *yes = (uint8_t) aigw_store_line_is(text, "true");

    return *yes || aigw_store_line_is(text, "false");
}


static int
read_sealed(aigw_str_t text, aigw_line_sealed_t *sealed)
{
    sealed->len = (uint16_t) (text.len / 2);

    return text.len / 2 <= AIGW_SEALED_MAX
           && read_hex(text, sealed->bytes, text.len / 2);
}


int
aigw_store_line_value(const aigw_line_member_t *m,
    const aigw_field_t *field, void *at)
{
    switch (field->kind) {

    case AIGW_FIELD_BOOL:
        return !m->string && read_bool(m->value, at);

    case AIGW_FIELD_LIMIT:
        if (!m->string) {
            *(int64_t *) at = AIGW_UNLIMITED;
            return aigw_store_line_is(m->value, "null");
        }

        return read_amount(m->value, at) && *(int64_t *) at >= 0;

    case AIGW_FIELD_AMOUNT:
        return m->string && read_amount(m->value, at);

    case AIGW_FIELD_TEXT:
        return m->string && read_text(m->value, at, field->size);

    case AIGW_FIELD_HEX:
        return m->string && read_hex(m->value, at, field->size);

    case AIGW_FIELD_SEALED:
        return m->string && read_sealed(m->value, at);

    case AIGW_FIELD_ROLE:
        return m->string ? aigw_record_parse_role(m->value, at) == AIGW_OK
                         : read_bool(m->value, at);

    default:
        return !m->string && read_number(m, field, at);
    }
}
