/* The audit log: each change of control leaves a record that tells of it and
   of no secret; what is changed, left out, put in or cut off is found. */

#include "store.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_subkey.h"


#define MANY  9001                    /* more than one transaction reads */


static const aigw_seal_master_t  master = { { 9, 8, 7 } };

static uint64_t  seen;                /* records so far */


static uint64_t
last_seq(aigw_store_t *s)
{
    size_t               n = 0;
    aigw_audit_filter_t  all = { 0 };

    static aigw_audit_t  a;

    if (aigw_store_list_audit(s, &all, 0, &a, 1, &n) != AIGW_OK) {
        return 0;
    }

    return n == 1 ? a.seq : 0;
}


/* The last record, which is one more than there was. */
static const aigw_audit_t *
told(aigw_store_t *s, const char *action, const char *object,
    const char *name)
{
    size_t               n = 0;
    aigw_audit_filter_t  all = { 0 };

    static aigw_audit_t  a;

    memset(&a, 0, sizeof(a));

    if (aigw_store_list_audit(s, &all, 0, &a, 1, &n) != AIGW_OK || n != 1) {
        ok(0, "%s %s %s: there is no record", action, object, name);
        return &a;
    }

    seen++;
    ok(a.seq == seen && strcmp(a.action, action) == 0
       && strcmp(a.object, object) == 0 && strcmp(a.name, name) == 0,
       "M26 record %d is of %s %s %s", (int) seen, action, object, name);

    if (a.seq != seen) {
        printf("# it is %d: %s %s %s\n", (int) a.seq, a.action, a.object,
               a.name);
        seen = a.seq;
    }

    return &a;
}


static void
untold(aigw_store_t *s, const char *what)
{
    ok(last_seq(s) == seen, "no record of %s", what);
}


static aigw_audit_check_t
verify(aigw_store_t *s)
{
    aigw_audit_check_t  check;

    memset(&check, 0xff, sizeof(check));
    is_int(aigw_store_verify_audit(s, &check), AIGW_OK, "verified");

    return check;
}


static void
test_users(void)
{
    aigw_user_t          bob;
    aigw_store_t        *s;
    const aigw_audit_t  *a;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    seen = 2;
    is_int((int64_t) last_seq(s), 2, "what a new store has was made");

    bob = a_user("bob");
    is_int(aigw_store_create_user(s, &bob), AIGW_OK, "bob");
    a = told(s, "create", "user", "bob");
    is_int((int64_t) a->object_id, (int64_t) bob.id, "its id");
    is_str(a->before, "", "nothing before");
    ok(strstr(a->after, "\"name\":\"bob\"")
       && strstr(a->after, "\"quota\":null"), "all of it after");
    is_int(a->actor.kind, AIGW_ACTOR_SYSTEM, "nobody said who");

    bob.quota_nano = 5 * AIGW_UNIT_NANO;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_QUOTA, &bob), AIGW_OK, "set");
    a = told(s, "set", "user", "bob");
    is_str(a->before, "{\"quota\":null}", "what it was");
    is_str(a->after, "{\"quota\":\"5\"}", "what it is, and nothing else");

    is_int(aigw_store_change_user(s, AIGW_CHANGE_QUOTA, &bob), AIGW_OK,
           "again");
    untold(s, "what changes nothing");

    bob.enabled = 0;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &bob), AIGW_OK,
           "off");
    a = told(s, "disable", "user", "bob");
    is_str(a->after, "{\"enabled\":false}", "off");
    bob.enabled = 1;
    is_int(aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &bob), AIGW_OK, "on");
    (void) told(s, "enable", "user", "bob");

    strcpy(bob.name, "rob");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &bob), AIGW_OK, "named");
    a = told(s, "set", "user", "rob");
    is_str(a->before, "{\"name\":\"bob\"}", "his old name");

    strcpy(bob.name, "admin");
    is_int(aigw_store_change_user(s, AIGW_CHANGE_NAME, &bob), AIGW_EEXIST,
           "taken");
    is_int(aigw_store_delete_user(s, 99), AIGW_ENOTFOUND, "no such");
    is_int(aigw_store_create_user(s, &bob), AIGW_EEXIST, "taken, too");
    untold(s, "what failed");

    is_int(aigw_store_delete_user(s, bob.id), AIGW_OK, "deleted");
    a = told(s, "delete", "user", "rob");
    ok(strstr(a->before, "\"quota\":\"5\"") != NULL, "what is gone");
    is_str(a->after, "", "nothing after");

    aigw_store_try(s);
    bob = a_user("eve");
    is_int(aigw_store_create_user(s, &bob), AIGW_OK, "a trial");
    aigw_store_close(s);
    s = test_open(AIGW_STORE_CONTROL_WRITE);
    untold(s, "a trial");
    is_int(verify(s).fault, AIGW_AUDIT_SOUND, "the chain holds");
    aigw_store_close(s);
}


