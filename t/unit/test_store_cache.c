/* What the request's path keeps of control: never older than the last commit,
   whoever made it (F03, F04). */

#include "store.h"

#include "aigw_seal.h"


#define MANY   600                    /* keys: more than are kept */
#define NOW    INT64_C(1000000)

typedef struct {
    pid_t   pid;
    int     ask;
    int     answer;
} other_t;


static aigw_err_t
add_key(aigw_store_t *s, const char *name, unsigned n, aigw_key_t *key)
{
    *key = a_key(name, n);
    key->project_id = 1;

    return aigw_store_create_key(s, key);
}


static aigw_err_t
set_upstream(aigw_store_t *s, const char *url)
{
    aigw_upstream_t     upstream;
    aigw_seal_master_t  master;

    memset(&upstream, 0, sizeof(upstream));
    memset(&master, 7, sizeof(master));
    strcpy(upstream.name, "4sapi");
    strcpy(upstream.url, url);

    return aigw_store_set_upstream(s, &master, &upstream, str("sk-secret"));
}


/* What the other process is told to do. */
static aigw_err_t
change(aigw_store_t *s, char what)
{
    aigw_key_t           key;
    aigw_user_t          user;
    aigw_model_t         model = { 0 };
    aigw_project_t       project;
    aigw_price_entry_t   price;

    switch (what) {

    case 'k':
        if (aigw_store_find_key(s, 1, str("k1"), &key) != AIGW_OK) {
            return AIGW_EINVAL;
        }

        key.enabled = 0;
        return aigw_store_change_key(s, AIGW_CHANGE_ENABLED, &key);

    case 'p':
        if (aigw_store_find_project(s, str("alice"), &project) != AIGW_OK) {
            return AIGW_EINVAL;
        }

        project.quota_nano = 7;
        return aigw_store_change_project(s, AIGW_CHANGE_QUOTA, &project);

    case 'u':
        /* the last admin stays enabled */
        user = a_user("deputy");
        user.role = AIGW_ROLE_ADMIN;

        if (aigw_store_create_user(s, &user) != AIGW_OK
            || aigw_store_find_user(s, str("admin"), &user) != AIGW_OK)
        {
            return AIGW_EINVAL;
        }

        user.enabled = 0;
        return aigw_store_change_user(s, AIGW_CHANGE_ENABLED, &user);

    case 'n':
        return add_key(s, "k2", 2, &key);

    case 'c':
        price = a_price("m", 0, 50);
        return aigw_store_set_price(s, &price);

    case 'f':
        price = a_price("m", NOW + 1000, 60);
        return aigw_store_set_price(s, &price);

    case 'd':
        return aigw_store_delete_price(s, str("m"));

    case 'a':
        strcpy(model.name, "fast");
        strcpy(model.alias_of, "m");
        return aigw_store_set_model(s, AIGW_CHANGE_ALIAS, &model);

    case 'o':
        strcpy(model.name, "m");
        model.max_output = 16384;
        return aigw_store_set_model(s, AIGW_CHANGE_MAX_OUTPUT, &model);

    case 's':
        return aigw_store_set_setting(s, str(AIGW_SETTING_MAX_OUTPUT),
                                      str("8192"));

    default:
        return set_upstream(s, "https://two.example");
    }
}


/* A process of its own: one may not open a store twice. */
static other_t
start_other(void)
{
    int            ask[2], answer[2];
    char           what, err;
    other_t        other = { 0 };
    aigw_store_t  *s;

    if (pipe(ask) != 0 || pipe(answer) != 0 || (other.pid = fork()) < 0) {
        exit(1);
    }

    if (other.pid == 0) {
        (void) close(ask[1]);
        s = test_open(AIGW_STORE_CONTROL_WRITE);

        while (read(ask[0], &what, 1) == 1) {
            err = (char) change(s, what);
            (void) !write(answer[1], &err, 1);
        }

        aigw_store_close(s);
        _exit(0);
    }

    (void) close(ask[0]);
    (void) close(answer[1]);
    other.ask = ask[1];
    other.answer = answer[0];

    return other;
}


