/*
 * The keys that an account of the simulated New API has made, and which keys
 * calls may come with.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/rand.h>

#include "sim.h"


#define ENABLED  1

static sim_token_t  tokens[SIM_TOKENS_MAX];
static size_t       n;


void
sim_token_reset(void)
{
    n = 0;
}


void
sim_token_make_key(char *key, const char *prefix, size_t len)
{
    size_t   i, at = strlen(prefix);
    uint8_t  random[SIM_KEY_LEN];

    static const char  letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    if (RAND_bytes(random, sizeof(random)) != 1) {
        sim_die("RAND_bytes");
    }

    memcpy(key, prefix, at);

    for (i = 0; i < len; i++) {
        key[at + i] = letters[random[i] % 62];
    }

    key[at + len] = '\0';
}


sim_token_t *
sim_token_add(void)
{
    sim_token_t  *t;

    if (n == SIM_TOKENS_MAX) {
        return NULL;
    }

    t = &tokens[n];
    memset(t, 0, sizeof(*t));
    t->id = (int64_t) ++n + 100;
    t->expires = -1;

    return t;
}


sim_token_t *
sim_token_find(int64_t id)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (id != 0 && tokens[i].id == id && !tokens[i].seed) {
            return &tokens[i];
        }
    }

    return NULL;
}


static int
is_token(aigw_str_t key)
{
    size_t              i;
    const sim_token_t  *t;

    for (i = 0; i < n; i++) {
        t = &tokens[i];

        if (t->id != 0 && sim_str_is(key, t->key)
            && (t->unlimited || t->quota > 0)
            && (t->expires == -1 || t->expires > time(NULL)))
        {
            return 1;
        }
    }

    return 0;
}


/* "Bearer " and "sk-" may be missing, as new-api has it. */
int
sim_key_is_right(aigw_str_t sent)
{
    if (sim.key == NULL && sim.newapi == SIM_NEWAPI_NONE) {
        return 1;
    }

    if (sent.len >= 7 && strncasecmp(sent.data, "bearer ", 7) == 0) {
        sent.data += 7;
        sent.len -= 7;
    }

    if (sent.len >= 3 && memcmp(sent.data, "sk-", 3) == 0) {
        sent.data += 3;
        sent.len -= 3;
    }

    return (sim.key != NULL && sim_str_is(sent, sim.key)) || is_token(sent);
}


/* plain: for a test, which may know all. */
void
sim_token_print_one(sim_buf_t *body, const sim_token_t *t, int plain)
{
    if (plain || sim.newapi == SIM_NEWAPI_OLD) {
        sim_printf(body, "{\"id\":%" PRId64 ",\"key\":\"%s\"", t->id,
                   t->key);

    } else {
        sim_printf(body, "{\"id\":%" PRId64 ",\"key\":\"%.4s**********%s\"",
                   t->id, t->key, t->key + strlen(t->key) - 4);
    }

    sim_printf(body, ",\"name\":\"%s\",\"status\":%d,\"group\":\"%s\","
               "\"remain_quota\":%" PRId64 ",\"unlimited_quota\":%s,"
               "\"expired_time\":%" PRId64 ",\"model_limits_enabled\":%s,"
               "\"model_limits\":\"%s\",\"seed\":%s}", t->name, ENABLED,
               t->group, t->quota, t->unlimited ? "true" : "false",
               t->expires, t->limits[0] ? "true" : "false", t->limits,
               t->seed ? "true" : "false");
}


/* Newest first, those from the first on; how many there are. */
size_t
sim_token_print(sim_buf_t *body, size_t first, size_t max, int all)
{
    size_t  i, seen = 0, printed = 0;

    for (i = n; i-- > 0; /* void */) {
        if (tokens[i].id == 0 || (tokens[i].seed && !all)) {
            continue;
        }

        if (seen++ >= first && printed < max) {
            sim_printf(body, "%s", printed++ > 0 ? "," : "");
            sim_token_print_one(body, &tokens[i], all);
        }
    }

    return seen;
}
