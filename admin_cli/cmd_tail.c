/*
 * aigw log tail: rows as they are settled, until ^C. Nothing is drained here:
 * where calls come in, nginx writes them within a flush interval.
 */

#include "cli.h"


#define WAIT_MS  100
#define BEGIN    10                   /* calls before now, without --limit */
#define BATCH    64                   /* rows on the stack: 32 KiB */


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

    } while (code == CLI_OK && *seq != from && !cli_interrupted());

    return code;
}


static cli_exit_t
follow(cli_t *cli, const aigw_row_filter_t *filter)
{
    uint64_t            seq, back;
    aigw_err_t          err;
    cli_exit_t          code;
    const cli_value_t  *limit;

    limit = cli_option(cli, "limit");
    back = limit->text ? (uint64_t) limit->number : BEGIN;

    err = aigw_store_last_seq(cli->store, &seq);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "rows", NULL);
    }

    seq = seq > back ? seq - back : 0;

    do {
        code = print_new(cli, filter, &seq);

        if (code == CLI_OK) {
            code = cli_pause(cli, WAIT_MS);
        }

    } while (code == CLI_OK);

    return code;
}


cli_exit_t
cmd_log_tail(cli_t *cli)
{
    cli_exit_t         code;
    aigw_row_filter_t  filter;

    code = cmd_log_filter(cli, &filter);

    if (code == CLI_OK) {
        code = cmd_log_narrow(cli, &filter);
    }

    if (code != CLI_OK) {
        return code;
    }

    cli_catch_interrupt();
    cli_report(cli);

    return follow(cli, &filter);
}
