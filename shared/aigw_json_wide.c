/*
 * A text that nobody wants, 64 bytes at a time, on processors with AVX2: finds
 * its last quote and checks all before it with no branch for each escape or
 * character, which are too many and too irregular to be foreseen. It must pass
 * nothing that aigw_json_text_skip would not; what it doubts, it leaves.
 */

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_internal.h"


#ifdef AIGW_JSON_WIDE

#define WIDE         __attribute__((target("avx2")))
#define WIDE_INLINE  WIDE static inline __attribute__((always_inline))

#define WIDE_BLOCK   64
#define WIDE_DOUBT   SIZE_MAX

/* 32 bytes of the same, and a table of 16 twice, as shuffles want it. */
#define FOUR(c)    c, c, c, c
#define ALL(c)     { FOUR(FOUR(c)), FOUR(FOUR(c)) }
#define TWICE(...)  { __VA_ARGS__, __VA_ARGS__ }


/* Errors of two bytes in a row: one is made where the tables for the first's
   high and low four bits and for the second's high four bits all have its bit.
   (Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per
   Byte".) */
enum {
    U_SHORT = 0x01,                    /* a lead, then no rest */
    U_LONG = 0x02,                     /* ASCII, then a rest */
    U_OVER3 = 0x04,                    /* e0, below a0 */
    U_LARGE = 0x08,                    /* f4 or more, 90 or more */
    U_SURROGATE = 0x10,                /* ed, a0 or more */
    U_OVER2 = 0x20,                    /* c0, c1 */
    U_OVER4 = 0x40,                    /* f0, below 90 */
    U_LARGE_LOW = 0x40,                /* f5 or more, below 90 */
    U_RESTS = 0x80,                    /* two: right if a long lead is before */

    U_ANY = U_SHORT | U_LONG | U_RESTS,
    U_F5 = U_ANY | U_LARGE | U_LARGE_LOW,
    U_REST = U_LONG | U_RESTS | U_OVER2
};


typedef struct {
    uint8_t  first_high[32];
    uint8_t  first_low[32];
    uint8_t  second_high[32];
    uint8_t  escape_high[32];          /* the same way: what may stand behind */
    uint8_t  escape_low[32];           /* a backslash, other than u */
    uint8_t  quote[32];
    uint8_t  backslash[32];
    uint8_t  control[32];
    uint8_t  low[32];
    uint8_t  three[32];
    uint8_t  four[32];
    uint8_t  top[32];
} wide_tables_t;


/* What of a block the next one must know. */
typedef struct {
    __m256i   last;                    /* its last bytes */
    __m256i   first;                   /* and what the tables say of them */
    uint64_t  open;                    /* not 0: a character is not whole */
    uint64_t  escaped;                 /* 1: a backslash before */
    uint64_t  hex;                     /* a bit for each digit to come */
} wide_t;


static const wide_tables_t  wide_tables __attribute__((aligned(32))) = {
    .first_high = TWICE(
        U_LONG, U_LONG, U_LONG, U_LONG, U_LONG, U_LONG, U_LONG, U_LONG,
        U_RESTS, U_RESTS, U_RESTS, U_RESTS,
        U_SHORT | U_OVER2, U_SHORT, U_SHORT | U_OVER3 | U_SURROGATE,
        U_SHORT | U_LARGE | U_LARGE_LOW | U_OVER4),
    .first_low = TWICE(
        U_ANY | U_OVER2 | U_OVER3 | U_OVER4, U_ANY | U_OVER2, U_ANY, U_ANY,
        U_ANY | U_LARGE, U_F5, U_F5, U_F5, U_F5, U_F5, U_F5, U_F5, U_F5,
        U_F5 | U_SURROGATE, U_F5, U_F5),
    .second_high = TWICE(
        U_SHORT, U_SHORT, U_SHORT, U_SHORT, U_SHORT, U_SHORT, U_SHORT, U_SHORT,
        U_REST | U_OVER3 | U_OVER4, U_REST | U_OVER3 | U_LARGE,
        U_REST | U_SURROGATE | U_LARGE, U_REST | U_SURROGATE | U_LARGE,
        U_SHORT, U_SHORT, U_SHORT, U_SHORT),
    .escape_high = TWICE(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0),
    .escape_low = TWICE(0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4,
        1),
    .quote = ALL('"'),
    .backslash = ALL('\\'),
    .control = ALL(0x1f),
    .low = ALL(0x0f),
    .three = ALL(0xe0 - 0x80),
    .four = ALL(0xf0 - 0x80),
    .top = ALL(0x80)
};


