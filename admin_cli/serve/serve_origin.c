/*
 * The API of the service that this gateway took over from, form for form, so
 * that scripts written for it run: projects and statistics, and errors as
 * {"detail": ...}. What is done is done by the commands, with their rules.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "serve_origin.h"


#define DAYS       30                 /* of a project; of statistics */
#define DAYS_MAX   36500
#define DAY_MS     86400000LL
#define DATE_LEN   10
#define ID_DIGITS  19                 /* all that fit an int64 */

#define OVER_SHARE                                                            \
    "额度不足：名下所有项目的额度之和"                        \
    "不能超过您的总额度"


/* In place of a native error; the first that fits. NULL: any code. */
static const struct {
    unsigned     status;
    const char  *code;
    const char  *text;
} details[] = {
    { MHD_HTTP_UNAUTHORIZED, NULL, "未登录或登录已过期" },
    { MHD_HTTP_FORBIDDEN, "csrf", "缺少或错误的 CSRF 令牌" },
    { MHD_HTTP_FORBIDDEN, NULL, "权限不足" },
    { MHD_HTTP_NOT_FOUND, NULL, "Not Found" },
    { MHD_HTTP_METHOD_NOT_ALLOWED, NULL, "Method Not Allowed" },
    { MHD_HTTP_CONTENT_TOO_LARGE, NULL, "请求体过大" },
    { MHD_HTTP_TOO_MANY_REQUESTS, NULL, SERVE_ORIGIN_OFTEN },
    { MHD_HTTP_SERVICE_UNAVAILABLE, NULL,
      "服务暂不可用，请稍后再试" },
    { MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, "服务器内部错误" }
};


void
serve_origin_detail(serve_request_t *r, unsigned status, const char *text)
{
    cJSON  *answer = cJSON_CreateObject();

    cli_add_text(answer, "detail", text);
    serve_answer(r, status, answer);

    if (status == MHD_HTTP_UNAUTHORIZED) {
        serve_add_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
}


void
serve_origin_fail(serve_request_t *r, unsigned status, const char *code,
    const char *message)
{
    size_t       i;
    const char  *text = message;

    for (i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
        if (details[i].status == status
            && (details[i].code == NULL || strcmp(details[i].code, code) == 0))
        {
            text = details[i].text;
            break;
        }
    }

    serve_origin_detail(r, status, text);
}


cJSON *
serve_origin_answer(serve_request_t *r, const char *msg)
{
    cJSON  *answer = cJSON_CreateObject();

    cJSON_AddNumberToObject(answer, "code", MHD_HTTP_OK);
    cli_add_text(answer, "msg", msg);
    serve_answer(r, MHD_HTTP_OK, answer);

    return cJSON_AddObjectToObject(answer, "data");
}


/* A value for the route's command, checked as the command line checks it. */
static int
give(serve_request_t *r, const char *name, const char *text)
{
    size_t                i;
    const cli_option_t   *option = r->cli.command->options;

    for (i = 0; strcmp(option[i].name, name) != 0; i++) { /* void */ }

    return cli_convert(&r->cli, &option[i], text, &r->cli.option[i])
           == CLI_OK;
}


/* What the command answers; NULL: it failed, *code says how. */
static cJSON *
run(serve_request_t *r, cli_exit_t *code)
{
    cJSON  *answer;

    *code = r->cli.command->run(&r->cli);
    answer = r->cli.answer;
    r->cli.answer = NULL;

    if (*code != CLI_OK) {
        cJSON_Delete(answer);
        answer = NULL;
    }

    return answer;
}


/* A field under the origin's name. */
static void
copy(cJSON *to, const char *as, const cJSON *from, const char *name)
{
    cJSON_AddItemToObject(to, as,
        cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(from, name), 1));
}


/* An amount, a text until here, as a number: its very digits. */
static void
copy_amount(cJSON *to, const char *as, const cJSON *from, const char *name)
{
    const char  *text;

    text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, name));

    if (text != NULL) {
        cJSON_AddRawToObject(to, as, text);

    } else {
        cJSON_AddNullToObject(to, as);
    }
}


/* Where the script finds the gateway: as an admin has set it, else as it came
   here, for an SDK without a base URL would send its key elsewhere. */
