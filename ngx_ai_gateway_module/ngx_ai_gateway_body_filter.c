/*
 * The answer on its way to the client, metered while it flows and never
 * delayed. The usage chunk that the client did not ask for is taken out of the
 * upstream's own buffer; re-pointed buffers would corrupt slow clients.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_HOLD_SMALL  1024


static ngx_http_output_body_filter_pt  ngx_http_next_body_filter;


void
ngx_ai_gateway_finish_metering(ngx_ai_gateway_ctx_t *ctx,
    aigw_usage_piece_t *piece)
{
    if (ctx->metered && !ctx->meter_done) {
        ctx->meter_done = 1;
        aigw_usage_finish(&ctx->scan.meter, piece);

    } else {
        ngx_memzero(piece, sizeof(aigw_usage_piece_t));
    }
}


/* Into the table of what is in flight, before the bytes are passed on: should
   this worker die, somebody else settles by it. Not if it ends at once. */
static void
ngx_ai_gateway_record(ngx_ai_gateway_ctx_t *ctx)
{
    aigw_usage_meter_t  *meter;

    meter = &ctx->scan.meter;

    if (ctx->in_flight && ctx->generation == ngx_ai_gateway_generation()) {
        aigw_flight_update(ngx_ai_gateway_journal(), ctx->flight,
                           meter->seen && !(meter->flags & AIGW_USAGE_BAD)
                           ? &meter->tokens : NULL,
                           meter->text_bytes);
    }
}


ngx_uint_t
ngx_ai_gateway_has_last(ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {

        if (in->buf->last_buf) {
            return 1;
        }
    }

    return 0;
}


static AIGW_COLD ngx_int_t
ngx_ai_gateway_replace_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_uint_t    last;
    ngx_chain_t   out;

    last = ngx_ai_gateway_has_last(in);
    (void) ngx_ai_gateway_consume(in);

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
ngx_ai_gateway_keep(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
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
            && ngx_ai_gateway_keep(r, ctx, b->last - piece->hold, piece->hold)
               != NGX_OK)
        {
            return NULL;
        }

        b->last = b->pos + piece->keep;
    }

    return ll;
}


/* A buffer without bytes that marks what b marks; b marks it no more. */
static ngx_buf_t *
ngx_ai_gateway_take_marks(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_buf_t  *special;

    special = ngx_calloc_buf(r->pool);
    if (special == NULL) {
        return NULL;
    }

    special->last_buf = b->last_buf;
    special->last_in_chain = b->last_in_chain;
    special->flush = b->flush;
    special->sync = b->sync;

    b->last_buf = 0;
    b->last_in_chain = 0;

    return special;
}


/* Meters one buffer and links what of it may leave. */
static ngx_chain_t **
ngx_ai_gateway_strip(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t **ll, ngx_buf_t *b)
{
    ngx_buf_t           *marks;
    aigw_usage_piece_t   piece;

    if (ngx_buf_in_memory(b)) {

        if (b->last > b->pos) {
            aigw_usage_feed(&ctx->scan.meter, b->pos, b->last - b->pos,
                            &piece);

            ll = ngx_ai_gateway_apply(r, ctx, ll, b, &piece);
            if (ll == NULL) {
                return NULL;
            }
        }

        if (b->last > b->pos && !b->last_buf) {
            return ngx_ai_gateway_link(r, ll, b);
        }

        if (!b->last_buf && !b->flush && !b->sync) {
            return ll;
        }

        /* emptied, or the last: what it marks leaves behind what is held */

        marks = ngx_ai_gateway_take_marks(r, b);
        if (marks == NULL) {
            return NULL;
        }

        if (b->last > b->pos) {
            ll = ngx_ai_gateway_link(r, ll, b);
            if (ll == NULL) {
                return NULL;
            }
        }

        b = marks;
    }

    if (b->last_buf || ctx->upstream_done) {
        ngx_ai_gateway_finish_metering(ctx, &piece);

        ll = ngx_ai_gateway_apply(r, ctx, ll, NULL, &piece);
        if (ll == NULL) {
            return NULL;
        }
    }

    return ngx_ai_gateway_link(r, ll, b);
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

    if (ngx_ai_gateway_has_last(out)) {
        ngx_ai_gateway_end(r, ctx);

    } else {
        ngx_ai_gateway_record(ctx);
    }

    rc = ngx_ai_gateway_pass(r, ctx, out);

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_ai_gateway_module);

    return rc;
}


static void
ngx_ai_gateway_meter(ngx_ai_gateway_ctx_t *ctx, ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        ngx_ai_gateway_meter_buf(ctx, in->buf);
    }
}


static ngx_int_t
ngx_ai_gateway_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_uint_t             last;
    ngx_chain_t           *cl;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = (r == r->main) ? ngx_ai_gateway_get_ctx(r) : NULL;

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->cut) {
        return ngx_ai_gateway_drop(r, in);
    }

    last = ngx_ai_gateway_has_last(in);

    if (ctx->metered) {

        if (ctx->first_byte_ms == 0) {
            ctx->first_byte_ms = ngx_ai_gateway_now_ms();
        }

        if (ctx->hide_usage) {
            return ngx_ai_gateway_cut(r, ctx, ngx_ai_gateway_hide(r, ctx, in));
        }

        ngx_ai_gateway_meter(ctx, in);

        if (!last) {
            ngx_ai_gateway_record(ctx);
        }
    }

    /* before the last bytes leave, and not in the log phase, which a lingering
       close puts off by seconds */

    if (last) {
        ngx_ai_gateway_end(r, ctx);
    }

    if (ctx->masked) {

        for (cl = in; cl; cl = cl->next) {

            if (ngx_buf_in_memory(cl->buf)) {
                ngx_ai_gateway_mask(ctx, cl->buf);
            }
        }
    }

    if (ctx->error_body.len && in != NULL) {
        return ngx_ai_gateway_replace_body(r, ctx, in);
    }

    if (!ctx->metered) {
        return ngx_http_next_body_filter(r, in);
    }

    return ngx_ai_gateway_cut(r, ctx, ngx_ai_gateway_pass(r, ctx, in));
}


ngx_int_t
ngx_ai_gateway_next_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    return ngx_http_next_body_filter(r, in);
}


ngx_int_t
ngx_ai_gateway_init_body_filter(ngx_conf_t *cf)
{
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_ai_gateway_body_filter;

    return NGX_OK;
}
