/* Changing, rotating and deleting: one field does not touch another, a secret
   that was replaced ends when it is to, what was deleted leaves its name. */

#include "store.h"


static void
test_users(void)
{
    aigw_user_t    bob, eve, found;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    bob = a_user("bob");
    eve = a_user("eve");
    is_int(aigw_store_create_user(s, &bob), AIGW_OK, "bob");
    is_int(aigw_store_create_user(s, &eve), AIGW_OK, "eve");

    /* two admins at once: the second has an old picture of the enabled */
    memset(&found, 0, sizeof(found));
    found.id = bob.id;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &found), AIGW_OK,
           "disabled");
    is_int(found.quota_nano, AIGW_UNLIMITED, "the rest is what is stored");
    bob.quota_nano = 7;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_QUOTA, &bob), AIGW_OK,
           "a quota");
    ok(bob.enabled == 0 && bob.quota_nano == 7, "which enables nobody");
    is_int(aigw_store_find_user(s, str("bob"), &found), AIGW_OK, "found");
    ok(found.enabled == 0 && found.quota_nano == 7
       && found.role == AIGW_ROLE_MEMBER, "as changed");

    found.role = AIGW_ROLE_ADMIN;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ROLE, &found), AIGW_OK,
           "an admin");
    found.quota_nano = -2;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_QUOTA, &found), AIGW_EINVAL,
           "M08 quota -2 is no quota");
    is_int(aigw_store_change_user(s, 0, &found), AIGW_OK, "nothing");
    is_int(found.quota_nano, 7, "changes nothing");
    strcpy(found.name, "eve");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &found), AIGW_EEXIST,
           "eve is another");
    strcpy(found.name, "-x");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &found), AIGW_EINVAL,
           "no name");
    strcpy(found.name, "rob");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &found), AIGW_OK,
           "rob");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &found), AIGW_OK,
           "rob again");
    is_int(aigw_store_find_user(s, str("bob"), &found), AIGW_ENOTFOUND,
           "there is no bob");
    is_int(aigw_store_find_user(s, str("rob"), &found), AIGW_OK, "but rob");
    ok(found.id == bob.id && found.role == AIGW_ROLE_ADMIN, "who is the same");
    bob = a_user("bob");
    is_int(aigw_store_create_user(s, &bob), AIGW_OK, "the name is free");
    found.id = 99;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &found),
           AIGW_ENOTFOUND, "nobody");

    aigw_store_close(s);
}


static void
test_projects(void)
{
    aigw_key_t      key;
    aigw_store_t   *s;
    aigw_access_t   access;
    aigw_project_t  p, found;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    p = a_project("alice");
    key = a_key("default", 1);
    is_int(aigw_store_create_project(s, &p, &key), AIGW_OK, "alice");

    found = p;
    found.user_id = 9;
    is_int(aigw_store_change_project(s, AIGW_CHANGE_USER, &found),
           AIGW_ENOTFOUND, "not to a user who is not there");
    strcpy(found.models, "a,,b");
    is_int(aigw_store_change_project(s, AIGW_CHANGE_MODELS, &found),
           AIGW_EINVAL, "bad list");
    strcpy(found.models, "");
    found.expires_ms = 5;
    is_int(aigw_store_change_project(s, AIGW_CHANGE_MODELS, &found), AIGW_OK,
           "A18 an empty list, that allows nothing");
    ok(found.expires_ms == 0 && found.user_id == 1 && found.enabled == 1,
       "all else as it was");
    found.expires_ms = 5;
    strcpy(found.name, "alicia");
    is_int(aigw_store_change_project(s, AIGW_CHANGE_EXPIRES|AIGW_CHANGE_NAME,
                                     &found), AIGW_OK, "two fields");
    is_int(aigw_store_find_project(s, str("alicia"), &found), AIGW_OK,
           "found");
    ok(found.expires_ms == 5 && found.models[0] == '\0', "both");
    ok(!found.cap_strict && !found.disconnect_abort, "clamp and drain");
    found.cap_strict = 1;
    found.disconnect_abort = 1;
    is_int(aigw_store_change_project(s, AIGW_CHANGE_CAP, &found), AIGW_OK,
           "strict");
    ok(found.cap_strict && !found.disconnect_abort, "and only that");
    found.disconnect_abort = 1;
    is_int(aigw_store_change_project(s, AIGW_CHANGE_DISCONNECT, &found),
           AIGW_OK, "abort");
    ok(aigw_store_find_access(s, key.hash, &access) == AIGW_OK
       && access.cap_strict && access.disconnect_abort, "a key sees both");
    found.cap_strict = 2;
    is_int(aigw_store_change_project(s, AIGW_CHANGE_CAP, &found), AIGW_EINVAL,
           "no third");
    is_int(aigw_store_find_project(s, str("alice"), &found), AIGW_ENOTFOUND,
           "not by its old name");
    found.id = 8;
    is_int(aigw_store_change_project(s, 0, &found), AIGW_ENOTFOUND, "no 8");

    aigw_store_close(s);
}


