/*
 * aigw key: what developers send. The text of a key is seen once, in the
 * answer to the command that made it; the store has its hash.
 */

#include "aigw_key.h"
#include "aigw_limit.h"
#include "aigw_seal.h"
#include "aigw_time.h"
#include "cli.h"


cli_exit_t
cmd_key_generate(const cli_t *cli, aigw_key_t *key,
    char secret[AIGW_KEY_LEN + 1])
{
    aigw_err_t  err;

    err = aigw_key_generate(secret);

    if (err == AIGW_OK) {
        err = aigw_key_hash(cli_str(secret), key->hash);
    }

    if (err != AIGW_OK) {
        return cli_fail(cli, CLI_FAILED, NULL, "cannot make a key: %s",
                        aigw_strerror(err));
    }

    snprintf(key->prefix, sizeof(key->prefix), "%.*s", AIGW_KEY_PREFIX_LEN,
             secret);
    snprintf(key->last4, sizeof(key->last4), "%s",
             secret + AIGW_KEY_LEN - AIGW_KEY_LAST_LEN);
    key->enabled = 1;

    return CLI_OK;
}


cli_exit_t
cmd_key_reveal(cli_t *cli, const char *secret)
{
    char        base_url[AIGW_VALUE_MAX + 1];
    cli_exit_t  code;

    code = cmd_setting_get(cli, CLI_SETTING_BASE_URL, base_url);
    if (code != CLI_OK) {
        return code;
    }

    if (cli->dry_run) {
        secret = NULL;                /* it opens nothing */
    }

    cli_add_text(cli->answer, "key", secret);
    cli_add_text(cli->answer, "base_url", base_url[0] ? base_url : NULL);

    if (secret == NULL) {
        return CLI_OK;
    }

    /* Forms that leave the key out would lose it for ever. */

    if (cli->format == CLI_IDS || cli->format == CLI_NAMES
        || (cli->columns != NULL && !cli_has_word(cli->columns, "key")))
    {
        fprintf(stderr, "key, shown only now: %s\n", secret);
    }

    if (base_url[0] == '\0') {
        snprintf(cli->next, sizeof(cli->next),
                 "The key is not shown again.\n"
                 "next: aigw setting set base_url http://HOST:PORT/v1");

        return CLI_OK;
    }

    snprintf(cli->next, sizeof(cli->next),
             "The key is not shown again. With it in AIGW_API_KEY:\n"
             "curl %s/chat/completions -H \"Authorization: Bearer"
             " $AIGW_API_KEY\""
             " -H 'Content-Type: application/json' -d '{\"model\":\"gpt-4o\","
             "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}'",
             base_url);

    return CLI_OK;
}


static cli_exit_t
add_key(const cli_t *cli, cJSON *object, const aigw_key_t *key,
    const aigw_project_t *project)
{
    int          active;
    int64_t      now;
    aigw_err_t   err;
    aigw_sums_t  sums;
    cli_exit_t   code;

    code = cmd_project_is_active(cli, project, &active);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_get_sums(cli->store, AIGW_ACCOUNT_KEY, key->id, &sums);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the sums of a key", NULL);
    }

    now = aigw_time_now_ms();
    active = active && key->enabled && key->revoked_ms == 0
             && !aigw_limit_expired(key->expires_ms, now);

    cli_add_id(object, "id", key->id);
    cli_add_text(object, "name", key->name);
    cli_add_text(object, "prefix", key->prefix);
    cli_add_text(object, "last4", key->last4);
    cli_add_text(object, "project", project->name);

    code = cli_add_account(cli, object, AIGW_ACCOUNT_KEY, key->id,
                           key->quota_nano);

    cJSON_AddBoolToObject(object, "enabled", key->enabled);
    cJSON_AddBoolToObject(object, "active", active);
    cli_add_time(object, "expires_at", key->expires_ms);
    cli_add_time(object, "revoked_at", key->revoked_ms);
    cli_add_time(object, "grace_ends_at",
                 key->old_until_ms > now ? key->old_until_ms : 0);
    cli_add_time(object, "last_used_at", sums.last_ms);
    cli_add_models(object, "models", key->models);

    return code;
}


/* With the project looked up. */
static cli_exit_t
add_key_of(const cli_t *cli, cJSON *object, const aigw_key_t *key)
{
    aigw_err_t      err;
    aigw_project_t  project;

    err = cli_get_project(cli, key->project_id, &project);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the project of key", key->name);
    }

    return add_key(cli, object, key, &project);
}


cli_exit_t
cmd_key_answer(cli_t *cli, const aigw_key_t *key)
{
    cli->answer = cJSON_CreateObject();

    return add_key_of(cli, cli->answer, key);
}


