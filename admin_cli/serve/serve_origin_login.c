/*
 * Accounts in the words of the origin: registering, logging in by OAuth2's
 * password form (RFC 6749, 4.3), and the first admin.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "aigw_seal.h"
#include "serve_origin.h"


#define BAD_INVITE  "邀请码无效或已过期"
#define BAD_TOKEN   "初始化令牌无效或已使用"
#define NO_ADMIN    "用户名已存在，且不是管理员"


static void
answer_token(serve_request_t *r, const serve_session_t *session)
{
    cJSON  *answer = cJSON_CreateObject();

    cli_add_text(answer, "access_token", session->token);
    cli_add_text(answer, "token_type", "bearer");
    serve_answer(r, MHD_HTTP_OK, answer);
}


static void
too_often(serve_request_t *r, int64_t wait_ms)
{
    serve_origin_detail(r, MHD_HTTP_TOO_MANY_REQUESTS, SERVE_ORIGIN_OFTEN);
    serve_retry_after(r, wait_ms);
}


/* The name of a new user, or NULL. */
static const char *
take_name(serve_origin_in_t *in, int required)
{
    const char  *name;

    name = serve_origin_text(in, "username", required, 1, SERVE_BODY_MAX);

    if (name != NULL && aigw_store_check_name(cli_str(name)) != AIGW_OK) {
        serve_origin_fault(in, "username", "value_error",
                           SERVE_ORIGIN_BAD_NAME);
        name = NULL;
    }

    return name;
}


static void
fail_register(serve_request_t *r, serve_register_t result, int64_t wait_ms)
{
    switch (result) {

    case SERVE_REGISTER_LATER:
        too_often(r, wait_ms);
        break;

    case SERVE_REGISTER_CLOSED:
        serve_origin_detail(r, MHD_HTTP_FORBIDDEN,
                            "注册已关闭，请联系管理员创建账号");
        break;

    case SERVE_REGISTER_NO_INVITE:
        serve_origin_detail(r, MHD_HTTP_FORBIDDEN, "注册需要邀请码"
                            "（invite_code），请向管理员索取");
        break;

    case SERVE_REGISTER_BAD_INVITE:
        serve_origin_detail(r, MHD_HTTP_FORBIDDEN, BAD_INVITE);
        break;

    case SERVE_REGISTER_TAKEN:
        serve_origin_detail(r, MHD_HTTP_BAD_REQUEST, "用户名已存在");
        break;

    default:                          /* answered */
        break;
    }
}


void
serve_origin_register(serve_request_t *r)
{
    const char         *name, *password, *invite;
    serve_session_t     session;
    serve_register_t    result;
    serve_origin_in_t   in;

    serve_origin_take_body(&in, r, SERVE_ORIGIN_JSON|SERVE_ORIGIN_FORM);
    name = take_name(&in, 1);
    password = serve_origin_text(&in, "password", 1, AIGW_PASSWORD_MIN,
                                 AIGW_PASSWORD_MAX);
    invite = serve_origin_text(&in, "invite_code", 0, 0, SERVE_TOKEN_MAX);

    if (serve_origin_is_faulty(&in)) {
        return;
    }

    invite = invite != NULL && invite[0] != '\0' ? invite : NULL;
    result = serve_try_register(r, name, password, invite, &session);

    if (result == SERVE_REGISTER_OK) {
        answer_token(r, &session);

    } else {
        fail_register(r, result, session.wait_ms);
    }

    aigw_cleanse(&session, sizeof(session));
}


