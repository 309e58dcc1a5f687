/*
 * The end of every request, once: what it used, what that costs, one charge to
 * each account above it and one record in the journal. Atomics and a copy; no
 * system call, nothing that can wait.
 */

#include "ngx_ai_gateway.h"


/* Without a count from the upstream a token is taken for four bytes. */
#define NGX_AI_GATEWAY_TOKEN_BYTES  4


static uint8_t
ngx_ai_gateway_attempts(ngx_http_request_t *r)
{
    ngx_uint_t                  i, n;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return 0;
    }

    n = 0;
    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {
        n += (state[i].peer != NULL);
    }

    return (uint8_t) ngx_min(n, 255);
}


static int64_t
ngx_ai_gateway_tokens_of(uint64_t bytes)
{
    return (int64_t) (bytes / NGX_AI_GATEWAY_TOKEN_BYTES)
           + (bytes % NGX_AI_GATEWAY_TOKEN_BYTES != 0);
}


int64_t
ngx_ai_gateway_prompt_estimate(ngx_ai_gateway_ctx_t *ctx)
{
    return ctx->estimated ? ctx->estimate
                          : ngx_max(ngx_ai_gateway_tokens_of(ctx->body_bytes),
                                    1);
}


/* No count came: the prompt as estimated, the completion by what was passed
   on. */
static AIGW_COLD void
ngx_ai_gateway_guess(ngx_ai_gateway_ctx_t *ctx)
{
    ngx_memzero(&ctx->tokens, sizeof(aigw_tokens_t));

    ctx->tokens.prompt_tokens = ngx_ai_gateway_prompt_estimate(ctx);
    ctx->tokens.completion_tokens = ctx->metered
                         ? ngx_ai_gateway_tokens_of(ctx->scan.meter.text_bytes)
                         : 0;
}


/* An answer of status 2xx went down, whole or in part. */
static aigw_settled_t
ngx_ai_gateway_settle_answer(ngx_ai_gateway_ctx_t *ctx)
{
    if (!ctx->metered && !ctx->encoded) {
        /* neither JSON nor a stream: no answer of a model */
        ctx->verdict = AIGW_VERDICT_UPSTREAM_ERROR;
        return AIGW_SETTLED_VOID;
    }

    if (ctx->metered && ctx->scan.meter.seen
        && !(ctx->scan.meter.flags & AIGW_USAGE_BAD))
    {
        ctx->tokens = ctx->scan.meter.tokens;

        if (ctx->route == AIGW_ROUTE_EMBEDDINGS) {
            /* some count a total only: all of it is input */
            ctx->tokens.prompt_tokens += ctx->tokens.completion_tokens;
            ctx->tokens.completion_tokens = 0;
        }

        return ctx->complete ? AIGW_SETTLED_EXACT : AIGW_SETTLED_PARTIAL;
    }

    if (ctx->metered && ctx->scan.meter.error
        && ctx->scan.meter.text_bytes == 0)
    {
        ctx->verdict = AIGW_VERDICT_UPSTREAM_ERROR;
        return AIGW_SETTLED_VOID;
    }

    ngx_ai_gateway_guess(ctx);

    return AIGW_SETTLED_ESTIMATED;
}


static aigw_settled_t
ngx_ai_gateway_settle(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    uint8_t attempts)
{
    if (ctx->passed && !r->cached) {
        return ngx_ai_gateway_settle_answer(ctx);
    }

    if (!r->header_sent && !r->cached) {
        /* the client left while the upstream was at work on it, or was still
           being connected to */
        ctx->verdict = AIGW_VERDICT_CLIENT_CLOSED;

        if (attempts == 1 && !r->upstream->request_sent) {
            return AIGW_SETTLED_VOID;
        }

        ngx_ai_gateway_guess(ctx);
        return AIGW_SETTLED_ESTIMATED;
    }

    return AIGW_SETTLED_VOID;
}


static uint16_t
ngx_ai_gateway_row_flags(ngx_ai_gateway_ctx_t *ctx)
{
    uint16_t             flags;
    aigw_usage_meter_t  *meter;

    flags = ctx->stream ? AIGW_ROW_STREAM : 0;

    if (ctx->limit >= 0) {
        flags |= AIGW_ROW_CLAMPED;
    }

    if (ctx->cost_nano > ctx->hold_nano) {
        flags |= AIGW_ROW_OVER_HOLD;
    }

    if (ctx->encoded) {
        flags |= AIGW_ROW_MALFORMED;
    }

    if (!ctx->metered) {
        return flags;
    }

    meter = &ctx->scan.meter;

    if (meter->flags & AIGW_USAGE_BAD) {
        flags |= AIGW_ROW_BAD_USAGE;
    }

    if (meter->flags & AIGW_USAGE_INCONSISTENT) {
        flags |= AIGW_ROW_INCONSISTENT;
    }

    if (meter->malformed) {
        flags |= AIGW_ROW_MALFORMED;
    }

    if (!ctx->complete || (meter->kind == AIGW_USAGE_SSE && !meter->done)) {
        flags |= AIGW_ROW_INCOMPLETE;
    }

    return flags;
}


/* The tag that the caller gave, without what could break a line of a log. */
static void
ngx_ai_gateway_copy_tag(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    char *tag)
{
    size_t            i, len;
    u_char            c;
    ngx_table_elt_t  *h;

    static const ngx_str_t  names[] = {
        ngx_string("x-aigw-tag"),
        ngx_null_string
    };

    h = (ctx->has & NGX_AI_GATEWAY_HAS_TAG)
        ? ngx_ai_gateway_find_header(r, names, NULL) : NULL;

    if (h == NULL) {
        return;
    }

    len = ngx_min(h->value.len, AIGW_TAG_MAX);

    for (i = 0; i < len; i++) {
        c = h->value.data[i];
        tag[i] = (c > ' ' && c < 0x7f) ? (char) c : '_';
    }
}


