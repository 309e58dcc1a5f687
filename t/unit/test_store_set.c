/* Prices, models, upstreams, settings, names (K09, M08, M19, M22, Q29). */

#include "store.h"


static int64_t
price_at(aigw_store_t *s, const char *model, size_t len, int64_t now_ms)
{
    aigw_err_t    err;
    aigw_str_t    name = { len, model };
    aigw_price_t  price;

    err = aigw_store_find_price(s, name, now_ms, &price);

    return err == AIGW_OK ? price.prompt_nano
                          : err == AIGW_ENOTFOUND ? -100 : -200;
}


static void
test_prices(void)
{
    size_t              i, n;
    aigw_store_t       *s;
    aigw_price_t        price;
    aigw_price_entry_t  e, list[10];

    static const struct {
        const char  *model;
        int64_t      from_ms;
        int64_t      nano;
    } set[] = {
        { "*", 0, 1 }, { "gpt-4", 100, 2 }, { "gpt-4", 200, 3 },
        { "gpt-4", -50, 4 }, { "gpt-4-32k", 150, 5 }, { "gpt-3", 0, 6 },
        { "future", INT64_MAX, 7 }, { "odd", INT64_C(0xff) << 48, 8 },
    };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    for (i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        e = a_price(set[i].model, set[i].from_ms, set[i].nano);
        ok(aigw_store_set_price(s, &e) == AIGW_OK
           && e.price.version == 2 + i, "Q29 version %zu", i + 2);
    }

    is_int(price_at(s, "gpt-4", 5, -51), -100, "before all");
    is_int(price_at(s, "gpt-4", 5, -50), 4, "negative times work");
    is_int(price_at(s, "gpt-4", 5, 99), 4, "the first still");
    is_int(price_at(s, "gpt-4", 5, 100), 2, "the second from its ms on");
    is_int(price_at(s, "gpt-4", 5, 199), 2, "the second still");
    is_int(price_at(s, "gpt-4", 5, INT64_MAX), 3, "the third for ever");
    is_int(price_at(s, "gpt-4-32k", 9, 149), 1, "not yet: that of '*'");
    is_int(price_at(s, "gpt-4-32k", 9, 150), 5, "now its own");
    is_int(price_at(s, "gpt-", 4, 1000), 1, "a prefix: that of '*'");
    is_int(price_at(s, "*", 1, 1000), 1, "'*' itself");
    is_int(price_at(s, "gpt-4\0\0\0\0", 9, 1000), 1, "a NUL hides nothing");
    is_int(price_at(s, "odd\0\x7f", 5, 1000), 1, "nor a part of a time");
    is_int(price_at(s, "", 0, 1000), 1, "no name");
    is_int(price_at(s, "future", 6, INT64_MAX - 1), 1, "to come");
    is_int(price_at(s, "future", 6, INT64_MAX), 7, "come");

    is_int(aigw_store_list_prices(s, str(""), 0, list, 10, &n), AIGW_OK,
           "list");
    is_int((int64_t) n, 8, "all: '*' of 0 was replaced");
    is_str(list[0].model, "*", "by model");
    ok(strcmp(list[3].model, "gpt-4") == 0 && list[3].from_ms == 200
       && list[4].from_ms == 100 && list[5].from_ms == -50,
       "newest first, below 0 too");
    is_int(aigw_store_list_prices(s, str("gpt-4"), 100, list, 10, &n),
           AIGW_OK, "behind one");
    ok(n == 3 && list[0].from_ms == -50
       && strcmp(list[1].model, "gpt-4-32k") == 0, "the rest");

    e = a_price("gpt-4", 200, 33);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "replaced");
    is_int(price_at(s, "gpt-4", 5, 200), 33, "the new one");
    e.price.cached_nano = -2;
    is_int(aigw_store_set_price(s, &e), AIGW_EINVAL, "M08 no negative price");
    e = a_price("gpt*", 0, 1);
    is_int(aigw_store_set_price(s, &e), AIGW_EINVAL, "no pattern but '*'");

    is_int(aigw_store_delete_price(s, str("gpt-4")), AIGW_OK, "deleted");
    is_int(price_at(s, "gpt-4", 5, 1000), 1, "that of '*' is left");
    is_int(price_at(s, "gpt-4-32k", 9, 1000), 5, "its longer name too");
    is_int(aigw_store_delete_price(s, str("gpt-4")), AIGW_ENOTFOUND, "gone");
    is_int(aigw_store_delete_price(s, str("*")), AIGW_OK, "'*' deleted");
    is_int(price_at(s, "gpt-4", 5, 1000), -100, "now there is none");

    e = a_price("again", 0, 1);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "another");
    is_int(e.price.version, 11, "versions never come back");
    is_int(aigw_store_find_price(s, str("again"), 0, &price), AIGW_OK, "it");
    is_int(price.version, 11, "has it");

    aigw_store_close(s);
}


