/*
 * The answer on its way to the client, metered while it flows and never
 * delayed. The usage chunk that the client did not ask for is taken out of the
 * upstream's own buffer; re-pointed buffers would corrupt slow clients.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_HOLD_SMALL  1024


static ngx_http_output_body_filter_pt  ngx_http_next_body_filter;


void
ngx_ai_gateway_finish_metering(ngx_ai_gateway_ctx_t *ctx)
{
    aigw_usage_piece_t  piece;

    if (ctx->metered && !ctx->meter_done) {
        ctx->meter_done = 1;
        aigw_usage_finish(&ctx->scan.meter, &piece);
    }
}


static ngx_int_t
ngx_ai_gateway_replace_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_uint_t    last;
    ngx_chain_t  *cl, out;

    last = 0;

    for (cl = in; cl; cl = cl->next) {
        last |= cl->buf->last_buf;

        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (ctx->replaced && !last) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (!ctx->replaced) {
        ctx->replaced = 1;

        b->pos = ctx->error_body.data;
        b->last = b->pos + ctx->error_body.len;
        b->memory = 1;
        b->flush = 1;
    }

    b->last_buf = last;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


/* Appends a link to the chain that leaves. */
static ngx_chain_t **
ngx_ai_gateway_link(ngx_http_request_t *r, ngx_chain_t **ll, ngx_buf_t *b)
{
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;
    *ll = cl;

    return &cl->next;
}


/* A buffer of ours that holds a copy of what was held, reused once sent. */
static ngx_chain_t **
ngx_ai_gateway_release(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t **ll)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(r->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if ((size_t) (b->end - b->start) < ctx->hold_bytes) {
        size = ctx->hold_bytes <= NGX_AI_GATEWAY_HOLD_SMALL
               ? NGX_AI_GATEWAY_HOLD_SMALL : AIGW_USAGE_HOLD_MAX;

        b->start = ngx_palloc(r->pool, size);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + size;
    }

    b->pos = b->start;
    b->last = ngx_cpymem(b->pos, ctx->hold, ctx->hold_bytes);
    b->tag = (ngx_buf_tag_t) &ngx_ai_gateway_module;
    b->temporary = 1;
    b->flush = 1;

    ctx->hold_bytes = 0;
    *ll = cl;

    return &cl->next;
}


static ngx_int_t
ngx_ai_gateway_hold(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    u_char *data, size_t len)
{
    if (ctx->hold == NULL) {
        ctx->hold = ngx_palloc(r->pool, AIGW_USAGE_HOLD_MAX);
        if (ctx->hold == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_memcpy(ctx->hold + ctx->hold_bytes, data, len);
    ctx->hold_bytes += len;

    return NGX_OK;
}


/* What the meter says about held bytes, then about those of b. */
static ngx_chain_t **
ngx_ai_gateway_apply(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t **ll, ngx_buf_t *b, const aigw_usage_piece_t *piece)
{
    if (piece->release && ctx->hold_bytes) {
        ll = ngx_ai_gateway_release(r, ctx, ll);
        if (ll == NULL) {
            return NULL;
        }
    }

    if (piece->drop) {
        ctx->hold_bytes = 0;
    }

    if (b != NULL) {

        if (piece->hold
            && ngx_ai_gateway_hold(r, ctx, b->last - piece->hold, piece->hold)
               != NGX_OK)
        {
            return NULL;
        }

        b->last = b->pos + piece->keep;
    }

    return ll;
}


/* Meters one buffer and links what of it may leave. */
static ngx_chain_t **
ngx_ai_gateway_strip(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t **ll, ngx_buf_t *b)
{
    ngx_buf_t           *special;
    aigw_usage_piece_t   piece;

    if (ngx_buf_in_memory(b) && b->last > b->pos) {
        aigw_usage_feed(&ctx->scan.meter, b->pos, b->last - b->pos, &piece);

        ll = ngx_ai_gateway_apply(r, ctx, ll, b, &piece);
        if (ll == NULL) {
            return NULL;
        }
    }

    if ((b->last_buf || ctx->upstream_done) && !ctx->meter_done) {
        ctx->meter_done = 1;
        aigw_usage_finish(&ctx->scan.meter, &piece);

        /* behind what is left of b, if anything is */

        if (b->last > b->pos && piece.release && ctx->hold_bytes) {
            ll = ngx_ai_gateway_link(r, ll, b);
            if (ll == NULL) {
                return NULL;
            }

            special = ngx_calloc_buf(r->pool);
            if (special == NULL) {
                return NULL;
            }

            special->last_buf = b->last_buf;
            special->flush = 1;
            b->last_buf = 0;
            b = special;
        }

        ll = ngx_ai_gateway_apply(r, ctx, ll, NULL, &piece);
        if (ll == NULL) {
            return NULL;
        }
    }

    if (!ngx_buf_in_memory(b) || b->last > b->pos) {
        return ngx_ai_gateway_link(r, ll, b);
    }

    if (!b->last_buf && !b->flush && !b->sync) {
        return ll;
    }

    /* emptied, but what it marks must go on */

    special = ngx_calloc_buf(r->pool);
    if (special == NULL) {
        return NULL;
    }

    special->last_buf = b->last_buf;
    special->last_in_chain = b->last_in_chain;
    special->flush = b->flush;
    special->sync = b->sync;

    return ngx_ai_gateway_link(r, ll, special);
}


static ngx_int_t
ngx_ai_gateway_hide(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl, *out, **ll;

    out = NULL;
    ll = &out;

    for (cl = in; cl; cl = cl->next) {
        ll = ngx_ai_gateway_strip(r, ctx, ll, cl->buf);
        if (ll == NULL) {
            return NGX_ERROR;
        }
    }

    if (in != NULL && out == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_next_body_filter(r, out);

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_ai_gateway_module);

    return rc;
}


static ngx_int_t
ngx_ai_gateway_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t           *cl;
    aigw_usage_piece_t     piece;
    ngx_ai_gateway_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_ai_gateway_get_ctx(r);

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->error_body.len) {
        return in ? ngx_ai_gateway_replace_body(r, ctx, in)
                  : ngx_http_next_body_filter(r, in);
    }

    if (!ctx->metered) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->first_byte_ms == 0) {
        ctx->first_byte_ms = ngx_ai_gateway_now_ms();
    }

    if (ctx->hide_usage) {
        return ngx_ai_gateway_hide(r, ctx, in);
    }

    for (cl = in; cl; cl = cl->next) {

        if (ngx_buf_in_memory(cl->buf) && cl->buf->last > cl->buf->pos) {
            aigw_usage_feed(&ctx->scan.meter, cl->buf->pos,
                            cl->buf->last - cl->buf->pos, &piece);
        }

        if (cl->buf->last_buf) {
            ngx_ai_gateway_finish_metering(ctx);
        }
    }

    return ngx_http_next_body_filter(r, in);
}


ngx_int_t
ngx_ai_gateway_init_body_filter(ngx_conf_t *cf)
{
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_ai_gateway_body_filter;

    return NGX_OK;
}
