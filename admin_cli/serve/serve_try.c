/*
 * A password is tried: looked up, hashed outside of the store's lock, and
 * counted if it was wrong. An unknown name costs what a wrong password does.
 * Threats M15, M16.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "aigw_time.h"
#include "serve.h"


#define MINUTES  1440


/* How long a session lasts. */
static int64_t
session_ms(const serve_request_t *r)
{
    char     value[AIGW_VALUE_MAX + 1];
    int64_t  minutes = 0;
    size_t   i;

    if (aigw_store_get_setting(r->cli.store, cli_str("token_minutes"), value)
        == AIGW_OK)
    {
        for (i = 0; value[i] >= '0' && value[i] <= '9'; i++) {
            minutes = minutes * 10 + (value[i] - '0');
        }
    }

    return (minutes > 0 ? minutes : MINUTES) * 60000;
}


/* Gives session->user, whose login this is, a token. Needs an open store. */
int
serve_begin_session(serve_request_t *r, const aigw_login_t *login,
    serve_session_t *session)
{
    serve_claims_t  claims = { 0 };

    claims.user_id = login->user_id;
    claims.version = login->token_version;
    claims.expires_ms = aigw_time_now_ms() + session_ms(r);
    session->expires_ms = claims.expires_ms / 1000 * 1000;

    if (!serve_jwt_issue(&claims, session->token)) {
        return 0;
    }

    memcpy(session->csrf, claims.csrf, sizeof(claims.csrf));

    return 1;
}


/* The user of that name and their login; of nobody, without a password, if there
   is none. 0: it is answered. */
static int
look_up(serve_request_t *r, const char *name, aigw_user_t *user,
    aigw_login_t *login)
{
    aigw_err_t  err;

    if (!serve_open(r, CLI_NEEDS_STORE)) {
        return 0;
    }

    err = aigw_store_find_login(r->cli.store, cli_str(name), user, login);
    serve_close(r);

    if (err == AIGW_ENOTFOUND) {
        memset(user, 0, sizeof(aigw_user_t));
        memset(login, 0, sizeof(aigw_login_t));

    } else if (err != AIGW_OK) {
        serve_fail_store(r);
        return 0;
    }

    return 1;
}


/* The password is right: made at another cost than today's, it is hashed
   again. */
static void
rehash(serve_request_t *r, const char *password, aigw_login_t *login)
{
    aigw_login_t  fresh = *login;

    if (aigw_password_is_old(&login->password)
        && aigw_password_hash(cli_str(password), &fresh.password) == AIGW_OK
        && serve_open(r, CLI_NEEDS_WRITE))
    {
        if (aigw_store_rehash_password(r->cli.store, &fresh) != AIGW_OK) {
            fprintf(stderr, "aigw serve: a password was not hashed again\n");
        }

        serve_close(r);
    }
}


/* The one who asks has a place to hash at. */
static serve_try_t
verify(serve_request_t *r, const char *name, const char *password,
    aigw_login_t *login)
{
    if (aigw_password_verify(cli_str(password), &login->password) == AIGW_OK) {
        rehash(r, password, login);
        return SERVE_TRY_OK;
    }

    serve_throttle_fail(name, r->from);

    return SERVE_TRY_WRONG;
}


serve_try_t
serve_check_password(serve_request_t *r, const char *name, const char *password,
    aigw_login_t *login)
{
    serve_try_t  result;

    if (!serve_kdf_enter()) {
        return SERVE_TRY_LATER;
    }

    result = verify(r, name, password, login);
    serve_kdf_leave();

    return result;
}


/* Who finds no place to hash at does not come as far as the store: a flood of
   tries takes nothing from others. */
static serve_try_t
try_password(serve_request_t *r, const char *name, const char *password,
    serve_session_t *session, aigw_login_t *login)
{
    serve_try_t  result = SERVE_TRY_NO_STORE;

    session->wait_ms = serve_throttle_check(name, r->from);

    if (session->wait_ms > 0) {
        return SERVE_TRY_LATER;
    }

    if (!serve_kdf_enter()) {
        session->wait_ms = 1000;
        return SERVE_TRY_LATER;
    }

    if (look_up(r, name, &session->user, login)) {
        result = verify(r, name, password, login);
    }

    serve_kdf_leave();

    return result;
}


serve_try_t
serve_try_login(serve_request_t *r, const char *name, const char *password,
    serve_session_t *session)
{
    int           begun;
    serve_try_t   result;
    aigw_login_t  login;

    memset(session, 0, sizeof(serve_session_t));
    result = try_password(r, name, password, session, &login);

    if (result == SERVE_TRY_OK && !session->user.enabled) {
        return SERVE_TRY_DISABLED;
    }

    if (result != SERVE_TRY_OK || !serve_open(r, CLI_NEEDS_STORE)) {
        return result != SERVE_TRY_OK ? result : SERVE_TRY_NO_STORE;
    }

    begun = serve_begin_session(r, &login, session);
    serve_close(r);

    if (!begun) {
        serve_fail_store(r);
    }

    return begun ? SERVE_TRY_OK : SERVE_TRY_NO_STORE;
}


int
serve_hash_password(serve_request_t *r, const char *text,
    aigw_password_t *password, int64_t *wait_ms)
{
    aigw_err_t  err;

    *wait_ms = 1000;

    if (!serve_kdf_enter()) {
        return 0;
    }

    err = aigw_password_hash(cli_str(text), password);
    serve_kdf_leave();

    if (err != AIGW_OK) {
        *wait_ms = 0;
        serve_fail_store(r);
    }

    return err == AIGW_OK;
}
