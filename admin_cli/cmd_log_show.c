/*
 * aigw log show: how the cost of one call came about, part by part and before
 * the one rounding, and in words what its row says of it.
 */

#include <inttypes.h>
#include <string.h>

#include "aigw_price.h"
#include "cli.h"


#define BATCH        64
#define PER_MILLION  1000000
#define EXACT_LEN    64


__extension__ typedef unsigned __int128  wide_t;


static const char  *part_names[AIGW_PRICE_PARTS] = {
    [AIGW_PRICE_PROMPT]      = "prompt",
    [AIGW_PRICE_CACHED]      = "cached",
    [AIGW_PRICE_CACHE_WRITE] = "cache_write",
    [AIGW_PRICE_COMPLETION]  = "completion",
    [AIGW_PRICE_REASONING]   = "reasoning"
};


static const char  *settlements[AIGW_SETTLED_MAX] = {
    [AIGW_SETTLED_EXACT] =
        "the upstream reported the tokens, and its answer was complete",
    [AIGW_SETTLED_ESTIMATED] =
        "no count came from the upstream: the prompt is estimated, the answer"
        " counted by the text that was delivered",
    [AIGW_SETTLED_PARTIAL] =
        "the answer was cut: these are the last tokens that were reported",
    [AIGW_SETTLED_VOID] =
        "no model's answer was delivered, so nothing is charged",
    [AIGW_SETTLED_UNKNOWN] =
        "the worker died on it: the prompt is estimated, the answer counted by"
        " its text, at most what was held",
    [AIGW_SETTLED_CREDIT] =
        "no call, but a credit: it comes off what project and user have spent",
    [AIGW_SETTLED_REFUND] =
        "no call, but a refund: it comes off what the call's key, project and"
        " user have spent"
};


/* Versions count over the whole list. AIGW_ENOTFOUND: it was deleted. */
static aigw_err_t
find_version(const cli_t *cli, uint32_t version, aigw_price_entry_t *found)
{
    size_t               i, n;
    aigw_err_t           err;
    aigw_price_entry_t  *entries, last = { 0 };

    entries = cJSON_malloc(BATCH * sizeof(aigw_price_entry_t));

    do {
        n = 0;
        err = aigw_store_list_prices(cli->store, cli_str(last.model),
                                     last.from_ms, entries, BATCH, &n);

        for (i = 0; err == AIGW_OK && i < n; i++) {
            if (entries[i].price.version == version) {
                *found = entries[i];
                cJSON_free(entries);
                return AIGW_OK;
            }
        }

        if (n != 0) {
            last = entries[n - 1];
        }

    } while (err == AIGW_OK && n == BATCH);

    cJSON_free(entries);

    return err == AIGW_OK ? AIGW_ENOTFOUND : err;
}


/* An amount in millionths of a nano-unit: all 15 places that it may have. */
static void
add_exact(cJSON *object, const char *name, wide_t sum)
{
    char      text[EXACT_LEN];
    size_t    len;
    wide_t    units;
    uint64_t  rest;

    units = sum / PER_MILLION / AIGW_UNIT_NANO;
    rest = (uint64_t) (sum % ((wide_t) PER_MILLION * AIGW_UNIT_NANO));

    /* five parts of 2^126: more units than 64 bits hold is no amount */
    if (units > INT64_MAX) {
        cJSON_AddNullToObject(object, name);
        return;
    }

    len = (size_t) snprintf(text, sizeof(text), "%" PRIu64 ".%015" PRIu64,
                            (uint64_t) units, rest);

    while (text[len - 1] == '0') {
        len--;
    }

    text[text[len - 1] == '.' ? len - 1 : len] = '\0';
    cJSON_AddStringToObject(object, name, text);
}


/* Returns the sum in millionths of a nano-unit. price: all parts
   AIGW_PRICE_NONE where it is not known any more. */
static wide_t
add_parts(cJSON *answer, const aigw_row_t *row, const aigw_price_t *price)
{
    int                i;
    cJSON             *parts, *object;
    wide_t             sum, cost;
    aigw_price_part_t  part[AIGW_PRICE_PARTS];

    sum = 0;
    parts = cJSON_AddArrayToObject(answer, "parts");
    aigw_price_split(price, &row->tokens, part);

    for (i = 0; i < AIGW_PRICE_PARTS; i++) {
        if (part[i].tokens == 0) {
            continue;
        }

        object = cJSON_CreateObject();
        cJSON_AddItemToArray(parts, object);
        cli_add_text(object, "part", part_names[i]);
        cli_add_count(object, "tokens", part[i].tokens);

        if (part[i].price_nano < 0) {
            cJSON_AddNullToObject(object, "per_million");
            cJSON_AddNullToObject(object, "amount");
            continue;
        }

        cost = (wide_t) part[i].tokens * (wide_t) part[i].price_nano;
        sum += cost;
        cli_add_amount(object, "per_million", part[i].price_nano);
        add_exact(object, "amount", cost);
    }

    return sum;
}


