/* Logins and tickets (threats M01, M14): who may have which, what ends them,
   and that each is taken once. No password here was ever hashed. */

#include "store.h"

#include "aigw_store_audit.h"
#include "aigw_store_internal.h"
#include "aigw_store_login.h"
#include "aigw_time.h"


#define MINUTE  INT64_C(60000)


static aigw_password_t
a_password(uint8_t n)
{
    aigw_password_t  password = {
        .scheme = AIGW_PASSWORD_SCRYPT, .log_n = 17, .r = 8, .p = 1
    };

    memset(password.hash, n, sizeof(password.hash));

    return password;
}


static uint32_t
version_of(aigw_store_t *s, uint64_t id)
{
    aigw_login_t  login = { 0 };

    return aigw_store_get_login(s, id, NULL, &login) == AIGW_OK
           ? login.token_version : 0;
}


static aigw_user_t
make_user(aigw_store_t *s, const char *name, uint8_t role)
{
    aigw_user_t  user = a_user(name);

    user.role = role;
    ok(aigw_store_create_user(s, &user) == AIGW_OK, "user %s", name);

    return user;
}


static void
test_password(void)
{
    uint32_t       version;
    aigw_user_t    ana, found;
    aigw_login_t   login, other;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    ana = make_user(s, "ana", AIGW_ROLE_MEMBER);

    ok(aigw_store_find_login(s, str("admin"), &found, &login) == AIGW_OK
       && found.role == AIGW_ROLE_ADMIN
       && login.password.scheme == AIGW_PASSWORD_NONE,
       "M01 a fresh store's admin has no password");
    ok(aigw_store_find_login(s, str("ana"), &found, &login) == AIGW_OK
       && found.id == ana.id && login.user_id == ana.id
       && login.token_version != 0 && login.password_changed_ms == 0,
       "nor has a new user, who has a version");
    is_int(aigw_store_find_login(s, str("2"), &found, &login),
           AIGW_ENOTFOUND, "an id is no name to log in with");
    is_int(aigw_store_find_login(s, str(""), &found, &login),
           AIGW_ENOTFOUND, "nor is nothing");

    other = login;
    version = login.token_version;
    login.password = a_password(7);
    ok(aigw_store_set_password(s, &login) == AIGW_OK
       && login.password.hash[31] == 7 && login.password_changed_ms > 0
       && login.token_version != version,
       "M14 a password ends the tokens of before");
    is_int(version_of(s, ana.id), login.token_version, "as it is stored");
    other.password = a_password(8);
    is_int(aigw_store_set_password(s, &other), AIGW_AGAIN,
           "who was slower must look again");
    ok(aigw_store_get_login(s, ana.id, &found, &other) == AIGW_OK
       && other.password.hash[0] == 7 && found.id == ana.id,
       "... and has changed nothing");

    version = other.token_version;
    other.password = a_password(9);
    ok(aigw_store_rehash_password(s, &other) == AIGW_OK
       && other.token_version == version && other.password.hash[0] == 9,
       "hashed anew: tokens go on");
    other.token_version++;
    is_int(aigw_store_rehash_password(s, &other), AIGW_AGAIN,
           "not over another password");

    ok(aigw_store_raise_version(s, ana.id, &version) == AIGW_OK
       && version == version_of(s, ana.id) && version == other.token_version,
       "M14 logging out ends tokens");
    other.token_version = 0;
    other.password.scheme = AIGW_PASSWORD_NONE;
    ok(aigw_store_set_password(s, &other) == AIGW_OK
       && aigw_store_get_login(s, ana.id, NULL, &login) == AIGW_OK
       && login.password.scheme == AIGW_PASSWORD_NONE,
       "it can be taken away, whatever the version");
    other.user_id = 99;
    is_int(aigw_store_set_password(s, &other), AIGW_ENOTFOUND, "nobody");
    is_int(aigw_store_raise_version(s, 99, &version), AIGW_ENOTFOUND,
           "nobody logs out");
    is_int(aigw_store_get_login(s, 99, &found, &login), AIGW_ENOTFOUND,
           "nobody has a login");
    aigw_store_close(s);
}


