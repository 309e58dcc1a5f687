/*
 * aigw reconcile: the upstream's own log and balance. New API's, which 4sapi
 * is: pages of the account by its access token, or the newest calls of the key
 * by the key. Believes nothing that it reads to be in order.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_time.h"
#include "cmd_reconcile.h"


#define PAGE      100
#define CONSUME   2                   /* kinds of their entries */
#define REFUND    6
#define KEYED_MAX 1000
#define COUNT_MAX 9007199254740992.0  /* 2^53: what a double counts */


__extension__ typedef __int128  wide_t;


static int64_t
count_of(const cJSON *object, const char *name)
{
    const cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) && item->valuedouble > -COUNT_MAX
           && item->valuedouble < COUNT_MAX ? (int64_t) item->valuedouble : 0;
}


static void
copy_text(const cJSON *object, const char *name, char *to, size_t size)
{
    const cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(object, name);
    snprintf(to, size, "%s", cJSON_IsString(item) ? item->valuestring : "");
}


/* To the nearest nano-unit. */
static int64_t
amount_of(const reconcile_log_t *log, int64_t quota)
{
    wide_t  nano, half = log->per_unit / 2;

    nano = (wide_t) quota * AIGW_UNIT_NANO;
    nano = (nano + (nano < 0 ? -half : half)) / log->per_unit;

    return nano > INT64_MAX ? INT64_MAX : nano < -INT64_MAX ? -INT64_MAX
                                                            : (int64_t) nano;
}


/* What is of no use to us is no entry: 0. */
static int
read_entry(reconcile_log_t *log, const cJSON *item, reconcile_entry_t *entry)
{
    int64_t  type = count_of(item, "type"), quota = count_of(item, "quota");

    memset(entry, 0, sizeof(*entry));
    entry->id = count_of(item, "id");
    entry->time_s = count_of(item, "created_at");

    /* a page that has moved on says some again */
    if (entry->id != 0 && log->last_id != 0 && entry->id >= log->last_id) {
        return 0;
    }

    log->last_id = entry->id;
    log->oldest_ms = entry->time_s * 1000;
    log->seen++;

    if ((type != 0 && type != CONSUME && type != REFUND)
        || entry->time_s * 1000 < log->since_ms
        || entry->time_s * 1000 >= log->until_ms)
    {
        return 0;
    }

    entry->prompt_tokens = count_of(item, "prompt_tokens");
    entry->completion_tokens = count_of(item, "completion_tokens");
    entry->cost_nano = amount_of(log, type == REFUND && quota > 0 ? -quota
                                                                  : quota);
    copy_text(item, "request_id", entry->request, sizeof(entry->request));
    copy_text(item, "model_name", entry->model, sizeof(entry->model));

    return 1;
}


static const char *
path_of(const reconcile_log_t *log, char path[CLI_HTTP_PATH_MAX + 1])
{
    if (log->upstream->log_user == 0) {
        return "/api/log/token";
    }

    snprintf(path, CLI_HTTP_PATH_MAX + 1, "/api/log/self?p=%" PRId64
             "&page_size=%d&type=0&start_timestamp=%" PRId64
             "&end_timestamp=%" PRId64, log->number, PAGE,
             log->since_ms / 1000, (log->until_ms - 1) / 1000);

    return path;
}


/* The array of entries, or NULL. */
static const cJSON *
items_of(const cJSON *page)
{
    const cJSON  *data;

    data = cJSON_GetObjectItemCaseSensitive(page, "data");

    if (cJSON_IsObject(data)) {
        data = cJSON_GetObjectItemCaseSensitive(data, "items");
    }

    return cJSON_IsArray(data) ? data : NULL;
}


static cli_exit_t
fetch(reconcile_log_t *log, const char *path, cJSON **page)
{
    char         why[CLI_TEXT_LEN * 2];
    int64_t      duration_ms;
    cli_body_t   body = { NULL, 0 };
    cli_exit_t   code;

    code = cli_http_get(log->cli, log->upstream, log->upstream->log_user != 0,
                        path, &body, &duration_ms);

    if (code == CLI_OK) {
        *page = cJSON_Parse(body.data ? body.data : "");

        /* errors come with 200 */
        if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(*page, "data"))
            && items_of(*page) == NULL)
        {
            copy_text(*page, "message", why, sizeof(why));
            code = cli_fail(log->cli, CLI_FAILED, NULL, "upstream '%s' answers"
                            " %.20s... without data%s%s", log->upstream->name,
                            path, why[0] ? ": " : "", why);
            cJSON_Delete(*page);
            *page = NULL;
        }
    }

    free(body.data);

    return code;
}


/* The next page; an older service shows by its form that it counts from 0. */
static cli_exit_t
turn(reconcile_log_t *log)
{
    int           keyed = log->upstream->log_user == 0;
    char          path[CLI_HTTP_PATH_MAX + 1];
    cJSON        *page = NULL;
    cli_exit_t    code;
    const cJSON  *items;

    code = fetch(log, path_of(log, path), &page);

    if (code == CLI_OK && !keyed && log->number == 1 && !log->older
        && cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(page, "data")))
    {
        cJSON_Delete(page);
        page = NULL;
        log->older = 1;
        log->number = 0;
        code = fetch(log, path_of(log, path), &page);
    }

    if (code != CLI_OK) {
        return code;
    }

    items = items_of(page);
    log->number++;
    cJSON_Delete(log->page);
    log->page = page;
    log->item = items != NULL ? items->child : NULL;
    log->ended = log->item == NULL;

    return CLI_OK;
}


/* By key there are so many and no more: what is older cannot be compared. */
static void
end_keyed(reconcile_log_t *log)
{
    char  since[AIGW_TIME_LEN + 1];

    log->ended = 1;

    if (log->seen >= KEYED_MAX && log->oldest_ms > log->since_ms) {
        log->since_ms = log->oldest_ms;
        aigw_time_format(log->since_ms, since);
        cli_warn(log->cli, "without --log-token-file the upstream shows its"
                 " newest calls alone: compared since %s", since);
    }
}


cli_exit_t
reconcile_log_next(reconcile_log_t *log, reconcile_entry_t *entry, int *more)
{
    int          found = 0;
    cli_exit_t   code = CLI_OK;

    while (!found && !log->ended && code == CLI_OK) {
        if (log->item != NULL) {
            found = read_entry(log, log->item, entry);
            log->item = log->item->next;

        } else if (log->page != NULL && log->upstream->log_user == 0) {
            end_keyed(log);

        } else {
            code = turn(log);
        }
    }

    *more = found;

    return code;
}


void
reconcile_log_end(reconcile_log_t *log)
{
    cJSON_Delete(log->page);
    log->page = NULL;
}


cli_exit_t
reconcile_log_balance(reconcile_log_t *log, cJSON *object)
{
    int           account = log->upstream->log_user != 0;
    cJSON        *page = NULL;
    cli_exit_t    code;
    const cJSON  *data;

    code = fetch(log, account ? "/api/user/self" : "/api/usage/token/", &page);
    if (code != CLI_OK) {
        return code;
    }

    data = cJSON_GetObjectItemCaseSensitive(page, "data");
    cli_add_text(object, "of", account ? "account" : "key");
    cli_add_amount(object, "balance", amount_of(log, count_of(data, account
                                      ? "quota" : "total_available")));
    cli_add_amount(object, "used", amount_of(log, count_of(data, account
                                   ? "used_quota" : "total_used")));
    cJSON_Delete(page);

    return CLI_OK;
}
