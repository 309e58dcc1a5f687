/*
 * The map of the module: its types, and what each of its files offers to the
 * others. One file a phase; tables only in ngx_ai_gateway_module.c.
 */

#ifndef NGX_AI_GATEWAY_H
#define NGX_AI_GATEWAY_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <openssl/crypto.h>

#include "aigw_estimate.h"
#include "aigw_hold.h"
#include "aigw_ledger.h"
#include "aigw_limit.h"
#include "aigw_live.h"
#include "aigw_request.h"
#include "aigw_seal.h"
#include "aigw_store.h"
#include "aigw_store_subkey.h"
#include "aigw_time.h"
#include "aigw_usage.h"
#include "aigw_verdict.h"


#if (NGX_HAVE_VARIADIC_MACROS)

/* nginx's own, declared once more: what is written into the error log, and
   with it the debug log, is off the way of a request. */
void ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...) AIGW_COLD;

#endif


typedef struct {
    ngx_str_t            store;              /* ai_gateway_store */
    ngx_msec_t           flush_interval;     /* ai_gateway_flush_interval */
    aigw_seal_master_t  *master;             /* read while root, at start */
} ngx_ai_gateway_main_conf_t;


typedef struct {
    ngx_uint_t           has_gateway;        /* some location has it on */
} ngx_ai_gateway_srv_conf_t;


typedef struct {
    ngx_flag_t           enable;             /* ai_gateway */
    ngx_str_t            upstream;           /* ai_gateway_upstream */
    ngx_msec_t           quota_wait;         /* ai_gateway_quota_wait */
} ngx_ai_gateway_loc_conf_t;


/* How far a request has come. */
typedef enum {
    NGX_AI_GATEWAY_NEW = 0,
    NGX_AI_GATEWAY_BODY,               /* its body is being read or scanned */
    NGX_AI_GATEWAY_SCANNED,            /* the body is known, nothing decided */
    NGX_AI_GATEWAY_ESTIMATING,         /* ... its tokens are being estimated */
    NGX_AI_GATEWAY_ADMITTED,           /* the upstream may be called */
    NGX_AI_GATEWAY_ANSWERED            /* an answer of ours is on its way */
} ngx_ai_gateway_state_e;


/* Headers that few requests have: a look for one that is not there costs as
   much as any. */
#define NGX_AI_GATEWAY_HAS_KEY       0x01     /* where others expect it */
#define NGX_AI_GATEWAY_HAS_ENCODING  0x02     /* of its body */
#define NGX_AI_GATEWAY_HAS_ORIGIN    0x04
#define NGX_AI_GATEWAY_HAS_TAG       0x08


/* Facts of one request, of constant size. A pool cleanup keeps it through
   internal redirects, which clear r->ctx. */
