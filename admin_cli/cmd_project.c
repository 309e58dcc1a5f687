/* aigw project: a scene that spends, with its keys. */

#include <inttypes.h>
#include <string.h>

#include "aigw_limit.h"
#include "aigw_seal.h"
#include "aigw_time.h"
#include "cli.h"


#define OWNER      "admin"            /* made by store init */
#define FIRST_KEY  "default"

#define BATCH      64

#define ABORT      "abort"            /* --disconnect */
#define STRICT     "strict"           /* --cap */


static int
is_active(const aigw_project_t *project, const aigw_user_t *user)
{
    return project->enabled && user->enabled
           && !aigw_limit_expired(project->expires_ms, aigw_time_now_ms());
}


static cli_exit_t
owner_of(const cli_t *cli, const aigw_project_t *project, aigw_user_t *user)
{
    aigw_err_t  err;

    err = cli_get_user(cli, project->user_id, user);

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(cli, err, "the user of project", project->name);
}


cli_exit_t
cmd_project_is_active(const cli_t *cli, const aigw_project_t *project,
    int *active)
{
    cli_exit_t   code;
    aigw_user_t  user;

    code = owner_of(cli, project, &user);

    if (code == CLI_OK) {
        *active = is_active(project, &user);
    }

    return code;
}


static cli_exit_t
add_project(const cli_t *cli, cJSON *object, const aigw_project_t *project)
{
    cli_exit_t   code;
    aigw_user_t  user;

    code = owner_of(cli, project, &user);
    if (code != CLI_OK) {
        return code;
    }

    cli_add_id(object, "id", project->id);
    cli_add_text(object, "name", project->name);
    cli_add_text(object, "user", user.name);

    code = cli_add_account(cli, object, AIGW_ACCOUNT_PROJECT, project->id,
                           project->quota_nano);

    cJSON_AddBoolToObject(object, "enabled", project->enabled);
    cJSON_AddBoolToObject(object, "active", is_active(project, &user));
    cli_add_time(object, "expires_at", project->expires_ms);
    cli_add_models(object, "models", project->models);
    cli_add_text(object, "cap", project->cap_strict ? STRICT : "clamp");
    cli_add_text(object, "disconnect", project->disconnect_abort ? ABORT
                                                                 : "drain");

    return code;
}


static cli_exit_t
answer_project(cli_t *cli, const aigw_project_t *project)
{
    cli->answer = cJSON_CreateObject();

    return add_project(cli, cli->answer, project);
}


static cli_exit_t
answer_created(cli_t *cli, const aigw_project_t *project, const char *secret)
{
    cli_exit_t  code;

    cli->answer = cJSON_CreateObject();
    code = add_project(cli, cJSON_AddObjectToObject(cli->answer, "project"),
                       project);

    return code != CLI_OK ? code : cmd_key_reveal(cli, secret);
}


/* With --if-absent: the project that was there, and no key. */
static cli_exit_t
answer_present(cli_t *cli, const char *name)
{
    cli_exit_t      code;
    aigw_project_t  project;

    code = cli_find_project(cli, name, &project);
    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);

    return answer_created(cli, &project, NULL);
}


/* Takes --cap and --disconnect. Returns the fields. */
static unsigned
take_manners(const cli_t *cli, aigw_project_t *project)
{
    unsigned     fields = 0;
    const char  *text;

    text = cli_option(cli, "cap")->text;

    if (text != NULL) {
        project->cap_strict = strcmp(text, STRICT) == 0;
        fields |= AIGW_CHANGE_CAP;
    }

    text = cli_option(cli, "disconnect")->text;

    if (text != NULL) {
        project->disconnect_abort = strcmp(text, ABORT) == 0;
        fields |= AIGW_CHANGE_DISCONNECT;
    }

    return fields;
}


/* The user whom a new project belongs to. */
static cli_exit_t
new_owner(const cli_t *cli, aigw_user_t *user)
{
    char         id[CLI_TEXT_LEN];
    const char  *owner;

    owner = cli_option(cli, "user")->text;

    if (owner == NULL && cli_scope(cli) != 0) {
        snprintf(id, sizeof(id), "%" PRIu64, cli_scope(cli));
        owner = id;
    }

    return cli_find_user(cli, owner ? owner : OWNER, user);
}


/* What the projects of a user may spend in all. */
static aigw_err_t
sum_quotas(const cli_t *cli, uint64_t user_id, int64_t *nano)
{
    size_t           i, n;
    uint64_t         before = 0;
    aigw_err_t       err;
    aigw_project_t  *projects;

    projects = cJSON_malloc(BATCH * sizeof(aigw_project_t));
    *nano = 0;

    do {
        n = 0;
        err = aigw_store_list_projects(cli->store, before, projects, BATCH,
                                       &n);

        for (i = 0; err == AIGW_OK && i < n; i++) {
            if (projects[i].user_id == user_id) {
                *nano = cli_sum(*nano, projects[i].quota_nano
                                == AIGW_UNLIMITED ? INT64_MAX
                                : projects[i].quota_nano);
            }

            before = projects[i].id;
        }

    } while (err == AIGW_OK && n == BATCH);

    cJSON_free(projects);

    return err;
}


/* Members give out what is theirs: all their projects together get no more
   than they have. Admins do as they like. */
