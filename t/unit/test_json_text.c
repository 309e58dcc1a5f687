/*
 * How a text is skipped: by plain C, by SSE2 and by AVX2, each against a reader
 * that goes byte by byte, over texts of all kinds, right and wrong, that end
 * anywhere. Threats J08, J09.
 */

#include <stdlib.h>
#include <string.h>

/* The scanner's texts once more, as a compiler without SSE2 makes them. */
#undef __SSE2__
#define aigw_json_text_begin          plain_begin
#define aigw_json_text_plain          plain_plain
#define aigw_json_text_skip           plain_skip
#define aigw_json_text_skip_portable  plain_portable
#define aigw_json_text_spill          plain_spill
#define aigw_json_text_string         plain_string
#define aigw_json_text_take           plain_take
#include "aigw_json_text.c"
#undef aigw_json_text_skip
#undef aigw_json_text_skip_portable

const unsigned char *aigw_json_text_skip(const unsigned char *p,
    const unsigned char *end);
const unsigned char *aigw_json_text_skip_portable(const unsigned char *p,
    const unsigned char *end);

#include "tap.h"


#define TEXT_MAX  400

typedef const unsigned char *(*skip_pt)(const unsigned char *p,
    const unsigned char *end);

static unsigned char  text[TEXT_MAX];
static size_t         text_len;
static char           whole[TEXT_MAX + 1];  /* nothing is cut before it */
static uint64_t       seed = 1;


static size_t
below(size_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;

    return (size_t) (seed >> 33) % n;
}


static int
is_between(unsigned c, unsigned low, unsigned high)
{
    return c >= low && c <= high;
}


/* RFC 3629, its table of well-formed byte sequences. */
static size_t
utf8_at(const unsigned char *p, size_t len)
{
    static const unsigned char  ranges[][8] = {
        { 0xc2, 0xdf, 0x80, 0xbf },
        { 0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf },
        { 0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf },
        { 0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf },
        { 0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf },
        { 0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf },
        { 0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf },
        { 0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf }
    };

    size_t                i, n;
    const unsigned char  *r;

    for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        r = ranges[i];

        for (n = 0; n < 4 && r[2 * n]; n++) {
            if (n == len || !is_between(p[n], r[2 * n], r[2 * n + 1])) {
                break;
            }
        }

        if (n == 4 || r[2 * n] == 0) {
            return n;
        }
    }

    return 0;
}


/* What one character of a text takes; 0: it is wrong, cut, or the quote. */
static size_t
character_at(const unsigned char *p, size_t len)
{
    size_t  i;

    if (*p >= 0x80) {
        return utf8_at(p, len);
    }

    if (*p != '\\') {
        return *p >= 0x20 && *p != '"';
    }

    if (len < 2 || strchr("\"\\/bfnrtu", p[1]) == NULL || p[1] == 0) {
        return 0;
    }

    if (p[1] != 'u') {
        return 2;
    }

    for (i = 2; i < 6; i++) {
        if (i >= len || p[i] == 0
            || strchr("0123456789abcdefABCDEF", p[i]) == NULL)
        {
            return 0;
        }
    }

    return 6;
}


static void
add(const char *bytes, size_t n)
{
    if (n <= TEXT_MAX - text_len) {
        memcpy(text + text_len, bytes, n);
        text_len += n;
    }
}


/* Characters of each length at their bounds, and what stands around them. */
static const char *const  right[] = {
    "\\\\", "\\\"", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000",
    "\\uAbCd", "\\u9f09", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
    "\xe0\xbf\xbf", "\xe1\x80\x80", "\xec\xbf\xbf", "\xed\x80\x80",
    "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
    "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x80\x80\x80",
    "\xf4\x8f\xbf\xbf", " ", "~", "\x7f", "!", "#", "[", "]", "u", "n", "0"
};

