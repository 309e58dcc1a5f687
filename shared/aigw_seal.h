/*
 * Upstream keys at rest: AES-256-GCM under the store's master key, bound to
 * the record they belong to (a sealed key moved to another record does not
 * open). Threats K09, K10, M02.
 */

#ifndef AIGW_SEAL_H
#define AIGW_SEAL_H

#include "aigw.h"


#define AIGW_SEAL_MASTER_LEN  32
#define AIGW_SEAL_OVERHEAD    28      /* nonce 12, tag 16 */
#define AIGW_SEALED_MAX       (AIGW_SECRET_MAX + AIGW_SEAL_OVERHEAD)
#define AIGW_SEAL_BOUND_MAX   128


typedef struct {
    uint8_t  bytes[AIGW_SEAL_MASTER_LEN];
} aigw_seal_master_t;


/* Makes a new master key in a new file of mode 0600 (hex and a newline),
   synced. AIGW_EEXIST if path is there. */
aigw_err_t aigw_seal_create(const char *path) AIGW_CHECKED;

/* Reads it. AIGW_EACCESS if others than its owner can read it or it is not a
   regular file, AIGW_EINVAL if it is not a key (one byte repeated is none),
   AIGW_ENOTFOUND, AIGW_EIO. */
aigw_err_t aigw_seal_load(const char *path, aigw_seal_master_t *master)
    AIGW_CHECKED;

/* Seals text for record `id`; *sealed_len is text.len + AIGW_SEAL_OVERHEAD. */
aigw_err_t aigw_seal(const aigw_seal_master_t *master, uint64_t id,
    aigw_str_t text, uint8_t sealed[AIGW_SEALED_MAX], size_t *sealed_len)
    AIGW_CHECKED;

/* Opens it; text is not terminated by NUL. AIGW_ECRYPTO if anything about it
   was changed. The caller cleanses text. */
aigw_err_t aigw_unseal(const aigw_seal_master_t *master, uint64_t id,
    const uint8_t *sealed, size_t sealed_len, char text[AIGW_SECRET_MAX],
    size_t *text_len) AIGW_CHECKED;

/* The same for what `bound` names, of at most AIGW_SEAL_BOUND_MAX bytes: it
   opens for these very bytes, and never for a record's id. */
aigw_err_t aigw_seal_bound(const aigw_seal_master_t *master, aigw_str_t bound,
    aigw_str_t text, uint8_t sealed[AIGW_SEALED_MAX], size_t *sealed_len)
    AIGW_CHECKED;
aigw_err_t aigw_seal_open_bound(const aigw_seal_master_t *master,
    aigw_str_t bound, const uint8_t *sealed, size_t sealed_len,
    char text[AIGW_SECRET_MAX], size_t *text_len) AIGW_CHECKED;

/* A secret of its own for what label names, out of the master key (HKDF,
   RFC 5869, SHA-256). AIGW_EINVAL: the master is one byte repeated, or there is
   no label. The caller cleanses out. */
aigw_err_t aigw_seal_derive(const aigw_seal_master_t *master, aigw_str_t label,
    uint8_t out[AIGW_SEAL_MASTER_LEN]) AIGW_CHECKED;

/* Overwrites memory in a way that the compiler keeps. */
void aigw_cleanse(void *data, size_t len);

#endif /* AIGW_SEAL_H */
