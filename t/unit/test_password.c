/* Passwords (threats K12, K15, M15, M16). A hash takes 128 MiB and a third of a
   second: the cheap ones here are made at a cost of 2^10. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "aigw_password.h"
#include "tap.h"


static int  no_random;


/* Instead of the library's. */
int
RAND_bytes(unsigned char *buf, int n)
{
    return no_random ? 0 : RAND_bytes_ex(NULL, buf, (size_t) n, 0);
}


static aigw_str_t
str(const char *text)
{
    return (aigw_str_t) { strlen(text), text };
}


/* As it stands in a store, at another cost; made by the library itself. */
static aigw_password_t
cheap(aigw_str_t text, uint8_t log_n, uint8_t r, uint8_t p)
{
    aigw_password_t  made = {
        .scheme = AIGW_PASSWORD_SCRYPT, .log_n = log_n, .r = r, .p = p,
        .salt = "fifteen bytes..", .hash = ""
    };

    if (EVP_PBE_scrypt(text.data, text.len, made.salt, sizeof(made.salt),
                       UINT64_C(1) << log_n, r, p, 1 << 26, made.hash,
                       sizeof(made.hash)) != 1)
    {
        exit(1);
    }

    return made;
}


static void
test_form(void)
{
    char    text[AIGW_PASSWORD_MAX + 2];
    size_t  i, wrong;

    memset(text, 'x', sizeof(text));
    wrong = 0;

    for (i = 0; i <= AIGW_PASSWORD_MAX + 1; i++) {
        wrong += (aigw_password_check((aigw_str_t) { i, text }) == AIGW_OK)
                 != (i >= 8 && i <= 1024);
    }

    is_int((int64_t) wrong, 0, "8 to 1,024 bytes");
    is_int(aigw_password_check(str("密码密")), AIGW_OK, "UTF-8");
    is_int(aigw_password_check(str("with blanks \" and '")), AIGW_OK,
           "blanks and quotes");
    is_int(aigw_password_check((aigw_str_t) { 9, "12345678\0" }),
           AIGW_EINVAL, "no NUL at the end");
    is_int(aigw_password_check((aigw_str_t) { 9, "1234\0" "5678" }),
           AIGW_EINVAL, "... nor inside");
}


static void
test_hash(void)
{
    aigw_str_t       text = aigw_str("correct horse battery");
    aigw_password_t  one, two;

    ok(aigw_password_hash(text, &one) == AIGW_OK
       && aigw_password_hash(text, &two) == AIGW_OK, "two hashes of one");
    ok(one.scheme == AIGW_PASSWORD_SCRYPT && one.log_n == 17 && one.r == 8
       && one.p == 1, "K15 scrypt N=2^17 r=8 p=1, and it says so");
    ok(memcmp(one.salt, two.salt, sizeof(one.salt)) != 0
       && memcmp(one.hash, two.hash, sizeof(one.hash)) != 0,
       "K15 16 bytes of salt of its own");
    is_int(aigw_password_verify(text, &one), AIGW_OK, "it is verified");
    is_int(aigw_password_verify(str("correct horse batterY"), &one),
           AIGW_EACCESS, "another is not");
    ok(!aigw_password_is_old(&one), "it need not be hashed again");
    is_int(aigw_password_hash(str("seven77"), &two), AIGW_EINVAL,
           "what is too short is not hashed");
    ok(two.hash[0] != 0 || two.hash[1] != 0, "... and nothing is set");
}


/* Every byte counts, up to the last (bcrypt stops at 72). */
static void
test_long(void)
{
    char             text[AIGW_PASSWORD_MAX];
    size_t           i, wrong;
    aigw_str_t       s = { sizeof(text), text };
    aigw_password_t  kept;

    memset(text, 'p', sizeof(text));
    kept = cheap(s, 10, 1, 1);
    wrong = 0;

    is_int(aigw_password_verify(s, &kept), AIGW_OK, "1,024 bytes");

    for (i = 60; i < sizeof(text); i += 59) {
        text[i] ^= 1;
        wrong += aigw_password_verify(s, &kept) != AIGW_EACCESS;
        text[i] ^= 1;
    }

    s.len = 72;
    wrong += aigw_password_verify(s, &kept) != AIGW_EACCESS;
    is_int((int64_t) wrong, 0, "K15 every byte of them counts");
}


