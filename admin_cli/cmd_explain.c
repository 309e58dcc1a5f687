/*
 * aigw explain: why a call was let in or refused, or what would become of one
 * now: each rule in the order in which the gateway asks it, and the first that
 * says no. It only looks: nothing is held here.
 */

#include <stdarg.h>
#include <string.h>

#include "aigw_hold.h"
#include "aigw_limit.h"
#include "aigw_time.h"
#include "aigw_verdict.h"
#include "cli.h"


#define WHY_LEN         255
#define BYTES_A_TOKEN   4             /* of the body, as the gateway takes it */
#define THINKS          1024          /* smallest answer of a reasoning model */


typedef struct {
    const cli_t     *cli;
    cJSON           *rules;
    aigw_key_t       key;
    aigw_project_t   project;
    aigw_user_t      user;
    int64_t          spent[AIGW_LIVE_LEVELS];
    int64_t          held[AIGW_LIVE_LEVELS];
    int64_t          quota[AIGW_LIVE_LEVELS];
    aigw_called_t    called;
    aigw_price_t     price;
    int64_t          prompt;          /* tokens */
    int64_t          own;             /* limit of one output, or -1 */
    int64_t          outputs;
    aigw_hold_t      hold;
    aigw_verdict_t   verdict;
    const char      *binds;           /* the rule; NULL: none says no */
    const char      *account;         /* that stands in the way, or NULL */
} check_t;


static const char  *levels[AIGW_LIVE_LEVELS] = { "key", "project", "user" };


/* One rule; verdict: what the gateway says by it. The first no binds. */
static void __attribute__((format(printf, 5, 6)))
add_rule(check_t *check, const char *rule, const char *of,
    aigw_verdict_t verdict, const char *format, ...)
{
    char      why[WHY_LEN + 1];
    cJSON    *object;
    va_list   args;

    va_start(args, format);
    (void) vsnprintf(why, sizeof(why), format, args);
    va_end(args);

    object = cJSON_CreateObject();
    cJSON_AddItemToArray(check->rules, object);
    cli_add_text(object, "rule", rule);
    cli_add_text(object, "of", of);
    cli_add_text(object, "result",
                 verdict == AIGW_VERDICT_OK ? "ok" : "refuses");
    cli_add_text(object, "why", why);

    if (verdict != AIGW_VERDICT_OK && check->binds == NULL) {
        check->binds = rule;
        check->account = of;
        check->verdict = verdict;
    }
}


static void
check_enabled(check_t *check, const char *of, int enabled)
{
    add_rule(check, "enabled", of,
             enabled ? AIGW_VERDICT_OK : AIGW_VERDICT_KEY_DISABLED, "%s",
             enabled ? "it is" : "it is disabled or revoked");
}


static void
check_expiry(check_t *check, const char *of, int64_t expires_ms)
{
    int   over;
    char  date[AIGW_TIME_LEN + 1];

    over = aigw_limit_expired(expires_ms, aigw_time_now_ms());
    aigw_time_format(expires_ms, date);

    add_rule(check, "expiry", of,
             over ? AIGW_VERDICT_KEY_EXPIRED : AIGW_VERDICT_OK, "%s%s",
             over ? "over since " : expires_ms != 0 ? "lasts until "
             : "never", expires_ms != 0 ? date : "");
}


static void
check_quota(check_t *check, unsigned i)
{
    char     limit[AIGW_AMOUNT_LEN + 1], spent[AIGW_AMOUNT_LEN + 1];
    char     held[AIGW_AMOUNT_LEN + 1];
    int64_t  left;

    (void) aigw_amount_format(check->quota[i], limit);
    (void) aigw_amount_format(check->spent[i], spent);
    (void) aigw_amount_format(check->held[i], held);
    left = aigw_limit_left(check->quota[i], check->spent[i], 0);

    add_rule(check, "quota", levels[i],
             left == 0 ? AIGW_VERDICT_QUOTA_SPENT : AIGW_VERDICT_OK,
             "%s spent and %s held of %s", spent, held,
             check->quota[i] == AIGW_UNLIMITED ? "unlimited" : limit);
}