static aigw_err_t
set_alias(aigw_store_t *s, const char *name, const char *alias_of)
{
    aigw_model_t  m = { 0 };

    strcpy(m.name, name);
    strcpy(m.alias_of, alias_of);

    return aigw_store_set_model(s, alias_of[0] ? AIGW_CHANGE_ALIAS : 0, &m);
}


static void
test_aliases(void)
{
    char           names[4][AIGW_MODEL_MAX + 1];
    char           target[AIGW_MODEL_MAX + 1] = "as before";
    size_t         n;
    aigw_str_t     odd = { 3, "a\0b" };
    aigw_model_t   m;
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    is_int(set_alias(s, "fast", "gpt-4o-mini"), AIGW_OK, "of what nobody set");
    is_int(set_alias(s, "plain", ""), AIGW_OK, "a plain model");
    is_int(find_alias(s, str("plain"), target), AIGW_ENOTFOUND,
           "is no alias");
    is_int(find_alias(s, str("nosuch"), target), AIGW_ENOTFOUND,
           "nor is one that nobody knows");
    is_int(find_alias(s, str(""), target), AIGW_ENOTFOUND, "empty");
    is_int(find_alias(s, odd, target), AIGW_ENOTFOUND, "NUL");
    ok(strcmp(target, "as before") == 0, "nothing said then");
    is_int(find_alias(s, str("fast"), target), AIGW_OK, "fast");
    ok(strcmp(target, "gpt-4o-mini") == 0, "stands for its target");

    is_int(set_alias(s, "x", "x"), AIGW_EINVAL, "not of itself");
    is_int(set_alias(s, "x", "a,b"), AIGW_EINVAL, "not of a bad name");
    is_int(set_alias(s, "x", "fast"), AIGW_EEXIST, "not of an alias");
    is_int(set_alias(s, "gpt-4o-mini", "plain"), AIGW_EEXIST,
           "not what has an alias");
    is_int(set_alias(s, "gpt-4o-mini", "fast"), AIGW_EEXIST, "no loop");
    is_int(aigw_store_find_model(s, str("x"), &m), AIGW_ENOTFOUND,
           "nothing was made");

    is_int(set_alias(s, "fast", ""), AIGW_OK, "set again without a target");
    is_int(find_alias(s, str("fast"), target), AIGW_OK,
           "stays an alias");
    is_int(set_alias(s, "fast", "plain"), AIGW_OK, "another target");
    ok(find_alias(s, str("fast"), target) == AIGW_OK
       && strcmp(target, "plain") == 0, "counts");
    is_int(set_alias(s, "gpt-4o-mini", "plain"), AIGW_OK,
           "the old target is free");

    is_int(aigw_store_list_model_names(s, str(""), names, 4, &n), AIGW_OK,
           "names");
    ok(n == 3 && strcmp(names[0], "fast") == 0, "have the aliases");

    aigw_store_close(s);
}


static int
thinks(aigw_store_t *s, const char *name)
{
    aigw_called_t  called;

    return aigw_store_find_called(s, str(name), &called) == AIGW_OK
           ? called.reasoning : -1;
}


