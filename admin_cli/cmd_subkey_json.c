/* Sub-keys as JSON, one or a list: never the key itself. */

#include <string.h>

#include "cmd_subkey.h"


/* Upstreams are found by name alone. */
static void
add_upstream_name(const cli_t *cli, cJSON *object, uint64_t id)
{
    char             after[AIGW_NAME_MAX + 1] = "";
    size_t           n;
    aigw_upstream_t  upstream;

    while (aigw_store_list_upstreams(cli->store, cli_str(after), &upstream, 1,
                                     &n) == AIGW_OK
           && n == 1)
    {
        if (upstream.id == id) {
            cli_add_text(object, "upstream", upstream.name);
            return;
        }

        memcpy(after, upstream.name, sizeof(after));
    }

    cli_add_text(object, "upstream", NULL);
}


cli_exit_t
subkey_add(const cli_t *cli, cJSON *object, const void *thing)
{
    char                  name[AIGW_NAME_MAX + 1];
    uint64_t              of;
    const aigw_subkey_t  *subkey = thing;

    cli_add_text(object, "name", subkey->name);
    cli_add_text(object, "project",
                 cli_name_of(cli, AIGW_ACCOUNT_PROJECT, subkey->project_id,
                             name, &of) ? name : NULL);
    cli_add_id(object, "project_id", subkey->project_id);
    add_upstream_name(cli, object, subkey->upstream_id);
    cli_add_text(object, "state", aigw_record_subkey_name(subkey->state));
    cli_add_id(object, "remote_id", subkey->remote_id);
    cli_add_limit(object, "quota", subkey->quota_nano);
    cli_add_time(object, "expires_at", subkey->expires_ms);
    cli_add_models(object, "models", subkey->models);
    cli_add_time(object, "created_at", subkey->created_ms);

    return CLI_OK;
}


void
subkey_set_state(cJSON *object, const char *state)
{
    cJSON_ReplaceItemInObjectCaseSensitive(object, "state",
                                           cJSON_CreateString(state));
}


/* of: a project's id, or 0 for all. */
static aigw_err_t
list_subkeys(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    size_t           got;
    aigw_err_t       err = AIGW_OK;
    aigw_subkey_t   *subkeys = things, next;
    const uint64_t  *project_id = of;

    snprintf(next.name, sizeof(next.name), "%s", cursor ? cursor : "");

    for (*n = 0; *n < max; /* void */) {
        err = aigw_store_list_subkeys(cli->store, cli_str(next.name), &next,
                                      1, &got);

        if (err != AIGW_OK || got == 0) {
            break;
        }

        if (*project_id == 0 || *project_id == next.project_id) {
            subkeys[(*n)++] = next;
        }
    }

    return err;
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    snprintf(text, CLI_CURSOR_LEN + 1, "%s",
             ((const aigw_subkey_t *) thing)->name);
}


static int
is_mine(const cli_t *cli, const void *thing)
{
    return cli_is_mine(cli, ((const aigw_subkey_t *) thing)->project_id);
}


cli_exit_t
cmd_subkey_list(cli_t *cli)
{
    uint64_t        project_id = 0;
    cli_exit_t      code = CLI_OK;
    const char     *name = cli_option(cli, "project")->text;
    aigw_project_t  project;

    static const cli_lister_t  lister = {
        "sub-keys", sizeof(aigw_subkey_t), list_subkeys, subkey_add,
        cursor_of, is_mine
    };

    if (name != NULL && !cli_is_gone(cli, AIGW_ACCOUNT_PROJECT, name,
                                     &project_id))
    {
        code = cli_find_project(cli, name, &project);
        project_id = project.id;
    }

    return code != CLI_OK ? code : cli_list(cli, &lister, &project_id);
}
