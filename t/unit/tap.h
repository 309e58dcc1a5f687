/* TAP for unit tests in C: ok, is_int, is_str, done. Include once a program. */

#ifndef AIGW_TAP_H
#define AIGW_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>


static unsigned  tap_count, tap_failed;


static int __attribute__((format(printf, 2, 3)))
ok(int pass, const char *format, ...)
{
    va_list  args;

    printf("%sok %u - ", pass ? "" : "not ", ++tap_count);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');

    if (!pass) {
        tap_failed++;
    }

    return pass;
}


static inline int
is_int(int64_t got, int64_t want, const char *name)
{
    int  pass = ok(got == want, "%s", name);

    if (!pass) {
        printf("#   got %" PRId64 ", want %" PRId64 "\n", got, want);
    }

    return pass;
}


static inline int
is_str(const char *got, const char *want, const char *name)
{
    int  pass = ok(strcmp(got, want) == 0, "%s", name);

    if (!pass) {
        printf("#   got '%s', want '%s'\n", got, want);
    }

    return pass;
}


/* The plan comes last; the value for main to return. */
static int
done(void)
{
    printf("1..%u\n", tap_count);

    return tap_failed ? 1 : 0;
}

#endif /* AIGW_TAP_H */
