/*
 * aigw upstream test: asks an upstream for its models, with the key that the
 * store has, and learns their names.
 */

#include <stdlib.h>
#include <string.h>

#include "cli.h"


static cli_exit_t
learn(const cli_t *cli, const char *name, int64_t *learnt)
{
    aigw_err_t    err;
    aigw_model_t  model;

    err = aigw_store_find_model(cli->store, cli_str(name), &model);

    if (err == AIGW_ENOTFOUND) {
        memset(&model, 0, sizeof(model));
        snprintf(model.name, sizeof(model.name), "%s", name);
        err = aigw_store_set_model(cli->store, 0, &model);
        *learnt += err == AIGW_OK;
    }

    return err == AIGW_OK ? CLI_OK : cli_fail_store(cli, err, "model", name);
}


/* Names that ours cannot be like are left out, not cut. */
static cli_exit_t
learn_all(const cli_t *cli, const char *name, const cJSON *data,
    int64_t *models, int64_t *learnt)
{
    cli_exit_t    code;
    const cJSON  *item, *id;

    if (!cJSON_IsArray(data)) {
        return cli_fail(cli, CLI_FAILED, NULL,
                        "upstream '%s' does not answer with a list of models",
                        name);
    }

    code = CLI_OK;

    cJSON_ArrayForEach(item, data) {
        id = cJSON_GetObjectItemCaseSensitive(item, "id");

        if (!cJSON_IsString(id)
            || aigw_store_check_model(cli_str(id->valuestring)) != AIGW_OK)
        {
            continue;
        }

        (*models)++;

        code = learn(cli, id->valuestring, learnt);
        if (code != CLI_OK) {
            break;
        }
    }

    return code;
}


cli_exit_t
cmd_upstream_test(cli_t *cli)
{
    cJSON            *list;
    int64_t           models, learnt, duration_ms;
    cli_body_t        answer = { NULL, 0 };
    aigw_err_t        err;
    cli_exit_t        code;
    const char       *name;
    aigw_upstream_t   upstream;

    name = cli->arg[0].text;

    err = aigw_store_find_upstream(cli->store, cli_str(name), &upstream);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "upstream", name);
    }

    code = cli_http_get(cli, &upstream, 0, "/v1/models", &answer,
                        &duration_ms);
    if (code != CLI_OK) {
        free(answer.data);
        return code;
    }

    list = cJSON_Parse(answer.data ? answer.data : "");
    free(answer.data);
    models = 0;
    learnt = 0;

    code = learn_all(cli, name,
                     cJSON_GetObjectItemCaseSensitive(list, "data"), &models,
                     &learnt);
    cJSON_Delete(list);

    if (code != CLI_OK) {
        return code;
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "name", upstream.name);
    cli_add_text(cli->answer, "url", upstream.url);
    cli_add_count(cli->answer, "models", models);
    cli_add_count(cli->answer, "learnt", learnt);
    cli_add_count(cli->answer, "duration_ms", duration_ms);

    return CLI_OK;
}
