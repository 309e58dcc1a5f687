/*
 * Sums by key in memory: open addressing, at most half full. Grows with the
 * number of keys, not with what is added.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_store_verify_internal.h"


#define FIRST  64


int
aigw_store_tally_compare(const uint8_t *a, size_t alen, const uint8_t *b,
    size_t blen)
{
    int  order;

    order = memcmp(a, b, alen < blen ? alen : blen);

    return order != 0 ? order : (alen > blen) - (alen < blen);
}


static size_t
hash_of(const uint8_t *key, size_t len)
{
    size_t    i;
    uint64_t  hash = UINT64_C(0xcbf29ce484222325);

    for (i = 0; i < len; i++) {
        hash = (hash ^ key[i]) * UINT64_C(0x100000001b3);
    }

    return (size_t) (hash ^ hash >> 32);
}


/* Where key is, or would be. */
static aigw_store_tallied_t **
find(const aigw_store_tally_t *tally, const uint8_t *key, size_t len)
{
    size_t                  at;
    aigw_store_tallied_t  **slot;

    for (at = hash_of(key, len); /* void */ ; at++) {
        slot = &tally->slots[at & (tally->size - 1)];

        if (*slot == NULL
            || ((*slot)->len == len && memcmp((*slot)->key, key, len) == 0))
        {
            return slot;
        }
    }
}


/* Those of another table, which then has none. */
static aigw_err_t
resize(aigw_store_tally_t *tally, size_t size)
{
    size_t                  i, old = tally->size;
    aigw_store_tallied_t  **slots = tally->slots;

    tally->slots = calloc(size, sizeof(tally->slots[0]));

    if (tally->slots == NULL) {
        tally->slots = slots;
        return AIGW_ENOMEM;
    }

    tally->size = size;

    for (i = 0; i < old; i++) {
        if (slots[i] != NULL) {
            *find(tally, slots[i]->key, slots[i]->len) = slots[i];
        }
    }

    free(slots);

    return AIGW_OK;
}


aigw_err_t
aigw_store_tally_add(aigw_store_tally_t *tally, const aigw_db_key_t *key,
    const aigw_sums_t *sums)
{
    aigw_err_t              err;
    aigw_store_tallied_t  **slot;

    if (2 * tally->n >= tally->size) {
        err = resize(tally, tally->size ? 2 * tally->size : FIRST);

        if (err != AIGW_OK) {
            return err;
        }
    }

    slot = find(tally, key->bytes, key->len);

    if (*slot == NULL) {
        *slot = calloc(1, sizeof(**slot) + key->len);

        if (*slot == NULL) {
            return AIGW_ENOMEM;
        }

        (*slot)->len = key->len;
        memcpy((*slot)->key, key->bytes, key->len);
        tally->n++;
    }

    (void) aigw_record_add_saturated(&(*slot)->sums, sums);

    return AIGW_OK;
}


static int
compare(const void *a, const void *b)
{
    const aigw_store_tallied_t *const  *x = a, *const *y = b;

    return aigw_store_tally_compare((*x)->key, (*x)->len, (*y)->key,
                                    (*y)->len);
}


aigw_err_t
aigw_store_tally_take(aigw_store_tally_t *tally, const aigw_db_key_t *before,
    aigw_store_tallied_t ***list, size_t *n)
{
    size_t                  i, taken = 0;
    aigw_err_t              err;
    aigw_store_tallied_t   *one, **found;

    found = malloc((tally->n + 1) * sizeof(found[0]));

    if (found == NULL) {
        return AIGW_ENOMEM;
    }

    for (i = 0; i < tally->size; i++) {
        one = tally->slots[i];

        if (one != NULL
            && (before == NULL
                || aigw_store_tally_compare(one->key, one->len, before->bytes,
                                            before->len) < 0))
        {
            found[taken++] = one;
            tally->slots[i] = NULL;
        }
    }

    tally->n -= taken;
    qsort(found, taken, sizeof(found[0]), compare);

    /* the others may have stood behind these: each finds its place anew */
    err = taken > 0 ? resize(tally, tally->size) : AIGW_OK;

    if (err != AIGW_OK) {
        while (taken > 0) {
            free(found[--taken]);
        }

        free(found);
        return err;
    }

    *list = found;
    *n = taken;

    return AIGW_OK;
}


void
aigw_store_tally_free(aigw_store_tally_t *tally)
{
    size_t  i;

    for (i = 0; i < tally->size; i++) {
        free(tally->slots[i]);
    }

    free(tally->slots);
    *tally = (aigw_store_tally_t) { 0 };
}
