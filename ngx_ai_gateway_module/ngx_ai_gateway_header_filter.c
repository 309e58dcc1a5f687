/*
 * The answer on its way to the client, judged by its headers: whether it is
 * metered, and which of its headers stay here. Errors that nginx or an upstream
 * would show in a form of their own leave as JSON.
 */

#include "ngx_ai_gateway.h"


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

/* What answers look like, as this worker has seen them. */
static aigw_usage_shapes_t  ngx_ai_gateway_answers;
static aigw_usage_shapes_t  ngx_ai_gateway_chunks;


/* Beginnings of names that tell about the operator's account or the upstream's
   own host; all else comes down. */
static ngx_str_t  ngx_ai_gateway_hidden_headers[] = {
    ngx_string("access-control-"),
    ngx_string("alt-svc"),
    ngx_string("anthropic-"),
    ngx_string("cf-"),
    ngx_string("openai-"),
    ngx_string("request-id"),
    ngx_string("set-cookie"),
    ngx_string("strict-transport-security"),
    ngx_string("via"),
    ngx_string("x-aigw-"),
    ngx_string("x-new-api-"),
    ngx_string("x-oneapi-"),
    ngx_string("x-ratelimit-"),
    ngx_string("x-request-id"),
    ngx_null_string
};


static ngx_uint_t
ngx_ai_gateway_hidden(ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    for (name = ngx_ai_gateway_hidden_headers; name->len; name++) {

        if (h->key.len >= name->len
            && (h->key.data[0] | 0x20) == name->data[0]
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Takes headers out of the answer: the hidden ones, or all of them but
   Retry-After where an error of ours takes its place. */
static void
ngx_ai_gateway_drop_headers(ngx_http_request_t *r, ngx_uint_t all)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (all ? ngx_strcasecmp(h[i].key.data, (u_char *) "Retry-After")
                      != 0
                    : ngx_ai_gateway_hidden(&h[i]))
            {
                h[i].hash = 0;
            }
        }
    }
}


