/*
 * Strings of the scanner: jumps over what is plain, checks UTF-8 and escapes,
 * and keeps the decoded text where somebody wants it. Most texts lie whole in
 * the buffer and are not copied.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_internal.h"


/* aigw_json_t.part: what of a string comes next */
enum { P_PLAIN = 0, P_ESCAPE, P_HEX, P_UTF8 };


static const char  json_escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f',
    ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'
};


static void
json_append(aigw_json_t *json, const void *data, size_t len)
{
    size_t  room = (size_t) AIGW_JSON_TEXT_MAX - json->text_len;

    if (len > room) {
        json->cut = 1;
        len = room;
    }

    memcpy(json->text + json->text_len, data, len);
    json->text_len = (uint8_t) (json->text_len + len);
    json->spilled = 1;
}


/* A high surrogate in wait gets no partner. */
static void
json_settle(aigw_json_t *json)
{
    if (json->high) {
        json->high = 0;
        json_append(json, "\xef\xbf\xbd", 3);
    }
}


void
aigw_json_text_begin(aigw_json_t *json, int capture)
{
    json->capture = capture != 0;

    if (!capture) {
        return;
    }

    json->spilled = 0;
    json->cut = 0;
    json->text_len = 0;
    json->high = 0;
}


void
aigw_json_text_spill(aigw_json_t *json, const unsigned char *run,
    const unsigned char *end)
{
    if (json->capture && run != end) {
        json_settle(json);
        json_append(json, run, (size_t) (end - run));
    }
}


aigw_str_t
aigw_json_text_take(aigw_json_t *json, const unsigned char *run,
    const unsigned char *end)
{
    aigw_str_t  text = { 0, "" };

    if (!json->capture) {
        return text;
    }

    json_settle(json);

    if (json->spilled) {
        aigw_json_text_spill(json, run, end);
        text.len = json->text_len;
        text.data = json->text;
        return text;
    }

    text.len = (size_t) (end - run);
    text.data = (const char *) run;

    return text;
}


#ifdef __SSE2__

/* A bit for each of 64 bytes that stops. */
static inline uint64_t
json_stops(const unsigned char *p)
{
    unsigned  a, b, c, d;

    a = (unsigned) _mm_movemask_epi8(aigw_json_text_stops(p));
    b = (unsigned) _mm_movemask_epi8(aigw_json_text_stops(p + 16));
    c = (unsigned) _mm_movemask_epi8(aigw_json_text_stops(p + 32));
    d = (unsigned) _mm_movemask_epi8(aigw_json_text_stops(p + 48));

    return (uint64_t) (d << 16 | c) << 32 | (b << 16 | a);
}

#endif


const unsigned char *
aigw_json_text_plain(const unsigned char *p, const unsigned char *end)
{
#ifdef __SSE2__
    uint64_t  mask;

    for ( ; end - p >= 64; p += 64) {
        mask = json_stops(p);

        if (mask) {
            return p + (unsigned) __builtin_ctzll(mask);
        }
    }

    for ( ; end - p >= 16; p += 16) {
        mask = (unsigned) _mm_movemask_epi8(aigw_json_text_stops(p));

        if (mask) {
            return p + (unsigned) __builtin_ctzll(mask);
        }
    }
#endif

    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80) {
        p++;
    }

    return p;
}


static inline int
json_is_rest(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}


/* The length of a character outside of ASCII, of which 4 bytes are readable
   (RFC 3629); 0: wrong. */
static inline size_t
json_utf8_len(const unsigned char *p)
{
    if (*p >= 0xf0) {
        return *p <= 0xf4 && p[1] >= (*p == 0xf0 ? 0x90 : 0x80)
               && p[1] <= (*p == 0xf4 ? 0x8f : 0xbf) && json_is_rest(p[2])
               && json_is_rest(p[3]) ? 4 : 0;
    }

    if (*p >= 0xe0) {
        return p[1] >= (*p == 0xe0 ? 0xa0 : 0x80)
               && p[1] <= (*p == 0xed ? 0x9f : 0xbf) && json_is_rest(p[2])
               ? 3 : 0;
    }

    return *p >= 0xc2 && json_is_rest(p[1]) ? 2 : 0;
}


static inline int
json_is_hex(unsigned char c)
{
    return (unsigned) c - '0' < 10 || ((unsigned) c | 0x20) - 'a' < 6;
}


/* The length of an escape, of which 6 bytes are readable; 0: wrong. */
static inline size_t
json_escape_len(const unsigned char *p)
{
    if (json_escapes[p[1]]) {
        return 2;
    }

    return p[1] == 'u' && json_is_hex(p[2]) && json_is_hex(p[3])
           && json_is_hex(p[4]) && json_is_hex(p[5]) ? 6 : 0;
}


/* The length of what is not plain, if it is whole and right; else 0. */
static inline size_t
json_special_len(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 6) {
        return 0;
    }

    return *p == '\\' ? json_escape_len(p) : *p >= 0x80 ? json_utf8_len(p) : 0;
}


const unsigned char *
aigw_json_text_skip_portable(const unsigned char *p, const unsigned char *end)
{
    size_t                len;
    const unsigned char  *special;

    do {
        p = special = aigw_json_text_plain(p, end);

        while ((len = json_special_len(p, end)) > 0) {
            p += len;
        }
    } while (p > special);

    return p;
}