static void
test_projects(void)
{
    unsigned             i;
    aigw_key_t           first, key;
    aigw_store_t        *s;
    aigw_project_t       p;
    const aigw_audit_t  *a;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    seen = 2;
    p = a_project("demo");
    first = a_key("default", 1);
    is_int(aigw_store_create_project(s, &p, &first), AIGW_OK, "demo");
    seen++;
    a = told(s, "create", "key", "default");
    ok(strstr(a->after, "\"prefix\":\"aigw_Ab12\"")
       && strstr(a->after, "\"last4\":\"wxyz\""), "what is seen of a key");
    ok(strstr(a->after, "sha256") == NULL, "not its hash");

    /* the longest there can be, each byte of it escaped */
    memset(p.models, 0x01, AIGW_MODELS_MAX);

    for (i = 1; i < AIGW_MODELS_MAX; i += 2) {
        p.models[i] = i % 4 == 1 ? '"' : (char) 0xff;
    }

    is_int(aigw_store_change_project(s, AIGW_CHANGE_MODELS, &p), AIGW_EINVAL,
           "no models");
    memset(p.models, 'x', AIGW_MODELS_MAX);

    for (i = 40; i < AIGW_MODELS_MAX; i += 41) {
        p.models[i] = ',';
    }

    is_int(aigw_store_change_project(s, AIGW_CHANGE_MODELS, &p), AIGW_OK,
           "models");
    a = told(s, "set", "project", "demo");
    ok(strlen(a->after) > AIGW_MODELS_MAX, "all of them");

    key = a_key("laptop", 2);
    key.project_id = p.id;
    is_int(aigw_store_create_key(s, &key), AIGW_OK, "a key");
    (void) told(s, "create", "key", "laptop");
    key.quota_nano = 1;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_QUOTA, &key), AIGW_OK, "set");
    a = told(s, "set", "key", "laptop");
    is_str(a->after, "{\"quota\":\"0.000000001\"}", "its quota");

    memset(key.hash, 0x77, sizeof(key.hash));
    is_int(aigw_store_rotate_key(s, &key, 5), AIGW_OK, "rotated");
    a = told(s, "rotate", "key", "laptop");
    is_str(a->before, "{\"old_until_ms\":0}", "without a grace");
    is_str(a->after, "{\"old_until_ms\":5,\"secret\":\"changed\"}", "with one");

    key.revoked_ms = 7;
    is_int(aigw_store_change_key(s, AIGW_CHANGE_REVOKED, &key), AIGW_OK, "end");
    (void) told(s, "revoke", "key", "laptop");
    is_int(aigw_store_change_key(s, AIGW_CHANGE_REVOKED, &key), AIGW_OK,
           "again");
    untold(s, "what is revoked already");
    is_int(aigw_store_delete_key(s, key.id), AIGW_OK, "deleted");
    (void) told(s, "delete", "key", "laptop");

    is_int(aigw_store_delete_project(s, p.id), AIGW_OK, "gone");
    seen++;
    (void) told(s, "delete", "project", "demo");
    is_int(verify(s).fault, AIGW_AUDIT_SOUND, "the chain holds");
    is_int((int64_t) verify(s).records, (int64_t) seen, "... of all");
    aigw_store_close(s);
}


