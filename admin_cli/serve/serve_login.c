/* Sessions begin and end here, and passwords are set. Threats M14, M21. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "aigw_seal.h"
#include "aigw_time.h"
#include "serve.h"


void
serve_retry_after(serve_request_t *r, int64_t wait_ms)
{
    char  seconds[CLI_TEXT_LEN];

    snprintf(seconds, sizeof(seconds), "%lld",
             (long long) (wait_ms + 999) / 1000);
    serve_add_header(r, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
}


/* Of the form; NULL: not given. */
static const char *
given(const serve_request_t *r, const char *name)
{
    return cli_option(&r->cli, name)->text;
}


/* The cookie of the page; an empty token ends it. */
static void
set_cookie(serve_request_t *r, const char *token, int64_t seconds)
{
    char         cookie[SERVE_TOKEN_MAX + 160];
    const char  *scheme = serve_header(r, "X-Forwarded-Proto");

    snprintf(cookie, sizeof(cookie), SERVE_COOKIE "=%s; Path=/; Max-Age=%lld;"
             " HttpOnly; SameSite=Strict%s", token, (long long) seconds,
             scheme != NULL && strcmp(scheme, "https") == 0 ? "; Secure" : "");
    serve_add_header(r, MHD_HTTP_HEADER_SET_COOKIE, cookie);
    aigw_cleanse(cookie, sizeof(cookie));
}


/* With {"cookie":true} the token goes into the cookie, where no script of a page
   reads it; else into the answer. */
void
serve_answer_session(serve_request_t *r, serve_session_t *session)
{
    int     cookie = given(r, "cookie") != NULL;
    cJSON  *answer = cJSON_CreateObject();

    if (cookie) {
        set_cookie(r, session->token,
                   (session->expires_ms - aigw_time_now_ms()) / 1000);
    }

    cli_add_text(answer, "token", cookie ? NULL : session->token);
    cli_add_text(answer, "token_type", "Bearer");
    cli_add_time(answer, "expires_at", session->expires_ms);
    cli_add_text(answer, "csrf_token", cookie ? session->csrf : NULL);
    cli_add_id(answer, "id", session->user.id);
    cli_add_text(answer, "name", session->user.name);
    cli_add_text(answer, "role", aigw_record_role_name(session->user.role));
    serve_answer(r, MHD_HTTP_OK, answer);
    aigw_cleanse(session, sizeof(serve_session_t));
}


void
serve_fail_try(serve_request_t *r, serve_try_t result, int64_t wait_ms)
{
    switch (result) {

    case SERVE_TRY_LATER:
        serve_fail(r, MHD_HTTP_TOO_MANY_REQUESTS, "too_many_tries", NULL, NULL,
                   "too many tries, wait a little");
        serve_retry_after(r, wait_ms);
        break;

    case SERVE_TRY_DISABLED:
        serve_fail(r, MHD_HTTP_FORBIDDEN, "not_authorised", NULL,
                   "an admin can enable it", "this account is disabled");
        break;

    case SERVE_TRY_WRONG:
        serve_fail(r, MHD_HTTP_UNAUTHORIZED, "wrong_password", NULL, NULL,
                   "wrong name or password");
        break;

    default:                          /* answered */
        break;
    }
}


/* It costs nothing, and it is not shown. */
static void
fail_password(serve_request_t *r)
{
    serve_fail(r, MHD_HTTP_BAD_REQUEST, "usage", "password", NULL,
               "password: it has %d to %d bytes", AIGW_PASSWORD_MIN,
               AIGW_PASSWORD_MAX);
}


/* Hashes a new password, without an open store. 0: it is answered. */
static int
hash_password(serve_request_t *r, const char *password, aigw_password_t *hash)
{
    int64_t  wait_ms;

    if (aigw_password_check(cli_str(password)) != AIGW_OK) {
        fail_password(r);
        return 0;
    }

    if (serve_hash_password(r, password, hash, &wait_ms)) {
        return 1;
    }

    if (wait_ms > 0) {
        serve_fail_try(r, SERVE_TRY_LATER, wait_ms);
    }

    return 0;
}


/* Stores it, in an open store. 0: it is answered. */
static int
set_password(serve_request_t *r, aigw_login_t *login)
{
    aigw_err_t  err;

    err = aigw_store_set_password(r->cli.store, login);

    if (err == AIGW_AGAIN) {
        serve_fail(r, MHD_HTTP_CONFLICT, "conflict", NULL, NULL,
                   "it was changed by somebody else at this moment");

    } else if (err != AIGW_OK) {
        serve_fail_store(r);
    }

    return err == AIGW_OK;
}


void
serve_login(serve_request_t *r)
{
    serve_try_t      result;
    serve_session_t  session;

    if (!serve_take_form(r)) {
        return;
    }

    if (strlen(given(r, "password")) > AIGW_PASSWORD_MAX) {
        fail_password(r);
        return;
    }

    result = serve_try_login(r, given(r, "name"), given(r, "password"),
                             &session);

    if (result == SERVE_TRY_OK) {
        serve_answer_session(r, &session);

    } else {
        serve_fail_try(r, result, session.wait_ms);
    }
}


