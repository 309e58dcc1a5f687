/*
 * Keys in what an upstream says of its errors do not reach the client. It works
 * on the bytes as they pass and must keep their number.
 */

#include "ngx_ai_gateway.h"


/*
 * An upstream's error may quote the key that it was called with: in each word
 * that begins with "sk-" or "aigw_" all that follows becomes '*'. ctx->mask is
 * what of such a beginning has been seen, so that buffers may end anywhere.
 */
void
ngx_ai_gateway_mask(ngx_ai_gateway_ctx_t *ctx, ngx_buf_t *b)
{
    u_char  *p, c;

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
