/*
 * The rules of the gateway as `aigw explain` tells them: one after the other,
 * in its order, each with its reason. Says nothing but that; holds nothing.
 */

#include <stdarg.h>
#include <string.h>

#include "aigw_limit.h"
#include "aigw_time.h"
#include "cmd_explain.h"


#define WHY_LEN         255
#define BYTES_A_TOKEN   4             /* of the body, as the gateway takes it */
#define THINKS          1024          /* smallest answer of a reasoning model */


const char  *const explain_levels[AIGW_LIVE_LEVELS] = {
    "key", "project", "user"
};


/* One rule; verdict: what the gateway says by it. The first no binds. */
static void __attribute__((format(printf, 5, 6)))
add_rule(check_t *check, const char *rule, const char *of,
    aigw_verdict_t verdict, const char *format, ...)
{
    char      why[WHY_LEN + 1];
    cJSON    *object;
    va_list   args;

    va_start(args, format);
    (void) vsnprintf(why, sizeof(why), format, args);
    va_end(args);

    object = cJSON_CreateObject();
    cJSON_AddItemToArray(check->rules, object);
    cli_add_text(object, "rule", rule);
    cli_add_text(object, "of", of);
    cli_add_text(object, "result",
                 verdict == AIGW_VERDICT_OK ? "ok" : "refuses");
    cli_add_text(object, "why", why);

    if (verdict != AIGW_VERDICT_OK && check->binds == NULL) {
        check->binds = rule;
        check->account = of;
        check->verdict = verdict;
    }
}


static void
check_enabled(check_t *check, const char *of, int enabled)
{
    add_rule(check, "enabled", of,
             enabled ? AIGW_VERDICT_OK : AIGW_VERDICT_KEY_DISABLED, "%s",
             enabled ? "it is" : "it is disabled or revoked");
}


static void
check_expiry(check_t *check, const char *of, int64_t expires_ms)
{
    int   over;
    char  date[AIGW_TIME_LEN + 1];

    over = aigw_limit_expired(expires_ms, aigw_time_now_ms());
    aigw_time_format(expires_ms, date);

    add_rule(check, "expiry", of,
             over ? AIGW_VERDICT_KEY_EXPIRED : AIGW_VERDICT_OK, "%s%s",
             over ? "over since " : expires_ms != 0 ? "lasts until "
             : "never", expires_ms != 0 ? date : "");
}


static void
check_quota(check_t *check, unsigned i)
{
    char     limit[AIGW_AMOUNT_LEN + 1], spent[AIGW_AMOUNT_LEN + 1];
    char     held[AIGW_AMOUNT_LEN + 1];
    int64_t  left;

    (void) aigw_amount_format(check->quota[i], limit);
    (void) aigw_amount_format(check->spent[i], spent);
    (void) aigw_amount_format(check->held[i], held);
    left = aigw_limit_left(check->quota[i], check->spent[i], 0);

    add_rule(check, "quota", explain_levels[i],
             left == 0 ? AIGW_VERDICT_QUOTA_SPENT : AIGW_VERDICT_OK,
             "%s spent and %s held of %s", spent, held,
             check->quota[i] == AIGW_UNLIMITED ? "unlimited" : limit);
}


/* A wildcard must cover both names; one that the list has itself will do. */
static void
check_models(check_t *check, const char *of, const char *patterns,
    const char *model)
{
    int         allowed;
    aigw_str_t  list = cli_str(patterns);

    allowed = aigw_limit_model_allowed(list, cli_str(model))
              && (aigw_limit_model_named(list, cli_str(model))
                  || aigw_limit_model_allowed(list,
                                              cli_str(check->called.model)));

    add_rule(check, "models", of,
             allowed ? AIGW_VERDICT_OK : AIGW_VERDICT_MODEL_NOT_ALLOWED,
             "'%.100s' allows %s%s", patterns, allowed ? "" : "no ",
             check->called.model);
}


