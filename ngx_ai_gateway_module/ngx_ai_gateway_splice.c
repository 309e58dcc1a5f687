/*
 * Edits of the request body where it lies: what an upstream must be asked for,
 * another model's name, an output limit. Nothing is copied but what is new.
 */

#include "ngx_ai_gateway.h"


/* Overwrites len bytes by spaces, from byte k of cl's buffer on. */
static ngx_int_t
ngx_ai_gateway_blank(ngx_chain_t *cl, off_t k, size_t len)
{
    size_t      n;
    u_char      spaces[256];
    ngx_buf_t  *b;

    ngx_memset(spaces, ' ', sizeof(spaces));

    while (len && cl) {
        b = cl->buf;
        n = (size_t) ngx_min(ngx_buf_size(b) - k, (off_t) len);
        n = ngx_min(n, sizeof(spaces));

        if (n == 0) {
            cl = cl->next;
            k = 0;
            continue;
        }

        if (ngx_buf_in_memory(b)) {
            ngx_memcpy(b->pos + k, spaces, n);

        } else if (ngx_write_file(b->file, spaces, n, b->file_pos + k)
                   != (ssize_t) n)
        {
            return NGX_ERROR;
        }

        k += n;
        len -= n;
    }

    return len ? NGX_ERROR : NGX_OK;
}


/*
 * Puts text between the first k bytes of cl's buffer and the rest. When nginx
 * tries another upstream it sets every buffer's pos to its start and lines
 * file pieces up from 0: so start must equal pos, and pieces be contiguous.
 */
static ngx_int_t
ngx_ai_gateway_insert(ngx_http_request_t *r, ngx_chain_t *cl, off_t k,
    const aigw_str_t *text)
{
    ngx_buf_t    *before, *middle, *after;
    ngx_chain_t  *ml, *al;

    before = ngx_alloc_buf(r->pool);
    middle = ngx_calloc_buf(r->pool);
    after = ngx_alloc_buf(r->pool);
    ml = ngx_alloc_chain_link(r->pool);
    al = ngx_alloc_chain_link(r->pool);

    if (before == NULL || middle == NULL || after == NULL || ml == NULL
        || al == NULL)
    {
        return NGX_ERROR;
    }

    middle->start = (u_char *) text->data;
    middle->pos = middle->start;
    middle->last = middle->start + text->len;
    middle->end = middle->last;
    middle->memory = 1;

    if (k == 0) {
        /* right behind another splice: nginx takes no empty buffer */
        al->buf = cl->buf;
        al->next = cl->next;
        cl->buf = middle;
        cl->next = al;

        return NGX_OK;
    }

    *before = *cl->buf;
    *after = *cl->buf;

    before->last_buf = 0;
    before->last_in_chain = 0;

    if (ngx_buf_in_memory(before)) {
        before->start = before->pos;
        before->last = before->pos + k;
        before->end = before->last;

        after->pos += k;
        after->start = after->pos;

    } else {
        before->file_last = before->file_pos + k;
        after->file_pos += k;
    }

    al->buf = after;
    al->next = cl->next;
    ml->buf = middle;
    ml->next = al;
    cl->buf = before;
    cl->next = ml;

    return NGX_OK;
}


static ngx_int_t
ngx_ai_gateway_splice(ngx_http_request_t *r, off_t offset,
    const aigw_request_splice_t *splice)
{
    off_t         len;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        len = ngx_buf_size(cl->buf);

        if (offset < len) {

            if (ngx_ai_gateway_blank(cl, offset, splice->blank) != NGX_OK) {
                return NGX_ERROR;
            }

            r->headers_in.content_length_n += splice->text.len;

            return ngx_ai_gateway_insert(r, cl, offset, &splice->text);
        }

        offset -= len;
    }

    return NGX_ERROR;
}


/* The model's name as a JSON string. */
static ngx_int_t
ngx_ai_gateway_quote_model(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_str_t *text)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(ctx->model);

    p = ngx_pnalloc(r->pool, len * 6 + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = (char *) p;

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, (u_char *) ctx->model, len);
    *p++ = '"';

    text->len = p - (u_char *) text->data;

    return NGX_OK;
}


/* The output limit in digits, and as a member of its own. */
static ngx_int_t
ngx_ai_gateway_write_limit(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx,
    aigw_str_t *number, aigw_str_t *member)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, sizeof("\"max_completion_tokens\":,")
                             + NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    member->data = (char *) p;

    /* models that think refuse the old name */

    p = ctx->reasoning ? ngx_sprintf(p, "\"max_completion_tokens\":")
                       : ngx_sprintf(p, "\"max_tokens\":");

    number->data = (char *) p;
    p = ngx_sprintf(p, "%L", ctx->limit);
    number->len = p - (u_char *) number->data;

    *p++ = ',';
    member->len = p - (u_char *) member->data;

    return NGX_OK;
}


ngx_int_t
ngx_ai_gateway_splice_body(ngx_http_request_t *r, ngx_ai_gateway_ctx_t *ctx)
{
    off_t                   offset, shift;
    unsigned                i, n;
    aigw_str_t              text, number;
    aigw_request_t         *req;
    aigw_request_splice_t   splice[AIGW_REQUEST_SPLICES];

    req = &ctx->scan.request;

    n = (ctx->route == AIGW_ROUTE_EMBEDDINGS)
        ? 0 : aigw_request_usage_splice(req, splice);

    if (ctx->alias) {

        if (ngx_ai_gateway_quote_model(r, ctx, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        n += aigw_request_model_splice(req, text, &splice[n]);
    }

    if (ctx->limit >= 0) {

        if (ngx_ai_gateway_write_limit(r, ctx, &number, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        n += aigw_request_limit_splices(req, ctx->limit, number, text,
                                        &splice[n]);
    }

    aigw_request_sort_splices(splice, n);

    shift = 0;

    for (i = 0; i < n; i++) {
        offset = (off_t) splice[i].offset + shift;

        if (ngx_ai_gateway_splice(r, offset, &splice[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        shift += splice[i].text.len;
    }

    return NGX_OK;
}
