/*
 * Client keys: making, checking and hashing them. Knows no store; the text
 * of a key leaves this file only to its caller.
 */

#include <stdatomic.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "aigw_crc.h"
#include "aigw_key.h"


#define PREFIX         "aigw_"
#define PREFIX_LEN     5
#define RANDOM_BYTES   32
#define RANDOM_DIGITS  43           /* 62^43 is just above 2^256 */
#define SUM_DIGITS     6            /* 62^6 is above 2^32 */
#define SUMMED_LEN     (PREFIX_LEN + RANDOM_DIGITS)


static const char  digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";


static int
is_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z');
}


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
write_sum(const char *text, char sum[SUM_DIGITS])
{
    size_t    i;
    uint32_t  crc = aigw_crc32c(0, text, SUMMED_LEN);

    for (i = SUM_DIGITS; i > 0; i--) {
        sum[i - 1] = digits[crc % 62];
        crc /= 62;
    }
}


aigw_err_t
aigw_key_generate(char key[AIGW_KEY_LEN + 1])
{
    uint8_t  random[RANDOM_BYTES];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return AIGW_ECRYPTO;
    }

    memcpy(key, PREFIX, PREFIX_LEN);
    write_base62(random, sizeof(random), key + PREFIX_LEN, RANDOM_DIGITS);
    write_sum(key, key + SUMMED_LEN);
    key[AIGW_KEY_LEN] = '\0';

    OPENSSL_cleanse(random, sizeof(random));

    return AIGW_OK;
}


aigw_err_t
aigw_key_check(aigw_str_t text)
{
    char    sum[SUM_DIGITS];
    size_t  i;

    if (text.len != AIGW_KEY_LEN
        || memcmp(text.data, PREFIX, PREFIX_LEN) != 0)
    {
        return AIGW_EINVAL;
    }

    for (i = PREFIX_LEN; i < SUMMED_LEN; i++) {
        if (!is_digit(text.data[i])) {
            return AIGW_EINVAL;
        }
    }

    write_sum(text.data, sum);

    if (CRYPTO_memcmp(sum, text.data + SUMMED_LEN, SUM_DIGITS) != 0) {
        return AIGW_EINVAL;
    }

    return AIGW_OK;
}


/* Looked up once a process: a look-up costs as much as the hash, and takes
   locks. */
static const EVP_MD *
sha256(void)
{
    EVP_MD  *md, *none;

    static _Atomic(EVP_MD *)  fetched;

    md = atomic_load(&fetched);

    if (md != NULL) {
        return md;
    }

    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    none = NULL;

    if (md != NULL && !atomic_compare_exchange_strong(&fetched, &none, md)) {
        EVP_MD_free(md);
        md = none;
    }

    return md;
}


/* One a thread: to make one costs as much as the hash, too. */
static EVP_MD_CTX *
context(void)
{
    static _Thread_local EVP_MD_CTX  *ctx;

    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
    }

    return ctx;
}


aigw_err_t
aigw_key_hash(aigw_str_t text, uint8_t hash[AIGW_KEY_HASH_LEN])
{
    uint8_t        digest[AIGW_KEY_HASH_LEN];
    EVP_MD_CTX    *ctx = context();
    const EVP_MD  *md = sha256();

    if (md == NULL || ctx == NULL
        || EVP_DigestInit_ex2(ctx, md, NULL) != 1
        || EVP_DigestUpdate(ctx, text.data, text.len) != 1
        || EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
    {
        return AIGW_ECRYPTO;
    }

    memcpy(hash, digest, sizeof(digest));

    return AIGW_OK;
}
