/*
 * Sub-keys at New API, which 4sapi is, of both generations: what is made is
 * found by its name, since the answer has no key; and a key that is masked is
 * asked for. Errors come with 200. Believes nothing that it reads to be whole.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_seal.h"
#include "cmd_subkey.h"


#define ROOT      "/api/token/"
#define PAGE      100
#define PAGES_MAX 1000
#define ID_MAX    9007199254740992.0  /* 2^53: what a double counts */


static uint64_t
id_of(const cJSON *item)
{
    const cJSON  *id = cJSON_GetObjectItemCaseSensitive(item, "id");

    return cJSON_IsNumber(id) && id->valuedouble >= 1
           && id->valuedouble < ID_MAX ? (uint64_t) id->valuedouble : 0;
}


static const char *
text_of(const cJSON *object, const char *name)
{
    const cJSON  *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}


/* What an upstream says may quote a key. */
static void
copy_quiet(const char *from, char *to, size_t size)
{
    char  *key;

    snprintf(to, size, "%s", from);

    for (key = to; (key = strstr(key, "sk-")) != NULL; /* void */) {
        for (key += 3; *key != '\0' && strchr(" \"',.;:)", *key) == NULL;
             key++)
        {
            *key = '*';
        }
    }
}


static cli_exit_t
fail(const subkey_at_t *at, const cli_call_t *call, long status,
    const cJSON *answer)
{
    char  why[CLI_TEXT_LEN * 2];

    copy_quiet(text_of(answer, "message"), why, sizeof(why));

    return cli_fail(at->cli, CLI_FAILED, status / 100 == 3
                    ? "redirects are not followed: set the final URL"
                    : at->hint, "upstream '%s' does not do %s %s (%ld)%s%s",
                    at->upstream.name, call->method, call->path, status,
                    why[0] != '\0' ? ": " : "", why);
}


/* CLI_OK: it says that it was done; the answer is the caller's to delete.
   absent: 1 if it says that it was not. */
static cli_exit_t
ask(const subkey_at_t *at, const char *method, const char *path,
    const char *body, cJSON **answer, int *absent)
{
    cli_call_t   call = {
        method, path, body, CLI_HTTP_MASTER, &at->driver, at->hint
    };
    cli_exit_t   code;
    cli_reply_t  reply;

    code = cli_http_call(at->cli, &at->upstream, &call, &reply);
    *answer = code == CLI_OK && reply.body.data != NULL
              ? cJSON_ParseWithLength(reply.body.data, reply.body.len) : NULL;
    cli_http_free(&reply);
    *absent = !reply.sent;

    if (code == CLI_OK
        && (reply.status != 200
            || !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(*answer,
                                                              "success"))))
    {
        *absent |= cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(*answer,
                                                                  "success"));
        code = fail(at, &call, reply.status, *answer);
        cJSON_Delete(*answer);
        *answer = NULL;
    }

    return code;
}


/* --- all that there are --- */

typedef struct {
    const subkey_at_t  *at;
    subkey_visit_pt     visit;
    void               *data;
    int64_t             number;       /* of the next page */
    int                 older;        /* it counts from 0 */
    uint64_t            first;        /* of the page before */
} walk_t;


/* The array of a page; an older service answers with it alone. */
static const cJSON *
items_of(const cJSON *page, int *older)
{
    const cJSON  *data = cJSON_GetObjectItemCaseSensitive(page, "data");

    *older = cJSON_IsArray(data);

    return *older ? data : cJSON_GetObjectItemCaseSensitive(data, "items");
}


static cli_exit_t
fetch(walk_t *w, cJSON **page)
{
    int   absent;
    char  path[CLI_HTTP_PATH_MAX + 1];

    snprintf(path, sizeof(path), ROOT "?p=%" PRId64 "&page_size=%d&size=%d",
             w->number, PAGE, PAGE);

    return ask(w->at, "GET", path, NULL, page, &absent);
}


static cli_exit_t
visit_page(walk_t *w, const cJSON *items)
{
    cli_exit_t        code = CLI_OK;
    const cJSON      *item;
    subkey_remote_t   remote;

    cJSON_ArrayForEach(item, items) {
        remote.id = id_of(item);
        snprintf(remote.name, sizeof(remote.name), "%s",
                 text_of(item, "name"));
        snprintf(remote.key, sizeof(remote.key), "%s", text_of(item, "key"));

        if (remote.id != 0) {
            code = w->visit(w->data, &remote);
        }

        aigw_cleanse(remote.key, sizeof(remote.key));

        if (code != CLI_OK) {
            break;
        }
    }

    return code;
}


/* One page. *more: there may be another; not if it is the same once more. */
static cli_exit_t
turn(walk_t *w, int *more)
{
    int           older;
    cJSON        *page;
    uint64_t      first;
    cli_exit_t    code;
    const cJSON  *items;

    code = fetch(w, &page);
    if (code != CLI_OK) {
        return code;
    }

    items = items_of(page, &older);

    if (!cJSON_IsArray(items)) {
        cJSON_Delete(page);
        return cli_fail(w->at->cli, CLI_FAILED, w->at->hint,
                        "upstream '%s' answers " ROOT " without a list",
                        w->at->upstream.name);
    }

    *more = 1;

    if (older && !w->older) {
        w->older = 1;
        w->number = 0;
        cJSON_Delete(page);
        return CLI_OK;
    }

    first = id_of(items->child);
    *more = first != 0 && first != w->first;
    w->first = first;
    w->number++;
    code = *more ? visit_page(w, items) : CLI_OK;
    cJSON_Delete(page);

    return code;
}


