/*
 * Tokens of sessions. The header is one fixed text, compared byte by byte: no
 * other algorithm, no kid, no jku can be asked for. Threats M11 to M13.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "aigw_time.h"
#include "serve.h"


#define LABEL   "aigw admin token 1"
#define ISSUER  "aigw"

/* {"alg":"HS256","typ":"JWT"} */
#define HEADER  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

#define MAC_LEN       32
#define MAC_TEXT_LEN  43
#define PAYLOAD_MAX   511
#define SKEW_MS       60000           /* of our own clock, set back */


void
serve_jwt_secret(const aigw_seal_master_t *master)
{
    unsigned  len = sizeof(serve.secret);

    (void) HMAC(EVP_sha256(), master->bytes, sizeof(master->bytes),
                (const unsigned char *) LABEL, sizeof(LABEL) - 1,
                serve.secret, &len);
}


/* base64url without padding (RFC 7515); its length. */
static size_t
encode(const void *data, size_t len, char *text)
{
    size_t  i, n;

    n = (size_t) EVP_EncodeBlock((unsigned char *) text, data, (int) len);

    for (i = 0; i < n && text[i] != '='; i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }

    text[i] = '\0';

    return i;
}


/* Its inverse; the length, or 0 if it is none. size: of data, with room for
   three bytes more than the result. */
static size_t
decode(const char *text, size_t len, char *data, size_t size)
{
    int     n;
    char    padded[SERVE_TOKEN_MAX + 4];
    size_t  i;

    if (len % 4 == 1 || len > SERVE_TOKEN_MAX || len / 4 * 3 + 3 > size) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (text[i] == '+' || text[i] == '/' || text[i] == '=') {
            return 0;
        }

        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    }

    for (/* void */; i % 4 != 0; i++) {
        padded[i] = '=';
    }

    n = EVP_DecodeBlock((unsigned char *) data, (unsigned char *) padded,
                        (int) i);

    return n < 0 ? 0 : (size_t) n - (i - len);
}


static void
sign(const char *text, size_t len, char mac[MAC_TEXT_LEN + 2])
{
    unsigned       n = MAC_LEN;
    unsigned char  bytes[MAC_LEN] = { 0 };

    (void) HMAC(EVP_sha256(), serve.secret, sizeof(serve.secret),
                (const unsigned char *) text, len, bytes, &n);
    (void) encode(bytes, sizeof(bytes), mac);
}


int
serve_jwt_issue(serve_claims_t *claims, char token[SERVE_TOKEN_MAX + 1])
{
    int      n;
    char     payload[PAYLOAD_MAX + 1], body[PAYLOAD_MAX * 2];
    char     mac[MAC_TEXT_LEN + 2];
    int64_t  now = aigw_time_now_ms() / 1000;
    size_t   i;
    uint8_t  random[SERVE_CSRF_LEN / 2];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return 0;
    }

    for (i = 0; i < sizeof(random); i++) {
        snprintf(claims->csrf + i * 2, 3, "%02x", random[i]);
    }

    n = snprintf(payload, sizeof(payload), "{\"iss\":\"" ISSUER "\","
                 "\"aud\":\"%s\",\"sub\":\"%" PRIu64 "\",\"ver\":%" PRIu32 ","
                 "\"iat\":%" PRId64 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 ","
                 "\"csrf\":\"%s\"}", serve.store_id, claims->user_id,
                 claims->version, now, now, claims->expires_ms / 1000,
                 claims->csrf);

    (void) encode(payload, (size_t) n, body);
    n = snprintf(token, SERVE_TOKEN_MAX + 1, HEADER ".%s", body);
    sign(token, (size_t) n, mac);
    snprintf(token + n, SERVE_TOKEN_MAX + 1 - (size_t) n, ".%s", mac);

    return 1;
}


static int
is_text(const cJSON *payload, const char *name, const char *text)
{
    const char  *value;

    value = cJSON_GetStringValue(
                        cJSON_GetObjectItemCaseSensitive(payload, name));

    return value != NULL && strcmp(value, text) == 0;
}


/* A whole number below 2^53, or -1. */
static int64_t
number(const cJSON *payload, const char *name)
{
    double        value;
    const cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(payload, name);
    value = cJSON_IsNumber(item) ? item->valuedouble : -1;

    return value >= 0 && value < 9007199254740992.0
           && value == (double) (int64_t) value ? (int64_t) value : -1;
}


/* What is signed by us is in our form: this looks at who and when. */
static int
read_claims(const cJSON *payload, serve_claims_t *claims)
{
    int64_t      now = aigw_time_now_ms(), nbf, exp, version;
    const char  *csrf, *sub;

    nbf = number(payload, "nbf");
    exp = number(payload, "exp");
    version = number(payload, "ver");
    csrf = cJSON_GetStringValue(
                        cJSON_GetObjectItemCaseSensitive(payload, "csrf"));
    sub = cJSON_GetStringValue(
                        cJSON_GetObjectItemCaseSensitive(payload, "sub"));

    if (!is_text(payload, "iss", ISSUER)
        || !is_text(payload, "aud", serve.store_id) || nbf < 0 || exp < 0
        || nbf * 1000 > now + SKEW_MS || exp * 1000 <= now
        || version < 0 || version > UINT32_MAX || csrf == NULL
        || strlen(csrf) != SERVE_CSRF_LEN || sub == NULL)
    {
        return 0;
    }

    claims->version = (uint32_t) version;
    claims->expires_ms = exp * 1000;
    memcpy(claims->csrf, csrf, SERVE_CSRF_LEN + 1);

    return cli_parse_cursor_id(sub, &claims->user_id) == AIGW_OK;
}


int
serve_jwt_verify(const char *token, serve_claims_t *claims)
{
    int          ok;
    char         mac[MAC_TEXT_LEN + 2], payload[SERVE_TOKEN_MAX + 1];
    cJSON       *json;
    size_t       len, signed_len;
    const char  *body, *dot;

    len = strnlen(token, SERVE_TOKEN_MAX + 1);

    if (len > SERVE_TOKEN_MAX
        || strncmp(token, HEADER ".", sizeof(HEADER)) != 0)
    {
        return 0;
    }

    body = token + sizeof(HEADER);
    dot = strchr(body, '.');

    if (dot == NULL || strlen(dot + 1) != MAC_TEXT_LEN) {
        return 0;
    }

    signed_len = (size_t) (dot - token);
    sign(token, signed_len, mac);

    if (CRYPTO_memcmp(mac, dot + 1, MAC_TEXT_LEN) != 0) {
        return 0;
    }

    len = decode(body, (size_t) (dot - body), payload, sizeof(payload));
    payload[len] = '\0';

    /* cJSON takes what follows a document, and a NUL, for its end; what is
       issued here has neither, nor any escapes */
    json = strlen(payload) == len && strchr(payload, '\\') == NULL
           ? cJSON_ParseWithOpts(payload, NULL, 1) : NULL;
    ok = json != NULL && read_claims(json, claims);
    cJSON_Delete(json);

    return ok;
}
