/*
 * The management API of New API, which 4sapi is: an account makes keys for
 * calls (tokens) and takes them back. Of both generations: the old one pages
 * from 0 and shows keys in full, the new one masks them and tells one if asked.
 * And what the project's origin thought that there is:
 *
 *   POST /api/token/              name, remain_quota ...; never answers the key
 *   GET /api/token/?p=N           newest first
 *   GET, DELETE /api/token/ID
 *   POST /api/token/ID/key        the new one alone
 *   POST /sub-key/create          by the key; answers one, and that is all
 *
 * A test can have calls fail, or held for ever before or after their effect.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "sim.h"


#define OLD_PAGE  10
#define NEW_PAGE  100                 /* at most */

static sim_buf_t  body;


void
sim_manage_reset(void)
{
    sim_token_reset();
    sim.hold_at = 0;
    sim.refuse = 0;
    sim.busy = 0;
    sim.held = 0;
    sim.managed = 0;
}


static sim_turn_t
held_turn(sim_conn_t *c)
{
    (void) c;

    return SIM_WAIT;
}


/* Whoever asked may wait for ever. */
static void
hold(sim_conn_t *c)
{
    c->each = 0;
    c->source = held_turn;
    sim.held++;
}


static void
answer(sim_conn_t *c, const char *status)
{
    sim_answer(c, status, "", body.data, body.len);
}


/* Their errors come with 200. */
static void
fail(sim_conn_t *c, const char *status, const char *message)
{
    body.len = 0;
    sim_printf(&body, "{\"success\":false,\"message\":\"%s\"}", message);
    answer(c, status);
}


static void
succeed(sim_conn_t *c)
{
    body.len = 0;
    sim_printf(&body, "{\"success\":true,\"message\":\"\"}");
    answer(c, "200 OK");
}


static const char *
text_of(const cJSON *object, const char *name)
{
    const cJSON  *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}


static int64_t
number_of(const cJSON *object, const char *name, int64_t absent)
{
    const cJSON  *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) ? (int64_t) item->valuedouble : absent;
}


static int
is_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}


static void
create_token(sim_conn_t *c, const cJSON *request)
{
    sim_token_t     *t;
    const char  *name = text_of(request, "name");

    if (strlen(name) > (sim.newapi == SIM_NEWAPI_OLD ? 30 : 50)
        || name[0] == '\0')
    {
        fail(c, "200 OK", "token name is too long");
        return;
    }

    if (!is_true(request, "unlimited_quota")
        && number_of(request, "remain_quota", -1) < 0)
    {
        fail(c, "200 OK", "quota is out of range");
        return;
    }

    t = sim_token_add();

    if (t == NULL) {
        fail(c, "200 OK", "too many tokens");
        return;
    }

    (void) snprintf(t->name, sizeof(t->name), "%s", name);
    (void) snprintf(t->group, sizeof(t->group), "%s",
                    text_of(request, "group"));

    if (is_true(request, "model_limits_enabled")) {
        (void) snprintf(t->limits, sizeof(t->limits), "%s",
                        text_of(request, "model_limits"));
    }

    t->unlimited = is_true(request, "unlimited_quota");
    t->quota = number_of(request, "remain_quota", 0);
    t->expires = number_of(request, "expired_time", -1);
    sim_token_make_key(t->key, "", SIM_KEY_LEN);
    succeed(c);
}


void
sim_manage_list(sim_conn_t *c)
{
    body.len = 0;
    sim_printf(&body, "[");
    (void) sim_token_print(&body, 0, SIM_TOKENS_MAX, 1);
    sim_printf(&body, "]");
    answer(c, "200 OK");
}


static void
list_tokens(sim_conn_t *c, aigw_str_t query)
{
    size_t   total, size;
    int64_t  page;

    page = sim_log_argument(query, "p", 0);
    body.len = 0;

    if (sim.newapi == SIM_NEWAPI_OLD) {
        sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":[");
        (void) sim_token_print(&body, (size_t) (page < 0 ? 0 : page) * OLD_PAGE,
                            OLD_PAGE, 0);
        sim_printf(&body, "]}");
        answer(c, "200 OK");
        return;
    }

    page = page < 1 ? 1 : page;
    size = (size_t) sim_log_argument(query, "page_size", OLD_PAGE);
    size = size < 1 || size > NEW_PAGE ? NEW_PAGE : size;
    sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":{\"page\":%"
               PRId64 ",\"page_size\":%zu,\"items\":[", page, size);
    total = sim_token_print(&body, (size_t) (page - 1) * size, size, 0);
    sim_printf(&body, "],\"total\":%zu}}", total);
    answer(c, "200 OK");
}


