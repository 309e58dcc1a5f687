/*
 * Things as the store keeps them, and the one place that packs and unpacks
 * them: a version byte first, integers big-endian, strings with their length.
 * Packing never fails for a value within the limits of aigw.h; unpacking
 * checks every byte (AIGW_ECORRUPT, AIGW_EVERSION).
 */

#ifndef AIGW_RECORD_H
#define AIGW_RECORD_H

#include "aigw.h"
#include "aigw_key.h"
#include "aigw_password.h"
#include "aigw_price.h"
#include "aigw_seal.h"


#define AIGW_RECORD_MAX  1024         /* bytes of any packed thing */
#define AIGW_TOKENS_MAX  1000000000   /* a model's ceiling or context at most */


/* What a user may see and do. At rest: append only. */
typedef enum {
    AIGW_ROLE_MEMBER = 0,             /* what is the user's own */
    AIGW_ROLE_ADMIN,                  /* everything */
    AIGW_ROLE_AUDITOR,                /* see everything */
    AIGW_ROLE_MAX
} aigw_role_t;

typedef struct {
    uint64_t   id;
    char       name[AIGW_NAME_MAX + 1];
    uint8_t    role;                  /* aigw_role_t */
    uint8_t    enabled;
    int64_t    quota_nano;            /* or AIGW_UNLIMITED */
    int64_t    created_ms;
} aigw_user_t;


typedef struct {
    uint64_t   id;
    uint64_t   user_id;
    char       name[AIGW_NAME_MAX + 1];
    uint8_t    enabled;
    uint8_t    cap_strict;            /* 1: strict, 0: clamp */
    uint8_t    disconnect_abort;      /* 1: abort, 0: drain */
    uint8_t    has_subkey;            /* an active one, at some upstream */
    int64_t    quota_nano;
    int64_t    created_ms;
    int64_t    expires_ms;            /* 0: never */
    char       models[AIGW_MODELS_MAX + 1];
} aigw_project_t;


typedef struct {
    uint64_t   id;
    uint64_t   project_id;
    uint8_t    hash[AIGW_KEY_HASH_LEN];
    char       prefix[AIGW_KEY_PREFIX_LEN + 1];
    char       last4[AIGW_KEY_LAST_LEN + 1];
    char       name[AIGW_NAME_MAX + 1];
    uint8_t    enabled;
    int64_t    quota_nano;
    int64_t    created_ms;
    int64_t    expires_ms;            /* 0: never */
    int64_t    revoked_ms;            /* 0: not revoked */
    int64_t    old_until_ms;          /* 0: no old secret beside this one */
    uint8_t    old_hash[AIGW_KEY_HASH_LEN];
    char       models[AIGW_MODELS_MAX + 1];
} aigw_key_t;


/*
 * How a user gets in. Apart from the user, which each call of an API key looks
 * at. A token of ours names the version: raising it ends all that there are.
 */
typedef struct {
    uint64_t   user_id;
    uint32_t   token_version;         /* never 0 */
    int64_t    password_changed_ms;   /* 0: never */
    aigw_password_t  password;
} aigw_login_t;


/* What a ticket is good for. At rest: append only. */
typedef enum {
    AIGW_TICKET_NONE = 0,
    AIGW_TICKET_LINK,                 /* logs its user in, once */
    AIGW_TICKET_INVITE,               /* makes a user */
    AIGW_TICKET_BOOTSTRAP,            /* gives the first admin a password */
    AIGW_TICKET_MAX
} aigw_ticket_kind_t;

typedef struct {
    uint8_t    hash[AIGW_KEY_HASH_LEN];
    uint8_t    kind;                  /* aigw_ticket_kind_t */
    uint8_t    role;                  /* of the user to be made */
    uint32_t   uses_left;
    uint32_t   token_version;         /* a link is of no other */
    uint64_t   user_id;               /* a link's; who invited, or 0 */
    int64_t    quota_nano;            /* of the user to be made */
    int64_t    created_ms;
    int64_t    expires_ms;            /* 0: never */
} aigw_ticket_t;


/* What is left of a user, project or key that was deleted: its rows have its
   id, which no other gets. */
typedef struct {
    uint64_t   of_id;                 /* whose it was: user, project; or 0 */
    int64_t    gone_ms;
    char       name[AIGW_NAME_MAX + 1];
} aigw_gone_t;


