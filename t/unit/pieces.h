/*
 * One input in all ways: at once, byte by byte, and in two pieces cut at every
 * place. Each piece is a copy of its own of exact size that is gone before the
 * next comes, so that a sanitizer sees every byte read beside it. What the
 * parser saw is written to a log; all logs must be the one wanted.
 */

#ifndef AIGW_PIECES_H
#define AIGW_PIECES_H

#include <stdarg.h>
#include <stdlib.h>

#include "tap.h"


#define PIECES_BYTES  (-1L)           /* a cut: byte by byte */
#define PIECES_LOG    65536

typedef void (*pieces_run_pt)(const char *input, size_t len, long cut);

static char    pieces_log[PIECES_LOG];
static size_t  pieces_used;


static void __attribute__((format(printf, 1, 2)))
pieces_add(const char *format, ...)
{
    va_list  args;
    size_t   room = sizeof(pieces_log) - pieces_used;
    int      n;

    va_start(args, format);
    n = vsnprintf(pieces_log + pieces_used, room, format, args);
    va_end(args);

    pieces_used += n < 0 || (size_t) n >= room ? room - 1 : (size_t) n;
}


/* The length of the piece at pos. */
static size_t
pieces_len(size_t pos, size_t len, long cut)
{
    if (cut == PIECES_BYTES) {
        return 1;
    }

    return pos < (size_t) cut ? (size_t) cut - pos : len - pos;
}


static unsigned char *
pieces_copy(const char *input, size_t len)
{
    unsigned char  *copy = malloc(len ? len : 1);

    if (copy == NULL) {
        abort();
    }

    memcpy(copy, input, len);

    return copy;
}


/* ok(), with a name that may have the input's bytes in it. */
static int
pieces_ok(int pass, const char *name)
{
    size_t  i;
    char    line[256];

    snprintf(line, sizeof(line), "%s", name);

    for (i = 0; line[i]; i++) {
        if (line[i] < ' ' || line[i] > '~') {
            line[i] = '.';
        }
    }

    return ok(pass, "%s", line);
}


static int
pieces_are(pieces_run_pt run, const char *input, size_t len, const char *want,
    const char *name)
{
    long  cut;
    int   pass = 1;

    for (cut = PIECES_BYTES; pass && cut < (long) (len ? len : 1); cut++) {
        pieces_used = 0;
        pieces_log[0] = '\0';
        run(input, len, cut);
        pass = strcmp(pieces_log, want) == 0;
    }

    if (!pieces_ok(pass, name)) {
        printf("#   cut %ld:\n#    got '%s'\n#   want '%s'\n", cut - 1,
               pieces_log, want);
    }

    return pass;
}

#endif /* AIGW_PIECES_H */
