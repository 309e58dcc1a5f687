/*
 * 4sapi's own log and balance, as `aigw reconcile` asks for them: what has been
 * charged by the simulator, and what a test has put there. Knows nothing of the
 * gateway's ledger.
 *
 *   GET /api/log/self       pages of the log; needs New-Api-User
 *   GET /api/log/token      the newest 1,000, by key
 *   GET /api/user/self, GET /api/usage/token/
 *                           the balance: of the account, of the key
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"


#define LOG_MAX      100000           /* then the oldest go */
#define PAGE_MAX     100
#define BY_KEY_MAX   1000
#define GRANTED      INT64_C(5000000000)
#define PER_TOKEN    5                /* quota: 10 units a million tokens */

typedef struct {
    int64_t  time;                    /* s, of the answer's end */
    int64_t  prompt;
    int64_t  completion;
    int64_t  quota;
    int64_t  id;
    char     model[AIGW_MODEL_MAX + 1];
    char     request[AIGW_NAME_MAX + 1];
} entry_t;

static entry_t  *entries;
static size_t    n;
static int64_t   used, ids;


void
sim_log_reset(void)
{
    n = 0;
    used = 0;
}


static entry_t *
add(void)
{
    if (entries == NULL) {
        entries = calloc(LOG_MAX, sizeof(entries[0]));

        if (entries == NULL) {
            sim_die("calloc");
        }
    }

    if (n == LOG_MAX) {
        memmove(entries, entries + LOG_MAX / 2,
                LOG_MAX / 2 * sizeof(entries[0]));
        n = LOG_MAX / 2;
    }

    memset(&entries[n], 0, sizeof(entries[0]));
    entries[n].id = ++ids;

    return &entries[n++];
}


/* model: as it stands in the request, quoted. drift: % more than is due. */
void
sim_log_add(aigw_str_t model, int64_t prompt, int64_t completion)
{
    entry_t  *e;

    if (sim.log == 0) {
        return;
    }

    e = add();
    e->time = time(NULL);
    e->prompt = prompt;
    e->completion = completion;
    e->quota = ((prompt + completion) * PER_TOKEN * (100 + sim.drift) + 50)
               / 100;
    used += e->quota;
    (void) snprintf(e->model, sizeof(e->model), "%.*s",
                    (int) model.len - 2, model.data + 1);
    (void) snprintf(e->request, sizeof(e->request), "sim%" PRIu64,
                    sim.requests);
}


/* Lines `TIME MODEL PROMPT COMPLETION QUOTA [REQUEST]`. */
int
sim_log_put(aigw_str_t text)
{
    int       rc = 0;
    char     *copy = strndup(text.data, text.len), *line;
    entry_t  *e;

    if (copy == NULL) {
        sim_die("strndup");
    }

    for (line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        e = add();

        if (sscanf(line, "%" SCNd64 " %128s %" SCNd64 " %" SCNd64 " %" SCNd64
                   " %64s", &e->time, e->model, &e->prompt, &e->completion,
                   &e->quota, e->request) < 5)
        {
            n--;
            rc = -1;
            break;
        }

        used += e->quota;
    }

    free(copy);

    return rc;
}


int64_t
sim_log_argument(aigw_str_t query, const char *name, int64_t absent)
{
    size_t       len = strlen(name);
    const char  *p = query.data, *end = p + query.len;

    while (p < end && (p = memmem(p, (size_t) (end - p), name, len)) != NULL) {
        if ((p == query.data || p[-1] == '&') && p + len < end
            && p[len] == '=')
        {
            return strtoll(p + len + 1, NULL, 10);
        }

        p += len;
    }

    return absent;
}


static int
newest_first(const void *a, const void *b)
{
    const entry_t  *x = *(entry_t *const *) a, *y = *(entry_t *const *) b;

    return x->time != y->time ? (x->time < y->time) - (x->time > y->time)
                              : (x->id < y->id) - (x->id > y->id);
}


