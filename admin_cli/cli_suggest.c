/* "Did you mean": the nearest of the words that there are. No output. */

#include <string.h>

#include "cli.h"


#define WORD_MAX  32


static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
    unsigned  ab = a < b ? a : b;

    return ab < c ? ab : c;
}


/* Edits between two words; two letters swapped count as one (Damerau). */
static unsigned
distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t    i, j;
    unsigned  d[WORD_MAX + 1][WORD_MAX + 1];

    for (i = 0; i <= n; i++) {
        d[i][0] = (unsigned) i;
    }

    for (j = 0; j <= m; j++) {
        d[0][j] = (unsigned) j;
    }

    for (i = 1; i <= n; i++) {
        for (j = 1; j <= m; j++) {
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
                           d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));

            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
            {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }

    return d[n][m];
}


void
cli_suggest(cli_suggest_t *suggest, const char *candidate)
{
    size_t    n, m;
    unsigned  d;

    n = strlen(suggest->word);
    m = candidate ? strlen(candidate) : 0;

    if (n < 2 || m == 0 || n > WORD_MAX || m > WORD_MAX) {
        return;
    }

    /* A beginning is as good as one wrong letter: "proj", "quot". */

    d = n < m && strncmp(suggest->word, candidate, n) == 0
        ? 1 : distance(suggest->word, n, candidate, m);

    if (d <= 2 && d < n && (suggest->best == NULL || d < suggest->distance)) {
        suggest->best = candidate;
        suggest->distance = d;
    }
}
