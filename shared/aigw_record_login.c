/*
 * Packs and unpacks what lets people in: logins and tickets. No I/O; the order
 * of fields here is the format at rest.
 */

#include "aigw_record_internal.h"
#include "aigw_record.h"


/* Nothing of a password that is none. */
static void
write_password(aigw_writer_t *w, const aigw_password_t *password)
{
    aigw_write_int(w, password->scheme, 1);

    if (password->scheme != AIGW_PASSWORD_NONE) {
        aigw_write_int(w, password->log_n, 1);
        aigw_write_int(w, password->r, 1);
        aigw_write_int(w, password->p, 1);
        aigw_write_bytes(w, password->salt, sizeof(password->salt));
        aigw_write_bytes(w, password->hash, sizeof(password->hash));
    }
}


static void
read_password(aigw_reader_t *r, aigw_password_t *password)
{
    memset(password, 0, sizeof(*password));
    password->scheme = (uint8_t) aigw_read_below(r, 1, AIGW_PASSWORD_SCHEMES);

    if (password->scheme != AIGW_PASSWORD_NONE) {
        password->log_n = (uint8_t) aigw_read_int(r, 1);
        password->r = (uint8_t) aigw_read_int(r, 1);
        password->p = (uint8_t) aigw_read_int(r, 1);
        aigw_read_bytes(r, password->salt, sizeof(password->salt));
        aigw_read_bytes(r, password->hash, sizeof(password->hash));
    }
}


size_t
aigw_record_pack_login(const aigw_login_t *login, uint8_t *buf)
{
    aigw_writer_t  w = { buf };

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);
    aigw_write_int(&w, login->user_id, 8);
    aigw_write_int(&w, login->token_version, 4);
    aigw_write_int(&w, (uint64_t) login->password_changed_ms, 8);
    write_password(&w, &login->password);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_login(const uint8_t *buf, size_t len, aigw_login_t *login)
{
    aigw_err_t     err;
    aigw_login_t   l;
    aigw_reader_t  r = aigw_reader(buf, len);

    l.user_id = aigw_read_int(&r, 8);
    l.token_version = (uint32_t) aigw_read_int(&r, 4);
    l.password_changed_ms = aigw_read_min(&r, INT64_MIN);
    read_password(&r, &l.password);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *login = l;
    }

    return err;
}


size_t
aigw_record_pack_ticket(const aigw_ticket_t *ticket, uint8_t *buf)
{
    aigw_writer_t  w = { buf };

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);
    aigw_write_bytes(&w, ticket->hash, sizeof(ticket->hash));
    aigw_write_int(&w, ticket->kind, 1);
    aigw_write_int(&w, ticket->role, 1);
    aigw_write_int(&w, ticket->uses_left, 4);
    aigw_write_int(&w, ticket->token_version, 4);
    aigw_write_int(&w, ticket->user_id, 8);
    aigw_write_int(&w, (uint64_t) ticket->quota_nano, 8);
    aigw_write_int(&w, (uint64_t) ticket->created_ms, 8);
    aigw_write_int(&w, (uint64_t) ticket->expires_ms, 8);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_ticket(const uint8_t *buf, size_t len,
    aigw_ticket_t *ticket)
{
    aigw_err_t     err;
    aigw_reader_t  r = aigw_reader(buf, len);
    aigw_ticket_t  t;

    memset(&t, 0, sizeof(t));
    aigw_read_bytes(&r, t.hash, sizeof(t.hash));
    t.kind = (uint8_t) aigw_read_below(&r, 1, AIGW_TICKET_MAX);
    t.role = (uint8_t) aigw_read_below(&r, 1, AIGW_ROLE_MAX);
    t.uses_left = (uint32_t) aigw_read_int(&r, 4);
    t.token_version = (uint32_t) aigw_read_int(&r, 4);
    t.user_id = aigw_read_int(&r, 8);
    t.quota_nano = aigw_read_min(&r, AIGW_UNLIMITED);
    t.created_ms = aigw_read_min(&r, INT64_MIN);
    t.expires_ms = aigw_read_min(&r, 0);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *ticket = t;
    }

    return err;
}


static const char *const  roles[AIGW_ROLE_MAX] = {
    "member", "admin", "auditor"
};


const char *
aigw_record_role_name(unsigned role)
{
    return role < AIGW_ROLE_MAX ? roles[role] : "unknown";
}


aigw_err_t
aigw_record_parse_role(aigw_str_t text, uint8_t *role)
{
    uint8_t  i;

    for (i = 0; i < AIGW_ROLE_MAX; i++) {
        if (text.len == strlen(roles[i])
            && memcmp(text.data, roles[i], text.len) == 0)
        {
            *role = i;
            return AIGW_OK;
        }
    }

    return AIGW_EINVAL;
}


const char *
aigw_record_ticket_name(unsigned kind)
{
    static const char *const  names[AIGW_TICKET_MAX] = {
        "unknown", "link", "invite", "bootstrap"
    };

    return kind < AIGW_TICKET_MAX ? names[kind] : "unknown";
}
