/*
 * Numbers of JSON as counts: exact, whatever their notation, with no floating
 * point. It must not trust the text's form: strings are read by it, too.
 */

#include "aigw.h"
#include "aigw_json.h"


#define COUNT_DIGITS  18               /* significant; they fit an int64 */
#define COUNT_POWER   9999             /* exponents count no further */


typedef struct {
    aigw_str_t  text;
    size_t      pos;
    int64_t     digits;                /* without their last zeros */
    unsigned    significant;
    unsigned    zeros;                 /* the last zeros */
    int         power;                 /* of ten, for digits and zeros */
} count_t;


static int
count_is_digit(const count_t *n)
{
    return n->pos < n->text.len && n->text.data[n->pos] >= '0'
           && n->text.data[n->pos] <= '9';
}


static int
count_skip(count_t *n, char c)
{
    if (n->pos == n->text.len || n->text.data[n->pos] != c) {
        return 0;
    }

    n->pos++;

    return 1;
}


/* One or more digits. */
static aigw_err_t
count_digits(count_t *n, int fraction)
{
    int  digit;

    if (!count_is_digit(n)) {
        return AIGW_EINVAL;
    }

    for ( ; count_is_digit(n); n->pos++) {
        digit = n->text.data[n->pos] - '0';
        n->power -= fraction;

        if (digit == 0) {
            n->zeros += n->digits != 0;
            continue;
        }

        n->significant += n->zeros + 1;

        if (n->significant > COUNT_DIGITS) {
            n->digits = 1;
            n->zeros = 0;
            continue;
        }

        for ( ; n->zeros; n->zeros--) {
            n->digits *= 10;
        }

        n->digits = n->digits * 10 + digit;
    }

    return AIGW_OK;
}


static aigw_err_t
count_exponent(count_t *n)
{
    int  power = 0, minus;

    minus = count_skip(n, '-');

    if (!minus) {
        (void) count_skip(n, '+');
    }

    if (!count_is_digit(n)) {
        return AIGW_EINVAL;
    }

    for ( ; count_is_digit(n); n->pos++) {
        power = power * 10 + (n->text.data[n->pos] - '0');

        if (power > COUNT_POWER) {
            power = COUNT_POWER;
        }
    }

    n->power += minus ? -power : power;

    return AIGW_OK;
}


/* Digits alone, which most counts are, and not too many; -1: something else. */
static int64_t
count_plain(aigw_str_t text)
{
    size_t    i;
    int64_t   n = 0;
    unsigned  digit;

    if (text.len == 0 || text.len > COUNT_DIGITS) {
        return -1;
    }

    for (i = 0; i < text.len; i++) {
        digit = (unsigned) text.data[i] - '0';

        if (digit > 9) {
            return -1;
        }

        n = n * 10 + digit;
    }

    return n;
}


aigw_err_t
aigw_json_count(aigw_str_t text, int64_t max, int64_t *count)
{
    count_t  n = { 0 };
    int      minus;
    int64_t  plain = count_plain(text);

    if (plain >= 0 && plain <= max) {
        *count = plain;
        return AIGW_OK;
    }

    n.text = text;
    minus = count_skip(&n, '-');

    if (count_digits(&n, 0) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    if (count_skip(&n, '.') && count_digits(&n, 1) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    if ((count_skip(&n, 'e') || count_skip(&n, 'E'))
        && count_exponent(&n) != AIGW_OK)
    {
        return AIGW_EINVAL;
    }

    if (n.pos != text.len) {
        return AIGW_EINVAL;
    }

    if (n.digits == 0) {
        *count = 0;
        return AIGW_OK;
    }

    n.power += (int) n.zeros;

    if (minus || n.significant > COUNT_DIGITS || n.power < 0) {
        return AIGW_ERANGE;
    }

    for ( ; n.power && n.digits <= max / 10; n.power--) {
        n.digits *= 10;
    }

    if (n.power || n.digits > max) {
        return AIGW_ERANGE;
    }

    *count = n.digits;

    return AIGW_OK;
}