static void
print_entry(sim_buf_t *body, const entry_t *e, int first)
{
    sim_printf(body, "%s{\"id\":%" PRId64 ",\"created_at\":%" PRId64
               ",\"type\":2,\"model_name\":\"%s\",\"quota\":%" PRId64
               ",\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64
               ",\"use_time\":1,\"is_stream\":false,\"group\":\"default\","
               "\"request_id\":\"%s\"}", first ? "" : ",", e->id, e->time,
               e->model, e->quota, e->prompt, e->completion, e->request);
}


/* Those of the query, newest first, from the first on; *total: of all. */
static void
print_entries(sim_buf_t *body, aigw_str_t query, size_t first, size_t max,
    size_t *total)
{
    size_t    i;
    int64_t   start = sim_log_argument(query, "start_timestamp", 0);
    int64_t   end = sim_log_argument(query, "end_timestamp", INT64_MAX);

    static entry_t  *found[LOG_MAX];

    *total = 0;

    for (i = 0; i < n; i++) {
        if (entries[i].time >= start && entries[i].time <= end) {
            found[(*total)++] = &entries[i];
        }
    }

    qsort(found, *total, sizeof(found[0]), newest_first);

    for (i = first; i < *total && i < first + max; i++) {
        print_entry(body, found[i], i == first);
    }
}


static void
answer(sim_conn_t *c, const sim_buf_t *body)
{
    sim_answer(c, "200 OK", "", body->data, body->len);
}


static void
serve_pages(sim_conn_t *c, const sim_request_t *r)
{
    size_t            total;
    int64_t           page = sim_log_argument(r->query, "p", 1);
    int64_t           size = sim_log_argument(r->query, "page_size", 10);
    static sim_buf_t  body, items;

    size = size < 1 ? 1 : size > PAGE_MAX ? PAGE_MAX : size;
    page = page < 1 ? 1 : page;
    body.len = items.len = 0;
    print_entries(&items, r->query, (size_t) ((page - 1) * size),
                  (size_t) size, &total);
    sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":{\"page\":%"
               PRId64 ",\"page_size\":%" PRId64 ",\"total\":%zu,\"items\":[",
               page, size, total);
    sim_put(&body, items.data, items.len);
    sim_printf(&body, "]}}");
    answer(c, &body);
}


int
sim_log_serve(sim_conn_t *c, const sim_request_t *r)
{
    int               self;
    size_t            total;
    static sim_buf_t  body;

    self = sim_str_is(r->path, "/api/log/self")
           || sim_str_is(r->path, "/api/user/self");
    body.len = 0;

    if (self && r->user.len == 0) {
        sim_printf(&body, "{\"success\":false,\"message\":"
                   "\"New-Api-User is missing\"}");
        sim_answer(c, "401 Unauthorized", "", body.data, body.len);

    } else if (sim_str_is(r->path, "/api/log/self")) {
        serve_pages(c, r);

    } else if (sim_str_is(r->path, "/api/user/self")) {
        sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":{\"id\":"
                   "7,\"quota\":%" PRId64 ",\"used_quota\":%" PRId64
                   ",\"group\":\"default\"}}", GRANTED - used, used);
        answer(c, &body);

    } else if (sim_str_is(r->path, "/api/log/token")) {
        sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":[");
        print_entries(&body, r->query, 0, BY_KEY_MAX, &total);
        sim_printf(&body, "]}");
        answer(c, &body);

    } else if (sim_str_is(r->path, "/api/usage/token/")) {
        sim_printf(&body, "{\"code\":true,\"message\":\"ok\",\"data\":{"
                   "\"object\":\"token_usage\",\"name\":\"sim\","
                   "\"total_granted\":%" PRId64 ",\"total_used\":%" PRId64
                   ",\"total_available\":%" PRId64 ",\"unlimited_quota\":false,"
                   "\"expires_at\":0}}", GRANTED, used, GRANTED - used);
        answer(c, &body);

    } else {
        return 0;
    }

    return 1;
}
