/*
 * Finds the one credential of a request, where it may stand and where it may
 * not (threats A01 to A13), and hashes it. Nothing of it is kept or logged.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_KNOWN  4


/* Query arguments that other services take keys from. */
static ngx_str_t  ngx_ai_gateway_key_args[] = {
    ngx_string("key"),
    ngx_string("api_key"),
    ngx_string("apikey"),
    ngx_string("api-key"),
    ngx_string("access_token"),
    ngx_null_string
};


/* Headers that other services take keys from. */
static const ngx_str_t  ngx_ai_gateway_key_headers[] = {
    ngx_string("x-api-key"),
    ngx_string("api-key"),
    ngx_string("x-goog-api-key"),
    ngx_null_string
};


/* The keys that came last: checksum and SHA-256 cost more than a look at these.
   What a key may do is looked up at each call all the same. */
typedef struct {
    char     text[AIGW_KEY_LEN];
    uint8_t  hash[AIGW_KEY_HASH_LEN];
} ngx_ai_gateway_known_key_t;


static ngx_ai_gateway_known_key_t  ngx_ai_gateway_known[NGX_AI_GATEWAY_KNOWN];
static ngx_uint_t  ngx_ai_gateway_next_known;


ngx_uint_t
ngx_ai_gateway_has_key(u_char *text, size_t len)
{
    return ngx_strlcasestrn(text, text + len, (u_char *) "aigw_",
                            sizeof("aigw_") - 2)
           != NULL;
}


/* True if the query has a key; then nothing that is logged keeps it. */
static ngx_uint_t
ngx_ai_gateway_key_in_url(ngx_http_request_t *r)
{
    u_char      *p;
    ngx_str_t   *name, value;
    ngx_uint_t   found;

    if (r->args.len == 0) {
        return 0;
    }

    found = ngx_ai_gateway_has_key(r->args.data, r->args.len);

    for (name = ngx_ai_gateway_key_args; !found && name->len; name++) {
        found = ngx_http_arg(r, name->data, name->len, &value) == NGX_OK;
    }

    if (!found) {
        return 0;
    }

    r->args.len = 0;

    p = ngx_strlchr(r->unparsed_uri.data,
                    r->unparsed_uri.data + r->unparsed_uri.len, '?');
    if (p != NULL) {
        r->unparsed_uri.len = p - r->unparsed_uri.data;
    }

    p = ngx_strlchr(r->request_line.data,
                    r->request_line.data + r->request_line.len, '?');
    if (p != NULL) {
        r->request_line.len = p - r->request_line.data;
    }

    return 1;
}


/* The token of "Bearer TOKEN"; its length 0 if the header is none. RFC 9110:
   the scheme's case does not matter, one space or more stands behind it. */
static aigw_str_t
ngx_ai_gateway_bearer(ngx_http_request_t *r)
{
    u_char           *p, *last;
    aigw_str_t        token = { 0, NULL };
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || h->value.len < sizeof("Bearer ")
        || !ngx_ai_gateway_begins(&h->value, "Bearer ",
                                  sizeof("Bearer ") - 1))
    {
        return token;
    }

    p = h->value.data + sizeof("Bearer ") - 1;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    while (p < last && last[-1] == ' ') {
        last--;
    }

    token.data = (char *) p;
    token.len = last - p;

    return token;
}


/* True if another carrier holds a key that is not the bearer's. */
static ngx_uint_t
ngx_ai_gateway_other_key(ngx_http_request_t *r, aigw_str_t token)
{
    ngx_table_elt_t  *h;

    h = NULL;

    while ((h = ngx_ai_gateway_find_header(r, ngx_ai_gateway_key_headers, h))) {

        if (h->value.len != token.len
            || CRYPTO_memcmp(h->value.data, token.data, token.len) != 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_inline uint64_t
ngx_ai_gateway_load(const void *p)
{
    uint64_t  n;

    ngx_memcpy(&n, p, sizeof(n));

    return n;
}


/* Takes as long wherever they differ. */
static ngx_uint_t
ngx_ai_gateway_same_key(const char *a, const char *b)
{
    size_t    i, last;
    uint64_t  differ;

    /* eight bytes at a time, the last of which overlap those before */

    last = AIGW_KEY_LEN - sizeof(differ);
    differ = ngx_ai_gateway_load(a + last) ^ ngx_ai_gateway_load(b + last);

    for (i = 0; i < last; i += sizeof(differ)) {
        differ |= ngx_ai_gateway_load(a + i) ^ ngx_ai_gateway_load(b + i);
    }

    return differ == 0;
}


/* The hash of a key of the right form, or NULL. */
static AIGW_COLD const uint8_t *
ngx_ai_gateway_learn_key(aigw_str_t token, aigw_verdict_t *verdict)
{
    ngx_ai_gateway_known_key_t  *known;

    /* form and checksum first: a typing error never reaches the store */

    *verdict = AIGW_VERDICT_UNKNOWN_KEY;

    if (aigw_key_check(token) != AIGW_OK) {
        return NULL;
    }

    known = &ngx_ai_gateway_known[ngx_ai_gateway_next_known++
                                  % NGX_AI_GATEWAY_KNOWN];
    ngx_memzero(known, sizeof(ngx_ai_gateway_known_key_t));

    *verdict = AIGW_VERDICT_UNAVAILABLE;

    if (aigw_key_hash(token, known->hash) != AIGW_OK) {
        return NULL;
    }

    ngx_memcpy(known->text, token.data, AIGW_KEY_LEN);

    return known->hash;
}


static const uint8_t *
ngx_ai_gateway_hash(aigw_str_t token, aigw_verdict_t *verdict)
{
    ngx_uint_t  i;

    if (token.len == AIGW_KEY_LEN) {

        for (i = 0; i < NGX_AI_GATEWAY_KNOWN; i++) {

            if (ngx_ai_gateway_same_key(ngx_ai_gateway_known[i].text,
                                        token.data))
            {
                return ngx_ai_gateway_known[i].hash;
            }
        }
    }

    return ngx_ai_gateway_learn_key(token, verdict);
}


void
ngx_ai_gateway_forget_keys(void)
{
    ngx_explicit_memzero(ngx_ai_gateway_known, sizeof(ngx_ai_gateway_known));
}


ngx_int_t
ngx_ai_gateway_authenticate(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    aigw_str_t       token;
    const uint8_t   *hash;
    aigw_verdict_t   verdict;

    if (ngx_ai_gateway_key_in_url(r)) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_KEY_IN_URL, NULL,
                                     NULL);
    }

    token = ngx_ai_gateway_bearer(r);

    if (token.len == 0) {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_NO_KEY, NULL, NULL);
    }

    if ((ctx->has & NGX_AI_GATEWAY_HAS_KEY)
        && ngx_ai_gateway_other_key(r, token))
    {
        return ngx_ai_gateway_refuse(r, ctx, AIGW_VERDICT_TWO_KEYS, NULL,
                                     NULL);
    }

    hash = ngx_ai_gateway_hash(token, &verdict);

    if (hash == NULL) {
        return ngx_ai_gateway_refuse(r, ctx, verdict, NULL, NULL);
    }

    ngx_memcpy(ctx->hash, hash, AIGW_KEY_HASH_LEN);

    return NGX_OK;
}
