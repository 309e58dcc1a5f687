/*
 * aigw project credit and aigw log refund: money that comes back. Each is a row
 * of its own with a cost below 0, booked once; the same command again changes
 * nothing and says so.
 */

#include <string.h>

#include "aigw_ledger.h"
#include "aigw_price.h"
#include "aigw_time.h"
#include "cmd_audit.h"


/* What nobody can read nobody can repeat. */
static cli_exit_t
take_text(const cli_t *cli, const char *option, size_t max, char *to)
{
    const char           *text = cli_option(cli, option)->text;
    const unsigned char  *p;

    if (text == NULL) {
        to[0] = '\0';
        return CLI_OK;
    }

    for (p = (const unsigned char *) text; *p >= ' ' && *p != 0x7f; p++) {
        /* void */
    }

    if (*p != '\0' || strlen(text) > max) {
        return cli_fail(cli, CLI_USAGE, NULL, "--%s: at most %zu bytes, no"
                        " control characters", option, max);
    }

    snprintf(to, max + 1, "%s", text);

    return CLI_OK;
}


static void
name_row(const aigw_row_t *row, char text[AIGW_NAME_MAX + 1])
{
    if (row->settled == AIGW_SETTLED_REFUND) {
        aigw_record_format_id(row->of, text);

    } else {
        snprintf(text, AIGW_NAME_MAX + 1, "%s", row->ref);
    }
}


/* What would come of it: for --dry-run. */
static aigw_err_t
try_post(const cli_t *cli, aigw_row_t *row)
{
    int64_t     cost;
    uint8_t     id[AIGW_ROW_ID_LEN];
    aigw_err_t  err;

    err = aigw_store_find_return(cli->store, row, id, &cost);

    if (err != AIGW_OK) {
        return err == AIGW_ENOTFOUND ? AIGW_OK : err;
    }

    err = aigw_store_find_row(cli->store, id, row);

    if (err == AIGW_ENOTFOUND) {
        memcpy(row->id, id, AIGW_ROW_ID_LEN);
        row->cost_nano = cost;
        row->time_ms = 0;
        err = AIGW_OK;
    }

    return err == AIGW_OK ? AIGW_EEXIST : err;
}


static cli_exit_t
fail_post(const cli_t *cli, aigw_err_t err, const char *kind,
    const char *fault)
{
    switch (err) {

    case AIGW_AGAIN:
        return cli_fail(cli, CLI_FAILED, "it counts already: give the same"
                        " command again, which will say when it is",
                        "the %s is booked, but not written to the store yet",
                        kind);

    case AIGW_ERANGE:
        return cli_fail(cli, CLI_USAGE, NULL, "a sum would become larger than"
                        " any that can be kept: nothing was booked");

    case AIGW_EACCESS:
        return cli_fail(cli, CLI_DENIED, "be root", "cannot book the %s: %s",
                        kind, fault[0] ? fault : aigw_strerror(err));

    default:
        return cli_fail(cli, cli_exit_of(err), NULL, "cannot book the %s: %s",
                        kind, fault[0] ? fault : aigw_strerror(err));
    }
}


static void
answer_row(cli_t *cli, const aigw_row_t *row, int booked)
{
    char  text[AIGW_NAME_MAX + 1], time[AIGW_TIME_LEN + 1];

    cli->answer = cJSON_CreateObject();
    aigw_record_format_id(row->id, text);
    cli_add_text(cli->answer, "id",
                 cli->dry_run && booked ? NULL : text);
    cli_add_time(cli->answer, "time", row->time_ms);
    cli_add_text(cli->answer, "kind", aigw_record_kind_name(row->settled));
    cmd_log_add_names(cli, cli->answer, row);
    name_row(row, text);
    cli_add_text(cli->answer, "ref", text);
    cli_add_text(cli->answer, "note", row->note[0] ? row->note : NULL);
    cli_add_amount(cli->answer, "cost", row->cost_nano);
    cJSON_AddBoolToObject(cli->answer, "booked", booked);

    if (!booked) {
        aigw_time_format(row->time_ms, time);
        snprintf(cli->next, sizeof(cli->next), "it was booked at %s:"
                 " nothing was changed", row->time_ms ? time
                                                      : "another time");
    }
}


