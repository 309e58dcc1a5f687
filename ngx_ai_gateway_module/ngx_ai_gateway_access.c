/*
 * Preaccess: who calls, what for, and may they. Everything that can be decided
 * without the body is decided before a byte of it is read; the model is judged
 * when the body has been scanned, on a fresh look at the store.
 */

#include "ngx_ai_gateway.h"


typedef struct {
    ngx_str_t     uri;
    ngx_uint_t    methods;
    ngx_str_t     allow;
    aigw_route_t  route;
    ngx_uint_t    prefix;             /* a name follows */
} ngx_ai_gateway_route_t;


/* An upstream sees only these paths, whatever the client wrote. */
static const ngx_ai_gateway_route_t  ngx_ai_gateway_routes[] = {

    { ngx_string("/v1/chat/completions"), NGX_HTTP_POST,
      ngx_string("POST"), AIGW_ROUTE_CHAT, 0 },

    { ngx_string("/v1/completions"), NGX_HTTP_POST,
      ngx_string("POST"), AIGW_ROUTE_COMPLETIONS, 0 },

    { ngx_string("/v1/embeddings"), NGX_HTTP_POST,
      ngx_string("POST"), AIGW_ROUTE_EMBEDDINGS, 0 },

    { ngx_string("/v1/models"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), AIGW_ROUTE_MODELS, 0 },

    { ngx_string("/v1/models/"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), AIGW_ROUTE_MODELS, 1 },

    { ngx_null_string, 0, ngx_null_string, AIGW_ROUTE_NONE, 0 }
};


static void
ngx_ai_gateway_cleanup(void *data)
{
    ngx_ai_gateway_ctx_t *ctx = data;

    if (ctx->in_turns && ctx->scan_event.posted) {
        ngx_delete_posted_event(&ctx->scan_event);
    }

    ngx_ai_gateway_stop_waiting(ctx);
}


ngx_ai_gateway_ctx_t *
ngx_ai_gateway_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_ai_gateway_ctx_t  *ctx;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_ai_gateway_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_ai_gateway_module);
            return ctx;
        }
    }

    return NULL;
}


static ngx_ai_gateway_ctx_t *
ngx_ai_gateway_create_ctx(ngx_http_request_t *r)
{
    uint32_t               word;
    ngx_uint_t             i;
    aigw_journal_t        *journal;
    ngx_pool_cleanup_t    *cln;
    ngx_ai_gateway_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_ai_gateway_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_ai_gateway_cleanup;
    ctx = cln->data;

    ngx_memzero(ctx, offsetof(ngx_ai_gateway_ctx_t, project));

    ctx->project[0] = '\0';
    ctx->key_prefix[0] = '\0';
    ctx->model[0] = '\0';

    ctx->request = r;
    ctx->time_ms = ngx_ai_gateway_now_ms();
    ctx->limit = -1;
    ctx->has = (uint8_t) ngx_ai_gateway_rare_headers_of(r);

    journal = ngx_ai_gateway_journal();

    if (journal != NULL) {
        aigw_journal_new_id(journal, ctx->time_ms, ctx->id);

    } else {
        /* no row will have it, but the client may name it to an admin */
        for (i = 0; i < AIGW_ROW_ID_LEN; i += sizeof(word)) {
            word = (uint32_t) ngx_random();
            ngx_memcpy(ctx->id + i, &word, sizeof(word));
        }
    }

    aigw_record_format_id(ctx->id, (char *) ctx->id_text);

    ngx_http_set_ctx(r, ctx, ngx_ai_gateway_module);

    return ctx;
}


/* A body that is plain JSON as far as its headers tell. */
static ngx_uint_t
ngx_ai_gateway_is_json(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    size_t            len;
    ngx_table_elt_t  *h;

    static const ngx_str_t  encoding[] = {
        ngx_string("content-encoding"),
        ngx_null_string
    };

    len = sizeof("application/json") - 1;
    h = r->headers_in.content_type;

    if (h != NULL
        && (!ngx_ai_gateway_begins(&h->value, "application/json", len)
            || (h->value.len > len && h->value.data[len] != ';'
                && h->value.data[len] != ' ')))
    {
        return 0;
    }

    if (!(ctx->has & NGX_AI_GATEWAY_HAS_ENCODING)) {
        return 1;
    }

    h = NULL;

    while ((h = ngx_ai_gateway_find_header(r, encoding, h))) {

        if (h->value.len != sizeof("identity") - 1
            || ngx_strncasecmp(h->value.data, (u_char *) "identity",
                               h->value.len)
               != 0)
        {
            return 0;
        }
    }

    return 1;
}


/* The route of r's path, the table's empty last entry if there is none. */
static const ngx_ai_gateway_route_t *
ngx_ai_gateway_find_route(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    const ngx_ai_gateway_route_t  *route;

    for (route = ngx_ai_gateway_routes; route->uri.len; route++) {

        if ((route->prefix ? r->uri.len > route->uri.len
                           : r->uri.len == route->uri.len)
            && ngx_memcmp(r->uri.data, route->uri.data, route->uri.len) == 0)
        {
            break;
        }
    }

    ctx->url_known = (route->uri.len != 0);

    if (r->method & route->methods) {
        ctx->route = (uint8_t) route->route;
    }

    return route;
}