static void
test_thinkers(aigw_store_t *s)
{
    size_t  i;

    static const char *const  thinkers[] = {
        "o1", "o1-mini", "o3", "o3-pro-2025-06-10", "o4-mini", "gpt-5",
        "gpt-5-mini", "gpt-5.1-chat-latest", "deepseek-reasoner",
        "deepseek-ai/DeepSeek-R1", "openai/o3-mini", "qwq-32b",
        "QwQ-32B-Preview", "claude-3-7-sonnet-20250219-thinking",
        "qwen3-235b-a22b-thinking-2507"
    };
    static const char *const  others[] = {
        "gpt-4o", "o2", "o1x", "o10", "gpt-5-chat-latest", "gpt-5-chat",
        "deepseek-chat", "claude-opus-4-nothinking", "thinking", "o3/x", "/",
        "foo1", ""
    };

    for (i = 0; i < sizeof(thinkers) / sizeof(thinkers[0]); i++) {
        ok(thinks(s, thinkers[i]) == 1, thinkers[i]);
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ok(thinks(s, others[i]) == 0, others[i]);
    }
}


static aigw_err_t
set_tokens(aigw_store_t *s, const char *name, unsigned fields,
    int64_t max_output, int64_t context)
{
    aigw_model_t  m = { 0 };

    strcpy(m.name, name);
    m.max_output = max_output;
    m.context = context;

    return aigw_store_set_model(s, fields, &m);
}


static aigw_err_t
set_reasoning(aigw_store_t *s, const char *name, uint8_t reasoning)
{
    aigw_model_t  m = { 0 };

    strcpy(m.name, name);
    m.reasoning = reasoning;

    return aigw_store_set_model(s, AIGW_CHANGE_REASONING, &m);
}


/* What is set for a model counts by each of its names. */
static void
test_set_for(aigw_store_t *s)
{
    aigw_called_t  c;

    is_int(set_tokens(s, "m", AIGW_CHANGE_MAX_OUTPUT, 16384, 5), AIGW_OK,
           "a ceiling");
    is_int(set_tokens(s, "m", AIGW_CHANGE_CONTEXT, 5, 128000), AIGW_OK,
           "and a context");
    is_int(set_alias(s, "fast", "m"), AIGW_OK, "an alias");
    is_int(aigw_store_find_called(s, str("fast"), &c), AIGW_OK, "called");
    ok(c.alias && strcmp(c.model, "m") == 0 && c.model_len == 1, "is m");
    ok(c.max_output == 16384 && c.context == 128000, "has what m has");
    is_int(aigw_store_find_called(s, str("m"), &c), AIGW_OK, "m itself");
    ok(!c.alias && strcmp(c.model, "m") == 0, "is no alias");
    ok(c.max_output == 16384 && c.context == 128000, "has both");

    is_int(set_reasoning(s, "m", AIGW_REASONING_YES), AIGW_OK, "it thinks");
    ok(thinks(s, "fast") == 1 && thinks(s, "m") == 1, "by each name");
    is_int(set_reasoning(s, "o3", AIGW_REASONING_NO), AIGW_OK, "o3 does not");
    is_int(thinks(s, "o3"), 0, "the record counts");
    is_int(set_reasoning(s, "o3", AIGW_REASONING_BY_NAME), AIGW_OK, "or not");
    is_int(thinks(s, "o3"), 1, "then the name");
    is_int(set_alias(s, "o1", "m"), AIGW_OK, "a name that says otherwise");
    is_int(set_reasoning(s, "m", AIGW_REASONING_BY_NAME), AIGW_OK, "unset");
    is_int(thinks(s, "o1"), 0, "the target's name, not the alias's");

    is_int(set_tokens(s, "fast", AIGW_CHANGE_CONTEXT, 0, 1), AIGW_EINVAL,
           "an alias has nothing of its own");
    is_int(set_reasoning(s, "fast", AIGW_REASONING_NO), AIGW_EINVAL, "at all");
    is_int(set_tokens(s, "m", AIGW_CHANGE_MAX_OUTPUT, -1, 0), AIGW_EINVAL,
           "not below 0");
    is_int(set_tokens(s, "m", AIGW_CHANGE_CONTEXT, 0, AIGW_TOKENS_MAX + 1),
           AIGW_EINVAL, "not above all");
    is_int(set_reasoning(s, "m", AIGW_REASONING_MAX), AIGW_EINVAL, "no third");
    is_int(set_alias(s, "fast", "z"), AIGW_OK, "m is free");
    is_int(set_alias(s, "o1", "z"), AIGW_OK, "of both");
    is_int(set_alias(s, "m", "z"), AIGW_OK, "what becomes an alias");
    ok(aigw_store_find_called(s, str("m"), &c) == AIGW_OK && c.alias
       && c.max_output == 0 && c.context == 0, "loses what it had");
}