/* What the audit log is told: of the project, or of the call. */
static cli_exit_t
note(const cli_t *cli, const aigw_row_t *row)
{
    int          refund = row->settled == AIGW_SETTLED_REFUND;
    char         id[AIGW_ROW_ID_TEXT_LEN + 1], name[AIGW_NAME_MAX + 1];
    cJSON       *after = cJSON_CreateObject();
    uint64_t     of;
    cli_exit_t   code;

    aigw_record_format_id(row->id, id);
    cli_add_text(after, "id", id);
    cli_add_amount(after, "cost", row->cost_nano);

    if (refund) {
        name_row(row, name);

    } else {
        cli_add_text(after, "ref", row->ref);
        cli_add_text(after, "note", row->note[0] ? row->note : NULL);
        (void) cli_name_of(cli, AIGW_ACCOUNT_PROJECT, row->project_id, name,
                           &of);
    }

    code = cmd_audit_note(cli, aigw_record_kind_name(row->settled),
                          refund ? "call" : "project",
                          refund ? 0 : row->project_id, name, after);
    cJSON_Delete(after);

    return code;
}


/* Books row, or finds it booked. */
static cli_exit_t
book(cli_t *cli, aigw_row_t *row)
{
    char         path[AIGW_LIVE_PATH_LEN + 1], name[AIGW_NAME_MAX + 1];
    char         fault[AIGW_FAULT_LEN + 1] = "", amount[AIGW_AMOUNT_LEN + 1];
    int64_t      cost = row->cost_nano;
    aigw_err_t   err;
    const char  *kind = aigw_record_kind_name(row->settled);

    if (!cli->usage_writable) {
        return fail_post(cli, AIGW_EACCESS, kind, fault);
    }

    row->time_ms = aigw_time_now_ms();
    row->settled_ms = row->time_ms;
    aigw_live_locate(aigw_store_id(cli->store), path);
    err = cli->dry_run ? try_post(cli, row)
                       : aigw_ledger_post(cli->store, path, row, fault);

    if (err != AIGW_OK && err != AIGW_EEXIST) {
        return fail_post(cli, err, kind, fault);
    }

    if (row->cost_nano != cost) {
        name_row(row, name);
        (void) aigw_amount_format(-row->cost_nano, amount);
        return cli_fail(cli, CLI_CONFLICT, NULL, "the %s '%s' is booked"
                        " already, with %s", kind, name, amount);
    }

    answer_row(cli, row, err == AIGW_OK);

    return err == AIGW_OK ? note(cli, row) : CLI_OK;
}


cli_exit_t
cmd_project_credit(cli_t *cli)
{
    aigw_row_t      row = { .settled = AIGW_SETTLED_CREDIT };
    cli_exit_t      code;
    aigw_project_t  project;

    code = cli_find_project(cli, cli->arg[0].text, &project);

    if (code == CLI_OK) {
        code = take_text(cli, "id", AIGW_NAME_MAX, row.ref);
    }

    if (code == CLI_OK) {
        code = take_text(cli, "note", AIGW_NOTE_MAX, row.note);
    }

    if (code == CLI_OK && cli->arg[1].number == 0) {
        code = cli_fail(cli, CLI_USAGE, NULL, "AMOUNT: more than 0");
    }

    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);
    row.project_id = project.id;
    row.user_id = project.user_id;
    row.cost_nano = -cli->arg[1].number;
    code = book(cli, &row);

    return code != CLI_OK ? code
           : cli_add_account(cli, cli->answer, AIGW_ACCOUNT_PROJECT,
                             project.id, project.quota_nano);
}


static cli_exit_t
check_amount(const cli_t *cli, const aigw_row_t *of, int64_t *amount)
{
    char                text[AIGW_AMOUNT_LEN + 1];
    const cli_value_t  *option = cli_option(cli, "amount");

    *amount = option->text != NULL ? option->number : of->cost_nano;

    if (!aigw_row_is_call(of) || of->cost_nano == 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "it cost nothing that could be"
                        " given back");
    }

    if (*amount == 0 || *amount > of->cost_nano) {
        (void) aigw_amount_format(of->cost_nano, text);
        return cli_fail(cli, CLI_USAGE, NULL, "--amount: more than 0, and at"
                        " most what it cost: %s", text);
    }

    return CLI_OK;
}


cli_exit_t
cmd_log_refund(cli_t *cli)
{
    int64_t     amount;
    aigw_row_t  of, row = { .settled = AIGW_SETTLED_REFUND };
    cli_exit_t  code;

    code = cmd_log_find(cli, cli->arg[0].text, &of);

    if (code == CLI_OK) {
        code = check_amount(cli, &of, &amount);
    }

    if (code == CLI_OK) {
        code = cli_confirm(cli, "refund call", cli->arg[0].text, 0);
    }

    if (code != CLI_OK) {
        return code;
    }

    row.partition = of.partition;
    row.user_id = of.user_id;
    row.project_id = of.project_id;
    row.key_id = of.key_id;
    row.cost_nano = -amount;
    memcpy(row.of, of.id, AIGW_ROW_ID_LEN);
    memcpy(row.model, of.model, sizeof(row.model));
    memcpy(row.tag, of.tag, sizeof(row.tag));

    return book(cli, &row);
}