static void
test_register(void)
{
    aigw_user_t      eve = a_user("eve"), found;
    aigw_login_t     login = { 0 }, stored;
    aigw_store_t    *s;
    aigw_password_t  password = a_password(2), none = { 0 };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    is_int(aigw_store_register(s, &none, &eve, &login), AIGW_EINVAL,
           "nobody registers without a password");
    ok(aigw_store_register(s, &password, &eve, &login) == AIGW_OK
       && eve.id == 2 && eve.created_ms > 0 && login.password.hash[0] == 2,
       "with one a user is made");
    ok(aigw_store_get_login(s, 2, &found, &stored) == AIGW_OK
       && strcmp(found.name, "eve") == 0
       && stored.token_version == login.token_version
       && stored.password.hash[31] == 2, "as it is stored");
    is_int(aigw_store_register(s, &password, &eve, &login), AIGW_EEXIST,
           "once");
    eve.role = AIGW_ROLE_MAX;
    is_int(aigw_store_register(s, &password, &eve, &login), AIGW_EINVAL,
           "no role");
    aigw_store_close(s);
}


/* Each change of a user, and whether it ends tokens. */
static void
test_versions(void)
{
    size_t         i;
    uint32_t       version;
    aigw_user_t    ana, u;
    aigw_login_t   login;
    aigw_store_t  *s;

    static const struct {
        const char  *name;
        unsigned     fields;
        uint8_t      role;
        uint8_t      enabled;
        int          ends;
    } changes[] = {
        { "M14 disabled", AIGW_CHANGE_ENABLED, 0, 0, 1 },
        { "disabled again", AIGW_CHANGE_ENABLED, 0, 0, 0 },
        { "M14 enabled", AIGW_CHANGE_ENABLED, 0, 1, 1 },
        { "M14 an admin", AIGW_CHANGE_ROLE, AIGW_ROLE_ADMIN, 1, 1 },
        { "M14 an auditor", AIGW_CHANGE_ROLE, AIGW_ROLE_AUDITOR, 1, 1 },
        { "an auditor again", AIGW_CHANGE_ROLE, AIGW_ROLE_AUDITOR, 1, 0 },
        { "a quota", AIGW_CHANGE_QUOTA, 0, 1, 0 },
        { "a name", AIGW_CHANGE_NAME, 0, 1, 0 },
    };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    ana = make_user(s, "ana", AIGW_ROLE_MEMBER);

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        u = ana;
        u.role = changes[i].role;
        u.enabled = changes[i].enabled;
        u.quota_nano = 7;
        strcpy(u.name, "bea");
        version = version_of(s, ana.id);
        ok(aigw_store_change_user(s, changes[i].fields, &u) == AIGW_OK
           && (version_of(s, ana.id) != version) == changes[i].ends, "%s: %s",
           changes[i].name, changes[i].ends ? "ends tokens" : "goes on");
    }

    is_int(aigw_store_delete_user(s, ana.id), AIGW_OK, "deleted");
    is_int(aigw_store_get_login(s, ana.id, NULL, &login), AIGW_ENOTFOUND,
           "M14 who is deleted has no version");
    aigw_store_close(s);
}