void
serve_origin_login(serve_request_t *r)
{
    const char         *name, *password, *grant;
    serve_session_t     session = { 0 };
    serve_origin_in_t   in;

    serve_origin_take_body(&in, r, SERVE_ORIGIN_FORM);
    grant = serve_origin_text(&in, "grant_type", 0, 0, SERVE_BODY_MAX);
    name = serve_origin_text(&in, "username", 1, 0, AIGW_NAME_MAX);
    password = serve_origin_text(&in, "password", 1, 0, AIGW_PASSWORD_MAX);

    if (grant != NULL && grant[0] != '\0' && strcmp(grant, "password") != 0) {
        serve_origin_fault(&in, "grant_type", "string_pattern_mismatch",
                           "String should match pattern '^password$'");
    }

    if (serve_origin_is_faulty(&in)) {
        return;
    }

    switch (serve_try_login(r, name, password, &session)) {

    case SERVE_TRY_OK:
        answer_token(r, &session);
        break;

    case SERVE_TRY_LATER:
        too_often(r, session.wait_ms);
        break;

    case SERVE_TRY_DISABLED:
        serve_origin_detail(r, MHD_HTTP_FORBIDDEN, "账号已被禁用");
        break;

    case SERVE_TRY_WRONG:
        serve_origin_detail(r, MHD_HTTP_UNAUTHORIZED,
                            "用户名或密码错误");
        break;

    default:                          /* answered */
        break;
    }

    aigw_cleanse(&session, sizeof(session));
}


/* Is text the ticket of `store init`? 0: it is answered. */
static int
is_bootstrap(serve_request_t *r, const char *text)
{
    aigw_err_t     err;
    aigw_ticket_t  ticket;

    if (!serve_open(r, CLI_NEEDS_STORE)) {
        return 0;
    }

    err = aigw_store_find_ticket(r->cli.store, cli_str(text), &ticket);
    serve_close(r);

    if (err == AIGW_OK && ticket.kind == AIGW_TICKET_BOOTSTRAP) {
        return 1;
    }

    serve_origin_detail(r, MHD_HTTP_FORBIDDEN, BAD_TOKEN);

    return 0;
}


/* In an open store. */
static void
make_admin(serve_request_t *r, const char *token,
    const aigw_password_t *password, serve_session_t *session)
{
    cJSON         *data;
    aigw_err_t     err;
    aigw_login_t   login;

    err = aigw_store_take_bootstrap(r->cli.store, cli_str(token), password,
                                    &session->user, &login);

    if (err == AIGW_OK && serve_begin_session(r, &login, session)) {
        data = serve_origin_answer(r, "管理员初始化成功");
        cli_add_text(data, "username", session->user.name);
        cli_add_text(data, "access_token", session->token);
        cli_add_text(data, "token_type", "bearer");

    } else if (err == AIGW_ENOTFOUND) {
        serve_origin_detail(r, MHD_HTTP_FORBIDDEN, BAD_TOKEN);

    } else if (err == AIGW_EEXIST) {
        serve_origin_detail(r, MHD_HTTP_BAD_REQUEST, NO_ADMIN);

    } else {
        serve_fail_store(r);
    }
}


void
serve_origin_init(serve_request_t *r)
{
    int64_t             wait_ms;
    const char         *name, *password, *token;
    aigw_password_t     hash;
    serve_session_t     session = { 0 };
    serve_origin_in_t   in;

    serve_origin_take_body(&in, r, SERVE_ORIGIN_JSON|SERVE_ORIGIN_FORM);
    token = serve_origin_text(&in, "token", 1, 1, SERVE_TOKEN_MAX);
    name = take_name(&in, 0);
    password = serve_origin_text(&in, "password", 1, AIGW_PASSWORD_MIN,
                                 AIGW_PASSWORD_MAX);

    if (serve_origin_is_faulty(&in) || !is_bootstrap(r, token)) {
        return;
    }

    if (!serve_hash_password(r, password, &hash, &wait_ms)) {
        if (wait_ms > 0) {
            too_often(r, wait_ms);
        }

        return;
    }

    snprintf(session.user.name, sizeof(session.user.name), "%s",
             name ? name : "admin");

    if (serve_open(r, CLI_NEEDS_WRITE)) {
        make_admin(r, token, &hash, &session);
        serve_close(r);
    }

    aigw_cleanse(&hash, sizeof(hash));
    aigw_cleanse(&session, sizeof(session));
}
