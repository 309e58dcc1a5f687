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
} ngx_ai_gateway_route_t;


static ngx_int_t ngx_ai_gateway_decide(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);


/* An upstream sees only these paths, whatever the client wrote. */
static ngx_ai_gateway_route_t  ngx_ai_gateway_routes[] = {

    { ngx_string("/v1/chat/completions"), NGX_HTTP_POST,
      ngx_string("POST"), AIGW_ROUTE_CHAT },

    { ngx_string("/v1/models"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), AIGW_ROUTE_MODELS },

    { ngx_null_string, 0, ngx_null_string, AIGW_ROUTE_NONE }
};


int64_t
ngx_ai_gateway_now_ms(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


static void
ngx_ai_gateway_cleanup(void *data)
{
    ngx_ai_gateway_ctx_t *ctx = data;

    if (ctx->scan_event.posted) {
        ngx_delete_posted_event(&ctx->scan_event);
    }
}


ngx_ai_gateway_ctx_t *
ngx_ai_gateway_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_ai_gateway_module);

    if (ctx != NULL || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect, or a filter that replaces the answer, has cleared
       r->ctx */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_ai_gateway_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_ai_gateway_module);
            return ctx;
        }
    }

    return NULL;
}


ngx_ai_gateway_ctx_t *
ngx_ai_gateway_create_ctx(ngx_http_request_t *r)
{
    aigw_journal_t        *journal;
    ngx_pool_cleanup_t    *cln;
    ngx_ai_gateway_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_ai_gateway_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_ai_gateway_cleanup;
    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_ai_gateway_ctx_t));

    ctx->request = r;
    ctx->time_ms = ngx_ai_gateway_now_ms();

    journal = ngx_ai_gateway_journal();

    if (journal != NULL) {
        aigw_journal_new_id(journal, ctx->time_ms, ctx->id);

    } else {
        /* no row will have it, but the client may name it to an admin */
        ((uint32_t *) ctx->id)[0] = (uint32_t) ngx_random();
        ((uint32_t *) ctx->id)[1] = (uint32_t) ngx_random();
        ((uint32_t *) ctx->id)[2] = (uint32_t) ngx_random();
        ((uint32_t *) ctx->id)[3] = (uint32_t) ngx_random();
    }

    aigw_record_format_id(ctx->id, (char *) ctx->id_text);

    ngx_http_set_ctx(r, ctx, ngx_ai_gateway_module);

    return ctx;
}


static void
ngx_ai_gateway_set_account(ngx_ai_gateway_ctx_t *ctx,
    const aigw_access_t *access)
{
    ctx->key_known = 1;

    ctx->account[0].kind = AIGW_ACCOUNT_KEY;
    ctx->account[0].id = access->key_id;
    ctx->account[0].limit_nano = access->key_quota_nano;

    ctx->account[1].kind = AIGW_ACCOUNT_PROJECT;
    ctx->account[1].id = access->project_id;
    ctx->account[1].limit_nano = access->project_quota_nano;

    ctx->account[2].kind = AIGW_ACCOUNT_USER;
    ctx->account[2].id = access->user_id;
    ctx->account[2].limit_nano = access->user_quota_nano;

    ngx_memcpy(ctx->project, access->project_name, sizeof(ctx->project));
    ngx_memcpy(ctx->key_prefix, access->key_prefix, sizeof(ctx->key_prefix));
}


static ngx_int_t
ngx_ai_gateway_refuse_disabled(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const aigw_access_t *access)
{
    ngx_str_t  message;

    if (access->key_revoked) {
        ngx_str_set(&message, "The API key has been revoked. Ask your admin"
                    " for a new one.");

    } else if (!access->key_enabled) {
        ngx_str_set(&message, "The API key is disabled. Ask your admin.");

    } else if (!access->project_enabled) {
        ngx_str_set(&message, "The project of this API key is disabled. Ask"
                    " your admin.");

    } else {
        ngx_str_set(&message, "The user who owns this API key's project is"
                    " disabled. Ask your admin.");
    }

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_KEY_DISABLED, NULL,
                                 &message);
}


static ngx_int_t
ngx_ai_gateway_refuse_expired(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const char *what, int64_t expires_ms)
{
    char       date[AIGW_TIME_LEN + 1];
    u_char     text[128];
    ngx_str_t  message;

    aigw_time_format(expires_ms, date);

    message.data = text;
    message.len = ngx_snprintf(text, sizeof(text), "The %s expired at %s. Ask"
                               " your admin for a new one.", what, date)
                  - text;

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_KEY_EXPIRED, NULL,
                                 &message);
}


