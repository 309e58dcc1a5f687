/*
 * Around the location's own content handler: while it builds the upstream's
 * request, and only then, the header list is the one an upstream may see, with
 * the operator's key in it. Earlier, auth_request and mirror would carry it.
 */

#include "ngx_ai_gateway.h"


/* What goes up; everything else stays here. */
static const ngx_str_t  ngx_ai_gateway_up_headers[] = {
    ngx_string("accept"),
    ngx_string("accept-language"),
    ngx_string("content-type"),
    ngx_string("openai-beta"),
    ngx_string("user-agent"),
    ngx_null_string
};


/* What the module sends up itself. */
typedef struct {
    ngx_str_t    key;
    u_char      *lowcase;
    ngx_uint_t   hash;                /* of it; 0: not yet known */
} ngx_ai_gateway_own_header_t;


static ngx_ai_gateway_own_header_t  ngx_ai_gateway_own_authorization = {
    ngx_string("Authorization"), (u_char *) "authorization", 0
};

static ngx_ai_gateway_own_header_t  ngx_ai_gateway_own_encoding = {
    ngx_string("Accept-Encoding"), (u_char *) "accept-encoding", 0
};


/* The upstream key opened last: a seal costs more to open than to compare. */
static struct {
    size_t   sealed_len;
    uint8_t  sealed[AIGW_SEALED_MAX];
    char     secret[AIGW_SECRET_MAX];
    size_t   secret_len;
} ngx_ai_gateway_opened;


static ngx_int_t
ngx_ai_gateway_open_own(ngx_http_request_t *r,
    const aigw_upstream_t *upstream, aigw_str_t *secret)
{
    aigw_err_t  err;

    if (upstream->sealed_len != ngx_ai_gateway_opened.sealed_len
        || ngx_memcmp(upstream->sealed, ngx_ai_gateway_opened.sealed,
                      upstream->sealed_len)
           != 0)
    {
        ngx_ai_gateway_opened.sealed_len = 0;

        err = aigw_unseal(ngx_ai_gateway_amcf(r)->master, upstream->id,
                          upstream->sealed, upstream->sealed_len,
                          ngx_ai_gateway_opened.secret,
                          &ngx_ai_gateway_opened.secret_len);
        if (err != AIGW_OK) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "ai_gateway: the key of upstream \"%s\" does not"
                          " open: %s (another master key? set it again)",
                          upstream->name, aigw_strerror(err));
            return NGX_DECLINED;
        }

        ngx_memcpy(ngx_ai_gateway_opened.sealed, upstream->sealed,
                   upstream->sealed_len);
        ngx_ai_gateway_opened.sealed_len = upstream->sealed_len;
    }

    secret->data = ngx_ai_gateway_opened.secret;
    secret->len = ngx_ai_gateway_opened.secret_len;

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_upstream_key(ngx_http_request_t *r, aigw_str_t *secret)
{
    ngx_int_t                         rc;
    aigw_err_t                        err;
    aigw_str_t                        name;
    aigw_upstream_t                   upstream;
    ngx_ai_gateway_ctx_t             *ctx;
    const ngx_ai_gateway_loc_conf_t  *alcf;

    alcf = ngx_ai_gateway_alcf(r);

    name.data = (char *) alcf->upstream.data;
    name.len = alcf->upstream.len;

    if (ngx_ai_gateway_store() == NULL) {
        return NGX_DECLINED;
    }

    err = aigw_store_find_upstream(ngx_ai_gateway_store(), name, &upstream);

    if (err != AIGW_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "ai_gateway: no key for upstream \"%V\": %s (\"aigw"
                      " upstream set %V ...\" stores one)",
                      &alcf->upstream, aigw_strerror(err), &alcf->upstream);
        return NGX_DECLINED;
    }

    ctx = ngx_ai_gateway_get_ctx(r);

    if (ctx->has_subkey) {
        rc = ngx_ai_gateway_subkey(r, ctx, upstream.id, secret);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return ngx_ai_gateway_open_own(r, &upstream, secret);
}


static ngx_int_t
ngx_ai_gateway_push_header(ngx_list_t *list, ngx_ai_gateway_own_header_t *own,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(list);
    if (h == NULL) {
        return NGX_ERROR;
    }

    if (own->hash == 0) {
        own->hash = ngx_hash_key(own->lowcase, own->key.len);
    }

    h->key = own->key;
    h->lowcase_key = own->lowcase;
    h->hash = own->hash;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->value = *value;

    return NGX_OK;
}


/* Copies those of the client's headers that may go up. */
static ngx_int_t
ngx_ai_gateway_copy_headers(ngx_http_request_t *r, ngx_list_t *list)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_ai_gateway_header_is(&h[i], ngx_ai_gateway_up_headers)) {
                continue;
            }

            copy = ngx_list_push(list);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    return NGX_OK;
}


/* The header list that goes up, and the value in it that is secret. NGX_OK,
   NGX_DECLINED or NGX_ABORT: there is no key to be had, NGX_ERROR. */
