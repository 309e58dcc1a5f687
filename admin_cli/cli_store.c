/*
 * The store of a run, the live segment beside it, and what an account has
 * spent. No transaction is held here: the library ends each within its call.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>
#include <time.h>

#include "aigw_ledger.h"
#include "aigw_limit.h"
#include "cmd_audit.h"


#define WAIT_MS     10
#define WAIT_TIMES  50                /* half a second, five flushes */


cli_exit_t
cli_open_store(cli_t *cli)
{
    char         fault[AIGW_FAULT_LEN + 1];
    unsigned     flags;
    aigw_err_t   err;
    cli_exit_t   code;

    if (cli->store_path == NULL || cli->store_path[0] == '\0') {
        return cli_fail(cli, CLI_USAGE, "give --store DIR, or set AIGW_STORE;"
                        " 'aigw store init DIR' makes one", "which store?");
    }

    flags = (cli->command->needs & CLI_NEEDS_WRITE) == CLI_NEEDS_WRITE
            ? AIGW_STORE_CONTROL_WRITE : 0;

    if (cli->command->needs & CLI_NEEDS_USAGE) {
        flags |= AIGW_STORE_USAGE_WRITE;
    }

    fault[0] = '\0';
    err = aigw_store_open(cli->store_path, flags, &cli->store, fault);

    /* Writing usage is a help (see cli_report), not a must. */

    cli->usage_writable = (flags & AIGW_STORE_USAGE_WRITE) != 0
                          && err == AIGW_OK;

    if (err == AIGW_EACCESS && (flags & AIGW_STORE_USAGE_WRITE) != 0) {
        flags = (flags & ~(unsigned) AIGW_STORE_USAGE_WRITE)
                | AIGW_STORE_USAGE;
        err = aigw_store_open(cli->store_path, flags, &cli->store, fault);
    }

    if (err == AIGW_OK) {
        /* who calls is known to whoever serves them */
        if (cli->caller == NULL) {
            cli_act_as_shell(cli);
        }

        if (cli->dry_run) {
            aigw_store_try(cli->store);
        }

        return CLI_OK;
    }

    cli->store = NULL;
    code = err == AIGW_ENOTFOUND ? CLI_UNREACHABLE : cli_exit_of(err);

    return cli_fail(cli, code, err == AIGW_ENOTFOUND
                    ? "'aigw store init DIR' makes a store" : NULL,
                    "%s", fault[0] != '\0' ? fault : aigw_strerror(err));
}


int
cli_open_live(cli_t *cli)
{
    char        path[AIGW_LIVE_PATH_LEN + 1];
    char        fault[AIGW_FAULT_LEN + 1];
    aigw_err_t  err;

    aigw_live_locate(aigw_store_id(cli->store), path);

    fault[0] = '\0';
    err = aigw_live_open(path, NULL, &cli->live, fault);

    if (err == AIGW_OK) {
        return 1;
    }

    cli->live = NULL;

    if (err != AIGW_ENOTFOUND) {
        cli_warn(cli, "calls of the last moment may be missing: %s",
                 fault[0] != '\0' ? fault : aigw_strerror(err));
    }

    return 0;
}


static aigw_err_t
cli_drain(cli_t *cli)
{
    return cli->usage_writable ? aigw_ledger_drain(cli->store, cli->live, NULL)
                               : AIGW_EACCESS;
}


/* Somebody else drains, or must. */
static int
cli_waits(aigw_err_t err)
{
    return err == AIGW_EBUSY || err == AIGW_EACCESS;
}


void
cli_report(cli_t *cli)
{
    int                i;
    aigw_err_t         err;
    struct timespec    wait = { 0, WAIT_MS * 1000000L };
    aigw_live_stats_t  stats;

    if (!cli_open_live(cli)) {
        return;
    }

    err = cli_drain(cli);

    /* A worker leads and writes within a flush interval, or fails, as this
       then will. Under load there is always something new, hence the end. */

    for (i = 0; i < WAIT_TIMES && cli_waits(err); i++) {
        aigw_live_stats(cli->live, &stats);

        if (stats.undrained == 0) {
            return;
        }

        (void) nanosleep(&wait, NULL);
        err = cli_drain(cli);
    }

    if (err != AIGW_OK && !cli_waits(err)) {
        cli_warn(cli, "calls of the last moment may be missing: %s",
                 aigw_strerror(err));
    }
}


cli_exit_t
cli_read_account(const cli_t *cli, aigw_account_kind_t kind, uint64_t id,
    int64_t *spent_nano, int64_t *held_nano)
{
    aigw_err_t   err;
    aigw_sums_t  sums;

    *spent_nano = 0;
    *held_nano = 0;

    if (cli->live != NULL) {
        aigw_live_read(cli->live, kind, id, spent_nano, held_nano);

        if (*spent_nano != 0 || *held_nano != 0) {
            return CLI_OK;
        }
    }

    /* No slot, which an account has from its first call on: see the ledger. */

    err = aigw_store_get_sums(cli->store, kind, id, &sums);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the sums of an account", NULL);
    }

    *spent_nano = sums.cost_nano;

    return CLI_OK;
}


cli_exit_t
cli_add_account(const cli_t *cli, cJSON *object, aigw_account_kind_t kind,
    uint64_t id, int64_t quota_nano)
{
    int64_t     spent, held;
    cli_exit_t  code;

    code = cli_read_account(cli, kind, id, &spent, &held);
    if (code != CLI_OK) {
        return code;
    }

    cli_add_limit(object, "quota", quota_nano);
    cli_add_amount(object, "spent", spent);
    cli_add_amount(object, "held", held);
    cli_add_limit(object, "remaining", quota_nano == AIGW_UNLIMITED
                  ? AIGW_UNLIMITED
                  : aigw_limit_left(quota_nano, spent, held));

    return CLI_OK;
}
