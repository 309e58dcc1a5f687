/*
 * Who gets in, and how: what cmd_login.c and cmd_invite.c have in common.
 */

#ifndef CMD_LOGIN_H
#define CMD_LOGIN_H

#include "aigw_store_login.h"
#include "cli.h"


cli_exit_t cmd_user_password(cli_t *cli);
cli_exit_t cmd_user_link(cli_t *cli);

cli_exit_t cmd_invite_create(cli_t *cli);
cli_exit_t cmd_invite_list(cli_t *cli);
cli_exit_t cmd_invite_delete(cli_t *cli);

/* Adds url (of the sidecar's page "login" or "join"; null unless the setting
   admin_url is set), token and expires_at to the answer; token is cleansed. */
cli_exit_t cmd_login_reveal(cli_t *cli, const char *page,
    char token[AIGW_TICKET_LEN + 1], int64_t expires_ms);

#endif /* CMD_LOGIN_H */