WIDE_INLINE __m256i
wide_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *) (const void *) p);
}


WIDE_INLINE __m256i
wide_high(const wide_tables_t *t, __m256i v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), wide_load(t->low));
}


WIDE_INLINE __m256i
wide_low(const wide_tables_t *t, __m256i v)
{
    return _mm256_and_si256(v, wide_load(t->low));
}


/* What both tables have, the one for high, the other for low. */
WIDE_INLINE __m256i
wide_both(const uint8_t *high_table, __m256i high, const uint8_t *low_table,
    __m256i low)
{
    return _mm256_and_si256(_mm256_shuffle_epi8(wide_load(high_table), high),
                            _mm256_shuffle_epi8(wide_load(low_table), low));
}


/* A bit for each byte whose top bit is set. */
WIDE_INLINE uint64_t
wide_bits(__m256i a, __m256i b)
{
    return (uint64_t) (uint32_t) _mm256_movemask_epi8(b) << 32
           | (uint32_t) _mm256_movemask_epi8(a);
}


WIDE_INLINE uint64_t
wide_equal(__m256i a, __m256i b, __m256i c)
{
    return wide_bits(_mm256_cmpeq_epi8(a, c), _mm256_cmpeq_epi8(b, c));
}


/* v is at most what. */
WIDE_INLINE __m256i
wide_at_most(__m256i v, __m256i what)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(v, what), v);
}


/* v, n bytes later; last: what is before it. */
#define wide_later(v, last, n)                                                \
    _mm256_alignr_epi8(v, _mm256_permute2x128_si256(last, v, 0x21), 16 - (n))


/* Not zero where UTF-8 is wrong. */
WIDE_INLINE __m256i
wide_utf8(wide_t *w, const wide_tables_t *t, __m256i v)
{
    __m256i  first, high, pair, rest;

    high = wide_high(t, v);
    first = wide_both(t->first_high, high, t->first_low, wide_low(t, v));
    pair = _mm256_and_si256(wide_later(first, w->first, 1),
                            _mm256_shuffle_epi8(wide_load(t->second_high),
                                                high));

    /* the third byte of three or four, or the fourth, must be the second of
       two rests, and nothing else may be */
    rest = _mm256_or_si256(_mm256_subs_epu8(wide_later(v, w->last, 2),
                                            wide_load(t->three)),
                           _mm256_subs_epu8(wide_later(v, w->last, 3),
                                            wide_load(t->four)));
    rest = _mm256_and_si256(rest, wide_load(t->top));

    w->last = v;
    w->first = first;

    return _mm256_xor_si256(pair, rest);
}


/* Which may stand behind a backslash; u may not. */
WIDE_INLINE __m256i
wide_escapes(const wide_tables_t *t, __m256i v)
{
    return _mm256_cmpgt_epi8(wide_both(t->escape_high, wide_high(t, v),
                                       t->escape_low, wide_low(t, v)),
                             _mm256_setzero_si256());
}


/* The bytes behind backslashes that are not behind one themselves. In a run
   these alternate, from the second on: what the subtraction leaves of the bits
   at odd places ripples through the run until its end. */
WIDE_INLINE uint64_t
wide_escaped(wide_t *w, uint64_t backslash)
{
    const uint64_t  odd = UINT64_C(0xaaaaaaaaaaaaaaaa);

    uint64_t  first = backslash & ~w->escaped;
    uint64_t  code = (((first << 1) | odd) - first) ^ odd;
    uint64_t  escaped = code ^ (backslash | w->escaped);

    w->escaped = (code & backslash) >> 63;

    return escaped;
}


/* A bit for each byte that is no hexadecimal digit. */
WIDE static uint64_t
wide_no_hex(__m256i a, __m256i b)
{
    __m256i   v, digit, letter, found[2];
    unsigned  i;

    for (i = 0; i < 2; i++) {
        v = i ? b : a;
        digit = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));
        letter = _mm256_sub_epi8(_mm256_or_si256(v, _mm256_set1_epi8(0x20)),
                                 _mm256_set1_epi8('a'));
        found[i] = _mm256_or_si256(
                       wide_at_most(digit, _mm256_set1_epi8(9)),
                       wide_at_most(letter, _mm256_set1_epi8(5)));
    }

    return ~wide_bits(found[0], found[1]);
}


