/*
 * aigw store prune: old rows go, a few at a time, so that a flusher comes to
 * its turn between them; sums stay. What is told of rows that are gone.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>

#include "aigw_store_prune.h"
#include "aigw_time.h"
#include "cmd_audit.h"


#define ID_MS          6              /* bytes of time in an id */
#define PAUSE_MIN_MS   1
#define PAUSE_MAX_MS   100
#define HOUR_MS        INT64_C(3600000)


static void
show_progress(const aigw_prune_t *prune, const char *what)
{
    fprintf(stderr, "\r%" PRIu64 " rows %s", prune->rows, what);
    fflush(stderr);
}


static cli_exit_t
fail_prune(const cli_t *cli, aigw_err_t err, const aigw_prune_t *prune)
{
    if (err == AIGW_ECORRUPT) {
        return cli_fail(cli, CLI_FAILED, "aigw store verify tells which; what"
                        " is damaged is not pruned", "a row is damaged, or an"
                        " index is; %" PRIu64 " rows were pruned before",
                        prune->rows);
    }

    return cli_fail_store(cli, err, "the ledger", NULL);
}


/* The pause is as long as what went before: writers that wait for the lock are
   not served in the order in which they came. */
static cli_exit_t
prune_all(cli_t *cli, aigw_prune_t *prune)
{
    int          terminal = cli_shows_progress(cli);
    int64_t      begin, pause;
    aigw_err_t   err;
    cli_exit_t   code = CLI_OK;
    const char  *what = cli->dry_run ? "would be pruned" : "pruned";

    cli_catch_interrupt();

    do {
        begin = aigw_time_now_ms();
        err = aigw_store_prune(cli->store, prune, cli->dry_run);

        if (err != AIGW_OK || prune->done) {
            break;
        }

        if (terminal) {
            show_progress(prune, what);
        }

        pause = aigw_time_now_ms() - begin;
        pause = pause < PAUSE_MIN_MS ? PAUSE_MIN_MS
                : pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause;

        if (!cli->dry_run) {
            code = cli_pause(cli, (unsigned) pause);

        } else if (cli_interrupted()) {
            code = CLI_INTERRUPTED;
        }

    } while (code == CLI_OK);

    if (terminal) {
        fputs("\r\033[K", stderr);
    }

    if (err != AIGW_OK) {
        return fail_prune(cli, err, prune);
    }

    return code == CLI_OK ? CLI_OK
           : cli_fail(cli, code, "the same command goes on", "interrupted:"
                      " %" PRIu64 " rows %s so far", prune->rows, what);
}


static cli_exit_t
check(const cli_t *cli, int64_t before_ms, const char *before)
{
    if (before_ms > aigw_time_now_ms()) {
        return cli_fail(cli, CLI_USAGE, NULL, "--before: %s is yet to come",
                        before);
    }

    if (before_ms < 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "--before: no call is as old as"
                        " that");
    }

    if (!cli->usage_writable) {
        return cli_fail(cli, CLI_DENIED, "run it as root, or in the group of"
                        " the store's files", "usage cannot be written");
    }

    return cli_confirm(cli, "delete all calls before", before, 1);
}


/* Of what went, also before an end that was not planned. */
static cli_exit_t
note(const cli_t *cli, const aigw_prune_t *prune, const char *before)
{
    cJSON       *after = cJSON_CreateObject();
    cli_exit_t   code;

    cli_add_text(after, "before", before);
    cli_add_count(after, "rows", (int64_t) prune->rows);
    cli_add_amount(after, "cost", prune->cost_nano);
    code = prune->done || prune->rows > 0
           ? cmd_audit_note(cli, "prune", "store", 0, "", after) : CLI_OK;
    cJSON_Delete(after);

    return code;
}


cli_exit_t
cmd_store_prune(cli_t *cli)
{
    char                 before[AIGW_TIME_LEN + 1];
    aigw_err_t           err;
    cli_exit_t           code, noted;
    aigw_prune_t         prune = { 0 };
    aigw_store_stats_t   stats;

    prune.before_ms = cli_option(cli, "before")->number;
    aigw_time_format(prune.before_ms, before);

    code = check(cli, prune.before_ms, before);
    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);

    code = prune_all(cli, &prune);
    noted = note(cli, &prune, before);

    if (code != CLI_OK || noted != CLI_OK) {
        return code != CLI_OK ? code : noted;
    }

    err = aigw_store_stats(cli->store, &stats);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the store's figures", NULL);
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "before", before);
    cli_add_count(cli->answer, "rows", (int64_t) prune.rows);
    cli_add_amount(cli->answer, "cost", prune.cost_nano);
    cli_add_count(cli->answer, "rows_left", (int64_t) (cli->dry_run
                  ? stats.rows - prune.rows : stats.rows));

    snprintf(cli->next, sizeof(cli->next), "The file stays as large, and new"
             " rows take the room; a backup of it is smaller.");

    return CLI_OK;
}


/* 0: nothing was, or it cannot be told. */
static int64_t
pruned_before(const cli_t *cli)
{
    int64_t  ms;

    return aigw_store_pruned_before(cli->store, &ms) == AIGW_OK ? ms : 0;
}


const char *
cmd_prune_hint(const cli_t *cli, const uint8_t id[AIGW_ROW_ID_LEN])
{
    char         text[AIGW_TIME_LEN + 1];
    size_t       i;
    int64_t      ms = 0, pruned = pruned_before(cli);

    static char  hint[160];

    for (i = 0; i < ID_MS; i++) {
        ms = ms << 8 | id[i];
    }

    if (ms >= pruned) {
        return NULL;
    }

    aigw_time_format(pruned, text);
    snprintf(hint, sizeof(hint), "calls from before %s were pruned: if it was"
             " one of them, only its share of the sums is left", text);

    return hint;
}


/* By tag it is rows that are reported, and where a range begins or ends within
   an hour. */
void
cmd_prune_warn(const cli_t *cli, const aigw_row_filter_t *filter)
{
    int      lacks;
    char     text[AIGW_TIME_LEN + 1];
    int64_t  pruned = pruned_before(cli), end = filter->until_ms;

    lacks = filter->since_ms < pruned
            && (filter->by_tag || filter->tag.len > 0
                || filter->since_ms % HOUR_MS != 0
                || (end % HOUR_MS != 0 && end - end % HOUR_MS < pruned));

    if (lacks) {
        aigw_time_format(pruned, text);
        cli_warn(cli, "calls from before %s were pruned: reports by tag, and of"
                 " parts of an hour, lack them", text);
    }
}
