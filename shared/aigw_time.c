/*
 * Moments as text. Own calendar arithmetic (proleptic Gregorian, UTC): the C
 * library's depends on a locale and a time zone and is not reentrant.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <time.h>

#include "aigw_time.h"


#define SECOND     INT64_C(1000)
#define MINUTE     (60 * SECOND)
#define HOUR       (60 * MINUTE)
#define DAY        (24 * HOUR)

#define FIRST_MS   INT64_C(-62135596800000)   /* 0001-01-01T00:00:00.000Z */
#define LAST_MS    INT64_C(253402300799999)   /* 9999-12-31T23:59:59.999Z */


typedef struct {
    aigw_str_t  left;
    int         bad;
} reader_t;


int64_t
aigw_time_now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * SECOND + ts.tv_nsec / 1000000;
}


/* Days from 1970-01-01. A year that begins in March has its leap day last. */
static int64_t
days_of(int year, int month, int day)
{
    int  y, m;

    y = month > 2 ? year : year - 1;
    m = month > 2 ? month - 3 : month + 9;

    return (int64_t) y * 365 + y / 4 - y / 100 + y / 400
           + (m * 153 + 2) / 5 + day - 1 - 719468;
}


/* The inverse, for years from 1 on. */
static void
date_of(int64_t days, int *year, int *month, int *day)
{
    int  era, d, y, m;

    days += 719468;                   /* from 0000-03-01 */
    era = (int) (days / 146097);
    d = (int) (days % 146097);
    y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    d -= 365 * y + y / 4 - y / 100;
    m = (5 * d + 2) / 153;

    *day = d - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = era * 400 + y + (*month <= 2);
}


static void
put_digits(char *text, int n, int value)
{
    while (n--) {
        text[n] = (char) ('0' + value % 10);
        value /= 10;
    }
}


void
aigw_time_format(int64_t ms, char text[AIGW_TIME_LEN + 1])
{
    int      year, month, day, rest;
    int64_t  days;

    ms = ms < FIRST_MS ? FIRST_MS : ms > LAST_MS ? LAST_MS : ms;

    days = ms / DAY - (ms % DAY < 0);
    rest = (int) (ms - days * DAY);
    date_of(days, &year, &month, &day);

    put_digits(text, 4, year);
    text[4] = '-';
    put_digits(text + 5, 2, month);
    text[7] = '-';
    put_digits(text + 8, 2, day);
    text[10] = 'T';
    put_digits(text + 11, 2, rest / (int) HOUR);
    text[13] = ':';
    put_digits(text + 14, 2, rest / (int) MINUTE % 60);
    text[16] = ':';
    put_digits(text + 17, 2, rest / (int) SECOND % 60);
    text[19] = '.';
    put_digits(text + 20, 3, rest % (int) SECOND);
    text[23] = 'Z';
    text[24] = '\0';
}


static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


/* The next character, 0 at the end. */
static char
peek(const reader_t *in)
{
    return in->left.len ? *in->left.data : '\0';
}


static char
take(reader_t *in)
{
    if (in->left.len == 0) {
        in->bad = 1;
        return '\0';
    }

    in->left.len--;

    return *in->left.data++;
}


static void
take_char(reader_t *in, char want)
{
    if (take(in) != want) {
        in->bad = 1;
    }
}


/* Exactly n digits with a value from min to max. */
static int
take_number(reader_t *in, int n, int min, int max)
{
    int   value;
    char  c;

    value = 0;

    while (n--) {
        c = take(in);

        if (!is_digit(c)) {
            in->bad = 1;
            return min;
        }

        value = value * 10 + (c - '0');
    }

    if (value < min || value > max) {
        in->bad = 1;
        return min;
    }

    return value;
}


static int
days_in_month(int year, int month)
{
    static const int  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return days[month - 1];
}


static int64_t
take_date(reader_t *in)
{
    int  year, month, day;

    year = take_number(in, 4, 1, 9999);
    take_char(in, '-');
    month = take_number(in, 2, 1, 12);
    take_char(in, '-');
    day = take_number(in, 2, 1, days_in_month(year, month));

    return days_of(year, month, day) * DAY;
}


/* Digits behind a point: the first three count. */
static int64_t
take_fraction(reader_t *in)
{
    int64_t  ms, unit;

    take_char(in, '.');

    if (!is_digit(peek(in))) {
        in->bad = 1;
    }

    ms = 0;

    for (unit = 100; is_digit(peek(in)); unit /= 10) {
        ms += unit * (take(in) - '0');
    }

    return ms;
}


static int64_t
take_clock(reader_t *in)
{
    int64_t  ms;

    ms = take_number(in, 2, 0, 23) * HOUR;
    take_char(in, ':');
    ms += take_number(in, 2, 0, 59) * MINUTE;
    take_char(in, ':');
    ms += take_number(in, 2, 0, 59) * SECOND;

    if (peek(in) == '.') {
        ms += take_fraction(in);
    }

    return ms;
}


/* "Z" or "+hh:mm": what local time is ahead of UTC. */
static int64_t
take_zone(reader_t *in)
{
    char     sign;
    int64_t  ms;

    sign = take(in);

    if (sign == 'Z') {
        return 0;
    }

    if (sign != '+' && sign != '-') {
        in->bad = 1;
        return 0;
    }

    ms = take_number(in, 2, 0, 23) * HOUR;
    take_char(in, ':');
    ms += take_number(in, 2, 0, 59) * MINUTE;

    return sign == '-' ? -ms : ms;
}


aigw_err_t
aigw_time_parse(aigw_str_t text, int64_t *ms)
{
    int64_t   result;
    reader_t  in = { text, 0 };

    result = take_date(&in);

    if (in.left.len > 0) {
        take_char(&in, 'T');
        result += take_clock(&in);
        result -= take_zone(&in);
    }

    if (in.bad || in.left.len > 0 || result < FIRST_MS || result > LAST_MS) {
        return AIGW_EINVAL;
    }

    *ms = result;

    return AIGW_OK;
}


static int64_t
unit_ms(char unit)
{
    switch (unit) {
    case 's': return SECOND;
    case 'm': return MINUTE;
    case 'h': return HOUR;
    case 'd': return DAY;
    case 'w': return 7 * DAY;
    default:  return 0;
    }
}


aigw_err_t
aigw_time_parse_span(aigw_str_t text, int64_t *span_ms)
{
    int       overflow;
    int64_t   n, unit;
    reader_t  in = { text, 0 };

    if (!is_digit(peek(&in))) {
        return AIGW_EINVAL;
    }

    n = 0;
    overflow = 0;

    while (is_digit(peek(&in))) {
        overflow |= __builtin_mul_overflow(n, 10, &n);
        overflow |= __builtin_add_overflow(n, take(&in) - '0', &n);
    }

    unit = unit_ms(take(&in));

    if (unit == 0 || in.left.len > 0) {
        return AIGW_EINVAL;
    }

    if (overflow || __builtin_mul_overflow(n, unit, &n)) {
        return AIGW_ERANGE;
    }

    if (n == 0) {
        return AIGW_EINVAL;
    }

    *span_ms = n;

    return AIGW_OK;
}