/* Does a model think before it answers? At rest: append only. */
typedef enum {
    AIGW_REASONING_BY_NAME = 0,       /* as its name says */
    AIGW_REASONING_YES,
    AIGW_REASONING_NO,
    AIGW_REASONING_MAX
} aigw_reasoning_t;


/* An alias has nothing but its target: what is set for that one counts. */
typedef struct {
    char       name[AIGW_MODEL_MAX + 1];
    char       alias_of[AIGW_MODEL_MAX + 1];   /* empty: no alias */
    int64_t    created_ms;
    int64_t    max_output;            /* tokens; 0: not known */
    int64_t    context;               /* the same, input and output */
    uint8_t    reasoning;             /* aigw_reasoning_t */
} aigw_model_t;


/* A price in force from from_ms on, until the next one of its model. */
typedef struct {
    char          model[AIGW_MODEL_MAX + 1];   /* or "*" */
    int64_t       from_ms;
    aigw_price_t  price;
} aigw_price_entry_t;


typedef struct {
    uint64_t   id;
    char       name[AIGW_NAME_MAX + 1];
    char       url[AIGW_URL_MAX + 1];
    int64_t    created_ms;
    int64_t    changed_ms;
    uint16_t   sealed_len;
    uint8_t    sealed[AIGW_SEALED_MAX];
    uint64_t   log_user;              /* whose log it is; 0: none is known */
    uint16_t   log_sealed_len;
    uint8_t    log_sealed[AIGW_SEALED_MAX];    /* the token that opens it */
} aigw_upstream_t;

/* For which record a log's token is sealed: never taken for the key. */
#define AIGW_UPSTREAM_LOG(id)  ((id) | UINT64_C(1) << 63)

/* The same of the token of the account that makes sub-keys. */
#define AIGW_UPSTREAM_MASTER(id)  ((id) | UINT64_C(1) << 62)


/* How an upstream makes keys for us. At rest: append only. */
typedef enum {
    AIGW_DRIVER_NONE = 0,
    AIGW_DRIVER_NEWAPI,               /* New API, which 4sapi is */
    AIGW_DRIVER_SEED,                 /* POST /sub-key/create, and no more */
    AIGW_DRIVER_MAX
} aigw_driver_kind_t;

/* The account at an upstream under which sub-keys are made. */
typedef struct {
    uint64_t   upstream_id;
    uint8_t    kind;                  /* aigw_driver_kind_t */
    uint64_t   user;                  /* its number there; 0: that of the log */
    char       group[AIGW_NAME_MAX + 1];   /* of new ones; empty: its own */
    uint32_t   quota_per_unit;        /* there, from 1 */
    int64_t    changed_ms;
    uint16_t   sealed_len;            /* 0: the log's token, or the key */
    uint8_t    sealed[AIGW_SEALED_MAX];
} aigw_driver_t;


/* Where a sub-key stands. At rest: append only. */
typedef enum {
    AIGW_SUBKEY_PLANNED = 1,          /* it may be there, or not */
    AIGW_SUBKEY_ACTIVE,               /* its project's calls go up under it */
    AIGW_SUBKEY_RETIRING,             /* used no more, but it may be there */
    AIGW_SUBKEY_FORGOTTEN,            /* the same, and nobody can take it */
    AIGW_SUBKEY_MAX
} aigw_subkey_state_t;

#define AIGW_SUBKEY_NAME_MAX  30

/* A key of one project at one upstream. Its name is unique there, and stands
   in the store before it does there. */
typedef struct {
    char       name[AIGW_SUBKEY_NAME_MAX + 1];
    uint8_t    state;                 /* aigw_subkey_state_t */
    uint64_t   project_id;
    uint64_t   upstream_id;
    uint64_t   remote_id;             /* 0: not known */
    int64_t    quota_nano;
    int64_t    expires_ms;            /* 0: never */
    int64_t    created_ms;
    int64_t    changed_ms;
    uint16_t   sealed_len;            /* 0 unless it is active */
    uint8_t    sealed[AIGW_SEALED_MAX];
    char       models[AIGW_MODELS_MAX + 1];    /* there; "*": all */
} aigw_subkey_t;


