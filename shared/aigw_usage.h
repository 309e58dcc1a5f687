/*
 * Token usage out of an upstream's answer, JSON or SSE, while it flows: a
 * meter is fed what passes by, in pieces of any size, and never needs it
 * twice. Constant memory, no allocation; bytes are not copied.
 *
 * Rules: wire-formats 2.0 (arithmetic, families), 2.1, 2.2 (algorithm, where
 * usage stands, the hidden chunk), 2.13 (SSE). Counts: threats J25, J32.
 */

#ifndef AIGW_USAGE_H
#define AIGW_USAGE_H

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_shape.h"
#include "aigw_price.h"
#include "aigw_sse.h"


#define AIGW_USAGE_HOLD_MAX  8192      /* bytes of an event held at most */

/* Bits of aigw_usage_meter_t.flags. */
#define AIGW_USAGE_BAD            0x01 /* a count was negative, fractional or
                                          absurd: its object is ignored */
#define AIGW_USAGE_INCONSISTENT   0x02 /* total is not the sum of its parts, or
                                          a part is more than its whole */
#define AIGW_USAGE_SHAPES     8
#define AIGW_USAGE_COUNTS    14        /* different counts in a usage object */


typedef enum {
    AIGW_USAGE_JSON = 1,               /* one JSON document */
    AIGW_USAGE_SSE                     /* an event stream of chat chunks */
} aigw_usage_kind_t;


/*
 * What the caller does with the piece it just fed. First the bytes held from
 * earlier pieces: `release` passes them on, `drop` forgets them, neither keeps
 * them. Then of this piece: the first `keep` bytes pass on (the meter has
 * compacted them to the front), the last `hold` bytes are appended to what is
 * held. Without hiding: keep = len, everything else 0, the piece untouched.
 */
typedef struct {
    size_t     keep;
    size_t     hold;
    unsigned   release:1;
    unsigned   drop:1;
} aigw_usage_piece_t;


/* What the answers of one kind look like that come most. All zero: nothing is
   known yet. Private to aigw_usage_shapes.c. */
typedef struct {
    uint8_t            used[AIGW_USAGE_SHAPES]; /* 0: there is none */
    uint8_t            last;           /* the one that fitted */
    uint8_t            next;           /* the oldest */
    uint8_t            debt;           /* for what learning has cost */
    uint8_t            misses;
    aigw_json_shape_t  shape[AIGW_USAGE_SHAPES];
} aigw_usage_shapes_t;


/* Private to aigw_usage.c, but for the fields with a comment. */
typedef struct {
    aigw_tokens_t      tokens;         /* valid if `seen` */
    uint8_t            flags;          /* AIGW_USAGE_BAD, ... */
    uint64_t           text_bytes;     /* delivered text: contents, tool
                                          arguments, reasoning, refusals */
    uint64_t           events;         /* SSE events with data so far, [DONE]
                                          too */

    unsigned           seen:1;         /* a usage object with a positive count
                                          is complete */
    unsigned           error:1;        /* a top-level non-null error object, or
                                          an error event in a stream */
    unsigned           done:1;         /* [DONE] came */
    unsigned           malformed:1;    /* kind JSON: not JSON, or cut */

    unsigned           hide:1;
    unsigned           kind:2;
    unsigned           rank:2;         /* of the usage in found[] */
    unsigned           bad:1;          /* the usage object in hand */
    unsigned           empty:1;        /* the event's `choices` is [] so far */
    unsigned           usage:1;        /* the event's `usage` is an object */
    unsigned           passing:1;      /* the event is not one to hide */
    unsigned           dropped:1;      /* the last event was hidden */
    unsigned           named_error:1;  /* the event's name is "error" */
    uint8_t            mark;           /* bytes of "[DONE]" that match */
    uint8_t            found_flags;
    uint32_t           held;           /* bytes of the undecided event */
    uint32_t           found[5];       /* the event's best usage so far */
    uint32_t           count[AIGW_USAGE_COUNTS]; /* of the object in hand */
    aigw_usage_shapes_t *shapes;
    aigw_sse_t         sse;
    aigw_json_t        json;
} aigw_usage_meter_t;


/*
 * Makes the meter ready for an answer. hide: withhold each stream event that
 * has an empty `choices` array and a non-null `usage` (SSE only). shapes: what
 * meters of this kind have learned so far, from one to the next (borrowed by
 * the meter); NULL: each answer is scanned.
 */
void aigw_usage_init(aigw_usage_meter_t *m, aigw_usage_kind_t kind, int hide,
    aigw_usage_shapes_t *shapes);

/*
 * Meters the next len bytes; with hiding on, may move bytes inside data.
 * Borrows data during the call. Never fails: what cannot be read is passed on
 * and flagged.
 */
void aigw_usage_feed(aigw_usage_meter_t *m, unsigned char *data, size_t len,
    aigw_usage_piece_t *piece);

/*
 * The answer has ended: an unfinished last event counts too (2.13). piece says
 * what to do with what is held (keep and hold are 0).
 */
void aigw_usage_finish(aigw_usage_meter_t *m, aigw_usage_piece_t *piece);

#endif /* AIGW_USAGE_H */
