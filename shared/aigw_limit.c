/*
 * Comparisons that decide about a request. Pure: whoever calls brings the
 * clock and the records.
 */

#include <string.h>

#include "aigw_limit.h"


/*
 * One pattern. On a mismatch only the last '*' takes one byte more: earlier
 * ones have already matched as early as they can, which is never worse.
 */
static int
glob(aigw_str_t pattern, aigw_str_t text)
{
    size_t  p, t, star, retry;

    p = 0;
    t = 0;
    star = SIZE_MAX;
    retry = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = ++p;
            retry = t;

            if (p == pattern.len) {
                return 1;
            }

        } else if (p < pattern.len && pattern.data[p] == text.data[t]) {
            p++;
            t++;

        } else if (star != SIZE_MAX) {
            p = star;
            t = ++retry;

        } else {
            return 0;
        }
    }

    while (p < pattern.len && pattern.data[p] == '*') {
        p++;
    }

    return p == pattern.len;
}


/* Cuts the next item off list. 0: there was none left. */
static int
next_item(aigw_str_t *list, aigw_str_t *item)
{
    const char  *comma;

    if (list->data == NULL) {
        return 0;
    }

    comma = list->len ? memchr(list->data, ',', list->len) : NULL;

    item->data = list->data;

    if (comma == NULL) {
        item->len = list->len;
        list->data = NULL;
        list->len = 0;
        return 1;
    }

    item->len = (size_t) (comma - list->data);
    list->data = comma + 1;
    list->len -= item->len + 1;

    return 1;
}


int
aigw_limit_model_allowed(aigw_str_t patterns, aigw_str_t model)
{
    aigw_str_t  item;

    if (patterns.len == 1 && patterns.data[0] == '*') {
        return 1;                     /* what most lists say */
    }

    while (next_item(&patterns, &item)) {
        if (item.len > 0 && glob(item, model)) {
            return 1;
        }
    }

    return 0;
}


int
aigw_limit_model_named(aigw_str_t patterns, aigw_str_t model)
{
    aigw_str_t  item;

    while (next_item(&patterns, &item)) {
        if (item.len == model.len && item.len > 0
            && memcmp(item.data, model.data, item.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


aigw_err_t
aigw_limit_check_models(aigw_str_t patterns)
{
    size_t         i;
    aigw_str_t     item;
    unsigned char  c;

    if (patterns.len == 0 || patterns.len > AIGW_MODELS_MAX) {
        return AIGW_EINVAL;
    }

    for (i = 0; i < patterns.len; i++) {
        c = (unsigned char) patterns.data[i];

        if (c <= ' ' || c == 0x7f) {
            return AIGW_EINVAL;
        }
    }

    while (next_item(&patterns, &item)) {
        if (item.len == 0) {
            return AIGW_EINVAL;
        }
    }

    return AIGW_OK;
}


int64_t
aigw_limit_left(int64_t limit_nano, int64_t spent_nano, int64_t held_nano)
{
    int64_t  used, left;

    if (limit_nano == AIGW_UNLIMITED) {
        return INT64_MAX;
    }

    if (limit_nano < 0 || held_nano < 0
        || __builtin_add_overflow(spent_nano, held_nano, &used)
        || used >= limit_nano)
    {
        return 0;
    }

    return __builtin_sub_overflow(limit_nano, used, &left) ? INT64_MAX : left;
}


int
aigw_limit_expired(int64_t expires_ms, int64_t now_ms)
{
    return expires_ms != 0 && now_ms >= expires_ms;
}
