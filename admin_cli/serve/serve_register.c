/*
 * Accounts that people make themselves, by an invitation or, where sign-up is
 * open, without. Both dialects come here. Whether a name is taken must be said,
 * so it may not be asked often: all tries count. Threats M01, M09, M15.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "aigw_price.h"
#include "aigw_seal.h"
#include "serve.h"


#define THROTTLED  "+register"        /* no user has such a name */


/* 0: the store fails. */
static int
signup_quota(const serve_request_t *r, int64_t *nano)
{
    char  value[AIGW_VALUE_MAX + 1];

    return cmd_setting_get(&r->cli, CLI_SETTING_SIGNUP_QUOTA, value) == CLI_OK
           && aigw_amount_parse(cli_str(value), nano) == AIGW_OK;
}


/* May somebody with this invitation (NULL: none) sign up? */
static serve_register_t
may_register(serve_request_t *r, const char *invite)
{
    char           signup[AIGW_VALUE_MAX + 1];
    aigw_ticket_t  ticket;

    if (cmd_setting_get(&r->cli, CLI_SETTING_SIGNUP, signup) != CLI_OK) {
        return SERVE_REGISTER_NO_STORE;
    }

    if (strcmp(signup, "closed") == 0) {
        return SERVE_REGISTER_CLOSED;
    }

    if (invite == NULL) {
        return strcmp(signup, "open") == 0 ? SERVE_REGISTER_OK
                                           : SERVE_REGISTER_NO_INVITE;
    }

    return aigw_store_find_ticket(r->cli.store, cli_str(invite), &ticket)
           == AIGW_OK && ticket.kind == AIGW_TICKET_INVITE
           ? SERVE_REGISTER_OK : SERVE_REGISTER_BAD_INVITE;
}


/* All that needs no hash, without which most wrong tries end. */
static serve_register_t
look(serve_request_t *r, const char *name, const char *invite)
{
    aigw_err_t         err;
    aigw_user_t        user;
    aigw_login_t       login;
    serve_register_t   result;

    if (!serve_open(r, CLI_NEEDS_STORE)) {
        return SERVE_REGISTER_NO_STORE;
    }

    result = may_register(r, invite);

    if (result == SERVE_REGISTER_OK) {
        err = aigw_store_find_login(r->cli.store, cli_str(name), &user,
                                    &login);
        result = err == AIGW_ENOTFOUND ? SERVE_REGISTER_OK
                 : err == AIGW_OK ? SERVE_REGISTER_TAKEN
                 : SERVE_REGISTER_NO_STORE;
    }

    serve_close(r);

    if (result == SERVE_REGISTER_NO_STORE) {
        serve_fail_store(r);
    }

    return result;
}


static aigw_err_t
take_name(serve_request_t *r, const char *invite,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
{
    if (invite != NULL) {
        return aigw_store_take_invite(r->cli.store, cli_str(invite), password,
                                      user, login);
    }

    return signup_quota(r, &user->quota_nano)
           ? aigw_store_sign_up(r->cli.store, password, user, login)
           : AIGW_EIO;
}


/* The user, and a session of theirs, in an open store. */
static serve_register_t
add_user(serve_request_t *r, const char *invite,
    const aigw_password_t *password, serve_session_t *session)
{
    aigw_err_t         err;
    aigw_login_t       login;
    serve_register_t   result = may_register(r, invite);

    if (result != SERVE_REGISTER_OK) {
        return result;
    }

    err = take_name(r, invite, password, &session->user, &login);

    if (err == AIGW_OK) {
        return serve_begin_session(r, &login, session)
               ? SERVE_REGISTER_OK : SERVE_REGISTER_NO_STORE;
    }

    return err == AIGW_EEXIST ? SERVE_REGISTER_TAKEN
           : err == AIGW_ENOTFOUND ? SERVE_REGISTER_BAD_INVITE
           : SERVE_REGISTER_NO_STORE;
}


serve_register_t
serve_try_register(serve_request_t *r, const char *name, const char *password,
    const char *invite, serve_session_t *session)
{
    aigw_password_t    hash;
    serve_register_t   result;

    memset(session, 0, sizeof(serve_session_t));
    session->wait_ms = serve_throttle_check(THROTTLED, r->from);

    if (session->wait_ms > 0) {
        return SERVE_REGISTER_LATER;
    }

    serve_throttle_fail(THROTTLED, r->from);
    result = look(r, name, invite);

    if (result != SERVE_REGISTER_OK) {
        return result;
    }

    if (!serve_hash_password(r, password, &hash, &session->wait_ms)) {
        return session->wait_ms > 0 ? SERVE_REGISTER_LATER
                                    : SERVE_REGISTER_NO_STORE;
    }

    snprintf(session->user.name, sizeof(session->user.name), "%s", name);

    if (!serve_open(r, CLI_NEEDS_WRITE)) {
        return SERVE_REGISTER_NO_STORE;
    }

    result = add_user(r, invite, &hash, session);
    serve_close(r);
    aigw_cleanse(&hash, sizeof(hash));

    if (result == SERVE_REGISTER_NO_STORE) {
        serve_fail_store(r);
    }

    return result;
}


static void
fail(serve_request_t *r, serve_register_t result, int64_t wait_ms)
{
    switch (result) {

    case SERVE_REGISTER_LATER:
        serve_fail(r, MHD_HTTP_TOO_MANY_REQUESTS, "too_many_tries", NULL, NULL,
                   "too many tries, wait a little");
        serve_retry_after(r, wait_ms);
        break;

    case SERVE_REGISTER_CLOSED:
        serve_fail(r, MHD_HTTP_FORBIDDEN, "signup_closed", NULL,
                   "an admin can make an account: aigw user create",
                   "sign-up is closed");
        break;

    case SERVE_REGISTER_NO_INVITE:
        serve_fail(r, MHD_HTTP_FORBIDDEN, "invitation_needed", "invite",
                   "an admin can make one: aigw invite create",
                   "an invitation is needed");
        break;

    case SERVE_REGISTER_BAD_INVITE:
        serve_fail(r, MHD_HTTP_FORBIDDEN, "bad_invitation", "invite", NULL,
                   "this invitation is used up, has expired, or is none");
        break;

    case SERVE_REGISTER_TAKEN:
        serve_fail(r, MHD_HTTP_CONFLICT, "conflict", "name", NULL,
                   "this name is taken");
        break;

    default:                          /* answered */
        break;
    }
}


void
serve_register(serve_request_t *r)
{
    const char        *password, *invite;
    serve_session_t    session;
    serve_register_t   result;

    if (!serve_take_form(r)) {
        return;
    }

    password = cli_option(&r->cli, "password")->text;
    invite = cli_option(&r->cli, "invite")->text;
    invite = invite != NULL && invite[0] != '\0' ? invite : NULL;

    if (aigw_password_check(cli_str(password)) != AIGW_OK) {
        serve_fail(r, MHD_HTTP_BAD_REQUEST, "usage", "password", NULL,
                   "password: it has %d to %d bytes", AIGW_PASSWORD_MIN,
                   AIGW_PASSWORD_MAX);
        return;
    }

    result = serve_try_register(r, cli_option(&r->cli, "name")->text,
                                password, invite, &session);

    if (result == SERVE_REGISTER_OK) {
        serve_answer_session(r, &session);

    } else {
        fail(r, result, session.wait_ms);
    }

    aigw_cleanse(&session, sizeof(session));
}