static cli_exit_t
check_share(const cli_t *cli, const aigw_user_t *user, int64_t quota_nano)
{
    int64_t     given;
    aigw_err_t  err;

    if (cli_scope(cli) == 0 || user->quota_nano == AIGW_UNLIMITED) {
        return CLI_OK;
    }

    err = sum_quotas(cli, user->id, &given);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "projects", NULL);
    }

    if (quota_nano != AIGW_UNLIMITED && given <= user->quota_nano
        && quota_nano <= user->quota_nano - given)
    {
        return CLI_OK;
    }

    cli->caller->field = "quota";

    return cli_fail(cli, CLI_DENIED, "ask an admin for more, or delete a"
                    " project", "your projects together would have more than"
                    " your own quota");
}


cli_exit_t
cmd_project_create(cli_t *cli)
{
    char             secret[AIGW_KEY_LEN + 1];
    aigw_err_t       err;
    aigw_key_t       key = { 0 };
    cli_exit_t       code;
    aigw_user_t      user;
    aigw_project_t   project = { 0 };

    code = new_owner(cli, &user);
    if (code != CLI_OK) {
        return code;
    }

    snprintf(project.name, sizeof(project.name), "%s", cli->arg[0].text);
    project.user_id = user.id;
    project.enabled = 1;
    cli_no_limits(&project.quota_nano, &project.expires_ms, project.models);
    (void) cli_take_limits(cli, &project.quota_nano, &project.expires_ms,
                           project.models);
    (void) take_manners(cli, &project);

    code = check_share(cli, &user, project.quota_nano);
    if (code != CLI_OK) {
        return code;
    }

    snprintf(key.name, sizeof(key.name), "%s", FIRST_KEY);
    cli_no_limits(&key.quota_nano, &key.expires_ms, key.models);

    code = cmd_key_generate(cli, &key, secret);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_create_project(cli->store, &project, &key);

    if (err == AIGW_OK) {
        code = answer_created(cli, &project, secret);

    } else if (err == AIGW_EEXIST
               && cli_option(cli, "if-absent")->text != NULL)
    {
        code = answer_present(cli, project.name);

    } else {
        code = cli_fail_store(cli, err, "project", project.name);
    }

    aigw_cleanse(secret, sizeof(secret));

    return code;
}


static aigw_err_t
list_projects(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    uint64_t    before;
    aigw_err_t  err;

    (void) of;

    err = cli_parse_cursor_id(cursor, &before);

    return err != AIGW_OK ? err
           : aigw_store_list_projects(cli->store, before, things, max, n);
}


static cli_exit_t
add_listed(const cli_t *cli, cJSON *object, const void *thing)
{
    return add_project(cli, object, thing);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    cli_format_cursor_id(((const aigw_project_t *) thing)->id, text);
}


static int
is_mine(const cli_t *cli, const void *thing)
{
    return cli_scope(cli) == 0
           || ((const aigw_project_t *) thing)->user_id == cli_scope(cli);
}


cli_exit_t
cmd_project_list(cli_t *cli)
{
    static const cli_lister_t  lister = {
        "projects", sizeof(aigw_project_t), list_projects, add_listed,
        cursor_of, is_mine
    };

    cli_report(cli);

    return cli_list(cli, &lister, NULL);
}


cli_exit_t
cmd_project_show(cli_t *cli)
{
    cli_exit_t      code;
    aigw_project_t  project;

    code = cli_find_project(cli, cli->arg[0].text, &project);
    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);

    return answer_project(cli, &project);
}


static cli_exit_t
change_project(cli_t *cli, unsigned fields, aigw_project_t *project)
{
    aigw_err_t  err;

    err = aigw_store_change_project(cli->store, fields, project);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "project", project->name);
    }

    cli_report(cli);

    return answer_project(cli, project);
}


cli_exit_t
cmd_project_set(cli_t *cli)
{
    unsigned         fields;
    cli_exit_t       code;
    aigw_user_t      user;
    aigw_project_t   project;
    const char      *owner;

    code = cli_find_project(cli, cli->arg[0].text, &project);
    if (code != CLI_OK) {
        return code;
    }

    fields = cli_take_name(cli, project.name)
             | cli_take_limits(cli, &project.quota_nano, &project.expires_ms,
                               project.models)
             | take_manners(cli, &project);
    owner = cli_option(cli, "user")->text;

    if (owner != NULL) {
        code = cli_find_user(cli, owner, &user);
        if (code != CLI_OK) {
            return code;
        }

        project.user_id = user.id;
        fields |= AIGW_CHANGE_USER;
    }

    code = cli_need_fields(cli, fields);

    return code != CLI_OK ? code : change_project(cli, fields, &project);
}


static cli_exit_t
switch_project(cli_t *cli, uint8_t enabled)
{
    cli_exit_t      code;
    aigw_project_t  project;

    code = cli_find_project(cli, cli->arg[0].text, &project);
    if (code != CLI_OK) {
        return code;
    }

    project.enabled = enabled;

    return change_project(cli, AIGW_CHANGE_ENABLED, &project);
}


cli_exit_t
cmd_project_disable(cli_t *cli)
{
    return switch_project(cli, 0);
}


cli_exit_t
cmd_project_enable(cli_t *cli)
{
    return switch_project(cli, 1);
}


/* Its keys go with it: they open nothing without it. */
cli_exit_t
cmd_project_delete(cli_t *cli)
{
    aigw_err_t      err;
    cli_exit_t      code;
    aigw_project_t  project;

    code = cli_find_project(cli, cli->arg[0].text, &project);

    if (code == CLI_OK) {
        code = cli_confirm(cli, "delete with all its keys project",
                           project.name, 1);
    }

    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_delete_project(cli->store, project.id);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "project", project.name);
    }

    cli_answer_deleted(cli, project.id, project.name);

    if (project.has_subkey) {
        snprintf(cli->next, sizeof(cli->next), "its sub-key is still there:"
                 " aigw upstream orphans --retire");
    }

    return CLI_OK;
}