static void
test_last_admin(void)
{
    aigw_user_t    admin, bob, u;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    is_int(aigw_store_find_user(s, str("admin"), &admin), AIGW_OK, "admin");
    bob = make_user(s, "bob", AIGW_ROLE_AUDITOR);

    u = admin;
    u.enabled = 0;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &u), AIGW_ELAST,
           "the last admin is not disabled");
    u.role = AIGW_ROLE_MEMBER;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ROLE, &u), AIGW_ELAST,
           "nor demoted");
    is_int(aigw_store_delete_user(s, admin.id), AIGW_ELAST, "nor deleted");
    strcpy(u.name, "root");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &u), AIGW_OK,
           "a name is no matter");
    ok(aigw_store_find_user(s, str("root"), &u) == AIGW_OK && u.enabled
       && u.role == AIGW_ROLE_ADMIN, "all is as it was");

    bob.role = AIGW_ROLE_ADMIN;
    bob.enabled = 0;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ROLE | AIGW_CHANGE_ENABLED,
                                  &bob), AIGW_OK, "another, disabled");
    is_int(aigw_store_delete_user(s, admin.id), AIGW_ELAST,
           "who does not count");
    bob.enabled = 1;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &bob), AIGW_OK,
           "another, enabled");
    is_int(aigw_store_delete_user(s, admin.id), AIGW_OK, "who does");
    is_int(aigw_store_delete_user(s, bob.id), AIGW_ELAST,
           "and is the last now");
    aigw_store_close(s);
}


static aigw_ticket_t
a_link(uint64_t user_id)
{
    return (aigw_ticket_t) {
        .kind = AIGW_TICKET_LINK, .user_id = user_id,
        .expires_ms = aigw_time_now_ms() + MINUTE
    };
}


static aigw_ticket_t
an_invite(uint64_t user_id, uint8_t role, uint32_t uses)
{
    return (aigw_ticket_t) {
        .kind = AIGW_TICKET_INVITE, .user_id = user_id, .role = role,
        .uses_left = uses, .quota_nano = 5 * AIGW_UNIT_NANO,
        .expires_ms = aigw_time_now_ms() + MINUTE
    };
}


static size_t
count_tickets(aigw_store_t *s)
{
    size_t         n = 77;
    aigw_ticket_t  tickets[20];

    return aigw_store_list_tickets(s, NULL, tickets, 20, &n) == AIGW_OK
           ? n : 77;
}


static void
test_link(void)
{
    char           text[AIGW_TICKET_LEN + 1], second[AIGW_TICKET_LEN + 1];
    uint32_t       version;
    aigw_user_t    ana, u;
    aigw_login_t   login = { 0 };
    aigw_store_t  *s;
    aigw_ticket_t  t, found;
    aigw_password_t  password = a_password(1);

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    ana = make_user(s, "ana", AIGW_ROLE_MEMBER);
    t = a_link(ana.id);
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_OK, "a link");
    ok(aigw_key_check_ticket(str(text)) == AIGW_OK && t.created_ms > 0
       && t.uses_left == 1, "has the form of one");
    ok(aigw_store_find_ticket(s, str(text), &found) == AIGW_OK
       && found.user_id == ana.id && found.kind == AIGW_TICKET_LINK,
       "it is found");
    text[10] = text[10] == 'x' ? 'y' : 'x';
    is_int(aigw_store_find_ticket(s, str(text), &found), AIGW_ENOTFOUND,
           "another text is not");
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_OK, "a second one");

    u = a_user("eve");
    is_int(aigw_store_take_invite(s, str(text), &password, &u, &login),
           AIGW_ENOTFOUND, "a link invites nobody");
    is_int(aigw_store_take_bootstrap(s, str(text), &password, &u, &login),
           AIGW_ENOTFOUND, "nor is it the bootstrap token");
    ok(aigw_store_take_link(s, str(text), &u, &login) == AIGW_OK
       && u.id == ana.id && login.token_version == version_of(s, ana.id),
       "it lets its user in");
    is_int(aigw_store_take_link(s, str(text), &u, &login), AIGW_ENOTFOUND,
           "once");

    found = t;
    found.expires_ms = aigw_time_now_ms() + 20;
    is_int(aigw_store_create_ticket(s, &found, text), AIGW_OK, "a short one");
    usleep(30000);
    ok(aigw_store_find_ticket(s, str(text), &found) == AIGW_ENOTFOUND
       && aigw_store_take_link(s, str(text), &u, &login) == AIGW_ENOTFOUND,
       "lets nobody in when it is over");
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_OK, "a third");
    is_int(aigw_store_raise_version(s, ana.id, &version), AIGW_OK, "logout");
    is_int(aigw_store_take_link(s, str(text), &u, &login), AIGW_ENOTFOUND,
           "M14 ends it, too");
    is_int(aigw_store_create_ticket(s, &t, second), AIGW_OK, "a fourth");
    u = ana;
    u.enabled = 0;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &u), AIGW_OK,
           "disabled");
    is_int(aigw_store_take_link(s, str(second), &u, &login), AIGW_ENOTFOUND,
           "M14 who is disabled is not let in");
    is_int(aigw_store_create_ticket(s, &t, second), AIGW_OK,
           "nor by a link of then");
    is_int(aigw_store_find_ticket(s, str(second), &found), AIGW_ENOTFOUND,
           "which is none");
    is_int(aigw_store_delete_user(s, ana.id), AIGW_OK, "deleted");
    is_int(aigw_store_take_link(s, str(second), &u, &login), AIGW_ENOTFOUND,
           "a link of nobody");
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_ENOTFOUND,
           "cannot be made");
    aigw_store_close(s);
}


