/*
 * Asking an upstream something: what a call is, and what comes of it. For the
 * commands that do.
 */

#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "cli.h"


/* By which secret. */
typedef enum {
    CLI_HTTP_KEY = 0,                 /* the upstream's own key */
    CLI_HTTP_LOG,                     /* the token of its log */
    CLI_HTTP_MASTER                   /* that of the account that makes
                                         sub-keys: as its driver has it */
} cli_http_as_t;

typedef struct {
    const char           *method;
    const char           *path;
    const char           *body;       /* JSON, or NULL */
    cli_http_as_t         as;
    const aigw_driver_t  *driver;     /* of CLI_HTTP_MASTER */
    const char           *hint;       /* of what fails, or NULL */
} cli_call_t;

typedef struct {
    cli_body_t   body;                /* the caller's to free, by cli_http_free:
                                         on failure, too */
    long         status;
    int64_t      duration_ms;
    unsigned     sent:1;              /* it may have had an effect there */
} cli_reply_t;

/* CLI_OK: it was answered, by whatever status but a 401 or 403, which are
   explained here. Waits where it is asked too often. */
cli_exit_t cli_http_call(const cli_t *cli, const aigw_upstream_t *upstream,
    const cli_call_t *call, cli_reply_t *reply);
void cli_http_free(cli_reply_t *reply);

#endif /* CLI_HTTP_H */
