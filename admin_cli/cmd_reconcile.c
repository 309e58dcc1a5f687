/*
 * aigw reconcile: what an upstream's own log has charged beside what our ledger
 * has, per day and model, and which calls stand on one side alone. Changes
 * nothing, on no side.
 */

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cmd_reconcile.h"


#define DAY_LEN       10              /* of an RFC 3339 date */
#define SUSPECTS      100
#define PER_UNIT      500000          /* New API's quota of a unit */
#define SINCE_MS      INT64_C(86400000)


__extension__ typedef __int128  wide_t;

/* Sums of both sides: ours, theirs. */
typedef struct {
    char     day[DAY_LEN + 1];
    char     model[AIGW_MODEL_MAX + 1];
    int64_t  calls[2];
    int64_t  tokens[2];
    int64_t  cost[2];
} cell_t;

typedef struct {
    void     *tree;                   /* of cell_t, by day and model */
    cell_t  **cells;
    size_t    n, max;
    cell_t    all;
    cJSON    *suspects;
    int64_t   nsuspects;
    size_t    limit;
} report_t;


static int
compare(const void *a, const void *b)
{
    int            order;
    const cell_t  *x = a, *y = b;

    order = strcmp(y->day, x->day);

    return order != 0 ? order : strcmp(x->model, y->model);
}


static int
compare_cells(const void *a, const void *b)
{
    return compare(*(cell_t *const *) a, *(cell_t *const *) b);
}


static cell_t *
find_cell(report_t *report, int64_t ms, const char *model)
{
    char      time[AIGW_TIME_LEN + 1];
    void    **node;
    cell_t   *cell, key = { .day = "" };

    aigw_time_format(ms, time);
    snprintf(key.day, sizeof(key.day), "%.*s", DAY_LEN, time);
    snprintf(key.model, sizeof(key.model), "%s", model);
    node = tfind(&key, &report->tree, compare);

    if (node != NULL) {
        return *node;
    }

    if (report->n == report->max) {
        report->max = report->max ? report->max * 2 : 64;
        report->cells = cli_realloc(report->cells,
                                    report->max * sizeof(cell_t *));
    }

    cell = cli_realloc(NULL, sizeof(*cell));
    *cell = key;
    report->cells[report->n++] = cell;
    (void) tsearch(cell, &report->tree, compare);

    return cell;
}


static void
add(cell_t *cell, int side, int64_t tokens, int64_t cost)
{
    cell->calls[side]++;
    cell->tokens[side] = cli_sum(cell->tokens[side], tokens);
    cell->cost[side] = cli_sum(cell->cost[side], cost);
}


static void
add_row(cJSON *object, const aigw_row_t *row)
{
    char  id[AIGW_ROW_ID_TEXT_LEN + 1];

    if (row == NULL) {
        cJSON_AddNullToObject(object, "id");
        cJSON_AddNullToObject(object, "tokens");
        cJSON_AddNullToObject(object, "cost");
        return;
    }

    aigw_record_format_id(row->id, id);
    cli_add_text(object, "id", id);
    cli_add_count(object, "tokens", cli_sum(row->tokens.prompt_tokens,
                                            row->tokens.completion_tokens));
    cli_add_amount(object, "cost", row->cost_nano);
}


static void
add_entry(cJSON *object, const reconcile_entry_t *entry)
{
    if (entry == NULL) {
        cJSON_AddNullToObject(object, "their_request");
        cJSON_AddNullToObject(object, "their_tokens");
        cJSON_AddNullToObject(object, "their_cost");
        return;
    }

    cli_add_text(object, "their_request",
                 entry->request[0] ? entry->request : NULL);
    cli_add_count(object, "their_tokens", cli_sum(entry->prompt_tokens,
                                                  entry->completion_tokens));
    cli_add_amount(object, "their_cost", entry->cost_nano);
}


