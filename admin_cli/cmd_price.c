/* aigw price: what models cost, per million tokens, from a moment on. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cli.h"


static void
add_part(cJSON *object, const char *name, int64_t nano)
{
    if (nano == AIGW_PRICE_NONE) {
        cJSON_AddNullToObject(object, name);

    } else {
        cli_add_amount(object, name, nano);
    }
}


static cli_exit_t
add_price(const cli_t *cli, cJSON *object, const void *thing)
{
    aigw_err_t                 err;
    aigw_price_t               now = { 0 };
    const aigw_price_entry_t  *entry = thing;
    const aigw_price_t        *price = &entry->price;

    err = aigw_store_find_price(cli->store, cli_str(entry->model),
                                aigw_time_now_ms(), &now);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "the price of", entry->model);
    }

    cli_add_text(object, "model", entry->model);
    cli_add_time(object, "from_at", entry->from_ms);
    add_part(object, "prompt", price->prompt_nano);
    add_part(object, "completion", price->completion_nano);
    add_part(object, "cached", price->cached_nano);
    add_part(object, "cache_write", price->cache_write_nano);
    add_part(object, "reasoning", price->reasoning_nano);
    cli_add_count(object, "version", price->version);
    cJSON_AddBoolToObject(object, "active",
                          err == AIGW_OK && now.version == price->version);

    return CLI_OK;
}


static int64_t
part_of(const cli_t *cli, const char *name)
{
    const cli_value_t  *option;

    option = cli_option(cli, name);

    return option->text ? option->number : AIGW_PRICE_NONE;
}


cli_exit_t
cmd_price_set(cli_t *cli)
{
    aigw_err_t           err;
    const cli_value_t   *from;
    aigw_price_entry_t   entry = { 0 };

    from = cli_option(cli, "from");

    snprintf(entry.model, sizeof(entry.model), "%s", cli->arg[0].text);
    entry.from_ms = from->text ? from->number : aigw_time_now_ms();
    entry.price.prompt_nano = part_of(cli, "prompt");
    entry.price.completion_nano = part_of(cli, "completion");
    entry.price.cached_nano = part_of(cli, "cached");
    entry.price.cache_write_nano = part_of(cli, "cache-write");
    entry.price.reasoning_nano = part_of(cli, "reasoning");

    err = aigw_store_set_price(cli->store, &entry);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the price of", entry.model);
    }

    cli->answer = cJSON_CreateObject();

    return add_price(cli, cli->answer, &entry);
}


/* A cursor is the moment and the model, which may have any marks in it. */
static aigw_err_t
list_prices(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    char        *end;
    int64_t      from_ms;
    aigw_str_t   model = aigw_str("");

    (void) of;

    from_ms = 0;

    if (cursor != NULL) {
        from_ms = strtoll(cursor, &end, 10);

        if (end == cursor || *end != ':' || end[1] == '\0') {
            return AIGW_EINVAL;
        }

        model = cli_str(end + 1);
    }

    return aigw_store_list_prices(cli->store, model, from_ms, things, max, n);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    const aigw_price_entry_t  *entry = thing;

    snprintf(text, CLI_CURSOR_LEN + 1, "%" PRId64 ":%s", entry->from_ms,
             entry->model);
}


cli_exit_t
cmd_price_list(cli_t *cli)
{
    static const cli_lister_t  lister = {
        "prices", sizeof(aigw_price_entry_t), list_prices, add_price,
        cursor_of, NULL
    };

    return cli_list(cli, &lister, NULL);
}


cli_exit_t
cmd_price_delete(cli_t *cli)
{
    aigw_err_t   err;
    cli_exit_t   code;
    const char  *model;

    model = cli->arg[0].text;

    code = cli_confirm(cli, "delete all prices of", model, 1);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_delete_price(cli->store, cli_str(model));
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "price", model);
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "model", model);
    cJSON_AddTrueToObject(cli->answer, "deleted");

    return CLI_OK;
}
