/*
 * aigw upstream set: how, and under which account, sub-keys are made there.
 * What is not given stays as it is.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd_subkey.h"


static const char *
option(const cli_t *cli, const char *name)
{
    return cli_option(cli, name)->text;
}


static cli_exit_t
check_options(const cli_t *cli, const subkey_account_t *account)
{
    const char  *kind = option(cli, "driver");
    const char  *group = option(cli, "group");

    if (kind != NULL && strcmp(kind, "none") == 0
        && (account->user != 0 || account->has_token || group != NULL
            || option(cli, "quota-per-unit") != NULL))
    {
        return cli_fail(cli, CLI_USAGE, NULL, "--driver none has no account");
    }

    if (group != NULL && strlen(group) > AIGW_NAME_MAX) {
        return cli_fail(cli, CLI_USAGE, NULL, "--group: it is longer than %d"
                        " bytes", AIGW_NAME_MAX);
    }

    return CLI_OK;
}


cli_exit_t
subkey_read_account(const cli_t *cli, subkey_account_t *account)
{
    char        *end;
    cli_exit_t   code;
    const char  *file = option(cli, "master-token-file");
    const char  *user = option(cli, "master-user");

    memset(account, 0, sizeof(*account));

    if (user != NULL) {
        account->user = user[0] != '-' ? strtoull(user, &end, 10) : 0;

        if (account->user == 0 || account->user > INT64_MAX || *end != '\0') {
            return cli_fail(cli, CLI_USAGE, NULL,
                            "--master-user: '%.40s' is no number", user);
        }
    }

    account->has_token = file != NULL;
    account->given = file != NULL || user != NULL
                     || option(cli, "driver") != NULL
                     || option(cli, "group") != NULL
                     || option(cli, "quota-per-unit") != NULL;

    code = check_options(cli, account);

    return code != CLI_OK || file == NULL ? code
           : cli_read_secret(cli, file, NULL, account->token);
}


static uint8_t
kind_of(const char *name)
{
    uint8_t  kind;

    for (kind = AIGW_DRIVER_MAX - 1; kind > AIGW_DRIVER_NONE; kind--) {
        if (strcmp(aigw_record_driver_name(kind), name) == 0) {
            break;
        }
    }

    return kind;
}


/* What it is, with what was given. */
static cli_exit_t
merge(const cli_t *cli, const aigw_upstream_t *upstream,
    const subkey_account_t *account, aigw_driver_t *d)
{
    int          known;
    uint8_t      kind;
    const char  *name = option(cli, "driver");

    known = aigw_store_find_driver(cli->store, upstream->id, d) == AIGW_OK;
    kind = name != NULL ? kind_of(name) : known ? d->kind : AIGW_DRIVER_NONE;

    if (!known || kind != d->kind) {
        memset(d, 0, sizeof(*d));
        d->kind = kind;
        d->quota_per_unit = AIGW_QUOTA_PER_UNIT;
    }

    if (name == NULL && !known) {
        return cli_fail(cli, CLI_USAGE, "add --driver newapi|seed",
                        "upstream '%s' makes no sub-keys", upstream->name);
    }

    if (account->user != 0) {
        d->user = account->user;
    }

    if (option(cli, "group") != NULL) {
        snprintf(d->group, sizeof(d->group), "%s", option(cli, "group"));
    }

    if (cli_option(cli, "quota-per-unit")->number > 0) {
        d->quota_per_unit = (uint32_t) cli_option(cli, "quota-per-unit")
                                           ->number;
    }

    if (d->kind == AIGW_DRIVER_NEWAPI && d->user == 0
        && (account->has_token || upstream->log_user == 0))
    {
        return cli_fail(cli, CLI_USAGE, "or --log-token-file F --log-user ID,"
                        " of the same account", "--driver newapi needs"
                        " --master-token-file F and --master-user ID");
    }

    return CLI_OK;
}


cli_exit_t
subkey_save_account(const cli_t *cli, const aigw_seal_master_t *master,
    const aigw_upstream_t *upstream, const subkey_account_t *account)
{
    aigw_err_t     err;
    cli_exit_t     code;
    aigw_driver_t  d;

    if (!account->given) {
        return CLI_OK;
    }

    code = merge(cli, upstream, account, &d);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_set_driver(cli->store, master, cli_str(upstream->name),
                                &d, cli_str(account->token));

    switch (err) {

    case AIGW_OK:
        return CLI_OK;

    case AIGW_EEXIST:
        return cli_fail(cli, CLI_CONFLICT, "aigw subkey list, aigw upstream"
                        " orphans", "upstream '%s' has sub-keys of its account:"
                        " retire them first", upstream->name);

    case AIGW_EINVAL:
        return cli_fail(cli, CLI_USAGE, NULL, "--master-user: that account"
                        " needs its --master-token-file");

    default:
        return cli_fail_store(cli, err, "the driver of upstream",
                              upstream->name);
    }
}


void
subkey_add_account(const cli_t *cli, cJSON *object, uint64_t upstream_id)
{
    aigw_driver_t  d;

    if (aigw_store_find_driver(cli->store, upstream_id, &d) != AIGW_OK) {
        memset(&d, 0, sizeof(d));
    }

    cli_add_text(object, "driver", aigw_record_driver_name(d.kind));
    cli_add_id(object, "master_user", d.user);
    cli_add_text(object, "group", d.group[0] != '\0' ? d.group : NULL);
    cli_add_id(object, "quota_per_unit", d.quota_per_unit);
}
