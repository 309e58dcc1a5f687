/*
 * The test's side of the simulator: orders by HTTP on --control.
 *
 *   PUT /script     appends scripted answers; each next request on the data
 *                   port takes one, whatever it asks for (key unchecked)
 *   GET /seen       the requests since the last reset: for each a line
 *                   `request bytes=N`, then N raw bytes and a newline
 *   GET /count      {"requests":N,"connections":N,"aborted":N,"scripts":N,
 *                   "managed":N,"held":N}
 *   GET /tokens     what the account has made (manage.c), with all keys
 *   POST /go        lets one gate through, at once or when it is reached
 *   PUT /set        lines `tokens N`, `delay_ms N`, `think_ms N`, `over N`,
 *                   `errors N`, `estimate 0|1`: default answers, as the
 *                   options; `prompt N`: so many tokens of any prompt (0: as
 *                   count.c has it); `log 0|1`: keep a log; `drift N`: with N %
 *                   too much; `hold N`: of management calls the Nth from now on
 *                   is never answered, behind its effect with `effect 1`;
 *                   `refuse N`: it fails; `busy N`: so many are answered 429
 *   PUT /log        lines `TIME MODEL PROMPT COMPLETION QUOTA [REQUEST]`: more
 *                   of its log
 *   POST /reset     forgets scripts, requests, counts, gates and the log
 *
 * A script is one line and its bytes, then a newline, then the next one:
 *
 *   answer bytes=N [repeat=N] [split=A,B,...|all] [delay_ms=N] [gates=I,J,...]
 *          [then=keep|close|reset]
 *   <N bytes: status line, head and body exactly as they shall go out>
 *
 * split cuts the bytes at offsets, `all` between any two; delay_ms is the
 * pause before each piece but the first; a gate I is waited at before piece I
 * (from 0); a gate past the last piece holds the end. then: what happens after
 * the bytes (default keep). A request says nothing about its answer.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"


#define SEEN_MAX    (64 * 1024 * 1024)
#define SPLITS_MAX  4096
#define GATES_MAX   16

struct sim_script_s {
    sim_script_t  *next;
    unsigned       uses;              /* the queue's and connections' */
    int64_t        repeat;
    int64_t        delay_ms;
    sim_turn_t     then;
    unsigned       every_byte:1;
    size_t         nsplits;
    size_t         ngates;
    size_t         splits[SPLITS_MAX];
    size_t         gates[GATES_MAX];
    size_t         len;
    char           bytes[];
};

static sim_script_t  *queue;
static sim_buf_t      seen;
static unsigned       credits;        /* gates that may be passed */


void
sim_script_free(sim_script_t *script)
{
    if (script != NULL && --script->uses == 0) {
        free(script);
    }
}


static size_t
count_scripts(void)
{
    size_t         n = 0;
    sim_script_t  *s;

    for (s = queue; s != NULL; s = s->next) {
        n += (size_t) s->repeat;
    }

    return n;
}


static int
is_gate(const sim_script_t *s, size_t piece)
{
    size_t  i;

    for (i = 0; i < s->ngates; i++) {
        if (s->gates[i] == piece) {
            return 1;
        }
    }

    return 0;
}


/* Where a piece begins; its number may be one past the last. */
static size_t
piece_start(const sim_script_t *s, size_t piece)
{
    if (s->every_byte) {
        return piece < s->len ? piece : s->len;
    }

    return piece == 0 ? 0 : piece > s->nsplits ? s->len : s->splits[piece - 1];
}


static sim_turn_t
script_turn(sim_conn_t *c)
{
    size_t               start;
    const sim_script_t  *s = c->script;

    if (is_gate(s, c->piece)) {
        if (credits == 0) {
            return SIM_WAIT;
        }

        credits--;
    }

    start = piece_start(s, c->piece);

    if (start >= s->len) {
        return s->then;
    }

    c->piece++;
    sim_put(&c->out, s->bytes + start, piece_start(s, c->piece) - start);

    if (s->delay_ms != 0 && piece_start(s, c->piece) < s->len) {
        c->due_ms = sim_now_ms() + s->delay_ms;

        if (c->due_ms < sim.next_due_ms) {
            sim.next_due_ms = c->due_ms;
        }
    }

    return SIM_MORE;
}


int
sim_script_start(sim_conn_t *c)
{
    sim_script_t  *s = queue;

    if (s == NULL) {
        return 0;
    }

    sim_script_free(c->script);
    s->uses++;
    c->script = s;
    c->piece = 0;
    c->each = 1;
    c->source = script_turn;

    if (--s->repeat == 0) {
        queue = s->next;
        sim_script_free(s);
    }

    return 1;
}


void
sim_remember(const sim_request_t *r)
{
    if (sim.record && seen.len < SEEN_MAX) {
        sim_printf(&seen, "request bytes=%zu\n", r->raw.len);
        sim_put(&seen, r->raw.data, r->raw.len);
        sim_put(&seen, "\n", 1);
    }
}


/* Numbers with commas between them, as many as there is room for. */
static size_t
read_list(const char *p, size_t *list, size_t max)
{
    char    *end;
    size_t   n;

    for (n = 0; n < max; p = end + 1) {
        list[n++] = strtoul(p, &end, 10);

        if (*end != ',') {
            break;
        }
    }

    return n;
}


