/*
 * Reads the request body, scans it where it lies (buffers or temporary file,
 * never flattened), and splices in what an upstream must be asked for. A file
 * is scanned in pieces between which the event loop goes round.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_READ_BYTES    65536
#define NGX_AI_GATEWAY_READ_PIECES   4      /* reads per turn: 256 KiB */


static void ngx_ai_gateway_body_handler(ngx_http_request_t *r);
static void ngx_ai_gateway_scan_event(ngx_event_t *ev);


/* Scratch of the worker: its contents matter only within one call. */
static u_char  ngx_ai_gateway_scratch[NGX_AI_GATEWAY_READ_BYTES];


ngx_int_t
ngx_ai_gateway_read_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->state = NGX_AI_GATEWAY_BODY;
    aigw_request_init(&ctx->scan.request);

    rc = ngx_http_read_client_request_body(r, ngx_ai_gateway_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->state = NGX_AI_GATEWAY_ANSWERED;
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}


static ngx_int_t
ngx_ai_gateway_feed(ngx_ai_gateway_ctx_t *ctx, u_char *data, size_t len)
{
    ctx->body_bytes += len;

    return aigw_request_feed(&ctx->scan.request, data, len) == AIGW_OK
           ? NGX_OK : NGX_DECLINED;
}


/* Some pieces of the temporary file. NGX_AGAIN: there is more of it. */
static ngx_int_t
ngx_ai_gateway_scan_file(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b)
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

        if (ngx_ai_gateway_feed(ctx, ngx_ai_gateway_scratch, n) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_AGAIN;
}