static void
test_keys(void)
{
    aigw_key_t      key, other, found;
    aigw_store_t   *s;
    aigw_access_t   access;
    aigw_project_t  p;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    p = a_project("alice");
    key = a_key("default", 1);
    is_int(aigw_store_create_project(s, &p, &key), AIGW_OK, "alice");
    other = a_key("", 2);
    other.project_id = p.id;
    is_int(aigw_store_create_key(s, &other), AIGW_OK, "a key without a name");

    found = key;
    found.hash[0] ^= 1;
    found.project_id = 2;
    found.quota_nano = 4;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_QUOTA, &found), AIGW_OK,
           "a quota");
    ok(found.project_id == key.project_id
       && memcmp(found.hash, key.hash, sizeof(key.hash)) == 0,
       "hash and project are the key's own");

    strcpy(other.name, "default");
    is_int(aigw_store_change_key(s, AIGW_CHANGE_NAME, &other), AIGW_EEXIST,
           "a name that is taken");
    strcpy(other.name, "laptop");
    is_int(aigw_store_change_key(s, AIGW_CHANGE_NAME, &other), AIGW_OK,
           "a name");
    is_int(aigw_store_find_key(s, p.id, str("laptop"), &found), AIGW_OK,
           "found by it");
    strcpy(other.name, "");
    is_int(aigw_store_change_key(s, AIGW_CHANGE_NAME, &other), AIGW_OK,
           "none again");
    is_int(aigw_store_find_key(s, p.id, str("laptop"), &found),
           AIGW_ENOTFOUND, "not found");

    key.revoked_ms = 1000;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_REVOKED, &key), AIGW_OK,
           "revoked");
    key.revoked_ms = 0;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_REVOKED, &key), AIGW_OK,
           "once more");
    is_int(key.revoked_ms, 1000, "that is final");
    key.enabled = 1;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_ENABLED, &key), AIGW_OK,
           "enabling it");
    ok(aigw_store_find_access(s, key.hash, &access) == AIGW_OK
       && access.key_revoked, "A06 does not bring it back");
    key.id = 9;
    is_int(aigw_store_change_key(s, 0, &key), AIGW_ENOTFOUND, "no 9");

    aigw_store_close(s);
}


/* The expiry that a secret has, -1 if it opens nothing. */
static int64_t
expiry(aigw_store_t *s, const aigw_key_t *secret)
{
    aigw_access_t  access;

    return aigw_store_find_access(s, secret->hash, &access) == AIGW_OK
           ? access.key_expires_ms : -1;
}


