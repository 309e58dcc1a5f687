/* The table of refusals and failures: wire-formats 3.3, one line each. */

#include "aigw_verdict.h"


#define REQUEST     "invalid_request_error"
#define SERVER      "server_error"

static const aigw_verdict_info_t  verdicts[AIGW_VERDICT_MAX] = {

    [AIGW_VERDICT_OK] =
        { 0, AIGW_RETRY_DEFAULT, "", "ok", "" },

    [AIGW_VERDICT_NO_KEY] =
        { 401, AIGW_RETRY_DEFAULT, REQUEST, "invalid_api_key",
          "No API key was sent. Send 'Authorization: Bearer <key>' with the"
          " key of your project." },
    [AIGW_VERDICT_UNKNOWN_KEY] =
        { 401, AIGW_RETRY_DEFAULT, REQUEST, "invalid_api_key",
          "The API key is not known here. Check it, or ask your admin for a"
          " new one." },
    [AIGW_VERDICT_KEY_DISABLED] =
        { 401, AIGW_RETRY_DEFAULT, REQUEST, "api_key_disabled",
          "The API key is disabled. Ask your admin." },
    [AIGW_VERDICT_KEY_EXPIRED] =
        { 401, AIGW_RETRY_DEFAULT, REQUEST, "api_key_expired",
          "The API key has expired. Ask your admin for a new one." },
    [AIGW_VERDICT_KEY_IN_URL] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "credentials_in_url",
          "API keys are not taken from the URL, where logs keep them. Send"
          " 'Authorization: Bearer <key>' and replace this key." },
    [AIGW_VERDICT_TWO_KEYS] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "multiple_credentials",
          "The request carries more than one API key. Send one, in"
          " 'Authorization: Bearer <key>'." },
    [AIGW_VERDICT_MODEL_NOT_ALLOWED] =
        { 403, AIGW_RETRY_DEFAULT, "permission_error", "model_not_allowed",
          "This API key may not use that model. GET /v1/models lists those"
          " that it may." },
    [AIGW_VERDICT_MODEL_NOT_FOUND] =
        { 404, AIGW_RETRY_DEFAULT, REQUEST, "model_not_found",
          "That model has no price here and cannot be called. GET /v1/models"
          " lists those that can." },
    [AIGW_VERDICT_MODEL_UNKNOWN] =
        { 404, AIGW_RETRY_DEFAULT, REQUEST, "model_not_found",
          "There is no such model here, or this API key may not use it. GET"
          " /v1/models lists those that it may." },
    [AIGW_VERDICT_QUOTA_SPENT] =
        { 429, AIGW_RETRY_NEVER, "insufficient_quota", "insufficient_quota",
          "The quota is spent. Ask your admin to raise it." },
    [AIGW_VERDICT_QUOTA_IN_USE] =
        { 429, AIGW_RETRY_AFTER, "rate_limit_error", "quota_in_use",
          "What is left of the quota is held by calls in flight. Try again in"
          " a second." },
    [AIGW_VERDICT_RATE_LIMITED] =
        { 429, AIGW_RETRY_AFTER, "rate_limit_error", "rate_limit_exceeded",
          "This gateway takes no more requests from you now. Try again in a"
          " moment." },
    [AIGW_VERDICT_DENIED] =
        { 403, AIGW_RETRY_DEFAULT, "permission_error", "access_denied",
          "This server is set up to refuse the request. Ask your admin." },
    [AIGW_VERDICT_BODY_TOO_LARGE] =
        { 413, AIGW_RETRY_DEFAULT, REQUEST, "request_too_large",
          "The request body is larger than this gateway takes." },
    [AIGW_VERDICT_INVALID_JSON] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "invalid_json",
          "The request body is not a valid JSON object." },
    [AIGW_VERDICT_DUPLICATE_PARAMETER] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "duplicate_parameter",
          "A member that decides about the call stands twice in the request"
          " body, or in another spelling of its name." },
    [AIGW_VERDICT_INVALID_VALUE] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "invalid_value",
          "A parameter has a value that it cannot have." },
    [AIGW_VERDICT_MEDIA_TYPE] =
        { 415, AIGW_RETRY_DEFAULT, REQUEST, "unsupported_media_type",
          "The request body must be plain, unencoded application/json." },
    [AIGW_VERDICT_MODEL_MISSING] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "missing_required_parameter",
          "The request body must name a 'model'." },
    [AIGW_VERDICT_MODEL_TYPE] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "invalid_type",
          "'model' must be a string." },
    [AIGW_VERDICT_UNBOUNDED] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "unbounded_request",
          "This project's cap is strict, and nothing bounds what this call may"
          " cost: send media and texts themselves, not by reference, and no"
          " hosted tools or stored conversations." },
    [AIGW_VERDICT_UNKNOWN_URL] =
        { 404, AIGW_RETRY_DEFAULT, REQUEST, "unknown_url",
          "This gateway has no such path. It serves POST"
          " /v1/chat/completions, /v1/completions and /v1/embeddings, and GET"
          " /v1/models." },
    [AIGW_VERDICT_METHOD] =
        { 405, AIGW_RETRY_DEFAULT, REQUEST, "unknown_url",
          "This path takes another method: see the header Allow." },
    [AIGW_VERDICT_UPSTREAM_UNAVAILABLE] =
        { 502, AIGW_RETRY_DEFAULT, SERVER, "upstream_unavailable",
          "The upstream could not be reached. Nothing was charged; try"
          " again." },
    [AIGW_VERDICT_UPSTREAM_ERROR] =
        { 502, AIGW_RETRY_DEFAULT, SERVER, "upstream_error",
          "The upstream failed with an answer that cannot be passed on." },
    [AIGW_VERDICT_UPSTREAM_AUTH] =
        { 503, AIGW_RETRY_NEVER, SERVER, "upstream_auth_error",
          "The upstream refuses this gateway's own key. Your key is not at"
          " fault: tell your admin." },
    [AIGW_VERDICT_UPSTREAM_QUOTA] =
        { 503, AIGW_RETRY_NEVER, SERVER, "upstream_quota_exhausted",
          "The gateway's own account at the upstream is empty. Your quota is"
          " not at fault: tell your admin." },
    [AIGW_VERDICT_SUBKEY] =
        { 503, AIGW_RETRY_NEVER, SERVER, "sub_key_unreadable",
          "The key that this project has at the upstream cannot be read. Your"
          " key is not at fault: tell your admin." },
    [AIGW_VERDICT_UPSTREAM_RATE] =
        { 429, AIGW_RETRY_DEFAULT, "rate_limit_error", "rate_limit_exceeded",
          "The upstream takes no more requests now. Try again later." },
    [AIGW_VERDICT_UPSTREAM_TIMEOUT] =
        { 504, AIGW_RETRY_NEVER, SERVER, "upstream_timeout",
          "The upstream did not answer in time. It may have worked on the"
          " call: a retry may pay twice." },
    [AIGW_VERDICT_UPSTREAM_STATUS] =
        { 0, AIGW_RETRY_DEFAULT, SERVER, "upstream_status",
          "The upstream answered with an error of its own." },
    [AIGW_VERDICT_UNAVAILABLE] =
        { 503, AIGW_RETRY_AFTER, SERVER, "gateway_unavailable",
          "The gateway cannot check or record this call now, so it is not"
          " let through. Try again." },
    [AIGW_VERDICT_BAD_REQUEST] =
        { 400, AIGW_RETRY_DEFAULT, REQUEST, "bad_request",
          "The request is not valid HTTP." },
    [AIGW_VERDICT_CLIENT_CLOSED] =
        { 0, AIGW_RETRY_DEFAULT, REQUEST, "client_closed_request",
          "The client closed the connection before the answer." },
    [AIGW_VERDICT_INTERNAL] =
        { 500, AIGW_RETRY_DEFAULT, SERVER, "internal_error",
          "The gateway failed on this request." },
};


const aigw_verdict_info_t *
aigw_verdict_info(unsigned v)
{
    if (v >= AIGW_VERDICT_MAX || verdicts[v].code == NULL) {
        v = AIGW_VERDICT_INTERNAL;
    }

    return &verdicts[v];
}
