/*
 * aigw upstream test: asks an upstream for its models over verified TLS, with
 * the key that the store has, and learns their names. No redirect is
 * followed and no proxy is used: the key goes to that host alone.
 */

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "aigw_seal.h"
#include "cli.h"


#define CONNECT_S   5L
#define TOTAL_S     20L
#define ANSWER_MAX  (4 * 1024 * 1024)

typedef struct {
    char    *data;
    size_t   len;
} answer_t;


/* The header with the key; the caller cleanses it. */
static cli_exit_t
make_header(const cli_t *cli, const aigw_upstream_t *upstream, char *header,
    size_t size)
{
    char                secret[AIGW_SECRET_MAX];
    size_t              len;
    aigw_err_t          err;
    cli_exit_t          code;
    aigw_seal_master_t  master;

    code = cli_read_master(cli, &master);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_unseal(&master, upstream->id, upstream->sealed,
                      upstream->sealed_len, secret, &len);
    aigw_cleanse(&master, sizeof(master));

    if (err != AIGW_OK) {
        return cli_fail(cli, CLI_FAILED, "set it anew: aigw upstream set",
                        "the key of upstream '%s' does not open: %s",
                        upstream->name, aigw_strerror(err));
    }

    snprintf(header, size, "Authorization: Bearer %.*s", (int) len, secret);
    aigw_cleanse(secret, sizeof(secret));

    return CLI_OK;
}


static size_t
on_data(char *data, size_t size, size_t n, void *user)
{
    char      *grown;
    answer_t  *answer = user;

    n *= size;

    if (n > ANSWER_MAX - answer->len) {
        return 0;
    }

    grown = realloc(answer->data, answer->len + n + 1);

    if (grown == NULL) {
        return 0;
    }

    memcpy(grown + answer->len, data, n);
    answer->data = grown;
    answer->len += n;
    grown[answer->len] = '\0';

    return n;
}


static CURLcode
get(CURL *curl, const char *url, struct curl_slist *headers, answer_t *answer,
    long *status)
{
    CURLcode  rc;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TOTAL_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);

    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);

    return rc;
}


/* GET URL/v1/models; its body is the caller's to free. */
static cli_exit_t
ask(const cli_t *cli, const aigw_upstream_t *upstream, answer_t *answer,
    int64_t *duration_ms)
{
    char                url[AIGW_URL_MAX + 16], header[AIGW_SECRET_MAX + 32];
    CURL               *curl;
    long                status;
    CURLcode            rc;
    curl_off_t          total_us;
    cli_exit_t          code;
    struct curl_slist  *headers;

    code = make_header(cli, upstream, header, sizeof(header));
    if (code != CLI_OK) {
        return code;
    }

    headers = curl_slist_append(NULL, header);
    aigw_cleanse(header, sizeof(header));
    snprintf(url, sizeof(url), "%s/v1/models", upstream->url);

    curl = curl_easy_init();
    status = 0;
    total_us = 0;
    rc = CURLE_OUT_OF_MEMORY;

    if (curl != NULL && headers != NULL) {
        rc = get(curl, url, headers, answer, &status);
        curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &total_us);
        aigw_cleanse(headers->data, strlen(headers->data));
    }

    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);

    *duration_ms = total_us / 1000;

    if (rc != CURLE_OK) {
        return cli_fail(cli, CLI_UNREACHABLE, NULL,
                        "cannot reach upstream '%s' at %s: %s",
                        upstream->name, upstream->url,
                        curl_easy_strerror(rc));
    }

    if (status == 401 || status == 403) {
        return cli_fail(cli, CLI_DENIED, "set the right one: aigw upstream"
                        " set", "upstream '%s' refuses the key (%ld)",
                        upstream->name, status);
    }

    if (status != 200) {
        return cli_fail(cli, CLI_FAILED, status / 100 == 3
                        ? "redirects are not followed: set the final URL"
                        : NULL, "upstream '%s' answers %s with status %ld",
                        upstream->name, url, status);
    }

    return CLI_OK;
}


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
    answer_t          answer = { NULL, 0 };
    aigw_err_t        err;
    cli_exit_t        code;
    const char       *name;
    aigw_upstream_t   upstream;

    name = cli->arg[0].text;

    err = aigw_store_find_upstream(cli->store, cli_str(name), &upstream);
    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "upstream", name);
    }

    code = ask(cli, &upstream, &answer, &duration_ms);
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
