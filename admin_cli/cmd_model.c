/* aigw model: the models that GET /v1/models lists. */

#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cli.h"


/* A model may be known by its price alone: then it has no created_at. The
   price that counts is that of an alias's target. */
static cli_exit_t
add_model(const cli_t *cli, cJSON *object, const void *thing)
{
    aigw_err_t     err;
    aigw_model_t   model = { 0 };
    aigw_price_t   price;
    const char    *name = thing;

    err = aigw_store_find_model(cli->store, cli_str(name), &model);

    if (err != AIGW_OK && err != AIGW_ENOTFOUND) {
        return cli_fail_store(cli, err, "model", name);
    }

    cli_add_text(object, "name", name);
    cli_add_text(object, "alias_of", model.alias_of[0] ? model.alias_of
                                                        : NULL);
    cli_add_time(object, "created_at", model.created_ms);

    err = aigw_store_find_price(cli->store,
                                cli_str(model.alias_of[0] ? model.alias_of
                                                          : name),
                                aigw_time_now_ms(), &price);
    if (err == AIGW_OK) {
        cli_add_amount(object, "prompt", price.prompt_nano);
        cli_add_amount(object, "completion", price.completion_nano);

        return CLI_OK;
    }

    cJSON_AddNullToObject(object, "prompt");
    cJSON_AddNullToObject(object, "completion");

    return err == AIGW_ENOTFOUND ? CLI_OK
           : cli_fail_store(cli, err, "the price of", name);
}


/* No chains, and so no loops: a call looks up one name, once. */
static cli_exit_t
fail_chain(const cli_t *cli, const aigw_model_t *model)
{
    char  target[AIGW_MODEL_MAX + 1], hint[AIGW_MODEL_MAX + 40];

    if (aigw_store_find_alias(cli->store, cli_str(model->alias_of), target)
        == AIGW_OK)
    {
        snprintf(hint, sizeof(hint), "--alias-of %s", target);

        return cli_fail(cli, CLI_CONFLICT, hint,
                        "'%s' is an alias itself, of '%s'", model->alias_of,
                        target);
    }

    return cli_fail(cli, CLI_CONFLICT, "'aigw model list' shows them",
                    "'%s' has aliases, so it cannot be one", model->name);
}


cli_exit_t
cmd_model_set(cli_t *cli)
{
    aigw_err_t     err;
    aigw_model_t   model = { 0 };
    const char    *target;

    target = cli_option(cli, "alias-of")->text;
    snprintf(model.name, sizeof(model.name), "%s", cli->arg[0].text);
    snprintf(model.alias_of, sizeof(model.alias_of), "%s",
             target ? target : "");

    if (target != NULL && strcmp(model.name, target) == 0) {
        return cli_fail(cli, CLI_USAGE, NULL,
                        "a model cannot be an alias of itself");
    }

    err = target != NULL && target[0] == '\0'
          ? aigw_store_set_plain_model(cli->store, &model)
          : aigw_store_set_model(cli->store, &model);

    if (err == AIGW_EEXIST) {
        return fail_chain(cli, &model);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "model", model.name);
    }

    cli->answer = cJSON_CreateObject();

    return add_model(cli, cli->answer, model.name);
}


static aigw_err_t
list_models(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    (void) of;

    return aigw_store_list_model_names(cli->store,
                                       cli_str(cursor ? cursor : ""),
                                       things, max, n);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    snprintf(text, CLI_CURSOR_LEN + 1, "%s", (const char *) thing);
}


cli_exit_t
cmd_model_list(cli_t *cli)
{
    static const cli_lister_t  lister = {
        "models", AIGW_MODEL_MAX + 1, list_models, add_model, cursor_of
    };

    return cli_list(cli, &lister, NULL);
}


cli_exit_t
cmd_model_delete(cli_t *cli)
{
    aigw_err_t   err;
    cli_exit_t   code;
    const char  *name;

    name = cli->arg[0].text;

    code = cli_confirm(cli, "delete model", name, 1);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_delete_model(cli->store, cli_str(name));
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "model", name);
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "name", name);
    cJSON_AddTrueToObject(cli->answer, "deleted");

    return CLI_OK;
}
