/*
 * How people get in: logins, and tickets, which stand for them. Below the same
 * rules as aigw_store.h. A ticket's text is shown once, when it is made; the
 * store has its hash. Threats M01, M14.
 */

#ifndef AIGW_STORE_LOGIN_H
#define AIGW_STORE_LOGIN_H

#include "aigw_record.h"
#include "aigw_store.h"


/* --- logins --- */

/* A user and how it gets in, in one snapshot; user may be NULL. A user of a
   store older than logins has version 1 and no password. AIGW_ENOTFOUND. */
aigw_err_t aigw_store_get_login(aigw_store_t *store, uint64_t user_id,
    aigw_user_t *user, aigw_login_t *login) AIGW_CHECKED;

/* The same by name, which no id stands for. */
aigw_err_t aigw_store_find_login(aigw_store_t *store, aigw_str_t name,
    aigw_user_t *user, aigw_login_t *login) AIGW_CHECKED;

/* aigw_store_create_user with a password from the start; sets login. */
aigw_err_t aigw_store_register(aigw_store_t *store,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
    AIGW_CHECKED;

/* The same of an enabled member, whatever user says but name and quota. */
aigw_err_t aigw_store_sign_up(aigw_store_t *store,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
    AIGW_CHECKED;

/*
 * Gives login->user_id that password (AIGW_PASSWORD_NONE takes it away) and
 * raises the version, which must be login->token_version until then (0: any);
 * login is set to what is stored. AIGW_AGAIN: it is another, somebody was
 * quicker. AIGW_ENOTFOUND: no such user.
 */
aigw_err_t aigw_store_set_password(aigw_store_t *store, aigw_login_t *login)
    AIGW_CHECKED;

/* The same password, hashed anew: nothing else changes. */
aigw_err_t aigw_store_rehash_password(aigw_store_t *store, aigw_login_t *login)
    AIGW_CHECKED;

/*
 * Ends all tokens that the user has. So does what changes a user's role or
 * whether it is enabled; a user that is deleted has none. *version is the new
 * one.
 */
aigw_err_t aigw_store_raise_version(aigw_store_t *store, uint64_t user_id,
    uint32_t *version) AIGW_CHECKED;


/* --- tickets --- */

#define AIGW_TICKETS_MAX    10000     /* at the same time */
#define AIGW_TICKET_USES    1000      /* of one invitation at most */
#define AIGW_TICKET_ID_LEN  12        /* hex digits that name one */

/*
 * Makes a link (kind, user_id, expires_ms) or an invitation (kind, role,
 * quota_nano, uses_left, expires_ms; user_id who invites, 0: the user who acts,
 * if it is one: aigw_store_act_as); sets the rest, and text. AIGW_ENOTFOUND: no
 * such user; AIGW_EINVAL: a bad value, or an end that is not to come;
 * AIGW_EFULL: there are too many. Each of the calls that write drops those that
 * have expired.
 */
aigw_err_t aigw_store_create_ticket(aigw_store_t *store, aigw_ticket_t *ticket,
    char text[AIGW_TICKET_LEN + 1]) AIGW_CHECKED;

/*
 * The ticket that text is, still good. AIGW_ENOTFOUND: there is none, it has
 * expired, its user is gone, or what it was made of has changed: a link's user
 * has been disabled, got another password or role, or logged out; who invited
 * is disabled, or invited to more than a member and is no admin any more.
 */
aigw_err_t aigw_store_find_ticket(aigw_store_t *store, aigw_str_t text,
    aigw_ticket_t *ticket) AIGW_CHECKED;

/* Each takes a ticket of its kind together with what it is for, in one
   transaction: once. AIGW_ENOTFOUND as above; on any error it is as it was. */

/* Who is let in by a link. */
aigw_err_t aigw_store_take_link(aigw_store_t *store, aigw_str_t text,
    aigw_user_t *user, aigw_login_t *login) AIGW_CHECKED;

/* Makes the user user->name with that password, and the role and quota of the
   invitation; sets the rest of user, and login. AIGW_EEXIST: the name is taken;
   AIGW_EINVAL: it is none. */
aigw_err_t aigw_store_take_invite(aigw_store_t *store, aigw_str_t text,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
    AIGW_CHECKED;

/* The same for the ticket of `init`: user->name is an admin who is there, or a
   new one without limit. AIGW_EEXIST: it is somebody who is no admin. */
aigw_err_t aigw_store_take_bootstrap(aigw_store_t *store, aigw_str_t text,
    const aigw_password_t *password, aigw_user_t *user, aigw_login_t *login)
    AIGW_CHECKED;

/* Those that have not expired, newest first, behind `before` (created_ms and
   hash; NULL: from the newest); *n of at most max. */
aigw_err_t aigw_store_list_tickets(aigw_store_t *store,
    const aigw_ticket_t *before, aigw_ticket_t *tickets, size_t max, size_t *n)
    AIGW_CHECKED;

/* Its id: the first hex digits of its hash. */
void aigw_store_ticket_id(const aigw_ticket_t *ticket,
    char id[AIGW_TICKET_ID_LEN + 1]);

/* AIGW_ENOTFOUND: none has this id; AIGW_EINVAL: it is none. */
aigw_err_t aigw_store_delete_ticket(aigw_store_t *store, aigw_str_t id,
    aigw_ticket_t *ticket) AIGW_CHECKED;

#endif /* AIGW_STORE_LOGIN_H */