static const char *const  wrong[] = {
    "\"", "\\", "\\x", "\\u", "\\u00", "\\u000g", "\\u/000", "\\u:000",
    "\\u@000", "\\uG000", "\\u`000", "\x1f", "\n", "\x01", "\x80", "\xbf",
    "\xc0\x80", "\xc1\xbf", "\xc2", "\xdf ", "\xe0\x9f\xbf", "\xe1\x80",
    "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "\xc2\x80\x80",
    "\xe1\x80\x80\x80", "\xf1\x80\x80\x80\x80", "\\\xc2\x80", "\\\x80"
};

#define ONE_OF(list)  (list)[below(sizeof(list) / sizeof((list)[0]))]


/* A text with `errors` things that are wrong in it. A run of backslashes or
   of one character has its beat; plain bytes put it off the beat. */
static void
compose(size_t len, size_t errors)
{
    size_t       i, n;
    const char  *piece;

    text_len = 0;

    while (text_len < len) {
        piece = ONE_OF(right);
        n = below(4) ? 1 : 1 + below(30);

        for (i = 0; i < n; i++) {
            add(piece, strlen(piece));
        }

        add("abcdefghijklmnopqrstuvwxyz", below(8) ? below(4) : below(27));

        if (errors && below(len) < 20) {
            piece = ONE_OF(wrong);
            add(piece, strlen(piece));
            errors--;
        }
    }

    /* a byte of any value */
    if (errors && text_len) {
        text[below(text_len)] = (unsigned char) below(256);
    }
}


/* Does it skip to where the plain reader stops? It may leave what is near the
   end, but nothing half. */
static int
agrees(skip_pt skip, size_t len)
{
    int             good;
    size_t          n, stop = 0, at;
    unsigned char  *copy = malloc(len ? len : 1);

    memcpy(copy, text, len);
    memset(whole, 0, sizeof(whole));
    whole[0] = 1;

    while (stop < len && (n = character_at(text + stop, len - stop)) > 0) {
        stop += n;
        whole[stop] = 1;
    }

    at = (size_t) (skip(copy, copy + len) - copy);
    good = at == stop || (at < stop && whole[at] && len - at < 6);

    if (!good) {
        printf("# %zu of %zu bytes, not %zu\n", at, len, stop);
    }

    free(copy);

    return good;
}


static void
test_skip(skip_pt skip, const char *how)
{
    size_t  i, len, bad[3] = { 0 };

    seed = 1;

    for (i = 0; i < 30000 && bad[0] + bad[1] + bad[2] < 10; i++) {
        compose(1 + below(330), i % 3);

        for (len = text_len; len + 8 > text_len && len > 0; len--) {
            bad[i % 3] += !agrees(skip, len);
        }

        bad[i % 3] += !agrees(skip, below(text_len + 1));
    }

    is_int((int64_t) bad[0], 0, how);
    is_int((int64_t) bad[1], 0, "... with one error");
    is_int((int64_t) bad[2], 0, "... with two");
}


/* Every two bytes, and each byte between others, at every place of a block. */
static void
test_bytes(skip_pt skip, const char *how)
{
    size_t  i, at, bad = 0;

    for (i = 0; i < 65536 && bad < 10; i++) {
        memset(text, 'x', 160);
        at = 60 + i % 10;
        text[at] = (unsigned char) (i >> 8);
        text[at + 1] = (unsigned char) i;
        bad += !agrees(skip, 160);

        memcpy(text + at - 1, "\\\\", 2);
        text[at + 2] = (unsigned char) (i >> 8);
        bad += !agrees(skip, 160);

        memcpy(text + at - 2, "\xf1\x80\x80", 3);
        bad += !agrees(skip, 160);
    }

    is_int((int64_t) bad, 0, how);
}


int
main(void)
{
    test_skip(plain_portable, "plain C");
    test_bytes(plain_portable, "plain C, every two bytes");
    test_skip(aigw_json_text_skip_portable, "without AVX2");
    test_bytes(aigw_json_text_skip_portable, "without AVX2, every two bytes");
    test_skip(aigw_json_text_skip, "as this processor has it");
    test_bytes(aigw_json_text_skip, "as this processor has it, every two");

    return done();
}
