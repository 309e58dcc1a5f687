/* Holds: ample, near the limit, by the last token (threats Q01, Q08, Q09). */

#include <string.h>

#include "aigw_hold.h"
#include "tap.h"


#define UNIT   AIGW_UNIT_NANO
#define NONE   AIGW_PRICE_NONE
#define FREE   INT64_MAX

/* 10 a million: 10,000 nano a token, in and out. */
#define TOKEN  INT64_C(10000)


static const aigw_price_t  flat = { 1, 10 * UNIT, 10 * UNIT, NONE, NONE,
                                    NONE };
static const aigw_price_t  parts = { 1, 1000000, 2000000, 500000, 4000000,
                                     6000000 };
static const aigw_price_t  gratis = { 1, 0, 0, NONE, NONE, NONE };
static const aigw_price_t  cents = { 1, 1500000, 0, NONE, NONE, NONE };


typedef struct {
    const char           *name;
    aigw_hold_call_t      call;       /* price, input, outputs, own, ceiling,
                                         context, smallest, assumed, prompts,
                                         strict, by_bytes */
    aigw_hold_room_t      room;       /* free, left, shared */
    aigw_hold_verdict_t   verdict;
    int64_t               hold;
    int64_t               limit;
} hold_case_t;


static const hold_case_t  ample[] = {

    { "no limit anywhere: all that the model may say",
      { &flat, 100, 1, -1, 0, 0, 1, 32768, 1, 0, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, (100 + 32768) * TOKEN, -1 },

    { "the model's ceiling",
      { &flat, 100, 1, -1, 8192, 0, 1, 32768, 1, 0, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, (100 + 8192) * TOKEN, -1 },

    { "the model's context",
      { &flat, 100, 1, -1, 8192, 1000, 1, 32768, 1, 0, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 1000 * TOKEN, -1 },

    { "its own limit",
      { &flat, 100, 1, 50, 8192, 0, 1, 32768, 1, 0, 0 },
      { 150 * TOKEN, FREE, 1 },
      AIGW_HOLD_FITS, 150 * TOKEN, -1 },

    { "its own limit, one nano short",
      { &flat, 100, 1, 50, 8192, 0, 1, 32768, 1, 0, 0 },
      { 150 * TOKEN - 1, FREE, 1 },
      AIGW_HOLD_NEAR, 0, 0 },

    { "none: a sixteenth of what is free pays it",
      { &flat, 100, 1, -1, 900, 0, 1, 32768, 1, 0, 0 },
      { 16000 * TOKEN, FREE, 1 },
      AIGW_HOLD_FITS, 1000 * TOKEN, -1 },

    { "none: a sixteenth does not",
      { &flat, 100, 1, -1, 901, 0, 1, 32768, 1, 0, 0 },
      { 16000 * TOKEN, FREE, 1 },
      AIGW_HOLD_NEAR, 0, 0 },

    { "several outputs",
      { &flat, 100, 3, 50, 0, 0, 1, 32768, 1, 0, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 250 * TOKEN, -1 },

    { "no output on this route",
      { &flat, 100, 0, -1, 0, 0, 1, 32768, 1, 0, 0 }, { 100 * TOKEN, FREE, 0 },
      AIGW_HOLD_FITS, 100 * TOKEN, -1 },

    { "the dearest part of each",
      { &parts, 100, 1, 10, 0, 0, 1, 32768, 1, 0, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 100 * 4 + 10 * 6, -1 },

    { "rounded up, once",
      { &cents, 1, 1, 10, 0, 0, 1, 32768, 1, 0, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 2, -1 },

    { "what costs nothing holds nothing",
      { &gratis, 100, 1, -1, 0, 0, 1, 32768, 1, 0, 0 }, { 0, 0, 1 },
      AIGW_HOLD_FITS, 0, -1 },

    { "strict: a limit is set, and one that no upstream refuses",
      { &flat, 100, 1, -1, 0, 0, 1, 32768, 1, 1, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, (100 + 4096) * TOKEN, 4096 },

    { "strict: its own limit stands",
      { &flat, 100, 1, 50, 0, 0, 1, 32768, 1, 1, 0 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 150 * TOKEN, -1 },

    { "no more input than the context has",
      { &flat, 5000, 1, 50, 0, 1000, 1, 32768, 1, 0, 1 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 1050 * TOKEN, -1 },

    { "each prompt has a context of its own",
      { &flat, 5000, 3, 50, 0, 1000, 1, 32768, 3, 0, 1 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 3150 * TOKEN, -1 },

    { "bytes leave an output what ordinary text leaves it",
      { &flat, 800, 1, -1, 8192, 1000, 1, 32768, 1, 0, 1 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 1600 * TOKEN, -1 },

    { "strict: as much is set",
      { &flat, 9000, 1, -1, 8192, 1000, 1, 32768, 1, 1, 1 }, { FREE, FREE, 0 },
      AIGW_HOLD_FITS, 1750 * TOKEN, 750 },

    { "too many outputs for a sum are never ample",
      { &flat, 1, (INT64_C(1) << 28) + 1, 1, 0, 0, 1, 32768, 1, 0, 1 },
      { FREE, FREE, 0 }, AIGW_HOLD_NEAR, 0, 0 },

    { "what no int64 holds is not ample",
      { &flat, 100, 128, INT64_C(1) << 40, 0, 0, 1, 32768, 1, 0, 0 },
      { FREE, FREE, 0 }, AIGW_HOLD_FITS,
      100 * TOKEN + 128 * (INT64_C(1) << 32) * TOKEN, -1 }
};


static const hold_case_t  near[] = {

    { "a share of what is free",
      { &flat, 100, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 160000 * TOKEN, FREE, 1 },
      AIGW_HOLD_FITS, 10000 * TOKEN, 9900 },

    { "but not above what every model can",
      { &flat, 100, 1, -1, 0, 0, 1, 32768, 1, 0, 0 },
      { 160000 * TOKEN, FREE, 1 },
      AIGW_HOLD_FITS, 4196 * TOKEN, 4096 },

    { "nor below the floor",
      { &flat, 100, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 4196 * TOKEN, FREE, 1 },
      AIGW_HOLD_FITS, 4196 * TOKEN, 4096 },

    { "nor below it while others hold something",
      { &flat, 100, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 4195 * TOKEN, 4195 * TOKEN, 1 }, AIGW_HOLD_WAIT, 0, 0 },

    { "alone it gets the last token",
      { &flat, 100, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 103 * TOKEN, 103 * TOKEN, 0 }, AIGW_HOLD_FITS, 103 * TOKEN, 3 },

    { "and not a part of one more",
      { &flat, 100, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 104 * TOKEN - 1, 104 * TOKEN - 1, 0 },
      AIGW_HOLD_FITS, 103 * TOKEN, 3 },

    { "not even one: spent",
      { &flat, 100, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 101 * TOKEN - 1, 101 * TOKEN - 1, 0 }, AIGW_HOLD_SPENT, 0, 0 },

    { "enough left, but held: wait, it is not spent",
      { &flat, 100, 1, 50, 0, 0, 1, 32768, 1, 0, 0 }, { 0, 150 * TOKEN, 1 },
      AIGW_HOLD_WAIT, 0, 0 },

    { "its own limit is kept where what is left pays it",
      { &flat, 100, 1, 50, 0, 0, 1, 32768, 1, 0, 0 },
      { 149 * TOKEN, 150 * TOKEN, 1 },
      AIGW_HOLD_WAIT, 0, 0 },

    { "and lowered where it does not, alone",
      { &flat, 100, 1, 50, 0, 0, 1, 32768, 1, 0, 0 },
      { 149 * TOKEN, 149 * TOKEN, 0 },
      AIGW_HOLD_FITS, 149 * TOKEN, 49 },

    { "above the floor also beside others",
      { &flat, 100, 1, 9000, 0, 0, 1, 32768, 1, 0, 0 },
      { 5100 * TOKEN, 5100 * TOKEN, 1 },
      AIGW_HOLD_FITS, 5100 * TOKEN, 5000 },

    { "the estimate makes it fit",
      { &flat, 10, 1, 50, 0, 0, 1, 32768, 1, 0, 0 },
      { 60 * TOKEN, 60 * TOKEN, 1 },
      AIGW_HOLD_FITS, 60 * TOKEN, -1 },

    { "several outputs share what is left",
      { &flat, 100, 4, -1, 32768, 0, 1, 32768, 1, 0, 0 },
      { 111 * TOKEN, 111 * TOKEN, 0 }, AIGW_HOLD_FITS, 108 * TOKEN, 2 },

    { "a model that thinks is not given too little to say anything",
      { &flat, 100, 1, -1, 32768, 0, 1024, 32768, 1, 0, 0 },
      { 1123 * TOKEN, 1123 * TOKEN, 0 }, AIGW_HOLD_SPENT, 0, 0 },

    { "unless it asks for less itself",
      { &flat, 100, 1, 5, 32768, 0, 1024, 32768, 1, 0, 0 },
      { 105 * TOKEN, 105 * TOKEN, 0 }, AIGW_HOLD_FITS, 105 * TOKEN, -1 },

    { "strict: to the last token by bytes",
      { &flat, 100, 2, -1, 0, 0, 1, 32768, 1, 1, 1 },
      { 105 * TOKEN, 105 * TOKEN, 0 }, AIGW_HOLD_FITS, 104 * TOKEN, 2 },

    { "no output: it fits, or waits, or is spent",
      { &flat, 100, 0, -1, 0, 0, 1, 32768, 1, 0, 0 },
      { 100 * TOKEN, 100 * TOKEN, 0 },
      AIGW_HOLD_FITS, 100 * TOKEN, -1 },

    { "no output: waits",
      { &flat, 100, 0, -1, 0, 0, 1, 32768, 1, 0, 0 },
      { 99 * TOKEN, 100 * TOKEN, 1 },
      AIGW_HOLD_WAIT, 0, 0 },

    { "no output: spent",
      { &flat, 100, 0, -1, 0, 0, 1, 32768, 1, 0, 0 },
      { 99 * TOKEN, 100 * TOKEN - 1, 1 }, AIGW_HOLD_SPENT, 0, 0 },

    { "rounding: the last nano pays as much as it does at settlement",
      { &cents, 3, 1, 10, 0, 0, 1, 32768, 1, 0, 0 }, { 5, 5, 0 },
      AIGW_HOLD_FITS, 5, -1 },

    { "overdrawn is spent",
      { &flat, 100, 1, 50, 0, 0, 1, 32768, 1, 0, 0 }, { 0, 0, 0 },
      AIGW_HOLD_SPENT, 0, 0 }
};


static void
run(const hold_case_t *cases, size_t n,
    aigw_hold_verdict_t (*decide)(const aigw_hold_call_t *,
        const aigw_hold_room_t *, aigw_hold_t *))
{
    size_t                i;
    aigw_hold_t           hold;
    aigw_hold_verdict_t   verdict;

    for (i = 0; i < n; i++) {
        memset(&hold, 0, sizeof(hold));
        verdict = decide(&cases[i].call, &cases[i].room, &hold);

        if (!ok(verdict == cases[i].verdict && hold.hold_nano == cases[i].hold
                && hold.limit == cases[i].limit
                && (verdict != AIGW_HOLD_FITS || cases[i].call.outputs == 0
                    || hold.limit < 0
                    || hold.tokens == hold.limit * cases[i].call.outputs),
                "%s", cases[i].name))
        {
            printf("#   got %d, %" PRId64 ", %" PRId64 "\n", (int) verdict,
                   hold.hold_nano, hold.limit);
        }
    }
}


/* However near, what is held never exceeds what is free, and pays exactly what
   the limit can cost. */
static void
test_random(void)
{
    int                i, bad = 0;
    uint64_t           x = 88172645463325252ULL;
    int64_t            cost;
    aigw_hold_t        hold;
    aigw_price_t       price = { 1, 0, 0, NONE, NONE, NONE };
    aigw_tokens_t      tokens = { 0, 0, 0, 0, 0 };
    aigw_hold_call_t   call = { &price, 0, 1, -1, 32768, 0, 1, 32768, 1, 0, 0 };
    aigw_hold_room_t   room = { 0, 0, 0 };

    for (i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        price.prompt_nano = (int64_t) (x % 50000000);
        price.completion_nano = (int64_t) (x >> 20) % 90000000;
        call.input_tokens = (int64_t) (x >> 8) % 5000;
        call.own = x & 1 ? -1 : (int64_t) (x >> 30) % 9000 + 1;
        room.left_nano = (int64_t) (x >> 5) % 500000;
        room.free_nano = room.left_nano - (int64_t) (x >> 40) % 1000;
        room.free_nano = room.free_nano < 0 ? 0 : room.free_nano;
        room.shared = room.free_nano < room.left_nano;

        if (aigw_hold_near(&call, &room, &hold) != AIGW_HOLD_FITS) {
            continue;
        }

        tokens.prompt_tokens = call.input_tokens;
        tokens.completion_tokens = hold.limit < 0 ? call.own : hold.limit;

        if (hold.hold_nano > room.free_nano
            || aigw_price_cost(&price, &tokens, &cost) != AIGW_OK
            || cost != hold.hold_nano)
        {
            bad++;
        }
    }

    is_int(bad, 0, "a hold fits, and is what its tokens cost");
}


int
main(void)
{
    run(ample, sizeof(ample) / sizeof(ample[0]), aigw_hold_ample);
    run(near, sizeof(near) / sizeof(near[0]), aigw_hold_near);
    test_random();

    return done();
}