static void
test_called(void)
{
    aigw_str_t     odd = { 3, "a\0b" }, empty = { 0, NULL };
    aigw_called_t  c;
    aigw_store_t  *s;

    static const char  text[AIGW_MODEL_MAX + 1] = { 0 };
    aigw_str_t         full = { AIGW_MODEL_MAX, text };
    aigw_str_t         longer = { AIGW_MODEL_MAX + 1, text };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    memset(&c, 0xa5, sizeof(c));
    is_int(aigw_store_find_called(s, str("gpt-4o"), &c), AIGW_OK,
           "what nobody set");
    ok(!c.alias && c.max_output == 0 && c.context == 0 && !c.reasoning
       && c.assumed_output == AIGW_ASSUMED_OUTPUT
       && strcmp(c.model, "gpt-4o") == 0, "is called by its own name");
    is_int(aigw_store_find_called(s, odd, &c), AIGW_OK, "NUL");
    ok(c.model_len == 3 && memcmp(c.model, "a\0b", 4) == 0, "all of it");
    is_int(aigw_store_find_called(s, empty, &c), AIGW_OK, "empty");
    ok(c.model_len == 0 && c.model[0] == '\0', "as it is");
    is_int(aigw_store_find_called(s, full, &c), AIGW_OK, "as long as can be");
    is_int((int64_t) c.model_len, AIGW_MODEL_MAX, "all of it, too");
    is_int(aigw_store_find_called(s, longer, &c), AIGW_EINVAL, "too long");

    test_thinkers(s);
    test_set_for(s);

    is_int(aigw_store_set_setting(s, str(AIGW_SETTING_MAX_OUTPUT),
                                  str("8192")), AIGW_OK, "the setting");
    ok(aigw_store_find_called(s, str("gpt-4o"), &c) == AIGW_OK
       && c.assumed_output == 8192 && c.max_output == 0,
       "is what is assumed, not known");
    is_int(aigw_store_set_setting(s, str(AIGW_SETTING_MAX_OUTPUT), str("x")),
           AIGW_OK, "a bad one");
    is_int(aigw_store_find_called(s, str("gpt-4o"), &c), AIGW_ECORRUPT,
           "is none");
    ok(c.assumed_output == 8192, "nothing said then");
    is_int(aigw_store_set_setting(s, str(AIGW_SETTING_MAX_OUTPUT), str("")),
           AIGW_OK, "removed");
    ok(aigw_store_find_called(s, str("gpt-4o"), &c) == AIGW_OK
       && c.assumed_output == AIGW_ASSUMED_OUTPUT, "as it was");

    aigw_store_close(s);
}


