/*
 * The names of all models that can be called, from two tables at once. Reads
 * control only.
 */

#include <string.h>

#include "aigw_store_internal.h"


/* The next model's name in either table; done says that there is none. */
typedef struct {
    aigw_db_cursor_t  cur;
    unsigned          priced;         /* its keys go on behind a NUL */
    int               done;
    aigw_str_t        name;           /* in the map */
} names_t;


/* Moves to the first name behind name: keys of one name begin with it and a
   NUL (prices) or end there (models), and no name has a byte below '!'. */
static void
names_after(names_t *names, aigw_str_t name)
{
    size_t         len;
    const char    *data;
    aigw_db_key_t  at;

    aigw_store_key_text(&at, name);

    if (name.len > 0) {
        aigw_db_key_int(&at, 1, 1);
    }

    names->done = !aigw_db_seek(&names->cur, &at);

    if (names->done) {
        return;
    }

    data = (const char *) names->cur.key.data;
    len = names->cur.key.len;

    if (names->priced) {
        len = aigw_store_text(data, len).len;
    }

    names->name = (aigw_str_t) { len, data };

    if (names->priced && len == 1 && data[0] == '*') {
        names_after(names, names->name);
    }
}


/* As memcmp, a shorter one first. */
static int
compare_names(aigw_str_t a, aigw_str_t b)
{
    int  order;

    order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}


/* Moves on if it stands on name. */
static void
names_past(names_t *names, aigw_str_t name)
{
    if (!names->done && compare_names(names->name, name) == 0) {
        names_after(names, name);
    }
}


static names_t *
lower(names_t *models, names_t *prices)
{
    if (models->done || prices->done) {
        return models->done ? prices : models;
    }

    return compare_names(models->name, prices->name) <= 0 ? models : prices;
}


aigw_err_t
aigw_store_list_model_names(aigw_store_t *store, aigw_str_t after,
    char (*list)[AIGW_MODEL_MAX + 1], size_t max, size_t *n)
{
    size_t         count;
    names_t        models, prices;
    names_t       *next;
    aigw_str_t     name;
    aigw_err_t     err;
    aigw_db_txn_t  txn;

    if (after.len > AIGW_MODEL_MAX) {
        return AIGW_EINVAL;
    }

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&models.cur, &txn, AIGW_CONTROL_MODELS);
    aigw_db_cursor(&prices.cur, &txn, AIGW_CONTROL_PRICES);
    models.priced = 0;
    prices.priced = 1;
    names_after(&models, after);
    names_after(&prices, after);

    for (count = 0; count < max; count++) {
        next = lower(&models, &prices);

        if (next->done) {
            break;
        }

        name = next->name;

        if (name.len > AIGW_MODEL_MAX) {
            aigw_db_fail(&txn, AIGW_ECORRUPT);
            break;
        }

        memcpy(list[count], name.data, name.len);
        list[count][name.len] = '\0';

        /* both may stand on it */
        name.data = list[count];
        names_past(&prices, name);
        names_past(&models, name);
    }

    aigw_db_cursor_close(&models.cur);
    aigw_db_cursor_close(&prices.cur);
    err = aigw_db_end(&txn);

    if (err == AIGW_OK) {
        *n = count;
    }

    return err;
}
