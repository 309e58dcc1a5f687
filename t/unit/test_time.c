/* Moments as text and back, strictly. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aigw_time.h"
#include "tap.h"


#define DAY  INT64_C(86400000)


static aigw_str_t
copy(const char *text)
{
    char        *data;
    aigw_str_t   s;

    s.len = strlen(text);
    data = malloc(s.len ? s.len : 1);
    memcpy(data, text, s.len);
    s.data = data;

    return s;
}


static const struct {
    int64_t      ms;
    const char  *text;
} moments[] = {
    { 0, "1970-01-01T00:00:00.000Z" },
    { -1, "1969-12-31T23:59:59.999Z" },
    { 951782400000, "2000-02-29T00:00:00.000Z" },
    { 951868799999, "2000-02-29T23:59:59.999Z" },
    { 1763996007123, "2025-11-24T14:53:27.123Z" },
    { 4107542400000, "2100-03-01T00:00:00.000Z" },
    { 4107456000000, "2100-02-28T00:00:00.000Z" },
    { INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
    { INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z" },
};


static void
test_moments(void)
{
    char        text[AIGW_TIME_LEN + 1];
    size_t      i;
    int64_t     ms;
    aigw_str_t  s;

    for (i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        aigw_time_format(moments[i].ms, text);
        is_str(text, moments[i].text, "written");

        s = copy(moments[i].text);
        ms = -77;
        is_int(aigw_time_parse(s, &ms), AIGW_OK, "read");
        is_int(ms, moments[i].ms, "the same moment");
        free((void *) s.data);
    }

    aigw_time_format(INT64_MAX, text);
    is_str(text, "9999-12-31T23:59:59.999Z", "INT64_MAX is clamped");
    aigw_time_format(INT64_MIN, text);
    is_str(text, "0001-01-01T00:00:00.000Z", "INT64_MIN is clamped");
}


/* Each day of 10,000 years, and the C library's opinion on some of them. */
static void
test_all_days(void)
{
    char        text[AIGW_TIME_LEN + 1], other[64];
    time_t      t;
    int64_t     ms, back;
    unsigned    bad;
    struct tm   tm;
    aigw_str_t  s = { AIGW_TIME_LEN, text };

    bad = 0;

    for (ms = INT64_C(-62135596800000); ms < INT64_C(253402300800000);
         ms += DAY)
    {
        aigw_time_format(ms, text);
        bad += aigw_time_parse(s, &back) != AIGW_OK || back != ms;
    }

    is_int(bad, 0, "every day from 0001 to 9999 goes there and back");

    bad = 0;

    for (ms = INT64_C(-2208988800000); ms < INT64_C(4102444800000);
         ms += DAY + 12345678)
    {
        t = (time_t) ((ms - (ms % 1000 + 1000) % 1000) / 1000);
        gmtime_r(&t, &tm);
        strftime(other, sizeof(other), "%Y-%m-%dT%H:%M:%S", &tm);
        aigw_time_format(ms, text);
        bad += strncmp(text, other, 19) != 0;
    }

    is_int(bad, 0, "gmtime agrees from 1900 to 2100");
}


