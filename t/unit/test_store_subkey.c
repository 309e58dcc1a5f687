/* Sub-keys and the accounts that make them (threats K09, K06, M19). */

#include "store.h"
#include "aigw_store_internal.h"
#include "aigw_store_subkey.h"


static const aigw_seal_master_t  master = { { 1, 2, 3, 4, 5, 6, 7, 8 } };

static aigw_store_t  *store;
static uint64_t       near, far, alone;       /* upstreams */
static uint64_t       one, two;               /* projects */


static uint64_t
add_upstream(const char *name)
{
    aigw_upstream_t  u = { 0 };

    snprintf(u.name, sizeof(u.name), "%s", name);
    snprintf(u.url, sizeof(u.url), "https://%s.example", name);

    return aigw_store_set_upstream(store, &master, &u, str("sk-own"))
           == AIGW_OK ? u.id : 0;
}


static aigw_driver_t
a_driver(unsigned kind, uint64_t user)
{
    aigw_driver_t  d = { .kind = (uint8_t) kind, .user = user,
                         .quota_per_unit = AIGW_QUOTA_PER_UNIT };

    strcpy(d.group, "default");

    return d;
}


static aigw_err_t
set_driver(const char *name, unsigned kind, uint64_t user, const char *token)
{
    aigw_driver_t  d = a_driver(kind, user);

    return aigw_store_set_driver(store, &master, str(name), &d, str(token));
}


static uint64_t
add_project(const char *name, unsigned n)
{
    aigw_key_t      k = a_key("default", n);
    aigw_project_t  p = a_project(name);

    p.has_subkey = 1;                 /* not the caller's to say */

    return aigw_store_create_project(store, &p, &k) == AIGW_OK ? p.id : 0;
}


/* Two projects, three upstreams of which two make sub-keys. */
static void
begin(void)
{
    store = test_fresh(AIGW_STORE_CONTROL_WRITE);
    near = add_upstream("near");
    far = add_upstream("far");
    alone = add_upstream("alone");
    one = add_project("one", 1);
    two = add_project("two", 2);
    ok(near && far && alone && one && two
       && set_driver("near", AIGW_DRIVER_NEWAPI, 7, "token") == AIGW_OK
       && set_driver("far", AIGW_DRIVER_SEED, 0, "") == AIGW_OK,
       "two projects, three upstreams");
}


static aigw_subkey_t
a_subkey(uint64_t project_id, uint64_t upstream_id)
{
    aigw_subkey_t  s = { .project_id = project_id,
                         .upstream_id = upstream_id,
                         .quota_nano = 5 * AIGW_UNIT_NANO };

    strcpy(s.models, "*");

    return s;
}


/* An active one, or one without a name. */
static aigw_subkey_t
make(uint64_t project_id, uint64_t upstream_id, const char *secret)
{
    aigw_subkey_t  s = a_subkey(project_id, upstream_id);

    if (aigw_store_plan_subkey(store, &s) != AIGW_OK
        || aigw_store_activate_subkey(store, &master, &s, str(secret),
                                      str(""))
           != AIGW_OK)
    {
        s.name[0] = '\0';
    }

    return s;
}


/* What a call of the project at the upstream goes up under; "-": the upstream's
   own key; "!": none, it cannot be read. */
static const char *
goes_under(uint64_t project_id, uint64_t upstream_id)
{
    size_t         len;
    aigw_err_t     err;
    aigw_subkey_t  s;
    static char    text[AIGW_SECRET_MAX + 1];

    err = aigw_store_find_subkey(store, project_id, upstream_id, &s);

    if (err == AIGW_OK) {
        err = aigw_store_open_subkey(&master, project_id, upstream_id, &s,
                                     text, &len);
        text[err == AIGW_OK ? len : 0] = '\0';
    }

    return err == AIGW_OK ? text : err == AIGW_ENOTFOUND ? "-" : "!";
}


static int
is_marked(unsigned n)
{
    aigw_key_t     k = a_key("default", n);
    aigw_access_t  access;

    return aigw_store_find_access(store, k.hash, &access) == AIGW_OK
           ? access.has_subkey : -1;
}


static int
state_of(const aigw_subkey_t *subkey)
{
    aigw_subkey_t  s;

    return aigw_store_get_subkey(store, str(subkey->name), &s) == AIGW_OK
           ? s.state : 0;
}


