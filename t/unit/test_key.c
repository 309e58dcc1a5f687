/* Client keys: form, checksum, flatness (threats A03, A08, K16). */

#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_key.h"
#include "tap.h"


#define KEYS  20000

static char  keys[KEYS][AIGW_KEY_LEN + 1];

static const char  digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";


static int
check(const char *data, size_t len)
{
    aigw_str_t  text = { len, data };

    return aigw_key_check(text);
}


static int
compare(const void *a, const void *b)
{
    return strcmp(a, b);
}


static void
test_generate(void)
{
    size_t      i, bad, twice;
    aigw_err_t  err;

    bad = 0;
    twice = 0;

    for (i = 0; i < KEYS; i++) {
        err = aigw_key_generate(keys[i]);

        bad += err != AIGW_OK || strlen(keys[i]) != AIGW_KEY_LEN
               || strncmp(keys[i], "aigw_", 5) != 0
               || strspn(keys[i] + 5, digits) != AIGW_KEY_LEN - 5
               || check(keys[i], AIGW_KEY_LEN) != AIGW_OK;
    }

    is_int((int64_t) bad, 0, "K16 each new key has the form and checks");

    qsort(keys, KEYS, sizeof(keys[0]), compare);

    for (i = 1; i < KEYS; i++) {
        twice += strcmp(keys[i - 1], keys[i]) == 0;
    }

    is_int((int64_t) twice, 0, "K16 no key comes twice");
}


/* A ticket is one of another prefix: neither is taken for the other. */
static void
test_ticket(void)
{
    char        text[AIGW_TICKET_LEN + 1], one[AIGW_TICKET_LEN + 1];
    size_t      i, bad;
    aigw_str_t  s = { AIGW_TICKET_LEN, text };

    ok(aigw_key_generate_ticket(text) == AIGW_OK
       && aigw_key_generate_ticket(one) == AIGW_OK
       && strlen(text) == AIGW_TICKET_LEN && strncmp(text, "aigwt_", 6) == 0
       && strspn(text + 6, digits) == 49 && strcmp(text, one) != 0,
       "a ticket, and another");
    is_int(aigw_key_check_ticket(s), AIGW_OK, "it checks");
    is_int(aigw_key_check(s), AIGW_EINVAL, "it is no key");
    is_int(aigw_key_check_ticket((aigw_str_t) { AIGW_KEY_LEN, keys[0] }),
           AIGW_EINVAL, "a key is no ticket");
    bad = 0;

    for (i = 0; i < AIGW_TICKET_LEN; i++) {
        text[i] = text[i] == 'x' ? 'y' : 'x';
        bad += aigw_key_check_ticket(s) != AIGW_EINVAL;
        memcpy(text, one, sizeof(text));
    }

    is_int((int64_t) bad, 0, "another letter anywhere: none");
    s.len--;
    is_int(aigw_key_check_ticket(s), AIGW_EINVAL, "nor is a shorter one");
}


/* The leading digit of 43 is left out: it stops at 60, as 2^256 does. */
static void
test_flat(void)
{
    double        chi, worst, want, diff;
    size_t        i, d, pos;
    unsigned      count[62];
    const size_t  first = 6, last = 47;

    worst = 0;
    want = KEYS / 62.0;

    for (pos = first; pos <= last; pos++) {
        memset(count, 0, sizeof(count));
        chi = 0;

        for (i = 0; i < KEYS; i++) {
            count[strchr(digits, keys[i][pos]) - digits]++;
        }

        for (d = 0; d < 62; d++) {
            diff = count[d] - want;
            chi += diff * diff / want;
        }

        worst = chi > worst ? chi : worst;
    }

    /* 61 degrees of freedom: one in 10^7 positions is above 145 */
    ok(worst < 145, "K16 chi-square of each digit is flat (worst %.1f)",
       worst);
}


/* A sum made here by another way, to pin the digits' order. */
static void
test_sum(void)
{
    char        text[AIGW_KEY_LEN + 1];
    int         i;
    uint32_t    crc;

    memcpy(text, "aigw_", 5);
    memset(text + 5, '0', 43);
    crc = aigw_crc32c(0, text, 48);

    for (i = 5; i >= 0; i--) {
        text[48 + i] = digits[crc % 62];
        crc /= 62;
    }

    text[AIGW_KEY_LEN] = '\0';

    is_int(check(text, AIGW_KEY_LEN), AIGW_OK,
           "the sum is the CRC-32C of 48 characters as 6 digits");
}


static void
test_flips(void)
{
    char    text[AIGW_KEY_LEN];
    size_t  i, d, passed;

    passed = 0;

    for (i = 0; i < AIGW_KEY_LEN; i++) {
        for (d = 0; d < 256; d++) {
            memcpy(text, keys[0], AIGW_KEY_LEN);

            if (text[i] != (char) d) {
                text[i] = (char) d;
                passed += check(text, AIGW_KEY_LEN) == AIGW_OK;
            }
        }
    }

    is_int((int64_t) passed, 0, "A03 any one byte changed: refused");

    passed = 0;

    for (i = 5; i + 1 < AIGW_KEY_LEN; i++) {
        memcpy(text, keys[0], AIGW_KEY_LEN);
        text[i] = keys[0][i + 1];
        text[i + 1] = keys[0][i];
        passed += text[i] != text[i + 1]
                  && check(text, AIGW_KEY_LEN) == AIGW_OK;
    }

    is_int((int64_t) passed, 0, "A03 any two neighbours swapped: refused");
}


static void
test_lengths(void)
{
    char    *big;
    char    *exact;
    size_t   len, passed;

    passed = 0;

    for (len = 0; len < AIGW_KEY_LEN; len++) {
        exact = malloc(len + 1);
        memcpy(exact, keys[0], len);
        exact = realloc(exact, len ? len : 1);
        passed += check(exact, len) == AIGW_OK;
        free(exact);
    }

    is_int((int64_t) passed, 0, "A03 A08 each shorter text: refused");

    big = malloc(65536);
    memset(big, 'a', 65536);
    memcpy(big, keys[0], AIGW_KEY_LEN);

    is_int(check(big, AIGW_KEY_LEN + 1), AIGW_EINVAL, "A08 55 bytes");
    is_int(check(big, 8192), AIGW_EINVAL, "A08 8 KiB");
    is_int(check(big, 65536), AIGW_EINVAL, "A08 64 KiB");

    free(big);
}


static void
test_hash(void)
{
    char        hex[2 * AIGW_KEY_HASH_LEN + 1];
    size_t      i;
    uint8_t     hash[AIGW_KEY_HASH_LEN];
    aigw_str_t  abc = aigw_str("abc");

    is_int(aigw_key_hash(abc, hash), AIGW_OK, "hash works");

    for (i = 0; i < sizeof(hash); i++) {
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }

    is_str(hex, "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad",
           "it is SHA-256 (FIPS 180-2, B.1)");
}


int
main(void)
{
    test_generate();
    test_ticket();
    test_flat();
    test_sum();
    test_flips();
    test_lengths();
    test_hash();

    return done();
}