static void
test_invite(void)
{
    char             text[AIGW_TICKET_LEN + 1], other[AIGW_TICKET_LEN + 1];
    aigw_user_t      u, bob;
    aigw_actor_t     actor = { .kind = AIGW_ACTOR_API, .name = "bob" };
    aigw_login_t     login = { 0 };
    aigw_store_t    *s;
    aigw_ticket_t    t;
    aigw_password_t  password = a_password(3), none = { 0 };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    t = an_invite(1, AIGW_ROLE_MEMBER, 2);
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_OK,
           "an invitation for two");

    u = a_user("admin");
    is_int(aigw_store_take_invite(s, str(text), &password, &u, &login),
           AIGW_EEXIST, "a name that is taken");
    u = a_user("-x");
    is_int(aigw_store_take_invite(s, str(text), &password, &u, &login),
           AIGW_EINVAL, "one that is none");
    u = a_user("eva");
    is_int(aigw_store_take_invite(s, str(text), &none, &u, &login),
           AIGW_EINVAL, "no password");
    u.role = AIGW_ROLE_ADMIN;
    u.quota_nano = AIGW_UNLIMITED;
    ok(aigw_store_take_invite(s, str(text), &password, &u, &login) == AIGW_OK
       && u.role == AIGW_ROLE_MEMBER && u.enabled
       && u.quota_nano == 5 * AIGW_UNIT_NANO && u.created_ms > 0,
       "role and quota are the invitation's");
    ok(login.user_id == u.id && login.password.hash[0] == 3
       && login.token_version == version_of(s, u.id), "with a password");
    ok(aigw_store_find_login(s, str("eva"), &u, &login) == AIGW_OK
       && login.password.hash[0] == 3, "as it is stored");
    is_int(aigw_store_take_link(s, str(text), &u, &login), AIGW_ENOTFOUND,
           "it lets in nobody");
    u = a_user("evi");
    is_int(aigw_store_take_invite(s, str(text), &password, &u, &login),
           AIGW_OK, "the second");
    u = a_user("evo");
    is_int(aigw_store_take_invite(s, str(text), &password, &u, &login),
           AIGW_ENOTFOUND, "and no third");
    ok(aigw_store_find_user(s, str("evo"), &u) == AIGW_ENOTFOUND
       && count_tickets(s) == 0, "nothing is left");

    /* by somebody who is no admin any more */
    bob = make_user(s, "bob", AIGW_ROLE_ADMIN);
    t = an_invite(0, AIGW_ROLE_AUDITOR, 1);
    actor.id = bob.id;
    aigw_store_act_as(s, &actor);
    ok(aigw_store_create_ticket(s, &t, text) == AIGW_OK
       && t.user_id == bob.id, "for an auditor, by who acts");
    aigw_store_act_as(s, NULL);
    t = an_invite(bob.id, AIGW_ROLE_MEMBER, 1);
    is_int(aigw_store_create_ticket(s, &t, other), AIGW_OK, "for a member");
    bob.role = AIGW_ROLE_MEMBER;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ROLE, &bob), AIGW_OK,
           "by one who is demoted");
    u = a_user("evo");
    is_int(aigw_store_take_invite(s, str(text), &password, &u, &login),
           AIGW_ENOTFOUND, "M09 makes no auditor");
    is_int(aigw_store_find_ticket(s, str(other), &t), AIGW_OK,
           "but still a member");
    bob.enabled = 0;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &bob), AIGW_OK,
           "disabled");
    is_int(aigw_store_find_ticket(s, str(other), &t), AIGW_ENOTFOUND,
           "nobody");
    aigw_store_close(s);
}