/* known: sum is what the tokens come to at the row's own price. */
static void
note_cost(cJSON *notes, const aigw_row_t *row, wide_t sum, int known)
{
    wide_t  cost;

    cost = sum / PER_MILLION + (sum % PER_MILLION != 0);

    if (!known) {
        cmd_log_note(notes, "price", "this price was deleted since: what each"
                     " part cost is not known any more, their sum is");

    } else if (row->settled != AIGW_SETTLED_VOID
               && cost != (wide_t) row->cost_nano)
    {
        cmd_log_note(notes, "cost", row->cost_nano == row->hold_nano
                     ? "at most the hold is charged for it"
                     : "it is not what the tokens come to at this price");

    } else if (row->cost_nano != 0 && sum % PER_MILLION != 0) {
        cmd_log_note(notes, "cost",
                     "the sum of the parts, rounded up to nine places");
    }

    if (row->hold_nano > row->cost_nano) {
        cmd_log_note(notes, "hold",
                     "what it did not cost was given back when it ended");
    }
}


static void
add_price(cJSON *answer, const aigw_row_t *row,
    const aigw_price_entry_t *entry)
{
    cli_add_text(answer, "price_model", entry ? entry->model : NULL);
    cli_add_time(answer, "price_from_at", entry ? entry->from_ms : 0);
    cli_add_amount(answer, "returned", aigw_row_is_call(row)
                   && row->hold_nano > row->cost_nano
                   ? row->hold_nano - row->cost_nano : 0);
}


/* What of it was given back. */
static cli_exit_t
add_refunded(const cli_t *cli, cJSON *answer, const aigw_row_t *row)
{
    int64_t     cost = 0;
    uint8_t     id[AIGW_ROW_ID_LEN];
    aigw_err_t  err;
    aigw_row_t  refund = { .settled = AIGW_SETTLED_REFUND };

    memcpy(refund.of, row->id, AIGW_ROW_ID_LEN);
    err = aigw_store_find_return(cli->store, &refund, id, &cost);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "the refunds", NULL);
    }

    cli_add_amount(answer, "refunded", -cost);

    return CLI_OK;
}


static cli_exit_t
explain(const cli_t *cli, cJSON *answer, const aigw_row_t *row)
{
    int                  known;
    cJSON               *notes;
    wide_t               sum;
    aigw_err_t           err;
    aigw_price_entry_t   entry = { .price = { 0, AIGW_PRICE_NONE,
                                       AIGW_PRICE_NONE, AIGW_PRICE_NONE,
                                       AIGW_PRICE_NONE, AIGW_PRICE_NONE } };

    err = row->price_version != 0
          ? find_version(cli, row->price_version, &entry) : AIGW_ENOTFOUND;

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "the price of a call", NULL);
    }

    known = err == AIGW_OK;
    add_price(answer, row, known ? &entry : NULL);
    sum = add_parts(answer, row, &entry.price);

    if (known) {
        add_exact(answer, "exact_cost", sum);

    } else {
        cJSON_AddNullToObject(answer, "exact_cost");
    }

    notes = cJSON_AddArrayToObject(answer, "notes");

    if (row->settled != AIGW_SETTLED_NONE) {
        cmd_log_note(notes, aigw_row_is_call(row) ? "settled" : "kind",
                     settlements[row->settled]);
    }

    if (row->settled != AIGW_SETTLED_NONE && aigw_row_is_call(row)) {
        note_cost(notes, row, sum, known || row->price_version == 0);
    }

    cmd_log_note_flags(notes, row->flags);

    return CLI_OK;
}


cli_exit_t
cmd_log_find(cli_t *cli, const char *text, aigw_row_t *row)
{
    uint8_t      id[AIGW_ROW_ID_LEN];
    aigw_err_t   err;
    const char  *hint;

    /* No row can have an id that is not one: not found, too. */

    err = aigw_record_parse_id(cli_str(text), id);

    if (err == AIGW_OK) {
        cli_report(cli);
        err = aigw_store_find_row(cli->store, id, row);
    }

    if (err == AIGW_OK && cli_scope(cli) != 0
        && row->user_id != cli_scope(cli))
    {
        err = AIGW_ENOTFOUND;
    }

    hint = err == AIGW_ENOTFOUND ? cmd_prune_hint(cli, id) : NULL;

    if (hint != NULL) {
        return cli_fail(cli, CLI_NOT_FOUND, hint, "no such call: '%s'", text);
    }

    return err == AIGW_OK ? CLI_OK
           : cli_fail_store(cli, err == AIGW_EINVAL ? AIGW_ENOTFOUND : err,
                            "call", text);
}


cli_exit_t
cmd_log_find_call(cli_t *cli, const char *text, aigw_row_t *row)
{
    cli_exit_t  code;

    code = cmd_log_find(cli, text, row);

    return code != CLI_OK || aigw_row_is_call(row) ? code
           : cli_fail(cli, CLI_USAGE, "aigw log show tells what it is",
                      "this is no call, but a %s",
                      aigw_record_kind_name(row->settled));
}


cli_exit_t
cmd_log_show(cli_t *cli)
{
    cli_exit_t  code;
    aigw_row_t  row;

    code = cmd_log_find(cli, cli->arg[0].text, &row);
    if (code != CLI_OK) {
        return code;
    }

    cli->answer = cJSON_CreateObject();
    code = cmd_log_add(cli, cli->answer, &row);

    if (code == CLI_OK) {
        code = add_refunded(cli, cli->answer, &row);
    }

    return code == CLI_OK ? explain(cli, cli->answer, &row) : code;
}
