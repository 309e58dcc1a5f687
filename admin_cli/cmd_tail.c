/*
 * aigw log tail: rows as they are settled, until ^C. Nothing is drained here:
 * where calls come in, nginx writes them within a flush interval.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli.h"


#define WAIT_MS  100
#define BEGIN    10                   /* calls before now, without --limit */
#define BATCH    64                   /* rows on the stack: 24 KiB */


static volatile sig_atomic_t  stopped;


static void
on_signal(int number)
{
    (void) number;
    stopped = 1;
}


static cli_exit_t
print_rows(cli_t *cli, const aigw_row_t *rows, size_t n)
{
    cJSON       *items, *item;
    size_t       i;
    cli_exit_t   code;

    if (n == 0) {
        return CLI_OK;
    }

    code = CLI_OK;
    items = cJSON_CreateArray();

    for (i = 0; code == CLI_OK && i < n; i++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(items, item);
        code = cmd_log_add(cli, item, &rows[i]);
    }

    if (code == CLI_OK) {
        cli_print_part(cli, items);
    }

    cJSON_Delete(items);

    return code;
}


/* All that there is behind *seq. */
static cli_exit_t
print_new(cli_t *cli, const aigw_row_filter_t *filter, uint64_t *seq)
{
    size_t       n;
    uint64_t     from;
    aigw_err_t   err;
    aigw_row_t   rows[BATCH];
    cli_exit_t   code;

    do {
        from = *seq;
        err = aigw_store_follow_rows(cli->store, filter, seq, rows, BATCH,
                                     &n);
        if (err != AIGW_OK) {
            return cli_fail_store(cli, err, "rows", NULL);
        }

        code = print_rows(cli, rows, n);

    } while (code == CLI_OK && *seq != from && !stopped);

    if (code == CLI_OK && fflush(stdout) != 0) {
        return cli_fail(cli, CLI_FAILED, NULL, "cannot write to stdout: %s",
                        strerror(errno));
    }

    return code;
}


static cli_exit_t
follow(cli_t *cli, const aigw_row_filter_t *filter)
{
    uint64_t            seq, back;
    aigw_err_t          err;
    cli_exit_t          code;
    const cli_value_t  *limit;
    struct timespec     wait = { 0, WAIT_MS * 1000000L };

    limit = cli_option(cli, "limit");
    back = limit->text ? (uint64_t) limit->number : BEGIN;

    err = aigw_store_last_seq(cli->store, &seq);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "rows", NULL);
    }

    seq = seq > back ? seq - back : 0;

    do {
        code = print_new(cli, filter, &seq);

        if (code == CLI_OK && !stopped) {
            (void) nanosleep(&wait, NULL);
        }

    } while (code == CLI_OK && !stopped);

    return code == CLI_OK ? CLI_INTERRUPTED : code;
}


cli_exit_t
cmd_log_tail(cli_t *cli)
{
    cli_exit_t         code;
    struct sigaction   sa;
    aigw_row_filter_t  filter;

    code = cmd_log_filter(cli, &filter);

    if (code == CLI_OK) {
        code = cmd_log_narrow(cli, &filter);
    }

    if (code != CLI_OK) {
        return code;
    }

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;
    sigaction(SIGINT, &sa, NULL);

    cli_report(cli);

    return follow(cli, &filter);
}
