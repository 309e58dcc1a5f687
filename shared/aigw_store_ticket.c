/*
 * Tickets: links, invitations, and the one of `init`: made, listed, deleted.
 * The text of one leaves this file only to the caller that had it made.
 */

#include <stdio.h>
#include <string.h>

#include "aigw_seal.h"
#include "aigw_time.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_internal.h"
#include "aigw_store_login.h"


/* What of one the audit log has. */
static const aigw_field_t  fields[] = {
    { "role", AIGW_FIELD_ROLE, offsetof(aigw_ticket_t, role), 1, 0 },
    { "quota", AIGW_FIELD_LIMIT, offsetof(aigw_ticket_t, quota_nano), 8, 0 },
    { "uses_left", AIGW_FIELD_UINT, offsetof(aigw_ticket_t, uses_left), 4,
      UINT32_MAX },
    { "user_id", AIGW_FIELD_UINT, offsetof(aigw_ticket_t, user_id), 8,
      INT64_MAX },
    { "expires_ms", AIGW_FIELD_TIME, offsetof(aigw_ticket_t, expires_ms), 8,
      0 },
    { NULL, 0, 0, 0, 0 }
};


int
aigw_store_is_ticket_over(const aigw_ticket_t *ticket, int64_t now_ms)
{
    return ticket->expires_ms != 0 && ticket->expires_ms <= now_ms;
}


void
aigw_store_put_ticket(aigw_db_txn_t *txn, const aigw_ticket_t *ticket)
{
    uint8_t        buf[AIGW_RECORD_MAX];
    aigw_db_key_t  at;

    aigw_store_key_hash(&at, ticket->hash);
    aigw_db_put(txn, AIGW_CONTROL_TICKETS, &at, buf,
                aigw_record_pack_ticket(ticket, buf));
}


void
aigw_store_drop_ticket(aigw_db_txn_t *txn, const aigw_ticket_t *ticket)
{
    aigw_db_key_t  at;

    aigw_store_key_hash(&at, ticket->hash);
    (void) aigw_db_delete(txn, AIGW_CONTROL_TICKETS, &at);
}


void
aigw_store_audit_ticket(aigw_store_t *store, aigw_db_txn_t *txn,
    const char *action, const aigw_ticket_t *before,
    const aigw_ticket_t *after)
{
    char                  id[AIGW_TICKET_ID_LEN + 1];
    const aigw_ticket_t  *ticket = after != NULL ? after : before;
    aigw_store_changed_t  changed = {
        .action = action, .object = aigw_record_ticket_name(ticket->kind),
        .name = id, .fields = fields, .before = before, .after = after
    };

    aigw_store_ticket_id(ticket, id);
    aigw_store_audit_changed(store, txn, &changed);
}


/* The first one at or behind `from` that has expired. */
static int
find_over(aigw_db_txn_t *txn, const aigw_db_key_t *from, int64_t now_ms,
    aigw_ticket_t *ticket)
{
    int               more;
    aigw_db_cursor_t  cur;

    aigw_db_cursor(&cur, txn, AIGW_CONTROL_TICKETS);

    for (more = aigw_db_seek(&cur, from); more; more = aigw_db_next(&cur)) {
        aigw_db_fail(txn, aigw_record_unpack_ticket(cur.value.data,
                                                    cur.value.len, ticket));

        if (txn->err != AIGW_OK || aigw_store_is_ticket_over(ticket, now_ms)) {
            break;
        }
    }

    aigw_db_cursor_close(&cur);

    return more && txn->err == AIGW_OK;
}


/* A cursor of its own for each: a delete may move what one stands on. */
void
aigw_store_sweep_tickets(aigw_db_txn_t *txn, int64_t now_ms)
{
    aigw_db_key_t  from;
    aigw_ticket_t  ticket;

    aigw_db_key(&from);

    while (find_over(txn, &from, now_ms, &ticket)) {
        aigw_store_drop_ticket(txn, &ticket);
        aigw_store_key_hash(&from, ticket.hash);
    }
}