/* One token's: what of its path stands behind its number. */
static void
serve_token(sim_conn_t *c, const sim_request_t *r, sim_token_t *t,
    const char *rest)
{
    if (t == NULL) {
        fail(c, "200 OK", "record not found");
        return;
    }

    body.len = 0;

    if (strcmp(rest, "/key") == 0 && sim.newapi == SIM_NEWAPI_OLD) {
        fail(c, "404 Not Found", "Invalid URL");

    } else if (strcmp(rest, "/key") == 0 && sim_str_is(r->method, "POST")) {
        sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":{"
                   "\"key\":\"%s\"}}", t->key);
        answer(c, "200 OK");

    } else if (sim_str_is(r->method, "DELETE")) {
        t->id = 0;
        succeed(c);

    } else {
        sim_printf(&body, "{\"success\":true,\"message\":\"\",\"data\":");
        sim_token_print_one(&body, t, 0);
        sim_printf(&body, "}");
        answer(c, "200 OK");
    }
}


static void
create_seed(sim_conn_t *c)
{
    sim_token_t  *t = sim_token_add();

    body.len = 0;

    if (t == NULL) {
        sim_printf(&body, "{\"detail\":\"too many\"}");
        answer(c, "500 Internal Server Error");
        return;
    }

    t->seed = 1;
    t->unlimited = 1;
    sim_token_make_key(t->key, "sub_", 40);
    sim_printf(&body, "{\"sub_key\":\"%s\"}", t->key);
    answer(c, "200 OK");
}


/* Both are asked for; a newer one takes a prefix. */
static int
is_account(const sim_request_t *r)
{
    aigw_str_t  sent = r->authorization;

    if (sim.newapi == SIM_NEWAPI_NEW && sent.len > 7
        && strncasecmp(sent.data, "bearer ", 7) == 0)
    {
        sent.data += 7;
        sent.len -= 7;
    }

    return sim.master != NULL && sim_str_is(sent, sim.master)
           && sim_str_is(r->user, SIM_ACCOUNT);
}


static void
dispatch(sim_conn_t *c, const sim_request_t *r)
{
    char     path[64], *rest;
    cJSON   *request;
    int64_t  id;

    (void) snprintf(path, sizeof(path), "%.*s", (int) r->path.len,
                    r->path.data);

    if (strcmp(path, "/sub-key/create") == 0) {
        create_seed(c);
        return;
    }

    if (!is_account(r)) {
        fail(c, "401 Unauthorized", "access token is invalid");
        return;
    }

    if (strcmp(path, "/api/token/") != 0) {
        id = strtoll(path + strlen("/api/token/"), &rest, 10);
        serve_token(c, r, sim_token_find(id), rest);

    } else if (sim_str_is(r->method, "POST")) {
        request = cJSON_ParseWithLength(r->body.data, r->body.len);
        create_token(c, request);
        cJSON_Delete(request);

    } else {
        list_tokens(c, r->query);
    }
}


static int
is_ours(const sim_request_t *r)
{
    static const char  root[] = "/api/token/";

    if (sim.newapi == SIM_NEWAPI_NONE) {
        return 0;
    }

    if (sim_str_is(r->path, "/sub-key/create")) {
        return sim_str_is(r->method, "POST");
    }

    return r->path.len >= sizeof(root) - 1
           && memcmp(r->path.data, root, sizeof(root) - 1) == 0;
}


int
sim_manage_serve(sim_conn_t *c, const sim_request_t *r, int key_is_right)
{
    int  holds;

    if (!is_ours(r)
        || (sim_str_is(r->path, "/sub-key/create") && !key_is_right))
    {
        return 0;
    }

    sim.managed++;
    holds = sim.hold_at > 0 && --sim.hold_at == 0;

    if (holds && !sim.effect) {
        hold(c);
        return 1;
    }

    if (sim.busy > 0) {
        sim.busy--;
        sim_answer(c, "429 Too Many Requests", "", "", 0);

    } else if (sim.refuse > 0 && --sim.refuse == 0) {
        fail(c, "200 OK", "no more tokens for you, sk-quoted0123456789");

    } else {
        dispatch(c, r);
    }

    if (holds) {
        hold(c);
    }

    return 1;
}