static void
suspect(report_t *report, const aigw_row_t *row,
    const reconcile_entry_t *entry)
{
    cJSON  *object;

    if ((size_t) report->nsuspects++ >= report->limit) {
        return;
    }

    object = cJSON_CreateObject();
    cJSON_AddItemToArray(report->suspects, object);
    cli_add_text(object, "suspect", row == NULL ? "theirs_only"
                 : entry == NULL ? "ours_only" : "tokens_differ");
    cli_add_time(object, "time", row ? row->settled_ms : entry->time_s * 1000);
    cli_add_text(object, "model", row ? row->model : entry->model);
    add_row(object, row);
    add_entry(object, entry);
}


static int
is_alike(const aigw_row_t *row, const reconcile_entry_t *entry)
{
    return row->tokens.prompt_tokens == entry->prompt_tokens
           && row->tokens.completion_tokens == entry->completion_tokens;
}


/* A pair is of our row's day, whatever the other clock says. */
static void
on_pair(void *data, const aigw_row_t *row, const reconcile_entry_t *entry)
{
    cell_t    *cell;
    int64_t    tokens;
    report_t  *report = data;

    cell = row != NULL ? find_cell(report, row->settled_ms, row->model)
                       : find_cell(report, entry->time_s * 1000, entry->model);

    if (row != NULL) {
        tokens = cli_sum(row->tokens.prompt_tokens,
                         row->tokens.completion_tokens);
        add(cell, 0, tokens, row->cost_nano);
        add(&report->all, 0, tokens, row->cost_nano);
    }

    if (entry != NULL) {
        tokens = cli_sum(entry->prompt_tokens, entry->completion_tokens);
        add(cell, 1, tokens, entry->cost_nano);
        add(&report->all, 1, tokens, entry->cost_nano);
    }

    if (row == NULL || entry == NULL || !is_alike(row, entry)) {
        suspect(report, row, entry);
    }
}


/* Two places, to the nearest; null where there is nothing to compare with. */
static void
add_drift(cJSON *object, int64_t ours, int64_t theirs)
{
    char      text[CLI_TEXT_LEN];
    wide_t    part, whole = ours;
    int64_t   hundredths;
    uint64_t  rest;

    if (ours <= 0) {
        cJSON_AddNullToObject(object, "percent");
        return;
    }

    part = ((wide_t) theirs - ours) * 10000;
    part = (part + (part < 0 ? -whole : whole) / 2) / whole;
    hundredths = part > INT64_MAX ? INT64_MAX : (int64_t) part;
    rest = (uint64_t) (hundredths < 0 ? -hundredths : hundredths);
    snprintf(text, sizeof(text), "%s%llu.%02llu", hundredths < 0 ? "-" : "",
             (unsigned long long) rest / 100, (unsigned long long) rest % 100);
    cJSON_AddRawToObject(object, "percent", text);
}


static void
add_sums(cJSON *object, const cell_t *cell)
{
    cli_add_count(object, "calls", cell->calls[0]);
    cli_add_count(object, "their_calls", cell->calls[1]);
    cli_add_count(object, "tokens", cell->tokens[0]);
    cli_add_count(object, "their_tokens", cell->tokens[1]);
    cli_add_amount(object, "cost", cell->cost[0]);
    cli_add_amount(object, "their_cost", cell->cost[1]);
    cli_add_amount(object, "difference", cell->cost[1] - cell->cost[0]);
    add_drift(object, cell->cost[0], cell->cost[1]);
}