static ngx_int_t
ngx_ai_gateway_refuse_spent(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    unsigned which)
{
    char        limit[AIGW_AMOUNT_LEN + 1], used[AIGW_AMOUNT_LEN + 1];
    u_char      text[256];
    int64_t     spent, held;
    ngx_str_t   message;

    static const char  *names[] = { "API key", "project", "user" };

    aigw_live_read(ngx_ai_gateway_live(), ctx->account[which].kind,
                   ctx->account[which].id, &spent, &held);

    (void) aigw_amount_format(ctx->account[which].limit_nano, limit);
    (void) aigw_amount_format(spent, used);

    message.data = text;
    message.len = ngx_snprintf(text, sizeof(text), "The quota of this %s is"
                               " spent: %s of %s. Ask your admin to raise it.",
                               names[which], used, limit)
                  - text;

    return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_QUOTA_SPENT, NULL,
                                 &message);
}


ngx_int_t
ngx_ai_gateway_check_access(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_access_t *access)
{
    unsigned    which;
    aigw_err_t  err;

    if (ngx_ai_gateway_store() == NULL) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNAVAILABLE, NULL,
                                     NULL);
    }

    err = aigw_store_find_access(ngx_ai_gateway_store(), ctx->hash, access);

    if (err == AIGW_ENOTFOUND) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNKNOWN_KEY, NULL,
                                     NULL);
    }

    if (err != AIGW_OK) {
        ngx_ai_gateway_store_failed(r, "cannot look a key up", err);
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNAVAILABLE, NULL,
                                     NULL);
    }

    ngx_ai_gateway_set_account(ctx, access);

    if (access->key_revoked || !access->key_enabled
        || !access->project_enabled || !access->user_enabled)
    {
        return ngx_ai_gateway_refuse_disabled(r, ctx, access);
    }

    if (aigw_limit_expired(access->key_expires_ms, ngx_ai_gateway_now_ms())) {
        return ngx_ai_gateway_refuse_expired(r, ctx, "API key",
                                             access->key_expires_ms);
    }

    if (aigw_limit_expired(access->project_expires_ms,
                           ngx_ai_gateway_now_ms()))
    {
        return ngx_ai_gateway_refuse_expired(r, ctx, "project of this API key",
                                             access->project_expires_ms);
    }

    if (ctx->route != AIGW_ROUTE_CHAT) {
        return NGX_OK;
    }

    err = aigw_live_admit(ngx_ai_gateway_live(), ctx->account, &which);

    if (err == AIGW_ERANGE) {
        return ngx_ai_gateway_refuse_spent(r, ctx, which);
    }

    if (err == AIGW_OK) {
        err = aigw_journal_ready(ngx_ai_gateway_journal(),
                                 ngx_ai_gateway_now_ms());
    }

    if (err != AIGW_OK) {
        ngx_ai_gateway_store_failed(r, "cannot admit a call", err);
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNAVAILABLE, NULL,
                                     NULL);
    }

    return NGX_OK;
}


/* A body that is plain JSON as far as its headers tell. */
static ngx_uint_t
ngx_ai_gateway_is_json(ngx_http_request_t *r)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  encoding = ngx_string("content-encoding");
    static ngx_str_t  identity = ngx_string("identity");
    static ngx_str_t  json = ngx_string("application/json");

    h = r->headers_in.content_type;

    if (h != NULL) {
        len = json.len;

        if (h->value.len < len
            || ngx_strncasecmp(h->value.data, json.data, len) != 0
            || (h->value.len > len && h->value.data[len] != ';'
                && h->value.data[len] != ' '))
        {
            return 0;
        }
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 1;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == encoding.len
            && ngx_strncasecmp(h[i].key.data, encoding.data, encoding.len) == 0
            && (h[i].value.len != identity.len
                || ngx_strncasecmp(h[i].value.data, identity.data,
                                   identity.len)
                   != 0))
        {
            return 0;
        }
    }
}