/* NGX_OK: scanned. NGX_DECLINED: refuse. NGX_AGAIN: goes on next turn. */
static ngx_int_t
ngx_ai_gateway_scan(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (ngx_buf_in_memory(cl->buf)) {
            rc = ngx_ai_gateway_feed(ctx, cl->buf->pos,
                                     cl->buf->last - cl->buf->pos);

        } else if (cl->buf->in_file) {
            /* nginx keeps a body in one file or in memory, never in both */
            rc = ngx_ai_gateway_scan_file(ctx, cl->buf);

        } else {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return aigw_request_finish(&ctx->scan.request) == AIGW_OK
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_ai_gateway_scan_step(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    aigw_request_t  *req;

    req = &ctx->scan.request;

    switch (ngx_ai_gateway_scan(r, ctx)) {

    case NGX_OK:
        ngx_memcpy(ctx->model, req->model, req->model_len);
        ctx->model[req->model_len] = '\0';

        if (ctx->route != AIGW_ROUTE_EMBEDDINGS) {
            ctx->stream = req->stream;
            ctx->hide_usage = req->stream && !req->include_usage;
        }

        ctx->state = NGX_AI_GATEWAY_SCANNED;

        ngx_http_core_run_phases(r);
        return;

    case NGX_DECLINED:
        (void) ngx_ai_gateway_refuse(r, ctx, req->verdict, req->param, NULL);
        return;

    case NGX_AGAIN:
        ctx->scan_event.handler = ngx_ai_gateway_scan_event;
        ctx->scan_event.data = ctx;
        ctx->scan_event.log = r->connection->log;

        ngx_post_event(&ctx->scan_event, &ngx_posted_next_events);
        return;

    default:
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
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

    ngx_ai_gateway_scan_step(r, ctx);

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


/* Overwrites len bytes by spaces, from byte k of cl's buffer on. */
static ngx_int_t
ngx_ai_gateway_blank(ngx_chain_t *cl, off_t k, size_t len)
{
    size_t      n;
    ngx_buf_t  *b;

    for ( /* void */ ; len && cl; cl = cl->next, k = 0) {
        b = cl->buf;
        n = (size_t) ngx_min(ngx_buf_size(b) - k, (off_t) len);

        if (ngx_buf_in_memory(b)) {
            ngx_memset(b->pos + k, ' ', n);

        } else {
            ngx_memset(ngx_ai_gateway_scratch, ' ', n);

            if (ngx_write_file(b->file, ngx_ai_gateway_scratch, n,
                               b->file_pos + k)
                != (ssize_t) n)
            {
                return NGX_ERROR;
            }
        }

        len -= n;
    }

    return len ? NGX_ERROR : NGX_OK;
}


/*
 * Puts text between the first k bytes of cl's buffer and the rest. When nginx
 * tries another upstream it sets every buffer's pos to its start and lines
 * file pieces up from 0: so start must equal pos, and pieces be contiguous.
 */
static ngx_int_t
ngx_ai_gateway_insert(ngx_http_request_t *r, ngx_chain_t *cl, off_t k,
    const aigw_str_t *text)
{
    ngx_buf_t    *before, *middle, *after;
    ngx_chain_t  *ml, *al;

    before = ngx_alloc_buf(r->pool);
    middle = ngx_calloc_buf(r->pool);
    after = ngx_alloc_buf(r->pool);
    ml = ngx_alloc_chain_link(r->pool);
    al = ngx_alloc_chain_link(r->pool);

    if (before == NULL || middle == NULL || after == NULL || ml == NULL
        || al == NULL)
    {
        return NGX_ERROR;
    }

    *before = *cl->buf;
    *after = *cl->buf;

    before->last_buf = 0;
    before->last_in_chain = 0;

    if (ngx_buf_in_memory(before)) {
        before->start = before->pos;
        before->last = before->pos + k;
        before->end = before->last;

        after->pos += k;
        after->start = after->pos;

    } else {
        before->file_last = before->file_pos + k;
        after->file_pos += k;
    }

    middle->start = (u_char *) text->data;
    middle->pos = middle->start;
    middle->last = middle->start + text->len;
    middle->end = middle->last;
    middle->memory = 1;

    al->buf = after;
    al->next = cl->next;
    ml->buf = middle;
    ml->next = al;
    cl->buf = before;
    cl->next = ml;

    return NGX_OK;
}


static ngx_int_t
ngx_ai_gateway_splice(ngx_http_request_t *r, off_t offset,
    const aigw_request_splice_t *splice)
{
    off_t         len;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        len = ngx_buf_size(cl->buf);

        if (offset < len) {

            if (ngx_ai_gateway_blank(cl, offset, splice->blank) != NGX_OK) {
                return NGX_ERROR;
            }

            r->headers_in.content_length_n += splice->text.len;

            return ngx_ai_gateway_insert(r, cl, offset, &splice->text);
        }

        offset -= len;
    }

    return NGX_ERROR;
}


/* The model's name as a JSON string. */
static ngx_int_t
ngx_ai_gateway_quote_model(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_str_t *text)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(ctx->model);

    p = ngx_pnalloc(r->pool, len * 6 + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = (char *) p;

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, (u_char *) ctx->model, len);
    *p++ = '"';

    text->len = p - (u_char *) text->data;

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_splice_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    off_t                   offset, shift;
    unsigned                i, n;
    aigw_str_t              text;
    aigw_request_splice_t   splice[AIGW_REQUEST_SPLICES + 1], swap;

    n = (ctx->route == AIGW_ROUTE_EMBEDDINGS)
        ? 0 : aigw_request_splices(&ctx->scan.request, splice);

    if (ctx->alias) {

        if (ngx_ai_gateway_quote_model(r, ctx, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        aigw_request_model_splice(&ctx->scan.request, text, &splice[n]);

        if (n && splice[n].offset < splice[0].offset) {
            swap = splice[0];
            splice[0] = splice[n];
            splice[n] = swap;
        }

        n++;
    }

    shift = 0;

    for (i = 0; i < n; i++) {
        offset = (off_t) splice[i].offset + shift;

        if (ngx_ai_gateway_splice(r, offset, &splice[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        shift += splice[i].text.len;
    }

    return NGX_OK;
}
