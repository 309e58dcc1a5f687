/* Private to the files of the request's scan. */

#ifndef AIGW_REQUEST_INTERNAL_H
#define AIGW_REQUEST_INTERNAL_H

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_verdict.h"
#include "aigw_request.h"


/* Not for other libraries. */
#pragma GCC visibility push(hidden)


/* Ids of what is watched. From AIGW_REQUEST_PROMPT on it matters for what a
   call may cost at most, and is aigw_request_bound.c's. */
enum {
    AIGW_REQUEST_ROOT = 0, AIGW_REQUEST_MODEL, AIGW_REQUEST_STREAM,
    AIGW_REQUEST_OPTIONS, AIGW_REQUEST_INCLUDE, AIGW_REQUEST_MAX_TOKENS,
    AIGW_REQUEST_MAX_COMPLETION, AIGW_REQUEST_N, AIGW_REQUEST_BEST_OF,

    AIGW_REQUEST_PROMPT, AIGW_REQUEST_PROMPT_ITEM, AIGW_REQUEST_REFERENCE,
    AIGW_REQUEST_CONTENT, AIGW_REQUEST_PART, AIGW_REQUEST_PART_TYPE,
    AIGW_REQUEST_IMAGE, AIGW_REQUEST_MEDIA, AIGW_REQUEST_AUDIO,
    AIGW_REQUEST_TOOLS, AIGW_REQUEST_TOOL, AIGW_REQUEST_TOOL_TYPE,
    AIGW_REQUEST_FUNCTION_NAME, AIGW_REQUEST_MAX
};


/* What is to be watched in a body of that kind. */
const aigw_json_schema_t *aigw_request_schema(aigw_request_kind_t kind,
    int strict);

/* The handler of all schemas. */
aigw_err_t aigw_request_value(void *ctx, const aigw_json_value_t *value);

/* A value from AIGW_REQUEST_PROMPT on. */
aigw_err_t aigw_request_bound(aigw_request_t *req,
    const aigw_json_value_t *value) AIGW_CHECKED;

/* AIGW_EINVAL, with what it is for. */
aigw_err_t aigw_request_refuse(aigw_request_t *req, aigw_verdict_t verdict,
    const char *param) AIGW_COLD;


#pragma GCC visibility pop

#endif /* AIGW_REQUEST_INTERNAL_H */
