/*
 * Guessing passwords is made slow, and hashing them does not eat the machine:
 * failed tries fill a bucket of the name from that address, of the address, and
 * of the name, which leak with time. Forgotten at a restart. Threat M15.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "aigw_time.h"
#include "serve.h"


#define SLOTS        4096
#define KDF_RUNNING  2                /* 128 MiB each */
#define KDF_WAITING  8


/* How many failures a bucket takes at once, and how long one needs to leak. */
typedef struct {
    int      failures;
    int64_t  leak_ms;
} kind_t;

static const kind_t  kinds[] = {
    { 5, 10000 },                     /* a name from an address */
    { 20, 3000 },                     /* an address */
    { 50, 1000 }                      /* a name: others may try it, too */
};

#define KINDS  (sizeof(kinds) / sizeof(kinds[0]))

static int64_t          full_ms[KINDS][SLOTS];    /* empty again at */
static pthread_mutex_t  lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t   left = PTHREAD_COND_INITIALIZER;
static unsigned         running, waiting;


/* Who shares a bucket waits with others; nobody can choose whose it is, since
   the secret goes into the hash. */
static int64_t *
find(size_t kind, const char *name, const char *from)
{
    char           text[AIGW_NAME_MAX + SERVE_FROM_MAX + 4];
    uint32_t       slot;
    unsigned       len = EVP_MAX_MD_SIZE;
    unsigned char  mac[EVP_MAX_MD_SIZE] = { 0 };

    snprintf(text, sizeof(text), "%c %.*s %s", (char) ('0' + kind),
             AIGW_NAME_MAX, kind != 1 ? name : "", kind != 2 ? from : "");

    (void) HMAC(EVP_sha256(), serve.secret, sizeof(serve.secret),
                (const unsigned char *) text, strlen(text), mac, &len);
    memcpy(&slot, mac, sizeof(slot));

    return &full_ms[kind][slot % SLOTS];
}


int64_t
serve_throttle_check(const char *name, const char *from)
{
    size_t   i;
    int64_t  now = aigw_time_now_ms(), wait = 0, over;

    pthread_mutex_lock(&lock);

    for (i = 0; i < KINDS; i++) {
        over = *find(i, name, from) - now
               - (kinds[i].failures - 1) * kinds[i].leak_ms;
        wait = over > wait ? over : wait;
    }

    pthread_mutex_unlock(&lock);

    return wait;
}


void
serve_throttle_fail(const char *name, const char *from)
{
    size_t    i;
    int64_t   now = aigw_time_now_ms();
    int64_t  *full;

    pthread_mutex_lock(&lock);

    for (i = 0; i < KINDS; i++) {
        full = find(i, name, from);
        *full = (*full > now ? *full : now) + kinds[i].leak_ms;
    }

    pthread_mutex_unlock(&lock);
}


int
serve_kdf_enter(void)
{
    int  entered = 0;

    pthread_mutex_lock(&lock);

    if (waiting < KDF_WAITING) {
        waiting++;

        while (running == KDF_RUNNING) {
            pthread_cond_wait(&left, &lock);
        }

        waiting--;
        running++;
        entered = 1;
    }

    pthread_mutex_unlock(&lock);

    return entered;
}


void
serve_kdf_leave(void)
{
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&left);
    pthread_mutex_unlock(&lock);
}
