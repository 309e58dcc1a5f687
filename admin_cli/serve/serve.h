/*
 * The sidecar's header: `aigw serve`, an HTTP server on a unix socket behind
 * nginx. What it does for a request is what the command line does: routes are
 * commands (serve_routes.c), their fields are arguments and options of the one
 * command table. Traffic never depends on it.
 *
 * A request has a thread; one lock lets one at a time at the store, which each
 * request opens and closes, so that it sees what the path leads to now.
 */

#ifndef SERVE_H
#define SERVE_H

#include <microhttpd.h>

#include "aigw_store_login.h"
#include "cli.h"


#define SERVE_BODY_MAX    65536
#define SERVE_PARAMS_MAX  2
#define SERVE_TEXTS_MAX   (CLI_ARGS_MAX + CLI_OPTIONS_MAX)
#define SERVE_FROM_MAX    63
#define SERVE_TOKEN_MAX   1023        /* of a JWT that is looked at */
#define SERVE_CSRF_LEN    32
#define SERVE_SECRET_LEN  32
#define SERVE_COOKIE      "aigw_session"


/* Who may call a route. */
#define SERVE_ANYONE   0x01           /* without an account */
#define SERVE_MEMBER   0x02           /* what is theirs */
#define SERVE_AUDITOR  0x04
#define SERVE_ADMIN    0x08
#define SERVE_READERS  (SERVE_AUDITOR|SERVE_ADMIN)
#define SERVE_USERS    (SERVE_MEMBER|SERVE_READERS)
#define SERVE_OWNERS   (SERVE_MEMBER|SERVE_ADMIN)


#define SERVE_API      "/admin/api"


typedef struct serve_request_s  serve_request_t;

/* A route: a command, or a handler. A {part} of its path is the command's next
   argument, its other arguments and options are members of the body (POST, PUT,
   PATCH) or of the query. */
typedef struct {
    const char  *method;
    const char  *path;
    unsigned     roles;
    unsigned     status;              /* where all went well */
    const char  *noun;
    const char  *verb;
    const char  *without;             /* options that are not offered */
    void       (*handler)(serve_request_t *r);
    const char  *form;                /* what a handler takes and answers */
    int          origin;              /* errors are in its words: ORIGIN.md */
} serve_route_t;


/* Who calls, once serve_authenticate knows it. */
typedef struct {
    uint64_t  id;                     /* 0: nobody */
    unsigned  role;                   /* SERVE_MEMBER, ... */
    char      name[AIGW_NAME_MAX + 1];
    char      csrf[SERVE_CSRF_LEN + 1];
    unsigned  cookie:1;               /* not by Bearer */
} serve_user_t;


struct serve_request_s {
    struct MHD_Connection  *connection;
    const char             *method;
    char                   *path;
    const serve_route_t    *route;
    char                   *param[SERVE_PARAMS_MAX];    /* of path's copy */
    char                   *body;     /* ends with NUL */
    size_t                  body_len;
    unsigned                too_large:1;
    unsigned                origin:1; /* of the path's routes */
    unsigned                locked:1;
    char                    from[SERVE_FROM_MAX + 1];   /* address */
    cJSON                  *json;     /* the body */
    char                   *text[SERVE_TEXTS_MAX];      /* values made here */
    size_t                  texts;
    serve_user_t            user;
    cli_t                   cli;
    cli_caller_t            caller;

    unsigned                status;   /* the answer */
    cJSON                  *answer;
    const char             *bytes;    /* or these, static */
    size_t                  bytes_len;
    const char             *type;
    struct MHD_Response    *headers;  /* only to collect them */
};


/* serve.c: what holds for all requests. */
typedef struct {
    const char  *store_path;
    char         store_id[AIGW_STORE_ID_LEN + 1];
    uint8_t      secret[SERVE_SECRET_LEN];              /* signs tokens */
} serve_t;

extern serve_t  serve;


/* serve_http.c */
enum MHD_Result serve_on_request(void *ctx, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version,
    const char *data, size_t *len, void **state);
void serve_on_end(void *ctx, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode why);
/* A header of the request, or NULL. */
const char *serve_header(const serve_request_t *r, const char *name);
void serve_add_header(serve_request_t *r, const char *name,
    const char *value);
