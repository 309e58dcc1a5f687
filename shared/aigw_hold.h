/*
 * How much is held for a call before it is let through, and whether its output
 * must be limited so that it can be paid (design, section 4). Pure: numbers
 * in, a decision out. Amounts in nano-units; cost is rounded up as at the
 * settlement, so that what is held for n tokens is what n tokens cost.
 */

#ifndef AIGW_HOLD_H
#define AIGW_HOLD_H

#include "aigw.h"
#include "aigw_price.h"


#define AIGW_HOLD_FLOOR    4096       /* so many are not undercut while others
                                         hold something */
#define AIGW_HOLD_SHARE    16         /* of what is free, for a call without a
                                         limit of its own: 1 in that many */


/* What is asked. input_tokens: by bytes (a token has at least one), or as
   estimated. outputs: answers that come of it, 0 on a route without any. */
typedef struct {
    const aigw_price_t  *price;
    int64_t              input_tokens;
    int64_t              outputs;
    int64_t              own;         /* its limit for one output, or -1 */
    int64_t              ceiling;     /* the model's; 0: not known */
    int64_t              context;     /* input and output; 0: not known */
    int64_t              smallest;    /* answer, in tokens; from 1 */
    int64_t              assumed;     /* a ceiling where the model's is not */
    int64_t              prompts;     /* of an array, each with a context of
                                         its own; from 1 */
    unsigned             strict:1;    /* a limit is always set */
    unsigned             by_bytes:1;  /* input_tokens is one a byte */
} aigw_hold_call_t;


/* What there is: the least over the accounts above the call. */
typedef struct {
    int64_t    free_nano;             /* of limit - spent - held */
    int64_t    left_nano;             /* of limit - spent */
    unsigned   shared:1;              /* others hold something where the least
                                         is free */
} aigw_hold_room_t;


typedef enum {
    AIGW_HOLD_FITS = 0,               /* hold, with the limit if there is one */
    AIGW_HOLD_NEAR,                   /* near the limit: ask with an estimate */
    AIGW_HOLD_WAIT,                   /* only holds of others are in the way */
    AIGW_HOLD_SPENT                   /* not even the smallest answer is paid */
} aigw_hold_verdict_t;


typedef struct {
    int64_t    hold_nano;
    int64_t    limit;                 /* output tokens to be set, -1: none */
    int64_t    tokens;                /* of all outputs that are paid for */
} aigw_hold_t;


/* Is there plenty for the call as it is? AIGW_HOLD_FITS or AIGW_HOLD_NEAR. */
aigw_hold_verdict_t aigw_hold_ample(const aigw_hold_call_t *call,
    const aigw_hold_room_t *room, aigw_hold_t *hold);

/* There is not: what it gets instead. Never AIGW_HOLD_NEAR. */
aigw_hold_verdict_t aigw_hold_near(const aigw_hold_call_t *call,
    const aigw_hold_room_t *room, aigw_hold_t *hold);

#endif /* AIGW_HOLD_H */