static void
test_models(void)
{
    char                names[10][AIGW_MODEL_MAX + 1];
    size_t              n;
    int64_t             created;
    aigw_model_t        m, list[4];
    aigw_store_t       *s;
    aigw_price_entry_t  e;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    memset(&m, 0, sizeof(m));
    strcpy(m.name, "b");
    is_int(aigw_store_set_model(s, 0, &m), AIGW_OK, "b");
    created = m.created_ms;
    ok(created > 0, "has a time");
    m.created_ms = 0;
    ok(aigw_store_set_model(s, 0, &m) == AIGW_OK && m.created_ms == created,
       "set again: the old time");
    strcpy(m.name, "d");
    is_int(aigw_store_set_model(s, 0, &m), AIGW_OK, "d");
    strcpy(m.name, "a,b");
    is_int(aigw_store_set_model(s, 0, &m), AIGW_EINVAL, "no comma");
    is_int(aigw_store_find_model(s, str("d"), &m), AIGW_OK, "found");
    is_int(aigw_store_find_model(s, str("e"), &m), AIGW_ENOTFOUND, "not");

    e = a_price("a", 0, 1);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "a has a price");
    e = a_price("b", 0, 1);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "b too");
    e.from_ms = 5;
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "two of them");
    e = a_price("b1", INT64_MAX, 1);
    is_int(aigw_store_set_price(s, &e), AIGW_OK, "b1 to come");

    is_int(aigw_store_list_model_names(s, str(""), names, 10, &n), AIGW_OK,
           "names");
    is_int((int64_t) n, 4, "four, '*' is none");
    ok(n == 4 && strcmp(names[0], "a") == 0 && strcmp(names[1], "b") == 0
       && strcmp(names[2], "b1") == 0 && strcmp(names[3], "d") == 0,
       "sorted, each once");
    is_int(aigw_store_list_model_names(s, str("a"), names, 2, &n), AIGW_OK,
           "a page");
    ok(n == 2 && strcmp(names[0], "b") == 0 && strcmp(names[1], "b1") == 0,
       "of two");
    is_int(aigw_store_list_model_names(s, str("b1"), names, 2, &n), AIGW_OK,
           "the next");
    ok(n == 1 && strcmp(names[0], "d") == 0, "has one");
    is_int(aigw_store_list_model_names(s, str("d"), names, 2, &n), AIGW_OK,
           "and then");
    is_int((int64_t) n, 0, "none");

    is_int(aigw_store_list_models(s, str(""), list, 4, &n), AIGW_OK, "set");
    ok(n == 2 && strcmp(list[0].name, "b") == 0, "only those set");
    is_int(aigw_store_list_models(s, str("b"), list, 4, &n), AIGW_OK, "more");
    ok(n == 1 && strcmp(list[0].name, "d") == 0, "behind b");

    aigw_store_close(s);
}


static void
test_upstreams(void)
{
    char                secret[AIGW_SECRET_MAX];
    size_t              n;
    uint64_t            id;
    aigw_store_t       *s;
    aigw_upstream_t     u, found, list[2];
    aigw_seal_master_t  master = { { 9, 8, 7 } };

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    memset(&u, 0, sizeof(u));
    strcpy(u.name, "foursapi");
    strcpy(u.url, "https://example.com");
    is_int(aigw_store_set_upstream(s, &master, &u, str("")), AIGW_EINVAL,
           "a new one needs a secret");
    is_int(aigw_store_set_upstream(s, &master, &u, str("sk-one")), AIGW_OK,
           "with one");
    id = u.id;
    is_int(aigw_store_find_upstream(s, str("foursapi"), &found), AIGW_OK,
           "found");
    ok(aigw_unseal(&master, found.id, found.sealed, found.sealed_len, secret,
                   &n) == AIGW_OK && n == 6 && memcmp(secret, "sk-one", 6)
       == 0, "its secret opens");
    ok(aigw_unseal(&master, found.id + 1, found.sealed, found.sealed_len,
                   secret, &n) == AIGW_ECRYPTO, "K09 not as another's");

    is_int(aigw_store_set_upstream(s, &master, &u, str("")), AIGW_OK,
           "none again: the same URL keeps it");
    strcpy(u.url, "https://evil.example");
    is_int(aigw_store_set_upstream(s, &master, &u, str("")), AIGW_EINVAL,
           "M19 another URL does not");
    is_int(aigw_store_set_upstream(s, &master, &u, str("sk-two")), AIGW_OK,
           "M19 but with its own");
    ok(u.id == id && aigw_unseal(&master, u.id, u.sealed, u.sealed_len,
                                 secret, &n) == AIGW_OK
       && memcmp(secret, "sk-two", 6) == 0, "the id is kept");

    strcpy(u.name, "a");
    is_int(aigw_store_set_upstream(s, &master, &u, str("k")), AIGW_OK, "a");
    ok(u.id != id, "has an id of its own");
    is_int(aigw_store_list_upstreams(s, str(""), list, 2, &n), AIGW_OK,
           "list");
    ok(n == 2 && strcmp(list[0].name, "a") == 0, "by name");

    aigw_store_close(s);
}