const unsigned char *
aigw_json_text_skip(const unsigned char *p, const unsigned char *end)
{
#ifdef AIGW_JSON_WIDE
    if (end - p >= 32 && __builtin_cpu_supports("avx2")) {
        p = aigw_json_wide_skip(p, end);
    }
#endif

    return aigw_json_text_skip_portable(p, end);
}


/* The first byte of a character of two to four (RFC 3629): how many follow,
   and the bounds of the next that keep out overlong forms, surrogates and
   what is above U+10FFFF. */
static aigw_err_t
json_lead(aigw_json_t *json, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4) {
        return AIGW_EINVAL;
    }

    json->todo = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    json->low_min = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    json->low_max = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;

    return AIGW_OK;
}


/* A run of characters outside of ASCII. */
static aigw_err_t
json_utf8(aigw_json_scan_t *s)
{
    aigw_json_t          *json = s->json;
    const unsigned char  *p = s->p;

    while (p < s->end && (json->todo || *p >= 0x80)) {
        if (json->todo) {
            if (*p < json->low_min || *p > json->low_max) {
                return AIGW_EINVAL;
            }

            json->todo--;
            json->low_min = 0x80;
            json->low_max = 0xbf;
            p++;
            continue;
        }

        if (json_lead(json, *p++) != AIGW_OK) {
            return AIGW_EINVAL;
        }
    }

    s->p = p;
    json->part = json->todo ? P_UTF8 : P_PLAIN;

    return AIGW_OK;
}


static void
json_append_code(aigw_json_t *json, uint32_t code)
{
    static const unsigned char  lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    char    utf8[4];
    size_t  i, n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (i = n - 1; i > 0; i--) {
        utf8[i] = (char) (0x80 | (code & 0x3f));
        code >>= 6;
    }

    utf8[0] = (char) (lead[n] | code);

    json_append(json, utf8, n);
}


/* A \uXXXX is complete. */
static aigw_err_t
json_unit(aigw_json_t *json)
{
    uint16_t  code = json->code, high = json->high;
    int       low = (code & 0xfc00) == 0xdc00;

    json->part = P_PLAIN;

    if (code == 0 && json->name) {
        return AIGW_EINVAL;
    }

    if (!json->capture) {
        return AIGW_OK;
    }

    if (high && low) {
        json->high = 0;
        json_append_code(json, 0x10000 + ((uint32_t) (high & 0x3ff) << 10)
                               + (code & 0x3ff));
        return AIGW_OK;
    }

    json_settle(json);

    if ((code & 0xfc00) == 0xd800) {
        json->high = code;
        return AIGW_OK;
    }

    json_append_code(json, low ? 0xfffd : code);

    return AIGW_OK;
}


static aigw_err_t
json_hex(aigw_json_scan_t *s)
{
    unsigned      c, digit;
    aigw_json_t  *json = s->json;

    for ( ; json->todo && s->p < s->end; json->todo--) {
        c = *s->p++;
        digit = c - '0';

        if (digit > 9) {
            digit = (c | 0x20) - 'a';

            if (digit > 5) {
                return AIGW_EINVAL;
            }

            digit += 10;
        }

        json->code = (uint16_t) ((unsigned) json->code << 4 | digit);
    }

    return json->todo ? AIGW_OK : json_unit(json);
}


/* Behind a backslash. */
static aigw_err_t
json_escape(aigw_json_scan_t *s)
{
    aigw_json_t    *json = s->json;
    unsigned char   c = *s->p++;

    if (c == 'u') {
        json->part = P_HEX;
        json->todo = 4;
        json->code = 0;
        return AIGW_OK;
    }

    if (json_escapes[c] == 0) {
        return AIGW_EINVAL;
    }

    if (json->capture) {
        json_settle(json);
        json_append(json, &json_escapes[c], 1);
    }

    json->part = P_PLAIN;

    return AIGW_OK;
}


/* At a byte that is not plain and not the quote. */
static aigw_err_t
json_special(aigw_json_scan_t *s, const unsigned char *run)
{
    if (*s->p >= 0x80) {
        return json_utf8(s);
    }

    if (*s->p != '\\') {
        return AIGW_EINVAL;
    }

    aigw_json_text_spill(s->json, run, s->p);
    s->p++;
    s->json->part = P_ESCAPE;

    return AIGW_OK;
}


aigw_err_t
aigw_json_text_string(aigw_json_scan_t *s, aigw_str_t *text)
{
    aigw_err_t            err = AIGW_OK;
    aigw_json_t          *json = s->json;
    const unsigned char  *run = s->p;

    while (err == AIGW_OK && s->p < s->end) {
        switch (json->part) {

        case P_ESCAPE:
            err = json_escape(s);
            run = s->p;
            break;

        case P_HEX:
            err = json_hex(s);
            run = s->p;
            break;

        case P_UTF8:
            err = json_utf8(s);
            break;

        default:
            if (!json->capture && !json->name) {
                s->p = aigw_json_text_skip(s->p, s->end);
            }

            s->p = aigw_json_text_plain(s->p, s->end);

            if (s->p == s->end) {
                break;
            }

            if (*s->p == '"') {
                *text = aigw_json_text_take(json, run, s->p++);
                return AIGW_OK;
            }

            err = json_special(s, run);

            if (json->part == P_ESCAPE) {
                run = s->p;
            }
        }
    }

    if (err != AIGW_OK) {
        return err;
    }

    aigw_json_text_spill(json, run, s->p);

    return AIGW_AGAIN;
}
