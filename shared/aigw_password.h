/*
 * Passwords of people: scrypt with a random salt, its cost beside the hash.
 * Each hash takes 128 MiB and about 0.4 s: never in an event loop, and the
 * caller limits how many run at once. Threats K12, K15, M15, M16.
 */

#ifndef AIGW_PASSWORD_H
#define AIGW_PASSWORD_H

#include "aigw.h"


#define AIGW_PASSWORD_MIN       8     /* bytes */
#define AIGW_PASSWORD_MAX    1024     /* a longer one costs nothing: refused */
#define AIGW_PASSWORD_SALT     16
#define AIGW_PASSWORD_HASH     32


/* How a hash was made. At rest: append only. */
typedef enum {
    AIGW_PASSWORD_NONE = 0,           /* there is no password */
    AIGW_PASSWORD_SCRYPT,
    AIGW_PASSWORD_SCHEMES
} aigw_password_scheme_t;

/* What is kept of a password. */
typedef struct {
    uint8_t  scheme;                  /* aigw_password_scheme_t */
    uint8_t  log_n;                   /* N is 2 to it */
    uint8_t  r;
    uint8_t  p;
    uint8_t  salt[AIGW_PASSWORD_SALT];
    uint8_t  hash[AIGW_PASSWORD_HASH];
} aigw_password_t;


/* What can be a password: AIGW_PASSWORD_MIN to _MAX bytes, any but NUL; as a
   rule UTF-8. AIGW_EINVAL. */
aigw_err_t aigw_password_check(aigw_str_t text) AIGW_CHECKED;

/* Hashes a new one. AIGW_EINVAL: it cannot be one; AIGW_ECRYPTO: no random
   bytes; AIGW_ENOMEM. */
aigw_err_t aigw_password_hash(aigw_str_t text, aigw_password_t *password)
    AIGW_CHECKED;

/*
 * AIGW_OK: text is that password. AIGW_EACCESS: it is not, or there is none
 * (NULL, or of AIGW_PASSWORD_NONE), at the cost of one that there is. What
 * cannot be a password is AIGW_EACCESS at no cost, whoever is asked for.
 * AIGW_ECORRUPT: a cost that no hash of ours has.
 */
aigw_err_t aigw_password_verify(aigw_str_t text,
    const aigw_password_t *password) AIGW_CHECKED;

/* 1: it was made at another cost than is made now: hash it again, now that its
   text is at hand. */
int aigw_password_is_old(const aigw_password_t *password);

#endif /* AIGW_PASSWORD_H */
