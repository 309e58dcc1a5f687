/*
 * Who calls: a token as Bearer, or in the cookie of the page. It counts as long
 * as its user is enabled and the version of their login is the one it was made
 * for: logging out, another password or role, disabling and deleting raise it.
 * Threats M14, M21.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include <openssl/crypto.h>

#include "aigw_store_audit.h"
#include "serve.h"


#define BEARER  "Bearer "


static int
no_session(serve_request_t *r, const char *message)
{
    serve_fail(r, MHD_HTTP_UNAUTHORIZED, "not_logged_in", NULL,
               "POST /admin/api/login gives a token", "%s", message);

    return 0;
}


/* Browsers say of which page a change is: of one of ours, if they say it. Ports
   are not looked at, since nginx's $host has none. */
static int
is_own_origin(const serve_request_t *r)
{
    size_t       len;
    const char  *host = serve_header(r, MHD_HTTP_HEADER_HOST);
    const char  *origin = serve_header(r, MHD_HTTP_HEADER_ORIGIN);

    if (origin == NULL) {
        return 1;
    }

    origin = strstr(origin, "://");

    if (origin == NULL || host == NULL) {
        return 0;
    }

    origin += 3;
    len = strcspn(origin, origin[0] == '[' ? "]" : ":");

    return len > 0 && len == strcspn(host, host[0] == '[' ? "]" : ":")
           && strncasecmp(origin, host, len) == 0;
}


/* A cookie comes along whoever made the browser send it: what changes something
   also needs what only our own pages can read. */
static int
is_own_page(const serve_request_t *r, const serve_claims_t *claims)
{
    const char  *csrf = serve_header(r, "X-CSRF-Token");
    const char  *site = serve_header(r, "Sec-Fetch-Site");

    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0) {
        return 1;
    }

    return csrf != NULL && strlen(csrf) == SERVE_CSRF_LEN
           && CRYPTO_memcmp(csrf, claims->csrf, SERVE_CSRF_LEN) == 0
           && (site == NULL || strcmp(site, "same-origin") == 0)
           && is_own_origin(r);
}


static unsigned
role_of(const aigw_user_t *user)
{
    return user->role == AIGW_ROLE_ADMIN ? SERVE_ADMIN
           : user->role == AIGW_ROLE_AUDITOR ? SERVE_AUDITOR : SERVE_MEMBER;
}


void
serve_act(serve_request_t *r)
{
    aigw_actor_t  actor = { .kind = AIGW_ACTOR_API };

    actor.id = r->user.id;
    memcpy(actor.name, r->user.name, sizeof(actor.name));
    memcpy(actor.from, r->from, sizeof(r->from));
    aigw_store_act_as(r->cli.store, &actor);
}


/* The user whom claims are of, if they still hold. */
static int
find_user(const serve_request_t *r, const serve_claims_t *claims,
    aigw_user_t *user)
{
    aigw_login_t  login;

    return aigw_store_get_login(r->cli.store, claims->user_id, user, &login)
           == AIGW_OK
           && user->enabled && login.token_version == claims->version;
}


/* Whoever sends a header of their own is not asked for a cookie. */
static const char *
find_token(serve_request_t *r)
{
    const char  *token = serve_header(r, MHD_HTTP_HEADER_AUTHORIZATION);

    if (token != NULL) {
        return strncasecmp(token, BEARER, sizeof(BEARER) - 1) == 0
               ? token + sizeof(BEARER) - 1 : NULL;
    }

    token = MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND,
                                        SERVE_COOKIE);
    r->user.cookie = token != NULL;

    return token;
}


int
serve_authenticate(serve_request_t *r)
{
    const char      *token;
    aigw_user_t      user;
    serve_claims_t   claims;

    token = find_token(r);

    if (token == NULL) {
        return no_session(r, "you are not logged in");
    }

    if (!serve_jwt_verify(token, &claims) || !find_user(r, &claims, &user)) {
        return no_session(r, "this session has ended");
    }

    if (r->user.cookie && !is_own_page(r, &claims)) {
        serve_fail(r, MHD_HTTP_FORBIDDEN, "csrf", NULL, "send `csrf_token` of"
                   " GET /admin/api/me as X-CSRF-Token", "a cookie alone"
                   " changes nothing");
        return 0;
    }

    r->user.id = user.id;
    r->user.role = role_of(&user);
    memcpy(r->user.name, user.name, sizeof(user.name));
    memcpy(r->user.csrf, claims.csrf, sizeof(claims.csrf));
    serve_act(r);

    return 1;
}
