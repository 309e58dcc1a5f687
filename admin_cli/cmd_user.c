/* aigw user: whom projects belong to. */

#include <string.h>

#include "aigw_seal.h"
#include "aigw_store_login.h"
#include "cli.h"


static cli_exit_t
add_user(const cli_t *cli, cJSON *object, const aigw_user_t *user)
{
    cli_exit_t  code;

    cli_add_id(object, "id", user->id);
    cli_add_text(object, "name", user->name);
    cli_add_text(object, "role", aigw_record_role_name(user->role));

    code = cli_add_account(cli, object, AIGW_ACCOUNT_USER, user->id,
                           user->quota_nano);

    cJSON_AddBoolToObject(object, "enabled", user->enabled);
    cJSON_AddBoolToObject(object, "active", user->enabled);

    return code;
}


cli_exit_t
cmd_user_answer(cli_t *cli, const aigw_user_t *user)
{
    aigw_err_t    err;
    cli_exit_t    code;
    aigw_login_t  login;

    err = aigw_store_get_login(cli->store, user->id, NULL, &login);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the login of user", user->name);
    }

    cli->answer = cJSON_CreateObject();
    code = add_user(cli, cli->answer, user);
    cJSON_AddBoolToObject(cli->answer, "has_password",
                          login.password.scheme != AIGW_PASSWORD_NONE);
    aigw_cleanse(&login, sizeof(login));

    return code;
}


/* What --role, --admin, --auditor and --member say: at most one of them. */
static cli_exit_t
take_role(const cli_t *cli, uint8_t *role, int *given)
{
    size_t       i;
    const char  *name;

    static const struct {
        const char   *name;
        aigw_role_t   role;
    } flags[] = {
        { "admin", AIGW_ROLE_ADMIN },
        { "auditor", AIGW_ROLE_AUDITOR },
        { "member", AIGW_ROLE_MEMBER }
    };

    *given = 0;
    name = cli_option(cli, "role")->text;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (cli_option(cli, flags[i].name)->text != NULL
            || (name != NULL && strcmp(name, flags[i].name) == 0))
        {
            *role = (uint8_t) flags[i].role;
            (*given)++;
        }
    }

    return *given <= 1 ? CLI_OK
           : cli_fail(cli, CLI_USAGE, NULL,
                      "--role, --admin, --auditor and --member exclude each"
                      " other");
}


/* With --password: read before anything is written. */
static aigw_err_t
create(const cli_t *cli, const aigw_password_t *password, aigw_user_t *user)
{
    aigw_login_t  login;

    return password->scheme == AIGW_PASSWORD_NONE
           ? aigw_store_create_user(cli->store, user)
           : aigw_store_register(cli->store, password, user, &login);
}


cli_exit_t
cmd_user_create(cli_t *cli)
{
    int                 given;
    aigw_err_t          err;
    cli_exit_t          code;
    const char         *text;
    aigw_user_t         user = { 0 };
    aigw_password_t     password = { 0 };
    const cli_value_t  *quota;

    quota = cli_option(cli, "quota");
    text = cli_option(cli, "password")->text;
    code = take_role(cli, &user.role, &given);

    if (code == CLI_OK && text != NULL) {
        code = cli_read_password(cli, text, &password);
    }

    if (code != CLI_OK) {
        return code;
    }

    snprintf(user.name, sizeof(user.name), "%s", cli->arg[0].text);
    user.enabled = 1;
    user.quota_nano = quota->text ? quota->number : AIGW_UNLIMITED;

    err = create(cli, &password, &user);

    if (err == AIGW_EEXIST && cli_option(cli, "if-absent")->text != NULL) {
        return cmd_user_show(cli);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "user", user.name);
    }

    snprintf(cli->next, sizeof(cli->next),
             "next: aigw project create NAME --user %s", user.name);

    return cmd_user_answer(cli, &user);
}


static aigw_err_t
list_users(const cli_t *cli, const void *of, const char *cursor, void *things,
    size_t max, size_t *n)
{
    uint64_t    before;
    aigw_err_t  err;

    (void) of;

    err = cli_parse_cursor_id(cursor, &before);

    return err != AIGW_OK ? err
           : aigw_store_list_users(cli->store, before, things, max, n);
}