/* A new key's name, and what it is allowed. */
static cli_exit_t
describe(const cli_t *cli, aigw_key_t *key)
{
    if (cli_take_name(cli, key->name) == 0) {
        if (cli_option(cli, "if-absent")->text != NULL) {
            return cli_fail(cli, CLI_USAGE, NULL, "--if-absent needs --name");
        }

        snprintf(key->name, sizeof(key->name), "key-%.4s",
                 key->prefix + sizeof("aigw_") - 1);
    }

    cli_no_limits(&key->quota_nano, &key->expires_ms, key->models);
    (void) cli_take_limits(cli, &key->quota_nano, &key->expires_ms,
                           key->models);

    return CLI_OK;
}


/* With --if-absent: the key that was there, without its secret. */
static cli_exit_t
answer_present(cli_t *cli, const aigw_project_t *project, const char *name)
{
    aigw_key_t  key;
    cli_exit_t  code;

    code = cli_find_key(cli, project, name, &key);

    if (code == CLI_OK) {
        cli_report(cli);
        code = cmd_key_answer(cli, &key);
    }

    return code == CLI_OK ? cmd_key_reveal(cli, NULL) : code;
}


cli_exit_t
cmd_key_create(cli_t *cli)
{
    char            secret[AIGW_KEY_LEN + 1];
    aigw_err_t      err;
    aigw_key_t      key = { 0 };
    cli_exit_t      code;
    aigw_project_t  project;

    code = cli_find_project(cli, cli_option(cli, "project")->text, &project);
    if (code != CLI_OK) {
        return code;
    }

    code = cmd_key_generate(cli, &key, secret);

    if (code == CLI_OK) {
        code = describe(cli, &key);
    }

    if (code != CLI_OK) {
        goto err0;
    }

    key.project_id = project.id;
    err = aigw_store_create_key(cli->store, &key);

    if (err == AIGW_OK) {
        code = cmd_key_answer(cli, &key);

        if (code == CLI_OK) {
            code = cmd_key_reveal(cli, secret);
        }

    } else if (err == AIGW_EEXIST
               && cli_option(cli, "if-absent")->text != NULL)
    {
        code = answer_present(cli, &project, key.name);

    } else {
        code = cli_fail_store(cli, err, "key", key.name);
    }

err0:

    aigw_cleanse(secret, sizeof(secret));

    return code;
}


/* What --project names, NULL in *found if it was not given. */
static cli_exit_t
find_project(const cli_t *cli, aigw_project_t *project,
    const aigw_project_t **found)
{
    const char  *which;

    which = cli_option(cli, "project")->text;
    *found = which != NULL ? project : NULL;

    return which != NULL ? cli_find_project(cli, which, project) : CLI_OK;
}


static aigw_err_t
list_keys(const cli_t *cli, const void *of, const char *cursor, void *things,
    size_t max, size_t *n)
{
    uint64_t               before;
    aigw_err_t             err;
    const aigw_project_t  *project = of;

    err = cli_parse_cursor_id(cursor, &before);

    return err != AIGW_OK ? err
           : aigw_store_list_keys(cli->store, project ? project->id : 0,
                                  before, things, max, n);
}


static cli_exit_t
add_listed(const cli_t *cli, cJSON *object, const void *thing)
{
    return add_key_of(cli, object, thing);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    cli_format_cursor_id(((const aigw_key_t *) thing)->id, text);
}


static int
is_mine(const cli_t *cli, const void *thing)
{
    return cli_is_mine(cli, ((const aigw_key_t *) thing)->project_id);
}


cli_exit_t
cmd_key_list(cli_t *cli)
{
    cli_exit_t                 code;
    aigw_project_t             project;
    const aigw_project_t      *of;
    static const cli_lister_t  lister = {
        "keys", sizeof(aigw_key_t), list_keys, add_listed, cursor_of,
        is_mine
    };

    code = find_project(cli, &project, &of);
    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);

    return cli_list(cli, &lister, of);
}


cli_exit_t
cmd_key_find(const cli_t *cli, aigw_key_t *key)
{
    cli_exit_t             code;
    aigw_project_t         project;
    const aigw_project_t  *of;

    code = find_project(cli, &project, &of);

    return code != CLI_OK ? code
                          : cli_find_key(cli, of, cli->arg[0].text, key);
}


cli_exit_t
cmd_key_show(cli_t *cli)
{
    aigw_key_t  key;
    cli_exit_t  code;

    code = cmd_key_find(cli, &key);
    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);

    return cmd_key_answer(cli, &key);
}
