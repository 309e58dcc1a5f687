/* Model lists, what is left of a quota, expiry (threats A05, A14, A18). */

#include <stdlib.h>
#include <string.h>

#include "aigw_limit.h"
#include "tap.h"


static const struct {
    const char  *patterns;
    const char  *model;
    int          allowed;
} matches[] = {
    { "gpt-4", "gpt-4", 1 },
    { "gpt-4", "gpt-4-32k", 0 },
    { "gpt-4-32k", "gpt-4", 0 },
    { "gpt-4*", "gpt-4-32k", 1 },
    { "gpt-4*", "gpt-4", 1 },
    { "gpt-4*", "gpt-3", 0 },
    { "gpt-4*", "xgpt-4", 0 },
    { "*", "anything at all", 1 },
    { "*", "", 1 },
    { "*", "a,b", 1 },
    { "", "gpt-4", 0 },
    { "", "", 0 },
    { "a,b,c", "b", 1 },
    { "a,b,c", "c", 1 },
    { "a,b,c", "d", 0 },
    { "a,b,c", "a,b", 0 },
    { "a,b,c", "", 0 },
    { "gpt-4o*,claude-*", "claude-3", 1 },
    { "gpt-4o*,claude-*", "Claude-3", 0 },
    { "GPT-4", "gpt-4", 0 },
    { "*mini", "gpt-4o-mini", 1 },
    { "*mini", "gpt-4o-minis", 0 },
    { "*mini", "mini", 1 },
    { "a*c", "abc", 1 },
    { "a*c", "ac", 1 },
    { "a*c", "abcd", 0 },
    { "a*b*c", "axxbyybzzc", 1 },
    { "a*b*c", "axxcyyb", 0 },
    { "*a*b", "abab", 1 },
    { "**", "x", 1 },
    { "a**b", "ab", 1 },
    { "gpt.4", "gpt-4", 0 },
    { "gpt?4", "gpt-4", 0 },
    { "[a-z]", "b", 0 },
    { "a\\*", "ab", 0 },
    { ",", "", 0 },
    { ",,x", "", 0 },
    { ",,x", "x", 1 },
    { "x,", "x", 1 },
};


static aigw_str_t
str(const char *text)
{
    aigw_str_t  s = { strlen(text), text };

    return s;
}


/* A copy with nothing behind its end that a read could land in. */
static aigw_str_t
copy(const char *text)
{
    char        *data;
    aigw_str_t   s;

    s.len = strlen(text);
    data = malloc(s.len ? s.len : 1);
    memcpy(data, text, s.len);
    s.data = data;

    return s;
}


static void
test_matches(void)
{
    int         allowed;
    size_t      i;
    aigw_str_t  patterns, model;

    for (i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        patterns = copy(matches[i].patterns);
        model = copy(matches[i].model);
        allowed = aigw_limit_model_allowed(patterns, model);
        free((void *) patterns.data);
        free((void *) model.data);

        ok(allowed == matches[i].allowed, "A18 '%s' %s '%s'",
           matches[i].patterns, matches[i].allowed ? "allows" : "refuses",
           matches[i].model);
    }
}


/* Exponential backtracking would take longer than the universe here. */
static void
test_linear(void)
{
    char        patterns[AIGW_MODELS_MAX + 1];
    char        model[AIGW_MODEL_MAX + 1];
    size_t      i;

    for (i = 0; i + 1 < AIGW_MODELS_MAX; i += 2) {
        patterns[i] = '*';
        patterns[i + 1] = 'a';
    }

    patterns[AIGW_MODELS_MAX - 1] = 'b';
    patterns[AIGW_MODELS_MAX] = '\0';
    memset(model, 'a', AIGW_MODEL_MAX);
    model[AIGW_MODEL_MAX] = '\0';

    is_int(aigw_limit_model_allowed(str(patterns), str(model)), 0,
           "a hostile pattern ends");
}


static void
test_check_models(void)
{
    char    text[AIGW_MODELS_MAX + 2];
    size_t  i;

    static const char *const  good[] = {
        "*", "gpt-4o*,claude-*", "a", "a,b", "org/model:tag@1"
    };
    static const char *const  bad[] = {
        "", ",", "a,", ",a", "a,,b", "a, b", " a", "a\tb", "a\n", "a\x7f"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(aigw_limit_check_models(str(good[i])) == AIGW_OK,
           "list '%s' is good", good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(aigw_limit_check_models(str(bad[i])) == AIGW_EINVAL,
           "bad list %zu is refused", i);
    }

    memset(text, 'a', sizeof(text));
    text[AIGW_MODELS_MAX] = '\0';
    is_int(aigw_limit_check_models(str(text)), AIGW_OK, "512 bytes");
    text[AIGW_MODELS_MAX] = 'a';
    text[AIGW_MODELS_MAX + 1] = '\0';
    is_int(aigw_limit_check_models(str(text)), AIGW_EINVAL, "513 bytes");
}


static const struct {
    int64_t      limit, spent, held, left;
    const char  *name;
} lefts[] = {
    { AIGW_UNLIMITED, INT64_MAX, INT64_MAX, INT64_MAX, "unlimited" },
    { 10, 0, 0, 10, "nothing used" },
    { 10, 3, 4, 3, "some used" },
    { 10, 6, 4, 0, "exactly used up" },
    { 10, 11, 0, 0, "overspent" },
    { 10, 0, 11, 0, "overheld" },
    { 0, 0, 0, 0, "a quota of 0 lets nothing in" },
    { INT64_MAX, 0, 0, INT64_MAX, "the largest quota" },
    { INT64_MAX, INT64_MAX, 1, 0, "Q11 spent + held would wrap" },
    { INT64_MAX, INT64_MAX, INT64_MAX, 0, "Q11 both at their maximum" },
    { 10, -5, 0, 15, "more than the quota: a credit" },
    { 0, -5, 3, 2, "a credit alone" },
    { 10, -5, 15, 0, "all of both is held" },
    { INT64_MAX, -1, 0, INT64_MAX, "Q11 a credit never wraps" },
    { INT64_MAX, INT64_MIN, 0, INT64_MAX, "Q11 nor the largest" },
    { 10, 0, -5, 0, "a negative hold is none" },
    { -2, 0, 0, 0, "only -1 is unlimited" },
    { INT64_MIN, 0, 0, 0, "INT64_MIN is not" },
};


static void
test_left(void)
{
    size_t  i;

    for (i = 0; i < sizeof(lefts) / sizeof(lefts[0]); i++) {
        is_int(aigw_limit_left(lefts[i].limit, lefts[i].spent,
                               lefts[i].held),
               lefts[i].left, lefts[i].name);
    }
}


static void
test_expired(void)
{
    is_int(aigw_limit_expired(0, INT64_MAX), 0, "A05 0 is never");
    is_int(aigw_limit_expired(1000, 999), 0, "A05 a millisecond before");
    is_int(aigw_limit_expired(1000, 1000), 1, "A05 now");
    is_int(aigw_limit_expired(1000, 1001), 1, "A05 past");
    is_int(aigw_limit_expired(INT64_C(4291747200000), 1764000000000), 0,
           "A05 year 2106");
    is_int(aigw_limit_expired(INT64_MAX, 1764000000000), 0,
           "A05 INT64_MAX");
}


int
main(void)
{
    test_matches();
    test_linear();
    test_check_models();
    test_left();
    test_expired();

    return done();
}
