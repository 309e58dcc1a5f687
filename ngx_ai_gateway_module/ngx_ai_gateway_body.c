/*
 * Reads the request body and goes over it where it lies (buffers or temporary
 * file, never flattened): the scan, and where it is needed the estimate. A file
 * is read in pieces between which the event loop goes round.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_READ_BYTES    65536
#define NGX_AI_GATEWAY_READ_PIECES   4      /* reads per turn: 256 KiB */


typedef ngx_int_t (*ngx_ai_gateway_feed_pt)(ngx_ai_gateway_ctx_t *ctx,
    u_char *data, size_t len);


static void ngx_ai_gateway_body_handler(ngx_http_request_t *r);
static void ngx_ai_gateway_scan_event(ngx_event_t *ev);
static void ngx_ai_gateway_estimate_step(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);


/* Scratch of the worker: its contents matter only within one call. */
static u_char  ngx_ai_gateway_scratch[NGX_AI_GATEWAY_READ_BYTES];


static aigw_request_kind_t
ngx_ai_gateway_kind(ngx_ai_gateway_ctx_t *ctx)
{
    return ctx->route == AIGW_ROUTE_CHAT ? AIGW_REQUEST_CHAT
           : ctx->route == AIGW_ROUTE_COMPLETIONS ? AIGW_REQUEST_COMPLETIONS
           : AIGW_REQUEST_EMBEDDINGS;
}


ngx_int_t
ngx_ai_gateway_read_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    const aigw_access_t *access)
{
    ngx_int_t  rc;

    ctx->state = NGX_AI_GATEWAY_BODY;
    aigw_request_init(&ctx->scan.request, ngx_ai_gateway_kind(ctx),
                      ctx->strict);

    ctx->access = access;
    rc = ngx_http_read_client_request_body(r, ngx_ai_gateway_body_handler);
    ctx->access = NULL;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->state = NGX_AI_GATEWAY_ANSWERED;
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}


