/*
 * What all fuzz targets share. An input is one byte of mode, three that say
 * where to cut, and a document. The document is fed at once, cut, and byte by
 * byte; what the parser saw is written to a log, and all logs must be equal.
 * Each piece lies in memory of exact size that is closed after its time.
 */

#ifndef AIGW_FUZZ_H
#define AIGW_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>


#define FUZZ_HEAD   4                  /* mode and cuts */
#define FUZZ_LOG    (1 << 20)
#define FUZZ_PIECE  16384              /* the longest piece */

/* How to cut: lengths in turn. */
typedef struct {
    unsigned  mode;
    size_t    len[3];
} fuzz_cut_t;

typedef void (*fuzz_run_pt)(const fuzz_cut_t *cut, const unsigned char *doc,
    size_t len);


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char   fuzz_log[FUZZ_LOG];
static size_t          fuzz_used;
static unsigned char  *fuzz_pieces[FUZZ_PIECE + 1];


/* Says what is wrong; the input is the fuzzer's to keep. */
static inline void
fuzz_check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}


static inline void
fuzz_add(const void *data, size_t len)
{
    fuzz_check(fuzz_used + len <= FUZZ_LOG, "the log is long enough");

    if (len) {
        memcpy(fuzz_log + fuzz_used, data, len);
    }

    fuzz_used += len;
}


static inline void
fuzz_add_int(int64_t n)
{
    fuzz_add(&n, sizeof(n));
}


static inline void
fuzz_add_text(const char *data, size_t len)
{
    fuzz_add_int((int64_t) len);
    fuzz_add(data, len);
}


/* The length of piece i, of which left bytes are there at most. */
static inline size_t
fuzz_len(const fuzz_cut_t *cut, unsigned i, size_t left)
{
    size_t  n = cut->len[i % 3];

    n = n < left ? n : left;

    return n < FUZZ_PIECE ? n : FUZZ_PIECE;
}


/* A copy of n bytes with closed memory around; fuzz_close it after use. */
static inline unsigned char *
fuzz_open(const unsigned char *data, size_t n)
{
    unsigned char  **piece = &fuzz_pieces[n];

    if (*piece == NULL) {
        *piece = malloc(n);
        fuzz_check(*piece != NULL, "there is memory");
    }

    ASAN_UNPOISON_MEMORY_REGION(*piece, n);
    memcpy(*piece, data, n);

    return *piece;
}


static inline void
fuzz_close(unsigned char *piece, size_t n)
{
    memset(piece, 0xdd, n);
    ASAN_POISON_MEMORY_REGION(piece, n);
}


/* Runs with each way to cut and compares the logs. */
static inline int
fuzz_same(fuzz_run_pt run, const uint8_t *data, size_t size)
{
    static unsigned char  first[FUZZ_LOG];

    size_t      used = 0;
    unsigned    way, i;
    fuzz_cut_t  cut;

    if (size < FUZZ_HEAD || size > FUZZ_PIECE) {
        return 0;
    }

    cut.mode = data[0];

    for (way = 0; way < 3; way++) {
        for (i = 0; i < 3; i++) {
            cut.len[i] = way == 0 ? FUZZ_PIECE
                         : way == 1 ? (data[1 + i] & 31U) + 1U : 1;
        }

        fuzz_used = 0;
        run(&cut, data + FUZZ_HEAD, size - FUZZ_HEAD);

        if (way == 0) {
            used = fuzz_used;
            memcpy(first, fuzz_log, used);
        }

        fuzz_check(used == fuzz_used && memcmp(first, fuzz_log, used) == 0,
                   "any split gives the same");
    }

    return 0;
}

#endif /* AIGW_FUZZ_H */
