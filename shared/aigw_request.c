/*
 * The facts of a request body, gathered while the scanner passes over it, and
 * where include_usage goes in. It must not decide what a caller may do: that
 * is the module's. What bounds its cost: aigw_request_bound.c.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_verdict.h"
#include "aigw_request.h"
#include "aigw_request_internal.h"


#define REQUEST_TOKENS_MAX  INT64_C(1000000000)
#define REQUEST_N_MAX       128


/* A member's name as a client knows it. */
static const char *
request_param(const aigw_json_node_t *node)
{
    return node->id == AIGW_REQUEST_INCLUDE ? "stream_options.include_usage"
                                            : node->name.data;
}


aigw_err_t
aigw_request_refuse(aigw_request_t *req, aigw_verdict_t verdict,
    const char *param)
{
    req->verdict = verdict;
    req->param = param;

    return AIGW_EINVAL;
}


static AIGW_COLD aigw_err_t
request_refuse_value(aigw_request_t *req, const aigw_json_value_t *value)
{
    return aigw_request_refuse(req, AIGW_VERDICT_INVALID_VALUE,
                               request_param(value->node));
}


/* C0, DEL, and C1 in its UTF-8 form. */
static int
request_has_control(aigw_str_t text)
{
    size_t         i;
    unsigned char  c, next;

    for (i = 0; i < text.len; i++) {
        c = (unsigned char) text.data[i];
        next = i + 1 < text.len ? (unsigned char) text.data[i + 1] : 0xff;

        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0)) {
            return 1;
        }
    }

    return 0;
}


static aigw_err_t
request_model(aigw_request_t *req, const aigw_json_value_t *value)
{
    if (value->type != AIGW_JSON_STRING) {
        return aigw_request_refuse(req, AIGW_VERDICT_MODEL_TYPE, "model");
    }

    if (value->text.len == 0 || value->cut || value->text.len > AIGW_MODEL_MAX
        || request_has_control(value->text))
    {
        return request_refuse_value(req, value);
    }

    memcpy(req->model, value->text.data, value->text.len);
    req->model_len = (uint8_t) value->text.len;
    req->model_start = value->start;
    req->model_bytes = (uint32_t) (value->end - value->start);
    req->model_seen = 1;

    return AIGW_OK;
}


static aigw_err_t
request_count(aigw_request_t *req, const aigw_json_value_t *value, int64_t max,
    int64_t *count)
{
    int64_t  n;

    if (value->type == AIGW_JSON_NULL) {
        return AIGW_OK;
    }

    if (value->type != AIGW_JSON_NUMBER || value->cut
        || aigw_json_count(value->text, max, &n) != AIGW_OK || n < 1)
    {
        return request_refuse_value(req, value);
    }

    *count = n;

    return AIGW_OK;
}


static aigw_err_t
request_own_limit(aigw_request_t *req, const aigw_json_value_t *value,
    unsigned which, int64_t *limit)
{
    req->limit_start[which] = value->start;
    req->limit_bytes[which] = (uint32_t) (value->end - value->start);

    return request_count(req, value, REQUEST_TOKENS_MAX, limit);
}


static aigw_err_t
request_options_value(aigw_request_t *req, const aigw_json_value_t *value)
{
    switch (value->event) {

    case AIGW_JSON_FIRST:
        req->options_empty = 0;
        return AIGW_OK;

    case AIGW_JSON_END:
        return AIGW_OK;

    default:
        if (value->type != AIGW_JSON_OBJECT && value->type != AIGW_JSON_NULL) {
            return request_refuse_value(req, value);
        }

        req->options_start = value->start;
        req->options_type = (uint8_t) value->type;
        req->options_empty = 1;

        return AIGW_OK;
    }
}


static aigw_err_t
request_bool(aigw_request_t *req, const aigw_json_value_t *value)
{
    int  is_true = value->type == AIGW_JSON_TRUE;

    if (!is_true && value->type != AIGW_JSON_FALSE
        && value->type != AIGW_JSON_NULL)
    {
        return request_refuse_value(req, value);
    }

    if (value->node->id == AIGW_REQUEST_STREAM) {
        req->stream = is_true != 0;
        return AIGW_OK;
    }

    req->include_usage = is_true != 0;
    req->include_type = (uint8_t) value->type;
    req->include_start = value->start;

    return AIGW_OK;
}