/* A wildcard must cover both names; one that the list has itself will do. */
static void
check_models(check_t *check, const char *of, const char *patterns,
    const char *model)
{
    int         allowed;
    aigw_str_t  list = cli_str(patterns);

    allowed = aigw_limit_model_allowed(list, cli_str(model))
              && (aigw_limit_model_named(list, cli_str(model))
                  || aigw_limit_model_allowed(list,
                                              cli_str(check->called.model)));

    add_rule(check, "models", of,
             allowed ? AIGW_VERDICT_OK : AIGW_VERDICT_MODEL_NOT_ALLOWED,
             "'%.100s' allows %s%s", patterns, allowed ? "" : "no ",
             check->called.model);
}


/* The accounts' least: what is free, and what is not spent. */
static void
find_room(const check_t *check, aigw_hold_room_t *room, unsigned *least_free,
    unsigned *least_left)
{
    int64_t   amount;
    unsigned  i;

    memset(room, 0, sizeof(*room));
    room->free_nano = INT64_MAX;
    room->left_nano = INT64_MAX;
    *least_free = 0;
    *least_left = 0;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        amount = aigw_limit_left(check->quota[i], check->spent[i],
                                 check->held[i]);

        if (amount < room->free_nano) {
            room->free_nano = amount;
            *least_free = i;
        }

        amount = aigw_limit_left(check->quota[i], check->spent[i], 0);

        if (amount < room->left_nano) {
            room->left_nano = amount;
            *least_left = i;
        }
    }

    room->shared = check->held[*least_free] != 0;
}


/* As ngx_ai_gateway_hold.c does: by the body's bytes, then by an estimate that
   a strict cap does not take. */
static void
check_hold(check_t *check)
{
    char                 amount[AIGW_AMOUNT_LEN + 1];
    unsigned             least_free, least_left;
    aigw_hold_call_t     call = { 0 };
    aigw_hold_room_t     room;
    aigw_hold_verdict_t  verdict;

    find_room(check, &room, &least_free, &least_left);

    call.price = &check->price;
    call.input_tokens = check->prompt * BYTES_A_TOKEN;
    call.prompts = 1;
    call.strict = check->project.cap_strict != 0;
    call.by_bytes = 1;
    call.outputs = check->outputs;
    call.own = check->own;
    call.ceiling = check->called.max_output;
    call.assumed = check->called.assumed_output;
    call.context = check->called.context;
    call.smallest = check->called.reasoning ? THINKS : 1;

    check->hold.limit = -1;
    verdict = aigw_hold_ample(&call, &room, &check->hold);

    if (verdict == AIGW_HOLD_NEAR) {
        if (!call.strict) {
            call.input_tokens = check->prompt;
            call.by_bytes = 0;
        }

        verdict = aigw_hold_near(&call, &room, &check->hold);
    }

    switch (verdict) {

    case AIGW_HOLD_SPENT:
        add_rule(check, "hold", levels[least_left], AIGW_VERDICT_QUOTA_SPENT,
                 "what is not spent does not pay the smallest answer");
        break;

    case AIGW_HOLD_FITS:
        (void) aigw_amount_format(check->hold.hold_nano, amount);
        add_rule(check, "hold", levels[least_free], AIGW_VERDICT_OK,
                 "%s would be held%s", amount, check->hold.limit >= 0
                 ? ", and the output be limited" : "");
        break;

    default:
        add_rule(check, "hold", levels[least_free], AIGW_VERDICT_QUOTA_IN_USE,
                 "calls in flight hold what it needs: it would wait");
    }
}