static void
test_things(void)
{
    aigw_model_t         m;
    aigw_store_t        *s;
    aigw_upstream_t      u;
    aigw_price_entry_t   e;
    const aigw_audit_t  *a;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    seen = 2;

    memset(&m, 0, sizeof(m));
    strcpy(m.name, "gpt");
    m.max_output = 7;
    is_int(aigw_store_set_model(s, AIGW_CHANGE_MAX_OUTPUT, &m), AIGW_OK, "gpt");
    (void) told(s, "create", "model", "gpt");
    is_int(aigw_store_set_model(s, 0, &m), AIGW_OK, "again");
    untold(s, "a model that is as it was");
    m.max_output = 8;
    is_int(aigw_store_set_model(s, AIGW_CHANGE_MAX_OUTPUT, &m), AIGW_OK, "set");
    a = told(s, "set", "model", "gpt");
    is_str(a->before, "{\"max_output\":7}", "its limit");
    is_int(aigw_store_delete_model(s, str("gpt")), AIGW_OK, "deleted");
    (void) told(s, "delete", "model", "gpt");

    e = a_price("gpt", 1, 5);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "a price");
    (void) told(s, "set", "price", "gpt");
    e = a_price("gpt", 1, 6);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "another");
    a = told(s, "set", "price", "gpt");
    ok(strstr(a->before, "\"prompt\":\"0.000000005\"") != NULL, "in its place");
    e = a_price("gpt", 2, 6);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "a later one");
    (void) told(s, "set", "price", "gpt");
    is_int(aigw_store_delete_price(s, str("gpt")), AIGW_OK, "both");
    seen++;
    (void) told(s, "delete", "price", "gpt");

    is_int(aigw_store_set_setting(s, str("base_url"), str("http://a")), AIGW_OK,
           "a setting");
    a = told(s, "set", "setting", "base_url");
    ok(strstr(a->after, "\"value\":\"http://a\"") != NULL, "its value");
    is_int(aigw_store_set_setting(s, str("base_url"), str("http://a")), AIGW_OK,
           "again");
    untold(s, "a setting that is as it was");
    is_int(aigw_store_set_setting(s, str("base_url"), str("")), AIGW_OK, "no");
    (void) told(s, "delete", "setting", "base_url");
    is_int(aigw_store_set_setting(s, str("base_url"), str("")), AIGW_OK, "no");
    untold(s, "a setting that was not there");

    memset(&u, 0, sizeof(u));
    strcpy(u.name, "4sapi");
    strcpy(u.url, "https://a");
    is_int(aigw_store_set_upstream(s, &master, &u, str("sk-planted-1")),
           AIGW_OK, "an upstream");
    a = told(s, "create", "upstream", "4sapi");
    ok(strstr(a->after, "\"secret\":\"changed\"") && !strstr(a->after, "sk-"),
       "it has a secret, which is not told");
    is_int(aigw_store_set_upstream(s, &master, &u, str("sk-planted-2")),
           AIGW_OK, "another key");
    a = told(s, "set", "upstream", "4sapi");
    is_str(a->after, "{\"secret\":\"changed\"}", "nothing but its secret");
    is_int(aigw_store_set_upstream(s, &master, &u, str("")), AIGW_OK, "again");
    untold(s, "an upstream that is as it was");
    is_int(aigw_store_set_upstream_log(s, &master, &u, 5,
                                       str("tok-planted-3")), AIGW_OK, "a log");
    a = told(s, "set", "upstream", "4sapi");
    is_str(a->after, "{\"log_user\":5,\"log_token\":\"changed\"}", "a token");
    strcpy(u.url, "https://b");
    is_int(aigw_store_set_upstream(s, &master, &u, str("")), AIGW_EINVAL,
           "another place");
    untold(s, "what failed");
    is_int(verify(s).fault, AIGW_AUDIT_SOUND, "the chain holds");
    aigw_store_close(s);
}