static ngx_int_t
ngx_ai_gateway_first_pass(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    aigw_access_t            access;
    ngx_ai_gateway_route_t  *route;

    for (route = ngx_ai_gateway_routes; route->uri.len; route++) {

        if (r->uri.len == route->uri.len
            && ngx_memcmp(r->uri.data, route->uri.data, r->uri.len) == 0)
        {
            break;
        }
    }

    if (route->uri.len && (r->method & route->methods)) {
        ctx->route = (uint8_t) route->route;
    }

    if (ngx_ai_gateway_authenticate(r, ctx) != NGX_OK
        || ngx_ai_gateway_check_access(r, ctx, &access) != NGX_OK)
    {
        return NGX_DONE;
    }

    if (route->uri.len == 0) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNKNOWN_URL, NULL,
                                     NULL);
    }

    if (ctx->route == AIGW_ROUTE_NONE) {

        if (ngx_ai_gateway_add_header(r, "Allow", &route->allow) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_METHOD, NULL, NULL);
    }

    if (ctx->route == AIGW_ROUTE_MODELS) {
        ctx->state = NGX_AI_GATEWAY_ANSWERED;
        ctx->local = 1;
        return ngx_ai_gateway_models(r, &access);
    }

    if (!ngx_ai_gateway_is_json(r)) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_MEDIA_TYPE, NULL,
                                     NULL);
    }

    return ngx_ai_gateway_read_body(r, ctx);
}


ngx_int_t
ngx_ai_gateway_access_handler(ngx_http_request_t *r)
{
    ngx_ai_gateway_ctx_t  *ctx;

    if (r != r->main || !ngx_ai_gateway_alcf(r)->enable) {
        return NGX_DECLINED;
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
        /* unless the body could not be read, and an error page leads here */
        return r->err_status ? NGX_HTTP_NOT_FOUND : NGX_DONE;

    case NGX_AI_GATEWAY_SCANNED:
        return ngx_ai_gateway_decide(r, ctx);

    case NGX_AI_GATEWAY_ADMITTED:
        break;

    default:
        /* an error page of the operator's has led back here */
        return NGX_HTTP_NOT_FOUND;
    }

    /* an internal redirect: the same call on another location of ours */

    if (r->content_handler != ngx_ai_gateway_content_handler) {
        ctx->content_handler = r->content_handler;
        r->content_handler = ngx_ai_gateway_content_handler;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_ai_gateway_refuse_model(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_verdict_t verdict, const char *text)
{
    u_char     buf[AIGW_MODEL_MAX + 128];
    ngx_str_t  message;

    message.data = buf;
    message.len = ngx_snprintf(buf, sizeof(buf), "The model '%s' %s GET"
                               " /v1/models lists those that this API key may"
                               " use.", ctx->model, text)
                  - buf;

    return ngx_ai_gateway_refuse(r, ctx, verdict, "model", &message);
}


/* The body is known: the model, its price, and all of the rest once more,
   since reading a body may take minutes. */
static ngx_int_t
ngx_ai_gateway_decide(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    aigw_str_t     model, patterns;
    aigw_err_t     err;
    aigw_access_t  access;

    if (ngx_ai_gateway_check_access(r, ctx, &access) != NGX_OK) {
        return NGX_DONE;
    }

    model.data = ctx->model;
    model.len = ngx_strlen(ctx->model);

    patterns.data = access.key_models;
    patterns.len = ngx_strlen(access.key_models);

    if (!aigw_limit_model_allowed(patterns, model)) {
        return ngx_ai_gateway_refuse_model(r, ctx,
                                           AIGW_VERDICT_MODEL_NOT_ALLOWED,
                                           "is not allowed for this API key.");
    }

    patterns.data = access.project_models;
    patterns.len = ngx_strlen(access.project_models);

    if (!aigw_limit_model_allowed(patterns, model)) {
        return ngx_ai_gateway_refuse_model(r, ctx,
                                           AIGW_VERDICT_MODEL_NOT_ALLOWED,
                                           "is not allowed for this project.");
    }

    err = aigw_store_find_price(ngx_ai_gateway_store(), model, ctx->time_ms,
                                &ctx->price);

    if (err == AIGW_ENOTFOUND) {
        return ngx_ai_gateway_refuse_model(r, ctx,
                                           AIGW_VERDICT_MODEL_NOT_FOUND,
                                           "has no price here.");
    }

    if (err != AIGW_OK) {
        ngx_ai_gateway_store_failed(r, "cannot look a price up", err);
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_UNAVAILABLE, NULL,
                                     NULL);
    }

    if (ngx_ai_gateway_splice_body(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_AI_GATEWAY_ADMITTED;
    ctx->content_handler = r->content_handler;
    r->content_handler = ngx_ai_gateway_content_handler;

    return NGX_DECLINED;
}