static double
cpu_s(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);

    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


/* A million bytes cost what no bytes cost: nothing. */
static void
test_too_long(void)
{
    char             *text;
    double            start;
    aigw_str_t        s = { 1000000, NULL };
    aigw_password_t   kept = cheap(str("12345678"), 10, 1, 1);

    text = malloc(s.len);
    memset(text, 'p', s.len);
    s.data = text;
    start = cpu_s();

    ok(aigw_password_verify(s, &kept) == AIGW_EACCESS
       && aigw_password_verify(s, NULL) == AIGW_EACCESS
       && aigw_password_verify(str("short"), &kept) == AIGW_EACCESS
       && aigw_password_verify(str(""), NULL) == AIGW_EACCESS,
       "what can be no password is refused");
    ok(cpu_s() - start < 0.01, "K15 1,000,000 bytes: before anything is"
       " computed");
    free(text);
}


static void
test_costs(void)
{
    size_t           i, bad;
    aigw_str_t       text = aigw_str("12345678");
    aigw_password_t  kept;

    static const uint8_t  costs[][3] = {
        { 10, 1, 1 }, { 11, 2, 1 }, { 10, 1, 4 }, { 12, 8, 2 }
    };
    static const uint8_t  wrong[][3] = {
        { 0, 8, 1 }, { 9, 8, 1 }, { 19, 1, 1 }, { 63, 8, 1 }, { 255, 8, 1 },
        { 17, 0, 1 }, { 17, 8, 0 }, { 18, 16, 1 }, { 10, 255, 1 },
        { 10, 1, 255 }
    };

    for (i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
        kept = cheap(text, costs[i][0], costs[i][1], costs[i][2]);
        ok(aigw_password_verify(text, &kept) == AIGW_OK
           && aigw_password_verify(str("87654321"), &kept) == AIGW_EACCESS
           && aigw_password_is_old(&kept), "K15 an old cost is verified, and"
           " to be hashed again (%zu)", i);
    }

    bad = 0;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        kept.log_n = wrong[i][0];
        kept.r = wrong[i][1];
        kept.p = wrong[i][2];
        bad += aigw_password_verify(text, &kept) != AIGW_ECORRUPT;
    }

    is_int((int64_t) bad, 0, "a cost that nobody has set is corrupt");
    kept.scheme = AIGW_PASSWORD_SCHEMES;
    is_int(aigw_password_verify(text, &kept), AIGW_ECORRUPT,
           "so is an unknown scheme");
}


static int
compare(const void *a, const void *b)
{
    const double  *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}


/* Nobody there, nobody with a password, and a wrong password. */
static void
test_cost_of_none(void)
{
    double           start, s[3][3];
    size_t           i, j;
    aigw_str_t       text = aigw_str("12345678");
    aigw_password_t  none = { 0 }, real;

    const aigw_password_t  *which[] = { NULL, &none, &real };

    if (aigw_password_hash(str("87654321"), &real) != AIGW_OK) {
        ok(0, "a password");
        return;
    }

    for (i = 0; i < 3; i++) {
        for (j = 0; j < 3; j++) {
            start = cpu_s();
            ok(aigw_password_verify(text, which[j]) == AIGW_EACCESS,
               "refused");
            s[j][i] = cpu_s() - start;
        }
    }

    for (j = 0; j < 3; j++) {
        qsort(s[j], 3, sizeof(s[j][0]), compare);
    }

    printf("# %.0f, %.0f and %.0f ms\n", s[0][1] * 1e3, s[1][1] * 1e3,
           s[2][1] * 1e3);
    ok(s[0][1] > s[2][1] * 0.6 && s[0][1] < s[2][1] * 1.7
       && s[1][1] > s[2][1] * 0.6 && s[1][1] < s[2][1] * 1.7,
       "M16 one that is not there costs what a wrong one costs");
}


static void
test_no_random(void)
{
    aigw_password_t  made = { 0 };

    no_random = 1;
    is_int(aigw_password_hash(str("12345678"), &made), AIGW_ECRYPTO,
           "K12 no random bytes, no hash");
    ok(made.scheme == AIGW_PASSWORD_NONE, "... and nothing is set");
    no_random = 0;
}


int
main(void)
{
    test_form();
    test_hash();
    test_long();
    test_too_long();
    test_costs();
    test_cost_of_none();
    test_no_random();

    return done();
}
