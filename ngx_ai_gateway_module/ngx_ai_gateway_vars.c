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


/* Shows what the row has: our log handler runs before the access log's. */
static ngx_int_t
ngx_ai_gateway_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    char                   amount[AIGW_AMOUNT_LEN + 1];
    u_char                 text[NGX_INT64_LEN];
    ngx_str_t              value;
    const char            *s;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_get_ctx(r);
    s = "";

    if (ctx != NULL) {

        switch (data) {

        case NGX_AI_GATEWAY_VAR_PROJECT:
            s = ctx->project;
            break;

        case NGX_AI_GATEWAY_VAR_KEY:
            s = ctx->key_prefix;
            break;

        case NGX_AI_GATEWAY_VAR_MODEL:
            s = ctx->model;
            break;

        case NGX_AI_GATEWAY_VAR_VERDICT:
            s = aigw_verdict_info(ctx->verdict)->code;
            break;

        case NGX_AI_GATEWAY_VAR_COST:
            (void) aigw_amount_format(ctx->cost_nano, amount);
            s = amount;
            break;

        case NGX_AI_GATEWAY_VAR_PROMPT_TOKENS:
            *ngx_sprintf(text, "%L", ctx->tokens.prompt_tokens) = '\0';
            s = (char *) text;
            break;

        case NGX_AI_GATEWAY_VAR_COMPLETION_TOKENS:
            *ngx_sprintf(text, "%L", ctx->tokens.completion_tokens) = '\0';
            s = (char *) text;
            break;
        }
    }

    value.len = ngx_strlen(s);

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(value.data, s, value.len);

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_ai_gateway_secret_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  name;

    if (ngx_ai_gateway_alcf(r)->enable || ngx_ai_gateway_get_ctx(r) != NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    name.data = (u_char *) data;
    name.len = ngx_strlen(name.data);

#if (nginx_version >= 1023000)
    return ngx_http_variable_unknown_header(r, v, &name,
                                            &r->headers_in.headers.part, 0);
#else
    return ngx_http_variable_unknown_header(v, &name,
                                            &r->headers_in.headers.part, 0);
#endif
}
