/* aigw model: the models that GET /v1/models lists. */

#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cli.h"


static aigw_err_t
add_price(const cli_t *cli, cJSON *object, const char *name)
{
    aigw_err_t    err;
    aigw_price_t  price;

    err = aigw_store_find_price(cli->store, cli_str(name), aigw_time_now_ms(),
                                &price);
    if (err == AIGW_OK) {
        cli_add_amount(object, "prompt", price.prompt_nano);
        cli_add_amount(object, "completion", price.completion_nano);

        return AIGW_OK;
    }

    cJSON_AddNullToObject(object, "prompt");
    cJSON_AddNullToObject(object, "completion");

    return err == AIGW_ENOTFOUND ? AIGW_OK : err;
}


static void
add_tokens(cJSON *object, const char *name, int64_t tokens)
{
    if (tokens == 0) {
        cJSON_AddNullToObject(object, name);
        return;
    }

    cli_add_count(object, name, tokens);
}


/* A model may be known by its price alone: then it has no created_at. What an
   alias has is its target's. */
static cli_exit_t
add_model(const cli_t *cli, cJSON *object, const void *thing)
{
    aigw_err_t      err;
    const char     *name = thing;
    aigw_model_t    model = { 0 };
    aigw_called_t   called;

    err = aigw_store_find_model(cli->store, cli_str(name), &model);

    if (err == AIGW_OK || err == AIGW_ENOTFOUND) {
        err = aigw_store_find_called(cli->store, cli_str(name), &called);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "model", name);
    }

    cli_add_text(object, "name", name);
    cli_add_text(object, "alias_of", called.alias ? called.model : NULL);
    cli_add_time(object, "created_at", model.created_ms);

    err = add_price(cli, object, called.model);

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the price of", name);
    }

    add_tokens(object, "max_output", called.max_output);
    add_tokens(object, "context", called.context);
    cJSON_AddBoolToObject(object, "reasons", called.reasoning);

    return CLI_OK;
}


/* No chains, and so no loops: a call looks up one name, once. */
static cli_exit_t
fail_chain(const cli_t *cli, const aigw_model_t *model)
{
    char           hint[AIGW_MODEL_MAX + 40];
    aigw_called_t  called;

    if (aigw_store_find_called(cli->store, cli_str(model->alias_of), &called)
        == AIGW_OK
        && called.alias)
    {
        snprintf(hint, sizeof(hint), "--alias-of %s", called.model);

        return cli_fail(cli, CLI_CONFLICT, hint,
                        "'%s' is an alias itself, of '%s'", model->alias_of,
                        called.model);
    }

    return cli_fail(cli, CLI_CONFLICT, "'aigw model list' shows them",
                    "'%s' has aliases, so it cannot be one", model->name);
}


/* Something is set for what is an alias, or becomes one. */
static cli_exit_t
fail_alias(const cli_t *cli, unsigned fields, const aigw_model_t *model)
{
    char           hint[AIGW_MODEL_MAX + 40];
    const char    *target = model->alias_of;
    aigw_called_t  called;

    if (!(fields & AIGW_CHANGE_ALIAS)
        && aigw_store_find_called(cli->store, cli_str(model->name), &called)
           == AIGW_OK)
    {
        target = called.model;
    }

    snprintf(hint, sizeof(hint), "aigw model set %s ...", target);

    return cli_fail(cli, fields & AIGW_CHANGE_ALIAS ? CLI_USAGE : CLI_CONFLICT,
                    hint, "an alias has what is set for its target, and"
                    " nothing else");
}


static unsigned
take_tokens(const cli_t *cli, const char *name, unsigned field,
    int64_t *tokens)
{
    const cli_value_t  *value;

    value = cli_option(cli, name);

    if (value->text == NULL) {
        return 0;
    }

    *tokens = value->number;

    return field;
}


/* *fields gets the bit if one of the three flags stands. */
static cli_exit_t
take_reasoning(const cli_t *cli, uint8_t *reasoning, unsigned *fields)
{
    unsigned  i, n;

    static const char *const  flags[AIGW_REASONING_MAX] = {
        [AIGW_REASONING_BY_NAME] = "reasoning-by-name",
        [AIGW_REASONING_YES] = "reasoning",
        [AIGW_REASONING_NO] = "no-reasoning"
    };

    n = 0;

    for (i = 0; i < AIGW_REASONING_MAX; i++) {
        if (cli_option(cli, flags[i])->text != NULL) {
            *reasoning = (uint8_t) i;
            *fields |= AIGW_CHANGE_REASONING;
            n++;
        }
    }

    return n <= 1 ? CLI_OK
           : cli_fail(cli, CLI_USAGE, NULL, "--reasoning, --no-reasoning and"
                      " --reasoning-by-name exclude each other");
}


cli_exit_t
cmd_model_set(cli_t *cli)
{
    unsigned       fields;
    aigw_err_t     err;
    cli_exit_t     code;
    const char    *target;
    aigw_model_t   model = { 0 };

    target = cli_option(cli, "alias-of")->text;
    snprintf(model.name, sizeof(model.name), "%s", cli->arg[0].text);
    snprintf(model.alias_of, sizeof(model.alias_of), "%s",
             target ? target : "");

    if (target != NULL && strcmp(model.name, target) == 0) {
        return cli_fail(cli, CLI_USAGE, NULL,
                        "a model cannot be an alias of itself");
    }

    fields = target != NULL ? AIGW_CHANGE_ALIAS : 0;
    fields |= take_tokens(cli, "max-output", AIGW_CHANGE_MAX_OUTPUT,
                          &model.max_output);
    fields |= take_tokens(cli, "context", AIGW_CHANGE_CONTEXT,
                          &model.context);

    code = take_reasoning(cli, &model.reasoning, &fields);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_set_model(cli->store, fields, &model);

    if (err == AIGW_EEXIST) {
        return fail_chain(cli, &model);
    }

    if (err == AIGW_EINVAL) {
        return fail_alias(cli, fields, &model);
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
        "models", AIGW_MODEL_MAX + 1, list_models, add_model, cursor_of,
        NULL
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