static ngx_int_t
ngx_ai_gateway_upstream_headers(ngx_http_request_t *r, ngx_list_t *list,
    ngx_str_t *authorization)
{
    ngx_int_t   rc;
    aigw_str_t  secret;

    static ngx_str_t  identity = ngx_string("identity");

    rc = ngx_ai_gateway_upstream_key(r, &secret);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_list_init(list, r->pool, 8, sizeof(ngx_table_elt_t)) != NGX_OK
        || ngx_ai_gateway_copy_headers(r, list) != NGX_OK)
    {
        return NGX_ERROR;
    }

    authorization->len = sizeof("Bearer ") - 1 + secret.len;
    authorization->data = ngx_pnalloc(r->pool, authorization->len);
    if (authorization->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(authorization->data, "Bearer ",
                          sizeof("Bearer ") - 1),
               secret.data, secret.len);

    if (ngx_ai_gateway_push_header(list, &ngx_ai_gateway_own_authorization,
                                   authorization)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what is compressed cannot be metered */

    return ngx_ai_gateway_push_header(list, &ngx_ai_gateway_own_encoding,
                                      &identity);
}


/* Runs call with the upstream's header list in the client's place. */
static ngx_int_t
ngx_ai_gateway_with_headers(ngx_http_request_t *r,
    ngx_int_t (*call)(ngx_http_request_t *r))
{
    ngx_int_t   rc;
    ngx_str_t   authorization;
    ngx_list_t  client, upstream;

    rc = ngx_ai_gateway_upstream_headers(r, &upstream, &authorization);
    if (rc != NGX_OK) {
        return rc;
    }

    client = r->headers_in.headers;
    r->headers_in.headers = upstream;

    rc = call(r);

    r->headers_in.headers = client;

    /* the request that was built has a copy of its own */

    ngx_explicit_memzero(authorization.data, authorization.len);

    return rc;
}


/* Takes the place of the upstream's own create_request. */
static ngx_int_t
ngx_ai_gateway_create_request(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_get_ctx(r);

    rc = ngx_ai_gateway_with_headers(r, ctx->create_request);

    return rc == NGX_DECLINED || rc == NGX_ABORT ? NGX_ERROR : rc;
}


/* The head of the upstream's request has the operator's key in it; pools are
   given back as they are. */
static void
ngx_ai_gateway_forget_request(ngx_http_request_t *r)
{
    ngx_buf_t  *head;

    if (r->upstream->request_bufs == NULL) {
        return;
    }

    head = r->upstream->request_bufs->buf;

    /* the body alone, for which there is no head yet, may be needed again */

    if (r->request_body == NULL || r->request_body->bufs == NULL
        || head != r->request_body->bufs->buf)
    {
        ngx_explicit_memzero(head->start, head->last - head->start);
    }
}


/* Every end of an upstream comes by here, with its code; some call no filter
   (design, section 2). */
static void
ngx_ai_gateway_finalize_upstream(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_get_ctx(r);

    ctx->upstream_done = 1;
    ctx->complete = (rc == 0);

    ngx_ai_gateway_forget_request(r);

    ctx->finalize_request(r, rc);
}


static void
ngx_ai_gateway_hook_upstream(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL) {
        return;
    }

    ctx->finalize_request = u->finalize_request;
    u->finalize_request = ngx_ai_gateway_finalize_upstream;

    if (u->request_bufs == NULL) {
        /* it waits for a cache: the request is built later */
        ctx->create_request = u->create_request;
        u->create_request = ngx_ai_gateway_create_request;
    }
}


ngx_int_t
ngx_ai_gateway_content_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_ai_gateway_ctx_t  *ctx;

    ctx = ngx_ai_gateway_get_ctx(r);

    if (ctx == NULL || ctx->state != NGX_AI_GATEWAY_ADMITTED
        || ctx->content_handler == NULL)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "ai_gateway: nothing to pass the call to: a location"
                      " with \"ai_gateway on\" needs a \"proxy_pass\"");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what was judged is what is sent: the path as the route table has it */

    r->uri.data = (u_char *) aigw_record_route_name(ctx->route);
    r->uri.len = ngx_strlen(r->uri.data);
    r->args.len = 0;
    r->valid_unparsed_uri = 0;
    r->quoted_uri = 0;

    ctx->upstream_done = 0;
    ctx->complete = 0;

    if (ctx->in_flight && ctx->generation == ngx_ai_gateway_generation()) {
        aigw_flight_sent(ngx_ai_gateway_journal(), ctx->flight);
    }

    rc = ngx_ai_gateway_with_headers(r, ctx->content_handler);

    if (rc == NGX_DECLINED || rc == NGX_ABORT) {
        /* the phase engine finalizes once more */
        r->main->count++;
        return ngx_ai_gateway_refuse(r, ctx, rc == NGX_ABORT
                                     ? AIGW_VERDICT_SUBKEY
                                     : AIGW_VERDICT_UNAVAILABLE, NULL, NULL);
    }

    ngx_ai_gateway_hook_upstream(r, ctx);

    if (r->upstream != NULL && r == r->main) {
        ngx_ai_gateway_watch_client(r, ctx);
    }

    return rc;
}
