/*
 * aigw log: the rows of the ledger, one for each call, credit and refund. A row
 * holds ids; the names are those of today, or the last ones of what was
 * deleted.
 */

#include <string.h>

#include "aigw_verdict.h"
#include "cli.h"


static const struct {
    uint16_t     bit;
    const char  *name;
    const char  *text;
} flags[] = {
    { AIGW_ROW_BAD_USAGE, "bad_usage",
      "the upstream reported counts that cannot be: not taken" },
    { AIGW_ROW_INCONSISTENT, "inconsistent",
      "the counts that the upstream reported do not add up" },
    { AIGW_ROW_INCOMPLETE, "incomplete",
      "the answer ended before its end was announced" },
    { AIGW_ROW_MALFORMED, "malformed",
      "the answer, or a part of it, could not be read: not JSON" },
    { AIGW_ROW_OVER_HOLD, "over_hold",
      "it cost more than was held for it: the upstream used more than asked" },
    { AIGW_ROW_CLAMPED, "clamped",
      "its output was limited here, so that it could be paid" }
};


void
cmd_log_note(cJSON *notes, const char *about, const char *text)
{
    cJSON  *object;

    object = cJSON_CreateObject();
    cJSON_AddItemToArray(notes, object);
    cli_add_text(object, "about", about);
    cli_add_text(object, "note", text);
}


void
cmd_log_note_flags(cJSON *notes, uint16_t bits)
{
    size_t  i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (bits & flags[i].bit) {
            cmd_log_note(notes, flags[i].name, flags[i].text);
        }
    }
}


static void
add_flags(cJSON *object, const aigw_row_t *row)
{
    cJSON   *array;
    size_t   i;

    array = cJSON_AddArrayToObject(object, "flags");

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (row->flags & flags[i].bit) {
            cJSON_AddItemToArray(array, cJSON_CreateString(flags[i].name));
        }
    }
}


/* A number that is not known is null, not 0. */
static void
add_known(cJSON *object, const char *name, int64_t count, int known)
{
    if (known) {
        cli_add_count(object, name, count);

    } else {
        cJSON_AddNullToObject(object, name);
    }
}


static void
add_name(const cli_t *cli, cJSON *object, const char *field,
    aigw_account_kind_t kind, uint64_t id)
{
    char      name[AIGW_NAME_MAX + 1];
    uint64_t  of;

    cli_add_text(object, field, id != 0
                 && cli_name_of(cli, kind, id, name, &of) ? name : NULL);
}


void
cmd_log_add_names(const cli_t *cli, cJSON *object, const aigw_row_t *row)
{
    add_name(cli, object, "user", AIGW_ACCOUNT_USER, row->user_id);
    add_name(cli, object, "project", AIGW_ACCOUNT_PROJECT, row->project_id);
    add_name(cli, object, "key", AIGW_ACCOUNT_KEY, row->key_id);
    cli_add_id(object, "user_id", row->user_id);
    cli_add_id(object, "project_id", row->project_id);
    cli_add_id(object, "key_id", row->key_id);
}


static void
add_tokens(cJSON *object, const aigw_tokens_t *tokens)
{
    cli_add_count(object, "prompt_tokens", tokens->prompt_tokens);
    cli_add_count(object, "completion_tokens", tokens->completion_tokens);
    cli_add_count(object, "total_tokens",
                  cli_sum(tokens->prompt_tokens, tokens->completion_tokens));
    cli_add_count(object, "cached_tokens", tokens->cached_tokens);
    cli_add_count(object, "reasoning_tokens", tokens->reasoning_tokens);
}


/* Calls, and what came back: with the name of a credit, or the id of the call
   that a refund is of. */
static void
add_kind(cJSON *object, const aigw_row_t *row)
{
    char  of[AIGW_ROW_ID_TEXT_LEN + 1];

    aigw_record_format_id(row->of, of);
    cli_add_text(object, "kind", aigw_record_kind_name(row->settled));
    cli_add_text(object, "ref", row->settled == AIGW_SETTLED_REFUND ? of
                 : row->ref[0] ? row->ref : NULL);
    cli_add_text(object, "note", row->note[0] ? row->note : NULL);
}


