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


/* Of an address that only this machine, its network, or nobody has. */
static int
is_inside_v4(const uint8_t *a)
{
    return a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224
           || (a[0] == 100 && (a[1] & 0xc0) == 64)
           || (a[0] == 169 && a[1] == 254) || (a[0] == 172 && a[1] >> 4 == 1)
           || (a[0] == 192 && a[1] == 168);
}


static int
is_inside_v6(const uint8_t *a)
{
    size_t  i = 0;

    while (i < 15 && a[i] == 0) {
        i++;
    }

    /* ::, ::1, and those that stand for one of IPv4 */

    return (i == 15 && a[15] <= 1) || (a[0] & 0xfe) == 0xfc || a[0] == 0xff
           || (a[0] == 0xfe && (a[1] & 0x80) != 0)
           || (i >= 10 && is_inside_v4(a + 12))
           || (a[0] == 0 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b);
}


/* What curl has made of it: 0x7f.1 and 2130706433 are 127.0.0.1 by now. */
static int
is_inside(const char *host)
{
    char     text[AIGW_URL_MAX + 1];
    size_t   len = strlen(host);
    uint8_t  a[16];

    if (len > AIGW_URL_MAX) {
        return 1;
    }

    if (host[0] == '[') {
        memcpy(text, host + 1, len);
        text[strcspn(text, "]%")] = '\0';

        return inet_pton(AF_INET6, text, a) != 1 || is_inside_v6(a);
    }

    memcpy(text, host, len + 1);

    if (len > 0 && text[len - 1] == '.') {
        text[--len] = '\0';
    }

    if (inet_pton(AF_INET, text, a) == 1) {
        return is_inside_v4(a);
    }

    /* a name: no number, not this machine's */

    return text[strspn(text, "0123456789.")] == '\0'
           || strcasecmp(text, "localhost") == 0
           || (len > 10 && strcasecmp(text + len - 10, ".localhost") == 0);
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
    parts->inside = is_inside(host) != 0;
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