static void
test_sign_up(void)
{
    aigw_user_t      u;
    aigw_login_t     login = { 0 };
    aigw_store_t    *s;
    aigw_password_t  password = a_password(4), none = { 0 };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    u = a_user("eva");
    u.role = AIGW_ROLE_ADMIN;
    u.quota_nano = 7 * AIGW_UNIT_NANO;
    is_int(aigw_store_sign_up(s, &none, &u, &login), AIGW_EINVAL,
           "sign-up: no password");
    ok(aigw_store_sign_up(s, &password, &u, &login) == AIGW_OK
       && u.role == AIGW_ROLE_MEMBER && u.enabled && u.created_ms > 0
       && u.quota_nano == 7 * AIGW_UNIT_NANO,
       "M09 a member, whatever was asked for, with that quota");
    ok(login.user_id == u.id && login.token_version == version_of(s, u.id),
       "and a login");
    ok(aigw_store_find_login(s, str("eva"), &u, &login) == AIGW_OK
       && login.password.hash[0] == 4, "as it is stored");
    is_int(aigw_store_sign_up(s, &password, &u, &login), AIGW_EEXIST,
           "a name that is taken");
    u = a_user("12");
    is_int(aigw_store_sign_up(s, &password, &u, &login), AIGW_EINVAL,
           "one that is none");
    u = a_user("evi");
    u.quota_nano = -5;
    is_int(aigw_store_sign_up(s, &password, &u, &login), AIGW_EINVAL,
           "a quota that is none");
    ok(aigw_store_find_user(s, str("evi"), &u) == AIGW_ENOTFOUND,
       "nobody is left");
    aigw_store_close(s);
}


static void
test_bad_tickets(void)
{
    char           text[AIGW_TICKET_LEN + 1];
    size_t         i, bad;
    aigw_store_t  *s;
    aigw_ticket_t  t[9];

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    for (i = 0; i < 9; i++) {
        t[i] = an_invite(1, AIGW_ROLE_MEMBER, 1);
    }

    t[0].kind = AIGW_TICKET_NONE;
    t[1].kind = AIGW_TICKET_BOOTSTRAP;
    t[2].kind = AIGW_TICKET_MAX;
    t[3].role = AIGW_ROLE_MAX;
    t[4].quota_nano = -2;
    t[5].uses_left = 0;
    t[6].uses_left = AIGW_TICKET_USES + 1;
    t[7].expires_ms = 0;
    t[8].expires_ms = aigw_time_now_ms();
    bad = 0;

    for (i = 0; i < 9; i++) {
        bad += aigw_store_create_ticket(s, &t[i], text) != AIGW_EINVAL;
    }

    is_int((int64_t) bad, 0, "M01 M08 what no ticket can be");
    t[0] = an_invite(99, AIGW_ROLE_MEMBER, 1);
    is_int(aigw_store_create_ticket(s, &t[0], text), AIGW_ENOTFOUND,
           "nobody invites");
    t[0] = a_link(0);
    is_int(aigw_store_create_ticket(s, &t[0], text), AIGW_ENOTFOUND,
           "a link of nobody");
    is_int((int64_t) count_tickets(s), 0, "nothing was made");
    aigw_store_close(s);
}