void
ngx_ai_gateway_fill_row(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_row_t *row)
{
    ngx_memzero(row, sizeof(aigw_row_t));

    ngx_memcpy(row->id, ctx->id, AIGW_ROW_ID_LEN);

    if (ctx->key_known) {
        row->key_id = ctx->account[0].id;
        row->project_id = ctx->account[1].id;
        row->user_id = ctx->account[2].id;
    }

    row->time_ms = ctx->time_ms;
    row->settled_ms = ngx_ai_gateway_now_ms();
    row->duration_ms = (uint32_t) ngx_max(row->settled_ms - row->time_ms, 0);
    row->ttft_ms = ctx->first_byte_ms > row->time_ms
                   ? (uint32_t) (ctx->first_byte_ms - row->time_ms) : 0;
    row->status = r->header_sent ? (uint16_t) r->headers_out.status : 0;
    row->route = ctx->route;
    row->verdict = ctx->verdict;
    row->settled = ctx->settled;
    row->flags = ngx_ai_gateway_row_flags(ctx);
    row->tokens = ctx->tokens;
    row->price_version = ctx->price.version;
    row->hold_nano = ctx->hold_nano;
    row->cost_nano = ctx->cost_nano;

    ngx_memcpy(row->model, ctx->model, ngx_strlen(ctx->model));
    ngx_ai_gateway_copy_tag(r, ctx, row->tag);
}


static void
ngx_ai_gateway_append(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    uint8_t attempts)
{
    aigw_row_t  row;
    aigw_err_t  err;

    ngx_ai_gateway_fill_row(r, ctx, &row);
    row.attempts = attempts;

    if (!ctx->in_flight) {
        err = aigw_journal_append(ngx_ai_gateway_journal(), &row);

    } else if (ctx->generation == ngx_ai_gateway_generation()) {
        ctx->in_flight = 0;
        err = aigw_flight_end(ngx_ai_gateway_live(), ngx_ai_gateway_journal(),
                              ctx->flight, &row);

    } else {
        /* it is settled with the store that was here before */
        return;
    }

    if (err != AIGW_OK) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "ai_gateway: row %s is lost: %s", ctx->id_text,
                      aigw_strerror(err));
    }
}


/* Whose refusals are counted together where no key is known. */
static uint64_t
ngx_ai_gateway_who(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    if (ctx->key_known) {
        return ctx->account[0].id;
    }

    return ((uint64_t) 1 << 63)
           | ngx_crc32_short(r->connection->addr_text.data,
                             r->connection->addr_text.len);
}


/* Never sent upstream. So many of them get a row, the rest are counted. */
static AIGW_COLD void
ngx_ai_gateway_end_refused(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    if (ctx->verdict == AIGW_VERDICT_OK) {
        ctx->verdict = AIGW_VERDICT_CLIENT_CLOSED;
    }

    if (ctx->in_flight
        || aigw_live_may_log_refusal(ngx_ai_gateway_live(),
                                     ngx_ai_gateway_who(r, ctx),
                                     ngx_ai_gateway_now_ms()))
    {
        ngx_ai_gateway_append(r, ctx, 0);
    }
}


void
ngx_ai_gateway_end(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    uint8_t             attempts;
    aigw_err_t          err;
    aigw_usage_piece_t  piece;

    if (ctx->ended) {
        return;
    }

    ctx->ended = 1;

    ngx_ai_gateway_finish_metering(ctx, &piece);

    /* unknown paths and what is answered here have no row (design, 2) */

    if (ngx_ai_gateway_journal() == NULL || !ctx->url_known
        || ctx->verdict == AIGW_VERDICT_METHOD
        || ctx->verdict == AIGW_VERDICT_MODEL_UNKNOWN
        || (!ngx_ai_gateway_is_metered(ctx)
            && ctx->verdict == AIGW_VERDICT_OK))
    {
        return;
    }

    attempts = ngx_ai_gateway_attempts(r);

    if (attempts == 0 && !r->cached) {
        ngx_ai_gateway_end_refused(r, ctx);
        return;
    }

    ctx->settled = ngx_ai_gateway_settle(r, ctx, attempts);

    if (ctx->settled != AIGW_SETTLED_VOID) {
        err = aigw_price_cost(&ctx->price, &ctx->tokens, &ctx->cost_nano);

        if (err != AIGW_OK) {
            /* tokens and prices are bounded where they come in */
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "ai_gateway: no cost for row %s: %s", ctx->id_text,
                          aigw_strerror(err));
            ctx->settled = AIGW_SETTLED_UNKNOWN;
        }

        if (ctx->settled == AIGW_SETTLED_ESTIMATED && ctx->in_flight) {
            /* nobody knows better: what was set aside is the most */
            ctx->cost_nano = ngx_min(ctx->cost_nano, ctx->hold_nano);
        }
    }

    ngx_ai_gateway_append(r, ctx, attempts);
}


ngx_int_t
ngx_ai_gateway_log_handler(ngx_http_request_t *r)
{
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = (r == r->main) ? ngx_ai_gateway_get_ctx(r) : NULL;

    if (ctx != NULL && !ctx->ended) {
        ngx_ai_gateway_meter_rest(r, ctx);
        ngx_ai_gateway_end(r, ctx);
    }

    return NGX_OK;
}