/* One word of an `answer` line; 0 if it is not known. */
static int
read_word(sim_script_t *s, const char *word)
{
    const char  *value = strchr(word, '=');

    if (value++ == NULL) {
        return 0;
    }

    if (strncmp(word, "bytes=", 6) == 0) {
        s->len = strtoul(value, NULL, 10);

    } else if (strncmp(word, "repeat=", 7) == 0) {
        s->repeat = strtoll(value, NULL, 10);

    } else if (strncmp(word, "delay_ms=", 9) == 0) {
        s->delay_ms = strtoll(value, NULL, 10);

    } else if (strcmp(word, "split=all") == 0) {
        s->every_byte = 1;

    } else if (strncmp(word, "split=", 6) == 0) {
        s->nsplits = read_list(value, s->splits, SPLITS_MAX);

    } else if (strncmp(word, "gates=", 6) == 0) {
        s->ngates = read_list(value, s->gates, GATES_MAX);

    } else if (strncmp(word, "then=", 5) == 0) {
        s->then = strcmp(value, "close") == 0 ? SIM_CUT
                  : strcmp(value, "reset") == 0 ? SIM_RESET : SIM_END;

    } else {
        return 0;
    }

    return 1;
}


/* The first script of data, NULL if it is none; *took: its bytes. */
static sim_script_t *
read_script(const char *data, size_t len, size_t *took)
{
    char          *line, *word, *rest;
    size_t         head;
    const char    *eol = memchr(data, '\n', len);
    sim_script_t  *s;

    if (eol == NULL || len < 7 || memcmp(data, "answer ", 7) != 0) {
        return NULL;
    }

    head = (size_t) (eol - data);
    line = strndup(data + 7, head - 7);
    s = calloc(1, sizeof(*s) + len);

    if (line == NULL || s == NULL) {
        sim_die("calloc");
    }

    s->uses = 1;
    s->repeat = 1;
    s->then = SIM_END;

    for (word = strtok_r(line, " ", &rest);
         word != NULL && read_word(s, word);
         word = strtok_r(NULL, " ", &rest))
    {
        /* void */
    }

    free(line);

    if (word != NULL || s->repeat < 1 || s->len + 1 > len - head - 1) {
        free(s);
        return NULL;
    }

    memcpy(s->bytes, eol + 1, s->len);
    *took = head + 1 + s->len + 1;

    return s;
}


/* Appends all or says where it stopped: 0 is success. */
static int
add_scripts(aigw_str_t text)
{
    size_t          at = 0, took;
    sim_script_t  **last = &queue;

    while (*last != NULL) {
        last = &(*last)->next;
    }

    while (at < text.len) {
        *last = read_script(text.data + at, text.len - at, &took);

        if (*last == NULL) {
            return -1;
        }

        last = &(*last)->next;
        at += took;
    }

    return 0;
}


static void
forget(void)
{
    sim_script_t  *s;

    while ((s = queue) != NULL) {
        queue = s->next;
        sim_script_free(s);
    }

    seen.len = 0;
    credits = 0;
    sim.requests = 0;
    sim.aborted = 0;
    sim_log_reset();
    sim_manage_reset();
}


static void
set(aigw_str_t text)
{
    char    *copy = strndup(text.data, text.len), *line;
    size_t   i, len;
    static const struct {
        const char  *name;
        int64_t     *value;
    } known[] = {
        { "tokens", &sim.tokens }, { "delay_ms", &sim.delay_ms },
        { "think_ms", &sim.think_ms }, { "over", &sim.over },
        { "errors", &sim.errors }, { "estimate", &sim.estimate },
        { "prompt", &sim.prompt }, { "log", &sim.log },
        { "drift", &sim.drift }, { "hold", &sim.hold_at },
        { "effect", &sim.effect }, { "refuse", &sim.refuse },
        { "busy", &sim.busy }
    };

    if (copy == NULL) {
        sim_die("strndup");
    }

    for (line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            len = strlen(known[i].name);

            if (strncmp(line, known[i].name, len) == 0 && line[len] == ' ') {
                *known[i].value = strtoll(line + len, NULL, 10);
            }
        }
    }

    free(copy);
}


void
sim_control(sim_conn_t *c, const sim_request_t *r)
{
    char         text[240];
    const char  *status = "200 OK";

    (void) snprintf(text, sizeof(text), "{}");

    if (sim_str_is(r->path, "/script")) {
        if (add_scripts(r->body) != 0) {
            status = "400 Bad Request";
        }

    } else if (sim_str_is(r->path, "/seen")) {
        sim_answer(c, status, "", seen.data, seen.len);
        return;

    } else if (sim_str_is(r->path, "/count")) {
        (void) snprintf(text, sizeof(text), "{\"requests\":%llu,"
                        "\"connections\":%llu,\"aborted\":%llu,"
                        "\"scripts\":%zu,\"managed\":%lld,\"held\":%lld}",
                        (unsigned long long) sim.requests,
                        (unsigned long long) sim.connections,
                        (unsigned long long) sim.aborted, count_scripts(),
                        (long long) sim.managed, (long long) sim.held);

    } else if (sim_str_is(r->path, "/tokens")) {
        sim_manage_list(c);
        return;

    } else if (sim_str_is(r->path, "/go")) {
        credits++;
        sim_wake_gates();

    } else if (sim_str_is(r->path, "/set")) {
        set(r->body);

    } else if (sim_str_is(r->path, "/log")) {
        if (sim_log_put(r->body) != 0) {
            status = "400 Bad Request";
        }

    } else if (sim_str_is(r->path, "/reset")) {
        forget();

    } else {
        status = "404 Not Found";
    }

    sim_answer(c, status, "", text, strlen(text));
}