static const struct {
    const char  *text;
    aigw_err_t   err;
    int64_t      ms;
} parses[] = {
    { "1970-01-02", AIGW_OK, DAY },
    { "1970-01-01T00:00:01Z", AIGW_OK, 1000 },
    { "1970-01-01T00:00:01.5Z", AIGW_OK, 1500 },
    { "1970-01-01T00:00:01.123456789012Z", AIGW_OK, 1123 },
    { "1970-01-01T00:00:00.9999Z", AIGW_OK, 999 },
    { "1970-01-01T01:30:00+01:30", AIGW_OK, 0 },
    { "1969-12-31T19:00:00-05:00", AIGW_OK, 0 },
    { "1970-01-01T00:00:00-00:00", AIGW_OK, 0 },
    { "1970-01-01T00:00:00.25+00:01", AIGW_OK, -60000 + 250 },
    { "2024-02-29", AIGW_OK, INT64_C(1709164800000) },

    { "2023-02-29", AIGW_EINVAL, 0 },
    { "2100-02-29", AIGW_EINVAL, 0 },
    { "2023-04-31", AIGW_EINVAL, 0 },
    { "2023-00-01", AIGW_EINVAL, 0 },
    { "2023-13-01", AIGW_EINVAL, 0 },
    { "2023-01-00", AIGW_EINVAL, 0 },
    { "0000-01-01", AIGW_EINVAL, 0 },
    { "0001-01-01T00:00:00+00:01", AIGW_EINVAL, 0 },
    { "9999-12-31T23:59:59-00:01", AIGW_EINVAL, 0 },
    { "10000-01-01", AIGW_EINVAL, 0 },
    { "2023-1-1", AIGW_EINVAL, 0 },
    { "2023-01-01T", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00Z", AIGW_EINVAL, 0 },
    { "2023-01-01 00:00:00Z", AIGW_EINVAL, 0 },
    { "2023-01-01t00:00:00z", AIGW_EINVAL, 0 },
    { "2023-01-01T24:00:00Z", AIGW_EINVAL, 0 },
    { "2023-01-01T00:60:00Z", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:60Z", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00.Z", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00,5Z", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00+24:00", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00+01:60", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00+0100", AIGW_EINVAL, 0 },
    { "2023-01-01T00:00:00ZZ", AIGW_EINVAL, 0 },
    { "2023-01-01Z", AIGW_EINVAL, 0 },
    { " 2023-01-01", AIGW_EINVAL, 0 },
    { "2023-01-01 ", AIGW_EINVAL, 0 },
    { "-023-01-01", AIGW_EINVAL, 0 },
    { "2023/01/01", AIGW_EINVAL, 0 },
    { "1700000000", AIGW_EINVAL, 0 },
    { "now", AIGW_EINVAL, 0 },
    { "", AIGW_EINVAL, 0 },
};

static const struct {
    const char  *text;
    aigw_err_t   err;
    int64_t      ms;
} spans[] = {
    { "90s", AIGW_OK, 90000 },
    { "15m", AIGW_OK, 900000 },
    { "24h", AIGW_OK, DAY },
    { "30d", AIGW_OK, 30 * DAY },
    { "2w", AIGW_OK, 14 * DAY },
    { "106751991167d", AIGW_OK, INT64_C(106751991167) * DAY },

    { "106751991168d", AIGW_ERANGE, 0 },
    { "99999999999999999999d", AIGW_ERANGE, 0 },

    { "0d", AIGW_EINVAL, 0 },
    { "d", AIGW_EINVAL, 0 },
    { "30", AIGW_EINVAL, 0 },
    { "30D", AIGW_EINVAL, 0 },
    { "30y", AIGW_EINVAL, 0 },
    { "-1d", AIGW_EINVAL, 0 },
    { "+1d", AIGW_EINVAL, 0 },
    { "1.5h", AIGW_EINVAL, 0 },
    { "1d2h", AIGW_EINVAL, 0 },
    { "1 d", AIGW_EINVAL, 0 },
    { "99999999999999999999x", AIGW_EINVAL, 0 },
    { "", AIGW_EINVAL, 0 },
};


static void
test_parse(void)
{
    size_t      i;
    int64_t     ms;
    aigw_err_t  err;
    aigw_str_t  s;

    for (i = 0; i < sizeof(parses) / sizeof(parses[0]); i++) {
        s = copy(parses[i].text);
        ms = -77;
        err = aigw_time_parse(s, &ms);
        free((void *) s.data);

        ok(err == parses[i].err
           && ms == (err == AIGW_OK ? parses[i].ms : -77),
           "time '%s' (%s)", parses[i].text, aigw_strerror(err));
    }

    for (i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        s = copy(spans[i].text);
        ms = -77;
        err = aigw_time_parse_span(s, &ms);
        free((void *) s.data);

        ok(err == spans[i].err && ms == (err == AIGW_OK ? spans[i].ms : -77),
           "span '%s' (%s)", spans[i].text, aigw_strerror(err));
    }
}


int
main(void)
{
    test_moments();
    test_all_days();
    test_parse();

    ok(aigw_time_now_ms() > INT64_C(1700000000000), "the clock runs");

    return done();
}