static cli_exit_t
walk(const subkey_at_t *at, subkey_visit_pt visit, void *data)
{
    int         i, more = 1;
    walk_t      w = { at, visit, data, 1, 0, 0 };
    cli_exit_t  code = CLI_OK;

    for (i = 0; code == CLI_OK && more && i < PAGES_MAX; i++) {
        code = turn(&w, &more);
    }

    if (code == CLI_OK && more) {
        code = cli_fail(at->cli, CLI_FAILED, at->hint,
                        "upstream '%s' has no end of its list",
                        at->upstream.name);
    }

    return code;
}


/* --- one --- */

typedef struct {
    const char       *name;
    subkey_remote_t  *found;          /* id 0: not yet */
} search_t;


/* Ends the walk by an exit code that no failure has. */
#define FOUND  CLI_CONFLICT

static cli_exit_t
is_it(void *data, const subkey_remote_t *remote)
{
    search_t  *search = data;

    if (strcmp(remote->name, search->name) != 0) {
        return CLI_OK;
    }

    *search->found = *remote;

    return FOUND;
}


static cli_exit_t
find(const subkey_at_t *at, const char *name, subkey_remote_t *found)
{
    search_t    search = { name, found };
    cli_exit_t  code;

    found->id = 0;
    code = walk(at, is_it, &search);

    if (code == CLI_OK) {
        return cli_fail(at->cli, CLI_FAILED, at->hint, "upstream '%s' has made"
                        " '%s', but does not list it", at->upstream.name,
                        name);
    }

    return code == FOUND && found->id != 0 ? CLI_OK : code;
}


/* A newer service masks keys in its lists. */
static cli_exit_t
unmask(const subkey_at_t *at, subkey_remote_t *remote)
{
    int           absent;
    char          path[CLI_HTTP_PATH_MAX + 1];
    cJSON        *answer;
    cli_exit_t    code;
    const cJSON  *data;

    if (remote->key[0] != '\0' && strchr(remote->key, '*') == NULL) {
        return CLI_OK;
    }

    snprintf(path, sizeof(path), ROOT "%" PRIu64 "/key", remote->id);
    code = ask(at, "POST", path, "{}", &answer, &absent);

    if (code == CLI_OK) {
        data = cJSON_GetObjectItemCaseSensitive(answer, "data");
        snprintf(remote->key, sizeof(remote->key), "%s",
                 text_of(data, "key"));
        cJSON_Delete(answer);
    }

    return code;
}


/* As it is sent with calls. */
static cli_exit_t
take_key(const subkey_at_t *at, const subkey_remote_t *remote,
    char secret[AIGW_SECRET_MAX + 1])
{
    size_t       i, len = strlen(remote->key);
    const char  *begin = strncmp(remote->key, "sk-", 3) == 0 ? "" : "sk-";

    for (i = 0; i < len && remote->key[i] > ' ' && remote->key[i] <= '~'
                && remote->key[i] != '*'; i++)
    {
        /* void */
    }

    if (len == 0 || i < len || len > AIGW_SECRET_MAX - 3) {
        return cli_fail(at->cli, CLI_FAILED, at->hint,
                        "upstream '%s' tells no key that can be used",
                        at->upstream.name);
    }

    snprintf(secret, AIGW_SECRET_MAX + 1, "%s%s", begin, remote->key);

    return CLI_OK;
}


static char *
make_body(const subkey_at_t *at, const aigw_subkey_t *subkey)
{
    int     limited = strcmp(subkey->models, "*") != 0;
    char   *text;
    cJSON  *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "name", subkey->name);
    cli_add_count(body, "remain_quota", subkey->quota_nano == AIGW_UNLIMITED
                  ? 0 : subkey_units(at, subkey->quota_nano));
    cJSON_AddBoolToObject(body, "unlimited_quota",
                          subkey->quota_nano == AIGW_UNLIMITED);
    cli_add_count(body, "expired_time", subkey->expires_ms == 0 ? -1
                  : (subkey->expires_ms + 999) / 1000);
    cJSON_AddBoolToObject(body, "model_limits_enabled", limited);
    cJSON_AddStringToObject(body, "model_limits",
                            limited ? subkey->models : "");

    if (at->driver.group[0] != '\0') {
        cJSON_AddStringToObject(body, "group", at->driver.group);
    }

    text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);

    return text;
}


static cli_exit_t
create(const subkey_at_t *at, aigw_subkey_t *subkey,
    char secret[AIGW_SECRET_MAX + 1], int *absent)
{
    char             *body;
    cJSON            *answer;
    cli_exit_t        code;
    subkey_remote_t   remote = { 0, "", "" };

    body = make_body(at, subkey);
    code = ask(at, "POST", ROOT, body, &answer, absent);
    cJSON_free(body);

    if (code != CLI_OK) {
        return code;
    }

    cJSON_Delete(answer);
    *absent = 0;
    code = find(at, subkey->name, &remote);

    if (code == CLI_OK) {
        code = unmask(at, &remote);
    }

    if (code == CLI_OK) {
        code = take_key(at, &remote, secret);
    }

    subkey->remote_id = remote.id;
    aigw_cleanse(&remote, sizeof(remote));

    return code;
}


static cli_exit_t
take_away(const subkey_at_t *at, uint64_t remote_id)
{
    int         absent;
    char        path[CLI_HTTP_PATH_MAX + 1];
    cJSON      *answer;
    cli_exit_t  code;

    snprintf(path, sizeof(path), ROOT "%" PRIu64, remote_id);
    code = ask(at, "DELETE", path, NULL, &answer, &absent);
    cJSON_Delete(answer);

    return code;
}


const subkey_driver_t  subkey_newapi = { create, walk, take_away };