static void
test_bootstrap(void)
{
    char             text[AIGW_TICKET_LEN + 1];
    uint32_t         version;
    aigw_user_t      u, eve;
    aigw_login_t     login = { 0 };
    aigw_store_t    *s;
    aigw_ticket_t    t;
    aigw_password_t  password = a_password(5);

    test_remove(test_store);
    is_int(aigw_store_init(test_store, NO_GROUP, text, fault), AIGW_OK,
           "a store with a bootstrap token");
    s = test_open(AIGW_STORE_CONTROL_WRITE);
    ok(aigw_store_find_ticket(s, str(text), &t) == AIGW_OK
       && t.kind == AIGW_TICKET_BOOTSTRAP && t.expires_ms == 0,
       "which does not expire");
    eve = make_user(s, "eve", AIGW_ROLE_MEMBER);
    is_int(aigw_store_take_bootstrap(s, str(text), &password, &eve, &login),
           AIGW_EEXIST, "M09 it makes no admin of a member");
    u = a_user("admin");
    version = version_of(s, 1);
    ok(aigw_store_take_bootstrap(s, str(text), &password, &u, &login)
       == AIGW_OK && u.id == 1 && u.role == AIGW_ROLE_ADMIN
       && login.password.hash[0] == 5 && login.token_version != version
       && login.token_version == version_of(s, 1),
       "M01 it gives the admin a password");
    is_int(aigw_store_take_bootstrap(s, str(text), &password, &u, &login),
           AIGW_ENOTFOUND, "M01 once");
    aigw_store_close(s);

    test_remove(test_store);
    is_int(aigw_store_init(test_store, NO_GROUP, text, fault), AIGW_OK,
           "another");
    s = test_open(AIGW_STORE_CONTROL_WRITE);
    u = a_user("boss");
    u.enabled = 0;
    ok(aigw_store_take_bootstrap(s, str(text), &password, &u, &login)
       == AIGW_OK && u.id > 1 && u.role == AIGW_ROLE_ADMIN && u.enabled
       && u.quota_nano == AIGW_UNLIMITED, "or it makes an admin");
    is_int(aigw_store_take_bootstrap(s, str(text), &password, &u, &login),
           AIGW_ENOTFOUND, "once, too");
    aigw_store_close(s);
}


/* As a store has it whose clock has gone on. */
static void
put_old(aigw_store_t *s, uint8_t n, int64_t expires_ms)
{
    aigw_db_txn_t  txn;
    aigw_ticket_t  t = an_invite(0, AIGW_ROLE_MEMBER, 1);

    memset(t.hash, n, sizeof(t.hash));
    t.created_ms = n;
    t.expires_ms = expires_ms;
    aigw_db_write(s->control, &txn);
    aigw_store_put_ticket(&txn, &t);
    ok(aigw_db_end(&txn) == AIGW_OK, "a ticket put");
}


static uint64_t
stored_tickets(aigw_store_t *s)
{
    uint64_t       n;
    aigw_db_txn_t  txn;

    aigw_db_read(s->control, &txn);
    n = aigw_db_count(&txn, AIGW_CONTROL_TICKETS);

    return aigw_db_end(&txn) == AIGW_OK ? n : 77;
}


