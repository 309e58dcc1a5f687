/*
 * Tickets are taken, each in the transaction of what it is for: of two that
 * come with the same one at the same time, one is let in.
 */

#include <string.h>

#include "aigw_time.h"
#include "aigw_store_internal.h"
#include "aigw_store_login.h"


/* Is what it was made of as it was? */
static int
is_good(aigw_db_txn_t *txn, const aigw_ticket_t *ticket, aigw_user_t *user,
    aigw_login_t *login)
{
    if (ticket->user_id == 0) {
        return 1;
    }

    aigw_store_load_user(txn, ticket->user_id, user);
    aigw_store_load_login(txn, ticket->user_id, login);

    if (txn->err != AIGW_OK || !user->enabled) {
        return 0;
    }

    return ticket->kind == AIGW_TICKET_LINK
           ? login->token_version == ticket->token_version
           : ticket->role == AIGW_ROLE_MEMBER || user->role == AIGW_ROLE_ADMIN;
}


/* The ticket that text is, with the user that it is of. Those that are no good
   are not told from those that never were. */
static void
load(aigw_db_txn_t *txn, aigw_str_t text, aigw_ticket_t *ticket,
    aigw_user_t *user, aigw_login_t *login)
{
    uint8_t        hash[AIGW_KEY_HASH_LEN];
    aigw_db_key_t  at;

    if (aigw_key_check_ticket(text) != AIGW_OK) {
        aigw_db_fail(txn, AIGW_ENOTFOUND);
        return;
    }

    aigw_db_fail(txn, aigw_key_hash(text, hash));
    aigw_store_key_hash(&at, hash);

    if (!aigw_store_load(txn, AIGW_CONTROL_TICKETS, &at,
                         aigw_store_unpack_ticket, ticket)
        || aigw_store_is_ticket_over(ticket, aigw_time_now_ms())
        || !is_good(txn, ticket, user, login))
    {
        aigw_db_fail(txn, AIGW_ENOTFOUND);
    }
}


aigw_err_t
aigw_store_find_ticket(aigw_store_t *store, aigw_str_t text,
    aigw_ticket_t *ticket)
{
    aigw_err_t     err;
    aigw_user_t    user;
    aigw_login_t   login;
    aigw_db_txn_t  txn;
    aigw_ticket_t  t;

    aigw_db_read(store->control, &txn);
    load(&txn, text, &t, &user, &login);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *ticket = t;
    }

    return err;
}


/* The same of a kind, to be taken: one use less, and gone with the last. */
static void
take(aigw_store_t *store, aigw_db_txn_t *txn, aigw_str_t text,
    aigw_ticket_kind_t kind, aigw_ticket_t *ticket, aigw_user_t *user,
    aigw_login_t *login)
{
    aigw_ticket_t  before;

    load(txn, text, ticket, user, login);

    if (txn->err == AIGW_OK && ticket->kind != kind) {
        aigw_db_fail(txn, AIGW_ENOTFOUND);
    }

    if (txn->err != AIGW_OK) {
        return;
    }

    before = *ticket;

    if (ticket->uses_left > 1) {
        ticket->uses_left--;
        aigw_store_put_ticket(txn, ticket);
        aigw_store_audit_ticket(store, txn, "take", &before, ticket);

    } else {
        aigw_store_drop_ticket(txn, ticket);
        aigw_store_audit_ticket(store, txn, "take", &before, NULL);
    }

    aigw_store_sweep_tickets(txn, aigw_time_now_ms());
}


aigw_err_t
aigw_store_take_link(aigw_store_t *store, aigw_str_t text, aigw_user_t *user,
    aigw_login_t *login)
{
    aigw_user_t    u;
    aigw_login_t   l;
    aigw_db_txn_t  txn;
    aigw_ticket_t  ticket;

    aigw_db_write(store->control, &txn);
    take(store, &txn, text, AIGW_TICKET_LINK, &ticket, &u, &l);

    return aigw_store_end_login(&txn, &u, &l, user, login);
}


/* A new user as the ticket says. */
static void
start_user(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_ticket_t *ticket, aigw_user_t *user, aigw_login_t *login)
{
    user->role = ticket->role;
    user->enabled = 1;
    user->quota_nano = ticket->quota_nano;
    user->created_ms = aigw_time_now_ms();
    aigw_store_add_user(store, txn, user, login);
}


/* The admin of that name, if there is somebody. */
static void
find_admin(aigw_db_txn_t *txn, aigw_user_t *user, aigw_login_t *login)
{
    uint64_t       id;
    aigw_db_key_t  at;

    aigw_store_key_text(&at, aigw_store_text(user->name, AIGW_NAME_MAX));
    id = aigw_store_get_int(txn, AIGW_CONTROL_USER_NAMES, &at);

    if (id == 0) {
        return;
    }

    aigw_store_load_user(txn, id, user);
    aigw_store_load_login(txn, id, login);

    if (user->role != AIGW_ROLE_ADMIN || !user->enabled) {
        aigw_db_fail(txn, AIGW_EEXIST);
    }
}


/* With a ticket of that kind for whoever gets the password. */
static aigw_err_t
take_for(aigw_store_t *store, aigw_str_t text, aigw_ticket_kind_t kind,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
{
    aigw_user_t    u = { 0 }, who;
    aigw_login_t   l;
    aigw_db_txn_t  txn;
    aigw_ticket_t  ticket;

    memcpy(u.name, user->name, sizeof(u.name));

    if (password->scheme != AIGW_PASSWORD_SCRYPT
        || aigw_store_check_user(&u) != AIGW_OK)
    {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    take(store, &txn, text, kind, &ticket, &who, &l);

    if (kind == AIGW_TICKET_BOOTSTRAP) {
        find_admin(&txn, &u, &l);
    }

    if (txn.err == AIGW_OK && u.id == 0) {
        start_user(store, &txn, &ticket, &u, &l);
    }

    if (txn.err == AIGW_OK) {
        aigw_store_put_password(store, &txn, &u, &l, password);
    }

    return aigw_store_end_login(&txn, &u, &l, user, login);
}


aigw_err_t
aigw_store_take_invite(aigw_store_t *store, aigw_str_t text,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
{
    return take_for(store, text, AIGW_TICKET_INVITE, password, user, login);
}


aigw_err_t
aigw_store_take_bootstrap(aigw_store_t *store, aigw_str_t text,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
{
    return take_for(store, text, AIGW_TICKET_BOOTSTRAP, password, user,
                    login);
}
