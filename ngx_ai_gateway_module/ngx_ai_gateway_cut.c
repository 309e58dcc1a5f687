/*
 * A stream that is ended by us in its middle: one error event in the dialect of
 * its API, then its proper end. Only between events, and only once.
 */

#include "ngx_ai_gateway.h"


/*
 * A stream that has delivered so many bytes of JSON text for each token held
 * is run past its limit. Tokens of ordinary text have four or five; Chinese in
 * escapes has nine.
 */
#define NGX_AI_GATEWAY_CUT_BYTES    16


/* Sends the event that ends a stream early. nginx finds it at its end then, and
   closes it as it does others; what still comes is dropped. */
static AIGW_COLD ngx_int_t
ngx_ai_gateway_send_cut(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_str_t     body, message;
    ngx_chain_t   out;

    ngx_str_set(&message, "The upstream goes on beyond this call's output"
                " limit, which is all that was set aside for it.");

    if (ngx_ai_gateway_error_body(r, AIGW_VERDICT_QUOTA_SPENT, NULL, &message,
                                  &body)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b = ngx_create_temp_buf(r->pool, sizeof("data: \n") - 1 + body.len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "data: %V\n", &body);
    b->flush = 1;

    ctx->verdict = AIGW_VERDICT_QUOTA_SPENT;

    ctx->cut = 1;
    r->upstream->length = 0;
    r->upstream->keepalive = 0;

    ngx_ai_gateway_end(r, ctx);

    out.buf = b;
    out.next = NULL;

    return ngx_ai_gateway_next_body(r, &out);
}


/* Has it said more than was set aside for it, out of something that ends? */
static ngx_uint_t
ngx_ai_gateway_is_over(ngx_ai_gateway_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (!ctx->in_flight || ctx->hold_nano == 0
        || ctx->scan.meter.text_bytes / NGX_AI_GATEWAY_CUT_BYTES
           <= (uint64_t) ctx->hold_tokens)
    {
        return 0;
    }

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {

        if (ctx->account[i].limit_nano != AIGW_UNLIMITED) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_ai_gateway_cut(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_int_t rc)
{
    if (rc == NGX_ERROR || r->upstream == NULL || ctx->client_gone
        || ctx->scan.meter.kind != AIGW_USAGE_SSE
        || !ngx_ai_gateway_is_over(ctx)
        || aigw_sse_pending(&ctx->scan.meter.sse))
    {
        return rc;
    }

    return ngx_ai_gateway_send_cut(r, ctx);
}


ngx_int_t
ngx_ai_gateway_drop(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_uint_t    last;
    ngx_chain_t   out;

    last = ngx_ai_gateway_has_last(in);
    (void) ngx_ai_gateway_consume(in);

    if (r->upstream != NULL) {
        r->upstream->length = 0;
    }

    if (!last) {
        return in == NULL ? ngx_ai_gateway_next_body(r, NULL) : NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_ai_gateway_next_body(r, &out);
}