ngx_ai_gateway_ctx_t *
ngx_ai_gateway_create_late_ctx(ngx_http_request_t *r)
{
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_create_ctx(r);

    if (ctx != NULL) {
        ctx->state = NGX_AI_GATEWAY_ANSWERED;
        (void) ngx_ai_gateway_find_route(r, ctx);
    }

    return ctx;
}


static AIGW_COLD ngx_int_t
ngx_ai_gateway_refuse_url(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_str_t  message;

    static ngx_str_t  twice = ngx_string("/v1/v1/");

    if (r->uri.len < twice.len
        || ngx_memcmp(r->uri.data, twice.data, twice.len) != 0)
    {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNKNOWN_URL, NULL,
                                     NULL);
    }

    ngx_str_set(&message, "The path begins with /v1 twice: your client adds it"
                " by itself, so leave it out of the base URL.");

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNKNOWN_URL, NULL,
                                 &message);
}


static ngx_int_t
ngx_ai_gateway_first_pass(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_str_t                      allow;
    aigw_access_t                  access;
    const ngx_ai_gateway_route_t  *route;

    route = ngx_ai_gateway_find_route(r, ctx);

    if (r->method == NGX_HTTP_OPTIONS && ctx->url_known) {
        allow = route->allow;
        return ngx_ai_gateway_preflight(r, ctx, &allow);
    }

    if (ngx_ai_gateway_authenticate(r, ctx) != NGX_OK
        || ngx_ai_gateway_check_access(r, ctx, &access) != NGX_OK)
    {
        return NGX_DONE;
    }

    if (!ctx->url_known) {
        return ngx_ai_gateway_refuse_url(r, ctx);
    }

    if (ctx->route == AIGW_ROUTE_NONE) {
        allow = route->allow;

        if (ngx_ai_gateway_add_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_METHOD, NULL, NULL);
    }

    if (ctx->route == AIGW_ROUTE_MODELS) {
        ctx->state = NGX_AI_GATEWAY_ANSWERED;
        ctx->local = 1;
        return route->prefix ? ngx_ai_gateway_model(r, ctx, &access)
                             : ngx_ai_gateway_models(r, ctx, &access);
    }

    if (!ngx_ai_gateway_is_json(r, ctx)) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_MEDIA_TYPE, NULL,
                                     NULL);
    }

    ctx->strict = access.cap_strict;

    return ngx_ai_gateway_read_body(r, ctx, &access);
}


/* The body is known: now the model, and all of the rest once more if reading
   took time, which may be minutes. */
static ngx_int_t
ngx_ai_gateway_second_pass(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t             rc;
    aigw_access_t         access;
    const aigw_access_t  *seen;

    seen = ctx->access;

    if (seen == NULL) {
        if (ngx_ai_gateway_check_access(r, ctx, &access) != NGX_OK) {
            return NGX_DONE;
        }

        seen = &access;
    }

    if (ngx_ai_gateway_check_model(r, ctx, seen) != NGX_OK) {
        return NGX_DONE;
    }

    rc = ngx_ai_gateway_hold(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if ((ctx->alias || ctx->hide_usage || ctx->limit >= 0)
        && ngx_ai_gateway_splice_body(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_AI_GATEWAY_ADMITTED;
    ctx->content_handler = r->content_handler;
    r->content_handler = ngx_ai_gateway_content_handler;

    return NGX_DECLINED;
}


ngx_int_t
ngx_ai_gateway_access_handler(ngx_http_request_t *r)
{
    ngx_ai_gateway_ctx_t  *ctx;

    if (!ngx_ai_gateway_alcf(r)->enable) {
        return NGX_DECLINED;
    }

    if (r != r->main) {
        /* it has the client's headers, and nobody would judge or charge it */
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "ai_gateway: a subrequest to \"%V\" is refused", &r->uri);
        return NGX_HTTP_FORBIDDEN;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "ai_gateway access handler");

    ctx = ngx_ai_gateway_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_ai_gateway_create_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        return ngx_ai_gateway_first_pass(r, ctx);
    }

    switch (ctx->state) {

    case NGX_AI_GATEWAY_BODY:
    case NGX_AI_GATEWAY_ESTIMATING:
        /* unless the body could not be read, and an error page leads here */
        return r->err_status ? NGX_HTTP_NOT_FOUND : NGX_DONE;

    case NGX_AI_GATEWAY_SCANNED:
        return ngx_ai_gateway_second_pass(r, ctx);

    case NGX_AI_GATEWAY_ADMITTED:
        break;

    default:
        /* an error page of the operator's has led back here */
        return NGX_HTTP_NOT_FOUND;
    }

    if (!(r->method & NGX_HTTP_POST)) {
        /* an error page or X-Accel-Redirect has led back, as a GET */
        return NGX_HTTP_NOT_FOUND;
    }

    /* a named location: the same call on another location of ours */

    if (r->content_handler != ngx_ai_gateway_content_handler) {
        ctx->content_handler = r->content_handler;
        r->content_handler = ngx_ai_gateway_content_handler;
    }

    return NGX_DECLINED;
}
