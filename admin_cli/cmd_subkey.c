/*
 * aigw subkey: a project's own key at an upstream, made and retired through the
 * upstream's account. The key itself is shown nowhere: calls go up under it.
 */

#include <string.h>

#include "aigw_limit.h"
#include "cmd_subkey.h"


#define GRACE_MS  1000                /* for calls that are on their way up */


/* --- which --- */

static cli_exit_t
find_active(const cli_t *cli, const aigw_project_t *project,
    const subkey_at_t *at, aigw_subkey_t *subkey)
{
    aigw_err_t  err;

    err = aigw_store_find_subkey(cli->store, project->id, at->upstream.id,
                                 subkey);

    if (err == AIGW_ENOTFOUND) {
        return cli_fail(cli, CLI_NOT_FOUND, "what is not active stands in:"
                        " aigw subkey list", "project '%s' has no active"
                        " sub-key at upstream '%s'", project->name,
                        at->upstream.name);
    }

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(cli, err, "the sub-key of project",
                            project->name);
}


static cli_exit_t
find_both(const cli_t *cli, aigw_project_t *project, subkey_at_t *at)
{
    cli_exit_t  code;

    code = cli_find_project(cli, cli_option(cli, "project")->text, project);

    return code != CLI_OK ? code
           : subkey_find_upstream(cli, cli_option(cli, "upstream")->text, at);
}


static cli_exit_t
answer(cli_t *cli, const aigw_subkey_t *subkey)
{
    cli->answer = cJSON_CreateObject();

    return subkey_add(cli, cli->answer, subkey);
}


/* --- what a new one may do --- */

/* Upstreams know no patterns and no aliases: where the project's list has one
   of the former, all models; else what its names stand for. */
static cli_exit_t
take_models(const cli_t *cli, const char *patterns,
    char models[AIGW_MODELS_MAX + 1])
{
    size_t         len = 0;
    aigw_str_t     word;
    aigw_called_t  called;

    strcpy(models, "*");

    if (strchr(patterns, '*') != NULL) {
        return CLI_OK;
    }

    while (cli_next_word(&patterns, ',', &word)) {
        if (aigw_store_find_called(cli->store, word, &called) != AIGW_OK
            || len + called.model_len + 1 > AIGW_MODELS_MAX)
        {
            return cli_fail(cli, CLI_USAGE, "--models LIST, or '*'", "the"
                            " models of the project do not fit a sub-key");
        }

        len += (size_t) snprintf(models + len, AIGW_MODELS_MAX + 1 - len,
                                 "%s%s", len > 0 ? "," : "", called.model);
    }

    return CLI_OK;
}


/* What the project has left; it may spend no more. */
static cli_exit_t
take_quota(const cli_t *cli, const aigw_project_t *project,
    aigw_subkey_t *subkey)
{
    int64_t     spent, held;
    cli_exit_t  code;

    if (cli_option(cli, "quota")->text != NULL) {
        subkey->quota_nano = cli_option(cli, "quota")->number;

    } else if (project->quota_nano == AIGW_UNLIMITED) {
        subkey->quota_nano = AIGW_UNLIMITED;

    } else {
        code = cli_read_account(cli, AIGW_ACCOUNT_PROJECT, project->id,
                                &spent, &held);
        if (code != CLI_OK) {
            return code;
        }

        subkey->quota_nano = aigw_limit_left(project->quota_nano, spent, 0);
    }

    if (subkey->quota_nano == 0) {
        return cli_fail(cli, CLI_USAGE, "raise the project's quota, or give"
                        " --quota N", "nothing is left for a sub-key");
    }

    return CLI_OK;
}


static cli_exit_t
take_limits(const cli_t *cli, const aigw_project_t *project,
    aigw_subkey_t *subkey)
{
    cli_exit_t          code;
    const char         *models = cli_option(cli, "models")->text;
    const cli_value_t  *expires = cli_option(cli, "expires");

    memset(subkey, 0, sizeof(*subkey));
    subkey->project_id = project->id;
    subkey->expires_ms = expires->text != NULL ? expires->number
                                               : project->expires_ms;

    if (models != NULL && strchr(models, '*') != NULL
        && strcmp(models, "*") != 0)
    {
        return cli_fail(cli, CLI_USAGE, "names of models, or '*' for all",
                        "--models: upstreams know no patterns");
    }

    code = take_quota(cli, project, subkey);

    return code != CLI_OK ? code
           : take_models(cli, models != NULL ? models : project->models,
                         subkey->models);
}


