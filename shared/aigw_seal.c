/*
 * Upstream keys at rest: AES-256-GCM, nonce and tag around the ciphertext.
 * The master key is in its file and in the caller's hands, never here.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "aigw_seal.h"


#define VERSION   1                   /* AAD: a record's id 8, then this */
#define BOUND     2                   /* AAD: any bytes, then this */
#define NONCE     12
#define TAG       16
#define AAD       9
#define HEX       (2 * AIGW_SEAL_MASTER_LEN)


static aigw_err_t
write_synced(int fd, const char *data, size_t len)
{
    ssize_t  n;

    while (len > 0) {
        n = write(fd, data, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return AIGW_EIO;
        }

        data += n;
        len -= (size_t) n;
    }

    return fsync(fd) == 0 ? AIGW_OK : AIGW_EIO;
}


aigw_err_t
aigw_seal_create(const char *path)
{
    int         fd;
    char        hex[HEX + 1];
    size_t      i;
    aigw_err_t  err;
    uint8_t     random[AIGW_SEAL_MASTER_LEN];

    static const char  digits[] = "0123456789abcdef";

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return AIGW_ECRYPTO;
    }

    for (i = 0; i < sizeof(random); i++) {
        hex[2 * i] = digits[random[i] >> 4];
        hex[2 * i + 1] = digits[random[i] & 15];
    }

    hex[HEX] = '\n';

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
              0600);

    if (fd < 0) {
        err = aigw_from_errno(errno);
        goto err0;
    }

    /* a umask can only have taken bits away from the owner */
    err = fchmod(fd, 0600) == 0 ? write_synced(fd, hex, sizeof(hex))
                                : AIGW_EIO;

    if (err != AIGW_OK) {
        (void) unlink(path);
    }

    (void) close(fd);

err0:

    aigw_cleanse(random, sizeof(random));
    aigw_cleanse(hex, sizeof(hex));

    return err;
}


static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    return -1;
}


/* A key of one byte repeated is no random one: threats M02. */
static int
is_master(const aigw_seal_master_t *master)
{
    size_t   i;
    uint8_t  differ;

    differ = 0;

    for (i = 1; i < AIGW_SEAL_MASTER_LEN; i++) {
        differ |= master->bytes[i] ^ master->bytes[0];
    }

    return differ != 0;
}


static aigw_err_t
parse_master(const char *text, size_t len, aigw_seal_master_t *master)
{
    int     high, low;
    size_t  i;

    if (len == HEX + 1 && text[HEX] == '\n') {
        len--;
    }

    if (len != HEX) {
        return AIGW_EINVAL;
    }

    for (i = 0; i < AIGW_SEAL_MASTER_LEN; i++) {
        high = hex_value(text[2 * i]);
        low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return AIGW_EINVAL;
        }

        master->bytes[i] = (uint8_t) (high << 4 | low);
    }

    return is_master(master) ? AIGW_OK : AIGW_EINVAL;
}


aigw_err_t
aigw_seal_load(const char *path, aigw_seal_master_t *master)
{
    int                 fd;
    char                text[HEX + 2];
    ssize_t             n;
    aigw_err_t          err;
    struct stat         st;
    aigw_seal_master_t  result;

    /* O_NONBLOCK: a FIFO must not hold us */
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return aigw_from_errno(errno);
    }

    if (fstat(fd, &st) != 0) {
        err = AIGW_EIO;
        goto err0;
    }

    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        err = AIGW_EACCESS;
        goto err0;
    }

    do {
        n = read(fd, text, sizeof(text));
    } while (n < 0 && errno == EINTR);

    err = n < 0 ? AIGW_EIO : parse_master(text, (size_t) n, &result);

    if (err == AIGW_OK) {
        *master = result;
    }

    aigw_cleanse(text, sizeof(text));
    aigw_cleanse(&result, sizeof(result));

err0:

    (void) close(fd);

    return err;
}


static aigw_str_t
aad_of_id(uint64_t id, char aad[AAD])
{
    size_t  i;

    for (i = 0; i < 8; i++) {
        aad[i] = (char) (id >> (56 - 8 * i));
    }

    aad[8] = VERSION;

    return (aigw_str_t) { AAD, aad };
}


/* Of another version than that of ids, so that neither is ever the other. */
static aigw_str_t
aad_of_bound(aigw_str_t bound, char aad[AIGW_SEAL_BOUND_MAX + 1])
{
    memcpy(aad, bound.data, bound.len);
    aad[bound.len] = BOUND;

    return (aigw_str_t) { bound.len + 1, aad };
}