/* How a request was settled. At rest: append only. */
typedef enum {
    AIGW_SETTLED_NONE = 0,            /* refused: nothing to settle */
    AIGW_SETTLED_EXACT,
    AIGW_SETTLED_ESTIMATED,
    AIGW_SETTLED_PARTIAL,
    AIGW_SETTLED_VOID,
    AIGW_SETTLED_UNKNOWN,
    AIGW_SETTLED_CREDIT,              /* no call: from here on, see below */
    AIGW_SETTLED_REFUND,
    AIGW_SETTLED_MAX
} aigw_settled_t;

/* Which route. At rest: append only. */
typedef enum {
    AIGW_ROUTE_NONE = 0,
    AIGW_ROUTE_CHAT,                  /* /v1/chat/completions */
    AIGW_ROUTE_MODELS,                /* /v1/models, answered locally */
    AIGW_ROUTE_COMPLETIONS,           /* /v1/completions */
    AIGW_ROUTE_EMBEDDINGS,            /* /v1/embeddings */
    AIGW_ROUTE_MAX
} aigw_route_t;

/* Bits of aigw_row_t.flags. */
#define AIGW_ROW_STREAM        0x0001
#define AIGW_ROW_BAD_USAGE     0x0002
#define AIGW_ROW_INCONSISTENT  0x0004
#define AIGW_ROW_INCOMPLETE    0x0008 /* the stream had no [DONE] */
#define AIGW_ROW_MALFORMED     0x0010 /* an answer that was not JSON */
#define AIGW_ROW_OVER_HOLD     0x0020 /* it cost more than was held for it */
#define AIGW_ROW_CLAMPED       0x0040 /* its output was limited by us */

#define AIGW_ROW_ID_LEN        16     /* ms 6, node 2, journal 2, counter 6 */
#define AIGW_ROW_ID_TEXT_LEN   32     /* the same in lower-case hex */
#define AIGW_ROW_PACKED_MAX    360


/*
 * One line of the ledger: an admitted or a refused call. Fixed from its
 * settlement on. Names are looked up by id when shown.
 *
 * Or money that comes back: its cost is 0 or below, and it counts as no call.
 * A credit belongs to project and user; ref is its own name, which the project
 * has once. A refund belongs to all that the row `of` belongs to, which has one
 * at most. Neither has anything of a call but ids and times, and a refund that
 * row's model and tag.
 */
typedef struct {
    uint8_t       id[AIGW_ROW_ID_LEN];
    uint16_t      partition;          /* 0 so far */
    uint64_t      user_id;            /* 0: key unknown */
    uint64_t      project_id;
    uint64_t      key_id;
    int64_t       time_ms;            /* admission */
    int64_t       settled_ms;
    uint32_t      duration_ms;
    uint32_t      ttft_ms;            /* to the first byte of the answer */
    uint16_t      status;             /* sent to the client; 0 nothing sent */
    uint8_t       route;              /* aigw_route_t */
    uint8_t       verdict;            /* aigw_verdict_t */
    uint8_t       settled;            /* aigw_settled_t */
    uint8_t       attempts;           /* sent upstream so often; 0: refused */
    uint16_t      flags;
    aigw_tokens_t tokens;
    uint32_t      price_version;      /* 0: none */
    int64_t       hold_nano;
    int64_t       cost_nano;
    char          model[AIGW_MODEL_MAX + 1];
    char          tag[AIGW_TAG_MAX + 1];
    uint8_t       of[AIGW_ROW_ID_LEN];         /* a refund's */
    char          ref[AIGW_NAME_MAX + 1];      /* a credit's */
    char          note[AIGW_NOTE_MAX + 1];     /* the same */
} aigw_row_t;

#define aigw_row_is_call(row)  ((row)->settled < AIGW_SETTLED_CREDIT)


/* Sums of an account or of a roll-up cell. */
typedef struct {
    int64_t    calls;                 /* rows sent upstream */
    int64_t    ok_calls;              /* of these, verdict ok */
    int64_t    refused_calls;         /* calls not sent upstream */
    int64_t    inexact_calls;         /* settled estimated, partial, unknown */
    int64_t    prompt_tokens;
    int64_t    completion_tokens;
    int64_t    cost_nano;             /* of all rows: may be below 0 */
    int64_t    last_ms;               /* latest time_ms of a call */
} aigw_sums_t;


