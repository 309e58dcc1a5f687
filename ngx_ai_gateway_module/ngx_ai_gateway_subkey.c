/*
 * A project's own key at the location's upstream. What cannot be read is never
 * replaced by another key: its call is refused.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_SUBKEYS  32


/* Those opened last, by project and upstream: a seal costs more to open than to
   compare. */
static struct {
    uint64_t  project_id;
    uint64_t  upstream_id;
    size_t    sealed_len;              /* 0: none */
    uint8_t   sealed[AIGW_SEALED_MAX];
    char      secret[AIGW_SECRET_MAX];
    size_t    secret_len;
} ngx_ai_gateway_subkeys[NGX_AI_GATEWAY_SUBKEYS];


static ngx_int_t
ngx_ai_gateway_unreadable(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_err_t err)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "ai_gateway: the sub-key of project \"%s\" cannot be read:"
                  " %s (\"aigw subkey rotate --project %s\" makes another)",
                  ctx->project, aigw_strerror(err), ctx->project);

    return NGX_ABORT;
}


ngx_int_t
ngx_ai_gateway_subkey(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    uint64_t upstream_id, aigw_str_t *secret)
{
    uint64_t       project_id;
    aigw_err_t     err;
    ngx_uint_t     i;
    aigw_subkey_t  subkey;

    project_id = ctx->account[1].id;

    err = aigw_store_find_subkey(ngx_ai_gateway_store(), project_id,
                                 upstream_id, &subkey);

    if (err == AIGW_ENOTFOUND) {
        return NGX_DECLINED;
    }

    if (err != AIGW_OK) {
        return ngx_ai_gateway_unreadable(r, ctx, err);
    }

    i = (project_id + upstream_id) % NGX_AI_GATEWAY_SUBKEYS;

    if (subkey.sealed_len != ngx_ai_gateway_subkeys[i].sealed_len
        || project_id != ngx_ai_gateway_subkeys[i].project_id
        || upstream_id != ngx_ai_gateway_subkeys[i].upstream_id
        || ngx_memcmp(subkey.sealed, ngx_ai_gateway_subkeys[i].sealed,
                      subkey.sealed_len)
           != 0)
    {
        ngx_ai_gateway_subkeys[i].sealed_len = 0;

        err = aigw_store_open_subkey(ngx_ai_gateway_amcf(r)->master,
                                     project_id, upstream_id, &subkey,
                                     ngx_ai_gateway_subkeys[i].secret,
                                     &ngx_ai_gateway_subkeys[i].secret_len);
        if (err != AIGW_OK) {
            return ngx_ai_gateway_unreadable(r, ctx, err);
        }

        ngx_ai_gateway_subkeys[i].project_id = project_id;
        ngx_ai_gateway_subkeys[i].upstream_id = upstream_id;
        ngx_memcpy(ngx_ai_gateway_subkeys[i].sealed, subkey.sealed,
                   subkey.sealed_len);
        ngx_ai_gateway_subkeys[i].sealed_len = subkey.sealed_len;
    }

    secret->data = ngx_ai_gateway_subkeys[i].secret;
    secret->len = ngx_ai_gateway_subkeys[i].secret_len;

    return NGX_OK;
}
