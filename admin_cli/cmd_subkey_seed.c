/*
 * Sub-keys as the project's origin had them made: one call, by the master key,
 * that answers with the key. It offers nothing to list them, nor to take one
 * away.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_price.h"
#include "cmd_subkey.h"


static char *
make_body(const aigw_subkey_t *subkey)
{
    char    amount[AIGW_AMOUNT_LEN + 1], *text;
    cJSON  *body = cJSON_CreateObject();

    /* a number, not a string: they have no others */

    if (subkey->quota_nano == AIGW_UNLIMITED) {
        cJSON_AddNullToObject(body, "quota");

    } else {
        (void) aigw_amount_format(subkey->quota_nano, amount);
        cJSON_AddRawToObject(body, "quota", amount);
    }

    cli_add_models(body, "model_permission", subkey->models);
    cli_add_time(body, "expired_at", subkey->expires_ms);
    text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);

    return text;
}


static cli_exit_t
take_key(const subkey_at_t *at, const cJSON *answer, long status,
    char secret[AIGW_SECRET_MAX + 1])
{
    size_t        i, len;
    const cJSON  *key;

    key = cJSON_GetObjectItemCaseSensitive(answer, "sub_key");
    len = cJSON_IsString(key) ? strlen(key->valuestring) : 0;

    for (i = 0; i < len && key->valuestring[i] > ' '
                && key->valuestring[i] <= '~'; i++)
    {
        /* void */
    }

    if (status / 100 != 2 || len == 0 || i < len || len > AIGW_SECRET_MAX) {
        return cli_fail(at->cli, CLI_FAILED, status / 100 == 3
                        ? "redirects are not followed: set the final URL"
                        : at->hint, "upstream '%s' answers"
                        " /sub-key/create with status %ld and no key that can"
                        " be used", at->upstream.name, status);
    }

    memcpy(secret, key->valuestring, len + 1);

    return CLI_OK;
}


static cli_exit_t
create(const subkey_at_t *at, aigw_subkey_t *subkey,
    char secret[AIGW_SECRET_MAX + 1], int *absent)
{
    char         *body;
    cJSON        *answer;
    cli_call_t    call = {
        "POST", "/sub-key/create", NULL, CLI_HTTP_MASTER, &at->driver,
        at->hint
    };
    cli_exit_t    code;
    cli_reply_t   reply;

    body = make_body(subkey);
    call.body = body;
    code = cli_http_call(at->cli, &at->upstream, &call, &reply);
    cJSON_free(body);

    answer = code == CLI_OK && reply.body.data != NULL
             ? cJSON_ParseWithLength(reply.body.data, reply.body.len) : NULL;
    cli_http_free(&reply);

    /* of its other answers nobody knows what they mean */

    *absent = !reply.sent || reply.status / 100 == 4;

    if (code == CLI_OK) {
        code = take_key(at, answer, reply.status, secret);
    }

    cJSON_Delete(answer);

    return code;
}


const subkey_driver_t  subkey_seed = { create, NULL, NULL };
