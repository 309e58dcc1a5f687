/*
 * How bytes at rest are written and read: for aigw_record*.c only. A reader
 * that has failed reads zeros and empty strings and keeps its error, so that
 * an unpack checks once, at its end.
 */

#ifndef AIGW_RECORD_INTERNAL_H
#define AIGW_RECORD_INTERNAL_H

#include <string.h>

#include "aigw.h"


#define AIGW_RECORD_VERSION  1


typedef struct {
    uint8_t  *p;
} aigw_writer_t;


typedef struct {
    const uint8_t  *p;
    const uint8_t  *end;
    aigw_err_t      err;
} aigw_reader_t;


/* bytes is a constant: one swap and one store, without a loop (rows are packed
   on the request's path). */
static inline void
aigw_write_int(aigw_writer_t *w, uint64_t n, unsigned bytes)
{
    uint64_t  big = aigw_big_endian(n);

    memcpy(w->p, (const uint8_t *) &big + 8 - bytes, bytes);
    w->p += bytes;
}


static inline void
aigw_write_bytes(aigw_writer_t *w, const void *data, size_t len)
{
    memcpy(w->p, data, len);
    w->p += len;
}


/* text ends with NUL or is max bytes long. */
static inline void
aigw_write_text(aigw_writer_t *w, const char *text, size_t max)
{
    const char  *end = text[0] == '\0' ? text : memchr(text, '\0', max);
    size_t       len = end != NULL ? (size_t) (end - text) : max;

    aigw_write_int(w, len, 2);
    aigw_write_bytes(w, text, len);
}


/* Takes the version byte, one from the first up to newest. */
static inline aigw_reader_t
aigw_reader_upto(const uint8_t *buf, size_t len, unsigned newest)
{
    aigw_reader_t  r = { buf, buf + len, AIGW_OK };

    if (len == 0) {
        r.err = AIGW_ECORRUPT;

    } else if (*r.p < AIGW_RECORD_VERSION || *r.p > newest) {
        r.err = AIGW_EVERSION;

    } else {
        r.p++;
    }

    return r;
}


static inline aigw_reader_t
aigw_reader(const uint8_t *buf, size_t len)
{
    return aigw_reader_upto(buf, len, AIGW_RECORD_VERSION);
}


static inline int
aigw_reader_has(aigw_reader_t *r, size_t len)
{
    if (r->err == AIGW_OK && (size_t) (r->end - r->p) < len) {
        r->err = AIGW_ECORRUPT;
    }

    return r->err == AIGW_OK;
}


/* After aigw_reader_has has said yes to it: rows ask once for many. */
static inline uint64_t
aigw_take_int(aigw_reader_t *r, unsigned bytes)
{
    uint64_t  big = 0;

    memcpy((uint8_t *) &big + 8 - bytes, r->p, bytes);
    r->p += bytes;

    return aigw_big_endian(big);
}


static inline uint64_t
aigw_read_int(aigw_reader_t *r, unsigned bytes)
{
    return aigw_reader_has(r, bytes) ? aigw_take_int(r, bytes) : 0;
}


/* Two's complement, at least min. */
static inline int64_t
aigw_read_min(aigw_reader_t *r, int64_t min)
{
    int64_t  n;

    n = (int64_t) aigw_read_int(r, 8);

    if (n < min && r->err == AIGW_OK) {
        r->err = AIGW_ECORRUPT;
    }

    return n;
}


/* An unsigned of so many bytes, below limit. */
static inline unsigned
aigw_read_below(aigw_reader_t *r, unsigned bytes, unsigned limit)
{
    uint64_t  n;

    n = aigw_read_int(r, bytes);

    if (n >= limit) {
        r->err = r->err == AIGW_OK ? AIGW_ECORRUPT : r->err;
        n = 0;
    }

    return (unsigned) n;
}


static inline void
aigw_read_bytes(aigw_reader_t *r, void *data, size_t len)
{
    if (aigw_reader_has(r, len)) {
        memcpy(data, r->p, len);
        r->p += len;
    }
}


/* Where it stands; of at most max bytes; a NUL inside is corrupt. */
static inline aigw_str_t
aigw_read_span(aigw_reader_t *r, size_t max)
{
    size_t      len;
    aigw_str_t  span = { 0, "" };

    len = aigw_read_below(r, 2, (unsigned) max + 1);

    if (aigw_reader_has(r, len) && memchr(r->p, '\0', len) != NULL) {
        r->err = AIGW_ECORRUPT;
    }

    if (r->err == AIGW_OK) {
        span = (aigw_str_t) { len, (const char *) r->p };
        r->p += len;
    }

    return span;
}


/* The same into text of max + 1 bytes. */
static inline void
aigw_read_text(aigw_reader_t *r, char *text, size_t max)
{
    aigw_str_t  span;

    span = aigw_read_span(r, max);
    memcpy(text, span.data, span.len);
    text[span.len] = '\0';
}


/* The verdict: no error, and nothing left over. */
static inline aigw_err_t
aigw_reader_end(const aigw_reader_t *r)
{
    if (r->err == AIGW_OK && r->p != r->end) {
        return AIGW_ECORRUPT;
    }

    return r->err;
}

#endif /* AIGW_RECORD_INTERNAL_H */