/* The answer; answer is taken. */
void serve_answer(serve_request_t *r, unsigned status, cJSON *answer);
/* An error in place of it. field, hint: or NULL. */
void serve_fail(serve_request_t *r, unsigned status, const char *code,
    const char *field, const char *hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* The same for what a command has left with its caller. */
void serve_fail_command(serve_request_t *r, cli_exit_t code);
/* The same for a store that failed: 503. */
void serve_fail_store(serve_request_t *r);

/* serve_routes.c: the one source of routes; ends with a nameless entry. */
extern const serve_route_t  serve_routes[];

/* serve_route.c: finds the route, or answers with 404 or 405. */
int serve_find_route(serve_request_t *r);
/* Has text the form of a route's path? Fills param with parts of it. */
int serve_path_matches(const char *pattern, char *path,
    char *param[SERVE_PARAMS_MAX]);
/* %XX in place (RFC 3986); 0: it is wrong, or a NUL. */
int serve_unescape(char *text);

/* serve_run.c: runs the route's command, or its handler. */
void serve_run(serve_request_t *r);
/* Takes the lock and opens the store for what needs says (CLI_NEEDS_...); 0: it
   is answered. serve_close undoes it and may be called twice. */
int serve_open(serve_request_t *r, unsigned needs);
void serve_close(serve_request_t *r);

/* serve_form.c: what handlers take and answer, as commands have it. */
/* NULL: the route gives a page. */
const cli_command_t *serve_command_of(const serve_route_t *route);
/* What is within an error. */
extern const cli_command_t  serve_error_form;
/* Takes body or query by the handler's form: cli_option has them. 0: it is
   answered. */
int serve_take_form(serve_request_t *r);

/* serve_value.c: values of a request as the command wants them. */
/* Body or query into cli; 0: it is answered. */
int serve_take_values(serve_request_t *r);
/* The body as a JSON object in r->json; 0: it is answered. */
int serve_parse_body(serve_request_t *r);
/* The name that an option or argument has here: --max-output is max_output,
   --key-file is key. Returns name. */
const char *serve_field_name(const cli_option_t *option,
    char name[CLI_TEXT_LEN]);
/* Is it a secret that the command line reads from a file? */
int serve_is_secret(const cli_option_t *option);
/* Is the option offered by this route? */
int serve_is_offered(const serve_route_t *route, const cli_option_t *option);

/* serve_jwt.c: tokens, HS256 and nothing else (RFC 7519, 8725). */
typedef struct {
    uint64_t  user_id;
    uint32_t  version;                /* of the user's login */
    int64_t   expires_ms;
    char      csrf[SERVE_CSRF_LEN + 1];
} serve_claims_t;

void serve_jwt_secret(const aigw_seal_master_t *master);
/* 0: no memory or randomness. Sets csrf. */
int serve_jwt_issue(serve_claims_t *claims, char token[SERVE_TOKEN_MAX + 1]);
/* 1: it is one of ours and in force. */
int serve_jwt_verify(const char *token, serve_claims_t *claims);

/* serve_session.c: who calls. 0: it is answered. Needs an open store. */
int serve_authenticate(serve_request_t *r);
/* Changes of the open store are the user's, as far as it is known. */
void serve_act(serve_request_t *r);

/* serve_try.c: is a password right? */
typedef enum {
    SERVE_TRY_OK,
    SERVE_TRY_WRONG,
    SERVE_TRY_DISABLED,
    SERVE_TRY_LATER,                  /* wait_ms says when */
    SERVE_TRY_NO_STORE                /* it is answered */
} serve_try_t;

typedef struct {
    aigw_user_t  user;
    char         token[SERVE_TOKEN_MAX + 1];
    char         csrf[SERVE_CSRF_LEN + 1];
    int64_t      expires_ms;
    int64_t      wait_ms;
} serve_session_t;

/* Without an open store: it is opened and closed here, and hashing is done in
   between. The caller cleanses session. */
serve_try_t serve_try_login(serve_request_t *r, const char *name,
    const char *password, serve_session_t *session);
/* The same for a user whose login is known; counts what fails. */
serve_try_t serve_check_password(serve_request_t *r, const char *name,
    const char *password, aigw_login_t *login);
/* With an open store; user is set, the rest is filled in. 0: no randomness. */
int serve_begin_session(serve_request_t *r, const aigw_login_t *login,
    serve_session_t *session);

/* Hashes a new one, without an open store. 0: wait_ms says when to try again, or
   is 0: it is answered. */
int serve_hash_password(serve_request_t *r, const char *text,
    aigw_password_t *password, int64_t *wait_ms);

/* serve_login.c: handlers that begin and end sessions. */
void serve_retry_after(serve_request_t *r, int64_t wait_ms);
/* Answers one that failed; wait_ms is for SERVE_TRY_LATER. */
void serve_fail_try(serve_request_t *r, serve_try_t result, int64_t wait_ms);
void serve_login(serve_request_t *r);
void serve_login_link(serve_request_t *r);
void serve_logout(serve_request_t *r);
void serve_me(serve_request_t *r);
void serve_me_password(serve_request_t *r);

/* With {"cookie":true} in r->json the token goes into the cookie. Cleanses
   session. */
void serve_answer_session(serve_request_t *r, serve_session_t *session);

/* serve_register.c: accounts that people make themselves. */
typedef enum {
    SERVE_REGISTER_OK,
    SERVE_REGISTER_LATER,             /* wait_ms says when */
    SERVE_REGISTER_CLOSED,
    SERVE_REGISTER_NO_INVITE,         /* and one is needed */
    SERVE_REGISTER_BAD_INVITE,
    SERVE_REGISTER_TAKEN,
    SERVE_REGISTER_NO_STORE           /* it is answered */
} serve_register_t;

/* As serve_try_login; name and password are known to be of their forms.
   invite: or NULL. */
serve_register_t serve_try_register(serve_request_t *r, const char *name,
    const char *password, const char *invite, serve_session_t *session);
void serve_register(serve_request_t *r);

/* serve_origin.c, serve_origin_login.c: the origin's API. */
/* An error in its words. */
void serve_origin_fail(serve_request_t *r, unsigned status, const char *code,
    const char *message);
void serve_origin_register(serve_request_t *r);
void serve_origin_login(serve_request_t *r);
void serve_origin_init(serve_request_t *r);
void serve_origin_create(serve_request_t *r);
void serve_origin_list(serve_request_t *r);
void serve_origin_stats(serve_request_t *r);

/* serve_throttle.c: how often who may try. */
/* Milliseconds to wait; 0: try now. */
int64_t serve_throttle_check(const char *name, const char *from);
/* A try has failed. */
void serve_throttle_fail(const char *name, const char *from);
/* At most two hash passwords at once, few wait for it: 0: too many. */
int serve_kdf_enter(void);
void serve_kdf_leave(void);

#endif /* SERVE_H */
