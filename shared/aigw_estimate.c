/*
 * The class-weighted estimator. Bytes fall into runs of one class; a run has a
 * price that depends on its length. It must give the same count however the
 * bytes are cut, so all it knows is in the state.
 */

#include "aigw.h"
#include "aigw_estimate.h"


enum {
    K_NONE = 0, K_LETTER, K_DIGIT, K_PUNCT, K_SPACE, K_NEWLINE,
    K_CJK, K_SCRIPT, K_OTHER, K_REST, K_ESCAPE
};


/* aigw_estimate_t.escape: none, behind the backslash, then hex digits to come
   and that the first of them has made it CJK */
enum { E_NONE = 0, E_BACKSLASH = 1, E_HEX = 2, E_HEX_LAST = 5 };


#define RANGE(from, to, class)  [from ... to] = class

/* By the first byte of a character; the bytes that follow it are K_REST. The
   scripts from U+0400 to U+0FFF take few tokens a character; Han, kana, Hangul
   and full-width forms are told by their first byte as well. */
static const uint8_t  estimate_class[256] = {
    RANGE(0x21, 0x2f, K_PUNCT), RANGE('0', '9', K_DIGIT),
    RANGE(0x3a, 0x40, K_PUNCT), RANGE('A', 'Z', K_LETTER),
    RANGE(0x5b, 0x5b, K_PUNCT), ['\\'] = K_ESCAPE,
    RANGE(0x5d, 0x60, K_PUNCT), RANGE('a', 'z', K_LETTER),
    RANGE(0x7b, 0x7f, K_PUNCT),
    [' '] = K_SPACE, ['\t'] = K_SPACE, ['\n'] = K_NEWLINE, ['\r'] = K_NEWLINE,
    RANGE(0x80, 0xbf, K_REST),
    RANGE(0xc0, 0xcf, K_OTHER), RANGE(0xd0, 0xe0, K_SCRIPT),
    RANGE(0xe1, 0xe2, K_OTHER), RANGE(0xe3, 0xed, K_CJK),
    RANGE(0xee, 0xee, K_OTHER), RANGE(0xef, 0xef, K_CJK),
    RANGE(0xf0, 0xff, K_OTHER)
};


/* What the run in hand costs, in hundredths of a token. */
static int64_t
estimate_run(const aigw_estimate_t *e)
{
    int64_t  n = e->run;

    switch (e->kind) {
    case K_LETTER:   return 93 + (n > 6 ? 17 * (n - 6) : 0);
    case K_DIGIT:    return 166 * ((n + 2) / 3);
    case K_PUNCT:    return 72 + 6 * (n - 1);
    case K_SPACE:    return n > 1 ? 58 : 0;
    case K_NEWLINE:  return 141;
    case K_CJK:      return 70 * n;
    case K_SCRIPT:   return 30 * n;
    case K_OTHER:    return 90 * n;
    default:         return 0;
    }
}


static void
estimate_add(aigw_estimate_t *e, uint8_t kind)
{
    /* a newline has all white space behind it */
    if (kind == e->kind || (kind == K_SPACE && e->kind == K_NEWLINE)) {
        e->run++;

        /* so long a run is ended and begun anew, which costs little */
        if (e->run < UINT32_MAX) {
            return;
        }
    }

    e->centitokens += estimate_run(e);
    e->kind = kind;
    e->run = 1;
}


/* One more byte of an escape of JSON. */
static void
estimate_escape(aigw_estimate_t *e, unsigned char c)
{
    if (e->escape == E_BACKSLASH) {
        e->escape = c == 'u' ? E_HEX : E_NONE;

        if (c != 'u') {
            estimate_add(e, c == 'n' || c == 'r' ? K_NEWLINE
                            : c == 't' ? K_SPACE : K_PUNCT);
        }

        return;
    }

    if (e->escape == E_HEX) {
        estimate_add(e, c >= '3' && c != 'e' && c != 'E' ? K_CJK : K_OTHER);
    }

    e->escape = e->escape == E_HEX_LAST ? E_NONE : (uint8_t) (e->escape + 1);
}


void
aigw_estimate_init(aigw_estimate_t *e)
{
    static const aigw_estimate_t  empty = { 0, 0, K_NONE, E_NONE };

    *e = empty;
}


void
aigw_estimate_feed(aigw_estimate_t *e, const unsigned char *data, size_t len)
{
    uint8_t               kind;
    const unsigned char  *p, *end = data + len;

    for (p = data; p < end; p++) {
        if (e->escape) {
            estimate_escape(e, *p);
            continue;
        }

        kind = estimate_class[*p];

        if (kind == K_ESCAPE) {
            e->escape = E_BACKSLASH;

        } else if (kind != K_REST) {
            estimate_add(e, kind);
        }
    }
}


int64_t
aigw_estimate_tokens(const aigw_estimate_t *e)
{
    return (e->centitokens + estimate_run(e) + 99) / 100;
}
