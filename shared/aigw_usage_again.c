/*
 * The chunks of a stream begin alike: with id, model, time and so on, which is
 * most of them. What the scanner knows behind these bytes is kept, and a chunk
 * that begins with them is read from there on. The meter must end as if it had
 * read them.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_usage.h"
#include "aigw_usage_internal.h"


#define AGAIN_MIN  64                  /* less is not worth it */


void
aigw_usage_again_init(aigw_usage_again_t *again)
{
    again->have = 0;
    again->len = 0;
}


static size_t
again_common(const char *a, const char *b, size_t len)
{
    size_t  n = 0;

    while (n < len && a[n] == b[n]) {
        n++;
    }

    return n;
}


/* To where something begins, so that no name or value is cut. */
static size_t
again_back(const char *p, size_t n)
{
    while (n > 0 && p[n - 1] != ',' && p[n - 1] != '{' && p[n - 1] != '[') {
        n--;
    }

    return n;
}


/* A chunk that begins otherwise: reads what it has in common with the one that
   is known and, if that means nothing yet, keeps it. The first piece of a
   chunk may be short, that of this one or of that one: it tells nothing. */
static size_t
again_learn(aigw_usage_meter_t *m, aigw_str_t text)
{
    int                  passing = m->passing;
    size_t               n, most;
    aigw_usage_again_t  *again = &m->again;

    most = text.len < AIGW_USAGE_AGAIN_MAX ? text.len : AIGW_USAGE_AGAIN_MAX;
    n = again_common(text.data, again->bytes,
                     most < again->have ? most : again->have);

    if (n == text.len) {
        return 0;
    }

    again->len = 0;

    if (n < AGAIN_MIN || (n == again->have && n < most)) {
        memcpy(again->bytes, text.data, most);
        again->have = (uint16_t) most;
        return 0;
    }

    n = again_back(text.data, n);

    if (aigw_json_feed(&m->json, (const unsigned char *) text.data, n, m)
            == AIGW_OK
        && !passing && !m->told
        && aigw_json_keep(&m->json, &again->mark) == AIGW_OK)
    {
        again->len = (uint16_t) n;
        again->empty = m->empty;
        again->passing = m->passing;
    }

    return n;
}


size_t
aigw_usage_again(aigw_usage_meter_t *m, aigw_str_t text)
{
    const aigw_usage_again_t  *again = &m->again;

    if (again->len == 0 || text.len < again->len
        || memcmp(text.data, again->bytes, again->len) != 0)
    {
        return again_learn(m, text);
    }

    aigw_json_resume(&m->json, &again->mark);
    m->empty = again->empty & 1U;
    m->passing |= again->passing & 1U;

    return again->len;
}