/* --- commands --- */

static cli_exit_t
create(cli_t *cli, const aigw_project_t *project, subkey_at_t *at)
{
    aigw_err_t     err;
    cli_exit_t     code;
    aigw_subkey_t  subkey;

    err = aigw_store_find_subkey(cli->store, project->id, at->upstream.id,
                                 &subkey);

    if (err == AIGW_OK && cli_option(cli, "if-absent")->text != NULL) {
        return answer(cli, &subkey);
    }

    if (err == AIGW_OK) {
        return cli_fail(cli, CLI_CONFLICT, "aigw subkey rotate, or retire",
                        "project '%s' has a sub-key at upstream '%s' already",
                        project->name, at->upstream.name);
    }

    if (err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "the sub-key of project",
                              project->name);
    }

    cli_report(cli);
    code = take_limits(cli, project, &subkey);

    if (code == CLI_OK) {
        code = subkey_make(at, &subkey, NULL);
    }

    return code != CLI_OK ? code : answer(cli, &subkey);
}


/* One at a time makes or retires any. */
static cli_exit_t
under_lock(cli_t *cli, cli_exit_t (*run)(cli_t *cli,
    const aigw_project_t *project, subkey_at_t *at))
{
    int              lock;
    cli_exit_t       code;
    subkey_at_t      at;
    aigw_project_t   project;

    code = find_both(cli, &project, &at);

    if (code == CLI_OK) {
        code = subkey_lock(cli, &lock);
    }

    if (code == CLI_OK) {
        code = run(cli, &project, &at);
        subkey_unlock(lock);
    }

    return code;
}


cli_exit_t
cmd_subkey_create(cli_t *cli)
{
    return under_lock(cli, create);
}


/* The new one counts first: at no time a call has none. */
static cli_exit_t
rotate(cli_t *cli, const aigw_project_t *project, subkey_at_t *at)
{
    cli_exit_t     code;
    aigw_subkey_t  old, subkey;

    code = find_active(cli, project, at, &old);

    if (code == CLI_OK) {
        cli_report(cli);
        code = take_limits(cli, project, &subkey);
    }

    if (code == CLI_OK) {
        code = subkey_make(at, &subkey, old.name);
    }

    if (code == CLI_OK && !cli->dry_run) {
        at->hint = "the new one is in use; the old one stands in: aigw"
                   " upstream orphans";
        (void) cli_pause(cli, GRACE_MS);
        code = subkey_remove(at, &old);
    }

    return code != CLI_OK ? code : answer(cli, &subkey);
}


cli_exit_t
cmd_subkey_rotate(cli_t *cli)
{
    return under_lock(cli, rotate);
}


/* Calls go up under the upstream's own key before the sub-key goes. */
static cli_exit_t
retire(cli_t *cli, const aigw_project_t *project, subkey_at_t *at)
{
    int            keeps = subkey_driver_of(at)->remove == NULL;
    aigw_err_t     err;
    cli_exit_t     code;
    aigw_subkey_t  subkey;

    code = find_active(cli, project, at, &subkey);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_retire_subkey(cli->store, AIGW_SUBKEY_RETIRING, &subkey);

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "sub-key", subkey.name);
    }

    if (!cli->dry_run) {
        at->hint = "it is used no more, and stands in: aigw upstream orphans";
        (void) cli_pause(cli, keeps ? 0 : GRACE_MS);
        code = subkey_remove(at, &subkey);
    }

    if (code == CLI_OK) {
        code = answer(cli, &subkey);
        subkey_set_state(cli->answer, keeps ? "forgotten" : "gone");
    }

    if (keeps) {
        snprintf(cli->next, sizeof(cli->next), "its upstream takes none back:"
                 " it stands in 'aigw upstream orphans' until it expires");
    }

    return code;
}


cli_exit_t
cmd_subkey_retire(cli_t *cli)
{
    cli_exit_t  code;

    code = cli_confirm(cli, "retire the sub-key of project",
                       cli_option(cli, "project")->text, 0);

    return code != CLI_OK ? code : under_lock(cli, retire);
}


cli_exit_t
cmd_subkey_show(cli_t *cli)
{
    cli_exit_t       code;
    subkey_at_t      at;
    aigw_subkey_t    subkey;
    aigw_project_t   project;

    code = find_both(cli, &project, &at);

    if (code == CLI_OK) {
        code = find_active(cli, &project, &at, &subkey);
    }

    return code != CLI_OK ? code : answer(cli, &subkey);
}
