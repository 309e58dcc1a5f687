/*
 * aigw-sim, the project's own 4sapi: an HTTP/1.1 server in one thread, good
 * for `make run` without an account, for tests and for the bench. Files:
 * main.c (options, sockets, loop), http.c (connections, requests), chat.c and
 * count.c (what 4sapi would say), log.c (its log and balance), manage.c and
 * token.c (keys that an account makes), control.c (what a test tells it to
 * say); of `aigw-sim --load`, many clients at once, load.c, call.c and
 * report.c.
 *
 * Nothing here decides about money: it answers, counts and remembers.
 */

#ifndef SIM_H
#define SIM_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "aigw.h"


typedef struct sim_conn_s    sim_conn_t;
typedef struct sim_script_s  sim_script_t;


typedef struct {
    char      *data;
    size_t     len;
    size_t     cap;
} sim_buf_t;


/* What a source of pieces says after each of its turns. */
typedef enum {
    SIM_MORE,                         /* a piece was appended, more follow */
    SIM_WAIT,                         /* at a gate: sim_wake_gates() */
    SIM_END,                          /* the answer is whole */
    SIM_CUT,                          /* close the connection now */
    SIM_RESET                         /* the same, with a RST */
} sim_turn_t;

typedef sim_turn_t (*sim_source_pt)(sim_conn_t *c);


/* Spans into the connection's input: valid during the handler only. */
typedef struct {
    aigw_str_t   raw;                 /* head, and the body as it was sent */
    aigw_str_t   method;
    aigw_str_t   path;                /* without the query */
    aigw_str_t   query;               /* behind its '?' */
    aigw_str_t   authorization;
    aigw_str_t   user;                /* New-Api-User */
    aigw_str_t   body;                /* chunked framing taken off */
    unsigned     http10:1;
    unsigned     close:1;
} sim_request_t;


/* A chat answer that is sent word by word. */
typedef struct {
    char        *head;                /* of each chunk, up to "choices" */
    int64_t      tokens;              /* of each choice */
    int64_t      choices;
    int64_t      next;                /* step: see chat.c */
    int64_t      prompt_tokens;
    uint32_t     seed;
    unsigned     usage:1;
    unsigned     cut_short:1;         /* finish_reason "length" */
    unsigned     breaks:1;            /* in its middle */
} sim_stream_t;


struct sim_conn_s {
    int            fd;
    SSL           *ssl;
    unsigned       control:1;
    unsigned       close:1;           /* when the answer is whole */
    unsigned       unframed:1;        /* HTTP/1.0: the end is the close */
    unsigned       want_write:1;
    unsigned       gated:1;
    unsigned       continued:1;       /* 100 Continue was sent */

    sim_buf_t      in;
    sim_buf_t      out;
    size_t         sent;              /* of out */
    size_t         scanned;           /* of in, without an end of head */

    sim_source_pt  source;            /* NULL: no answer is going on */
    unsigned       each:1;            /* each piece is a write of its own */
    int64_t        due_ms;            /* the next piece: not before */
    sim_stream_t   stream;
    sim_script_t  *script;
    size_t         piece;

    sim_conn_t    *prev;
    sim_conn_t    *next;
};


/* Which generation of the management API is there. */
typedef enum {
    SIM_NEWAPI_NONE = 0,
    SIM_NEWAPI_OLD,
    SIM_NEWAPI_NEW
} sim_newapi_t;

#define SIM_ACCOUNT  "7"              /* the number of the account */


