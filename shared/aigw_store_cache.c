/*
 * What the request's path has read of control, kept as long as nobody commits
 * there: LMDB's number of the last commit says so without a lock. What is not
 * there is not kept, so that a stranger's keys push nothing out.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_internal.h"


#define CACHE_SETS  64
#define CACHE_WAYS  4


struct aigw_store_cache_s {
    unsigned             turn;        /* which of a full set goes next */
    aigw_store_cached_t  sets[CACHE_SETS][CACHE_WAYS];
};


static aigw_store_cached_t *
find_set(aigw_store_cache_t *cache, aigw_store_cached_kind_t kind,
    aigw_str_t key)
{
    return cache->sets[aigw_crc32c(kind, key.data, key.len) % CACHE_SETS];
}


aigw_store_cached_t *
aigw_store_cache_find(aigw_store_t *store, aigw_store_cached_kind_t kind,
    aigw_str_t key, int64_t now_ms)
{
    unsigned              i;
    uint64_t              version;
    aigw_store_cached_t  *set, *entry;

    if (store->cache == NULL || key.len > sizeof(entry->key)) {
        return NULL;
    }

    version = aigw_db_version(store->control);
    set = find_set(store->cache, kind, key);

    for (i = 0; i < CACHE_WAYS; i++) {
        entry = &set[i];

        if (entry->version == version && version != 0
            && entry->kind == kind && entry->len == key.len
            && memcmp(entry->key, key.data, key.len) == 0)
        {
            return now_ms >= entry->from_ms && now_ms < entry->until_ms
                   ? entry : NULL;
        }
    }

    return NULL;
}


/* Where key stands, if stale, else the first that is stale, for it is the first
   to be looked at, else whose turn it is. */
static aigw_store_cached_t *
choose(aigw_store_cache_t *cache, aigw_store_cached_t *set,
    aigw_store_cached_kind_t kind, aigw_str_t key, uint64_t version)
{
    unsigned              i;
    aigw_store_cached_t  *chosen = NULL;

    for (i = 0; i < CACHE_WAYS; i++) {
        if (set[i].kind == kind && set[i].len == key.len
            && memcmp(set[i].key, key.data, key.len) == 0)
        {
            return &set[i];
        }

        if (chosen == NULL && set[i].version != version) {
            chosen = &set[i];
        }
    }

    return chosen != NULL ? chosen : &set[cache->turn++ % CACHE_WAYS];
}


aigw_store_cached_t *
aigw_store_cache_put(aigw_store_t *store, aigw_store_cached_kind_t kind,
    aigw_str_t key, uint64_t version)
{
    aigw_store_cached_t  *entry;

    if (version == 0 || key.len > sizeof(entry->key)) {
        return NULL;
    }

    if (store->cache == NULL) {
        store->cache = calloc(1, sizeof(*store->cache));
    }

    if (store->cache == NULL) {
        return NULL;
    }

    entry = choose(store->cache, find_set(store->cache, kind, key), kind, key,
                   version);

    entry->version = version;
    entry->from_ms = INT64_MIN;
    entry->until_ms = INT64_MAX;
    entry->kind = kind;
    entry->len = key.len;
    memcpy(entry->key, key.data, key.len);

    return entry;
}
