/*
 * Asking an upstream something, over verified TLS, with a secret that the store
 * has. No redirect is followed and no proxy is used: the secret goes to that
 * host alone, and is in no message.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "aigw_seal.h"
#include "cli.h"


#define CONNECT_S   5L
#define TOTAL_S     20L
#define BODY_MAX    (4 * 1024 * 1024)
#define BUSY_MS     5000              /* after a 429 */
#define BUSY_TIMES  12

#define TOO_MANY    429


/* The header with the secret; the caller cleanses it. */
static cli_exit_t
make_header(const cli_t *cli, const aigw_upstream_t *upstream, int log,
    char *header, size_t size)
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

    err = log ? aigw_unseal(&master, AIGW_UPSTREAM_LOG(upstream->id),
                            upstream->log_sealed, upstream->log_sealed_len,
                            secret, &len)
              : aigw_unseal(&master, upstream->id, upstream->sealed,
                            upstream->sealed_len, secret, &len);
    aigw_cleanse(&master, sizeof(master));

    if (err != AIGW_OK) {
        return cli_fail(cli, CLI_FAILED, "set it anew: aigw upstream set",
                        "the %s of upstream '%s' does not open: %s",
                        log ? "log token" : "key", upstream->name,
                        aigw_strerror(err));
    }

    snprintf(header, size, "Authorization: Bearer %.*s", (int) len, secret);
    aigw_cleanse(secret, sizeof(secret));

    return CLI_OK;
}


static size_t
on_data(char *data, size_t size, size_t n, void *user)
{
    char        *grown;
    cli_body_t  *body = user;

    n *= size;

    if (n > BODY_MAX - body->len) {
        return 0;
    }

    grown = realloc(body->data, body->len + n + 1);

    if (grown == NULL) {
        return 0;
    }

    memcpy(grown + body->len, data, n);
    body->data = grown;
    body->len += n;
    grown[body->len] = '\0';

    return n;
}


static CURLcode
get(CURL *curl, const char *url, struct curl_slist *headers, cli_body_t *body,
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
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);

    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);

    return rc;
}


/* The same once more while the upstream says that it is too often. */
static CURLcode
get_patiently(const cli_t *cli, const char *url, struct curl_slist *headers,
    cli_body_t *body, long *status, int64_t *duration_ms)
{
    int          i;
    CURLcode     rc;
    curl_off_t   total_us = 0;

    /* its connection serves the next page */
    static CURL  *curl;

    if (curl == NULL) {
        curl = curl_easy_init();
    }

    if (curl == NULL || headers == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }

    for (i = 0; ; i++) {
        body->len = 0;
        rc = get(curl, url, headers, body, status);

        if (rc != CURLE_OK || *status != TOO_MANY || i == BUSY_TIMES
            || cli_pause(cli, BUSY_MS) != CLI_OK)
        {
            break;
        }
    }

    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &total_us);
    *duration_ms = total_us / 1000;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);

    return rc;
}


static cli_exit_t
judge(const cli_t *cli, const aigw_upstream_t *upstream, int log,
    const char *url, CURLcode rc, long status)
{
    if (rc != CURLE_OK) {
        return cli_fail(cli, CLI_UNREACHABLE, NULL,
                        "cannot reach upstream '%s' at %s: %s",
                        upstream->name, upstream->url,
                        curl_easy_strerror(rc));
    }

    if (status == 401 || status == 403) {
        return cli_fail(cli, CLI_DENIED, "set the right one: aigw upstream"
                        " set", "upstream '%s' refuses the %s (%ld)",
                        upstream->name, log ? "log token" : "key", status);
    }

    if (status != 200) {
        return cli_fail(cli, CLI_FAILED, status / 100 == 3
                        ? "redirects are not followed: set the final URL"
                        : NULL, "upstream '%s' answers %s with status %ld",
                        upstream->name, url, status);
    }

    return CLI_OK;
}


cli_exit_t
cli_http_get(const cli_t *cli, const aigw_upstream_t *upstream, int log,
    const char *path, cli_body_t *body, int64_t *duration_ms)
{
    char                header[AIGW_SECRET_MAX + 32], user[64];
    char                url[AIGW_URL_MAX + CLI_HTTP_PATH_MAX + 1];
    long                status = 0;
    CURLcode            rc;
    cli_exit_t          code;
    struct curl_slist  *headers, *more;

    *duration_ms = 0;
    code = make_header(cli, upstream, log, header, sizeof(header));
    if (code != CLI_OK) {
        return code;
    }

    headers = curl_slist_append(NULL, header);
    aigw_cleanse(header, sizeof(header));
    snprintf(url, sizeof(url), "%s%s", upstream->url, path);

    if (log && headers != NULL) {
        snprintf(user, sizeof(user), "New-Api-User: %" PRIu64,
                 upstream->log_user);
        more = curl_slist_append(headers, user);
        headers = more != NULL ? more : headers;
    }

    rc = get_patiently(cli, url, headers, body, &status, duration_ms);

    if (headers != NULL) {
        aigw_cleanse(headers->data, strlen(headers->data));
    }

    curl_slist_free_all(headers);

    return judge(cli, upstream, log, url, rc, status);
}
