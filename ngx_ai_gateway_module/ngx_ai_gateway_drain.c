/*
 * A client that leaves: its project says whether the upstream is read on for
 * the usage at the end of its answer. Nothing here may end an upstream that is
 * read on, or wait for one who is not there any more.
 */

#include "ngx_ai_gateway.h"


/* How far a stream is read on for its usage when the client has gone. */
#define NGX_AI_GATEWAY_DRAIN_MS     60000
#define NGX_AI_GATEWAY_DRAIN_BYTES  (4 * 1024 * 1024)

/* How much of an answer in a temporary file is read for it at once: others wait
   meanwhile, for a millisecond or so. What is longer is estimated. */
#define NGX_AI_GATEWAY_REST_BYTES   (1024 * 1024)


extern ngx_module_t  ngx_http_copy_filter_module;


off_t
ngx_ai_gateway_consume(ngx_chain_t *cl)
{
    off_t  bytes;

    bytes = 0;

    for ( /* void */ ; cl; cl = cl->next) {
        bytes += ngx_buf_size(cl->buf);

        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    return bytes;
}


/* What waits below. HTTP/2 has a shadow in the place of a buffer of which it
   has sent a part. */
static void
ngx_ai_gateway_consume_unsent(ngx_http_request_t *r)
{
    ngx_buf_t  *b;

    if (r->stream != NULL && r->out != NULL && r->out->buf->shadow != NULL) {
        b = r->out->buf->shadow;
        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    (void) ngx_ai_gateway_consume(r->out);
}


void
ngx_ai_gateway_drain(ngx_ai_gateway_ctx_t *ctx)
{
    ctx->client_gone = 1;
    ctx->drain_until_ms = ngx_ai_gateway_now_ms() + NGX_AI_GATEWAY_DRAIN_MS;
    ctx->drain_bytes = NGX_AI_GATEWAY_DRAIN_BYTES;
}


/*
 * Passes a metered answer on. When the client has gone (a write error, which
 * would end the upstream's connection) it is read on for the usage at its end:
 * a stream within bounds, JSON as long as the upstream takes for it.
 */
ngx_int_t
ngx_ai_gateway_pass(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_chain_t *out)
{
    ngx_int_t  rc;

    if (!ctx->client_gone) {
        rc = ngx_ai_gateway_next_body(r, out);

        if (rc != NGX_ERROR || !r->connection->error || ctx->upstream_done) {
            return rc;
        }

        ngx_ai_gateway_drain(ctx);

        if (ctx->leave) {
            return NGX_ERROR;
        }

        ngx_ai_gateway_consume_unsent(r);
    }

    ctx->drain_bytes -= ngx_ai_gateway_consume(out);

    return ctx->scan.meter.kind == AIGW_USAGE_JSON
           || (ctx->drain_bytes > 0
               && ngx_ai_gateway_now_ms() < ctx->drain_until_ms)
           ? NGX_OK : NGX_ERROR;
}


void
ngx_ai_gateway_meter_buf(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b)
{
    aigw_usage_piece_t  piece;

    if (ngx_buf_in_memory(b) && b->last > b->pos) {
        aigw_usage_feed(&ctx->scan.meter, b->pos, b->last - b->pos, &piece);
    }
}


/* The bytes of a file, which the client has not waited for. */
static void
ngx_ai_gateway_meter_file(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b)
{
    off_t                pos;
    ssize_t              n;
    aigw_usage_piece_t   piece;

    static u_char  data[65536];

    for (pos = b->file_pos; pos < b->file_last; pos += n) {

        n = ngx_read_file(b->file, data,
                          (size_t) ngx_min(b->file_last - pos,
                                           (off_t) sizeof(data)),
                          pos);
        if (n <= 0) {
            return;
        }

        aigw_usage_feed(&ctx->scan.meter, data, n, &piece);
    }
}


/*
 * The upstream is at its end, and the client has left while much of the answer
 * lay in a temporary file: the copy filter before this one has it, and reads as
 * fast as the client does.
 */
void
ngx_ai_gateway_meter_rest(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    off_t                    bytes;
    ngx_chain_t             *cl;
    ngx_output_chain_ctx_t  *copy;

    copy = ngx_http_get_module_ctx(r, ngx_http_copy_filter_module);

    if (!ctx->metered || ctx->meter_done || !ctx->complete || copy == NULL
        || ctx->scan.meter.kind != AIGW_USAGE_JSON)
    {
        return;
    }

    bytes = 0;

    for (cl = copy->in; cl; cl = cl->next) {
        bytes += ngx_buf_size(cl->buf);
    }

    if (bytes > NGX_AI_GATEWAY_REST_BYTES) {
        return;
    }

    for (cl = copy->in; cl; cl = cl->next) {

        if (!ngx_buf_in_memory(cl->buf) && cl->buf->in_file) {
            ngx_ai_gateway_meter_file(ctx, cl->buf);

        } else {
            ngx_ai_gateway_meter_buf(ctx, cl->buf);
        }
    }
}


/* A stream that was reset while its window was shut is told of nothing but
   reading; what waits for it to be written does so now, and finds it gone. */
static void
ngx_ai_gateway_reading(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    if (r->connection->error) {
        wev = r->connection->write;
        wev->active = 0;
        wev->ready = 1;

        r->write_event_handler(r);
    }
}


/* The client's end is the call's. To end a request nginx ends its upstream
   first, and that gives a request up which nobody else holds: this does. */
static void
ngx_ai_gateway_leaving(ngx_http_request_t *r)
{
    if (r->upstream->cleanup == NULL) {
        ngx_http_test_reading(r);
        return;
    }

    r->main->count++;

    ngx_http_test_reading(r);

    if (r->cleanup != NULL) {
        /* still there, and nobody has ended anything */
        r->main->count--;
    }
}


void
ngx_ai_gateway_watch_client(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    if (ctx->leave) {
        /* nginx was told to read on (proxy_ignore_client_abort); here a client
           that leaves ends its call, also before the first byte */
        r->read_event_handler = ngx_ai_gateway_leaving;

    } else if (r->stream != NULL) {
        r->read_event_handler = ngx_ai_gateway_reading;
    }
}