static void
test_drivers(void)
{
    char           text[AIGW_SECRET_MAX];
    size_t         n;
    aigw_driver_t  d;
    aigw_subkey_t  s;

    begin();

    is_int(aigw_store_find_driver(store, alone, &d), AIGW_ENOTFOUND, "none");
    is_int(aigw_store_find_driver(store, near, &d), AIGW_OK, "one");
    ok(d.kind == AIGW_DRIVER_NEWAPI && d.user == 7
       && strcmp(d.group, "default") == 0, "... as it was set");
    ok(aigw_unseal(&master, AIGW_UPSTREAM_MASTER(near), d.sealed,
                   d.sealed_len, text, &n) == AIGW_OK && n == 5
       && memcmp(text, "token", 5) == 0, "... with its token");
    is_int(aigw_unseal(&master, near, d.sealed, d.sealed_len, text, &n),
           AIGW_ECRYPTO, "K09 which is never taken for the upstream's key");

    is_int(set_driver("nosuch", AIGW_DRIVER_SEED, 0, ""), AIGW_ENOTFOUND,
           "no such upstream");
    is_int(set_driver("alone", AIGW_DRIVER_MAX, 0, ""), AIGW_EINVAL,
           "no such kind");
    is_int(set_driver("alone", AIGW_DRIVER_NEWAPI, 8, ""), AIGW_EINVAL,
           "a user without a token");
    d = a_driver(AIGW_DRIVER_NEWAPI, 0);
    d.quota_per_unit = 0;
    is_int(aigw_store_set_driver(store, &master, str("alone"), &d, str("")),
           AIGW_EINVAL, "no units in a unit");

    is_int(set_driver("near", AIGW_DRIVER_NEWAPI, 7, ""), AIGW_OK,
           "the same user keeps the token");
    is_int(aigw_store_find_driver(store, near, &d), AIGW_OK, "...");
    is_int(d.sealed_len, 5 + AIGW_SEAL_OVERHEAD, "... it is there");

    s = make(one, near, "sk-1");
    ok(s.name[0] != '\0', "a sub-key");
    is_int(set_driver("near", AIGW_DRIVER_NEWAPI, 8, "other"), AIGW_EEXIST,
           "M19 another account while there are sub-keys");
    is_int(set_driver("near", AIGW_DRIVER_SEED, 7, ""), AIGW_EEXIST,
           "... another kind");
    is_int(set_driver("near", AIGW_DRIVER_NONE, 0, ""), AIGW_EEXIST,
           "... none");
    is_int(set_driver("near", AIGW_DRIVER_NEWAPI, 7, "fresh"), AIGW_OK,
           "... but another token of the same");
    is_int(set_driver("far", AIGW_DRIVER_NONE, 0, ""), AIGW_OK,
           "where there are none");
    is_int(aigw_store_find_driver(store, far, &d), AIGW_ENOTFOUND, "... gone");

    aigw_store_close(store);
}


static void
test_plan(void)
{
    char           prefix[AIGW_SUBKEY_PREFIX_LEN + 1];
    aigw_subkey_t  s, list[3];
    size_t         n;

    begin();
    aigw_store_subkey_prefix(store, prefix);
    s = a_subkey(one, near);
    is_int(aigw_store_plan_subkey(store, &s), AIGW_OK, "planned");
    ok(strncmp(s.name, prefix, strlen(prefix)) == 0
       && strlen(prefix) == AIGW_SUBKEY_PREFIX_LEN
       && strncmp(prefix + 5, aigw_store_id(store).data, 8) == 0,
       "its name tells the store: %s", s.name);
    ok(strlen(s.name) <= AIGW_SUBKEY_NAME_MAX, "... and is short");
    is_int(state_of(&s), AIGW_SUBKEY_PLANNED, "... planned");
    is_str(goes_under(one, near), "-", "nothing goes under a plan");
    is_int(is_marked(1), 0, "... nor is the project marked");

    s = a_subkey(99, near);
    is_int(aigw_store_plan_subkey(store, &s), AIGW_ENOTFOUND, "no project");
    s = a_subkey(one, alone);
    is_int(aigw_store_plan_subkey(store, &s), AIGW_ENOTFOUND,
           "an upstream that makes none");
    s = a_subkey(one, near);
    s.quota_nano = -2;
    is_int(aigw_store_plan_subkey(store, &s), AIGW_EINVAL, "a quota below 0");
    s = a_subkey(one, near);
    s.models[0] = '\0';
    is_int(aigw_store_plan_subkey(store, &s), AIGW_EINVAL, "no model");

    s = a_subkey(two, near);
    is_int(aigw_store_plan_subkey(store, &s), AIGW_OK, "another");
    is_int(aigw_store_list_subkeys(store, str(""), list, 3, &n), AIGW_OK,
           "list");
    ok(n == 2 && strcmp(list[0].name, list[1].name) < 0, "... by name");
    is_int(aigw_store_list_subkeys(store, str(list[0].name), list + 2, 1, &n),
           AIGW_OK, "... behind the first");
    ok(n == 1 && strcmp(list[2].name, list[1].name) == 0, "... the second");

    aigw_store_close(store);
}