/* From the plan to its end, and that of a project's that is deleted. */
static void
test_subkeys(void)
{
    aigw_key_t           k = a_key("default", 1);
    aigw_driver_t        d = { .kind = AIGW_DRIVER_NEWAPI, .user = 7,
                               .quota_per_unit = 10 };
    aigw_store_t        *s;
    aigw_subkey_t        one, two;
    aigw_project_t       p = a_project("demo");
    aigw_upstream_t      u = { .name = "4sapi", .url = "https://a" };
    const aigw_audit_t  *a;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    ok(aigw_store_set_upstream(s, &master, &u, str("sk-planted-1")) == AIGW_OK
       && aigw_store_create_project(s, &p, &k) == AIGW_OK, "what it takes");
    seen = last_seq(s);

    is_int(aigw_store_set_driver(s, &master, str("4sapi"), &d,
                                 str("tok-planted-2")), AIGW_OK, "an account");
    a = told(s, "set", "driver", "4sapi");
    is_str(a->after, "{\"driver\":1,\"master_user\":7,\"group\":\"\","
           "\"quota_per_unit\":10,\"master_token\":\"changed\"}",
           "all of it but its token");
    is_int(aigw_store_set_driver(s, &master, str("4sapi"), &d, str("")),
           AIGW_OK, "again");
    untold(s, "an account that is as it was");

    one = (aigw_subkey_t) { .project_id = p.id, .upstream_id = u.id,
                            .quota_nano = 5, .models = "*" };
    two = one;
    is_int(aigw_store_plan_subkey(s, &one), AIGW_OK, "planned");
    (void) told(s, "plan", "subkey", one.name);
    one.remote_id = 12;
    is_int(aigw_store_activate_subkey(s, &master, &one, str("sk-planted-3"),
                                      str("")), AIGW_OK, "active");
    a = told(s, "activate", "subkey", one.name);
    ok(strstr(a->after, "\"remote_id\":12") && !strstr(a->after, "sk-")
       && strstr(a->after, "\"secret\":\"changed\""), "its number, no key");

    is_int(aigw_store_plan_subkey(s, &two), AIGW_OK, "another");
    (void) told(s, "plan", "subkey", two.name);
    is_int(aigw_store_activate_subkey(s, &master, &two, str("sk-planted-4"),
                                      str(one.name)), AIGW_OK, "in its place");
    seen++;
    (void) told(s, "activate", "subkey", two.name);
    is_int(aigw_store_drop_subkey(s, str(one.name)), AIGW_OK, "dropped");
    a = told(s, "drop", "subkey", one.name);
    ok(strstr(a->before, "\"state\":3") != NULL, "it was retiring");
    is_int(aigw_store_drop_subkey(s, str(two.name)), AIGW_EINVAL, "in use");
    untold(s, "what failed");

    is_int(aigw_store_delete_project(s, p.id), AIGW_OK, "its project goes");
    seen += 2;
    (void) told(s, "delete", "project", "demo");
    is_int(aigw_store_retire_subkey(s, AIGW_SUBKEY_FORGOTTEN, &two), AIGW_OK,
           "forgotten");
    a = told(s, "retire", "subkey", two.name);
    ok(strstr(a->before, "\"state\":3") && strstr(a->after, "\"state\":4"),
       "it was retiring since then");
    is_int(verify(s).fault, AIGW_AUDIT_SOUND, "the chain holds");
    aigw_store_close(s);
}