static cli_exit_t
check_price(check_t *check)
{
    char        from[CLI_TEXT_LEN];
    aigw_err_t  err;

    err = aigw_store_find_price(check->cli->store,
                                cli_str(check->called.model),
                                aigw_time_now_ms(), &check->price);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(check->cli, err, "the price of",
                              check->called.model);
    }

    if (err == AIGW_ENOTFOUND) {
        add_rule(check, "price", "model", AIGW_VERDICT_MODEL_NOT_FOUND,
                 "%s has none", check->called.model);
        return CLI_OK;
    }

    snprintf(from, sizeof(from), "version %u", check->price.version);
    add_rule(check, "price", "model", AIGW_VERDICT_OK, "%s", from);
    check_hold(check);

    return CLI_OK;
}


/* What is above a call: looked up, with what each account has spent. */
static cli_exit_t
look_up(check_t *check, const char *model)
{
    unsigned        i;
    uint64_t        id[AIGW_LIVE_LEVELS];
    aigw_err_t      err;
    cli_exit_t      code;
    const cli_t    *cli = check->cli;

    static const aigw_account_kind_t  kinds[] = {
        AIGW_ACCOUNT_KEY, AIGW_ACCOUNT_PROJECT, AIGW_ACCOUNT_USER
    };

    err = cli_get_project(cli, check->key.project_id, &check->project);

    if (err == AIGW_OK) {
        err = cli_get_user(cli, check->project.user_id, &check->user);
    }

    if (err == AIGW_OK) {
        err = aigw_store_find_called(cli->store, cli_str(model),
                                     &check->called);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "what is above key", check->key.name);
    }

    id[0] = check->key.id;
    id[1] = check->project.id;
    id[2] = check->user.id;
    check->quota[0] = check->key.quota_nano;
    check->quota[1] = check->project.quota_nano;
    check->quota[2] = check->user.quota_nano;
    code = CLI_OK;

    for (i = 0; code == CLI_OK && i < AIGW_LIVE_LEVELS; i++) {
        code = cli_read_account(cli, kinds[i], id[i], &check->spent[i],
                                &check->held[i]);
    }

    return code;
}


static void
add_accounts(const check_t *check, cJSON *answer)
{
    cJSON       *array, *object;
    unsigned     i;
    const char  *names[AIGW_LIVE_LEVELS];

    names[0] = check->key.name;
    names[1] = check->project.name;
    names[2] = check->user.name;
    array = cJSON_AddArrayToObject(answer, "accounts");

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cli_add_text(object, "account", levels[i]);
        cli_add_text(object, "name", names[i]);
        cli_add_limit(object, "quota", check->quota[i]);
        cli_add_amount(object, "spent", check->spent[i]);
        cli_add_amount(object, "held", check->held[i]);
        cli_add_limit(object, "remaining",
                      check->quota[i] == AIGW_UNLIMITED ? AIGW_UNLIMITED
                      : aigw_limit_left(check->quota[i], check->spent[i],
                                        check->held[i]));
    }
}


static cli_exit_t
explain(check_t *check, cJSON *answer, const char *model)
{
    unsigned    i;
    cli_exit_t  code;

    code = look_up(check, model);
    if (code != CLI_OK) {
        return code;
    }

    check->rules = cJSON_CreateArray();
    check_enabled(check, "key", check->key.enabled
                                && check->key.revoked_ms == 0);
    check_enabled(check, "project", check->project.enabled);
    check_enabled(check, "user", check->user.enabled);
    check_expiry(check, "key", check->key.expires_ms);
    check_expiry(check, "project", check->project.expires_ms);

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        check_quota(check, i);
    }

    check_models(check, "key", check->key.models, model);
    check_models(check, "project", check->project.models, model);
    code = check_price(check);

    cli_add_text(answer, "target", check->called.model);
    cli_add_text(answer, "now", aigw_verdict_info(check->verdict)->code);
    cli_add_text(answer, "binds", check->binds);
    cli_add_text(answer, "binds_of", check->account);

    if (check->binds == NULL) {
        cli_add_amount(answer, "would_hold", check->hold.hold_nano);

    } else {
        cJSON_AddNullToObject(answer, "would_hold");
    }

    if (check->binds == NULL && check->hold.limit >= 0) {
        cli_add_count(answer, "would_limit", check->hold.limit);

    } else {
        cJSON_AddNullToObject(answer, "would_limit");
    }

    cJSON_AddItemToObject(answer, "rules", check->rules);
    add_accounts(check, answer);

    return code;
}


