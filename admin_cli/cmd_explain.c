/*
 * aigw explain: why a call was let in or refused, or what would become of one
 * now: each rule in the order in which the gateway asks it, and the first that
 * says no. It only looks: nothing is held here.
 */

#include <string.h>

#include "aigw_limit.h"
#include "aigw_time.h"
#include "cmd_explain.h"


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
        cli_add_text(object, "account", explain_levels[i]);
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
    cli_exit_t  code;

    code = look_up(check, model);
    if (code != CLI_OK) {
        return code;
    }

    code = explain_rules(check, model);

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
