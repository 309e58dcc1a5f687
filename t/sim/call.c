/*
 * What a client of `aigw-sim --load` sends, and what the answer means to it:
 * whether it is whole, and whether it says to try again or to stop. Opens no
 * connection and knows no time.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"


#define VARY_TOKENS  64               /* a call's own limit: up to that */
#define VARY_WORDS   200              /* its prompt */


/* A number from 0 to below - 1: xorshift, good enough to differ. */
unsigned
load_random(unsigned below)
{
    uint64_t  x = load.random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    load.random = x;

    return (unsigned) ((x >> 33) % below);
}


void
load_build(sim_buf_t *request, const sim_buf_t *body)
{
    request->len = 0;
    sim_printf(request, "POST %s HTTP/1.1\r\nHost: %s\r\n"
               "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n", load.path, load.host, load.key,
               body->len);
    sim_put(request, body->data, body->len);
}


/* The request of the call that begins: with --vary one of its own. */
const sim_buf_t *
load_request(load_client_t *client)
{
    unsigned          i, n;
    static sim_buf_t  body;

    if (!load.vary) {
        return &load.request;
    }

    if (client->own.len != 0) {
        return &client->own;
    }

    body.len = 0;
    sim_printf(&body, "{\"model\":\"gpt-4o-mini\",\"max_tokens\":%u,"
               "\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"",
               1 + load_random(VARY_TOKENS),
               load_random(2) ? "true" : "false");

    for (i = 0, n = load_random(VARY_WORDS); i < n; i++) {
        sim_printf(&body, "word%u ", load_random(1000));
    }

    sim_printf(&body, "\"}]}");
    load_build(&client->own, &body);

    return &client->own;
}


/* Is the answer whole? By its length, got being all bytes of it so far; if
   chunked, its last chunk is looked for, not parsed (a header may end in 0). */
int
load_is_whole(const load_client_t *client)
{
    const char  *head, *length;

    head = memmem(client->in, client->len, "\r\n\r\n", 4);

    if (head == NULL) {
        return 0;
    }

    length = memmem(client->in, (size_t) (head - client->in),
                    "\r\nContent-Length: ", 18);

    if (length == NULL) {
        return memcmp(client->in + client->len - 7, "\r\n0\r\n\r\n", 7) == 0;
    }

    return client->got >= (size_t) (head + 4 - client->in)
                          + strtoul(length + 18, NULL, 10);
}


/* Will the server close the connection behind it? */
int
load_is_last(const load_client_t *client)
{
    return memmem(client->in, client->len, "\r\nConnection: close\r", 20)
           != NULL;
}


/* What stands in the answer behind name, up to an end; empty if it is not
   there. */
static aigw_str_t
find(const load_client_t *client, const char *name, char end)
{
    size_t       len = strlen(name);
    aigw_str_t   found = { 0, "" };
    const char  *p, *last = client->in + client->len;

    p = memmem(client->in, client->len, name, len);

    if (p != NULL) {
        found.data = p + len;

        for (p = found.data; p < last && *p != end; p++) {
            p += *p == '\\' && p + 1 < last;
        }

        found.len = (size_t) (p - found.data);
    }

    return found;
}


static int
is_same(aigw_str_t a, aigw_str_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}


static aigw_str_t
keep(aigw_str_t s)
{
    s.data = strndup(s.data, s.len);

    if (s.data == NULL) {
        sim_die("strndup");
    }

    return s;
}


static void
count_error(aigw_str_t code, aigw_str_t message)
{
    unsigned       i;
    load_error_t  *e;

    for (i = 0; i < load.nerrors; i++) {
        e = &load.errors[i];

        if (is_same(e->code, code) && is_same(e->message, message)) {
            e->count++;
            return;
        }
    }

    if (load.nerrors < LOAD_ERRORS_MAX) {
        e = &load.errors[load.nerrors++];
        e->code = keep(code);
        e->message = keep(message);
        e->count = 1;
    }
}


load_answer_t
load_answer(load_client_t *client, unsigned *wait_s)
{
    long        status = strtol(client->in + 9, NULL, 10);
    aigw_str_t  code, after, id;

    if (status == 200 && load.ids != NULL) {
        id = find(client, "\r\nx-request-id: ", '\r');
        fprintf(load.ids, "%.*s\n", (int) id.len, id.data);
    }

    code = find(client, "\"code\":\"", '"');
    after = find(client, "\r\nRetry-After: ", '\r');

    if (load.obey && (status == 429 || status == 503) && after.len != 0) {
        *wait_s = (unsigned) strtoul(after.data, NULL, 10);
        load.again++;
        return LOAD_ANSWER_AGAIN;
    }

    load.status[status > 0 && status < LOAD_STATUS_MAX ? status : 0]++;

    if (status >= 400) {
        count_error(code, find(client, "\"message\":\"", '"'));
    }

    return load.obey && sim_str_is(code, "insufficient_quota")
           ? LOAD_ANSWER_SPENT : LOAD_ANSWER_ENDS;
}
