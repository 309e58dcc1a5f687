/*
 * Variables for the access log. $http_authorization and its kin are taken over
 * too: on a request of ours they would write the client's key into a log.
 */

#include "ngx_ai_gateway.h"


typedef enum {
    NGX_AI_GATEWAY_VAR_PROJECT = 0,
    NGX_AI_GATEWAY_VAR_KEY,
    NGX_AI_GATEWAY_VAR_MODEL,
    NGX_AI_GATEWAY_VAR_PROMPT_TOKENS,
    NGX_AI_GATEWAY_VAR_COMPLETION_TOKENS,
    NGX_AI_GATEWAY_VAR_COST,
    NGX_AI_GATEWAY_VAR_VERDICT
} ngx_ai_gateway_var_e;


static ngx_int_t ngx_ai_gateway_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_ai_gateway_secret_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_ai_gateway_variables[] = {

    { ngx_string("ai_gateway_project"), NULL, ngx_ai_gateway_variable,
      NGX_AI_GATEWAY_VAR_PROJECT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ai_gateway_key"), NULL, ngx_ai_gateway_variable,
      NGX_AI_GATEWAY_VAR_KEY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ai_gateway_model"), NULL, ngx_ai_gateway_variable,
      NGX_AI_GATEWAY_VAR_MODEL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ai_gateway_prompt_tokens"), NULL, ngx_ai_gateway_variable,
      NGX_AI_GATEWAY_VAR_PROMPT_TOKENS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ai_gateway_completion_tokens"), NULL,
      ngx_ai_gateway_variable, NGX_AI_GATEWAY_VAR_COMPLETION_TOKENS,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ai_gateway_cost"), NULL, ngx_ai_gateway_variable,
      NGX_AI_GATEWAY_VAR_COST, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ai_gateway_verdict"), NULL, ngx_ai_gateway_variable,
      NGX_AI_GATEWAY_VAR_VERDICT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* data: the header's name as nginx looks for it */

    { ngx_string("http_authorization"), NULL, ngx_ai_gateway_secret_variable,
      (uintptr_t) "authorization", 0, 0 },

    { ngx_string("http_x_api_key"), NULL, ngx_ai_gateway_secret_variable,
      (uintptr_t) "x_api_key", 0, 0 },

    { ngx_string("http_api_key"), NULL, ngx_ai_gateway_secret_variable,
      (uintptr_t) "api_key", 0, 0 },

    { ngx_string("http_x_goog_api_key"), NULL, ngx_ai_gateway_secret_variable,
      (uintptr_t) "x_goog_api_key", 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_ai_gateway_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_ai_gateway_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* A variable's text, from ctx or written to buf. */
static const char *
ngx_ai_gateway_variable_text(ngx_ai_gateway_ctx_t *ctx, uintptr_t data,
    char buf[AIGW_AMOUNT_LEN + 1])
{
    int64_t  tokens;

    switch (data) {

    case NGX_AI_GATEWAY_VAR_PROJECT:
        return ctx->project;

    case NGX_AI_GATEWAY_VAR_KEY:
        return ctx->key_prefix;

    case NGX_AI_GATEWAY_VAR_MODEL:
        return ctx->model;

    case NGX_AI_GATEWAY_VAR_VERDICT:
        return aigw_verdict_info(ctx->verdict)->code;

    case NGX_AI_GATEWAY_VAR_COST:
        (void) aigw_amount_format(ctx->cost_nano, buf);
        return buf;

    default:
        tokens = (data == NGX_AI_GATEWAY_VAR_PROMPT_TOKENS)
                 ? ctx->tokens.prompt_tokens : ctx->tokens.completion_tokens;

        *ngx_sprintf((u_char *) buf, "%L", tokens) = '\0';
        return buf;
    }
}


/* Shows what the row has: our log handler runs before the access log's. */
static ngx_int_t
ngx_ai_gateway_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    char                   buf[AIGW_AMOUNT_LEN + 1];
    size_t                 len;
    const char            *text;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_get_ctx(r);

    text = ctx ? ngx_ai_gateway_variable_text(ctx, data, buf) : "";
    len = ngx_strlen(text);

    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, text, len);

    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_ai_gateway_secret_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    if (ngx_ai_gateway_alcf(r)->enable || ngx_ai_gateway_get_ctx(r) != NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    name.data = (u_char *) data;
    name.len = ngx_strlen(name.data);

#if (nginx_version >= 1023000)
    rc = ngx_http_variable_unknown_header(r, v, &name,
                                          &r->headers_in.headers.part, 0);
#else
    rc = ngx_http_variable_unknown_header(v, &name,
                                          &r->headers_in.headers.part, 0);
#endif

    /* a request that nginx refuses before it has a location may bring a key of
       ours all the same */

    if (rc == NGX_OK && v->valid && !v->not_found
        && ngx_ai_gateway_has_key(v->data, v->len))
    {
        v->valid = 0;
        v->not_found = 1;
    }

    return rc;
}