static void
test_actor(void)
{
    aigw_user_t          bob = a_user("bob");
    aigw_actor_t         root = { 0, AIGW_ACTOR_SHELL, "root", "tty1" };
    aigw_audit_t         note;
    aigw_store_t        *s;
    const aigw_audit_t  *a;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    seen = 2;
    aigw_store_act_as(s, &root);
    strcpy(root.name, "other");
    is_int(aigw_store_create_user(s, &bob), AIGW_OK, "bob");
    a = told(s, "create", "user", "bob");
    ok(a->actor.kind == AIGW_ACTOR_SHELL && strcmp(a->actor.name, "root") == 0
       && strcmp(a->actor.from, "tty1") == 0, "by root, copied");
    ok(a->time_ms >= bob.created_ms && a->time_ms < bob.created_ms + 60000,
       "when");

    memset(&note, 0, sizeof(note));
    strcpy(note.action, "credit");
    is_int(aigw_store_audit_note(s, &note), AIGW_EINVAL, "of nothing");
    untold(s, "nothing");
    strcpy(note.object, "project");
    strcpy(note.name, "demo");
    strcpy(note.after, "{\"cost\":\"-5\"}");
    note.object_id = 12;
    is_int(aigw_store_audit_note(s, &note), AIGW_OK, "noted");
    a = told(s, "credit", "project", "demo");
    ok(a->object_id == 12 && strcmp(a->after, note.after) == 0
       && strcmp(a->actor.name, "root") == 0, "as it was");

    aigw_store_act_as(s, NULL);
    is_int(aigw_store_delete_user(s, bob.id), AIGW_OK, "deleted");
    a = told(s, "delete", "user", "bob");
    is_int(a->actor.kind, AIGW_ACTOR_SYSTEM, "by nobody who is known");
    aigw_store_close(s);

    s = test_open(0);
    is_int(aigw_store_audit_note(s, &note), AIGW_EACCESS, "read only");
    aigw_store_close(s);
}


/* --- lists --- */

static void
write_many(aigw_store_t *s, unsigned n)
{
    char                  name[24];
    unsigned              i;
    aigw_db_txn_t         txn;
    aigw_store_changed_t  changed = { "set", "", 0, name, NULL, NULL, NULL,
                                      "secret" };

    aigw_db_write(s->control, &txn);

    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        changed.object = i % 3 == 0 ? "key" : "model";
        changed.id = i % 3 == 0 ? i : 0;
        aigw_store_audit_changed(s, &txn, &changed);
    }

    is_int(aigw_db_end(&txn), AIGW_OK, "many");
}


static size_t
count(aigw_store_t *s, const aigw_audit_filter_t *filter, uint64_t before,
    uint64_t *first)
{
    size_t  n = 0;

    static aigw_audit_t  page[100];

    is_int(aigw_store_list_audit(s, filter, before, page, 100, &n), AIGW_OK,
           "listed");
    *first = n > 0 ? page[0].seq : 0;

    return n;
}


static void
test_lists(void)
{
    size_t                n;
    uint64_t              first;
    aigw_store_t         *s;
    aigw_actor_t          ana = { 7, AIGW_ACTOR_API, "ana", "10.0.0.9" };
    aigw_audit_filter_t   any = { 0 }, f = { 0 };

    static aigw_audit_t   a;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    write_many(s, MANY);
    is_int((int64_t) last_seq(s), MANY + 2, "so many");

    is_int((int64_t) count(s, &any, 50, &first), 49, "those below a seq");
    is_int((int64_t) first, 49, "... newest first");

    /* the oldest is behind more than one transaction's looks */
    f.name = str("n0");
    is_int((int64_t) count(s, &f, 0, &first), 1, "by name");
    is_int((int64_t) first, 3, "... the first");
    f.name = str("9000");
    is_int((int64_t) count(s, &f, 0, &first), 1, "by id");
    f.name = str("n1");
    f.object = str("key");
    is_int((int64_t) count(s, &f, 0, &first), 0, "name and object");
    f.object = str("model");
    is_int((int64_t) count(s, &f, 0, &first), 1, "... agree");

    aigw_store_act_as(s, &ana);
    write_many(s, 5);
    memset(&f, 0, sizeof(f));
    f.actor = str("ana");
    is_int((int64_t) count(s, &f, 0, &first), 5, "by actor");
    f.actor = str("7");
    is_int((int64_t) count(s, &f, 0, &first), 5, "by the actor's id");
    f.actor = str("an");
    is_int((int64_t) count(s, &f, 0, &first), 0, "all of the name");
    f.actor = str("system");
    is_int((int64_t) count(s, &f, 4, &first), 3, "by nobody");

    n = 0;
    is_int(aigw_store_list_audit(s, &any, 0, &a, 1, &n), AIGW_OK, "last");
    memset(&f, 0, sizeof(f));
    f.since_ms = a.time_ms + 1;
    is_int((int64_t) count(s, &f, 0, &first), 0, "since then: none");
    f.since_ms = a.time_ms;
    ok(count(s, &f, 0, &first) >= 1, "since that moment: at least that one");
    f.since_ms = 0;
    f.until_ms = 1;
    is_int((int64_t) count(s, &f, 0, &first), 0, "until 1970: none");
    is_int((int64_t) verify(s).records, MANY + 7, "verified, in parts");
    aigw_store_close(s);
}