cli_exit_t
cmd_log_add(const cli_t *cli, cJSON *object, const void *thing)
{
    int                         sent;
    char                        id[AIGW_ROW_ID_TEXT_LEN + 1];
    const aigw_row_t           *row = thing;
    const aigw_verdict_info_t  *verdict;

    verdict = aigw_verdict_info(row->verdict);
    sent = row->attempts != 0;
    aigw_record_format_id(row->id, id);

    cli_add_text(object, "id", id);
    cli_add_time(object, "time", row->time_ms);
    cli_add_time(object, "settled_at", row->settled_ms);
    cli_add_count(object, "node", row->id[6] << 8 | row->id[7]);
    cmd_log_add_names(cli, object, row);
    cli_add_text(object, "tag", row->tag[0] != '\0' ? row->tag : NULL);
    cli_add_text(object, "model", row->model[0] != '\0' ? row->model : NULL);
    cli_add_text(object, "route", row->route != AIGW_ROUTE_NONE
                 ? aigw_record_route_name(row->route) : NULL);
    cJSON_AddBoolToObject(object, "stream",
                          (row->flags & AIGW_ROW_STREAM) != 0);
    add_known(object, "status", row->status, row->status != 0);
    cli_add_text(object, "verdict", aigw_row_is_call(row) ? verdict->code
                                                          : NULL);
    cli_add_text(object, "settled", aigw_row_is_call(row)
                 && row->settled != AIGW_SETTLED_NONE
                 ? aigw_record_settled_name(row->settled) : NULL);
    add_flags(object, row);
    add_tokens(object, &row->tokens);
    add_known(object, "price_version", row->price_version,
              row->price_version != 0);
    cli_add_amount(object, "hold", row->hold_nano);
    cli_add_amount(object, "cost", row->cost_nano);
    cli_add_count(object, "duration_ms", row->duration_ms);
    add_known(object, "ttft_ms", row->ttft_ms, sent && row->status != 0);
    cli_add_count(object, "attempts", row->attempts);
    cli_add_text(object, "error", row->verdict != AIGW_VERDICT_OK
                 ? verdict->message : NULL);
    add_kind(object, row);

    return CLI_OK;
}


cli_exit_t
cmd_log_filter(const cli_t *cli, aigw_row_filter_t *filter)
{
    cli_exit_t       code;
    const char      *text;
    aigw_project_t   project;

    memset(filter, 0, sizeof(aigw_row_filter_t));
    filter->status = -1;
    filter->user_id = cli_scope(cli);

    text = cli_option(cli, "tag")->text;

    if (text != NULL) {
        filter->tag = cli_str(text);
    }

    text = cli_option(cli, "project")->text;

    if (text == NULL
        || cli_is_gone(cli, AIGW_ACCOUNT_PROJECT, text, &filter->project_id))
    {
        return CLI_OK;
    }

    code = cli_find_project(cli, text, &project);

    if (code == CLI_OK) {
        filter->project_id = project.id;
    }

    return code;
}


void
cmd_log_range(const cli_t *cli, aigw_row_filter_t *filter)
{
    filter->since_ms = cli_option(cli, "since")->number;
    filter->until_ms = cli_option(cli, "until")->number;
}


/* With --project, names are that project's keys. */
static cli_exit_t
filter_key(const cli_t *cli, const char *which, aigw_row_filter_t *filter)
{
    aigw_err_t      err;
    aigw_key_t      key;
    cli_exit_t      code;
    aigw_project_t  project;

    if (cli_is_gone(cli, AIGW_ACCOUNT_KEY, which, &filter->key_id)) {
        return CLI_OK;
    }

    err = filter->project_id == 0 ? AIGW_ENOTFOUND
          : cli_get_project(cli, filter->project_id, &project);

    code = cli_find_key(cli, err == AIGW_OK ? &project : NULL, which, &key);

    if (code == CLI_OK) {
        filter->key_id = key.id;
    }

    return code;
}


cli_exit_t
cmd_log_narrow(const cli_t *cli, aigw_row_filter_t *filter)
{
    const cli_value_t  *option;

    option = cli_option(cli, "model");

    if (option->text != NULL) {
        filter->model = cli_str(option->text);
    }

    option = cli_option(cli, "status");

    if (option->text != NULL) {
        filter->status = (int) option->number;
    }

    option = cli_option(cli, "key");

    return option->text != NULL ? filter_key(cli, option->text, filter)
                                : CLI_OK;
}


static aigw_err_t
list_rows(const cli_t *cli, const void *of, const char *cursor, void *things,
    size_t max, size_t *n)
{
    uint8_t     before[AIGW_ROW_ID_LEN] = { 0 };
    aigw_err_t  err;

    if (cursor != NULL) {
        err = aigw_record_parse_id(cli_str(cursor), before);
        if (err != AIGW_OK) {
            return err;
        }
    }

    return aigw_store_list_rows(cli->store, of, before, things, max, n);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    aigw_record_format_id(((const aigw_row_t *) thing)->id, text);
}


cli_exit_t
cmd_log_list(cli_t *cli)
{
    cli_exit_t                 code;
    aigw_row_filter_t          filter;
    static const cli_lister_t  lister = {
        "rows", sizeof(aigw_row_t), list_rows, cmd_log_add, cursor_of, NULL
    };

    code = cmd_log_filter(cli, &filter);

    if (code == CLI_OK) {
        code = cmd_log_narrow(cli, &filter);
    }

    if (code != CLI_OK) {
        return code;
    }

    cmd_log_range(cli, &filter);
    cli_report(cli);

    return cli_list(cli, &lister, &filter);
}