static int
tell(other_t *other, char what)
{
    char  err = 1;

    (void) !write(other->ask, &what, 1);

    return read(other->answer, &err, 1) == 1 && err == AIGW_OK;
}


static int64_t
price_at(aigw_store_t *s, const char *model, int64_t now_ms)
{
    aigw_price_t  price;

    return aigw_store_find_price(s, str(model), now_ms, &price) == AIGW_OK
           ? price.prompt_nano : -1;
}


static void
test_access(aigw_store_t *s, other_t *other)
{
    uint8_t        second[AIGW_KEY_HASH_LEN];
    aigw_key_t     k1 = a_key("k1", 1), k2 = a_key("k2", 2);
    aigw_access_t  a, b;

    memcpy(second, k2.hash, sizeof(second));
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));

    is_int(aigw_store_find_access(s, k1.hash, &a), AIGW_OK, "a key");
    is_int(aigw_store_find_access(s, k1.hash, &b), AIGW_OK, "once more");
    ok(a.key_id == b.key_id && a.project_id == b.project_id
       && strcmp(a.project_name, b.project_name) == 0
       && strcmp(a.key_models, b.key_models) == 0
       && strcmp(a.project_models, b.project_models) == 0
       && b.key_enabled && b.user_enabled, "is the same");

    ok(tell(other, 'k') && aigw_store_find_access(s, k1.hash, &a) == AIGW_OK
       && !a.key_enabled, "F03 a key that another process has disabled");
    ok(tell(other, 'p') && aigw_store_find_access(s, k1.hash, &a) == AIGW_OK
       && a.project_quota_nano == 7 && !a.key_enabled, "its project's quota");
    ok(tell(other, 'u') && aigw_store_find_access(s, k1.hash, &a) == AIGW_OK
       && !a.user_enabled, "its user");

    is_int(aigw_store_find_access(s, second, &a), AIGW_ENOTFOUND,
           "a key that is not there");
    ok(tell(other, 'n') && aigw_store_find_access(s, second, &a) == AIGW_OK,
       "is found as soon as it is");
}


static void
test_price(aigw_store_t *s, other_t *other)
{
    int64_t  any = price_at(s, "m", NOW);

    ok(any > 0 && price_at(s, "m", NOW) == any, "the price of *, twice");
    ok(tell(other, 'c') && price_at(s, "m", NOW) == 50, "F04 then its own");
    is_int(price_at(s, "m", NOW + 5000), 50, "and for ever");
    ok(tell(other, 'f') && price_at(s, "m", NOW) == 50, "one to come");
    is_int(price_at(s, "m", NOW + 999), 50, "is not there yet");
    is_int(price_at(s, "m", NOW + 1000), 60, "comes without a commit");
    is_int(price_at(s, "m", NOW + 5000), 60, "and stays");
    is_int(price_at(s, "m", NOW + 999), 50, "but not for a clock set back");
    is_int(price_at(s, "m", -1), -1, "none before the first of all");
    is_int(price_at(s, "m", 0), 50, "then that");
    ok(tell(other, 'd') && price_at(s, "m", NOW) == any, "that of * again");
}


/* Once more, from what is kept. */
static int
same_again(aigw_store_t *s, const char *name, const aigw_called_t *first)
{
    aigw_called_t  c;

    return aigw_store_find_called(s, str(name), &c) == AIGW_OK
           && strcmp(c.model, first->model) == 0
           && c.model_len == first->model_len && c.alias == first->alias
           && c.max_output == first->max_output
           && c.assumed_output == first->assumed_output
           && c.context == first->context && c.reasoning == first->reasoning;
}