typedef struct {
    ngx_http_request_t         *request;

    uint8_t                     state;       /* ngx_ai_gateway_state_e */
    uint8_t                     route;       /* aigw_route_t */
    uint8_t                     verdict;     /* aigw_verdict_t */
    uint8_t                     settled;     /* aigw_settled_t, once ended */
    uint8_t                     mask;        /* of an error's text: see there */
    uint16_t                    mask_key;    /* the same */
    uint8_t                     has;         /* NGX_AI_GATEWAY_HAS_TAG, ... */

    unsigned                    url_known:1; /* a path of the route table */
    unsigned                    key_known:1;
    unsigned                    alias:1;     /* the body names it otherwise */
    unsigned                    reasoning:1; /* the model thinks first */
    unsigned                    has_subkey:1;  /* the project, somewhere */
    unsigned                    leave:1;     /* a client's end ends its call */
    unsigned                    strict:1;    /* the cap, when it came */
    unsigned                    near:1;      /* there is not plenty for it */
    unsigned                    estimated:1;
    unsigned                    waiting:1;
    unsigned                    in_flight:1;
    unsigned                    stream:1;
    unsigned                    hide_usage:1;
    unsigned                    local:1;     /* the answer is ours */
    unsigned                    metered:1;   /* scan.meter is at work */
    unsigned                    passed:1;    /* the upstream's answer is 2xx */
    unsigned                    masked:1;    /* an upstream's error passes */
    unsigned                    replaced:1;  /* error_body has been sent */
    unsigned                    encoded:1;   /* the answer cannot be read */
    unsigned                    upstream_done:1;
    unsigned                    client_gone:1;
    unsigned                    cut:1;       /* an error event of ours was the
                                                stream's last */
    unsigned                    complete:1;  /* the answer came to its end */
    unsigned                    meter_done:1;
    unsigned                    ended:1;
    unsigned                    in_turns:1;  /* scan_event is in use */

    uint8_t                     id[AIGW_ROW_ID_LEN];
    u_char                      id_text[AIGW_ROW_ID_TEXT_LEN + 1];

    uint8_t                     hash[AIGW_KEY_HASH_LEN];
    aigw_live_account_t         account[AIGW_LIVE_LEVELS];
    aigw_price_t                price;
    int64_t                     time_ms;     /* admission, or refusal */
    int64_t                     body_bytes;
    aigw_tokens_t               tokens;      /* what is charged */
    int64_t                     cost_nano;
    int64_t                     first_byte_ms;  /* 0: none yet */

    /* the hold */
    int64_t                     hold_nano;
    int64_t                     own_limit;   /* what the body sets for one
                                                output, or -1 */
    int64_t                     limit;       /* what is set instead, or -1 */
    int64_t                     outputs;
    int64_t                     max_output;  /* the model's, or 0 */
    int64_t                     assumed_output;
    int64_t                     context;     /* the model's, or 0 */
    int64_t                     hold_tokens; /* of all outputs */
    int64_t                     estimate;    /* of the prompt, in tokens */
    int64_t                     wait_until_ms;
    ngx_msec_t                  wait_ms;
    unsigned                    flight;      /* valid if in_flight */
    ngx_uint_t                  generation;  /* of the journal it is in */

    const aigw_access_t        *access;      /* within the call that saw it */

    off_t                       scan_offset;   /* in the file of a body */

    /* content and filters */
    ngx_http_handler_pt         content_handler;
    ngx_int_t                 (*create_request)(ngx_http_request_t *r);
    void                      (*finalize_request)(ngx_http_request_t *r,
                                    ngx_int_t rc);
    u_char                     *hold;        /* made when first needed */
    size_t                      hold_bytes;
    ngx_chain_t                *free;
    ngx_chain_t                *busy;
    int64_t                     drain_until_ms;  /* once the client has gone */
    off_t                       drain_bytes;
    ngx_str_t                   error_body;  /* takes the place of an answer */

    /* From here on nothing is cleared at first but what makes the names empty:
       the rest is written before it is read. */

    char                        project[AIGW_NAME_MAX + 1];
    char                        key_prefix[AIGW_KEY_PREFIX_LEN + 1];
    char                        model[AIGW_MODEL_MAX + 1];  /* that is called,
                                                behind an alias */

    /* body: the request's scan, then the answer's meter */
    union {
        aigw_request_t          request;
        aigw_usage_meter_t      meter;
    } scan;
    aigw_estimate_t             text;        /* the estimate as it stands */
    ngx_event_t                 scan_event;
} ngx_ai_gateway_ctx_t;


/* Routes whose calls go upstream, are metered and have a row. */
#define ngx_ai_gateway_is_metered(ctx)                                        \
    ((ctx)->route == AIGW_ROUTE_CHAT                                          \
     || (ctx)->route == AIGW_ROUTE_COMPLETIONS                                \
     || (ctx)->route == AIGW_ROUTE_EMBEDDINGS)


/* Does s begin with this text, in either case? Nearly always just as it stands
   here. */
static ngx_inline ngx_uint_t
ngx_ai_gateway_begins(const ngx_str_t *s, const char *text, size_t len)
{
    return s->len >= len
           && (ngx_memcmp(s->data, text, len) == 0
               || ngx_strncasecmp(s->data, (u_char *) text, len) == 0);
}


#define ngx_ai_gateway_amcf(r)                                                \
    ((const ngx_ai_gateway_main_conf_t *)                                     \
        ngx_http_get_module_main_conf(r, ngx_ai_gateway_module))

#define ngx_ai_gateway_alcf(r)                                                \
    ((const ngx_ai_gateway_loc_conf_t *)                                      \
        ngx_http_get_module_loc_conf(r, ngx_ai_gateway_module))


/* ngx_ai_gateway_module.c: directives, registration */
extern ngx_module_t  ngx_ai_gateway_module;

/* ngx_ai_gateway_flusher.c: start begins it if it is not there (it forks: not
   on a request's way), stop lets it make a last pass and waits for that so long
   at most. */
aigw_err_t ngx_ai_gateway_flusher_start(ngx_ai_gateway_main_conf_t *amcf,
    const char *live_path);
void ngx_ai_gateway_flusher_stop(ngx_msec_t wait_ms);
aigw_err_t ngx_ai_gateway_flusher_error(void);

/* ngx_ai_gateway_process.c: store, live segment and journal of a worker. The
   store is NULL while it cannot be had, and one line in the error log says
   why; live segment and journal are there whenever the store is, and stay when
   it is lost. */
ngx_int_t ngx_ai_gateway_check_conf(ngx_conf_t *cf,
    ngx_ai_gateway_main_conf_t *amcf);
ngx_int_t ngx_ai_gateway_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_ai_gateway_init_process(ngx_cycle_t *cycle);
void ngx_ai_gateway_exit_process(ngx_cycle_t *cycle);
aigw_store_t *ngx_ai_gateway_store(void);
aigw_live_t *ngx_ai_gateway_live(void);
aigw_journal_t *ngx_ai_gateway_journal(void);