static aigw_err_t
check_ticket(const aigw_ticket_t *ticket, int64_t now_ms)
{
    if (ticket->expires_ms <= now_ms) {
        return AIGW_EINVAL;
    }

    switch (ticket->kind) {

    case AIGW_TICKET_LINK:
        return AIGW_OK;

    case AIGW_TICKET_INVITE:
        return ticket->role < AIGW_ROLE_MAX
               && (ticket->quota_nano >= 0
                   || ticket->quota_nano == AIGW_UNLIMITED)
               && ticket->uses_left >= 1
               && ticket->uses_left <= AIGW_TICKET_USES ? AIGW_OK
                                                        : AIGW_EINVAL;
    default:
        return AIGW_EINVAL;
    }
}


/* The rest of a new one, and its text. */
static aigw_err_t
issue(aigw_ticket_t *ticket, char text[AIGW_TICKET_LEN + 1])
{
    aigw_err_t  err;

    err = aigw_key_generate_ticket(text);

    return err != AIGW_OK ? err
           : aigw_key_hash((aigw_str_t) { AIGW_TICKET_LEN, text },
                           ticket->hash);
}


/* Into the store; text is cleansed if it does not get there. */
static aigw_err_t
add(aigw_store_t *store, aigw_ticket_t *ticket,
    char text[AIGW_TICKET_LEN + 1])
{
    aigw_err_t     err;
    aigw_user_t    user;
    aigw_login_t   login;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_db_fail(&txn, issue(ticket, text));
    aigw_store_sweep_tickets(&txn, ticket->created_ms);

    if (ticket->user_id != 0) {
        aigw_store_load_user(&txn, ticket->user_id, &user);
    }

    if (ticket->kind == AIGW_TICKET_LINK) {
        aigw_store_load_login(&txn, ticket->user_id, &login);
        ticket->token_version = login.token_version;
    }

    if (aigw_db_count(&txn, AIGW_CONTROL_TICKETS) >= AIGW_TICKETS_MAX) {
        aigw_db_fail(&txn, AIGW_EFULL);
    }

    aigw_store_put_ticket(&txn, ticket);
    aigw_store_audit_ticket(store, &txn, "create", NULL, ticket);
    err = aigw_db_end(&txn);

    if (err != AIGW_OK) {
        aigw_cleanse(text, AIGW_TICKET_LEN + 1);
    }

    return err;
}


aigw_err_t
aigw_store_create_ticket(aigw_store_t *store, aigw_ticket_t *ticket,
    char text[AIGW_TICKET_LEN + 1])
{
    aigw_err_t     err;
    aigw_ticket_t  t = *ticket;

    t.created_ms = aigw_time_now_ms();
    t.token_version = 0;
    err = check_ticket(&t, t.created_ms);

    if (err == AIGW_OK && t.kind == AIGW_TICKET_LINK) {
        t.role = AIGW_ROLE_MEMBER;
        t.quota_nano = 0;
        t.uses_left = 1;
        err = t.user_id != 0 ? AIGW_OK : AIGW_ENOTFOUND;

    } else if (t.user_id == 0 && store->actor.kind == AIGW_ACTOR_API) {
        t.user_id = store->actor.id;
    }

    if (err == AIGW_OK) {
        err = add(store, &t, text);
    }

    if (err == AIGW_OK) {
        *ticket = t;
    }

    return err;
}


aigw_err_t
aigw_store_create_bootstrap(aigw_store_t *store,
    char text[AIGW_TICKET_LEN + 1])
{
    aigw_ticket_t  ticket = {
        .kind = AIGW_TICKET_BOOTSTRAP, .role = AIGW_ROLE_ADMIN,
        .quota_nano = AIGW_UNLIMITED, .uses_left = 1,
        .created_ms = aigw_time_now_ms()
    };

    return add(store, &ticket, text);
}


void
aigw_store_ticket_id(const aigw_ticket_t *ticket,
    char id[AIGW_TICKET_ID_LEN + 1])
{
    size_t  i;

    for (i = 0; i < AIGW_TICKET_ID_LEN / 2; i++) {
        (void) snprintf(id + 2 * i, 3, "%02x", ticket->hash[i]);
    }
}


