/*
 * What 4sapi would say: the default answers, without any script.
 *
 *   POST /v1/chat/completions   words from a fixed list, one token each
 *   GET /v1/models              a few models
 *   anything else               404 as new-api words it
 *
 * prompt_tokens: count.c. completion_tokens = words of all choices together:
 * `n` times the least of --tokens and the request's own limit (finish_reason
 * "length" where that is less). total_tokens is their sum; details are 0.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aigw_crc.h"
#include "sim.h"


#define DEPTH_MAX  1000

/* Values of the members that matter, as they stand in the body. */
typedef struct {
    aigw_str_t   model;
    aigw_str_t   messages;
    aigw_str_t   stream;
    aigw_str_t   stream_options;
    aigw_str_t   max_tokens;
    aigw_str_t   max_completion_tokens;
    aigw_str_t   n;
} chat_t;

static const char *const  words[] = {
    "the ", "gateway ", "counts ", "each ", "word ", "that ", "passes ",
    "and ", "keeps ", "a ", "line ", "for ", "it ", "in ", "its ", "ledger "
};

#define WORDS  (sizeof(words) / sizeof(words[0]))

static const char  models[] =
    "{\"object\":\"list\",\"success\":true,\"data\":["
    "{\"id\":\"gpt-4o\",\"object\":\"model\",\"created\":1626777600,"
    "\"owned_by\":\"openai\",\"supported_endpoint_types\":[\"openai\"]},"
    "{\"id\":\"gpt-4o-mini\",\"object\":\"model\",\"created\":1626777600,"
    "\"owned_by\":\"openai\",\"supported_endpoint_types\":[\"openai\"]},"
    "{\"id\":\"claude-sonnet-4-5\",\"object\":\"model\","
    "\"created\":1626777600,\"owned_by\":\"anthropic\","
    "\"supported_endpoint_types\":[\"anthropic\",\"openai\"]}]}";


/* Behind the value that begins at p; NULL: there is none. */
static const char *
skip_value(const char *p, const char *end)
{
    unsigned  depth = 0;

    for ( /* void */ ; p < end; p++) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++) {
                p += *p == '\\';
            }

        } else if (*p == '{' || *p == '[') {
            if (++depth > DEPTH_MAX) {
                return NULL;
            }

        } else if (*p == '}' || *p == ']') {
            if (depth == 0) {
                return p;
            }

            depth--;

        } else if (*p == ',' && depth == 0) {
            return p;
        }
    }

    return NULL;
}


static aigw_str_t *
member(chat_t *chat, const char *name, size_t len)
{
    aigw_str_t  s = { len, name };

    return sim_str_is(s, "model") ? &chat->model
           : sim_str_is(s, "messages") ? &chat->messages
           : sim_str_is(s, "stream") ? &chat->stream
           : sim_str_is(s, "stream_options") ? &chat->stream_options
           : sim_str_is(s, "max_tokens") ? &chat->max_tokens
           : sim_str_is(s, "max_completion_tokens")
             ? &chat->max_completion_tokens
           : sim_str_is(s, "n") ? &chat->n : NULL;
}


/* Good enough for a body that the gateway has let through: 0 if it is none. */
static int
parse_chat(aigw_str_t body, chat_t *chat)
{
    const char  *p = body.data, *end = p + body.len, *name, *value;
    aigw_str_t  *field;

    p = memchr(p, '{', body.len);

    while (p != NULL && ++p < end) {
        name = memchr(p, '"', (size_t) (end - p));

        if (name++ == NULL) {
            break;
        }

        p = memchr(name, '"', (size_t) (end - name));
        value = p == NULL ? NULL : memchr(p, ':', (size_t) (end - p));

        if (value == NULL) {
            return 0;
        }

        for (value++; value < end && strchr(" \t\r\n", *value); value++) {
            /* void */
        }

        field = member(chat, name, (size_t) (p - name));
        p = skip_value(value, end);

        if (p != NULL && field != NULL) {
            field->data = value;
            field->len = (size_t) (p - value);
        }

        if (p != NULL && *p == '}') {
            return 1;
        }
    }

    return 0;
}


static int64_t
number(aigw_str_t s, int64_t otherwise)
{
    int64_t  n = s.len == 0 ? 0 : strtoll(s.data, NULL, 10);

    return n > 0 ? n : otherwise;
}


/* The pieces of a stream: the role, the words of all choices in turn, their
   ends, the usage if it was asked for, [DONE]. */
