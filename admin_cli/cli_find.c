/* Things by name or id. What is not found is explained here, once. */

#include <inttypes.h>
#include <string.h>

#include "cli.h"


#define BATCH  64


uint64_t
cli_scope(const cli_t *cli)
{
    return cli->caller ? cli->caller->user_id : 0;
}


/* Nobody learns what others have: it is as if it were not there. */
static aigw_err_t
scope(const cli_t *cli, aigw_err_t err, uint64_t user_id)
{
    return err == AIGW_OK && cli_scope(cli) != 0 && user_id != cli_scope(cli)
           ? AIGW_ENOTFOUND : err;
}


int
cli_is_mine(const cli_t *cli, uint64_t project_id)
{
    aigw_project_t  project;

    return cli_scope(cli) == 0
           || (cli_get_project(cli, project_id, &project) == AIGW_OK
               && project.user_id == cli_scope(cli));
}


cli_exit_t
cli_find_user(const cli_t *cli, const char *which, aigw_user_t *user)
{
    aigw_err_t  err;

    err = aigw_store_find_user(cli->store, cli_str(which), user);
    err = scope(cli, err, user->id);

    return err == AIGW_OK ? CLI_OK : cli_fail_store(cli, err, "user", which);
}


cli_exit_t
cli_find_project(const cli_t *cli, const char *which, aigw_project_t *project)
{
    aigw_err_t  err;

    err = aigw_store_find_project(cli->store, cli_str(which), project);
    err = scope(cli, err, project->user_id);

    return err == AIGW_OK ? CLI_OK
                          : cli_fail_store(cli, err, "project", which);
}


/* A name without a project: all keys are looked at, and it must be the only
   one of that name. */
static cli_exit_t
find_key_anywhere(const cli_t *cli, const char *name, aigw_key_t *key)
{
    size_t       i, n, found;
    uint64_t     before;
    aigw_err_t   err;
    aigw_key_t  *keys;

    keys = cJSON_malloc(BATCH * sizeof(aigw_key_t));
    found = 0;
    before = 0;

    do {
        n = 0;
        err = aigw_store_list_keys(cli->store, 0, before, keys, BATCH, &n);

        for (i = 0; err == AIGW_OK && i < n; i++) {
            if (strcmp(keys[i].name, name) == 0
                && cli_is_mine(cli, keys[i].project_id))
            {
                *key = keys[i];
                found++;
            }

            before = keys[i].id;
        }

    } while (err == AIGW_OK && n == BATCH);

    cJSON_free(keys);

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "keys", NULL);
    }

    if (found > 1) {
        return cli_fail(cli, CLI_USAGE, "add --project P, or give its id",
                        "%zu projects have a key '%s'", found, name);
    }

    return found == 1 ? CLI_OK
                      : cli_fail_store(cli, AIGW_ENOTFOUND, "key", name);
}


cli_exit_t
cli_find_key(const cli_t *cli, const aigw_project_t *project,
    const char *which, aigw_key_t *key)
{
    aigw_err_t  err;

    if (project == NULL && which[strspn(which, "0123456789")] != '\0') {
        return find_key_anywhere(cli, which, key);
    }

    err = aigw_store_find_key(cli->store, project ? project->id : 0,
                              cli_str(which), key);

    if (err == AIGW_OK && !cli_is_mine(cli, key->project_id)) {
        err = AIGW_ENOTFOUND;
    }

    return err == AIGW_OK ? CLI_OK : cli_fail_store(cli, err, "key", which);
}


/* Text of an id, as names are looked up. */
static aigw_str_t
id_text(uint64_t id, char text[CLI_TEXT_LEN])
{
    snprintf(text, CLI_TEXT_LEN, "%" PRIu64, id);

    return cli_str(text);
}


aigw_err_t
cli_get_user(const cli_t *cli, uint64_t id, aigw_user_t *user)
{
    char  text[CLI_TEXT_LEN];

    return aigw_store_find_user(cli->store, id_text(id, text), user);
}


aigw_err_t
cli_get_project(const cli_t *cli, uint64_t id, aigw_project_t *project)
{
    char  text[CLI_TEXT_LEN];

    return aigw_store_find_project(cli->store, id_text(id, text), project);
}


int
cli_name_of(const cli_t *cli, aigw_account_kind_t kind, uint64_t id,
    char name[AIGW_NAME_MAX + 1], uint64_t *of)
{
    char            text[CLI_TEXT_LEN];
    aigw_key_t      key;
    aigw_gone_t     gone;
    aigw_user_t     user;
    aigw_project_t  project;

    *of = 0;

    if (kind == AIGW_ACCOUNT_USER && cli_get_user(cli, id, &user) == AIGW_OK) {
        memcpy(name, user.name, sizeof(user.name));

    } else if (kind == AIGW_ACCOUNT_PROJECT
               && cli_get_project(cli, id, &project) == AIGW_OK)
    {
        memcpy(name, project.name, sizeof(project.name));
        *of = project.user_id;

    } else if (kind == AIGW_ACCOUNT_KEY
               && aigw_store_find_key(cli->store, 0, id_text(id, text), &key)
                  == AIGW_OK)
    {
        memcpy(name, key.name, sizeof(key.name));
        *of = key.project_id;

    } else if (aigw_store_find_gone(cli->store, kind, id, &gone) == AIGW_OK) {
        memcpy(name, gone.name, sizeof(gone.name));
        *of = gone.of_id;

    } else {
        return 0;
    }

    return 1;
}


int
cli_is_gone(const cli_t *cli, aigw_account_kind_t kind, const char *which,
    uint64_t *id)
{
    aigw_gone_t  gone;

    return cli_parse_cursor_id(which, id) == AIGW_OK
           && cli_scope(cli) == 0
           && aigw_store_find_gone(cli->store, kind, *id, &gone) == AIGW_OK;
}


void
cli_answer_deleted(cli_t *cli, uint64_t id, const char *name)
{
    cli->answer = cJSON_CreateObject();
    cli_add_id(cli->answer, "id", id);
    cli_add_text(cli->answer, "name", name);
    cJSON_AddTrueToObject(cli->answer, "deleted");
}
