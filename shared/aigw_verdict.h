/*
 * What became of a request: "ok" or the reason why a client got an error, with
 * the HTTP status, type and code of wire-formats 3.3. Module (answers) and CLI
 * (rows) read one table. Numbers are at rest in rows: append, never reorder.
 */

#ifndef AIGW_VERDICT_H
#define AIGW_VERDICT_H

#include "aigw.h"


typedef enum {
    AIGW_VERDICT_OK = 0,

    AIGW_VERDICT_NO_KEY,
    AIGW_VERDICT_UNKNOWN_KEY,
    AIGW_VERDICT_KEY_DISABLED,        /* key, project or user; revoked too */
    AIGW_VERDICT_KEY_EXPIRED,         /* key or project */
    AIGW_VERDICT_KEY_IN_URL,
    AIGW_VERDICT_TWO_KEYS,
    AIGW_VERDICT_MODEL_NOT_ALLOWED,
    AIGW_VERDICT_MODEL_NOT_FOUND,
    AIGW_VERDICT_QUOTA_SPENT,
    AIGW_VERDICT_BODY_TOO_LARGE,
    AIGW_VERDICT_INVALID_JSON,
    AIGW_VERDICT_DUPLICATE_PARAMETER,
    AIGW_VERDICT_INVALID_VALUE,
    AIGW_VERDICT_MEDIA_TYPE,
    AIGW_VERDICT_MODEL_MISSING,
    AIGW_VERDICT_MODEL_TYPE,
    AIGW_VERDICT_UNKNOWN_URL,
    AIGW_VERDICT_METHOD,
    AIGW_VERDICT_UPSTREAM_UNAVAILABLE, /* connect, DNS, TLS */
    AIGW_VERDICT_UPSTREAM_ERROR,      /* garbage or a 5xx that is not JSON */
    AIGW_VERDICT_UPSTREAM_AUTH,       /* it refuses our key */
    AIGW_VERDICT_UPSTREAM_QUOTA,      /* our account is empty */
    AIGW_VERDICT_UPSTREAM_RATE,       /* its 429 without a readable body */
    AIGW_VERDICT_UPSTREAM_TIMEOUT,
    AIGW_VERDICT_UPSTREAM_STATUS,     /* its own 4xx, 5xx in JSON, passed on */
    AIGW_VERDICT_UNAVAILABLE,         /* our store, journal or live segment */
    AIGW_VERDICT_BAD_REQUEST,         /* nginx itself refused it: 400 */
    AIGW_VERDICT_CLIENT_CLOSED,       /* the client left before the answer */
    AIGW_VERDICT_INTERNAL,
    AIGW_VERDICT_MODEL_UNKNOWN,       /* GET /v1/models/{id} */
    AIGW_VERDICT_QUOTA_IN_USE,        /* held by other calls in flight */
    AIGW_VERDICT_RATE_LIMITED,        /* another module's 429 */
    AIGW_VERDICT_DENIED,              /* another module's 401 or 403 */
    AIGW_VERDICT_UNBOUNDED,           /* under a strict cap */
    AIGW_VERDICT_SUBKEY,              /* the project's key there: unreadable */

    AIGW_VERDICT_MAX
} aigw_verdict_t;


typedef enum {
    AIGW_RETRY_DEFAULT = 0,           /* the SDK decides by status */
    AIGW_RETRY_NEVER,                 /* x-should-retry: false */
    AIGW_RETRY_AFTER                  /* Retry-After: 1 */
} aigw_retry_t;


typedef struct {
    uint16_t      status;             /* 0: not an answer of ours */
    uint8_t       retry;              /* aigw_retry_t */
    const char   *type;               /* OpenAI's error.type */
    const char   *code;               /* OpenAI's error.code; a row's verdict */
    const char   *message;            /* default, one sentence or two */
} aigw_verdict_info_t;


/* The entry of v; that of AIGW_VERDICT_INTERNAL where v is none. */
const aigw_verdict_info_t *aigw_verdict_info(unsigned v);

#endif /* AIGW_VERDICT_H */