static void
stream_piece(sim_conn_t *c, sim_buf_t *piece)
{
    int64_t        choice, words_all, step;
    const char    *usage;
    sim_stream_t  *s = &c->stream;

    words_all = s->tokens * s->choices;
    usage = s->usage ? ",\"usage\":null" : "";
    step = s->next++;
    choice = step % s->choices;

    if (step < s->choices) {
        sim_printf(piece, "%s[{\"index\":%lld,\"delta\":{\"role\":\"assistant\""
                   ",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null"
                   "}]%s}\n\n", s->head, (long long) choice, usage);
        return;
    }

    step -= s->choices;

    if (step < words_all) {
        sim_printf(piece, "%s[{\"index\":%lld,\"delta\":{\"content\":\"%s\"},"
                   "\"logprobs\":null,\"finish_reason\":null}]%s}\n\n",
                   s->head, (long long) choice,
                   words[(s->seed + (uint64_t) step) % WORDS], usage);
        return;
    }

    step -= words_all;

    if (step < s->choices) {
        sim_printf(piece, "%s[{\"index\":%lld,\"delta\":{},\"logprobs\":null,"
                   "\"finish_reason\":\"%s\"}]%s}\n\n", s->head,
                   (long long) choice, s->cut_short ? "length" : "stop", usage);
        return;
    }

    if (step == s->choices && s->usage) {
        sim_printf(piece, "%s[],\"usage\":{\"prompt_tokens\":%lld,"
                   "\"completion_tokens\":%lld,\"total_tokens\":%lld}}\n\n",
                   s->head, (long long) s->prompt_tokens,
                   (long long) words_all,
                   (long long) (s->prompt_tokens + words_all));
        return;
    }

    sim_printf(piece, "data: [DONE]\n\n");
    s->next = -1;
}


static sim_turn_t
stream_turn(sim_conn_t *c)
{
    static sim_buf_t  piece;

    if (c->stream.breaks
        && c->stream.next > c->stream.choices + c->stream.tokens / 2)
    {
        return SIM_CUT;
    }

    piece.len = 0;
    stream_piece(c, &piece);

    if (!c->unframed) {
        sim_printf(&c->out, "%zx\r\n", piece.len);
    }

    sim_put(&c->out, piece.data, piece.len);

    if (!c->unframed) {
        sim_put(&c->out, "\r\n", 2);
    }

    if (c->stream.next < 0) {
        sim_put(&c->out, "0\r\n\r\n", c->unframed ? 0 : 5);
        return SIM_END;
    }

    if (c->each) {
        c->due_ms = sim_now_ms() + sim.delay_ms;

        if (c->due_ms < sim.next_due_ms) {
            sim.next_due_ms = c->due_ms;
        }
    }

    return SIM_MORE;
}


static void
start_stream(sim_conn_t *c, const chat_t *chat, uint32_t seed)
{
    sim_buf_t  head = { NULL, 0, 0 };

    sim_printf(&head, "data: {\"id\":\"chatcmpl-%08x%08llx\",\"object\":"
               "\"chat.completion.chunk\",\"created\":%lld,\"model\":", seed,
               (unsigned long long) sim.requests, (long long) time(NULL));
    sim_put(&head, chat->model.data, chat->model.len);
    sim_printf(&head, ",\"system_fingerprint\":\"fp_sim\",\"choices\":");
    sim_put(&head, "", 1);

    free(c->stream.head);
    c->stream.head = head.data;
    c->stream.next = 0;
    c->stream.seed = seed;
    c->stream.usage = chat->stream_options.len > 0
                      && memmem(chat->stream_options.data,
                                chat->stream_options.len,
                                "\"include_usage\":true", 20) != NULL;
    c->each = sim.delay_ms > 0;
    c->source = stream_turn;

    sim_printf(&c->out, "HTTP/1.1 200 OK\r\n"
               "Content-Type: text/event-stream\r\n"
               "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
               "X-Oneapi-Request-Id: sim%llu\r\n%s%s\r\n",
               (unsigned long long) sim.requests,
               c->unframed ? "" : "Transfer-Encoding: chunked\r\n",
               c->close ? "Connection: close\r\n" : "");
}


static void
answer_whole(sim_conn_t *c, const chat_t *chat, uint32_t seed)
{
    int64_t             i, j;
    sim_stream_t       *s = &c->stream;
    static sim_buf_t    body;

    body.len = 0;
    sim_printf(&body, "{\"id\":\"chatcmpl-%08x%08llx\",\"object\":"
               "\"chat.completion\",\"created\":%lld,\"model\":", seed,
               (unsigned long long) sim.requests, (long long) time(NULL));
    sim_put(&body, chat->model.data, chat->model.len);
    sim_printf(&body, ",\"choices\":[");

    for (i = 0; i < s->choices; i++) {
        sim_printf(&body, "%s{\"index\":%lld,\"message\":{\"role\":"
                   "\"assistant\",\"content\":\"", i == 0 ? "" : ",",
                   (long long) i);

        for (j = 0; j < s->tokens; j++) {
            const char  *word = words[(seed + (uint64_t) (i + j)) % WORDS];

            sim_put(&body, word, strlen(word));
        }

        sim_printf(&body, "\",\"refusal\":null},\"logprobs\":null,"
                   "\"finish_reason\":\"%s\"}",
                   s->cut_short ? "length" : "stop");
    }

    sim_printf(&body, "],\"usage\":{\"prompt_tokens\":%lld,"
               "\"completion_tokens\":%lld,\"total_tokens\":%lld,"
               "\"prompt_tokens_details\":{\"cached_tokens\":0,"
               "\"audio_tokens\":0},\"completion_tokens_details\":{"
               "\"reasoning_tokens\":0,\"audio_tokens\":0,"
               "\"accepted_prediction_tokens\":0,"
               "\"rejected_prediction_tokens\":0}},"
               "\"system_fingerprint\":\"fp_sim\"}",
               (long long) s->prompt_tokens,
               (long long) (s->tokens * s->choices),
               (long long) (s->prompt_tokens + s->tokens * s->choices));

    sim_answer(c, "200 OK", "", body.data, body.len);
}


