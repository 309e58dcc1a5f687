/*
 * aigw key, continued: what changes a key that is there, or ends it. Disabling
 * can be undone, revoking cannot, and a revoked key stays listed.
 */

#include "aigw_seal.h"
#include "aigw_time.h"
#include "cli.h"


static cli_exit_t
change_key(cli_t *cli, unsigned fields, aigw_key_t *key)
{
    aigw_err_t  err;

    err = aigw_store_change_key(cli->store, fields, key);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "key", key->name);
    }

    cli_report(cli);

    return cmd_key_answer(cli, key);
}


cli_exit_t
cmd_key_set(cli_t *cli)
{
    unsigned    fields;
    aigw_key_t  key;
    cli_exit_t  code;

    code = cmd_key_find(cli, &key);
    if (code != CLI_OK) {
        return code;
    }

    fields = cli_take_name(cli, key.name)
             | cli_take_limits(cli, &key.quota_nano, &key.expires_ms,
                               key.models);

    code = cli_need_fields(cli, fields);

    return code != CLI_OK ? code : change_key(cli, fields, &key);
}


static cli_exit_t
fail_revoked(const cli_t *cli, const aigw_key_t *key)
{
    return cli_fail(cli, CLI_CONFLICT, "aigw key create makes another",
                    "key '%s' is revoked, and that is final", key->name);
}


cli_exit_t
cmd_key_disable(cli_t *cli)
{
    aigw_key_t  key;
    cli_exit_t  code;

    code = cmd_key_find(cli, &key);
    key.enabled = 0;

    return code != CLI_OK ? code : change_key(cli, AIGW_CHANGE_ENABLED, &key);
}


cli_exit_t
cmd_key_enable(cli_t *cli)
{
    aigw_key_t  key;
    cli_exit_t  code;

    code = cmd_key_find(cli, &key);
    if (code != CLI_OK) {
        return code;
    }

    if (key.revoked_ms != 0) {
        return fail_revoked(cli, &key);
    }

    key.enabled = 1;

    return change_key(cli, AIGW_CHANGE_ENABLED, &key);
}


static cli_exit_t
rotate(cli_t *cli, aigw_key_t *key, const char *secret, int64_t until_ms)
{
    aigw_err_t  err;
    cli_exit_t  code;

    err = aigw_store_rotate_key(cli->store, key, until_ms);

    if (err == AIGW_EINVAL) {
        return fail_revoked(cli, key);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "key", key->name);
    }

    cli_report(cli);
    code = cmd_key_answer(cli, key);

    return code != CLI_OK ? code : cmd_key_reveal(cli, secret);
}


cli_exit_t
cmd_key_rotate(cli_t *cli)
{
    char                secret[AIGW_KEY_LEN + 1];
    aigw_key_t          key;
    cli_exit_t          code;
    const cli_value_t  *grace;

    grace = cli_option(cli, "grace");

    if (grace->text != NULL && grace->number <= aigw_time_now_ms()) {
        return cli_fail(cli, CLI_USAGE, "24h, or a moment to come",
                        "--grace: '%s' has passed already", grace->text);
    }

    code = cmd_key_find(cli, &key);

    if (code == CLI_OK && grace->text == NULL) {
        code = cli_confirm(cli, "replace at once key", key.name, 0);
    }

    if (code == CLI_OK) {
        code = cmd_key_generate(cli, &key, secret);
    }

    if (code != CLI_OK) {
        return code;
    }

    code = rotate(cli, &key, secret, grace->text ? grace->number : 0);

    aigw_cleanse(secret, sizeof(secret));

    return code;
}


cli_exit_t
cmd_key_revoke(cli_t *cli)
{
    aigw_key_t  key;
    cli_exit_t  code;

    code = cmd_key_find(cli, &key);

    if (code == CLI_OK) {
        code = cli_confirm(cli, "revoke key", key.name, 0);
    }

    if (code != CLI_OK) {
        return code;
    }

    key.revoked_ms = aigw_time_now_ms();

    return change_key(cli, AIGW_CHANGE_REVOKED, &key);
}


cli_exit_t
cmd_key_delete(cli_t *cli)
{
    aigw_err_t  err;
    aigw_key_t  key;
    cli_exit_t  code;

    code = cmd_key_find(cli, &key);

    if (code == CLI_OK) {
        code = cli_confirm(cli, "delete key", key.name, 1);
    }

    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_delete_key(cli->store, key.id);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "key", key.name);
    }

    cli_answer_deleted(cli, key.id, key.name);

    return CLI_OK;
}
