/*
 * The scan of a request and its splices: the same verdict and facts for any
 * split; and the body with the splices in is one that needs none, asks for
 * usage, and says the same else (M_ALIAS: but for the model; M_LIMIT: but for
 * its output limit). Another library reads it so, too. M_STRICT: under a strict
 * cap, which refuses more and finds the same.
 */

#include <cjson/cJSON.h>

#include "aigw.h"
#include "aigw_request.h"
#include "fuzz.h"


#define M_ALIAS  1                     /* mode: another model goes up */
#define M_LIMIT  2                     /* mode: so many tokens, at most */

#define M_STRICT 4
#define M_KIND   6                     /* the bits from this one on: of body */

static const char  other[] = "\"another\"";
static const char  limit[] = "3";
static const char  member[] = "\"max_tokens\":3,";


static aigw_err_t
scan(aigw_request_t *req, const fuzz_cut_t *cut, const unsigned char *doc,
    size_t len)
{
    size_t          pos, n;
    unsigned        i = 0;
    aigw_err_t      err = AIGW_OK;
    unsigned char  *piece;

    memset(req, 0xa5, sizeof(*req));
    aigw_request_init(req, (aigw_request_kind_t) ((cut->mode >> M_KIND) % 3),
                      (cut->mode & M_STRICT) != 0);

    for (pos = 0; pos < len && err == AIGW_OK; pos += n) {
        n = fuzz_len(cut, i++, len - pos);
        piece = fuzz_open(doc + pos, n);
        err = aigw_request_feed(req, piece, n);
        fuzz_close(piece, n);
    }

    return err == AIGW_OK ? aigw_request_finish(req) : err;
}


static void
add_facts(const aigw_request_t *req)
{
    fuzz_add_text(req->model, req->model_len);
    fuzz_add_int(req->stream);
    fuzz_add_int(req->max_tokens);
    fuzz_add_int(req->max_completion_tokens);
    fuzz_add_int(req->n);
    fuzz_add_int(req->best_of);
    fuzz_add_int(aigw_request_prompts(req));
    fuzz_add_int(req->more_tokens);
    fuzz_add_int(req->by_context);
}


/* The edits that the mode asks for, in order. */
static unsigned
edits(const aigw_request_t *req, unsigned mode, aigw_request_splice_t *s)
{
    unsigned    n = aigw_request_usage_splice(req, s);
    aigw_str_t  text = { sizeof(other) - 1, other };
    aigw_str_t  number = { sizeof(limit) - 1, limit };
    aigw_str_t  whole = { sizeof(member) - 1, member };

    fuzz_check((n == 0) == (!req->stream || req->include_usage), "if needed");

    if (mode & M_ALIAS) {
        n += aigw_request_model_splice(req, text, &s[n]);
    }

    if (mode & M_LIMIT) {
        n += aigw_request_limit_splices(req, 3, number, whole, &s[n]);
    }

    fuzz_check(n <= AIGW_REQUEST_SPLICES, "not too many");
    aigw_request_sort_splices(s, n);

    return n;
}


/* The body as it goes up: its length. */
static size_t
splice(const aigw_request_splice_t *s, unsigned n, const unsigned char *doc,
    size_t len, unsigned char *out)
{
    size_t    pos = 0, used = 0;
    unsigned  i;

    for (i = 0; i < n; i++) {
        fuzz_check(s[i].offset >= pos && s[i].offset + s[i].blank <= len,
                   "splices lie in the body, in order");
        fuzz_check(s[i].text.data == other || s[i].text.data == limit
                   || s[i].blank == 0
                   || memcmp(doc + s[i].offset, "null", s[i].blank) == 0
                   || memcmp(doc + s[i].offset, "false", s[i].blank) == 0,
                   "only null and false are blanked");
        memcpy(out + used, doc + pos, s[i].offset - pos);
        used += s[i].offset - pos;
        memcpy(out + used, s[i].text.data, s[i].text.len);
        used += s[i].text.len;
        memset(out + used, ' ', s[i].blank);
        used += s[i].blank;
        pos = s[i].offset + s[i].blank;
    }

    memcpy(out + used, doc + pos, len - pos);

    return used + len - pos;
}


