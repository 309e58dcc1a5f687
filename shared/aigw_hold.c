/*
 * The sums behind a hold. Every product is of 128 bits: no count or price that
 * is let in anywhere wraps here.
 */

#include "aigw.h"
#include "aigw_hold.h"


#define HOLD_PER_MILLION  1000000
#define HOLD_OUTPUTS_MAX  (INT64_C(1) << 28)
#define HOLD_TOKEN_BYTES  4           /* of ordinary text */

__extension__ typedef unsigned __int128  hold_wide_t;


static int64_t
hold_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


static int64_t
hold_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}


/* The dearest that a token of the prompt, or of an output, can become. */
static hold_wide_t
hold_input_price(const aigw_price_t *price)
{
    return (hold_wide_t) hold_max(0, hold_max(price->prompt_nano,
                                              hold_max(price->cached_nano,
                                                  price->cache_write_nano)));
}


static hold_wide_t
hold_output_price(const aigw_price_t *price)
{
    return (hold_wide_t) hold_max(0, hold_max(price->completion_nano,
                                              price->reasoning_nano));
}


/* The most that the input can have: no prompt is longer than the context. */
static int64_t
hold_input(const aigw_hold_call_t *call)
{
    int64_t  most;

    if (call->context <= 0
        || __builtin_mul_overflow(call->context, hold_max(call->prompts, 1),
                                  &most))
    {
        return call->input_tokens;
    }

    return hold_min(call->input_tokens, most);
}


/* The cost with so many tokens in each output; INT64_MAX if it is more. */
static int64_t
hold_cost(const aigw_hold_call_t *call, int64_t tokens)
{
    hold_wide_t  sum, cost, outputs;

    if (call->outputs > HOLD_OUTPUTS_MAX) {
        return INT64_MAX;
    }

    /* at most 2^60, as they come in */
    outputs = (hold_wide_t) call->outputs
              * (hold_wide_t) hold_min(tokens, INT64_C(1) << 32);

    sum = (hold_wide_t) hold_input(call) * hold_input_price(call->price)
          + outputs * hold_output_price(call->price);

    /* a division of 128 bits is a call, and hardly ever needed */

    cost = sum <= UINT64_MAX ? (uint64_t) sum / HOLD_PER_MILLION
                             : sum / HOLD_PER_MILLION;
    cost += (cost * HOLD_PER_MILLION != sum);

    return cost > INT64_MAX ? INT64_MAX : (int64_t) cost;
}


/* How many tokens in each output amount pays; -1: not even the input. */
static int64_t
hold_affordable(const aigw_hold_call_t *call, int64_t amount)
{
    hold_wide_t  have, input, each;

    have = (hold_wide_t) hold_max(amount, 0) * HOLD_PER_MILLION;
    input = (hold_wide_t) hold_input(call) * hold_input_price(call->price);

    if (input > have) {
        return -1;
    }

    each = (hold_wide_t) call->outputs * hold_output_price(call->price);

    if (each == 0 || (have - input) / each > INT64_MAX) {
        return INT64_MAX;
    }

    return (int64_t) ((have - input) / each);
}


/* The most that one output may have as the call stands. */
static int64_t
hold_bound(const aigw_hold_call_t *call)
{
    int64_t  bound, input;

    if (call->outputs == 0) {
        return 0;
    }

    bound = call->own >= 0 ? call->own
            : call->ceiling > 0 ? call->ceiling : call->assumed;

    if (call->own < 0 && call->context > 0) {
        /* not what the input has at most: the output would get too little */
        input = hold_input(call) / (call->by_bytes ? HOLD_TOKEN_BYTES : 1)
                / hold_max(call->prompts, 1);
        bound = hold_min(bound, hold_max(call->context - input,
                                         call->smallest));
    }

    return bound;
}


/* The most that may be set as limit: an upstream refuses what is above its
   model's ceiling. */
static int64_t
hold_settable(const aigw_hold_call_t *call)
{
    int64_t  most = hold_bound(call);

    if (call->own >= 0) {
        return most;
    }

    if (call->ceiling <= 0) {
        most = hold_min(most, AIGW_HOLD_FLOOR);
    }

    return hold_max(most, call->smallest);
}


static int64_t
hold_tokens(const aigw_hold_call_t *call, int64_t limit)
{
    int64_t  tokens;

    return __builtin_mul_overflow(call->outputs, limit, &tokens)
           ? INT64_MAX : tokens;
}


static aigw_hold_verdict_t
hold_set(const aigw_hold_call_t *call, int64_t limit, int64_t free_nano,
    aigw_hold_t *hold)
{
    int64_t  cost = hold_cost(call, limit);

    if (cost > free_nano) {
        return AIGW_HOLD_WAIT;
    }

    hold->hold_nano = cost;
    hold->limit = call->outputs == 0 || limit == call->own ? -1 : limit;
    hold->tokens = hold_tokens(call, limit);

    return AIGW_HOLD_FITS;
}


aigw_hold_verdict_t
aigw_hold_ample(const aigw_hold_call_t *call, const aigw_hold_room_t *room,
    aigw_hold_t *hold)
{
    int64_t  limit = hold_bound(call), room_nano = room->free_nano, cost;

    if (call->own < 0 && call->outputs > 0) {
        room_nano = room->free_nano == INT64_MAX
                    ? INT64_MAX : room->free_nano / AIGW_HOLD_SHARE;

        if (call->strict) {
            limit = hold_settable(call);
        }
    }

    cost = hold_cost(call, limit);

    if (cost > room_nano || cost == INT64_MAX) {
        return AIGW_HOLD_NEAR;
    }

    hold->hold_nano = cost;
    hold->tokens = hold_tokens(call, limit);
    hold->limit = call->strict && call->own < 0 && call->outputs > 0
                  ? limit : -1;

    return AIGW_HOLD_FITS;
}


/*
 * Without a limit of its own a call gets its share of what is free, at least
 * the floor; with one it keeps it, but where what is left cannot pay it. Below
 * the floor it goes only while nobody else holds anything: then to the last
 * token.
 */
aigw_hold_verdict_t
aigw_hold_near(const aigw_hold_call_t *call, const aigw_hold_room_t *room,
    aigw_hold_t *hold)
{
    int64_t  most, least, floor, paid, want;

    paid = hold_affordable(call, room->left_nano);

    if (call->outputs == 0) {
        return paid < 0 ? AIGW_HOLD_SPENT
                        : hold_set(call, 0, room->free_nano, hold);
    }

    most = hold_settable(call);
    least = hold_min(call->smallest, most);

    if (paid < least) {
        return AIGW_HOLD_SPENT;
    }

    floor = hold_max(hold_min(most, AIGW_HOLD_FLOOR), least);
    want = most;

    if (call->own < 0) {
        want = hold_affordable(call, room->free_nano / AIGW_HOLD_SHARE);
        want = hold_min(hold_max(want, floor), most);
    }

    want = hold_min(want, paid);

    if (want < floor && room->shared) {
        return AIGW_HOLD_WAIT;
    }

    return hold_set(call, want, room->free_nano, hold);
}