static void
test_life(void)
{
    aigw_subkey_t  s, next, third;

    begin();
    s = a_subkey(one, near);
    is_int(aigw_store_activate_subkey(store, &master, &s, str("x"), str("")),
           AIGW_ENOTFOUND, "without a plan");
    is_int(aigw_store_plan_subkey(store, &s), AIGW_OK, "planned");
    is_int(aigw_store_activate_subkey(store, &master, &s, str(""), str("")),
           AIGW_EINVAL, "without a secret");
    s.remote_id = 12;
    is_int(aigw_store_activate_subkey(store, &master, &s, str("sk-1"),
                                      str("")), AIGW_OK, "active");
    ok(s.state == AIGW_SUBKEY_ACTIVE && s.remote_id == 12, "... says so");
    is_str(goes_under(one, near), "sk-1", "calls go up under it");
    is_str(goes_under(one, near), "sk-1", "... again, out of the cache");
    is_str(goes_under(one, far), "-", "not at another upstream");
    is_str(goes_under(two, near), "-", "not another project's");
    ok(is_marked(1) == 1 && is_marked(2) == 0, "its project alone is marked");
    is_int(aigw_store_drop_subkey(store, str(s.name)), AIGW_EINVAL,
           "an active one is not dropped");

    next = a_subkey(one, near);
    is_int(aigw_store_plan_subkey(store, &next), AIGW_OK, "the next");
    is_int(aigw_store_activate_subkey(store, &master, &next, str("sk-2"),
                                      str("")), AIGW_EEXIST,
           "one at a time");
    is_int(aigw_store_activate_subkey(store, &master, &next, str("sk-2"),
                                      str("aigw-other")), AIGW_EEXIST,
           "... in place of that one alone");
    is_int(aigw_store_activate_subkey(store, &master, &next, str("sk-2"),
                                      str(s.name)), AIGW_OK, "replaced");
    is_str(goes_under(one, near), "sk-2", "the next counts");
    is_int(state_of(&s), AIGW_SUBKEY_RETIRING, "the other retires");
    is_int(aigw_store_get_subkey(store, str(s.name), &s), AIGW_OK, "...");
    is_int(s.sealed_len, 0, "... without its secret");

    third = make(one, far, "sub_3");
    is_str(goes_under(one, far), "sub_3", "another upstream's beside it");
    is_int(aigw_store_retire_subkey(store, AIGW_SUBKEY_ACTIVE, &next),
           AIGW_EINVAL, "no such end");
    is_int(aigw_store_retire_subkey(store, AIGW_SUBKEY_RETIRING, &next),
           AIGW_OK, "retired");
    is_str(goes_under(one, near), "-", "the upstream's own again");
    is_int(is_marked(1), 1, "... but for the other upstream's");
    is_int(aigw_store_retire_subkey(store, AIGW_SUBKEY_FORGOTTEN, &third),
           AIGW_OK, "forgotten");
    is_int(is_marked(1), 0, "no mark is left");
    is_int(aigw_store_drop_subkey(store, str(next.name)), AIGW_OK, "dropped");
    is_int(state_of(&next), 0, "... for good");
    is_int(aigw_store_drop_subkey(store, str(next.name)), AIGW_ENOTFOUND,
           "... once");
    is_int(aigw_store_retire_subkey(store, AIGW_SUBKEY_RETIRING, &next),
           AIGW_ENOTFOUND, "nor retired");

    aigw_store_close(store);
}


