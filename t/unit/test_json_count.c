/* Numbers of JSON as counts. Threats J25, Q10. */

#include <stdlib.h>

#include "aigw_json.h"
#include "tap.h"


static void
test_counts(void)
{
    static const struct {
        const char  *text;
        int64_t      want;             /* -1: AIGW_ERANGE, -2: AIGW_EINVAL */
    } counts[] = {
        { "0", 0 }, { "12", 12 }, { "-0", 0 }, { "12.0", 12 }, { "1e3", 1000 },
        { "1E+3", 1000 }, { "1.5e1", 15 }, { "1200e-2", 12 },
        { "0.012e3", 12 }, { "0e400", 0 }, { "0.000", 0 }, { "-0.0e-9", 0 },
        { "1000000000", 1000000000 }, { "1000000000.000", 1000000000 },
        { "1e9", 1000000000 }, { "0.1e10", 1000000000 },
        { "100000000000000000000e-11", 1000000000 },
        { "12.00000000000000000000000000000000000000", 12 },
        { "0000000000000000000000000000012", 12 },
        { "1000000001", -1 }, { "1e10", -1 }, { "1e400", -1 }, { "-1", -1 },
        { "1.5", -1 }, { "1e-1", -1 }, { "0.9999999999999999999999999", -1 },
        { "9007199254740993", -1 }, { "9223372036854775808", -1 },
        { "18446744073709551616", -1 }, { "18446744073686646784", -1 },
        { "123456789012345678901234567890", -1 },
        { "1e99999999999999999999", -1 }, { "1e-99999999999999999999", -1 },
        { "", -2 }, { "-", -2 }, { "abc", -2 }, { "12a", -2 }, { " 12", -2 },
        { "12 ", -2 }, { "+1", -2 }, { "1.", -2 }, { ".5", -2 }, { "1e", -2 },
        { "1e+", -2 }, { "0x10", -2 }, { "1,000", -2 }, { "--1", -2 }
    };

    size_t      i;
    int64_t     n;
    char       *copy;
    aigw_err_t  err;
    aigw_str_t  text;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        n = -7;
        text.len = strlen(counts[i].text);
        copy = malloc(text.len + 1);
        text.data = memcpy(copy + 1, counts[i].text, text.len);
        err = aigw_json_count(text, 1000000000, &n);
        free(copy);

        ok(counts[i].want >= 0 ? err == AIGW_OK && n == counts[i].want
           : n == -7 && err == (counts[i].want == -1 ? AIGW_ERANGE
                                                     : AIGW_EINVAL),
           "J25 count of '%s'", counts[i].text);
    }

    text = (aigw_str_t) aigw_str("129");
    is_int(aigw_json_count(text, 128, &n), AIGW_ERANGE, "Q10 above a limit");
    text = (aigw_str_t) aigw_str("9223372036854775807");
    is_int(aigw_json_count(text, INT64_MAX, &n), AIGW_ERANGE,
           "19 digits are too many whatever the limit");
}


int
main(void)
{
    test_counts();

    return done();
}