/* The accounts' least: what is free, and what is not spent. */
static void
find_room(const check_t *check, aigw_hold_room_t *room, unsigned *least_free,
    unsigned *least_left)
{
    int64_t   amount;
    unsigned  i;

    memset(room, 0, sizeof(*room));
    room->free_nano = INT64_MAX;
    room->left_nano = INT64_MAX;
    *least_free = 0;
    *least_left = 0;

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        amount = aigw_limit_left(check->quota[i], check->spent[i],
                                 check->held[i]);

        if (amount < room->free_nano) {
            room->free_nano = amount;
            *least_free = i;
        }

        amount = aigw_limit_left(check->quota[i], check->spent[i], 0);

        if (amount < room->left_nano) {
            room->left_nano = amount;
            *least_left = i;
        }
    }

    room->shared = check->held[*least_free] != 0;
}


/* As ngx_ai_gateway_hold.c does: by the body's bytes, then by an estimate that
   a strict cap does not take. */
static void
check_hold(check_t *check)
{
    char                 amount[AIGW_AMOUNT_LEN + 1];
    unsigned             least_free, least_left;
    aigw_hold_call_t     call = { 0 };
    aigw_hold_room_t     room;
    aigw_hold_verdict_t  verdict;

    find_room(check, &room, &least_free, &least_left);

    call.price = &check->price;
    call.input_tokens = check->prompt * BYTES_A_TOKEN;
    call.prompts = 1;
    call.strict = check->project.cap_strict != 0;
    call.by_bytes = 1;
    call.outputs = check->outputs;
    call.own = check->own;
    call.ceiling = check->called.max_output;
    call.assumed = check->called.assumed_output;
    call.context = check->called.context;
    call.smallest = check->called.reasoning ? THINKS : 1;

    check->hold.limit = -1;
    verdict = aigw_hold_ample(&call, &room, &check->hold);

    if (verdict == AIGW_HOLD_NEAR) {
        if (!call.strict) {
            call.input_tokens = check->prompt;
            call.by_bytes = 0;
        }

        verdict = aigw_hold_near(&call, &room, &check->hold);
    }

    switch (verdict) {

    case AIGW_HOLD_SPENT:
        add_rule(check, "hold", explain_levels[least_left],
                 AIGW_VERDICT_QUOTA_SPENT,
                 "what is not spent does not pay the smallest answer");
        break;

    case AIGW_HOLD_FITS:
        (void) aigw_amount_format(check->hold.hold_nano, amount);
        add_rule(check, "hold", explain_levels[least_free], AIGW_VERDICT_OK,
                 "%s would be held%s", amount, check->hold.limit >= 0
                 ? ", and the output be limited" : "");
        break;

    default:
        add_rule(check, "hold", explain_levels[least_free],
                 AIGW_VERDICT_QUOTA_IN_USE,
                 "calls in flight hold what it needs: it would wait");
    }
}


static cli_exit_t
check_price(check_t *check)
{
    char        from[CLI_TEXT_LEN];
    aigw_err_t  err;

    err = aigw_store_find_price(check->cli->store,
                                cli_str(check->called.model),
                                aigw_time_now_ms(), &check->price);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(check->cli, err, "the price of",
                              check->called.model);
    }

    if (err == AIGW_ENOTFOUND) {
        add_rule(check, "price", "model", AIGW_VERDICT_MODEL_NOT_FOUND,
                 "%s has none", check->called.model);
        return CLI_OK;
    }

    snprintf(from, sizeof(from), "version %u", check->price.version);
    add_rule(check, "price", "model", AIGW_VERDICT_OK, "%s", from);
    check_hold(check);

    return CLI_OK;
}


cli_exit_t
explain_rules(check_t *check, const char *model)
{
    unsigned  i;

    check->rules = cJSON_CreateArray();
    check_enabled(check, "key", check->key.enabled
                                && check->key.revoked_ms == 0);
    check_enabled(check, "project", check->project.enabled);
    check_enabled(check, "user", check->user.enabled);
    check_expiry(check, "key", check->key.expires_ms);
    check_expiry(check, "project", check->project.expires_ms);

    for (i = 0; i < AIGW_LIVE_LEVELS; i++) {
        check_quota(check, i);
    }

    check_models(check, "key", check->key.models, model);
    check_models(check, "project", check->project.models, model);

    return check_price(check);
}