/* A packed row, and what settling it takes; points into the packed bytes. */
typedef struct {
    const uint8_t  *packed;
    size_t          len;
    const uint8_t  *id;               /* AIGW_ROW_ID_LEN bytes */
    uint64_t        user_id;
    uint64_t        project_id;
    uint64_t        key_id;
    aigw_str_t      model;
    aigw_str_t      ref;              /* a refund's `of`, a credit's ref */
    int64_t         time_ms;
    aigw_sums_t     sums;             /* what it adds */
    uint32_t        crc;              /* of packed, if it is to be settled */
    uint16_t        partition;
    uint8_t         settled;
} aigw_row_view_t;


/* Who changes something. At rest: append only. */
typedef enum {
    AIGW_ACTOR_SYSTEM = 0,            /* nobody has said who */
    AIGW_ACTOR_SHELL,                 /* the command line: id is the uid */
    AIGW_ACTOR_API,                   /* the sidecar: id is the user's */
    AIGW_ACTOR_MAX
} aigw_actor_kind_t;

#define AIGW_FROM_MAX          191    /* where from, as text */
#define AIGW_AUDIT_WORD_MAX    23     /* an action, a kind of object */
#define AIGW_AUDIT_JSON_MAX    4095   /* what a thing was or is */
#define AIGW_AUDIT_HASH_LEN    32     /* SHA-256 */
#define AIGW_AUDIT_PACKED_MAX  (2 * AIGW_AUDIT_JSON_MAX + 1024)

typedef struct {
    uint64_t   id;                    /* 0 of a shell: root's */
    uint8_t    kind;                  /* aigw_actor_kind_t */
    char       name[AIGW_NAME_MAX + 1];
    char       from[AIGW_FROM_MAX + 1];   /* terminal, address, sudo by whom */
} aigw_actor_t;


/* One change of control: who, from where, what. Fixed for ever: its hash is
   that of the one before and all else of it. About 8.6 KiB. */
typedef struct {
    uint64_t      seq;                /* 1, 2, 3 ... */
    int64_t       time_ms;
    aigw_actor_t  actor;
    char          action[AIGW_AUDIT_WORD_MAX + 1];    /* "set" */
    char          object[AIGW_AUDIT_WORD_MAX + 1];    /* "project" */
    uint64_t      object_id;          /* 0: it has none */
    char          name[AIGW_MODEL_MAX + 1];           /* the object's, then */
    char          before[AIGW_AUDIT_JSON_MAX + 1];    /* a JSON object of what
                                                         differs, or empty */
    char          after[AIGW_AUDIT_JSON_MAX + 1];
    uint8_t       hash[AIGW_AUDIT_HASH_LEN];
} aigw_audit_t;


/* Each packs into buf (AIGW_RECORD_MAX, rows AIGW_ROW_PACKED_MAX, audit records
   AIGW_AUDIT_PACKED_MAX) and returns the length; each unpack is its inverse and
   copies everything out. */
size_t aigw_record_pack_user(const aigw_user_t *user, uint8_t *buf);
aigw_err_t aigw_record_unpack_user(const uint8_t *buf, size_t len,
    aigw_user_t *user) AIGW_CHECKED;

size_t aigw_record_pack_project(const aigw_project_t *project, uint8_t *buf);
aigw_err_t aigw_record_unpack_project(const uint8_t *buf, size_t len,
    aigw_project_t *project) AIGW_CHECKED;

size_t aigw_record_pack_key(const aigw_key_t *key, uint8_t *buf);
aigw_err_t aigw_record_unpack_key(const uint8_t *buf, size_t len,
    aigw_key_t *key) AIGW_CHECKED;

size_t aigw_record_pack_login(const aigw_login_t *login, uint8_t *buf);
aigw_err_t aigw_record_unpack_login(const uint8_t *buf, size_t len,
    aigw_login_t *login) AIGW_CHECKED;

size_t aigw_record_pack_ticket(const aigw_ticket_t *ticket, uint8_t *buf);
aigw_err_t aigw_record_unpack_ticket(const uint8_t *buf, size_t len,
    aigw_ticket_t *ticket) AIGW_CHECKED;

size_t aigw_record_pack_gone(const aigw_gone_t *gone, uint8_t *buf);
aigw_err_t aigw_record_unpack_gone(const uint8_t *buf, size_t len,
    aigw_gone_t *gone) AIGW_CHECKED;

