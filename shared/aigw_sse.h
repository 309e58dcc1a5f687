/*
 * Splits an event stream (WHATWG, wire-formats 2.13) that arrives in pieces of
 * any size: BOM, LF, CR or CRLF, comments, fields. A few bytes of state, no
 * copy: payload is handed out as spans of the caller's buffer.
 */

#ifndef AIGW_SSE_H
#define AIGW_SSE_H

#include "aigw.h"


#define AIGW_SSE_WORD_MAX  15          /* bytes of an event's name kept */


typedef enum {
    AIGW_SSE_SKIP = 0,                 /* names, line ends, other fields */
    AIGW_SSE_BOM,                      /* the BOM at the stream's start */
    AIGW_SSE_COMMENT,                  /* of a comment line, its end too */
    AIGW_SSE_DATA,                     /* text: the next bytes of the event's
                                          data, or the "\n" between two lines */
    AIGW_SSE_EVENT,                    /* text: the event's name, its first
                                          AIGW_SSE_WORD_MAX bytes */
    AIGW_SSE_ERROR,                    /* a bare line that starts as an error
                                          object does (2.2) */
    AIGW_SSE_END,                      /* a blank line: the event is complete */
    AIGW_SSE_LF                        /* the LF of a CRLF whose CR was the
                                          item before */
} aigw_sse_type_t;


typedef struct {
    aigw_sse_type_t  type;
    aigw_str_t       text;             /* DATA, EVENT: valid until the next
                                          call or the buffer's end of life */
    unsigned         data:1;           /* END: it had a `data` line */
} aigw_sse_item_t;


/* Private to aigw_sse.c. */
typedef struct {
    uint8_t          state;
    uint8_t          field;
    uint8_t          len;              /* of word, or one more: too long */
    unsigned         cr:1;             /* the last byte was a CR */
    unsigned         data:1;           /* the event has a `data` line */
    char             word[AIGW_SSE_WORD_MAX];
} aigw_sse_t;


/* Makes sse ready for a stream. */
void aigw_sse_init(aigw_sse_t *sse);

/*
 * Says in *item what the first bytes of data are, and returns their number:
 * at least 1, at most len, which must not be 0.
 */
size_t aigw_sse_next(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item);

/* At the stream's end: 1 if an event with data lacks its blank line. */
int aigw_sse_pending(const aigw_sse_t *sse);

#endif /* AIGW_SSE_H */