static void
test_settings(void)
{
    char           value[AIGW_VALUE_MAX + 1], big[AIGW_VALUE_MAX + 2];
    aigw_store_t  *s;

    s = test_fresh(AIGW_STORE_CONTROL_WRITE);

    is_int(aigw_store_get_setting(s, str("base_url"), value), AIGW_ENOTFOUND,
           "not set");
    is_int(aigw_store_set_setting(s, str("base_url"), str("http://x")),
           AIGW_OK, "set");
    is_int(aigw_store_get_setting(s, str("base_url"), value), AIGW_OK, "get");
    is_str(value, "http://x", "the value");
    is_int(aigw_store_set_setting(s, str("base_url"), str("")), AIGW_OK,
           "an empty one");
    is_int(aigw_store_get_setting(s, str("base_url"), value), AIGW_ENOTFOUND,
           "removes it");

    memset(big, 'v', sizeof(big));
    is_int(aigw_store_set_setting(s, str("v"), (aigw_str_t) { 256, big }),
           AIGW_EINVAL, "256 bytes");
    is_int(aigw_store_set_setting(s, str("v"), (aigw_str_t) { 255, big }),
           AIGW_OK, "255 bytes");
    ok(aigw_store_get_setting(s, str("v"), value) == AIGW_OK
       && strlen(value) == 255, "read back");

    aigw_store_close(s);
}


static void
test_names(void)
{
    char    text[AIGW_NAME_MAX + 2];
    size_t  i;

    static const char *const  good[] = {
        "a", "alice", "A.b_c-d", "1a", "a1", "_", ".", "M\xc3\xbcller",
        "\xe5\xbc\xa0\xe4\xb8\x89", "\xf0\xa0\x80\x80", "1e5", "0x10",
    };
    static const char *const  bad[] = {
        "", "-a", "--yes", "1", "007", "a b", "a/b", "a\tb", "a'b", "a\"b",
        "a,b", "a*", "a=b", "a:b", "\xc3", "\xc0\x80", "\xed\xa0\x80",
        "\xf5\x80\x80\x80", "a\xff", "\xe2\x80\x8b", "\xe2\x80\xae" "abc",
        "\xc2\xa0", "\xc2\x85", "\xef\xbb\xbf" "a", "\xee\x80\x80", "<b>",
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(aigw_store_check_name(str(good[i])) == AIGW_OK, "M22 name %zu",
           i);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(aigw_store_check_name(str(bad[i])) == AIGW_EINVAL,
           "M22 bad name %zu", i);
    }

    memset(text, 'n', sizeof(text));
    ok(aigw_store_check_name((aigw_str_t) { AIGW_NAME_MAX, text }) == AIGW_OK
       && aigw_store_check_name((aigw_str_t) { AIGW_NAME_MAX + 1, text })
       == AIGW_EINVAL, "S26 64 bytes, not 65");

    ok(aigw_store_check_model(str("org/model:free@2")) == AIGW_OK
       && aigw_store_check_model(str("gpt-4o")) == AIGW_OK, "model names");
    ok(aigw_store_check_model(str("a b")) == AIGW_EINVAL
       && aigw_store_check_model(str("a*")) == AIGW_EINVAL
       && aigw_store_check_model(str("a,b")) == AIGW_EINVAL
       && aigw_store_check_model(str("")) == AIGW_EINVAL, "bad ones");
}


int
main(void)
{
    test_begin();

    test_prices();
    test_aliases();
    test_called();
    test_models();
    test_upstreams();
    test_settings();
    test_names();

    test_remove(test_dir);

    return done();
}