/* --- tampering: what follows is undone, each in a transaction --- */

static void
key_of(aigw_db_key_t *at, uint64_t seq)
{
    aigw_store_key_int(at, seq);
}


static size_t
get(aigw_store_t *s, uint64_t seq, uint8_t *packed)
{
    size_t           len = 0;
    aigw_db_key_t    at;
    aigw_db_txn_t    txn;
    aigw_db_value_t  value;

    key_of(&at, seq);
    aigw_db_read(s->control, &txn);

    if (aigw_db_get(&txn, AIGW_CONTROL_AUDIT, &at, &value)) {
        len = value.len;
        memcpy(packed, value.data, len);
    }

    return aigw_db_end(&txn) == AIGW_OK ? len : 0;
}


static void
put(aigw_store_t *s, uint64_t seq, const uint8_t *packed, size_t len)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    key_of(&at, seq);
    aigw_db_write(s->control, &txn);

    if (len > 0) {
        aigw_db_put(&txn, AIGW_CONTROL_AUDIT, &at, packed, len);
    } else {
        (void) aigw_db_delete(&txn, AIGW_CONTROL_AUDIT, &at);
    }

    if (aigw_db_end(&txn) != AIGW_OK) {
        ok(0, "record %d put", (int) seq);
    }
}


static void
put_meta(aigw_store_t *s, const char *name, const void *data, size_t len)
{
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_store_key_text(&at, str(name));
    aigw_db_write(s->control, &txn);
    aigw_db_put(&txn, AIGW_CONTROL_META, &at, data, len);
    is_int(aigw_db_end(&txn), AIGW_OK, "meta");
}


static void
finds(aigw_store_t *s, aigw_audit_fault_t want, uint64_t seq,
    const char *what)
{
    aigw_audit_check_t  check = verify(s);

    ok(check.fault == want && check.seq == seq, "M26 %s: found", what);

    if (check.fault != want || check.seq != seq) {
        printf("# %s at %d, want %s\n",
               aigw_store_audit_fault_name(check.fault), (int) check.seq,
               aigw_store_audit_fault_name(want));
    }
}


/* One bit of each byte of one record in the middle, and all of one byte. */
static void
test_flips(aigw_store_t *s)
{
    size_t               i, len, found = 0;
    uint8_t              packed[AIGW_AUDIT_PACKED_MAX];
    aigw_audit_check_t   check;

    len = get(s, 5, packed);
    ok(len > 100, "a record");

    for (i = 0; i < len + 7; i++) {
        size_t   at = i < len ? i : 9;
        uint8_t  bit = (uint8_t) (1 << (i < len ? i % 8 : i - len));

        packed[at] ^= bit;
        put(s, 5, packed, len);
        packed[at] ^= bit;

        if (aigw_store_verify_audit(s, &check) == AIGW_OK
            && (check.fault == AIGW_AUDIT_CHANGED
                || check.fault == AIGW_AUDIT_UNREADABLE)
            && check.seq == 5 && check.records == 4)
        {
            found++;
        }
    }

    is_int((int64_t) found, (int64_t) len + 7,
           "M26 a flipped bit in any byte of a record is found, and where");
    put(s, 5, packed, len);
    finds(s, AIGW_AUDIT_SOUND, 0, "nothing, as it was");
}