static ngx_int_t
ngx_ai_gateway_feed_scan(ngx_ai_gateway_ctx_t *ctx, u_char *data, size_t len)
{
    ctx->body_bytes += len;

    return aigw_request_feed(&ctx->scan.request, data, len) == AIGW_OK
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_ai_gateway_feed_estimate(ngx_ai_gateway_ctx_t *ctx, u_char *data,
    size_t len)
{
    aigw_estimate_feed(&ctx->text, data, len);

    return NGX_OK;
}


/* Some pieces of the temporary file. NGX_AGAIN: there is more of it. */
static ngx_int_t
ngx_ai_gateway_feed_file(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b,
    ngx_ai_gateway_feed_pt feed)
{
    off_t       left;
    ssize_t     n;
    ngx_uint_t  i;

    for (i = 0; i < NGX_AI_GATEWAY_READ_PIECES; i++) {

        left = b->file_last - b->file_pos - ctx->scan_offset;

        if (left <= 0) {
            return NGX_OK;
        }

        n = ngx_read_file(b->file, ngx_ai_gateway_scratch,
                          (size_t) ngx_min(left, NGX_AI_GATEWAY_READ_BYTES),
                          b->file_pos + ctx->scan_offset);

        if (n <= 0) {
            return NGX_ERROR;
        }

        ctx->scan_offset += n;

        if (feed(ctx, ngx_ai_gateway_scratch, n) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_AGAIN;
}


/* NGX_OK: all of it. NGX_DECLINED: feed's. NGX_AGAIN: goes on next turn. */
static ngx_int_t
ngx_ai_gateway_feed_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_ai_gateway_feed_pt feed)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (ngx_buf_in_memory(cl->buf)) {
            rc = feed(ctx, cl->buf->pos, cl->buf->last - cl->buf->pos);

        } else if (cl->buf->in_file) {
            /* nginx keeps a body in one file or in memory, never in both */
            rc = ngx_ai_gateway_feed_file(ctx, cl->buf, feed);

        } else {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static void
ngx_ai_gateway_post_next(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    if (!ctx->in_turns) {
        ctx->in_turns = 1;
        ngx_memzero(&ctx->scan_event, sizeof(ngx_event_t));
    }

    ctx->scan_event.handler = ngx_ai_gateway_scan_event;
    ctx->scan_event.data = ctx;
    ctx->scan_event.log = r->connection->log;

    ngx_post_event(&ctx->scan_event, &ngx_posted_next_events);
}


/* The body has been scanned to its end. */
static void
ngx_ai_gateway_scanned(ngx_ai_gateway_ctx_t *ctx)
{
    aigw_request_t  *req;

    req = &ctx->scan.request;

    ngx_memcpy(ctx->model, req->model, req->model_len);
    ctx->model[req->model_len] = '\0';

    ctx->own_limit = aigw_request_limit(req);
    ctx->outputs = ngx_max(ngx_max(req->n, req->best_of), 1);

    if (ctx->route == AIGW_ROUTE_COMPLETIONS) {
        ctx->outputs *= aigw_request_prompts(req);
    }

    if (ctx->route != AIGW_ROUTE_EMBEDDINGS) {
        ctx->stream = req->stream;
        ctx->hide_usage = req->stream && !req->include_usage;
    }

    ctx->state = NGX_AI_GATEWAY_SCANNED;
}


static void
ngx_ai_gateway_scan_step(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t        rc;
    aigw_request_t  *req;

    req = &ctx->scan.request;
    rc = ngx_ai_gateway_feed_body(r, ctx, ngx_ai_gateway_feed_scan);

    if (rc == NGX_OK && aigw_request_finish(req) != AIGW_OK) {
        rc = NGX_DECLINED;
    }

    switch (rc) {

    case NGX_OK:
        ngx_ai_gateway_scanned(ctx);
        ngx_http_core_run_phases(r);
        return;

    case NGX_DECLINED:
        (void) ngx_ai_gateway_refuse(r, ctx, req->verdict, req->param, NULL);
        return;

    case NGX_AGAIN:
        ngx_ai_gateway_post_next(r, ctx);
        return;

    default:
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
}


static ngx_int_t
ngx_ai_gateway_estimate(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_ai_gateway_feed_body(r, ctx, ngx_ai_gateway_feed_estimate);

    if (rc == NGX_OK) {
        ctx->estimate = ngx_max(aigw_estimate_tokens(&ctx->text), 1);
        ctx->estimated = 1;
        ctx->state = NGX_AI_GATEWAY_SCANNED;
    }

    return rc;
}


static void
ngx_ai_gateway_estimate_step(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    switch (ngx_ai_gateway_estimate(r, ctx)) {

    case NGX_OK:
        ngx_http_core_run_phases(r);
        return;

    case NGX_AGAIN:
        ngx_ai_gateway_post_next(r, ctx);
        return;

    default:
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
}


ngx_int_t
ngx_ai_gateway_estimate_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->state = NGX_AI_GATEWAY_ESTIMATING;
    ctx->scan_offset = 0;
    aigw_estimate_init(&ctx->text);

    rc = ngx_ai_gateway_estimate(r, ctx);

    if (rc == NGX_OK) {
        return ngx_ai_gateway_hold(r, ctx);
    }

    if (rc == NGX_AGAIN) {
        ngx_ai_gateway_post_next(r, ctx);
        return NGX_AGAIN;
    }

    return NGX_ERROR;
}


static void
ngx_ai_gateway_scan_event(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ctx->state == NGX_AI_GATEWAY_ESTIMATING) {
        ngx_ai_gateway_estimate_step(r, ctx);

    } else {
        ngx_ai_gateway_scan_step(r, ctx);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_ai_gateway_body_handler(ngx_http_request_t *r)
{
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_get_ctx(r);

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_ai_gateway_scan_step(r, ctx);
}