typedef struct {
    char          *key;               /* NULL: any will do */
    char          *master;            /* the account's access token, or NULL */
    sim_newapi_t   newapi;
    int64_t        tokens;            /* of an answer nobody limits */
    int64_t        delay_ms;          /* between the chunks of a stream */
    int64_t        think_ms;          /* before an answer */
    int64_t        over;              /* % that are counted too many */
    int64_t        errors;            /* of a hundred requests */
    int64_t        estimate;          /* 1: count as the gateway does */
    int64_t        prompt;            /* tokens of each; 0: they are counted */
    int64_t        log;               /* 1: keep one of what is charged */
    int64_t        drift;             /* % that it charges too much there */
    int64_t        hold_at;           /* a management call that is held: the
                                         so manieth from now on; 0: none */
    int64_t        effect;            /* 1: it is held behind its effect */
    int64_t        refuse;            /* ... that fails, as theirs do */
    int64_t        busy;              /* so many next ones come too often */
    int64_t        held;
    int64_t        managed;           /* management calls so far */
    unsigned       record:1;          /* remember requests for /seen */
    unsigned       spin:1;            /* poll, yield, never sleep */
    SSL_CTX       *tls;
    int            epoll;

    uint64_t       requests;
    uint64_t       connections;       /* open */
    uint64_t       aborted;           /* closed by the peer amid an answer */
    sim_conn_t     list;              /* all connections */
    int64_t        next_due_ms;       /* no timer is due before */
} sim_t;

extern sim_t  sim;


/* main.c */
int64_t sim_now_ms(void);
void sim_watch(sim_conn_t *c);        /* tells epoll what c waits for */
void sim_put(sim_buf_t *buf, const void *data, size_t len);
void sim_printf(sim_buf_t *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int sim_str_is(aigw_str_t s, const char *text);
void sim_die(const char *what) __attribute__((noreturn));

/* http.c */
void sim_conn_open(int fd, int control);
void sim_conn_ready(sim_conn_t *c, int readable);
void sim_bury(void);                  /* frees what was closed */
void sim_conn_run(sim_conn_t *c);     /* go on with the answer */
void sim_wake_gates(void);
void sim_answer(sim_conn_t *c, const char *status, const char *headers,
    const char *body, size_t len);

/* chat.c */
void sim_serve(sim_conn_t *c, const sim_request_t *r);

/* log.c */
void sim_log_add(aigw_str_t model, int64_t prompt, int64_t completion);
int sim_log_put(aigw_str_t text);     /* 0 is success */
void sim_log_reset(void);
int sim_log_serve(sim_conn_t *c, const sim_request_t *r);  /* 1: it was ours */
int64_t sim_log_argument(aigw_str_t query, const char *name, int64_t absent);

/* token.c */
#define SIM_TOKENS_MAX  4096
#define SIM_KEY_LEN     48

typedef struct {
    int64_t  id;                      /* 0: deleted */
    char     name[64];
    char     key[SIM_KEY_LEN + 8];    /* without "sk-" */
    char     limits[1024];            /* of models; empty: none */
    char     group[64];
    int64_t  quota;
    int64_t  expires;                 /* s, or -1 */
    int      unlimited;
    int      seed;                    /* made by /sub-key/create */
} sim_token_t;

int sim_key_is_right(aigw_str_t sent);
void sim_token_reset(void);
void sim_token_make_key(char *key, const char *prefix, size_t len);
sim_token_t *sim_token_add(void);     /* NULL: there is no room */
sim_token_t *sim_token_find(int64_t id);
void sim_token_print_one(sim_buf_t *body, const sim_token_t *t, int plain);
size_t sim_token_print(sim_buf_t *body, size_t first, size_t max, int all);

/* manage.c */
int sim_manage_serve(sim_conn_t *c, const sim_request_t *r,
    int key_is_right);                /* 1: it was ours */
void sim_manage_list(sim_conn_t *c);
void sim_manage_reset(void);

/* count.c */
int64_t sim_count_prompt(aigw_str_t body, aigw_str_t messages);

/* control.c */
void sim_control(sim_conn_t *c, const sim_request_t *r);
void sim_remember(const sim_request_t *r);
int sim_script_start(sim_conn_t *c);  /* 1: a scripted answer is going on */
void sim_script_free(sim_script_t *script);

/* load.c: the process's exit code */
int sim_load(int argc, char **argv);

#endif /* SIM_H */
