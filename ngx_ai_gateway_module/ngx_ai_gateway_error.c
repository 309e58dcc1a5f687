/*
 * Refusals and failures as OpenAI's JSON error object, with the headers that
 * tell an SDK whether to retry. No key, hash or upstream text gets in here.
 */

#include "ngx_ai_gateway.h"


ngx_int_t
ngx_ai_gateway_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->lowcase_key = (u_char *) name;
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_error_headers(ngx_http_request_t *r, aigw_verdict_t verdict)
{
    const aigw_verdict_info_t  *info;

    static ngx_str_t  bearer = ngx_string("Bearer");
    static ngx_str_t  no = ngx_string("false");
    static ngx_str_t  second = ngx_string("1");

    info = aigw_verdict_info(verdict);

    if (info->status == NGX_HTTP_UNAUTHORIZED
        && ngx_ai_gateway_add_header(r, "WWW-Authenticate", &bearer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (info->retry == AIGW_RETRY_NEVER) {
        return ngx_ai_gateway_add_header(r, "x-should-retry", &no);
    }

    if (info->retry == AIGW_RETRY_AFTER) {
        return ngx_ai_gateway_add_header(r, "Retry-After", &second);
    }

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_error_body(ngx_http_request_t *r, aigw_verdict_t verdict,
    const char *param, ngx_str_t *message, ngx_str_t *body)
{
    size_t                      len;
    u_char                     *p, *escaped;
    ngx_str_t                   text;
    const aigw_verdict_info_t  *info;

    info = aigw_verdict_info(verdict);

    if (message != NULL) {
        text = *message;

    } else {
        text.data = (u_char *) info->message;
        text.len = ngx_strlen(info->message);
    }

    len = text.len + ngx_escape_json(NULL, text.data, text.len);

    escaped = ngx_pnalloc(r->pool, len + 1);
    if (escaped == NULL) {
        return NGX_ERROR;
    }

    *(u_char *) ngx_escape_json(escaped, text.data, text.len) = '\0';

    len += sizeof("{\"error\":{\"message\":\"\",\"type\":\"\",\"param\":\"\","
                  "\"code\":\"\"}}\n")
           + ngx_strlen(info->type) + ngx_strlen(info->code)
           + (param ? ngx_strlen(param) : sizeof("null"));

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    p = ngx_sprintf(p, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\","
                    "\"param\":", escaped, info->type);
    p = param ? ngx_sprintf(p, "\"%s\"", param) : ngx_sprintf(p, "null");
    p = ngx_sprintf(p, ",\"code\":\"%s\"}}\n", info->code);

    body->len = p - body->data;

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_send_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    /* no "100 Continue" for a body that nobody wants */
    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    r->headers_out.status = status;

    if (body->len) {
        r->headers_out.content_length_n = body->len;
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;

    } else {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));

    return NGX_DONE;
}


ngx_int_t
ngx_ai_gateway_refuse(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_verdict_t verdict, const char *param, ngx_str_t *message)
{
    ngx_str_t  body;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "ai_gateway refuses: %s", aigw_verdict_info(verdict)->code);

    ctx->state = NGX_AI_GATEWAY_ANSWERED;
    ctx->verdict = verdict;
    ctx->local = 1;

    if (ngx_ai_gateway_error_headers(r, verdict) != NGX_OK
        || ngx_ai_gateway_error_body(r, verdict, param, message, &body)
           != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DONE;
    }

    return ngx_ai_gateway_send_json(r, aigw_verdict_info(verdict)->status,
                                    &body);
}


ngx_int_t
ngx_ai_gateway_refuse_unavailable(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const char *what, aigw_err_t err)
{
    static time_t  told;

    /* once a second: clients that try again must not fill the disk */

    if (ngx_time() != told) {
        told = ngx_time();
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "ai_gateway: %s: %s", what, aigw_strerror(err));
    }

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNAVAILABLE, NULL, NULL);
}
