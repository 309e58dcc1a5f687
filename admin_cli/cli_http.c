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
#include "cli_http.h"


#define CONNECT_S   5L
#define TOTAL_S     20L
#define BODY_MAX    (4 * 1024 * 1024)
#define BUSY_MS     5000              /* after a 429 */
#define BUSY_TIMES  12

#define TOO_MANY    429
#define HEADER_MAX  (AIGW_SECRET_MAX + 32)

/* What the secrets are called where one does not open, or is refused. */
static const char *const  called[] = { "key", "log token", "master token" };


/* The secret of a call, which the caller cleanses. New API's own token goes
   without "Bearer": older ones take no such prefix. */
static aigw_err_t
open_secret(const aigw_seal_master_t *master, const aigw_upstream_t *upstream,
    const cli_call_t *call, int *bare, char secret[AIGW_SECRET_MAX],
    size_t *len)
{
    const aigw_driver_t  *d = call->driver;

    *bare = call->as == CLI_HTTP_MASTER && d->kind == AIGW_DRIVER_NEWAPI;

    if (call->as == CLI_HTTP_MASTER && d->sealed_len > 0) {
        return aigw_unseal(master, AIGW_UPSTREAM_MASTER(upstream->id),
                           d->sealed, d->sealed_len, secret, len);
    }

    if (call->as == CLI_HTTP_LOG || *bare) {
        return aigw_unseal(master, AIGW_UPSTREAM_LOG(upstream->id),
                           upstream->log_sealed, upstream->log_sealed_len,
                           secret, len);
    }

    return aigw_unseal(master, upstream->id, upstream->sealed,
                       upstream->sealed_len, secret, len);
}


/* The header with the secret; the caller cleanses it. */
static cli_exit_t
make_header(const cli_t *cli, const aigw_upstream_t *upstream,
    const cli_call_t *call, char header[HEADER_MAX])
{
    int                 bare;
    char                secret[AIGW_SECRET_MAX];
    size_t              len;
    aigw_err_t          err;
    cli_exit_t          code;
    aigw_seal_master_t  master;

    code = cli_read_master(cli, &master);
    if (code != CLI_OK) {
        return code;
    }

    err = open_secret(&master, upstream, call, &bare, secret, &len);
    aigw_cleanse(&master, sizeof(master));

    if (err != AIGW_OK) {
        return cli_fail(cli, CLI_FAILED, "set it anew: aigw upstream set",
                        "the %s of upstream '%s' does not open: %s",
                        called[call->as], upstream->name, aigw_strerror(err));
    }

    snprintf(header, HEADER_MAX, "Authorization: %s%.*s",
             bare ? "" : "Bearer ", (int) len, secret);
    aigw_cleanse(secret, sizeof(secret));

    return CLI_OK;
}


/* Whose token it is; 0: nobody asks. */
static uint64_t
user_of(const aigw_upstream_t *upstream, const cli_call_t *call)
{
    switch (call->as) {
    case CLI_HTTP_KEY:
        return 0;

    case CLI_HTTP_LOG:
        return upstream->log_user;

    default:
        return call->driver->kind != AIGW_DRIVER_NEWAPI ? 0
               : call->driver->user != 0 ? call->driver->user
                                         : upstream->log_user;
    }
}


/* The caller cleanses and frees them. NULL: out of memory. */
static struct curl_slist *
make_headers(const aigw_upstream_t *upstream, const cli_call_t *call,
    const char *header)
{
    char                user[64];
    struct curl_slist  *headers, *more;

    headers = curl_slist_append(NULL, header);

    if (headers != NULL && user_of(upstream, call) != 0) {
        snprintf(user, sizeof(user), "New-Api-User: %" PRIu64,
                 user_of(upstream, call));
        more = curl_slist_append(headers, user);
        headers = more != NULL ? more : headers;
    }

    if (headers != NULL && call->body != NULL) {
        more = curl_slist_append(headers, "Content-Type: application/json");
        headers = more != NULL ? more : headers;
    }

    return headers;
}


/* What grows is not left behind: it may have a key in it. */
static size_t
on_data(char *data, size_t size, size_t n, void *user)
{
    char        *grown;
    cli_body_t  *body = user;

    n *= size;

    if (n > BODY_MAX - body->len) {
        return 0;
    }

    grown = malloc(body->len + n + 1);

    if (grown == NULL) {
        return 0;
    }

    if (body->data != NULL) {
        memcpy(grown, body->data, body->len);
        aigw_cleanse(body->data, body->len);
        free(body->data);
    }

    memcpy(grown + body->len, data, n);
    body->data = grown;
    body->len += n;
    grown[body->len] = '\0';

    return n;
}