static void
test_rotate(void)
{
    aigw_key_t          first, second, third, fourth, found;
    aigw_store_t       *s;
    aigw_access_t       access;
    aigw_project_t      p;
    aigw_store_stats_t  stats;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE|AIGW_STORE_USAGE);
    p = a_project("alice");
    first = a_key("default", 1);
    first.quota_nano = 5;
    is_int(aigw_store_create_project(s, &p, &first), AIGW_OK, "alice");

    second = a_key("ignored", 2);
    strcpy(second.last4, "2222");
    second.id = first.id;
    is_int(aigw_store_rotate_key(s, &second, 9000), AIGW_OK, "rotated");
    ok(strcmp(second.name, "default") == 0 && second.quota_nano == 5
       && second.old_until_ms == 9000, "all else is the key's");
    is_int(expiry(s, &second), 0, "the new secret has no end");
    is_int(expiry(s, &first), 9000, "the old one has");
    ok(aigw_store_find_access(s, first.hash, &access) == AIGW_OK
       && access.key_id == first.id && access.key_quota_nano == 5
       && strcmp(access.key_last4, "2222") == 0, "both are the same key");
    ok(aigw_store_find_key(s, p.id, str("default"), &found) == AIGW_OK
       && memcmp(found.hash, second.hash, sizeof(found.hash)) == 0,
       "found by its name");
    ok(aigw_store_stats(s, &stats) == AIGW_OK && stats.keys == 1,
       "counted once");

    second.enabled = 0;
    second.expires_ms = 8000;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_ENABLED|AIGW_CHANGE_EXPIRES,
                                 &second), AIGW_OK, "disabled");
    ok(aigw_store_find_access(s, first.hash, &access) == AIGW_OK
       && !access.key_enabled, "with its old secret");
    is_int(expiry(s, &first), 8000, "which ends with the key");
    second.expires_ms = 0;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_EXPIRES, &second), AIGW_OK,
           "no end");

    third = a_key("", 2);
    third.id = first.id;
    is_int(aigw_store_rotate_key(s, &third, 0), AIGW_EEXIST,
           "not to a secret that is there");
    third = a_key("", 3);
    third.id = first.id;
    is_int(aigw_store_rotate_key(s, &third, -1), AIGW_EINVAL, "-1");
    is_int(aigw_store_rotate_key(s, &third, 9500), AIGW_OK, "once more");
    is_int(expiry(s, &first), -1, "the first is gone");
    is_int(expiry(s, &second), 9500, "the second has its time");
    is_int(expiry(s, &third), 0, "the third is the key");

    fourth = a_key("", 4);
    fourth.id = first.id;
    is_int(aigw_store_rotate_key(s, &fourth, 0), AIGW_OK, "without grace");
    ok(expiry(s, &second) == -1 && expiry(s, &third) == -1,
       "no old secret opens it");
    is_int(expiry(s, &fourth), 0, "the new one does");

    fourth.revoked_ms = 1;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_REVOKED, &fourth), AIGW_OK,
           "revoked");
    third.id = first.id;
    is_int(aigw_store_rotate_key(s, &third, 0), AIGW_EINVAL,
           "A06 no new secret for a revoked key");
    third.id = 9;
    is_int(aigw_store_rotate_key(s, &third, 0), AIGW_ENOTFOUND, "no 9");

    aigw_store_close(s);
}


