/*
 * Keys in what an upstream says of its errors do not reach the client. It works
 * on the bytes as they pass and must keep their number.
 */

#include "ngx_ai_gateway.h"


#define NGX_AI_GATEWAY_HINT  8         /* bytes of a key that tell nothing */


/* How many bytes are the same at p, which ends at last, and in a key. */
static size_t
ngx_ai_gateway_common(const u_char *p, const u_char *last, const char *key,
    size_t len)
{
    size_t  n;

    for (n = 0; n < len && p + n < last && p[n] == (u_char) key[n]; n++) {
        /* void */
    }

    return n;
}


/*
 * The key itself, whatever it begins with, and also without its "sk-". What of
 * it ends a buffer is in ctx->mask_key, so that the next may go on with it; so
 * few of its bytes may have passed by then.
 */
static void
ngx_ai_gateway_mask_key(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b)
{
    size_t      n, done;
    u_char     *p;
    aigw_str_t  key;

    if (ngx_ai_gateway_upstream_key(ctx->request, &key) != NGX_OK) {
        return;
    }

    if (key.len > 3 && ngx_memcmp(key.data, "sk-", 3) == 0) {
        key.data += 3;
        key.len -= 3;
    }

    if (key.len <= NGX_AI_GATEWAY_HINT) {
        return;
    }

    done = ctx->mask_key < key.len ? ctx->mask_key : 0;
    ctx->mask_key = 0;

    for (p = b->pos; p < b->last; /* void */) {
        n = ngx_ai_gateway_common(p, b->last, key.data + done, key.len - done);

        if (done + n < key.len && p + n < b->last) {
            /* something else: what began before is none, or p begins none */
            p += (done == 0);
            done = 0;
            continue;
        }

        if (done + n < key.len) {
            ctx->mask_key = (uint16_t) (done + n);
        }

        if (done + n > NGX_AI_GATEWAY_HINT) {
            ngx_memset(p, '*', n);
        }

        p += n;
        done = 0;
    }
}


/*
 * An upstream's error may quote the key that it was called with: in each word
 * that begins with "sk-" or "aigw_" all that follows becomes '*'. ctx->mask is
 * what of such a beginning has been seen, so that buffers may end anywhere.
 */
void
ngx_ai_gateway_mask(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b)
{
    u_char  *p, c;

    ngx_ai_gateway_mask_key(ctx, b);

    /* the letters of both, each with what may stand before it, and those of
       an escape of JSON, behind which a word begins */
    enum { word = 0, start, s, sk, a, ai, aig, aigw, key, escape, u1, u2, u3,
           u4 };

    for (p = b->pos; p < b->last; p++) {
        c = *p;

        if (ctx->mask == escape) {
            ctx->mask = (c == 'u') ? u1 : start;

        } else if (ctx->mask >= u1) {
            ctx->mask = (ctx->mask == u4) ? start : ctx->mask + 1;

        } else if (c == '\\') {
            ctx->mask = escape;

        } else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                     || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            ctx->mask = start;

        } else if (ctx->mask == key) {
            *p = '*';

        } else if (ctx->mask == start && (c == 's' || c == 'a')) {
            ctx->mask = (c == 's') ? s : a;

        } else if ((ctx->mask == s && c == 'k')
                   || (ctx->mask == a && c == 'i')
                   || (ctx->mask == ai && c == 'g')
                   || (ctx->mask == aig && c == 'w'))
        {
            ctx->mask++;

        } else if ((ctx->mask == sk && c == '-')
                   || (ctx->mask == aigw && c == '_'))
        {
            ctx->mask = key;

        } else {
            ctx->mask = word;
        }
    }
}
