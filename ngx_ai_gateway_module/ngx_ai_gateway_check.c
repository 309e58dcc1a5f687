/*
 * The rules above a call: key, project and user, their clocks and quotas, the
 * model and its price. Each refusal says which of them stands in the way and
 * what to do about it.
 */

#include "ngx_ai_gateway.h"


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

    ctx->leave = access->disconnect_abort;
    ctx->has_subkey = access->has_subkey;

    ngx_memcpy(ctx->project, access->project_name, sizeof(ctx->project));
    ngx_memcpy(ctx->key_prefix, access->key_prefix, sizeof(ctx->key_prefix));
}


static AIGW_COLD ngx_int_t
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


static AIGW_COLD ngx_int_t
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


/* Is there anything left, and room to record it? */
static ngx_int_t
ngx_ai_gateway_check_quota(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    int64_t     left;
    unsigned    which;
    aigw_err_t  err;

    (void) aigw_live_free(ngx_ai_gateway_live(), ctx->account, &left, &which);

    if (left == 0) {
        return ngx_ai_gateway_refuse_spent(r, ctx);
    }

    err = aigw_journal_ready(ngx_ai_gateway_journal(),
                             ngx_ai_gateway_now_ms());

    if (err != AIGW_OK) {
        return ngx_ai_gateway_refuse_unavailable(r, ctx, "cannot admit a call",
                                                 err);
    }

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_check_access(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_access_t *access)
{
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
        return ngx_ai_gateway_refuse_unavailable(r, ctx,
                                                 "cannot look a key up", err);
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

    return ngx_ai_gateway_is_metered(ctx) ? ngx_ai_gateway_check_quota(r, ctx)
                                          : NGX_OK;
}


static AIGW_COLD ngx_int_t
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


/* May the list's owner call target by this name? A wildcard must cover both;
   an alias that the list names itself is allowed whatever it stands for. */
static ngx_uint_t
ngx_ai_gateway_allowed(ngx_ai_gateway_ctx_t *ctx, const char *patterns,
    aigw_str_t name, aigw_str_t target)
{
    aigw_str_t  list;

    if (patterns[0] == '*' && patterns[1] == '\0') {
        return 1;                      /* what most lists say */
    }

    list.data = patterns;
    list.len = ngx_strlen(patterns);

    return aigw_limit_model_allowed(list, name)
           && (!ctx->alias || aigw_limit_model_named(list, name)
               || aigw_limit_model_allowed(list, target));
}


static void
ngx_ai_gateway_set_called(ngx_ai_gateway_ctx_t *ctx,
    const aigw_called_t *called)
{
    ctx->alias = called->alias;
    ctx->reasoning = called->reasoning;
    ctx->max_output = called->max_output;
    ctx->assumed_output = called->assumed_output;
    ctx->context = called->context;
}


ngx_int_t
ngx_ai_gateway_check_model(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    const aigw_access_t *access)
{
    aigw_err_t      err;
    aigw_str_t      name, target;
    aigw_called_t   called;

    /* a call that waits comes by here again */

    name.data = ctx->scan.request.model;
    name.len = ctx->scan.request.model_len;

    ngx_memcpy(ctx->model, name.data, name.len);
    ctx->model[name.len] = '\0';

    err = aigw_store_find_called(ngx_ai_gateway_store(), name, &called);

    if (err != AIGW_OK) {
        return ngx_ai_gateway_refuse_unavailable(r, ctx,
                                                 "cannot look a model up",
                                                 err);
    }

    target.data = called.model;
    target.len = called.model_len;

    ngx_ai_gateway_set_called(ctx, &called);

    if (!ngx_ai_gateway_allowed(ctx, access->key_models, name, target)) {
        return ngx_ai_gateway_refuse_model(r, ctx,
                                           AIGW_VERDICT_MODEL_NOT_ALLOWED,
                                           "is not allowed for this API key.");
    }

    if (!ngx_ai_gateway_allowed(ctx, access->project_models, name, target)) {
        return ngx_ai_gateway_refuse_model(r, ctx,
                                           AIGW_VERDICT_MODEL_NOT_ALLOWED,
                                           "is not allowed for this project.");
    }

    err = aigw_store_find_price(ngx_ai_gateway_store(), target, ctx->time_ms,
                                &ctx->price);

    if (err == AIGW_ENOTFOUND) {
        return ngx_ai_gateway_refuse_model(r, ctx,
                                           AIGW_VERDICT_MODEL_NOT_FOUND,
                                           "has no price here.");
    }

    if (err != AIGW_OK) {
        return ngx_ai_gateway_refuse_unavailable(r, ctx,
                                                 "cannot look a price up",
                                                 err);
    }

    if (ctx->alias) {
        ngx_memcpy(ctx->model, called.model, called.model_len);
        ctx->model[called.model_len] = '\0';
    }

    return NGX_OK;
}