/* What every answer carries. */
static ngx_int_t
ngx_ai_gateway_add_own(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_str_t  value;

    value.data = ctx->id_text;
    value.len = AIGW_ROW_ID_TEXT_LEN;

    if (ngx_ai_gateway_add_header(r, "x-request-id", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->limit >= 0 && ctx->state == NGX_AI_GATEWAY_ADMITTED) {

        value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        value.len = ngx_sprintf(value.data, "%L", ctx->limit) - value.data;

        if (ngx_ai_gateway_add_header(r, "x-aigw-clamped", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_ai_gateway_cors_headers(r, ctx);
}


/* An error of ours instead of what nginx or the upstream would send. */
static AIGW_COLD ngx_int_t
ngx_ai_gateway_replace(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_verdict_t verdict)
{
    ctx->verdict = verdict;

    if (ngx_ai_gateway_error_body(r, verdict, NULL, NULL, &ctx->error_body)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_ai_gateway_drop_headers(r, 1);

    r->headers_out.content_encoding = NULL;
    r->headers_out.location = NULL;
    r->headers_out.refresh = NULL;
    r->headers_out.charset.len = 0;
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    /* of nginx's own refusals some have a status that says more */

    r->headers_out.status = (verdict == AIGW_VERDICT_BAD_REQUEST
                             || verdict == AIGW_VERDICT_INTERNAL)
                            ? r->err_status
                            : aigw_verdict_info(verdict)->status;
    r->headers_out.status_line.len = 0;
    r->headers_out.content_length_n = ctx->error_body.len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_ai_gateway_error_headers(r, verdict) != NGX_OK
        || ngx_ai_gateway_add_own(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/* What nginx means by a status of its own. */
static aigw_verdict_t
ngx_ai_gateway_status_verdict(ngx_http_request_t *r)
{
    ngx_uint_t  sent;

    sent = r->upstream != NULL && r->upstream->request_sent;

    switch (r->err_status) {

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return AIGW_VERDICT_BODY_TOO_LARGE;

    case NGX_HTTP_NOT_FOUND:
        return AIGW_VERDICT_UNKNOWN_URL;

    case NGX_HTTP_BAD_GATEWAY:
        return sent ? AIGW_VERDICT_UPSTREAM_ERROR
                    : AIGW_VERDICT_UPSTREAM_UNAVAILABLE;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return sent ? AIGW_VERDICT_UPSTREAM_TIMEOUT
                    : AIGW_VERDICT_UPSTREAM_UNAVAILABLE;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return AIGW_VERDICT_UNAVAILABLE;

    case NGX_HTTP_NOT_ALLOWED:
        return AIGW_VERDICT_METHOD;

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return AIGW_VERDICT_RATE_LIMITED;

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
        return AIGW_VERDICT_DENIED;

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return AIGW_VERDICT_MEDIA_TYPE;

    default:
        return r->err_status < NGX_HTTP_INTERNAL_SERVER_ERROR
               ? AIGW_VERDICT_BAD_REQUEST : AIGW_VERDICT_INTERNAL;
    }
}


/* Inlined, since type is a literal: its length and a compare of so many bytes
   cost no call then. */
static ngx_inline ngx_uint_t
ngx_ai_gateway_type_is(ngx_http_request_t *r, const char *type)
{
    size_t  len;

    len = ngx_strlen(type);

    return ngx_ai_gateway_begins(&r->headers_out.content_type, type, len)
           && (r->headers_out.content_type.len == len
               || r->headers_out.content_type.data[len] == ';'
               || r->headers_out.content_type.data[len] == ' ');
}


static ngx_uint_t
ngx_ai_gateway_encoded(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = r->headers_out.content_encoding;

    return h != NULL && h->hash && h->value.len
           && ngx_strcasecmp(h->value.data, (u_char *) "identity") != 0;
}


static void
ngx_ai_gateway_start_meter(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ctx->passed = 1;

    if (ngx_ai_gateway_encoded(r)) {
        ctx->encoded = 1;
        return;
    }

    if (ngx_ai_gateway_type_is(r, "text/event-stream")) {
        aigw_usage_init(&ctx->scan.meter, AIGW_USAGE_SSE, ctx->hide_usage,
                        &ngx_ai_gateway_chunks);
        ctx->metered = 1;

        /* every event leaves at once */
        r->upstream->buffering = 0;

        if (ctx->hide_usage) {
            ngx_http_clear_content_length(r);
        }

    } else if (ngx_ai_gateway_type_is(r, "application/json")) {
        ctx->hide_usage = 0;
        aigw_usage_init(&ctx->scan.meter, AIGW_USAGE_JSON, 0,
                        &ngx_ai_gateway_answers);
        ctx->metered = 1;
    }

    if (ctx->metered) {
        r->filter_need_in_memory = 1;
    }
}


/* Codes with which new-api says that an account or its key is empty (wire
   formats, 1.7). The body may come later than its headers: then the answer is
   the more general one. */
static AIGW_COLD aigw_verdict_t
ngx_ai_gateway_refused_key(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_buf_t  *b;
    ngx_str_t  *code;

    static ngx_str_t  codes[] = {
        ngx_string("\"insufficient_user_quota\""),
        ngx_string("\"pre_consume_token_quota_failed\""),
        ngx_null_string
    };

    b = &r->upstream->buffer;

    for (code = codes; code->len; code++) {

        for (p = b->pos; p + code->len <= b->last; p++) {

            if (ngx_memcmp(p, code->data, code->len) == 0) {
                return AIGW_VERDICT_UPSTREAM_QUOTA;
            }
        }
    }

    return AIGW_VERDICT_UPSTREAM_AUTH;
}


/* No client that has left is a reason to end an upstream that is read on. */
static ngx_int_t
ngx_ai_gateway_pass_header(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR && r->connection->error && ctx->metered && !ctx->leave)
    {
        ngx_ai_gateway_drain(ctx);
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_ai_gateway_upstream_answer(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = r->headers_out.status;

    ngx_ai_gateway_drop_headers(r, 0);

    if (status >= NGX_HTTP_OK && status < NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_ai_gateway_start_meter(r, ctx);

    } else if (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN)
    {
        return ngx_ai_gateway_replace(r, ctx, ngx_ai_gateway_refused_key(r));

    } else if (status >= NGX_HTTP_BAD_REQUEST
               && ngx_ai_gateway_type_is(r, "application/json")
               && !ngx_ai_gateway_encoded(r))
    {
        ctx->verdict = AIGW_VERDICT_UPSTREAM_STATUS;
        ctx->masked = 1;
        r->filter_need_in_memory = 1;

    } else if (status == NGX_HTTP_TOO_MANY_REQUESTS) {
        return ngx_ai_gateway_replace(r, ctx, AIGW_VERDICT_UPSTREAM_RATE);

    } else if (status == NGX_HTTP_GATEWAY_TIME_OUT || status == 524) {
        /* 524: the origin of a content delivery network took too long */
        return ngx_ai_gateway_replace(r, ctx, AIGW_VERDICT_UPSTREAM_TIMEOUT);

    } else {
        /* redirects too: the operator's key follows none */
        return ngx_ai_gateway_replace(r, ctx, AIGW_VERDICT_UPSTREAM_ERROR);
    }

    if (ngx_ai_gateway_add_own(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_ai_gateway_pass_header(r, ctx);
}


/*
 * A location of ours; or none was found yet, since nginx refused the request
 * line or a header, on a server that has one of ours, and what is known of the
 * path does not lead elsewhere.
 */
static ngx_uint_t
ngx_ai_gateway_is_ours(ngx_http_request_t *r)
{
    const ngx_ai_gateway_srv_conf_t  *ascf;

    static ngx_str_t  root = ngx_string("/v1/");

    if (ngx_ai_gateway_alcf(r)->enable) {
        return 1;
    }

    ascf = ngx_http_get_module_srv_conf(r, ngx_ai_gateway_module);

    return ascf->has_gateway && r->err_status >= NGX_HTTP_BAD_REQUEST
           && r->phase_handler == 0
           && (r->uri.len == 0
               || (r->uri.len >= root.len
                   && ngx_memcmp(r->uri.data, root.data, root.len) == 0));
}


static ngx_int_t
ngx_ai_gateway_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t             upstream;
    ngx_ai_gateway_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_ai_gateway_get_ctx(r);

    if (!ngx_ai_gateway_is_ours(r)) {
        /* another location: the operator's own error page, say */
        return ngx_http_next_header_filter(r);
    }

    if (ctx == NULL) {
        /* nginx has refused before it came to us */

        if (r->err_status < NGX_HTTP_BAD_REQUEST) {
            return ngx_http_next_header_filter(r);
        }

        ctx = ngx_ai_gateway_create_late_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (ctx->local) {

        if (ngx_ai_gateway_add_own(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    upstream = r->upstream != NULL && !ctx->upstream_done;

    if (upstream && r->upstream->headers_in.status_n) {
        return ngx_ai_gateway_upstream_answer(r, ctx);
    }

    if (upstream && r->http_version == NGX_HTTP_VERSION_9) {
        /* not HTTP: nginx takes it for a bare HTTP/0.9 answer */
        r->http_version = r->http_major * 1000 + r->http_minor;
        return ngx_ai_gateway_replace(r, ctx, AIGW_VERDICT_UPSTREAM_ERROR);
    }

    if (r->err_status >= NGX_HTTP_BAD_REQUEST) {
        return ngx_ai_gateway_replace(r, ctx,
                                      ngx_ai_gateway_status_verdict(r));
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_ai_gateway_init_header_filter(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_ai_gateway_header_filter;

    return NGX_OK;
}
