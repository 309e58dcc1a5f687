/*
 * GET /v1/models, answered here: the names that the store knows, less those
 * that the key may not use. An upstream's list would show the operator's.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_MODELS_PAGE  64

#define NGX_AI_GATEWAY_MODELS_HEAD  "{\"object\":\"list\",\"data\":["
#define NGX_AI_GATEWAY_MODELS_TAIL  "]}\n"
#define NGX_AI_GATEWAY_MODELS_ITEM                                            \
    "%s{\"id\":\"%*s\",\"object\":\"model\",\"created\":0,"                   \
    "\"owned_by\":\"aigw\"}"


static ngx_uint_t
ngx_ai_gateway_model_shown(const aigw_access_t *access, aigw_str_t model)
{
    aigw_str_t  key, project;

    key.data = access->key_models;
    key.len = ngx_strlen(access->key_models);

    project.data = access->project_models;
    project.len = ngx_strlen(access->project_models);

    return aigw_limit_model_allowed(key, model)
           && aigw_limit_model_allowed(project, model);
}


/* Appends one item to text, which has room for size bytes. */
static ngx_int_t
ngx_ai_gateway_add_model(ngx_http_request_t *r, ngx_str_t *text, size_t *size,
    const char *name, ngx_uint_t first)
{
    size_t   len, need;
    u_char  *grown, *escaped, buf[AIGW_MODEL_MAX * 6];

    len = ngx_strlen(name);
    escaped = (u_char *) ngx_escape_json(buf, (u_char *) name, len);
    len = escaped - buf;

    need = text->len + sizeof(NGX_AI_GATEWAY_MODELS_ITEM) + len
           + sizeof(NGX_AI_GATEWAY_MODELS_TAIL);

    if (need > *size) {
        grown = ngx_pnalloc(r->pool, need * 2);
        if (grown == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(grown, text->data, text->len);
        ngx_pfree(r->pool, text->data);

        text->data = grown;
        *size = need * 2;
    }

    text->len = ngx_sprintf(text->data + text->len,
                            NGX_AI_GATEWAY_MODELS_ITEM, first ? "" : ",",
                            len, buf)
                - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_models(ngx_http_request_t *r, const aigw_access_t *access)
{
    char                   names[NGX_AI_GATEWAY_MODELS_PAGE]
                                [AIGW_MODEL_MAX + 1];
    char                   last[AIGW_MODEL_MAX + 1];
    size_t                 i, n, size;
    ngx_str_t              text;
    aigw_err_t             err;
    aigw_str_t             after, model;
    ngx_uint_t             first;
    ngx_ai_gateway_ctx_t  *ctx;

    size = 1024;
    text.data = ngx_pnalloc(r->pool, size);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.len = sizeof(NGX_AI_GATEWAY_MODELS_HEAD) - 1;
    ngx_memcpy(text.data, NGX_AI_GATEWAY_MODELS_HEAD, text.len);

    first = 1;
    after.data = last;
    after.len = 0;

    do {
        err = aigw_store_list_model_names(ngx_ai_gateway_store(), after,
                                          names, NGX_AI_GATEWAY_MODELS_PAGE,
                                          &n);
        if (err != AIGW_OK) {
            ctx = ngx_ai_gateway_get_ctx(r);
            ngx_ai_gateway_store_failed(r, "cannot list models", err);
            return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNAVAILABLE,
                                         NULL, NULL);
        }

        for (i = 0; i < n; i++) {
            model.data = names[i];
            model.len = ngx_strlen(names[i]);

            if (!ngx_ai_gateway_model_shown(access, model)) {
                continue;
            }

            if (ngx_ai_gateway_add_model(r, &text, &size, names[i], first)
                != NGX_OK)
            {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            first = 0;
        }

        if (n) {
            ngx_memcpy(last, names[n - 1], sizeof(last));
            after.len = ngx_strlen(last);
        }

    } while (n == NGX_AI_GATEWAY_MODELS_PAGE);

    text.len = ngx_cpymem(text.data + text.len, NGX_AI_GATEWAY_MODELS_TAIL,
                          sizeof(NGX_AI_GATEWAY_MODELS_TAIL) - 1)
               - text.data;

    return ngx_ai_gateway_send_json(r, NGX_HTTP_OK, &text);
}