/* Until its pause is over an answer that is there does not go out. */
static sim_turn_t
late_turn(sim_conn_t *c)
{
    (void) c;

    return SIM_END;
}


static void
think(sim_conn_t *c)
{
    if (sim.think_ms > 0) {
        c->due_ms = sim_now_ms() + sim.think_ms;

        if (c->source == NULL) {
            c->each = 0;
            c->source = late_turn;
        }

        if (c->due_ms < sim.next_due_ms) {
            sim.next_due_ms = c->due_ms;
        }
    }
}


static void
answer_error(sim_conn_t *c, const char *status, const char *type,
    const char *message)
{
    char  body[1024], id[64];
    int   len;

    (void) snprintf(id, sizeof(id), "X-Oneapi-Request-Id: sim%llu\r\n",
                    (unsigned long long) sim.requests);
    len = snprintf(body, sizeof(body),
                   "{\"error\":{\"message\":\"%s (request id: sim%llu)\","
                   "\"type\":\"%s\",\"param\":\"\",\"code\":\"\"}}", message,
                   (unsigned long long) sim.requests, type);
    sim_answer(c, status, id, body, (size_t) len);
}


/* Of a hundred requests that follow each other so many, spread. */
static int
fails(void)
{
    return (int64_t) (sim.requests * 37 % 100) < sim.errors;
}


static void
serve_chat(sim_conn_t *c, const sim_request_t *r)
{
    chat_t         chat = { .model = { 0, NULL } };
    int64_t        limit;
    sim_stream_t  *s = &c->stream;

    if (!parse_chat(r->body, &chat)) {
        answer_error(c, "400 Bad Request", "new_api_error",
                     "invalid request body");
        return;
    }

    if (chat.model.len < 2 || chat.model.data[0] != '"') {
        answer_error(c, "400 Bad Request", "new_api_error",
                     "model name not specified");
        return;
    }

    limit = number(chat.max_completion_tokens,
                   number(chat.max_tokens, INT64_MAX));
    s->cut_short = limit < sim.tokens;
    s->tokens = s->cut_short ? limit : sim.tokens;
    s->choices = number(chat.n, 1);
    s->prompt_tokens = sim_count_prompt(r->body, chat.messages);
    s->breaks = 0;

    if (s->choices > 128) {
        s->choices = 128;
    }

    /* The same question gets the same words. */
    s->seed = aigw_crc32c(0, chat.messages.data, chat.messages.len);

    if (chat.stream.len >= 4 && memcmp(chat.stream.data, "true", 4) == 0) {
        s->breaks = fails() ? 1 : 0;
        start_stream(c, &chat, s->seed);
        sim_log_add(chat.model, s->prompt_tokens, s->tokens * s->choices);

    } else if (fails()) {
        answer_error(c, "500 Internal Server Error", "new_api_error",
                     "upstream load is saturated");

    } else {
        answer_whole(c, &chat, s->seed);
        sim_log_add(chat.model, s->prompt_tokens, s->tokens * s->choices);
    }

    think(c);
}


void
sim_serve(sim_conn_t *c, const sim_request_t *r)
{
    char  message[256];

    sim.requests++;
    sim_remember(r);

    if (sim_script_start(c)) {
        return;
    }

    if (sim_manage_serve(c, r, sim_key_is_right(r->authorization))) {
        return;
    }

    if ((r->user.len != 0 || sim_key_is_right(r->authorization))
        && sim_log_serve(c, r))
    {
        return;
    }

    if (!sim_key_is_right(r->authorization)) {
        answer_error(c, "401 Unauthorized", "new_api_error", "Invalid token");

    } else if (sim_str_is(r->path, "/v1/chat/completions")
               && sim_str_is(r->method, "POST"))
    {
        serve_chat(c, r);

    } else if (sim_str_is(r->path, "/v1/models")
               && sim_str_is(r->method, "GET"))
    {
        sim_answer(c, "200 OK", "", models, sizeof(models) - 1);

    } else {
        (void) snprintf(message, sizeof(message), "Invalid URL (%.*s %.*s)",
                        (int) r->method.len, r->method.data,
                        (int) (r->path.len < 150 ? r->path.len : 150),
                        r->path.data);
        answer_error(c, "404 Not Found", "invalid_request_error", message);
    }
}