/* Another number whenever the journal is another one: what is in flight in an
   earlier one is not this worker's any more. */
ngx_uint_t ngx_ai_gateway_generation(void);

/* ngx_ai_gateway_access.c: preaccess, and what is checked there */
ngx_int_t ngx_ai_gateway_access_handler(ngx_http_request_t *r);

/* For a request that nginx has refused before it came here. */
ngx_ai_gateway_ctx_t *ngx_ai_gateway_create_late_ctx(ngx_http_request_t *r)
    AIGW_COLD;

/* Of a request that has been redirected inside, or whose answer a filter
   replaces: these clear r->ctx. */
ngx_ai_gateway_ctx_t *ngx_ai_gateway_find_ctx(ngx_http_request_t *r)
    AIGW_COLD;


static ngx_inline ngx_ai_gateway_ctx_t *
ngx_ai_gateway_get_ctx(ngx_http_request_t *r)
{
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_ai_gateway_module);

    return ctx == NULL && (r->internal || r->filter_finalize)
           ? ngx_ai_gateway_find_ctx(r) : ctx;
}


static ngx_inline int64_t
ngx_ai_gateway_now_ms(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


/* ngx_ai_gateway_check.c: the rules above a call. Each answers NGX_OK, or
   NGX_DONE: refused and answered. */

/* Looks the key of ctx up (anew at each call) and applies all that can be
   judged without the body. */
ngx_int_t ngx_ai_gateway_check_access(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, aigw_access_t *access);

/* Is the model that the body names allowed, an alias, priced? Sets ctx->model,
   alias, price and what is set for the model. */
ngx_int_t ngx_ai_gateway_check_model(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const aigw_access_t *access);

/* ngx_ai_gateway_hold.c: what a call may cost, held before it goes up */

/* Takes the hold and enters the table of what is in flight. NGX_OK, NGX_DONE:
   refused and answered, NGX_AGAIN: r comes back to the access handler. */
ngx_int_t ngx_ai_gateway_hold(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);
void ngx_ai_gateway_stop_waiting(ngx_ai_gateway_ctx_t *ctx);
ngx_int_t ngx_ai_gateway_refuse_spent(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx) AIGW_COLD;

/* ngx_ai_gateway_credential.c */

/* Finds the credential and hashes it into ctx. NGX_OK, or NGX_DONE: refused
   and answered. */
ngx_int_t ngx_ai_gateway_authenticate(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);

/* Wipes what a worker remembers of keys. */
void ngx_ai_gateway_forget_keys(void);

/* True if text has the beginning of a client key in it. */
ngx_uint_t ngx_ai_gateway_has_key(u_char *text, size_t len);

/* ngx_ai_gateway_body.c: reads the body and goes over it; it is edited by
   ngx_ai_gateway_splice.c. access: what has just been seen, good for a body
   that is there already. NGX_DONE: r may be gone. */
ngx_int_t ngx_ai_gateway_read_body(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const aigw_access_t *access);
ngx_int_t ngx_ai_gateway_splice_body(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);

/* Goes over the body once more, for ctx->estimate; NGX_AGAIN as ngx_ai_gateway_
   hold, or NGX_ERROR. */
ngx_int_t ngx_ai_gateway_estimate_body(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);

/* ngx_ai_gateway_content.c: around the location's content handler */
ngx_int_t ngx_ai_gateway_content_handler(ngx_http_request_t *r);

/* The key that the call goes up under, open: borrowed until the next call.
   NGX_OK, NGX_DECLINED: there is none to be had, NGX_ABORT as below. */
ngx_int_t ngx_ai_gateway_upstream_key(ngx_http_request_t *r,
    aigw_str_t *secret);

/* ngx_ai_gateway_subkey.c: the project's own one at that upstream. NGX_OK,
   NGX_DECLINED: it has none, NGX_ABORT: it has one that cannot be read. */
ngx_int_t ngx_ai_gateway_subkey(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, uint64_t upstream_id, aigw_str_t *secret);

/* ngx_ai_gateway_header_filter.c: the answer is judged by its headers */
ngx_int_t ngx_ai_gateway_init_header_filter(ngx_conf_t *cf);

/* ngx_ai_gateway_body_filter.c: the answer is metered while it flows */
ngx_int_t ngx_ai_gateway_init_body_filter(ngx_conf_t *cf);
void ngx_ai_gateway_finish_metering(ngx_ai_gateway_ctx_t *ctx,
    aigw_usage_piece_t *piece);

ngx_int_t ngx_ai_gateway_next_body(ngx_http_request_t *r, ngx_chain_t *in);
ngx_uint_t ngx_ai_gateway_has_last(ngx_chain_t *in);

/* ngx_ai_gateway_drain.c: clients that leave */

/* What becomes of a call whose client leaves while its upstream is at work. */
void ngx_ai_gateway_watch_client(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);

/* The client has gone; the upstream is read on. */
void ngx_ai_gateway_drain(ngx_ai_gateway_ctx_t *ctx) AIGW_COLD;

/* Passes a metered answer on, or reads it for nobody. */
ngx_int_t ngx_ai_gateway_pass(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, ngx_chain_t *out);

/* Nobody will read these: marks them as read. Returns their bytes. */
off_t ngx_ai_gateway_consume(ngx_chain_t *cl);

/* Feeds the meter what it has not seen of an answer that is whole. */
void ngx_ai_gateway_meter_rest(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);
void ngx_ai_gateway_meter_buf(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b);

/* ngx_ai_gateway_mask.c: keys in the errors of an upstream */
void ngx_ai_gateway_mask(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b) AIGW_COLD;

/* ngx_ai_gateway_cut.c: streams that we end */

/* What a metered buffer was passed on with, rc; here the stream may be cut
   behind it. */
ngx_int_t ngx_ai_gateway_cut(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    ngx_int_t rc);

/* In place of all that comes behind the cut. */
ngx_int_t ngx_ai_gateway_drop(ngx_http_request_t *r, ngx_chain_t *in)
    AIGW_COLD;

/* ngx_ai_gateway_error.c: refusals as JSON in the dialect of the API */

/* Answers at once with the verdict's status and body. message NULL: its own;
   else text of the caller's (copied). param may be NULL. NGX_DONE, the request
   is finalized. */
ngx_int_t ngx_ai_gateway_refuse(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, aigw_verdict_t verdict, const char *param,
    ngx_str_t *message) AIGW_COLD;

/* Refuses with 503 and logs why: what, and err. NGX_DONE. */
ngx_int_t ngx_ai_gateway_refuse_unavailable(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const char *what, aigw_err_t err) AIGW_COLD;

/* The JSON body of a verdict, from r's pool. */
ngx_int_t ngx_ai_gateway_error_body(ngx_http_request_t *r,
    aigw_verdict_t verdict, const char *param, ngx_str_t *message,
    ngx_str_t *body) AIGW_COLD;

/* The headers that go with it. */
ngx_int_t ngx_ai_gateway_error_headers(ngx_http_request_t *r,
    aigw_verdict_t verdict) AIGW_COLD;

/* Sends a complete JSON answer made here (empty: no body, no type). NGX_DONE,
   r is finalized. */
ngx_int_t ngx_ai_gateway_send_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body);