static void
test_delete(void)
{
    size_t          n;
    aigw_key_t      a, b, list[4];
    aigw_gone_t     gone;
    aigw_user_t     bob;
    aigw_store_t   *s;
    aigw_project_t  p, q;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    bob = a_user("bob");
    is_int(aigw_store_create_user(s, &bob), AIGW_OK, "bob");
    p = a_project("alice");
    p.user_id = bob.id;
    a = a_key("default", 1);
    is_int(aigw_store_create_project(s, &p, &a), AIGW_OK, "his project");
    q = a_project("other");
    b = a_key("default", 2);
    is_int(aigw_store_create_project(s, &q, &b), AIGW_OK, "another");
    b = a_key("laptop", 3);
    b.project_id = p.id;
    is_int(aigw_store_create_key(s, &b), AIGW_OK, "a second key");
    b = a_key("", 4);
    b.id = a.id;
    is_int(aigw_store_rotate_key(s, &b, 5000), AIGW_OK, "two secrets");

    is_int(aigw_store_delete_user(s, bob.id), AIGW_EEXIST,
           "a user with a project stays");
    is_int(aigw_store_find_gone(s, AIGW_ACCOUNT_USER, bob.id, &gone),
           AIGW_ENOTFOUND, "nothing is left of who is there");

    is_int(aigw_store_delete_project(s, p.id), AIGW_OK, "a project");
    is_int(aigw_store_find_project(s, str("alice"), &p), AIGW_ENOTFOUND,
           "is gone");
    ok(expiry(s, &a) == -1 && expiry(s, &b) == -1,
       "with its keys and their secrets");
    is_int(aigw_store_list_keys(s, 0, 0, list, 4, &n), AIGW_OK, "keys");
    ok(n == 1 && list[0].project_id == q.id, "the other project's is left");
    is_int(aigw_store_find_gone(s, AIGW_ACCOUNT_PROJECT, p.id, &gone),
           AIGW_OK, "its name");
    ok(strcmp(gone.name, "alice") == 0 && gone.of_id == bob.id
       && gone.gone_ms > 0, "and owner are known");
    is_int(aigw_store_find_gone(s, AIGW_ACCOUNT_KEY, a.id, &gone), AIGW_OK,
           "its key's, too");
    ok(strcmp(gone.name, "default") == 0 && gone.of_id == p.id,
       "which was the project's");

    is_int(aigw_store_delete_project(s, p.id), AIGW_ENOTFOUND, "once only");
    is_int(aigw_store_delete_key(s, a.id), AIGW_ENOTFOUND, "nor its key");
    is_int(aigw_store_delete_user(s, bob.id), AIGW_OK, "now the user");
    is_int(aigw_store_delete_user(s, bob.id), AIGW_ENOTFOUND, "once only");

    p = a_project("alice");
    a = a_key("default", 1);
    is_int(aigw_store_create_project(s, &p, &a), AIGW_OK,
           "the name may be used again");
    ok(p.id == 3 && a.id == 4, "the ids may not");
    is_int(aigw_store_delete_key(s, a.id), AIGW_OK, "a key alone");
    is_int(expiry(s, &a), -1, "opens nothing");
    a = a_key("default", 1);
    a.project_id = p.id;
    is_int(aigw_store_create_key(s, &a), AIGW_OK, "its name is free");

    aigw_store_close(s);
}


static void
test_delete_model(void)
{
    char                target[AIGW_MODEL_MAX + 1];
    aigw_model_t        m = { 0 };
    aigw_store_t       *s;
    aigw_price_t        price;
    aigw_price_entry_t  e;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    strcpy(m.name, "fast");
    strcpy(m.alias_of, "gpt-4o");
    is_int(aigw_store_set_model(s, AIGW_CHANGE_ALIAS, &m), AIGW_OK,
           "an alias");
    e = a_price("fast", 0, 7);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "with a price");

    is_int(aigw_store_delete_model(s, str("fas")), AIGW_ENOTFOUND, "no fas");
    is_int(aigw_store_delete_model(s, str("")), AIGW_ENOTFOUND, "empty");
    is_int(aigw_store_delete_model(s, str("fast")), AIGW_OK, "fast");
    is_int(aigw_store_delete_model(s, str("fast")), AIGW_ENOTFOUND, "once");
    is_int(find_alias(s, str("fast"), target), AIGW_ENOTFOUND,
           "no alias any more");
    ok(aigw_store_find_price(s, str("fast"), 1, &price) == AIGW_OK
       && price.prompt_nano == 7, "its price stays");

    aigw_store_close(s);
}


int
main(void)
{
    test_begin();

    test_users();
    test_projects();
    test_keys();
    test_rotate();
    test_delete();
    test_delete_model();

    test_remove(test_dir);

    return done();
}