/* Is a newer than b, or of the same moment and before it in the table? */
static int
is_before(const aigw_ticket_t *a, const aigw_ticket_t *b)
{
    return a->created_ms != b->created_ms
           ? a->created_ms > b->created_ms
           : aigw_db_int(a->hash, 8) < aigw_db_int(b->hash, 8);
}


/* Into the n newest so far, in order. */
static void
insert(aigw_ticket_t *tickets, size_t max, size_t *n,
    const aigw_ticket_t *ticket)
{
    size_t  i;

    for (i = *n; i > 0 && is_before(ticket, &tickets[i - 1]); i--) {
        if (i < max) {
            tickets[i] = tickets[i - 1];
        }
    }

    if (i < max) {
        tickets[i] = *ticket;
        *n += *n < max;
    }
}


aigw_err_t
aigw_store_list_tickets(aigw_store_t *store, const aigw_ticket_t *before,
    aigw_ticket_t *tickets, size_t max, size_t *n)
{
    int               more;
    size_t            found;
    int64_t           now_ms;
    aigw_err_t        err;
    aigw_db_key_t     first;
    aigw_db_txn_t     txn;
    aigw_ticket_t     ticket, from;
    aigw_db_cursor_t  cur;

    /* it may be one of those that are written over */
    if (before != NULL) {
        from = *before;
    }

    found = 0;
    now_ms = aigw_time_now_ms();
    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_TICKETS);
    aigw_db_key(&first);

    for (more = aigw_db_seek(&cur, &first); more; more = aigw_db_next(&cur)) {
        aigw_db_fail(&txn, aigw_record_unpack_ticket(cur.value.data,
                                                     cur.value.len, &ticket));

        if (txn.err == AIGW_OK && !aigw_store_is_ticket_over(&ticket, now_ms)
            && (before == NULL || is_before(&from, &ticket)))
        {
            insert(tickets, max, &found, &ticket);
        }
    }

    aigw_db_cursor_close(&cur);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *n = found;
    }

    return err;
}


/* The bytes that the id stands for. */
static aigw_err_t
parse_id(aigw_str_t id, aigw_db_key_t *prefix)
{
    int     digit;
    char    c;
    size_t  i;

    if (id.len != AIGW_TICKET_ID_LEN) {
        return AIGW_EINVAL;
    }

    aigw_db_key(prefix);

    for (i = 0; i < id.len; i++) {
        c = id.data[i];
        digit = c >= '0' && c <= '9' ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (digit < 0) {
            return AIGW_EINVAL;
        }

        if (i % 2 == 0) {
            aigw_db_key_int(prefix, (uint64_t) digit << 4, 1);
        } else {
            prefix->bytes[i / 2] |= (uint8_t) digit;
        }
    }

    return AIGW_OK;
}


aigw_err_t
aigw_store_delete_ticket(aigw_store_t *store, aigw_str_t id,
    aigw_ticket_t *ticket)
{
    int               found;
    aigw_err_t        err;
    aigw_db_key_t     prefix;
    aigw_db_txn_t     txn;
    aigw_ticket_t     t = { 0 };
    aigw_db_cursor_t  cur;

    if (parse_id(id, &prefix) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    aigw_db_write(store->control, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_TICKETS);
    found = aigw_db_seek(&cur, &prefix) && aigw_db_in(&cur, &prefix);

    if (found) {
        aigw_db_fail(&txn, aigw_record_unpack_ticket(cur.value.data,
                                                     cur.value.len, &t));
    } else {
        aigw_db_fail(&txn, AIGW_ENOTFOUND);
    }

    aigw_db_cursor_close(&cur);
    aigw_store_drop_ticket(&txn, &t);
    aigw_store_audit_ticket(store, &txn, "delete", &t, NULL);
    aigw_store_sweep_tickets(&txn, aigw_time_now_ms());
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *ticket = t;
    }

    return err;
}