static cli_exit_t
add_listed(const cli_t *cli, cJSON *object, const void *thing)
{
    return add_user(cli, object, thing);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    cli_format_cursor_id(((const aigw_user_t *) thing)->id, text);
}


cli_exit_t
cmd_user_list(cli_t *cli)
{
    static const cli_lister_t  lister = {
        "users", sizeof(aigw_user_t), list_users, add_listed, cursor_of, NULL
    };

    cli_report(cli);

    return cli_list(cli, &lister, NULL);
}


cli_exit_t
cmd_user_show(cli_t *cli)
{
    cli_exit_t   code;
    aigw_user_t  user;

    code = cli_find_user(cli, cli->arg[0].text, &user);
    if (code != CLI_OK) {
        return code;
    }

    cli_report(cli);

    return cmd_user_answer(cli, &user);
}


static cli_exit_t
change_user(cli_t *cli, unsigned fields, aigw_user_t *user)
{
    aigw_err_t  err;

    err = aigw_store_change_user(cli->store, fields, user);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "user", user->name);
    }

    cli_report(cli);

    return cmd_user_answer(cli, user);
}


cli_exit_t
cmd_user_set(cli_t *cli)
{
    int                 given;
    unsigned            fields;
    cli_exit_t          code;
    aigw_user_t         user;
    const cli_value_t  *quota;

    code = cli_find_user(cli, cli->arg[0].text, &user);
    if (code != CLI_OK) {
        return code;
    }

    fields = cli_take_name(cli, user.name);
    quota = cli_option(cli, "quota");

    if (quota->text != NULL) {
        user.quota_nano = quota->number;
        fields |= AIGW_CHANGE_QUOTA;
    }

    code = take_role(cli, &user.role, &given);
    if (code != CLI_OK) {
        return code;
    }

    if (given) {
        fields |= AIGW_CHANGE_ROLE;
    }

    code = cli_need_fields(cli, fields);

    return code != CLI_OK ? code : change_user(cli, fields, &user);
}


static cli_exit_t
switch_user(cli_t *cli, uint8_t enabled)
{
    cli_exit_t   code;
    aigw_user_t  user;

    code = cli_find_user(cli, cli->arg[0].text, &user);
    if (code != CLI_OK) {
        return code;
    }

    user.enabled = enabled;

    return change_user(cli, AIGW_CHANGE_ENABLED, &user);
}


cli_exit_t
cmd_user_disable(cli_t *cli)
{
    return switch_user(cli, 0);
}


cli_exit_t
cmd_user_enable(cli_t *cli)
{
    return switch_user(cli, 1);
}


/* Names a project of the user that stands in the way. */
static cli_exit_t
fail_projects(const cli_t *cli, const aigw_user_t *user)
{
    size_t          n;
    char            hint[200];
    uint64_t        before;
    aigw_project_t  project = { 0 };

    before = 0;

    do {
        n = 0;

        if (aigw_store_list_projects(cli->store, before, &project, 1, &n)
            != AIGW_OK)
        {
            break;
        }

        before = project.id;

    } while (n == 1 && project.user_id != user->id);

    snprintf(hint, sizeof(hint), "aigw project delete %s, or aigw project set"
             " %s --user U", project.name, project.name);

    return cli_fail(cli, CLI_CONFLICT, hint,
                    "user '%s' has projects, '%s' for one", user->name,
                    project.name);
}


cli_exit_t
cmd_user_delete(cli_t *cli)
{
    aigw_err_t   err;
    cli_exit_t   code;
    aigw_user_t  user;

    code = cli_find_user(cli, cli->arg[0].text, &user);

    if (code == CLI_OK) {
        code = cli_confirm(cli, "delete user", user.name, 1);
    }

    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_delete_user(cli->store, user.id);

    if (err == AIGW_EEXIST) {
        return fail_projects(cli, &user);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "user", user.name);
    }

    cli_answer_deleted(cli, user.id, user.name);

    return CLI_OK;
}