/* In a block with backslashes: which bytes are wrong, and which escaped. */
WIDE_INLINE uint64_t
wide_backslash(wide_t *w, const wide_tables_t *t, __m256i a, __m256i b,
    uint64_t backslash, uint64_t *escaped)
{
    uint64_t  bad, u;

    *escaped = wide_escaped(w, backslash);
    bad = *escaped & ~wide_bits(wide_escapes(t, a), wide_escapes(t, b));

    if (bad | w->hex) {
        u = *escaped & wide_equal(a, b, _mm256_set1_epi8('u'));
        bad = (bad & ~u) | ((u << 1 | u << 2 | u << 3 | u << 4 | w->hex)
                            & wide_no_hex(a, b));
        w->hex = u >> 63 | u >> 62 | u >> 61 | u >> 60;
    }

    return bad;
}


/* Where the first quote of a block is that is none of the text, if all before
   it is right; WIDE_BLOCK: there is none; or WIDE_DOUBT. */
WIDE_INLINE size_t
wide_block(wide_t *w, const wide_tables_t *t, const unsigned char *p)
{
    __m256i   a, b, wrong;
    uint64_t  backslash, escaped, quote, bad;

    a = wide_load(p);
    b = wide_load(p + 32);

    quote = wide_equal(a, b, wide_load(t->quote));
    backslash = wide_equal(a, b, wide_load(t->backslash));

    wrong = wide_at_most(_mm256_min_epu8(a, b), wide_load(t->control));

    if (backslash | w->escaped | w->hex) {
        bad = wide_backslash(w, t, a, b, backslash, &escaped);
        quote &= ~escaped;

        if (bad & (quote ^ (quote - 1))) {
            return WIDE_DOUBT;
        }
    }

    /* ASCII alone needs no look, and leaves w as good as it was */
    if ((unsigned) _mm256_movemask_epi8(_mm256_or_si256(a, b)) | w->open) {
        wrong = _mm256_or_si256(wrong, wide_utf8(w, t, a));
        wrong = _mm256_or_si256(wrong, wide_utf8(w, t, b));

        w->open = (p[63] >= 0xc0) | (p[62] >= 0xe0) | (p[61] >= 0xf0);
    }

    if (!_mm256_testz_si256(wrong, wrong)) {
        return WIDE_DOUBT;
    }

    return quote ? (size_t) __builtin_ctzll(quote) : WIDE_BLOCK;
}


/* Where what is not complete before p began: an escape or a character. */
static const unsigned char *
wide_back(uint64_t escaped, uint64_t hex, const unsigned char *p)
{
    if (escaped) {
        return p - 1;
    }

    if (hex) {
        return p - 6 + __builtin_popcountll(hex);
    }

    return p[-1] >= 0xc0 ? p - 1 : p[-2] >= 0xe0 ? p - 2
           : p[-3] >= 0xf0 ? p - 3 : p;
}


WIDE const unsigned char *
aigw_json_wide_skip(const unsigned char *p, const unsigned char *end)
{
    wide_t                w = { _mm256_setzero_si256(),
                                _mm256_set1_epi8(U_LONG), 0, 0, 0 };
    size_t                n, left;
    uint64_t              escaped, hex;
    unsigned char         tail[WIDE_BLOCK];
    const unsigned char  *block, *start = p;
    const wide_tables_t  *t = &wide_tables;

    /* or the compiler builds what is in the tables, bit by bit, each time */
    __asm__ ("" : "+r" (t));

    do {
        escaped = w.escaped;
        hex = w.hex;
        block = p;
        left = (size_t) (end - p);

        if (left < WIDE_BLOCK) {
            /* as if the text ended there */
            memset(tail, '"', sizeof(tail));
            memcpy(tail, p, left);
            block = tail;
        }

        n = wide_block(&w, t, block);
        p += WIDE_BLOCK;

    } while (n == WIDE_BLOCK && left >= WIDE_BLOCK);

    p -= WIDE_BLOCK;

    return n <= left ? p + n : p == start ? p : wide_back(escaped, hex, p);
}

#endif