static void
fail_link(serve_request_t *r, aigw_err_t err)
{
    if (err != AIGW_ENOTFOUND && err != AIGW_EINVAL) {
        serve_fail_store(r);
        return;
    }

    serve_fail(r, MHD_HTTP_UNAUTHORIZED, "bad_link", NULL,
               "aigw user link NAME makes another",
               "this link is used up, has expired, or is none");
}


/* The password that comes with a link is hashed before the link is used: one
   that is refused does not cost it, and who has no link computes nothing. */
static int
prepare_link(serve_request_t *r, const char *token, aigw_password_t *hash)
{
    aigw_err_t      err;
    const char     *password = given(r, "password");
    aigw_ticket_t   ticket;

    if (password == NULL) {
        return 1;
    }

    if (!serve_open(r, CLI_NEEDS_STORE)) {
        return 0;
    }

    err = aigw_store_find_ticket(r->cli.store, cli_str(token), &ticket);
    serve_close(r);

    if (err == AIGW_OK) {
        return hash_password(r, password, hash);
    }

    fail_link(r, err);

    return 0;
}


/* By a one-time link; with "password" it is also set: who has lost theirs needs
   no other way. */
void
serve_login_link(serve_request_t *r)
{
    const char       *token;
    aigw_err_t        err;
    aigw_login_t      login;
    aigw_password_t   hash = { 0 };
    serve_session_t   session = { 0 };

    if (!serve_take_form(r)) {
        return;
    }

    token = given(r, "token");

    if (!prepare_link(r, token, &hash) || !serve_open(r, CLI_NEEDS_WRITE)) {
        return;
    }

    err = aigw_store_take_link(r->cli.store, cli_str(token), &session.user,
                               &login);
    if (err != AIGW_OK) {
        fail_link(r, err);
        return;
    }

    r->user.id = session.user.id;
    memcpy(r->user.name, session.user.name, sizeof(r->user.name));
    serve_act(r);

    if (hash.scheme != AIGW_PASSWORD_NONE) {
        login.password = hash;

        if (!set_password(r, &login)) {
            return;
        }
    }

    if (serve_begin_session(r, &login, &session)) {
        serve_answer_session(r, &session);

    } else {
        serve_fail_store(r);
    }
}


void
serve_logout(serve_request_t *r)
{
    uint32_t  version;

    if (!serve_take_form(r)) {
        return;
    }

    if (aigw_store_raise_version(r->cli.store, r->user.id, &version)
        != AIGW_OK)
    {
        serve_fail_store(r);
        return;
    }

    set_cookie(r, "", 0);
    serve_answer(r, MHD_HTTP_NO_CONTENT, NULL);
}


void
serve_me(serve_request_t *r)
{
    cJSON         *answer;
    aigw_user_t    user;
    aigw_login_t   login;

    if (!serve_take_form(r)) {
        return;
    }

    if (aigw_store_get_login(r->cli.store, r->user.id, &user, &login)
        != AIGW_OK)
    {
        serve_fail_store(r);
        return;
    }

    answer = cJSON_CreateObject();
    cli_add_id(answer, "id", user.id);
    cli_add_text(answer, "name", user.name);
    cli_add_text(answer, "role", aigw_record_role_name(user.role));
    cli_add_limit(answer, "quota", user.quota_nano);
    cJSON_AddBoolToObject(answer, "has_password", login.password.scheme
                                                  != AIGW_PASSWORD_NONE);
    cli_add_text(answer, "csrf_token", r->user.cookie ? r->user.csrf : NULL);
    serve_answer(r, MHD_HTTP_OK, answer);
}


/* Who has a password must know it; all sessions end. */
void
serve_me_password(serve_request_t *r)
{
    const char    *old, *password;
    aigw_err_t     err;
    serve_try_t    result;
    aigw_login_t   login;

    if (!serve_take_form(r)) {
        return;
    }

    password = given(r, "password");
    old = given(r, "old_password");
    err = aigw_store_get_login(r->cli.store, r->user.id, NULL, &login);
    serve_close(r);

    if (err != AIGW_OK) {
        serve_fail_store(r);
        return;
    }

    if (login.password.scheme != AIGW_PASSWORD_NONE) {
        result = serve_throttle_check(r->user.name, r->from) > 0
                 ? SERVE_TRY_LATER
                 : serve_check_password(r, r->user.name, old ? old : "", &login);

        if (result != SERVE_TRY_OK) {
            serve_fail_try(r, result, 1000);
            return;
        }
    }

    if (hash_password(r, password, &login.password)
        && serve_open(r, CLI_NEEDS_WRITE) && set_password(r, &login))
    {
        set_cookie(r, "", 0);
        serve_answer(r, MHD_HTTP_NO_CONTENT, NULL);
    }
}
