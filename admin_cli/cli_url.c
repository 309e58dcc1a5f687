/*
 * URLs that settings and upstreams hold. libcurl's parser is used, since
 * libcurl is also what `upstream test` sends to them with: what is checked
 * here is what is meant there. Nothing is contacted.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <string.h>

#include <curl/curl.h>

#include "cli.h"


static int
is_loopback(const char *host)
{
    struct in_addr  v4;

    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) {
        return 1;
    }

    return inet_pton(AF_INET, host, &v4) == 1
           && (ntohl(v4.s_addr) >> 24) == 127;
}


static int
has_part(CURLU *u, CURLUPart part)
{
    char  *text;

    if (curl_url_get(u, part, &text, 0) != CURLUE_OK) {
        return 0;
    }

    curl_free(text);

    return 1;
}


/* NULL, or what is wrong with it. */
static const char *
check(CURLU *u, const char *text, char url[AIGW_URL_MAX + 1],
    cli_url_t *parts)
{
    char    *scheme, *host, *whole;
    size_t   len;

    for (len = 0; text[len] != '\0'; len++) {
        if (text[len] <= ' ' || text[len] > '~') {
            return "it has blanks or bytes beyond ASCII";
        }
    }

    if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK
        || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
    {
        return "it is no http or https URL";
    }

    parts->https = strcmp(scheme, "https") == 0;
    len = strcmp(scheme, "http") == 0 || parts->https;
    curl_free(scheme);

    if (!len || curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return "it is no http or https URL";
    }

    parts->loopback = is_loopback(host) != 0;
    curl_free(host);

    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD)
        || has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT))
    {
        return "it must have no user, query or fragment";
    }

    if (curl_url_get(u, CURLUPART_URL, &whole, 0) != CURLUE_OK) {
        return "it is no http or https URL";
    }

    for (len = strlen(whole); len > 0 && whole[len - 1] == '/'; len--) {
        /* void */
    }

    if (len > AIGW_URL_MAX) {
        curl_free(whole);
        return "it is longer than 255 bytes";
    }

    memcpy(url, whole, len);
    url[len] = '\0';
    curl_free(whole);

    return NULL;
}


cli_exit_t
cli_check_url(const cli_t *cli, const char *text, char url[AIGW_URL_MAX + 1],
    cli_url_t *parts)
{
    CURLU       *u;
    const char  *wrong;

    u = curl_url();

    if (u == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "out of memory");
    }

    wrong = check(u, text, url, parts);
    curl_url_cleanup(u);

    if (wrong != NULL) {
        return cli_fail(cli, CLI_USAGE, "for example https://ai.example.com",
                        "that URL cannot be used: %s", wrong);
    }

    return CLI_OK;
}
