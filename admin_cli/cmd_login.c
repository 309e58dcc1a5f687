/*
 * How people get in: passwords, and links that let somebody in once. A
 * password is on no command line; a link's token is seen once.
 */

#include <string.h>

#include "aigw_seal.h"
#include "aigw_time.h"
#include "cmd_login.h"


#define LINK_MS  INT64_C(900000)      /* 15 minutes */
#define PATH     "/admin/"            /* its page reads what is behind '#' */
#define PAGE     "login"


cli_exit_t
cmd_user_password(cli_t *cli)
{
    aigw_err_t    err;
    cli_exit_t    code;
    aigw_user_t   user;
    aigw_login_t  login = { 0 };

    code = cli_find_user(cli, cli->arg[0].text, &user);

    if (code == CLI_OK) {
        code = cli_read_password(cli, "", &login.password);
    }

    if (code != CLI_OK) {
        return code;
    }

    login.user_id = user.id;
    err = aigw_store_set_password(cli->store, &login);
    aigw_cleanse(&login, sizeof(login));

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "user", user.name);
    }

    snprintf(cli->next, sizeof(cli->next), "Who was logged in as '%s' is so no"
             " more.", user.name);
    cli_report(cli);

    return cmd_user_answer(cli, &user);
}


cli_exit_t
cmd_login_reveal(cli_t *cli, const char *page,
    char token[AIGW_TICKET_LEN + 1], int64_t expires_ms)
{
    char        url[AIGW_VALUE_MAX + sizeof(PATH PAGE "#") + AIGW_TICKET_LEN];
    char        base[AIGW_VALUE_MAX + 1];
    cli_exit_t  code;

    code = cmd_setting_get(cli, CLI_SETTING_ADMIN_URL, base);

    if (code == CLI_OK) {
        snprintf(url, sizeof(url), "%s" PATH "%s#%s", base, page, token);

        /* of a dry run it opens nothing */
        cli_add_text(cli->answer, "url",
                     base[0] != '\0' && !cli->dry_run ? url : NULL);
        cli_add_text(cli->answer, "token", cli->dry_run ? NULL : token);
        cli_add_time(cli->answer, "expires_at", expires_ms);

        /* Forms that leave it out would lose it for ever. */

        if (!cli->dry_run && cli->caller == NULL
            && (cli->format == CLI_IDS || cli->format == CLI_NAMES
                || (cli->columns != NULL
                    && !cli_has_word(cli->columns, "token")
                    && !cli_has_word(cli->columns, "url"))))
        {
            fprintf(stderr, "token, shown only now: %s\n", token);
        }

        aigw_cleanse(url, sizeof(url));
    }

    aigw_cleanse(token, AIGW_TICKET_LEN + 1);

    return code;
}


cli_exit_t
cmd_user_link(cli_t *cli)
{
    char                token[AIGW_TICKET_LEN + 1];
    aigw_err_t          err;
    cli_exit_t          code;
    aigw_user_t         user;
    aigw_ticket_t       ticket = { .kind = AIGW_TICKET_LINK };
    const cli_value_t  *expires;

    code = cli_find_user(cli, cli->arg[0].text, &user);
    if (code != CLI_OK) {
        return code;
    }

    if (!user.enabled) {
        return cli_fail(cli, CLI_CONFLICT, "aigw user enable lets it in again",
                        "user '%s' is disabled", user.name);
    }

    expires = cli_option(cli, "expires");
    ticket.user_id = user.id;
    ticket.expires_ms = expires->text ? expires->number
                                      : aigw_time_now_ms() + LINK_MS;

    err = aigw_store_create_ticket(cli->store, &ticket, token);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "a link for user", user.name);
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "user", user.name);

    snprintf(cli->next, sizeof(cli->next), "It lets in once, and is not shown"
             " again.");

    return cmd_login_reveal(cli, PAGE, token, ticket.expires_ms);
}