static void
test_list(void)
{
    char           text[AIGW_TICKET_LEN + 1], id[AIGW_TICKET_ID_LEN + 1];
    size_t         i, n;
    int64_t        later = aigw_time_now_ms() + MINUTE;
    aigw_store_t  *s;
    aigw_ticket_t  t, page[3];

    static const uint8_t  order[] = { 9, 8, 7, 6, 5, 4, 3 };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    for (i = 0; i < 7; i++) {
        put_old(s, order[(i * 3) % 7], later);
    }

    put_old(s, 1, 1);
    put_old(s, 0xfe, 1);
    put_old(s, 0xff, aigw_time_now_ms() - 1);

    ok(aigw_store_list_tickets(s, NULL, page, 3, &n) == AIGW_OK && n == 3
       && page[0].created_ms == 9 && page[1].created_ms == 8
       && page[2].created_ms == 7, "newest first, without what has expired");
    ok(aigw_store_list_tickets(s, &page[2], page, 3, &n) == AIGW_OK && n == 3
       && page[0].created_ms == 6 && page[2].created_ms == 4, "goes on");
    ok(aigw_store_list_tickets(s, &page[2], page, 3, &n) == AIGW_OK && n == 1
       && page[0].created_ms == 3, "to its end");

    is_int((int64_t) stored_tickets(s), 10, "the expired are still there");
    t = an_invite(0, AIGW_ROLE_MEMBER, 1);
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_OK, "a new one");
    is_int((int64_t) stored_tickets(s), 8, "the expired are gone");

    aigw_store_ticket_id(&page[0], id);
    is_str(id, "030303030303", "an id");
    is_int(aigw_store_delete_ticket(s, str("03030303030"), &t), AIGW_EINVAL,
           "11 digits are none");
    is_int(aigw_store_delete_ticket(s, str("03030303030g"), &t), AIGW_EINVAL,
           "nor is a g");
    is_int(aigw_store_delete_ticket(s, str("030303030302"), &t),
           AIGW_ENOTFOUND, "one that nothing has");
    is_int(aigw_store_delete_ticket(s, str("0a0303030303"), &t),
           AIGW_ENOTFOUND, "... nor begins with");
    ok(aigw_store_delete_ticket(s, str(id), &t) == AIGW_OK
       && t.created_ms == 3 && stored_tickets(s) == 7, "deleted");
    is_int(aigw_store_delete_ticket(s, str(id), &t), AIGW_ENOTFOUND, "once");
    aigw_store_close(s);
}


/* Eight processes with one ticket: one is let in. */
static void
test_race(void)
{
    int              status, won, go[2];
    char             text[AIGW_TICKET_LEN + 1], c;
    pid_t            pids[8];
    size_t           i;
    aigw_user_t      u;
    aigw_login_t     login = { 0 };
    aigw_store_t    *s;
    aigw_ticket_t    t = an_invite(0, AIGW_ROLE_MEMBER, 1);
    aigw_password_t  password = a_password(1);

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    is_int(aigw_store_create_ticket(s, &t, text), AIGW_OK, "an invitation");
    aigw_store_close(s);
    ok(pipe(go) == 0, "a pipe");
    (void) fflush(stdout);

    for (i = 0; i < 8; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            (void) close(go[1]);
            s = test_open(AIGW_STORE_CONTROL_WRITE);
            (void) !read(go[0], &c, 1);
            u = a_user("u");
            u.name[1] = (char) ('a' + i);
            _exit(aigw_store_take_invite(s, str(text), &password, &u, &login)
                  == AIGW_OK ? 0 : 1);
        }
    }

    usleep(100000);
    (void) close(go[0]);
    (void) close(go[1]);
    won = 0;

    for (i = 0; i < 8; i++) {
        won += waitpid(pids[i], &status, 0) == pids[i] && status == 0;
    }

    is_int(won, 1, "eight with one invitation: one is let in");
    s = test_open(0);
    ok(aigw_store_list_users(s, 0, &u, 1, &i) == AIGW_OK && i == 1
       && u.id == 2, "and one user was made");
    aigw_store_close(s);
}


int
main(void)
{
    test_begin();

    test_password();
    test_register();
    test_versions();
    test_last_admin();
    test_link();
    test_invite();
    test_sign_up();
    test_bad_tickets();
    test_bootstrap();
    test_list();
    test_race();

    test_remove(test_dir);

    return done();
}