static void
answer(cli_t *cli, report_t *report, const reconcile_log_t *log)
{
    char    ours[AIGW_AMOUNT_LEN + 1], theirs[AIGW_AMOUNT_LEN + 1];
    cJSON  *items = cli_new_list(cli), *item;
    size_t  i;

    if (report->n > 1) {
        qsort(report->cells, report->n, sizeof(cell_t *), compare_cells);
    }

    for (i = 0; i < report->n; i++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(items, item);
        cli_add_text(item, "day", report->cells[i]->day);
        cli_add_text(item, "model", report->cells[i]->model);
        add_sums(item, report->cells[i]);
    }

    cli_add_text(cli->answer, "upstream", log->upstream->name);
    cli_add_time(cli->answer, "since", log->since_ms);
    cli_add_time(cli->answer, "until", log->until_ms);
    add_sums(cJSON_AddObjectToObject(cli->answer, "totals"), &report->all);
    cli_add_count(cli->answer, "suspects_found", report->nsuspects);
    cJSON_AddItemToObject(cli->answer, "suspects", report->suspects);

    (void) aigw_amount_format(report->all.cost[0], ours);
    (void) aigw_amount_format(report->all.cost[1], theirs);
    snprintf(cli->next, sizeof(cli->next), "ours %s, theirs %s; %lld suspects"
             " (--json lists them)", ours, theirs,
             (long long) report->nsuspects);
}


static void
free_report(report_t *report)
{
    size_t  i;

    for (i = 0; i < report->n; i++) {
        tdelete(report->cells[i], &report->tree, compare);
        free(report->cells[i]);
    }

    free(report->cells);
}


/* The one that is named, or the only one there is. */
static cli_exit_t
find_upstream(const cli_t *cli, aigw_upstream_t *upstream)
{
    size_t            n = 0;
    aigw_err_t        err;
    const char       *name = cli_option(cli, "upstream")->text;
    aigw_upstream_t   two[2];

    if (name != NULL) {
        err = aigw_store_find_upstream(cli->store, cli_str(name), upstream);
        return err == AIGW_OK ? CLI_OK
               : cli_fail_store(cli, err, "upstream", name);
    }

    err = aigw_store_list_upstreams(cli->store, cli_str(""), two, 2, &n);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "upstreams", NULL);
    }

    if (n != 1) {
        return cli_fail(cli, n == 0 ? CLI_NOT_FOUND : CLI_USAGE, n == 0
                        ? "aigw upstream set" : "--upstream NAME",
                        n == 0 ? "there is no upstream" : "which upstream?");
    }

    *upstream = two[0];

    return CLI_OK;
}


static cli_exit_t
reconcile(cli_t *cli, reconcile_log_t *log, report_t *report)
{
    cJSON              *balance;
    cli_exit_t          code;
    reconcile_watch_t   watch = { on_pair, report };

    balance = cJSON_CreateObject();
    code = reconcile_log_balance(log, balance);

    if (code == CLI_OK) {
        code = reconcile_match(log, &watch);
    }

    if (code == CLI_OK) {
        answer(cli, report, log);
        cJSON_AddItemToObject(cli->answer, "balance", balance);

    } else {
        cJSON_Delete(balance);
        cJSON_Delete(report->suspects);
    }

    return code;
}


cli_exit_t
cmd_reconcile(cli_t *cli)
{
    int64_t             now_ms = aigw_time_now_ms();
    report_t            report = { .limit = SUSPECTS };
    cli_exit_t          code;
    reconcile_log_t     log = { .cli = cli, .number = 1 };
    aigw_upstream_t     upstream;
    const cli_value_t  *option;

    code = find_upstream(cli, &upstream);
    if (code != CLI_OK) {
        return code;
    }

    option = cli_option(cli, "limit");
    report.limit = option->text ? (size_t) option->number : SUSPECTS;
    option = cli_option(cli, "quota-per-unit");
    log.per_unit = option->text && option->number > 0 ? option->number
                                                      : PER_UNIT;
    option = cli_option(cli, "until");
    log.until_ms = option->text ? option->number : now_ms;
    option = cli_option(cli, "since");
    log.since_ms = option->text ? option->number : log.until_ms - SINCE_MS;

    /* their times are whole seconds */
    log.until_ms = (log.until_ms + 999) / 1000 * 1000;
    log.since_ms -= log.since_ms % 1000;
    log.upstream = &upstream;
    report.suspects = cJSON_CreateArray();

    cli_report(cli);
    code = reconcile(cli, &log, &report);
    reconcile_log_end(&log);
    free_report(&report);

    return code;
}
