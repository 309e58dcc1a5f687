/*
 * What a client's headers are: which of those that matter here it has sent, and
 * where they are. A client sends twenty; most requests have none of these.
 */

#include "ngx_ai_gateway.h"


typedef struct {
    ngx_str_t   name;
    ngx_uint_t  has;
} ngx_ai_gateway_header_t;


static const ngx_ai_gateway_header_t  ngx_ai_gateway_rare_headers[] = {
    { ngx_string("api-key"), NGX_AI_GATEWAY_HAS_KEY },
    { ngx_string("content-encoding"), NGX_AI_GATEWAY_HAS_ENCODING },
    { ngx_string("origin"), NGX_AI_GATEWAY_HAS_ORIGIN },
    { ngx_string("x-aigw-tag"), NGX_AI_GATEWAY_HAS_TAG },
    { ngx_string("x-api-key"), NGX_AI_GATEWAY_HAS_KEY },
    { ngx_string("x-goog-api-key"), NGX_AI_GATEWAY_HAS_KEY },
    { ngx_null_string, 0 }
};


/* Bit n: one of them has a name of n bytes. */
static uint64_t  ngx_ai_gateway_rare_lengths;


static ngx_uint_t
ngx_ai_gateway_is_named(ngx_table_elt_t *h, const ngx_str_t *name)
{
    if (h->key.len != name->len) {
        return 0;
    }

    /* some modules add a header without its name in lower case */

    return h->lowcase_key != NULL
           ? h->lowcase_key[0] == name->data[0]
             && ngx_memcmp(h->lowcase_key, name->data, name->len) == 0
           : ngx_strncasecmp(h->key.data, name->data, name->len) == 0;
}


ngx_uint_t
ngx_ai_gateway_header_is(ngx_table_elt_t *h, const ngx_str_t *names)
{
    for ( ; names->len; names++) {

        if (ngx_ai_gateway_is_named(h, names)) {
            return 1;
        }
    }

    return 0;
}


ngx_table_elt_t *
ngx_ai_gateway_find_header(ngx_http_request_t *r, const ngx_str_t *names,
    ngx_table_elt_t *after)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (after != NULL) {
                after = (after == &h[i]) ? NULL : after;
                continue;
            }

            if (ngx_ai_gateway_header_is(&h[i], names)) {
                return &h[i];
            }
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_ai_gateway_rare_header(ngx_table_elt_t *h)
{
    const ngx_ai_gateway_header_t  *rare;

    for (rare = ngx_ai_gateway_rare_headers; rare->has; rare++) {

        if (ngx_ai_gateway_is_named(h, &rare->name)) {
            break;
        }
    }

    return rare->has;
}


static AIGW_COLD void
ngx_ai_gateway_learn_rare_lengths(void)
{
    const ngx_ai_gateway_header_t  *rare;

    for (rare = ngx_ai_gateway_rare_headers; rare->has; rare++) {
        ngx_ai_gateway_rare_lengths |= (uint64_t) 1 << rare->name.len;
    }
}


ngx_uint_t
ngx_ai_gateway_rare_headers_of(ngx_http_request_t *r)
{
    ngx_uint_t        i, has;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    has = 0;

    if (ngx_ai_gateway_rare_lengths == 0) {
        ngx_ai_gateway_learn_rare_lengths();
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len < 64
                && (ngx_ai_gateway_rare_lengths >> h[i].key.len & 1))
            {
                has |= ngx_ai_gateway_rare_header(&h[i]);
            }
        }
    }

    return has;
}