static void
test_names(aigw_store_t *s, other_t *other)
{
    char             target[AIGW_MODEL_MAX + 1];
    aigw_called_t    c;
    aigw_upstream_t  up;

    is_int(find_alias(s, str("fast"), target), AIGW_ENOTFOUND,
           "no alias");
    is_int(find_alias(s, str("fast"), target), AIGW_ENOTFOUND,
           "still none");
    ok(tell(other, 'a')
       && find_alias(s, str("fast"), target) == AIGW_OK
       && strcmp(target, "m") == 0, "made by another process");
    ok(find_alias(s, str("fast"), target) == AIGW_OK
       && strcmp(target, "m") == 0, "and once more");

    ok(aigw_store_find_called(s, str("fast"), &c) == AIGW_OK
       && c.max_output == 0, "nothing is set for its target");
    ok(tell(other, 'o')
       && aigw_store_find_called(s, str("fast"), &c) == AIGW_OK
       && c.max_output == 16384, "F04 now it is");
    ok(same_again(s, "fast", &c), "and again");
    ok(aigw_store_find_called(s, str("none"), &c) == AIGW_OK
       && c.assumed_output == AIGW_ASSUMED_OUTPUT, "of an unknown one");
    ok(tell(other, 's')
       && aigw_store_find_called(s, str("none"), &c) == AIGW_OK
       && c.assumed_output == 8192, "F04 the setting counts");
    ok(same_again(s, "none", &c), "and again");

    ok(aigw_store_find_upstream(s, str("4sapi"), &up) == AIGW_OK
       && aigw_store_find_upstream(s, str("4sapi"), &up) == AIGW_OK
       && strcmp(up.url, "https://one.example") == 0, "an upstream, twice");
    ok(tell(other, 'U')
       && aigw_store_find_upstream(s, str("4sapi"), &up) == AIGW_OK
       && strcmp(up.url, "https://two.example") == 0, "changed by another");
}


/* More than there is room for: each is itself, whatever went out. */
static void
test_many(void)
{
    char           name[32];
    unsigned       i, turn, wrong;
    aigw_key_t     key;
    aigw_store_t  *s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    aigw_access_t  access;
    aigw_project_t project = a_project("alice");

    key = a_key("k0", 0);
    ok(aigw_store_create_project(s, &project, &key) == AIGW_OK, "a project");
    wrong = 0;

    for (i = 1; i < MANY; i++) {
        snprintf(name, sizeof(name), "k%u", i);
        wrong += add_key(s, name, i, &key) != AIGW_OK;
    }

    for (turn = 0; turn < 3; turn++) {
        for (i = 0; i < MANY; i++) {
            key = a_key("", i);
            wrong += aigw_store_find_access(s, key.hash, &access) != AIGW_OK
                     || access.key_id != i + 1;
        }
    }

    is_int(wrong, 0, "no key is taken for another");

    /* through the handle that has just looked */
    key = a_key("k5", 5);
    ok(aigw_store_find_access(s, key.hash, &access) == AIGW_OK
       && access.key_enabled
       && aigw_store_find_key(s, 1, str("k5"), &key) == AIGW_OK, "one of them");
    key.enabled = 0;
    ok(aigw_store_change_key(s, AIGW_CHANGE_ENABLED, &key) == AIGW_OK
       && aigw_store_find_access(s, key.hash, &access) == AIGW_OK
       && !access.key_enabled, "the handle's own change counts at once");
    aigw_store_close(s);
}


int
main(void)
{
    int             status;
    other_t         other;
    aigw_key_t      key = a_key("k1", 1);
    aigw_store_t   *s;
    aigw_project_t  project = a_project("alice");

    test_begin();

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);
    ok(aigw_store_create_project(s, &project, &key) == AIGW_OK
       && set_upstream(s, "https://one.example") == AIGW_OK, "a store");
    aigw_store_close(s);

    other = start_other();
    s = test_open(0);
    test_access(s, &other);
    test_price(s, &other);
    test_names(s, &other);
    (void) close(other.ask);
    ok(waitpid(other.pid, &status, 0) == other.pid && status == 0, "the other");
    aigw_store_close(s);

    test_many();
    test_remove(test_dir);

    return done();
}
