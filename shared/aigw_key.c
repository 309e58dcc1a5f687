/*
 * Client keys: making, checking and hashing them. Knows no store; the text
 * of a key leaves this file only to its caller.
 */

/* For SHA256_Init, which OpenSSL 3 wants replaced by EVP: that allocates for
   each digest, and takes three times as long for a key's. */
#define OPENSSL_API_COMPAT  10101

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "aigw_crc.h"
#include "aigw_key.h"


#define RANDOM_BYTES   32
#define RANDOM_DIGITS  43           /* 62^43 is just above 2^256 */
#define SUM_DIGITS     6            /* 62^6 is above 2^32 */
#define SUM_HALF       (62 * 62 * 62)


/* What they begin with. */
static const aigw_str_t  key_prefix = aigw_str("aigw_");
static const aigw_str_t  ticket_prefix = aigw_str("aigwt_");


static const char  digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";


/* By byte: to branch on each of a random text is to guess wrong often. */
static const uint8_t  is_digit[256] = {
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1
};


/* Writes number (big-endian, destroyed) as ndigits base62 digits: one long
   division by 62 for each. */
static void
write_base62(uint8_t *number, size_t len, char *text, size_t ndigits)
{
    size_t    i;
    unsigned  rest;

    while (ndigits--) {
        rest = 0;

        for (i = 0; i < len; i++) {
            rest = rest << 8 | number[i];
            number[i] = (uint8_t) (rest / 62);
            rest %= 62;
        }

        text[ndigits] = digits[rest];
    }
}


static void
write_sum(const char *text, size_t len, char sum[SUM_DIGITS])
{
    size_t    i;
    uint32_t  high, low, crc = aigw_crc32c(0, text, len);

    /* two halves side by side: a division waits for the one before it */

    high = crc / SUM_HALF;
    low = crc % SUM_HALF;

    for (i = SUM_DIGITS / 2; i > 0; i--) {
        sum[i - 1] = digits[high % 62];
        sum[SUM_DIGITS / 2 + i - 1] = digits[low % 62];
        high /= 62;
        low /= 62;
    }
}


static aigw_err_t
generate(aigw_str_t prefix, char *text)
{
    char     *end = text + prefix.len + RANDOM_DIGITS;
    uint8_t   random[RANDOM_BYTES];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return AIGW_ECRYPTO;
    }

    memcpy(text, prefix.data, prefix.len);
    write_base62(random, sizeof(random), text + prefix.len, RANDOM_DIGITS);
    write_sum(text, (size_t) (end - text), end);
    end[SUM_DIGITS] = '\0';

    OPENSSL_cleanse(random, sizeof(random));

    return AIGW_OK;
}


static aigw_err_t
check(aigw_str_t prefix, aigw_str_t text)
{
    char      sum[SUM_DIGITS];
    size_t    i, summed;
    unsigned  good = 1;

    summed = prefix.len + RANDOM_DIGITS;

    if (text.len != summed + SUM_DIGITS
        || memcmp(text.data, prefix.data, prefix.len) != 0)
    {
        return AIGW_EINVAL;
    }

    for (i = prefix.len; i < summed; i++) {
        good &= is_digit[(uint8_t) text.data[i]];
    }

    write_sum(text.data, summed, sum);

    if (!good || CRYPTO_memcmp(sum, text.data + summed, SUM_DIGITS) != 0) {
        return AIGW_EINVAL;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_key_generate(char key[AIGW_KEY_LEN + 1])
{
    return generate(key_prefix, key);
}


aigw_err_t
aigw_key_check(aigw_str_t text)
{
    return check(key_prefix, text);
}


aigw_err_t
aigw_key_generate_ticket(char ticket[AIGW_TICKET_LEN + 1])
{
    return generate(ticket_prefix, ticket);
}


aigw_err_t
aigw_key_check_ticket(aigw_str_t text)
{
    return check(ticket_prefix, text);
}


aigw_err_t
aigw_key_hash(aigw_str_t text, uint8_t hash[AIGW_KEY_HASH_LEN])
{
    SHA256_CTX  ctx;

    /* of the text it leaves nothing behind: the last block is wiped */

    if (SHA256_Init(&ctx) != 1
        || SHA256_Update(&ctx, text.data, text.len) != 1
        || SHA256_Final(hash, &ctx) != 1)
    {
        return AIGW_ECRYPTO;
    }

    return AIGW_OK;
}
