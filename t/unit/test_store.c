/* The store's control half: what is written is found (A05, A07, M19). */

#include "store.h"

#include "aigw_time.h"


static void
test_fresh_store(void)
{
    aigw_user_t         admin;
    aigw_store_t       *s;
    aigw_price_t        price;
    aigw_store_stats_t  stats;

    s = test_fresh(AIGW_STORE_USAGE);

    is_int((int64_t) aigw_store_id(s).len, AIGW_STORE_ID_LEN, "an id");
    is_int(aigw_store_find_user(s, str("admin"), &admin), AIGW_OK, "admin");
    ok(admin.id == 1 && admin.role == AIGW_ROLE_ADMIN && admin.enabled == 1
       && admin.quota_nano == AIGW_UNLIMITED && admin.created_ms > 0,
       "admin is enabled and unlimited");
    is_int(aigw_store_find_price(s, str("whatever"), aigw_time_now_ms(),
                                 &price), AIGW_OK, "price '*'");
    ok(price.prompt_nano == 10 * AIGW_UNIT_NANO
       && price.completion_nano == 10 * AIGW_UNIT_NANO
       && price.cached_nano == AIGW_PRICE_NONE && price.version == 1,
       "10 per million tokens, version 1");

    is_int(aigw_store_stats(s, &stats), AIGW_OK, "stats");
    ok(stats.users == 1 && stats.projects == 0 && stats.keys == 0
       && stats.prices == 1 && stats.rows == 0, "counts");
    ok(stats.control_bytes > 0 && stats.control_map_bytes == 1u << 30
       && stats.usage_map_bytes == UINT64_C(1) << 36
       && stats.control_readers == 1 && stats.usage_readers == 1,
       "sizes and readers");
    is_int(aigw_store_create_user(s, &admin), AIGW_EACCESS,
           "nothing can be written to a store opened for reading");

    aigw_store_close(s);
}


static void
test_users(void)
{
    size_t         n;
    aigw_user_t    user, found, list[3];
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    user = a_user("bob");
    is_int(aigw_store_create_user(s, &user), AIGW_OK, "bob");
    is_int((int64_t) user.id, 2, "has id 2");
    is_int(aigw_store_create_user(s, &user), AIGW_EEXIST, "bob again");
    user = a_user("Bob");
    is_int(aigw_store_create_user(s, &user), AIGW_OK, "Bob is another");
    is_int((int64_t) user.id, 3, "the failed one has cost no id");

    is_int(aigw_store_find_user(s, str("2"), &found), AIGW_OK, "by id");
    is_str(found.name, "bob", "it is bob");
    is_int(aigw_store_find_user(s, str("bo"), &found), AIGW_ENOTFOUND,
           "no prefix match");
    is_int(aigw_store_find_user(s, str(""), &found), AIGW_ENOTFOUND,
           "an empty name");
    is_int(aigw_store_find_user(s, str("99"), &found), AIGW_ENOTFOUND,
           "an unknown id");
    is_int(aigw_store_find_user(s, str("0"), &found), AIGW_ENOTFOUND, "0");
    is_int(aigw_store_find_user(s, str("18446744073709551618"), &found),
           AIGW_ENOTFOUND, "2^64 + 2 is not 2");

    is_int(aigw_store_list_users(s, 0, list, 2, &n), AIGW_OK, "list");
    ok(n == 2 && list[0].id == 3 && list[1].id == 2, "newest first");
    is_int(aigw_store_list_users(s, list[1].id, list, 2, &n), AIGW_OK,
           "the next page");
    ok(n == 1 && list[0].id == 1, "the rest");
    is_int(aigw_store_list_users(s, 1, list, 2, &n), AIGW_OK, "and then");
    is_int((int64_t) n, 0, "nothing");

    aigw_store_close(s);
}