/* Refused before its key or model was known, or its key was deleted since. */
static void
add_nothing(cJSON *answer)
{
    size_t  i;

    static const char  *names[] = {
        "target", "now", "binds", "binds_of", "would_hold", "would_limit"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cJSON_AddNullToObject(answer, names[i]);
    }

    cJSON_AddArrayToObject(answer, "rules");
    cJSON_AddArrayToObject(answer, "accounts");
}


/* A call of the past: what was said of it then, and what would be now. */
static cli_exit_t
explain_row(cli_t *cli, check_t *check)
{
    char                        text[CLI_TEXT_LEN];
    aigw_row_t                  row;
    cli_exit_t                  code;
    const aigw_verdict_info_t  *verdict;

    code = cmd_log_find_call(cli, cli->arg[0].text, &row);
    if (code != CLI_OK) {
        return code;
    }

    verdict = aigw_verdict_info(row.verdict);
    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "id", cli->arg[0].text);
    cli_add_time(cli->answer, "time", row.time_ms);
    cli_add_text(cli->answer, "verdict", verdict->code);
    cJSON_AddBoolToObject(cli->answer, "admitted",
                          row.settled != AIGW_SETTLED_NONE);
    cli_add_text(cli->answer, "error", row.verdict != AIGW_VERDICT_OK
                 ? verdict->message : NULL);
    cli_add_amount(cli->answer, "hold", row.hold_nano);
    cli_add_amount(cli->answer, "cost", row.cost_nano);

    snprintf(text, sizeof(text), "%llu", (unsigned long long) row.key_id);

    if (row.key_id == 0 || row.model[0] == '\0'
        || cli_is_gone(cli, AIGW_ACCOUNT_KEY, text, &row.key_id))
    {
        add_nothing(cli->answer);
        return CLI_OK;
    }

    code = cli_find_key(cli, NULL, text, &check->key);
    check->prompt = row.tokens.prompt_tokens < AIGW_TOKENS_MAX
                    ? row.tokens.prompt_tokens : AIGW_TOKENS_MAX;
    check->outputs = row.route != AIGW_ROUTE_EMBEDDINGS;

    return code == CLI_OK ? explain(check, cli->answer, row.model) : code;
}


cli_exit_t
cmd_explain(cli_t *cli)
{
    check_t             check = { .cli = cli, .own = -1, .outputs = 1,
                                  .prompt = 1 };
    cli_exit_t          code;
    const char         *key, *model, *which;
    aigw_project_t      project;
    const cli_value_t  *tokens;

    key = cli_option(cli, "key")->text;
    model = cli_option(cli, "model")->text;
    which = cli_option(cli, "project")->text;

    if (cli->arg[0].text != NULL) {
        return key == NULL && model == NULL && which == NULL
               ? explain_row(cli, &check)
               : cli_fail(cli, CLI_USAGE, NULL, "an ID says all of a call:"
                          " --key, --project and --model go without one");
    }

    if (key == NULL || model == NULL) {
        return cli_fail(cli, CLI_USAGE, "aigw explain ID, or aigw explain"
                        " --key K --model M", "which call?");
    }

    code = which != NULL ? cli_find_project(cli, which, &project) : CLI_OK;

    if (code == CLI_OK) {
        code = cli_find_key(cli, which != NULL ? &project : NULL, key,
                            &check.key);
    }

    if (code != CLI_OK) {
        return code;
    }

    tokens = cli_option(cli, "max-tokens");
    check.own = tokens->number > 0 ? tokens->number : -1;
    tokens = cli_option(cli, "prompt-tokens");
    check.prompt = tokens->number > 0 ? tokens->number : 1;

    cli_report(cli);
    cli->answer = cJSON_CreateObject();

    return explain(&check, cli->answer, model);
}