size_t aigw_record_pack_model(const aigw_model_t *model, uint8_t *buf);
aigw_err_t aigw_record_unpack_model(const uint8_t *buf, size_t len,
    aigw_model_t *model) AIGW_CHECKED;

size_t aigw_record_pack_price(const aigw_price_entry_t *entry, uint8_t *buf);
aigw_err_t aigw_record_unpack_price(const uint8_t *buf, size_t len,
    aigw_price_entry_t *entry) AIGW_CHECKED;

size_t aigw_record_pack_upstream(const aigw_upstream_t *upstream, uint8_t *buf);
aigw_err_t aigw_record_unpack_upstream(const uint8_t *buf, size_t len,
    aigw_upstream_t *upstream) AIGW_CHECKED;

size_t aigw_record_pack_driver(const aigw_driver_t *driver, uint8_t *buf);
aigw_err_t aigw_record_unpack_driver(const uint8_t *buf, size_t len,
    aigw_driver_t *driver) AIGW_CHECKED;

size_t aigw_record_pack_subkey(const aigw_subkey_t *subkey, uint8_t *buf);
aigw_err_t aigw_record_unpack_subkey(const uint8_t *buf, size_t len,
    aigw_subkey_t *subkey) AIGW_CHECKED;

size_t aigw_record_pack_row(const aigw_row_t *row, uint8_t *buf);
aigw_err_t aigw_record_unpack_row(const uint8_t *buf, size_t len,
    aigw_row_t *row) AIGW_CHECKED;

/* Refuses what unpack_row refuses, without a copy: borrows buf. */
aigw_err_t aigw_record_view_row(const uint8_t *buf, size_t len,
    aigw_row_view_t *view) AIGW_CHECKED;

size_t aigw_record_pack_sums(const aigw_sums_t *sums, uint8_t *buf);
aigw_err_t aigw_record_unpack_sums(const uint8_t *buf, size_t len,
    aigw_sums_t *sums) AIGW_CHECKED;

/* Its last AIGW_AUDIT_HASH_LEN bytes are the hash. */
size_t aigw_record_pack_audit(const aigw_audit_t *audit, uint8_t *buf);
aigw_err_t aigw_record_unpack_audit(const uint8_t *buf, size_t len,
    aigw_audit_t *audit) AIGW_CHECKED;

/* What one row adds to the sums of its accounts and of its roll-up cell. */
void aigw_record_row_sums(const aigw_row_t *row, aigw_sums_t *sums);

/* Adds more to sums; a field that would overflow stays at INT64_MAX: spent
   for ever, never wrapped (a cost below 0: at INT64_MIN). Returns whether one
   did. */
int aigw_record_add_saturated(aigw_sums_t *sums, const aigw_sums_t *more);

/* Adds one row to sums. AIGW_ERANGE on overflow, sums unchanged. */
aigw_err_t aigw_record_add_row(aigw_sums_t *sums, const aigw_row_t *row)
    AIGW_CHECKED;

/* Adds sums to another. AIGW_ERANGE on overflow, sums unchanged. */
aigw_err_t aigw_record_add_sums(aigw_sums_t *sums, const aigw_sums_t *more)
    AIGW_CHECKED;

/* The id as text (terminated by NUL) and back. */
void aigw_record_format_id(const uint8_t id[AIGW_ROW_ID_LEN],
    char text[AIGW_ROW_ID_TEXT_LEN + 1]);
aigw_err_t aigw_record_parse_id(aigw_str_t text, uint8_t id[AIGW_ROW_ID_LEN])
    AIGW_CHECKED;

/* Names of the enums, for output: "exact", "/v1/chat/completions"; what kind
   of row it is: "call", "credit", "refund". */
const char *aigw_record_settled_name(unsigned settled);
const char *aigw_record_route_name(unsigned route);
const char *aigw_record_kind_name(unsigned settled);
const char *aigw_record_driver_name(unsigned kind);
const char *aigw_record_subkey_name(unsigned state);
const char *aigw_record_actor_name(unsigned kind);
const char *aigw_record_role_name(unsigned role);
const char *aigw_record_ticket_name(unsigned kind);

/* The role of that name. AIGW_EINVAL: there is none. */
aigw_err_t aigw_record_parse_role(aigw_str_t text, uint8_t *role) AIGW_CHECKED;

#endif /* AIGW_RECORD_H */