static void
test_projects_and_keys(void)
{
    size_t          n;
    aigw_key_t      key, other, list[4];
    aigw_store_t   *s;
    aigw_project_t  project, found;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    project = a_project("alice");
    key = a_key("default", 1);
    is_int(aigw_store_create_project(s, &project, &key), AIGW_OK, "alice");
    ok(project.id == 1 && key.id == 1 && key.project_id == 1
       && key.created_ms == project.created_ms, "ids of both");

    other = a_key("second", 2);
    is_int(aigw_store_create_project(s, &project, &other), AIGW_EEXIST,
           "alice again");
    is_int(aigw_store_find_key(s, 0, str("2"), &other), AIGW_ENOTFOUND,
           "both or nothing: no key");

    project = a_project("carol");
    is_int(aigw_store_create_project(s, &project, &key), AIGW_EEXIST,
           "a key that is there");
    is_int(aigw_store_find_project(s, str("carol"), &found), AIGW_ENOTFOUND,
           "both or nothing: no project");

    project.user_id = 9;
    other = a_key("x", 3);
    is_int(aigw_store_create_project(s, &project, &other), AIGW_ENOTFOUND,
           "of nobody");

    other = a_key("default", 4);
    other.project_id = 1;
    is_int(aigw_store_create_key(s, &other), AIGW_EEXIST,
           "a key's name is unique in its project");
    other = a_key("second", 4);
    other.project_id = 1;
    is_int(aigw_store_create_key(s, &other), AIGW_OK, "another name is not");
    other = a_key("", 5);
    other.project_id = 1;
    is_int(aigw_store_create_key(s, &other), AIGW_OK, "no name");
    other = a_key("", 6);
    other.project_id = 1;
    is_int(aigw_store_create_key(s, &other), AIGW_OK, "and again none");
    other.project_id = 77;
    is_int(aigw_store_create_key(s, &other), AIGW_ENOTFOUND, "no project");

    project = a_project("carol");
    other = a_key("default", 7);
    is_int(aigw_store_create_project(s, &project, &other), AIGW_OK,
           "the same key name in another project");

    is_int(aigw_store_find_key(s, 1, str("default"), &key), AIGW_OK, "one");
    is_int((int64_t) key.id, 1, "its id");
    is_int(aigw_store_find_key(s, project.id, str("default"), &key), AIGW_OK,
           "the other");
    is_int((int64_t) key.id, (int64_t) other.id, "its id");
    is_int(aigw_store_find_key(s, 0, str("default"), &key), AIGW_ENOTFOUND,
           "without a project a name will not do");
    is_int(aigw_store_find_key(s, project.id, str("1"), &key),
           AIGW_ENOTFOUND, "an id of another project");
    is_int(aigw_store_find_key(s, 0, str("1"), &key), AIGW_OK, "an id does");

    is_int(aigw_store_list_keys(s, 0, 0, list, 4, &n), AIGW_OK, "all keys");
    ok(n == 4 && list[0].id == other.id && list[0].project_id == project.id
       && list[3].id < list[2].id, "newest first, a page of 4");
    is_int(aigw_store_list_keys(s, 0, list[3].id, list, 4, &n), AIGW_OK,
           "the next page");
    ok(n == 1 && list[0].id == 1, "has the first");
    is_int(aigw_store_list_keys(s, 1, 0, list, 4, &n), AIGW_OK, "of one");
    ok(n == 4 && list[0].project_id == 1 && list[3].id == 1, "its four");
    is_int(aigw_store_list_keys(s, 1, list[2].id, list, 4, &n), AIGW_OK,
           "paged");
    ok(n == 1 && list[0].id == 1, "to its end, not into another project");
    is_int(aigw_store_list_keys(s, 99, 0, list, 4, &n), AIGW_OK, "of none");
    is_int((int64_t) n, 0, "none");

    aigw_store_close(s);
}


static void
test_access(void)
{
    aigw_key_t      key;
    aigw_user_t     user;
    aigw_store_t   *s;
    aigw_access_t   access;
    aigw_project_t  project;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    user = a_user("bob");
    user.quota_nano = 3;
    project = a_project("alice");
    project.expires_ms = INT64_MAX;
    key = a_key("default", 1);
    key.quota_nano = 0;
    key.expires_ms = 5;

    is_int(aigw_store_create_user(s, &user), AIGW_OK, "a user");
    project.user_id = user.id;
    is_int(aigw_store_create_project(s, &project, &key), AIGW_OK, "all");
    is_int(aigw_store_find_access(s, key.hash, &access), AIGW_OK, "access");

    ok(access.user_id == user.id && access.project_id == project.id
       && access.key_id == key.id, "ids");
    ok(access.user_quota_nano == 3
       && access.project_quota_nano == 25 * AIGW_UNIT_NANO
       && access.key_quota_nano == 0, "quotas");
    ok(access.project_expires_ms == INT64_MAX && access.key_expires_ms == 5,
       "A05 expiries");
    ok(access.user_enabled && access.project_enabled && access.key_enabled
       && !access.key_revoked, "switches");
    is_str(access.project_name, "alice", "project's name");
    is_str(access.key_prefix, "aigw_Ab12", "prefix");
    is_str(access.key_last4, "wxyz", "last4");
    is_str(access.project_models, "gpt-4o*,claude-*", "project's models");
    is_str(access.key_models, "*", "key's models");

    user.enabled = 0;
    project.enabled = 0;
    key.enabled = 0;
    key.revoked_ms = 9;
    ok(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &user) == AIGW_OK
       && aigw_store_change_project(s, AIGW_CHANGE_ENABLED, &project)
          == AIGW_OK
       && aigw_store_change_key(s, AIGW_CHANGE_ENABLED|AIGW_CHANGE_REVOKED,
                                &key) == AIGW_OK, "all switched off");
    is_int(aigw_store_find_access(s, key.hash, &access), AIGW_OK, "found");
    ok(!access.user_enabled && !access.project_enabled && !access.key_enabled
       && access.key_revoked, "A06 seen at the next look");

    key.hash[31] ^= 1;
    is_int(aigw_store_find_access(s, key.hash, &access), AIGW_ENOTFOUND,
           "A02 another hash");

    aigw_store_close(s);
}


int
main(void)
{
    test_begin();

    test_fresh_store();
    test_users();
    test_projects_and_keys();
    test_access();

    test_remove(test_dir);

    return done();
}