/* name: static storage. */
ngx_int_t ngx_ai_gateway_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* ngx_ai_gateway_headers.c: the client's */

/* Is h of one of these names (in lower case, an empty one ends them)? */
ngx_uint_t ngx_ai_gateway_header_is(ngx_table_elt_t *h,
    const ngx_str_t *names);

/* The next request header of one of these names behind `after`, or the first if
   that is NULL; NULL if there is none. */
ngx_table_elt_t *ngx_ai_gateway_find_header(ngx_http_request_t *r,
    const ngx_str_t *names, ngx_table_elt_t *after);

/* Which there are: NGX_AI_GATEWAY_HAS_KEY and so on. */
ngx_uint_t ngx_ai_gateway_rare_headers_of(ngx_http_request_t *r);

/* ngx_ai_gateway_cors.c: browsers */

/* Answers OPTIONS; no key is asked for. NGX_DONE. */
ngx_int_t ngx_ai_gateway_preflight(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, ngx_str_t *allow);

/* Lets a page of a listed origin read the answer. */
ngx_int_t ngx_ai_gateway_cors_headers(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx);

/* ngx_ai_gateway_models.c: GET /v1/models and /v1/models/{id} */
ngx_int_t ngx_ai_gateway_model(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const aigw_access_t *access);
ngx_int_t ngx_ai_gateway_models(ngx_http_request_t *r,
    ngx_ai_gateway_ctx_t *ctx, const aigw_access_t *access);

/* ngx_ai_gateway_log.c: the end of every request */

/* Settles and records the request; only the first call does anything. Called
   before the last bytes of an answer leave, else from the log phase. */
void ngx_ai_gateway_end(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx);

/* The row as it stands. */
void ngx_ai_gateway_fill_row(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_row_t *row);

/* Tokens of the prompt where the upstream counts none; from 1. */
int64_t ngx_ai_gateway_prompt_estimate(ngx_ai_gateway_ctx_t *ctx);
ngx_int_t ngx_ai_gateway_log_handler(ngx_http_request_t *r);

/* ngx_ai_gateway_vars.c */
ngx_int_t ngx_ai_gateway_add_variables(ngx_conf_t *cf);

#endif /* NGX_AI_GATEWAY_H */
