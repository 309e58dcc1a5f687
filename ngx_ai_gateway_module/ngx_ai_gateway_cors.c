/*
 * Browsers: pages of the origins in the setting cors_origins (none unless set)
 * may call the gateway. Their keys are theirs to keep; nothing here grants
 * access, it only lets a page read its answers.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_CORS_HEADERS_MAX  1024


/* Is origin an item of the list, or the list a '*'? */
static ngx_uint_t
ngx_ai_gateway_origin_listed(const char *list, ngx_str_t *origin)
{
    size_t       len;
    const char  *comma;

    if (ngx_strcmp(list, "*") == 0) {
        return 1;
    }

    for ( ;; ) {
        comma = ngx_strchr(list, ',');
        len = comma ? (size_t) (comma - list) : ngx_strlen(list);

        if (len == origin->len && len
            && ngx_memcmp(list, origin->data, len) == 0)
        {
            return 1;
        }

        if (comma == NULL) {
            return 0;
        }

        list = comma + 1;
    }
}


/* The request's origin if its pages may read answers, else NULL. */
static ngx_table_elt_t *
ngx_ai_gateway_origin(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    char              list[AIGW_VALUE_MAX + 1];
    aigw_err_t        err;
    ngx_table_elt_t  *h;

    static const aigw_str_t  name = aigw_str("cors_origins");
    static const ngx_str_t   names[] = {
        ngx_string("origin"),
        ngx_null_string
    };

    if (!(ctx->has & NGX_AI_GATEWAY_HAS_ORIGIN)
        || ngx_ai_gateway_store() == NULL)
    {
        return NULL;
    }

    h = ngx_ai_gateway_find_header(r, names, NULL);

    if (h == NULL) {
        return NULL;
    }

    err = aigw_store_get_setting(ngx_ai_gateway_store(), name, list);

    return err == AIGW_OK && ngx_ai_gateway_origin_listed(list, &h->value)
           ? h : NULL;
}


ngx_int_t
ngx_ai_gateway_cors_headers(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    static ngx_str_t  vary = ngx_string("Origin");
    static ngx_str_t  expose = ngx_string("x-request-id, x-should-retry,"
                                          " retry-after");

    h = ngx_ai_gateway_origin(r, ctx);

    if (h == NULL) {
        return NGX_OK;
    }

    if (ngx_ai_gateway_add_header(r, "Access-Control-Allow-Origin", &h->value)
        != NGX_OK
        || ngx_ai_gateway_add_header(r, "Access-Control-Expose-Headers",
                                     &expose)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ai_gateway_add_header(r, "Vary", &vary);
}


/* The header names that a page asks for are tokens: anything else gets the
   usual ones. */
static ngx_str_t
ngx_ai_gateway_asked_headers(ngx_http_request_t *r)
{
    size_t            i;
    u_char            c;
    ngx_table_elt_t  *h;

    static ngx_str_t        usual = ngx_string("authorization, content-type");
    static const ngx_str_t  names[] = {
        ngx_string("access-control-request-headers"),
        ngx_null_string
    };

    h = ngx_ai_gateway_find_header(r, names, NULL);

    if (h == NULL || h->value.len > NGX_AI_GATEWAY_CORS_HEADERS_MAX) {
        return usual;
    }

    for (i = 0; i < h->value.len; i++) {
        c = h->value.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == ',' || c == ' '))
        {
            return usual;
        }
    }

    return h->value;
}


ngx_int_t
ngx_ai_gateway_preflight(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_str_t *allow)
{
    ngx_str_t  asked;

    static ngx_str_t  none = ngx_null_string;
    static ngx_str_t  age = ngx_string("600");

    ctx->state = NGX_AI_GATEWAY_ANSWERED;
    ctx->local = 1;

    if (ngx_ai_gateway_add_header(r, "Allow", allow) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the rest of the permission is added to every answer */

    if (ngx_ai_gateway_origin(r, ctx) != NULL) {
        asked = ngx_ai_gateway_asked_headers(r);

        if (ngx_ai_gateway_add_header(r, "Access-Control-Allow-Methods", allow)
            != NGX_OK
            || ngx_ai_gateway_add_header(r, "Access-Control-Allow-Headers",
                                         &asked)
               != NGX_OK
            || ngx_ai_gateway_add_header(r, "Access-Control-Max-Age", &age)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_ai_gateway_send_json(r, NGX_HTTP_NO_CONTENT, &none);
}