static aigw_err_t
request_root(aigw_request_t *req, const aigw_json_value_t *value)
{
    if (value->type != AIGW_JSON_OBJECT) {
        return aigw_request_refuse(req, AIGW_VERDICT_INVALID_JSON, NULL);
    }

    if (value->event == AIGW_JSON_BEGIN) {
        req->root_start = value->start + 1;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_request_value(void *ctx, const aigw_json_value_t *value)
{
    aigw_request_t  *req = ctx;

    switch (value->node->id) {

    case AIGW_REQUEST_ROOT:
        return request_root(req, value);

    case AIGW_REQUEST_MODEL:
        return request_model(req, value);

    case AIGW_REQUEST_OPTIONS:
        return request_options_value(req, value);

    case AIGW_REQUEST_MAX_TOKENS:
        return request_own_limit(req, value, 0, &req->max_tokens);

    case AIGW_REQUEST_MAX_COMPLETION:
        return request_own_limit(req, value, 1, &req->max_completion_tokens);

    case AIGW_REQUEST_N:
        return request_count(req, value, REQUEST_N_MAX, &req->n);

    case AIGW_REQUEST_BEST_OF:
        return request_count(req, value, REQUEST_N_MAX, &req->best_of);

    case AIGW_REQUEST_STREAM:
    case AIGW_REQUEST_INCLUDE:
        return request_bool(req, value);

    default:
        return aigw_request_bound(req, value);
    }
}


void
aigw_request_init(aigw_request_t *req, aigw_request_kind_t kind, int strict)
{
    /* not what model_len says of model */
    memset(&req->model_len, 0,
           sizeof(*req) - offsetof(aigw_request_t, model_len));

    req->max_tokens = -1;
    req->max_completion_tokens = -1;
    req->n = -1;
    req->best_of = -1;
    req->kind = (uint8_t) kind;
    req->strict = strict != 0;
    aigw_json_init(&req->json, aigw_request_schema(kind, strict));
}


/* The scanner stopped: says why, unless the handler did. */
static AIGW_COLD aigw_err_t
request_fail(aigw_request_t *req)
{
    const aigw_json_node_t  *node = aigw_json_fault(&req->json);

    if (req->verdict != AIGW_VERDICT_OK) {
        return AIGW_EINVAL;
    }

    if (node != NULL) {
        return aigw_request_refuse(req, AIGW_VERDICT_DUPLICATE_PARAMETER,
                                   request_param(node));
    }

    return aigw_request_refuse(req, AIGW_VERDICT_INVALID_JSON, NULL);
}


aigw_err_t
aigw_request_feed(aigw_request_t *req, const unsigned char *data, size_t len)
{
    if (aigw_json_feed(&req->json, data, len, req) == AIGW_OK) {
        return AIGW_OK;
    }

    return request_fail(req);
}


aigw_err_t
aigw_request_finish(aigw_request_t *req)
{
    /* a number alone is a document that the handler did not see */
    if (aigw_json_finish(&req->json) != AIGW_OK || req->root_start == 0) {
        return request_fail(req);
    }

    if (!req->model_seen) {
        return aigw_request_refuse(req, AIGW_VERDICT_MODEL_MISSING, "model");
    }

    return AIGW_OK;
}


int64_t
aigw_request_prompts(const aigw_request_t *req)
{
    int64_t  n = (int64_t) req->texts + req->token_list;

    return n > 0 ? n : 1;
}


int64_t
aigw_request_limit(const aigw_request_t *req)
{
    return req->max_tokens > req->max_completion_tokens
           ? req->max_tokens : req->max_completion_tokens;
}


unsigned
aigw_request_usage_splice(const aigw_request_t *req,
    aigw_request_splice_t *splice)
{
    static const aigw_str_t  options =
        aigw_str("\"stream_options\":{\"include_usage\":true},");
    static const aigw_str_t  object = aigw_str("{\"include_usage\":true}");
    static const aigw_str_t  only = aigw_str("\"include_usage\":true");
    static const aigw_str_t  first = aigw_str("\"include_usage\":true,");
    static const aigw_str_t  value = aigw_str("true");

    if (!req->stream || req->include_type == AIGW_JSON_TRUE) {
        return 0;
    }

    splice->blank = 0;

    if (req->options_type == 0) {
        splice->offset = req->root_start;
        splice->text = options;

    } else if (req->options_type == AIGW_JSON_NULL) {
        splice->offset = req->options_start;
        splice->blank = 4;
        splice->text = object;

    } else if (req->include_type == 0) {
        splice->offset = req->options_start + 1;
        splice->text = req->options_empty ? only : first;

    } else {
        splice->offset = req->include_start;
        splice->blank = req->include_type == AIGW_JSON_NULL ? 4 : 5;
        splice->text = value;
    }

    return 1;
}


unsigned
aigw_request_model_splice(const aigw_request_t *req, aigw_str_t text,
    aigw_request_splice_t *splice)
{
    splice->offset = req->model_start;
    splice->blank = req->model_bytes;
    splice->text = text;

    return 1;
}


unsigned
aigw_request_limit_splices(const aigw_request_t *req, int64_t limit,
    aigw_str_t number, aigw_str_t member, aigw_request_splice_t splice[2])
{
    unsigned       i, n = 0;
    const int64_t  own[] = { req->max_tokens, req->max_completion_tokens };
    const int      none = aigw_request_limit(req) < 0;

    for (i = 0; i < 2; i++) {
        if (none ? req->limit_bytes[i] && n == 0 : own[i] > limit) {
            splice[n].offset = req->limit_start[i];
            splice[n].blank = req->limit_bytes[i];
            splice[n].text = number;
            n++;
        }
    }

    if (n == 0 && none) {
        splice->offset = req->root_start;
        splice->blank = 0;
        splice->text = member;
        n = 1;
    }

    return n;
}


void
aigw_request_sort_splices(aigw_request_splice_t *splice, unsigned n)
{
    unsigned               i, k;
    aigw_request_splice_t  moved;

    for (i = 1; i < n; i++) {
        moved = splice[i];

        for (k = i; k > 0 && splice[k - 1].offset > moved.offset; k--) {
            splice[k] = splice[k - 1];
        }

        splice[k] = moved;
    }
}