void
cli_http_free(cli_reply_t *reply)
{
    if (reply->body.data != NULL) {
        aigw_cleanse(reply->body.data, reply->body.len);
        free(reply->body.data);
    }

    reply->body = (cli_body_t) { NULL, 0 };
}


static CURLcode
send_call(CURL *curl, const char *url, const cli_call_t *call,
    struct curl_slist *headers, cli_reply_t *reply)
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
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);

    /* a body makes it a POST, and stays for no other */

    if (call->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }

    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);

    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);

    return rc;
}


/* The same once more while the upstream says that it is too often. A caller
   waits for nobody: others wait for it. */
static CURLcode
send_patiently(const cli_t *cli, const char *url, const cli_call_t *call,
    struct curl_slist *headers, cli_reply_t *reply)
{
    int          i, times = cli->caller == NULL ? BUSY_TIMES : 0;
    CURLcode     rc;
    curl_off_t   total_us = 0;

    /* its connection serves the next call */
    static CURL  *curl;

    if (curl == NULL) {
        curl = curl_easy_init();
    }

    if (curl == NULL || headers == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }

    for (i = 0; ; i++) {
        reply->body.len = 0;
        rc = send_call(curl, url, call, headers, reply);

        if (rc != CURLE_OK || reply->status != TOO_MANY || i == times
            || cli_pause(cli, BUSY_MS) != CLI_OK)
        {
            break;
        }
    }

    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &total_us);
    reply->duration_ms = total_us / 1000;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);

    return rc;
}


/* Without a connection to the one that it is meant for nothing was sent. */
static int
was_sent(CURLcode rc)
{
    return rc != CURLE_COULDNT_RESOLVE_HOST && rc != CURLE_COULDNT_CONNECT
           && rc != CURLE_SSL_CONNECT_ERROR
           && rc != CURLE_PEER_FAILED_VERIFICATION
           && rc != CURLE_OUT_OF_MEMORY;
}


static cli_exit_t
judge(const cli_t *cli, const aigw_upstream_t *upstream,
    const cli_call_t *call, CURLcode rc, long status)
{
    if (rc != CURLE_OK) {
        return cli_fail(cli, CLI_UNREACHABLE, call->hint,
                        "cannot reach upstream '%s' at %s: %s",
                        upstream->name, upstream->url,
                        curl_easy_strerror(rc));
    }

    if (status == 401 || status == 403) {
        return cli_fail(cli, CLI_DENIED, "set the right one: aigw upstream"
                        " set", "upstream '%s' refuses the %s (%ld)",
                        upstream->name, called[call->as], status);
    }

    return CLI_OK;
}


cli_exit_t
cli_http_call(const cli_t *cli, const aigw_upstream_t *upstream,
    const cli_call_t *call, cli_reply_t *reply)
{
    char                header[HEADER_MAX];
    char                url[AIGW_URL_MAX + CLI_HTTP_PATH_MAX + 1];
    CURLcode            rc;
    cli_exit_t          code;
    struct curl_slist  *headers;

    memset(reply, 0, sizeof(*reply));
    code = make_header(cli, upstream, call, header);
    if (code != CLI_OK) {
        return code;
    }

    headers = make_headers(upstream, call, header);
    aigw_cleanse(header, sizeof(header));
    snprintf(url, sizeof(url), "%s%s", upstream->url, call->path);

    rc = send_patiently(cli, url, call, headers, reply);
    reply->sent = was_sent(rc) && reply->status != 401
                  && reply->status != 403 && reply->status != TOO_MANY;

    if (headers != NULL) {
        aigw_cleanse(headers->data, strlen(headers->data));
    }

    curl_slist_free_all(headers);

    return judge(cli, upstream, call, rc, reply->status);
}


cli_exit_t
cli_http_get(const cli_t *cli, const aigw_upstream_t *upstream, int log,
    const char *path, cli_body_t *body, int64_t *duration_ms)
{
    cli_call_t   call = { "GET", path, NULL, log ? CLI_HTTP_LOG : CLI_HTTP_KEY,
                          NULL, NULL };
    cli_exit_t   code;
    cli_reply_t  reply;

    code = cli_http_call(cli, upstream, &call, &reply);
    *body = reply.body;
    *duration_ms = reply.duration_ms;

    if (code == CLI_OK && reply.status != 200) {
        code = cli_fail(cli, CLI_FAILED, reply.status / 100 == 3
                        ? "redirects are not followed: set the final URL"
                        : NULL, "upstream '%s' answers %s%s with status %ld",
                        upstream->name, upstream->url, path, reply.status);
    }

    return code;
}