/* A record that is made anew with a hash that fits is found by the next one. */
static void
test_forged(aigw_store_t *s)
{
    size_t         len, before_len, forged_len;
    uint8_t        packed[AIGW_AUDIT_PACKED_MAX];
    uint8_t        before[AIGW_AUDIT_PACKED_MAX];
    uint8_t        forged[AIGW_AUDIT_PACKED_MAX];
    aigw_audit_t   a;

    len = get(s, 5, packed);
    before_len = get(s, 4, before);
    is_int(aigw_record_unpack_audit(packed, len, &a), AIGW_OK, "read");
    strcpy(a.actor.name, "mallory");
    forged_len = aigw_record_pack_audit(&a, forged);
    is_int(aigw_store_audit_hash(before + before_len - AIGW_AUDIT_HASH_LEN,
                                 forged, forged_len, a.hash), AIGW_OK, "hash");
    forged_len = aigw_record_pack_audit(&a, forged);
    put(s, 5, forged, forged_len);
    finds(s, AIGW_AUDIT_CHANGED, 6, "a record with a hash of its own");

    put(s, 5, before, before_len);
    finds(s, AIGW_AUDIT_CHANGED, 5, "another record in its place");
    put(s, 5, packed, 0);
    finds(s, AIGW_AUDIT_MISSING, 5, "a gap");
    put(s, 5, packed, len);

    put(s, 0, packed, len);
    finds(s, AIGW_AUDIT_MISSING, 1, "one before the first");
    put(s, 0, packed, 0);
    put(s, 5, packed, len - 1);
    finds(s, AIGW_AUDIT_UNREADABLE, 5, "half a record");
    put(s, 5, packed, len);
    finds(s, AIGW_AUDIT_SOUND, 0, "nothing, as it was");
}


static void
test_ends(aigw_store_t *s, uint64_t n)
{
    size_t         len, before_len;
    uint8_t        packed[AIGW_AUDIT_PACKED_MAX];
    uint8_t        before[AIGW_AUDIT_PACKED_MAX];
    uint8_t        hash[AIGW_AUDIT_HASH_LEN] = { 1 };
    aigw_db_key_t  seq;

    len = get(s, n, packed);
    before_len = get(s, n - 1, before);
    put(s, n, packed, 0);
    finds(s, AIGW_AUDIT_CUT, n, "the last one cut off");
    put(s, n - 1, packed, 0);
    finds(s, AIGW_AUDIT_CUT, n - 1, "two cut off");
    put(s, n - 1, before, before_len);
    put(s, n, packed, len);

    put_meta(s, AIGW_META_AUDIT_HASH, hash, sizeof(hash));
    finds(s, AIGW_AUDIT_OTHER_END, n, "another hash of the last");
    put_meta(s, AIGW_META_AUDIT_HASH, hash, 5);
    finds(s, AIGW_AUDIT_OTHER_END, n, "half a hash");
    aigw_store_key_int(&seq, n - 1);
    put_meta(s, AIGW_META_AUDIT_HASH, before + before_len - sizeof(hash),
             sizeof(hash));
    put_meta(s, AIGW_META_AUDIT_SEQ, seq.bytes, 8);
    finds(s, AIGW_AUDIT_UNKNOWN, n, "one that control does not know");
    put_meta(s, AIGW_META_AUDIT_SEQ, seq.bytes, 7);
    finds(s, AIGW_AUDIT_OTHER_END, n, "half a number");

    aigw_store_key_int(&seq, n);
    put_meta(s, AIGW_META_AUDIT_HASH, packed + len - sizeof(hash),
             sizeof(hash));
    put_meta(s, AIGW_META_AUDIT_SEQ, seq.bytes, 8);
    finds(s, AIGW_AUDIT_SOUND, 0, "nothing, as it was");
}


static void
test_tampering(void)
{
    aigw_user_t    bob = a_user("bob");
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    write_many(s, 8);
    test_flips(s);
    test_forged(s);
    test_ends(s, 10);

    /* what was damaged is not gone on with as if it were whole */
    put_meta(s, AIGW_META_AUDIT_HASH, "", 1);
    is_int(aigw_store_create_user(s, &bob), AIGW_ECORRUPT,
           "a change without an end to go on from");
    is_int(aigw_store_find_user(s, str("bob"), &bob), AIGW_ENOTFOUND,
           "... is none");
    aigw_store_close(s);
}


int
main(void)
{
    test_begin();
    test_users();
    test_projects();
    test_things();
    test_subkeys();
    test_actor();
    test_lists();
    test_tampering();
    test_remove(test_dir);

    return done();
}
