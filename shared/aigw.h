/*
 * Types that every file of shared/ uses: errors, strings, limits.
 * Nothing of nginx, no I/O: this header is below everything else.
 */

#ifndef AIGW_H
#define AIGW_H

#include <stddef.h>
#include <stdint.h>


typedef enum {
    AIGW_OK = 0,
    AIGW_AGAIN,          /* not yet: more input, or another try, is needed */
    AIGW_ENOTFOUND,      /* no such thing */
    AIGW_EEXIST,         /* the name or id is taken */
    AIGW_EINVAL,         /* a value is not of the form it must have */
    AIGW_ERANGE,         /* a number is out of range, or money would overflow */
    AIGW_ENOMEM,         /* out of memory */
    AIGW_EIO,            /* the system failed on a file: errno has the cause */
    AIGW_EFULL,          /* no room left: map, table or ring */
    AIGW_ECORRUPT,       /* bytes at rest are not what was written */
    AIGW_EVERSION,       /* written by another version of the schema */
    AIGW_EACCESS,        /* permission denied */
    AIGW_EBUSY,          /* somebody else holds it */
    AIGW_ECRYPTO,        /* no random bytes, or a seal that does not open */
    AIGW_ELAST           /* the last enabled admin must stay one */
} aigw_err_t;


/* Bytes that somebody else owns, not terminated by NUL. */
typedef struct {
    size_t       len;
    const char  *data;
} aigw_str_t;

#define aigw_str(literal)  { sizeof(literal) - 1, literal }

#define AIGW_CHECKED  __attribute__((warn_unused_result))

/* Refuses, fails or recovers: the compiler takes each branch that leads to a
   call of it for one that is not taken, and lays what is there out of the way.
   What a request costs is mostly code that must be fetched. */
#define AIGW_COLD  __attribute__((cold))

/* Bytes without the final NUL. */
#define AIGW_NAME_MAX      64    /* users, projects, keys, upstreams ... */
#define AIGW_MODEL_MAX    128    /* a model's name */
#define AIGW_MODELS_MAX   512    /* a list of model patterns */
#define AIGW_TAG_MAX       64    /* header x-aigw-tag */
#define AIGW_NOTE_MAX      80    /* of a credit */
#define AIGW_URL_MAX      255
#define AIGW_SECRET_MAX   255    /* an upstream's key */
#define AIGW_VALUE_MAX    255    /* a setting's value */

#define AIGW_UNLIMITED    (-1)   /* a quota that does not bind */

#define AIGW_UNIT_NANO    INT64_C(1000000000)



/* To and from. */
static inline uint64_t
aigw_big_endian(uint64_t n)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(n) : n;
}


/* A static English text for err: no capital, no full stop. */
const char *aigw_strerror(aigw_err_t err) AIGW_COLD;

/* The aigw_err_t of a system error; sets errno to it, for the caller's text. */
aigw_err_t aigw_from_errno(int error) AIGW_COLD;

#endif /* AIGW_H */
