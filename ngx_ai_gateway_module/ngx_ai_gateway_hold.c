/*
 * The hold: what a call may cost at most is taken out of every account above
 * it before it is let through. Near a limit its body is looked at once more to
 * estimate the input, its output may be limited, or it waits for what others
 * hold. Nothing here blocks: a wait is a timer.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_WAITING_MAX  1024   /* calls of one worker */
#define NGX_AI_GATEWAY_WAIT_MIN_MS  10     /* between two looks */
#define NGX_AI_GATEWAY_WAIT_MAX_MS  250


#define NGX_AI_GATEWAY_MESSAGE_BYTES  256

/* The smallest answer of a model that thinks before it speaks, in tokens. */
#define NGX_AI_GATEWAY_THOUGHT        1024


/* How many calls of this worker wait. */
static ngx_uint_t  ngx_ai_gateway_waiting;


static const char  *ngx_ai_gateway_account_names[] = {
    "API key", "project", "user"
};


void
ngx_ai_gateway_stop_waiting(ngx_ai_gateway_ctx_t *ctx)
{
    if (ctx->waiting) {
        ctx->waiting = 0;
        ngx_ai_gateway_waiting--;
    }
}


/* The account with the least that is not spent. */
static unsigned
ngx_ai_gateway_least_left(ngx_ai_gateway_ctx_t *ctx)
{
    int64_t     spent, held, left, least;
    unsigned    which;
    ngx_uint_t  i;

    which = 0;
    least = INT64_MAX;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        aigw_live_read(ngx_ai_gateway_live(), ctx->account[i].kind,
                       ctx->account[i].id, &spent, &held);

        left = aigw_limit_left(ctx->account[i].limit_nano, spent, 0);

        if (left < least) {
            least = left;
            which = i;
        }
    }

    return which;
}


static void
ngx_ai_gateway_spent_message(ngx_ai_gateway_ctx_t *ctx, u_char *buf,
    ngx_str_t *message)
{
    char      limit[AIGW_AMOUNT_LEN + 1], used[AIGW_AMOUNT_LEN + 1];
    int64_t   spent, held;
    unsigned  which;

    which = ngx_ai_gateway_least_left(ctx);

    aigw_live_read(ngx_ai_gateway_live(), ctx->account[which].kind,
                   ctx->account[which].id, &spent, &held);

    (void) aigw_amount_format(ctx->account[which].limit_nano, limit);
    (void) aigw_amount_format(spent, used);

    message->data = buf;
    message->len = ngx_snprintf(buf, NGX_AI_GATEWAY_MESSAGE_BYTES,
                                "The quota of this %s is spent: %s of %s%s."
                                " Ask your admin to raise it.",
                                ngx_ai_gateway_account_names[which], used,
                                limit,
                                spent < ctx->account[which].limit_nano
                                ? ", and the rest does not pay for this call"
                                : "")
                   - buf;
}


ngx_int_t
ngx_ai_gateway_refuse_spent(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    u_char     text[NGX_AI_GATEWAY_MESSAGE_BYTES];
    ngx_str_t  message;

    ngx_ai_gateway_spent_message(ctx, text, &message);

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_QUOTA_SPENT, NULL,
                                 &message);
}


static ngx_int_t
ngx_ai_gateway_refuse_in_use(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    unsigned which)
{
    char        left[AIGW_AMOUNT_LEN + 1], held_text[AIGW_AMOUNT_LEN + 1];
    u_char      text[320];
    int64_t     spent, held;
    ngx_str_t   message;

    aigw_live_read(ngx_ai_gateway_live(), ctx->account[which].kind,
                   ctx->account[which].id, &spent, &held);

    (void) aigw_amount_format(aigw_limit_left(ctx->account[which].limit_nano,
                                              spent, 0),
                              left);
    (void) aigw_amount_format(held, held_text);

    message.data = text;
    message.len = ngx_snprintf(text, sizeof(text), "Calls in flight hold %s of"
                               " the %s that are left of this %s's quota."
                               " Nothing is wrong with it: try again in a"
                               " second, or ask for fewer output tokens.",
                               held_text, left,
                               ngx_ai_gateway_account_names[which])
                  - text;

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_QUOTA_IN_USE, NULL,
                                 &message);
}


static void
ngx_ai_gateway_wait_handler(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


/* NGX_AGAIN: the call comes back. NGX_DONE: it has waited long enough. */
static ngx_int_t
ngx_ai_gateway_wait(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    unsigned which)
{
    int64_t      now, left;
    ngx_msec_t   delay;

    now = ngx_ai_gateway_now_ms();

    if (!ctx->waiting) {

        if (ngx_ai_gateway_waiting == NGX_AI_GATEWAY_WAITING_MAX) {
            return ngx_ai_gateway_refuse_in_use(r, ctx, which);
        }

        ctx->waiting = 1;
        ctx->wait_ms = NGX_AI_GATEWAY_WAIT_MIN_MS;
        ctx->wait_until_ms = now + ngx_ai_gateway_alcf(r)->quota_wait;
        ngx_ai_gateway_waiting++;
    }

    left = ctx->wait_until_ms - now;

    if (left <= 0) {
        ngx_ai_gateway_stop_waiting(ctx);
        return ngx_ai_gateway_refuse_in_use(r, ctx, which);
    }

    /* not all at once */

    delay = ctx->wait_ms + ngx_random() % ctx->wait_ms;
    ctx->wait_ms = ngx_min(2 * ctx->wait_ms, NGX_AI_GATEWAY_WAIT_MAX_MS);

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_ai_gateway_wait_handler;

    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write,
                  (ngx_msec_t) ngx_min((int64_t) delay, left));

    return NGX_AGAIN;
}