static void
test_project_deleted(void)
{
    aigw_subkey_t  s, t, planned, other;

    begin();
    s = make(one, near, "sk-1");
    t = make(one, far, "sk-2");
    other = make(two, near, "sk-3");
    planned = a_subkey(one, near);
    is_int(aigw_store_plan_subkey(store, &planned), AIGW_OK, "and a plan");

    is_int(aigw_store_delete_project(store, one), AIGW_OK, "deleted");
    ok(state_of(&s) == AIGW_SUBKEY_RETIRING
       && state_of(&t) == AIGW_SUBKEY_RETIRING
       && state_of(&planned) == AIGW_SUBKEY_PLANNED,
       "what may be there still stands in the store");
    is_str(goes_under(one, near), "-", "... and nothing goes under it");
    is_str(goes_under(two, near), "sk-3", "another's stays");
    is_int(state_of(&other), AIGW_SUBKEY_ACTIVE, "... active");
    is_int(aigw_store_activate_subkey(store, &master, &planned, str("sk-4"),
                                      str("")), AIGW_ENOTFOUND,
           "a plan whose project is gone");
    is_int(aigw_store_retire_subkey(store, AIGW_SUBKEY_RETIRING, &planned),
           AIGW_OK, "... retires");

    aigw_store_close(store);
}


static void
test_url(void)
{
    aigw_driver_t    d;
    aigw_subkey_t    s;
    aigw_upstream_t  u;

    begin();
    s = make(one, near, "sk-1");
    is_int(aigw_store_find_upstream(store, str("near"), &u), AIGW_OK, "near");
    strcpy(u.url, "https://evil.example");
    is_int(aigw_store_set_upstream(store, &master, &u, str("sk-new")),
           AIGW_EEXIST, "M19 no other URL while there is a sub-key");
    is_int(aigw_store_retire_subkey(store, AIGW_SUBKEY_RETIRING, &s), AIGW_OK,
           "retired");
    is_int(aigw_store_set_upstream(store, &master, &u, str("sk-new")),
           AIGW_EEXIST, "M19 ... nor while it may be there");
    is_int(aigw_store_find_upstream(store, str("near"), &u), AIGW_OK, "near");
    is_str(u.url, "https://near.example", "it is as it was");
    is_int(aigw_store_set_upstream(store, &master, &u, str("sk-new")),
           AIGW_OK, "the same URL, another key");
    is_int(aigw_store_find_driver(store, near, &d), AIGW_OK,
           "... keeps its account");
    is_int(aigw_store_drop_subkey(store, str(s.name)), AIGW_OK, "dropped");
    strcpy(u.url, "https://other.example");
    is_int(aigw_store_set_upstream(store, &master, &u, str("sk-new")),
           AIGW_OK, "another URL");
    is_int(aigw_store_find_driver(store, near, &d), AIGW_ENOTFOUND,
           "M19 the master's token does not go there");

    aigw_store_close(store);
}


/* What stands at rest under a sub-key's name, for somebody who can write
   there. */
static void
tamper(const aigw_subkey_t *at, const uint8_t *bytes, size_t len)
{
    aigw_db_key_t  key;
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_key_text(&key, str(at->name));
    aigw_db_put(&txn, AIGW_CONTROL_SUBKEYS, &key, bytes, len);

    if (aigw_db_end(&txn) != AIGW_OK) {
        exit(1);
    }
}


/* ... and which is said to be a project's active one. */
static void
point(uint64_t project_id, const aigw_subkey_t *at)
{
    aigw_db_txn_t  txn;
    aigw_subkey_t  like = *at;

    like.project_id = project_id;
    aigw_db_write(store->control, &txn);
    aigw_store_put_active(&txn, &like);

    if (aigw_db_end(&txn) != AIGW_OK) {
        exit(1);
    }
}