static void
add_base_url(serve_request_t *r, cJSON *data, const cJSON *answer)
{
    char          url[AIGW_VALUE_MAX + 1];
    const char   *host = serve_header(r, MHD_HTTP_HEADER_HOST);
    const char   *scheme = serve_header(r, "X-Forwarded-Proto");
    const cJSON  *set;

    set = cJSON_GetObjectItemCaseSensitive(answer, "base_url");

    if (cJSON_IsString(set) || host == NULL || strlen(host) > AIGW_VALUE_MAX / 2
        || host[strspn(host, "0123456789abcdefghijklmnopqrstuvwxyz"
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:[]")] != '\0')
    {
        copy(data, "base_url", answer, "base_url");
        return;
    }

    snprintf(url, sizeof(url), "%s://%s/v1",
             scheme != NULL && strcmp(scheme, "https") == 0 ? "https" : "http",
             host);
    cli_add_text(data, "base_url", url);
}


static void
fail_create(serve_request_t *r, cli_exit_t code)
{
    if (code == CLI_CONFLICT) {
        serve_origin_detail(r, MHD_HTTP_BAD_REQUEST, "项目名称已存在");

    } else if (code == CLI_DENIED) {
        serve_origin_detail(r, MHD_HTTP_FORBIDDEN, OVER_SHARE);
    } else {
        serve_fail_command(r, code);
    }
}


void
serve_origin_create(serve_request_t *r)
{
    char                quota[AIGW_AMOUNT_LEN + 1], models[AIGW_MODELS_MAX + 1];
    char                expires[CLI_TEXT_LEN];
    cJSON              *answer, *data, *project;
    int64_t             nano, days = DAYS;
    cli_exit_t          code;
    const char         *name;
    serve_origin_in_t   in;

    strcpy(models, "*");
    serve_origin_take_body(&in, r, SERVE_ORIGIN_JSON);
    name = serve_origin_text(&in, "project_name", 1, 1, SERVE_BODY_MAX);

    if (serve_origin_amount(&in, "total_quota", &nano)) {
        (void) aigw_amount_format(nano, quota);
    }

    serve_origin_models(&in, "model_permission", models);
    serve_origin_count(&in, "expired_days", 1, DAYS_MAX, &days);
    snprintf(expires, sizeof(expires), "%" PRId64 "d", days);

    if (name != NULL && cli_convert(&r->cli, &r->cli.command->args[0], name,
                                    &r->cli.arg[0]) != CLI_OK)
    {
        serve_origin_fault(&in, "project_name", "value_error",
                           SERVE_ORIGIN_BAD_NAME);
    }

    if (serve_origin_is_faulty(&in)) {
        return;
    }

    if (!give(r, "quota", quota) || !give(r, "models", models)
        || !give(r, "expires", expires))
    {
        serve_fail_command(r, CLI_USAGE);
        return;
    }

    answer = run(r, &code);

    if (answer == NULL) {
        fail_create(r, code);
        return;
    }

    project = cJSON_GetObjectItemCaseSensitive(answer, "project");
    data = serve_origin_answer(r, "项目创建成功");
    copy(data, "project_id", project, "id");
    copy(data, "project_name", project, "name");
    copy(data, "api_key", answer, "key");
    add_base_url(r, data, answer);
    copy_amount(data, "total_quota", project, "quota");
    copy(data, "expired_at", project, "expires_at");
    cJSON_Delete(answer);
}


/* All at once, oldest first, as a table of a database comes; of more than
   CLI_LIST_MAX the newest. */
void
serve_origin_list(serve_request_t *r)
{
    char          limit[CLI_TEXT_LEN];
    cJSON        *answer, *list, *item;
    cli_exit_t    code = CLI_USAGE;
    const cJSON  *project;

    snprintf(limit, sizeof(limit), "%d", CLI_LIST_MAX);
    answer = give(r, "limit", limit) ? run(r, &code) : NULL;

    if (answer == NULL) {
        serve_fail_command(r, code);
        return;
    }

    list = cJSON_CreateArray();

    cJSON_ArrayForEach(project,
                       cJSON_GetObjectItemCaseSensitive(answer, "items"))
    {
        item = cJSON_CreateObject();
        cJSON_InsertItemInArray(list, 0, item);
        copy(item, "project_id", project, "id");
        copy(item, "project_name", project, "name");
        copy_amount(item, "total_quota", project, "quota");
        copy_amount(item, "used_quota", project, "spent");
        copy_amount(item, "remaining_quota", project, "remaining");
        copy(item, "is_active", project, "active");
        copy(item, "expired_at", project, "expires_at");
    }

    cJSON_Delete(answer);
    serve_answer(r, MHD_HTTP_OK, list);
}


/* A day of the query, at its begin; ms stays as it is if there is none. */
static void
take_date(serve_origin_in_t *in, const char *field, int64_t *ms)
{
    char  text[CLI_TEXT_LEN];

    if (!serve_origin_argument(in, field, text) || text[0] == '\0') {
        return;
    }

    if (strlen(text) != DATE_LEN || aigw_time_parse(cli_str(text), ms)
                                    != AIGW_OK)
    {
        serve_origin_fault(in, field, "date_parsing", "Input should be a valid"
                           " date in the format YYYY-MM-DD");
    }
}


static void
add_date(cJSON *object, const char *name, int64_t ms)
{
    char  text[AIGW_TIME_LEN + 1];

    aigw_time_format(ms, text);
    text[DATE_LEN] = '\0';
    cli_add_text(object, name, text);
}


/* Which project, into id; empty: all. */
static void
take_project(serve_origin_in_t *in, char id[CLI_TEXT_LEN])
{
    static const char  field[] = "project_id";

    if (!serve_origin_argument(in, field, id) || id[0] == '\0') {
        return;
    }

    if (id[strspn(id, "0123456789")] != '\0' || strlen(id) > ID_DIGITS) {
        serve_origin_fault(in, field, "int_parsing", "Input should be a valid"
                           " integer, unable to parse string as an integer");
    }
}


/* The command's options; both days are of the range. Filters have no moment
   before 1970: 0 says none. */
static void
give_range(serve_request_t *r, int64_t start, int64_t end)
{
    size_t                i;
    const cli_option_t   *option = r->cli.command->options;

    for (i = 0; option[i].name != NULL; i++) {
        if (strcmp(option[i].name, "since") == 0) {
            r->cli.option[i].number = start > 1 ? start : 1;

        } else if (strcmp(option[i].name, "until") == 0) {
            r->cli.option[i].number = end + DAY_MS > 1 ? end + DAY_MS : 1;
        }
    }
}


void
serve_origin_stats(serve_request_t *r)
{
    char                id[CLI_TEXT_LEN];
    cJSON              *answer, *stats;
    int64_t             start, end;
    cli_exit_t          code;
    serve_origin_in_t   in = { .r = r, .where = "query" };

    end = aigw_time_now_ms() / DAY_MS * DAY_MS;
    take_project(&in, id);
    take_date(&in, "end_date", &end);
    start = end - (DAYS - 1) * DAY_MS;
    take_date(&in, "start_date", &start);

    if (serve_origin_is_faulty(&in)) {
        return;
    }

    if (start > end) {
        serve_origin_detail(r, MHD_HTTP_BAD_REQUEST,
                            "开始日期不能晚于结束日期");
        return;
    }

    if (id[0] != '\0' && !give(r, "project", id)) {
        serve_fail_command(r, CLI_USAGE);
        return;
    }

    give_range(r, start, end);
    answer = run(r, &code);

    if (answer == NULL) {
        if (code == CLI_NOT_FOUND) {
            serve_origin_detail(r, MHD_HTTP_NOT_FOUND, "项目不存在");

        } else {
            serve_fail_command(r, code);
        }

        return;
    }

    stats = cJSON_CreateObject();
    copy(stats, "total_calls", answer, "calls");
    copy(stats, "total_tokens", answer, "total_tokens");
    copy(stats, "success_rate", answer, "success_rate");
    add_date(stats, "start_date", start);
    add_date(stats, "end_date", end);
    cJSON_Delete(answer);
    serve_answer(r, MHD_HTTP_OK, stats);
}
