/*
 * What the files of the origin's API share: how that service took fields, and
 * how it said that something is wrong with them (FastAPI's lists of faults).
 * docs/ORIGIN.md compares each field.
 */

#ifndef SERVE_ORIGIN_H
#define SERVE_ORIGIN_H

#include "aigw_json.h"
#include "serve.h"


#define SERVE_ORIGIN_JSON  0x01       /* how a body may come */
#define SERVE_ORIGIN_FORM  0x02

#define SERVE_ORIGIN_NUMBERS  2

#define SERVE_ORIGIN_OFTEN  "请求过于频繁，请稍后再试"

#define SERVE_ORIGIN_BAD_NAME                                                 \
    "Value error, 名称最长64字节，只能包含文字、数字和" \
    " . _ -，不能全为数字，不能以 - 开头"

/* A number's own text: a double would have changed it. */
typedef struct {
    char  text[AIGW_JSON_TEXT_MAX + 1];   /* empty: it is none */
} serve_origin_number_t;

/* A request's fields, and what is wrong with them so far. */
typedef struct {
    serve_request_t        *r;
    const char             *where;    /* "body" or "query" */
    serve_origin_number_t   number[SERVE_ORIGIN_NUMBERS];
    cJSON                  *faults;   /* NULL: none */
    int                     broken;   /* one is of the body as a whole */
} serve_origin_in_t;


/* serve_origin_body.c */
/* Reads the body into r->json, of a form each field as a text. What is wrong
   with it as a whole is a fault. */
void serve_origin_take_body(serve_origin_in_t *in, serve_request_t *r,
    unsigned kinds);
/* field NULL: the body as a whole. type and message as pydantic has them. */
void serve_origin_fault(serve_origin_in_t *in, const char *field,
    const char *type, const char *message);
/* 1: there are faults, and they are the answer now. Frees them. */
int serve_origin_is_faulty(serve_origin_in_t *in);
/* The text of a field's number; empty: it is none, or longer than any that is
   in range. */
const char *serve_origin_number(const serve_origin_in_t *in,
    const char *field);
/* An argument of the query, decoded; empty: there is none. 0: a fault. */
int serve_origin_argument(serve_origin_in_t *in, const char *field,
    char text[CLI_TEXT_LEN]);

/* serve_origin_value.c */
/* A text of min to max bytes; NULL: it is not there, or it is a fault. */
const char *serve_origin_text(serve_origin_in_t *in, const char *field,
    int required, size_t min, size_t max);
/* An amount as the command line has it: what stands behind the ninth place is
   cut off. 0: a fault. */
int serve_origin_amount(serve_origin_in_t *in, const char *field,
    int64_t *nano);
/* A whole number from min to max; left as it is if there is none. */
void serve_origin_count(serve_origin_in_t *in, const char *field, int64_t min,
    int64_t max, int64_t *count);
/* Patterns, as an array or separated by commas; left as it is likewise. */
void serve_origin_models(serve_origin_in_t *in, const char *field,
    char models[AIGW_MODELS_MAX + 1]);

/* serve_origin.c */
/* {"code":200,"msg":msg,"data":{}} as the answer; returns data. */
cJSON *serve_origin_answer(serve_request_t *r, const char *msg);
/* {"detail":text}. */
void serve_origin_detail(serve_request_t *r, unsigned status,
    const char *text);

#endif /* SERVE_ORIGIN_H */
