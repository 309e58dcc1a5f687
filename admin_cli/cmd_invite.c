/*
 * aigw invite: tickets with which people make their accounts. Links that let a
 * user in, and the bootstrap token, stand in the list with them.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cmd_login.h"


#define INVITE_MS  (INT64_C(7) * 86400000)


static cli_exit_t
add_ticket(const cli_t *cli, cJSON *object, const void *thing)
{
    int                   person;
    char                  id[AIGW_TICKET_ID_LEN + 1];
    char                  name[AIGW_NAME_MAX + 1];
    uint64_t              of;
    const aigw_ticket_t  *ticket = thing;

    person = ticket->user_id != 0
             && cli_name_of(cli, AIGW_ACCOUNT_USER, ticket->user_id, name, &of);
    aigw_store_ticket_id(ticket, id);

    cli_add_text(object, "id", id);
    cli_add_text(object, "kind", aigw_record_ticket_name(ticket->kind));
    cli_add_text(object, "user", person ? name : NULL);

    if (ticket->kind == AIGW_TICKET_LINK) {
        cJSON_AddNullToObject(object, "role");
        cJSON_AddNullToObject(object, "quota");

    } else {
        cli_add_text(object, "role", aigw_record_role_name(ticket->role));
        cli_add_limit(object, "quota", ticket->quota_nano);
    }

    cli_add_count(object, "uses_left", ticket->uses_left);
    cli_add_time(object, "created_at", ticket->created_ms);
    cli_add_time(object, "expires_at", ticket->expires_ms);

    return CLI_OK;
}


/* Of whom nothing is said: a member has what one who signs up has. */
static cli_exit_t
take_quota(const cli_t *cli, uint8_t role, int64_t *quota_nano)
{
    char                text[AIGW_VALUE_MAX + 1];
    cli_exit_t          code;
    const cli_value_t  *quota;

    quota = cli_option(cli, "quota");
    *quota_nano = quota->text ? quota->number : AIGW_UNLIMITED;

    if (quota->text != NULL || role != AIGW_ROLE_MEMBER) {
        return CLI_OK;
    }

    code = cmd_setting_get(cli, CLI_SETTING_SIGNUP_QUOTA, text);

    return code != CLI_OK ? code
           : aigw_amount_parse(cli_str(text), quota_nano) == AIGW_OK ? CLI_OK
           : cli_fail(cli, CLI_FAILED, "aigw setting set "
                      CLI_SETTING_SIGNUP_QUOTA " 100", "the setting "
                      CLI_SETTING_SIGNUP_QUOTA " is no amount");
}


cli_exit_t
cmd_invite_create(cli_t *cli)
{
    char                token[AIGW_TICKET_LEN + 1];
    aigw_err_t          err;
    cli_exit_t          code;
    const char         *role;
    aigw_ticket_t       ticket = { .kind = AIGW_TICKET_INVITE };
    const cli_value_t  *expires, *uses;

    role = cli_option(cli, "role")->text;
    expires = cli_option(cli, "expires");
    uses = cli_option(cli, "uses");

    /* the table knows no other words */
    err = role != NULL ? aigw_record_parse_role(cli_str(role), &ticket.role)
                       : AIGW_OK;
    code = err == AIGW_OK ? take_quota(cli, ticket.role, &ticket.quota_nano)
                          : cli_fail_store(cli, err, "role", role);
    if (code != CLI_OK) {
        return code;
    }

    ticket.uses_left = uses->text ? (uint32_t) uses->number : 1;
    ticket.expires_ms = expires->text ? expires->number
                                      : aigw_time_now_ms() + INVITE_MS;

    err = aigw_store_create_ticket(cli->store, &ticket, token);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "an invitation", NULL);
    }

    cli->answer = cJSON_CreateObject();
    (void) add_ticket(cli, cli->answer, &ticket);
    cJSON_DeleteItemFromObjectCaseSensitive(cli->answer, "expires_at");

    snprintf(cli->next, sizeof(cli->next), "It is not shown again.");

    return cmd_login_reveal(cli, "join", token, ticket.expires_ms);
}


/* The cursor is created_ms, and the first bytes of the hash. */
static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    size_t                i, len;
    const aigw_ticket_t  *ticket = thing;

    len = (size_t) snprintf(text, CLI_CURSOR_LEN + 1, "%" PRId64 "-",
                            ticket->created_ms);

    for (i = 0; i < 8; i++) {
        snprintf(text + len + 2 * i, 3, "%02x", ticket->hash[i]);
    }
}


static aigw_err_t
parse_cursor(const char *cursor, aigw_ticket_t *before)
{
    size_t    i, len;
    uint64_t  bytes;

    len = strspn(cursor, "0123456789");

    if (len == 0 || len > 18 || cursor[len] != '-' || strlen(cursor) != len + 17
        || strspn(cursor + len + 1, "0123456789abcdef") != 16)
    {
        return AIGW_EINVAL;
    }

    before->created_ms = strtoll(cursor, NULL, 10);
    bytes = strtoull(cursor + len + 1, NULL, 16);

    for (i = 0; i < 8; i++) {
        before->hash[i] = (uint8_t) (bytes >> (56 - 8 * i));
    }

    return AIGW_OK;
}


static aigw_err_t
list_tickets(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    aigw_err_t     err;
    aigw_ticket_t  before = { 0 };

    (void) of;

    err = cursor != NULL ? parse_cursor(cursor, &before) : AIGW_OK;

    return err != AIGW_OK ? err
           : aigw_store_list_tickets(cli->store,
                                     cursor != NULL ? &before : NULL, things,
                                     max, n);
}


cli_exit_t
cmd_invite_list(cli_t *cli)
{
    static const cli_lister_t  lister = {
        .what = "invitations", .size = sizeof(aigw_ticket_t),
        .list = list_tickets, .add = add_ticket, .cursor = cursor_of
    };

    return cli_list(cli, &lister, NULL);
}


cli_exit_t
cmd_invite_delete(cli_t *cli)
{
    aigw_err_t     err;
    cli_exit_t     code;
    const char    *id;
    aigw_ticket_t  ticket;

    id = cli->arg[0].text;

    code = cli_confirm(cli, "delete invitation", id, 1);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_delete_ticket(cli->store, cli_str(id), &ticket);

    if (err == AIGW_EINVAL) {
        return cli_fail(cli, CLI_USAGE, "aigw invite list shows them",
                        "'%.40s' is no id of an invitation", id);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "invitation", id);
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "id", id);
    cJSON_AddTrueToObject(cli->answer, "deleted");

    return CLI_OK;
}