/* What the input has at most: one token a byte, unless it is estimated, which
   a strict cap does not take. */
static void
ngx_ai_gateway_describe_input(ngx_ai_gateway_ctx_t *ctx,
    aigw_hold_call_t *call)
{
    const aigw_request_t  *req;

    req = &ctx->scan.request;

    call->prompts = aigw_request_prompts(req);
    call->strict = ctx->strict;

    if (ctx->estimated) {
        call->input_tokens = ctx->estimate;
        return;
    }

    call->by_bytes = 1;
    call->input_tokens = req->by_context
                         ? INT64_MAX : ctx->body_bytes + req->more_tokens;
}


static void
ngx_ai_gateway_describe(ngx_ai_gateway_ctx_t *ctx, aigw_hold_call_t *call)
{
    ngx_memzero(call, sizeof(aigw_hold_call_t));
    ngx_ai_gateway_describe_input(ctx, call);

    call->price = &ctx->price;
    call->outputs = (ctx->route == AIGW_ROUTE_EMBEDDINGS) ? 0 : ctx->outputs;
    call->own = ctx->own_limit;
    call->ceiling = ctx->max_output;
    call->assumed = ctx->assumed_output;
    call->context = ctx->context;

    /* too little, and hidden thought eats all of it */
    call->smallest = ctx->reasoning ? NGX_AI_GATEWAY_THOUGHT : 1;
}


/* *which: the account that stands in the way, if one does. */
static aigw_hold_verdict_t
ngx_ai_gateway_decide(ngx_ai_gateway_ctx_t *ctx, unsigned *which,
    aigw_hold_t *hold)
{
    int64_t              spent, held;
    aigw_hold_call_t     call;
    aigw_hold_room_t     room;

    ngx_ai_gateway_describe(ctx, &call);

    ngx_memzero(&room, sizeof(aigw_hold_room_t));

    room.free_nano = aigw_live_free(ngx_ai_gateway_live(), ctx->account,
                                    &room.left_nano, which);

    if (!ctx->near) {
        return aigw_hold_ample(&call, &room, hold);
    }

    aigw_live_read(ngx_ai_gateway_live(), ctx->account[*which].kind,
                   ctx->account[*which].id, &spent, &held);
    room.shared = (held != 0);

    return aigw_hold_near(&call, &room, hold);
}


/* Enters the table of what is in flight, which takes the hold. */
static aigw_err_t
ngx_ai_gateway_begin(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    const aigw_hold_t *hold, unsigned *which)
{
    aigw_err_t  err;
    aigw_row_t  row;

    ctx->hold_nano = hold->hold_nano;
    ctx->hold_tokens = hold->tokens;
    ctx->limit = hold->limit;

    ngx_ai_gateway_fill_row(r, ctx, &row);
    row.tokens.prompt_tokens = ngx_ai_gateway_prompt_estimate(ctx);

    err = aigw_flight_begin(ngx_ai_gateway_live(), ngx_ai_gateway_journal(),
                            ctx->account, &row, &ctx->price, &ctx->flight,
                            which);
    if (err == AIGW_OK) {
        ctx->in_flight = 1;
        ctx->generation = ngx_ai_gateway_generation();
    }

    return err;
}


/* There is not plenty: from now on with all that is known of the input. */
static ngx_int_t
ngx_ai_gateway_near(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ctx->near = 1;

    return ctx->strict ? ngx_ai_gateway_hold(r, ctx)
                       : ngx_ai_gateway_estimate_body(r, ctx);
}


static AIGW_COLD ngx_int_t
ngx_ai_gateway_refuse_unbounded(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx)
{
    ngx_str_t  message;

    ngx_str_set(&message, "This project's cap is strict, and of files, sound"
                " and video only the model's context bounds what they may"
                " cost, which is not known here. Ask your admin to set it"
                " ('aigw model set --context').");

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNBOUNDED, "messages",
                                 &message);
}


ngx_int_t
ngx_ai_gateway_hold(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    unsigned     which;
    aigw_err_t   err;
    aigw_hold_t  hold;

    if (ctx->scan.request.by_context && ctx->context == 0) {
        return ngx_ai_gateway_refuse_unbounded(r, ctx);
    }

    switch (ngx_ai_gateway_decide(ctx, &which, &hold)) {

    case AIGW_HOLD_FITS:
        break;

    case AIGW_HOLD_NEAR:
        return ngx_ai_gateway_near(r, ctx);

    case AIGW_HOLD_SPENT:
        ngx_ai_gateway_stop_waiting(ctx);
        return ngx_ai_gateway_refuse_spent(r, ctx);

    default:
        return ngx_ai_gateway_wait(r, ctx, which);
    }

    err = ngx_ai_gateway_begin(r, ctx, &hold, &which);

    if (err == AIGW_ERANGE) {
        /* another call was faster */
        return ctx->near ? ngx_ai_gateway_wait(r, ctx, which)
                         : ngx_ai_gateway_near(r, ctx);
    }

    ngx_ai_gateway_stop_waiting(ctx);

    if (err != AIGW_OK) {
        return ngx_ai_gateway_refuse_unavailable(r, ctx, "cannot admit a call",
                                                 err);
    }

    return NGX_OK;
}
