/* aigw store verify: what is wrong with the ledger, each finding an item; how
   far it is on a terminal. Changes nothing but what each report does. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <string.h>

#include "aigw_ledger_verify.h"
#include "aigw_store_verify.h"
#include "cli.h"


typedef struct {
    cli_t     *cli;
    cJSON     *items;
    uint64_t   found;
    uint64_t   live;                  /* of these, about the live segment */
    unsigned   terminal:1;
} verify_t;


static void
add_number(cJSON *item, const aigw_finding_t *finding, const char *name,
    int64_t n)
{
    if (finding->field == NULL) {
        cJSON_AddNullToObject(item, name);

    } else if (finding->money) {
        cli_add_amount(item, name, n);

    } else {
        cli_add_count(item, name, n);
    }
}


static void
add_account(const verify_t *v, cJSON *item, const aigw_finding_t *finding)
{
    char      name[AIGW_NAME_MAX + 1];
    uint64_t  of;

    static const char *const  kinds[] = { NULL, "user", "project", "key" };

    name[0] = '\0';

    if (finding->account >= AIGW_ACCOUNT_USER
        && finding->account <= AIGW_ACCOUNT_KEY)
    {
        cli_add_text(item, "account", kinds[finding->account]);
        (void) cli_name_of(v->cli, finding->account, finding->account_id,
                           name, &of);
    } else {
        cli_add_text(item, "account", NULL);
    }

    /* who has no name is told by number */
    if (name[0] == '\0' && finding->account_id != 0) {
        snprintf(name, sizeof(name), "%" PRIu64, finding->account_id);
    }

    cli_add_id(item, "account_id", finding->account_id);
    cli_add_text(item, "name", name[0] != '\0' ? name : NULL);
}


static aigw_err_t
on_finding(void *data, const aigw_finding_t *finding)
{
    char       id[AIGW_ROW_ID_TEXT_LEN + 1];
    cJSON     *item;
    verify_t  *v = data;

    v->found++;
    v->live += finding->kind >= AIGW_FINDING_WATERMARK;

    if (v->found > CLI_LIST_MAX) {
        return AIGW_OK;
    }

    aigw_record_format_id(finding->id, id);

    item = cJSON_CreateObject();
    cli_add_text(item, "finding", aigw_store_finding_name(finding->kind));
    cli_add_text(item, "id", finding->has_id ? id : NULL);
    cli_add_id(item, "seq", finding->seq);
    add_account(v, item, finding);
    cli_add_time(item, "hour_at", finding->hour_ms);
    cli_add_text(item, "model", finding->model[0] ? finding->model : NULL);
    cli_add_text(item, "journal", finding->journal);
    cli_add_text(item, "field", finding->field);
    add_number(item, finding, "expected", finding->expected);
    add_number(item, finding, "found", finding->found);
    cJSON_AddItemToArray(v->items, item);

    return AIGW_OK;
}


static void
on_progress(void *data, uint64_t done, uint64_t all)
{
    const verify_t  *v = data;

    if (v->terminal && all > 0) {
        fprintf(stderr, "\r%3" PRIu64 " %% of %" PRIu64 " rows",
                done < all ? done * 100 / all : 100, all);
        fflush(stderr);
    }
}


static cli_exit_t
answer(const verify_t *v, const aigw_verify_stats_t *stats)
{
    cli_t  *cli = v->cli;

    cli_add_count(cli->answer, "findings", (int64_t) v->found);
    cli_add_count(cli->answer, "rows", (int64_t) stats->rows);
    cli_add_count(cli->answer, "accounts", (int64_t) stats->accounts);
    cli_add_count(cli->answer, "rollups", (int64_t) stats->rollups);
    cli_add_count(cli->answer, "pruned", (int64_t) stats->pruned);
    cli_add_count(cli->answer, "unpriced", (int64_t) stats->unpriced);
    cli_add_count(cli->answer, "unsigned", (int64_t) stats->unsigned_rows);
    cJSON_AddBoolToObject(cli->answer, "live", cli->live != NULL);

    if (v->found == 0) {
        snprintf(cli->next, sizeof(cli->next), "no fault in %" PRIu64 " rows,"
                 " %" PRIu64 " accounts and %" PRIu64 " roll-ups%s",
                 stats->rows, stats->accounts, stats->rollups,
                 cli->live ? ", nor in the live segment" : "");
        return CLI_OK;
    }

    cli_print(cli);
    fflush(stdout);

    return cli_fail(cli, CLI_FAILED, v->live == v->found
                    ? "the store is sound; without its live segment nginx"
                    " builds the counters anew at its next start" : NULL,
                    "%" PRIu64 " %s in %" PRIu64 " rows", v->found,
                    v->found == 1 ? "finding" : "findings", stats->rows);
}


/* The live segment is looked at last: cli_report has opened it, and has had
   settled what dead workers left. */
cli_exit_t
cmd_store_verify(cli_t *cli)
{
    verify_t              v = { .cli = cli };
    aigw_err_t            err;
    aigw_verify_stats_t   stats = { 0 };
    aigw_verify_watch_t   watch = { &v, on_finding, on_progress };

    v.items = cli_new_list(cli);
    v.terminal = cli_shows_progress(cli) != 0;
    cli_report(cli);

    err = aigw_store_verify(cli->store, &watch, &stats);

    if (v.terminal) {
        fputs("\r\033[K", stderr);
    }

    if (err == AIGW_OK && cli->live != NULL) {
        err = aigw_ledger_verify(cli->store, cli->live, &watch);
    }

    if (err != AIGW_OK) {
        cli_print(cli);
        fflush(stdout);

        return cli_fail(cli, err == AIGW_ECORRUPT ? CLI_FAILED
                                                  : cli_exit_of(err), NULL,
                        "usage cannot be read to its end: %s",
                        aigw_strerror(err));
    }

    return answer(&v, &stats);
}
