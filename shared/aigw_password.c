/*
 * Passwords by OpenSSL's scrypt. Knows no store and no user; the text of a
 * password is its caller's and stays with it.
 */

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "aigw_password.h"


/* The cost of a new one: RFC 7914; N, r and p as OWASP has them. */
#define LOG_N      17
#define R           8
#define P           1

/* What may stand at rest: at least OpenSSL's own tests, at most 256 MiB. */
#define LOG_N_MIN  10
#define LOG_N_MAX  18
#define R_MAX      16
#define P_MAX       4
#define MEMORY_MAX (UINT64_C(300) << 20)


aigw_err_t
aigw_password_check(aigw_str_t text)
{
    return text.len >= AIGW_PASSWORD_MIN && text.len <= AIGW_PASSWORD_MAX
           && memchr(text.data, '\0', text.len) == NULL ? AIGW_OK
                                                        : AIGW_EINVAL;
}


static int
is_cost(const aigw_password_t *password)
{
    return password->scheme == AIGW_PASSWORD_SCRYPT
           && password->log_n >= LOG_N_MIN && password->log_n <= LOG_N_MAX
           && password->r >= 1 && password->r <= R_MAX
           && password->p >= 1 && password->p <= P_MAX
           && (UINT64_C(128) << password->log_n) * password->r < MEMORY_MAX;
}


/* At the cost and with the salt of password. */
static aigw_err_t
derive(aigw_str_t text, const aigw_password_t *password,
    uint8_t hash[AIGW_PASSWORD_HASH])
{
    int  good;

    good = EVP_PBE_scrypt(text.data, text.len, password->salt,
                          AIGW_PASSWORD_SALT, UINT64_C(1) << password->log_n,
                          password->r, password->p, MEMORY_MAX, hash,
                          AIGW_PASSWORD_HASH);

    /* all else that it can fail of has been checked */
    if (!good) {
        ERR_clear_error();
    }

    return good ? AIGW_OK : AIGW_ENOMEM;
}


static aigw_password_t
new_cost(void)
{
    return (aigw_password_t) {
        .scheme = AIGW_PASSWORD_SCRYPT, .log_n = LOG_N, .r = R, .p = P
    };
}


aigw_err_t
aigw_password_hash(aigw_str_t text, aigw_password_t *password)
{
    aigw_err_t       err;
    aigw_password_t  made = new_cost();

    if (aigw_password_check(text) != AIGW_OK) {
        return AIGW_EINVAL;
    }

    if (RAND_bytes(made.salt, sizeof(made.salt)) != 1) {
        return AIGW_ECRYPTO;
    }

    err = derive(text, &made, made.hash);

    if (err == AIGW_OK) {
        *password = made;
    }

    OPENSSL_cleanse(&made, sizeof(made));

    return err;
}


aigw_err_t
aigw_password_verify(aigw_str_t text, const aigw_password_t *password)
{
    int              there, same;
    uint8_t          hash[AIGW_PASSWORD_HASH];
    aigw_err_t       err;
    aigw_password_t  none = new_cost();

    there = password != NULL && password->scheme != AIGW_PASSWORD_NONE;

    if (there && !is_cost(password)) {
        return AIGW_ECORRUPT;
    }

    if (aigw_password_check(text) != AIGW_OK) {
        return AIGW_EACCESS;
    }

    /* the same work for one that is not there */
    err = derive(text, there ? password : &none, hash);

    if (err == AIGW_OK) {
        same = CRYPTO_memcmp(hash, there ? password->hash : none.hash,
                             sizeof(hash)) == 0;
        err = same && there ? AIGW_OK : AIGW_EACCESS;
    }

    OPENSSL_cleanse(hash, sizeof(hash));

    return err;
}


int
aigw_password_is_old(const aigw_password_t *password)
{
    return password->scheme != AIGW_PASSWORD_SCRYPT
           || password->log_n != LOG_N || password->r != R
           || password->p != P;
}
