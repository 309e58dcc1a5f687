/*
 * GET /v1/models and one of them, answered here: the names that the store
 * knows, less those that the key may not use. An upstream would list the
 * operator's.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_MODELS_PAGE  64

#define NGX_AI_GATEWAY_MODELS_HEAD  "{\"object\":\"list\",\"data\":["
#define NGX_AI_GATEWAY_MODELS_TAIL  "]}\n"
#define NGX_AI_GATEWAY_MODELS_ITEM                                            \
    "%s{\"id\":\"%*s\",\"object\":\"model\",\"created\":0,"                   \
    "\"owned_by\":\"aigw\"}"
#define NGX_AI_GATEWAY_MODEL_URI    "/v1/models/"


/* The answer under construction. */
typedef struct {
    ngx_str_t   text;
    size_t      size;
    ngx_uint_t  items;
} ngx_ai_gateway_list_t;


static ngx_uint_t
ngx_ai_gateway_model_shown(const aigw_access_t *access, const char *name)
{
    aigw_str_t  key, project, model;

    model.data = name;
    model.len = ngx_strlen(name);

    key.data = access->key_models;
    key.len = ngx_strlen(access->key_models);

    project.data = access->project_models;
    project.len = ngx_strlen(access->project_models);

    return aigw_limit_model_allowed(key, model)
           && aigw_limit_model_allowed(project, model);
}


static ngx_int_t
ngx_ai_gateway_add_model(ngx_http_request_t *r, ngx_ai_gateway_list_t *list,
    const char *name)
{
    size_t      len, need;
    u_char     *grown, escaped[AIGW_MODEL_MAX * 6];
    ngx_str_t  *text;

    text = &list->text;

    len = (u_char *) ngx_escape_json(escaped, (u_char *) name,
                                     ngx_strlen(name))
          - escaped;

    need = text->len + sizeof(NGX_AI_GATEWAY_MODELS_ITEM) + len
           + sizeof(NGX_AI_GATEWAY_MODELS_TAIL);

    if (need > list->size) {
        grown = ngx_pnalloc(r->pool, need * 2);
        if (grown == NULL) {
            return NGX_ERROR;
        }

        if (text->len) {
            ngx_memcpy(grown, text->data, text->len);
            (void) ngx_pfree(r->pool, text->data);
        }

        text->data = grown;
        list->size = need * 2;
    }

    text->len = ngx_sprintf(text->data + text->len,
                            NGX_AI_GATEWAY_MODELS_ITEM,
                            list->items++ ? "," : "", len, escaped)
                - text->data;

    return NGX_OK;
}


/* Adds those of a page that the key may use. */
static ngx_int_t
ngx_ai_gateway_add_models(ngx_http_request_t *r, ngx_ai_gateway_list_t *list,
    const aigw_access_t *access, char (*names)[AIGW_MODEL_MAX + 1], size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        if (ngx_ai_gateway_model_shown(access, names[i])
            && ngx_ai_gateway_add_model(r, list, names[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Is name one that the list would show? Names are sorted: looks at those that
   begin like it. */
static aigw_err_t
ngx_ai_gateway_model_known(const char *name)
{
    int         cmp;
    char        names[NGX_AI_GATEWAY_MODELS_PAGE][AIGW_MODEL_MAX + 1];
    char        last[AIGW_MODEL_MAX + 1];
    size_t      i, n;
    aigw_err_t  err;
    aigw_str_t  after;

    after.data = name;
    after.len = ngx_strlen(name) - 1;

    do {
        err = aigw_store_list_model_names(ngx_ai_gateway_store(), after,
                                          names, NGX_AI_GATEWAY_MODELS_PAGE,
                                          &n);
        if (err != AIGW_OK) {
            return err;
        }

        for (i = 0; i < n; i++) {
            cmp = ngx_strcmp(names[i], name);

            if (cmp >= 0) {
                return cmp == 0 ? AIGW_OK : AIGW_ENOTFOUND;
            }
        }

        if (n) {
            ngx_memcpy(last, names[n - 1], sizeof(last));
            after.data = last;
            after.len = ngx_strlen(last);
        }

    } while (n == NGX_AI_GATEWAY_MODELS_PAGE);

    return AIGW_ENOTFOUND;
}


ngx_int_t
ngx_ai_gateway_model(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    const aigw_access_t *access)
{
    size_t                 len;
    aigw_err_t             err;
    ngx_ai_gateway_list_t  list;

    len = r->uri.len - (sizeof(NGX_AI_GATEWAY_MODEL_URI) - 1);

    if (len > AIGW_MODEL_MAX) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_MODEL_UNKNOWN,
                                     "model", NULL);
    }

    ngx_memcpy(ctx->model, r->uri.data + sizeof(NGX_AI_GATEWAY_MODEL_URI) - 1,
               len);
    ctx->model[len] = '\0';

    err = ngx_ai_gateway_model_known(ctx->model);

    if (err == AIGW_ENOTFOUND
        || (err == AIGW_OK
            && !ngx_ai_gateway_model_shown(access, ctx->model)))
    {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_MODEL_UNKNOWN,
                                     "model", NULL);
    }

    if (err != AIGW_OK) {
        return ngx_ai_gateway_refuse_unavailable(r, ctx,
                                                 "cannot look a model up",
                                                 err);
    }

    ngx_memzero(&list, sizeof(ngx_ai_gateway_list_t));

    if (ngx_ai_gateway_add_model(r, &list, ctx->model) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    list.text.data[list.text.len++] = '\n';

    return ngx_ai_gateway_send_json(r, NGX_HTTP_OK, &list.text);
}


ngx_int_t
ngx_ai_gateway_models(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    const aigw_access_t *access)
{
    char                   names[NGX_AI_GATEWAY_MODELS_PAGE]
                                [AIGW_MODEL_MAX + 1];
    char                   last[AIGW_MODEL_MAX + 1];
    size_t                 n;
    aigw_err_t             err;
    aigw_str_t             after;
    ngx_ai_gateway_list_t  list;

    list.items = 0;
    list.size = 1024;
    list.text.data = ngx_pnalloc(r->pool, list.size);
    if (list.text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    list.text.len = sizeof(NGX_AI_GATEWAY_MODELS_HEAD) - 1;
    ngx_memcpy(list.text.data, NGX_AI_GATEWAY_MODELS_HEAD, list.text.len);

    after.data = last;
    after.len = 0;

    do {
        err = aigw_store_list_model_names(ngx_ai_gateway_store(), after,
                                          names, NGX_AI_GATEWAY_MODELS_PAGE,
                                          &n);
        if (err != AIGW_OK) {
            return ngx_ai_gateway_refuse_unavailable(r, ctx,
                                                     "cannot list models",
                                                     err);
        }

        if (ngx_ai_gateway_add_models(r, &list, access, names, n) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (n) {
            ngx_memcpy(last, names[n - 1], sizeof(last));
            after.len = ngx_strlen(last);
        }

    } while (n == NGX_AI_GATEWAY_MODELS_PAGE);

    list.text.len = ngx_cpymem(list.text.data + list.text.len,
                               NGX_AI_GATEWAY_MODELS_TAIL,
                               sizeof(NGX_AI_GATEWAY_MODELS_TAIL) - 1)
                    - list.text.data;

    return ngx_ai_gateway_send_json(r, NGX_HTTP_OK, &list.text);
}