/* How many prompts another reader sees. */
static int64_t
count_prompts(const aigw_request_t *req, const cJSON *root)
{
    int64_t       n = 0, tokens = 0;
    const cJSON  *item, *prompt;

    if (req->kind == AIGW_REQUEST_CHAT) {
        return aigw_request_prompts(req);
    }

    prompt = cJSON_GetObjectItemCaseSensitive(root,
                 req->kind == AIGW_REQUEST_EMBEDDINGS ? "input" : "prompt");

    if (!cJSON_IsArray(prompt)) {
        return 1;
    }

    cJSON_ArrayForEach(item, prompt) {
        tokens |= cJSON_IsNumber(item);
        n += !cJSON_IsNumber(item);
    }

    return n + tokens > 0 ? n + tokens : 1;
}


/* What cJSON makes of a body that we let pass, unless it refuses it. */
static void
ask_other(const aigw_request_t *req, const unsigned char *doc, size_t len)
{
    cJSON       *root = cJSON_ParseWithLength((const char *) doc, len);
    const char  *model;

    if (root == NULL) {
        return;
    }

    model = cJSON_GetStringValue(
                cJSON_GetObjectItemCaseSensitive(root, "model"));
    fuzz_check(model && strlen(model) == req->model_len
               && memcmp(model, req->model, req->model_len) == 0,
               "the model that another reader sees");
    fuzz_check(!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "stream"))
               == !req->stream, "the stream that another reader sees");
    fuzz_check(count_prompts(req, root) == aigw_request_prompts(req),
               "as many prompts");

    if (req->stream) {
        fuzz_check(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
                       cJSON_GetObjectItemCaseSensitive(root,
                                                        "stream_options"),
                       "include_usage")), "usage is asked for");
    }

    cJSON_Delete(root);
}


static void
run(const fuzz_cut_t *cut, const unsigned char *doc, size_t len)
{
    static unsigned char  body[FUZZ_PIECE + 256];

    size_t                 facts, used, body_len;
    unsigned               n, i;
    aigw_request_t         req, again;
    aigw_request_splice_t  s[AIGW_REQUEST_SPLICES];

    if (scan(&req, cut, doc, len) != AIGW_OK) {
        fuzz_check(req.verdict != AIGW_VERDICT_OK, "a refusal has a reason");
        fuzz_add_int(req.verdict);
        fuzz_add_text(req.param, req.param ? strlen(req.param) : 0);
        return;
    }

    add_facts(&req);
    facts = fuzz_used;
    n = edits(&req, cut->mode, s);

    for (i = 0; i < n; i++) {
        fuzz_add_int((int64_t) s[i].offset);
        fuzz_add_int(s[i].blank);
        fuzz_add_text(s[i].text.data, s[i].text.len);
    }

    if (cut->len[0] != FUZZ_PIECE) {
        return;
    }

    body_len = splice(s, n, doc, len, body);
    fuzz_check(scan(&again, cut, body, body_len) == AIGW_OK,
               "it passes again");
    fuzz_check(aigw_request_usage_splice(&again, s) == 0,
               "and needs no splice");

    if (cut->mode & M_ALIAS) {
        fuzz_check(again.model_len == sizeof(other) - 3
                   && memcmp(again.model, other + 1, again.model_len) == 0,
                   "the other model");
    }

    if (cut->mode & M_LIMIT) {
        fuzz_check(aigw_request_limit(&again) >= 1
                   && aigw_request_limit(&again) <= 3, "the limit");
        fuzz_check(again.n == req.n && again.stream == req.stream,
                   "and nothing else");
    }

    if (cut->mode & (M_ALIAS|M_LIMIT)) {
        return;
    }

    used = fuzz_used;
    add_facts(&again);
    fuzz_check(fuzz_used - used == facts
               && memcmp(fuzz_log, fuzz_log + used, facts) == 0,
               "the same facts");
    fuzz_used = used;

    ask_other(&again, body, body_len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return size > FUZZ_PIECE - 256 ? 0 : fuzz_same(run, data, size);
}
