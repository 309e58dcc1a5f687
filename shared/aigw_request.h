/*
 * What the gateway must know of a request body before it lets it pass:
 * the model, whether it streams, its own output limits, and where
 * include_usage must be spliced in. One resumable pass over the body in
 * pieces of any size; no copy, no allocation.
 *
 * Rules: wire-formats 1.3 and 2.2 (where members stand, include_usage),
 * threats A19, A20, J01 to J11, J21, Q10. A watched member that stands twice
 * (escapes decoded) is refused; one that equals a watched name but for case
 * (ASCII, U+017F, U+212A) is refused too.
 */

#ifndef AIGW_REQUEST_H
#define AIGW_REQUEST_H

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_verdict.h"


#define AIGW_REQUEST_SPLICES  4       /* of all kinds together, at most */

/* Under a strict cap: what an image that is in the body has more than it has
   bytes (the dearest known: 48,169 for eight tiles of gpt-4o-mini), and what
   an upstream says of tools by itself (Anthropic: up to 530). */
#define AIGW_REQUEST_IMAGE_TOKENS  65536
#define AIGW_REQUEST_TOOLS_TOKENS  1024


/* What a body is for. */
typedef enum {
    AIGW_REQUEST_CHAT = 0,
    AIGW_REQUEST_COMPLETIONS,
    AIGW_REQUEST_EMBEDDINGS
} aigw_request_kind_t;


/*
 * One edit of the body that keeps offsets of the original: `blank` bytes at
 * `offset` are overwritten by spaces in place (same length), then `text` is
 * inserted at `offset`. Splices are sorted by offset and do not overlap.
 */
typedef struct {
    uint64_t       offset;
    uint32_t       blank;
    aigw_str_t     text;              /* static, or the caller's */
} aigw_request_splice_t;


typedef struct {
    aigw_json_t    json;

    char           model[AIGW_MODEL_MAX];
    uint8_t        model_len;

    unsigned       stream:1;          /* "stream": true */
    unsigned       include_usage:1;   /* the client itself asks for usage */

    int64_t        max_tokens;             /* -1: absent or null */
    int64_t        max_completion_tokens;  /* -1: absent or null */
    int64_t        n;                      /* -1: absent or null */
    int64_t        best_of;                /* -1: absent or null */

    /* Under a strict cap: */
    int64_t        more_tokens;       /* of the input, above one a byte */
    unsigned       by_context:1;      /* media that only the model's context
                                         bounds */

    /* Set when feed or finish fails: */
    aigw_verdict_t verdict;           /* invalid_json, invalid_value, ... */
    const char     *param;            /* member at fault, or NULL; static */

    /* The rest is private to aigw_request*.c. */
    uint64_t       root_start;        /* offset just behind the root's '{' */
    uint64_t       options_start;     /* first byte of stream_options' value */
    uint64_t       include_start;     /* first byte of include_usage's value */
    uint64_t       model_start;       /* model: its value's first byte */
    uint32_t       model_bytes;       /* as it stands there, with its quotes */
    uint64_t       limit_start[2];    /* max_tokens, max_completion_tokens */
    uint32_t       limit_bytes[2];    /* as they stand there; 0: absent */
    uint8_t        options_type;      /* aigw_json_type_t, 0 = absent */
    uint8_t        include_type;
    unsigned       options_empty:1;
    unsigned       model_seen:1;
    unsigned       strict:1;
    unsigned       type_known:1;      /* of the part or tool in hand */
    unsigned       token_list:1;      /* the prompt is a list of tokens */
    uint8_t        kind;              /* aigw_request_kind_t */
    uint32_t       texts;             /* prompts of an array */
} aigw_request_t;


/*
 * Makes req ready for a new body. strict: a body whose cost nothing bounds is
 * refused as AIGW_VERDICT_UNBOUNDED: media or files by reference, hosted
 * tools, stored prompts and conversations, parts of an unknown type.
 */
void aigw_request_init(aigw_request_t *req, aigw_request_kind_t kind,
    int strict);

/*
 * Scans the next len bytes of the body (borrows them during the call).
 * AIGW_OK: go on. AIGW_EINVAL: refuse, req->verdict and req->param say why.
 */
aigw_err_t aigw_request_feed(aigw_request_t *req, const unsigned char *data,
    size_t len) AIGW_CHECKED;

/*
 * The body is complete. AIGW_OK: the facts above are valid. AIGW_EINVAL as in
 * feed: also for a body that is cut, empty, not an object, or without model.
 */
aigw_err_t aigw_request_finish(aigw_request_t *req) AIGW_CHECKED;

/* The limit that the body sets for one output, the larger if it has both; -1 if
   it has none. */
int64_t aigw_request_limit(const aigw_request_t *req);

/* How many prompts (completions) or inputs (embeddings) the body has; a list of
   tokens is one. From 1; each has the outputs that n says. */
int64_t aigw_request_prompts(const aigw_request_t *req);

/*
 * The edit that makes a streaming body ask for include_usage; none if it does
 * already or does not stream. Each of these returns the number of its edits.
 */
unsigned aigw_request_usage_splice(const aigw_request_t *req,
    aigw_request_splice_t *splice);

/* The edit that names another model: `text` is a JSON string with its quotes
   (borrowed by the splice). */
unsigned aigw_request_model_splice(const aigw_request_t *req, aigw_str_t text,
    aigw_request_splice_t *splice);

/* The edits that set the output limit: `number` (limit's digits) in each member
   that the body has for it and that is above, else `member` (all of it, with a
   comma behind) as a new one. Both borrowed. */
unsigned aigw_request_limit_splices(const aigw_request_t *req, int64_t limit,
    aigw_str_t number, aigw_str_t member, aigw_request_splice_t splice[2]);

/* Brings n edits into the order in which they are to be made. */
void aigw_request_sort_splices(aigw_request_splice_t *splice, unsigned n);

#endif /* AIGW_REQUEST_H */
