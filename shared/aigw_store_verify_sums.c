/*
 * Verifying: sums and roll-ups beside what rows and closings add up to, table
 * and tally in the same order. An hour's roll-ups leave the memory when it is
 * over.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_store_verify_internal.h"


#define SUMS_KEY  11                  /* partition 2, kind 1, id 8 */


/* Costs first: of several fields that differ one is told. */
static const char *
differs(const aigw_sums_t *is, const aigw_sums_t *must, int64_t *expected,
    int64_t *found)
{
    size_t  i;

    const struct {
        const char  *name;
        int64_t      is;
        int64_t      must;
    } fields[] = {
        { "cost", is->cost_nano, must->cost_nano },
        { "calls", is->calls, must->calls },
        { "ok_calls", is->ok_calls, must->ok_calls },
        { "refused_calls", is->refused_calls, must->refused_calls },
        { "inexact_calls", is->inexact_calls, must->inexact_calls },
        { "prompt_tokens", is->prompt_tokens, must->prompt_tokens },
        { "completion_tokens", is->completion_tokens,
          must->completion_tokens },
        { "last_ms", is->last_ms, must->last_ms }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].is != fields[i].must) {
            *expected = fields[i].must;
            *found = fields[i].is;
            return fields[i].name;
        }
    }

    return NULL;
}


void
aigw_store_verify_name(aigw_finding_t *finding, const uint8_t *key, size_t len)
{
    size_t  model;

    if (finding->kind == AIGW_FINDING_SUMS && len == SUMS_KEY) {
        finding->account = key[2];
        finding->account_id = aigw_db_int(key + 3, 8);

    } else if (finding->kind != AIGW_FINDING_SUMS
               && len >= AIGW_STORE_ROLLUP_FIXED)
    {
        finding->hour_ms = (int64_t) aigw_db_int(key, 4) * AIGW_STORE_HOUR_MS;
        finding->account = AIGW_ACCOUNT_KEY;
        finding->account_id = aigw_db_int(key + 12, 8);
        model = len - AIGW_STORE_ROLLUP_FIXED;
        memcpy(finding->model, key + AIGW_STORE_ROLLUP_FIXED,
               model < AIGW_MODEL_MAX ? model : AIGW_MODEL_MAX);
    }
}


/* value NULL: the table has none. must NULL: there are no rows for it. */
static void
compare_sums(aigw_store_verify_t *v, aigw_finding_kind_t kind,
    const uint8_t *key, size_t len, const aigw_db_value_t *value,
    const aigw_sums_t *must)
{
    aigw_sums_t     is = { 0 };
    aigw_finding_t  finding = { .kind = kind };

    static const aigw_sums_t  none;

    if (value != NULL
        && aigw_record_unpack_sums(value->data, value->len, &is) != AIGW_OK)
    {
        finding.field = "record";

    } else {
        finding.field = differs(&is, must ? must : &none, &finding.expected,
                                &finding.found);
    }

    if (finding.field != NULL) {
        finding.money = strcmp(finding.field, "cost") == 0;
        aigw_store_verify_name(&finding, key, len);
        aigw_store_verify_report(v, &finding);
    }
}


/* What was tallied before that key (NULL: all), and what the table has there:
   both in order, side by side. Frees the list. Returns how many it had. */
static uint64_t
merge(aigw_store_verify_t *v, aigw_finding_kind_t kind,
    aigw_store_tally_t *tally, aigw_db_cursor_t *cur, int *more,
    const aigw_db_key_t *before)
{
    int                     order;
    size_t                  i = 0, n = 0;
    uint64_t                all;
    aigw_db_value_t         key;
    aigw_store_tallied_t   *one, **list = NULL;

    aigw_db_fail(&v->txn, aigw_store_tally_take(tally, before, &list, &n));
    all = n;

    while (v->txn.err == AIGW_OK) {
        key = cur->key;
        order = -1;

        if (*more && (before == NULL
                      || aigw_store_tally_compare(key.data, key.len,
                                                  before->bytes, before->len)
                         < 0))
        {
            order = i == n ? 1
                    : aigw_store_tally_compare(list[i]->key, list[i]->len,
                                               key.data, key.len);
        } else if (i == n) {
            break;
        }

        one = order <= 0 ? list[i++] : NULL;
        compare_sums(v, kind, one ? one->key : key.data,
                     one ? one->len : key.len,
                     order >= 0 ? &cur->value : NULL,
                     one ? &one->sums : NULL);

        if (order >= 0) {
            *more = aigw_db_next(cur);
        }
    }

    while (n > 0) {
        free(list[--n]);
    }

    free(list);

    return all;
}


/* Roll-ups before that hour; -1: all. What was pruned comes hour by hour, for
   the memory's sake. */
static void
merge_hours(aigw_store_verify_t *v, int64_t hour)
{
    int64_t        until;
    aigw_db_key_t  before;

    do {
        until = aigw_store_verify_close_hour(v, hour);
        aigw_db_key(&before);
        aigw_db_key_int(&before, (uint64_t) (until ? until : hour), 4);
        v->stats.rollups += merge(v, AIGW_FINDING_ROLLUP, &v->cells,
                                  &v->rollup, &v->more,
                                  until != 0 || hour >= 0 ? &before : NULL);
    } while (until != 0);
}


void
aigw_store_verify_hours(aigw_store_verify_t *v, int64_t ms)
{
    int64_t  hour;

    hour = (ms - v->skew) / AIGW_STORE_HOUR_MS;

    if (hour > v->hour) {
        v->hour = hour;
        merge_hours(v, hour);
    }
}


void
aigw_store_verify_account(aigw_store_verify_t *v, unsigned partition,
    aigw_account_kind_t kind, uint64_t id, const aigw_sums_t *sums)
{
    aigw_db_key_t  at;

    if (id == 0) {
        return;
    }

    aigw_db_key(&at);
    aigw_db_key_int(&at, partition, 2);
    aigw_db_key_int(&at, kind, 1);
    aigw_db_key_int(&at, id, 8);
    aigw_db_fail(&v->txn, aigw_store_tally_add(&v->accounts, &at, sums));
}


void
aigw_store_verify_add(aigw_store_verify_t *v, const aigw_row_view_t *row)
{
    aigw_db_key_t  at;

    aigw_store_verify_account(v, row->partition, AIGW_ACCOUNT_USER,
                              row->user_id, &row->sums);
    aigw_store_verify_account(v, row->partition, AIGW_ACCOUNT_PROJECT,
                              row->project_id, &row->sums);
    aigw_store_verify_account(v, row->partition, AIGW_ACCOUNT_KEY,
                              row->key_id, &row->sums);
    aigw_store_key_rollup(&at, row);
    aigw_db_fail(&v->txn, aigw_store_tally_add(&v->cells, &at, &row->sums));
}


void
aigw_store_verify_sums(aigw_store_verify_t *v)
{
    int               more;
    aigw_db_key_t     first;
    aigw_db_cursor_t  cur;

    merge_hours(v, -1);
    aigw_db_key(&first);
    aigw_db_cursor(&cur, &v->txn, AIGW_USAGE_SUMS);
    more = aigw_db_seek(&cur, &first);
    v->stats.accounts = merge(v, AIGW_FINDING_SUMS, &v->accounts, &cur, &more,
                              NULL);
    aigw_db_cursor_close(&cur);
}
