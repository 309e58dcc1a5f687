/* The estimator: weights, escapes, and that any split gives the same. */

#include <stdlib.h>
#include <string.h>

#include "aigw_estimate.h"
#include "tap.h"


typedef struct {
    const char   *name;
    const char   *text;
    int64_t       tokens;             /* hundredths, rounded up to tokens */
} estimate_case_t;


static const estimate_case_t  cases[] = {
    { "nothing", "", 0 },
    { "a word", "word", 1 },
    { "words", "five words of plain text", 5 },
    { "a long word", "internationalisation", 4 },       /* .93 + 14 x .17 */
    { "digits by three", "1234567", 5 },                /* 3 x 1.66 */
    { "punctuation", "!!!!", 1 },
    { "lines", "a\nb\nc", 6 },                         /* 3 x .93 + 2 x 1.41 */
    { "a newline and its indent are one", "a\n        b", 4 },
    { "escaped lines are lines", "a\\nb\\nc", 6 },
    { "Chinese", "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c", 3 },
    { "the same, escaped", "\\u4f60\\u597d\\u4e16\\u754c", 3 },
    { "Russian", "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", 2 },
    { "an escaped quote is punctuation", "\\\"", 1 },
    { "spaces", "a          b", 3 }
};


static int64_t
count(const char *text, size_t len, size_t piece)
{
    size_t            i, n;
    aigw_estimate_t   e;

    aigw_estimate_init(&e);

    for (i = 0; i < len; i += n) {
        n = len - i < piece ? len - i : piece;
        aigw_estimate_feed(&e, (const unsigned char *) text + i, n);
    }

    return aigw_estimate_tokens(&e);
}


int
main(void)
{
    char     text[4096];
    size_t   i, piece, same = 1;
    int64_t  all;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(count(cases[i].text, strlen(cases[i].text), SIZE_MAX),
               cases[i].tokens, cases[i].name);
    }

    srand(7);

    for (i = 0; i < sizeof(text); i++) {
        text[i] = "ab c1.\\nu4\xe4\xbd\xa0\n\t\"zZ"[rand() % 18];
    }

    all = count(text, sizeof(text), SIZE_MAX);

    for (piece = 1; piece < 40; piece++) {
        same &= count(text, sizeof(text), piece) == all;
    }

    ok(all > 0 && same, "any split gives the same");

    return done();
}