static aigw_err_t
seal(const aigw_seal_master_t *master, aigw_str_t aad, aigw_str_t text,
    uint8_t sealed[AIGW_SEALED_MAX], size_t *sealed_len)
{
    int              n, good;
    uint8_t          out[AIGW_SEALED_MAX];
    EVP_CIPHER_CTX  *ctx;

    if (text.len > AIGW_SECRET_MAX) {
        return AIGW_EINVAL;
    }

    if (RAND_bytes(out, NONCE) != 1) {
        return AIGW_ECRYPTO;
    }

    ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL) {
        return AIGW_ENOMEM;
    }

    good = EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, master->bytes,
                              out)
           && EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *) aad.data,
                                (int) aad.len)
           && EVP_EncryptUpdate(ctx, out + NONCE, &n,
                                (const uint8_t *) text.data, (int) text.len)
           && EVP_EncryptFinal_ex(ctx, out + NONCE + text.len, &n)
           && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG,
                                  out + NONCE + text.len);

    EVP_CIPHER_CTX_free(ctx);

    if (!good) {
        aigw_cleanse(out, sizeof(out));
        return AIGW_ECRYPTO;
    }

    *sealed_len = text.len + AIGW_SEAL_OVERHEAD;
    memcpy(sealed, out, *sealed_len);

    return AIGW_OK;
}


static aigw_err_t
unseal(const aigw_seal_master_t *master, aigw_str_t aad,
    const uint8_t *sealed, size_t sealed_len, char text[AIGW_SECRET_MAX],
    size_t *text_len)
{
    int              n, good;
    size_t           len;
    uint8_t          tag[TAG], out[AIGW_SECRET_MAX];
    EVP_CIPHER_CTX  *ctx;

    if (sealed_len < AIGW_SEAL_OVERHEAD || sealed_len > AIGW_SEALED_MAX) {
        return AIGW_ECRYPTO;
    }

    ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL) {
        return AIGW_ENOMEM;
    }

    len = sealed_len - AIGW_SEAL_OVERHEAD;
    memcpy(tag, sealed + NONCE + len, TAG);

    good = EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, master->bytes,
                              sealed)
           && EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *) aad.data,
                                (int) aad.len)
           && EVP_DecryptUpdate(ctx, out, &n, sealed + NONCE, (int) len)
           && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag)
           && EVP_DecryptFinal_ex(ctx, out + len, &n) > 0;

    EVP_CIPHER_CTX_free(ctx);

    if (good) {
        memcpy(text, out, len);
        *text_len = len;
    }

    aigw_cleanse(out, sizeof(out));

    return good ? AIGW_OK : AIGW_ECRYPTO;
}


aigw_err_t
aigw_seal_derive(const aigw_seal_master_t *master, aigw_str_t label,
    uint8_t out[AIGW_SEAL_MASTER_LEN])
{
    int            good;
    size_t         len = AIGW_SEAL_MASTER_LEN;
    uint8_t        made[AIGW_SEAL_MASTER_LEN];
    EVP_PKEY_CTX  *ctx;

    if (!is_master(master) || label.len == 0 || label.len > AIGW_SECRET_MAX) {
        return AIGW_EINVAL;
    }

    ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

    if (ctx == NULL) {
        return AIGW_ENOMEM;
    }

    good = EVP_PKEY_derive_init(ctx) > 0
           && EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) > 0
           && EVP_PKEY_CTX_set1_hkdf_key(ctx, master->bytes,
                                         AIGW_SEAL_MASTER_LEN) > 0
           && EVP_PKEY_CTX_add1_hkdf_info(ctx, (const uint8_t *) label.data,
                                          (int) label.len) > 0
           && EVP_PKEY_derive(ctx, made, &len) > 0
           && len == AIGW_SEAL_MASTER_LEN;

    EVP_PKEY_CTX_free(ctx);

    if (good) {
        memcpy(out, made, sizeof(made));
    }

    aigw_cleanse(made, sizeof(made));

    return good ? AIGW_OK : AIGW_ECRYPTO;
}


aigw_err_t
aigw_seal(const aigw_seal_master_t *master, uint64_t id, aigw_str_t text,
    uint8_t sealed[AIGW_SEALED_MAX], size_t *sealed_len)
{
    char  aad[AAD];

    return seal(master, aad_of_id(id, aad), text, sealed, sealed_len);
}


aigw_err_t
aigw_unseal(const aigw_seal_master_t *master, uint64_t id,
    const uint8_t *sealed, size_t sealed_len, char text[AIGW_SECRET_MAX],
    size_t *text_len)
{
    char  aad[AAD];

    return unseal(master, aad_of_id(id, aad), sealed, sealed_len, text,
                  text_len);
}


aigw_err_t
aigw_seal_bound(const aigw_seal_master_t *master, aigw_str_t bound,
    aigw_str_t text, uint8_t sealed[AIGW_SEALED_MAX], size_t *sealed_len)
{
    char  aad[AIGW_SEAL_BOUND_MAX + 1];

    return bound.len > AIGW_SEAL_BOUND_MAX ? AIGW_EINVAL
           : seal(master, aad_of_bound(bound, aad), text, sealed, sealed_len);
}


aigw_err_t
aigw_seal_open_bound(const aigw_seal_master_t *master, aigw_str_t bound,
    const uint8_t *sealed, size_t sealed_len, char text[AIGW_SECRET_MAX],
    size_t *text_len)
{
    char  aad[AIGW_SEAL_BOUND_MAX + 1];

    return bound.len > AIGW_SEAL_BOUND_MAX ? AIGW_EINVAL
           : unseal(master, aad_of_bound(bound, aad), sealed, sealed_len,
                    text, text_len);
}


void
aigw_cleanse(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}