static void
test_swaps(void)
{
    size_t         i, n, len, opened;
    uint8_t        bytes[AIGW_RECORD_MAX], other[AIGW_RECORD_MAX];
    aigw_subkey_t  a, b, c;
    const char    *under;

    begin();
    a = make(one, near, "sk-of-one");
    b = make(two, near, "sk-of-two");
    len = aigw_record_pack_subkey(&a, bytes);

    tamper(&b, bytes, len);
    is_str(goes_under(two, near), "!", "K09 another project's record");
    c = a;
    c.project_id = two;
    n = aigw_record_pack_subkey(&c, other);
    tamper(&a, other, n);
    point(two, &a);
    is_str(goes_under(two, near), "!", "K09 ... that says it is its own");
    memcpy(c.name, b.name, sizeof(c.name));
    n = aigw_record_pack_subkey(&c, other);
    tamper(&b, other, n);
    point(two, &b);
    is_str(goes_under(two, near), "!", "K09 ... by its name, too");
    tamper(&a, bytes, len);
    point(two, &a);
    is_str(goes_under(two, near), "!", "K09 another's active one");
    is_str(goes_under(one, near), "sk-of-one", "whose calls it goes under");

    c = a;
    c.upstream_id = far;
    n = aigw_record_pack_subkey(&c, other);
    tamper(&a, other, n);
    is_str(goes_under(one, near), "!", "K09 of another upstream");

    for (i = 0, opened = 0; i < len * 8; i++) {
        bytes[i / 8] ^= (uint8_t) (1u << i % 8);
        tamper(&a, bytes, len);
        under = goes_under(one, near);
        opened += strcmp(under, "!") != 0 && strcmp(under, "sk-of-one") != 0;
        bytes[i / 8] ^= (uint8_t) (1u << i % 8);
    }

    is_int((int64_t) opened, 0,
           "K09 any bit flipped: nothing else, and never the own key");

    aigw_store_close(store);
}


static void
test_lock(void)
{
    int         first, second;
    aigw_err_t  err;

    begin();
    is_int(aigw_store_lock(store, AIGW_STORE_LOCK_SUBKEYS, 0, &first),
           AIGW_OK, "the lock of those who make sub-keys");
    is_int(aigw_store_lock(store, AIGW_STORE_LOCK_SUBKEYS, 20, &second),
           AIGW_EBUSY, "... one at a time");
    err = aigw_store_lock(store, AIGW_STORE_LOCK_BUILD, 0, &second);
    is_int(err, AIGW_OK, "... in nobody else's way");

    if (err == AIGW_OK) {
        aigw_store_unlock(second);
    }

    aigw_store_unlock(first);
    is_int(aigw_store_lock(store, AIGW_STORE_LOCK_SUBKEYS, 0, &first),
           AIGW_OK, "the next one");
    aigw_store_unlock(first);
    aigw_store_close(store);
}


/* What the file of control has of a text. */
static size_t
count_in_file(const char *text)
{
    char     path[sizeof(test_store) + 32], *data, *p;
    FILE    *file;
    size_t   len, n = 0;

    snprintf(path, sizeof(path), "%s/control/data.mdb", test_store);
    file = fopen(path, "r");
    data = malloc(1 << 24);
    len = fread(data, 1, 1 << 24, file);
    fclose(file);

    for (p = data; (p = memmem(p, len - (size_t) (p - data), text,
                               strlen(text))) != NULL; p++)
    {
        n++;
    }

    free(data);

    return n;
}


static void
test_at_rest(void)
{
    aigw_subkey_t  s;

    begin();
    s = make(one, near, "sk-planted-5f3a91c27be04d68");
    ok(set_driver("near", AIGW_DRIVER_NEWAPI, 7, "planted-token-77") == AIGW_OK
       && aigw_store_retire_subkey(store, AIGW_SUBKEY_RETIRING, &s) == AIGW_OK,
       "made and retired");
    aigw_store_close(store);
    ok(count_in_file(s.name) > 0, "its name stands in the file");
    is_int((int64_t) count_in_file("planted-5f3a91c27be04d68"), 0,
           "K06 its secret never did");
    is_int((int64_t) count_in_file("planted-token-77"), 0,
           "K06 nor the master's token");
}


int
main(void)
{
    test_begin();

    test_drivers();
    test_plan();
    test_life();
    test_project_deleted();
    test_url();
    test_swaps();
    test_lock();
    test_at_rest();

    test_remove(test_dir);

    return done();
}
