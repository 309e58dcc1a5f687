/*
 * `aigw-sim --load`: what load.c (connections, the clock), call.c (what a
 * call says, what its answer means) and report.c know of each other.
 */

#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim.h"


#define LOAD_IN_SIZE     65536
#define LOAD_STATUS_MAX  600
#define LOAD_ERRORS_MAX  32


/* What a client does at due_us; 0: nothing is due. */
typedef enum {
    LOAD_CONNECT,                     /* nobody listened */
    LOAD_AGAIN,                       /* as Retry-After has it */
    LOAD_ABORT                        /* leaves amid its call */
} load_due_t;


typedef struct {
    int          fd;                  /* -1: not connected */
    size_t       sent;
    size_t       len;                 /* of in */
    size_t       got;                 /* of the answer */
    uint64_t     start_us;
    uint64_t     due_us;
    load_due_t   due;
    uint32_t     first_us;
    unsigned     calling:1;           /* a call is going on */
    unsigned     written:1;           /* some of it was written */
    sim_buf_t    own;                 /* its request, with --vary */
    char         in[LOAD_IN_SIZE];
} load_client_t;


/* Errors of one code and message that no client tries again. */
typedef struct {
    aigw_str_t   code;
    aigw_str_t   message;             /* as JSON has it */
    uint64_t     count;
} load_error_t;


typedef struct {
    struct sockaddr_in   sin;
    char                 host[128];
    const char          *path;
    const char          *key;
    sim_buf_t            body;
    sim_buf_t            request;
    FILE                *ids;         /* of whole answers of status 200 */
    uint64_t             random;      /* state */
    unsigned             aborts;      /* of a hundred calls */
    unsigned             obey:1;
    unsigned             vary:1;
    int                  epoll;
    uint64_t             wanted;
    uint64_t             started;
    uint64_t             done;
    uint64_t             broken;      /* connections lost without an answer */
    uint64_t             aborted;
    uint64_t             again;
    uint64_t             stopped;     /* clients */
    uint64_t             bytes;
    uint64_t             status[LOAD_STATUS_MAX];
    unsigned             nerrors;
    load_error_t         errors[LOAD_ERRORS_MAX];
    size_t               answers;     /* in the next two */
    uint32_t            *first_us;    /* to the first byte of an answer */
    uint32_t            *took_us;
} load_t;

extern load_t  load;


/* What an answer asks of its client. */
typedef enum {
    LOAD_ANSWER_ENDS,
    LOAD_ANSWER_AGAIN,                /* after *wait_s */
    LOAD_ANSWER_SPENT                 /* it calls no more */
} load_answer_t;


/* call.c */
unsigned load_random(unsigned below);
void load_build(sim_buf_t *request, const sim_buf_t *body);
const sim_buf_t *load_request(load_client_t *client);
int load_is_whole(const load_client_t *client);
int load_is_last(const load_client_t *client);
load_answer_t load_answer(load_client_t *client, unsigned *wait_s);

/* report.c */
void load_report(uint64_t elapsed_us);

#endif /* LOAD_H */
