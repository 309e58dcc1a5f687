/*
 * Verifying what prune leaves: closings, which count as the rows that they
 * stand for, and the runs of numbers that are no row's any more.
 */

#include "aigw_store_verify_internal.h"


void
aigw_store_verify_closings(aigw_store_verify_t *v)
{
    aigw_db_key_t  first;

    v->pruned_ms = (int64_t) (aigw_store_get_meta(&v->txn, AIGW_META_PRUNED)
                              & INT64_MAX);
    aigw_db_key(&first);
    aigw_db_cursor(&v->closing, &v->txn, AIGW_USAGE_CLOSINGS);
    v->more_closings = aigw_db_seek(&v->closing, &first);
}


static void
report_closing(aigw_store_verify_t *v, const char *field)
{
    aigw_finding_t  finding = { .kind = AIGW_FINDING_CLOSING,
                                .field = field };

    aigw_store_verify_name(&finding, v->closing.key.data, v->closing.key.len);
    aigw_store_verify_report(v, &finding);
}


static void
tally_closing(aigw_store_verify_t *v, int64_t hour)
{
    size_t          len = v->closing.key.len;
    aigw_sums_t     sums;
    const uint8_t  *key = v->closing.key.data;
    aigw_db_key_t   at;

    if (len < AIGW_STORE_ROLLUP_FIXED
        || len > AIGW_STORE_ROLLUP_FIXED + AIGW_MODEL_MAX
        || aigw_record_unpack_sums(v->closing.value.data,
                                   v->closing.value.len, &sums) != AIGW_OK)
    {
        report_closing(v, "record");
        return;
    }

    if (hour * AIGW_STORE_HOUR_MS >= v->pruned_ms) {
        report_closing(v, "hour");
    }

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, key, len);
    aigw_db_fail(&v->txn, aigw_store_tally_add(&v->cells, &at, &sums));
    aigw_store_verify_account(v, 0, AIGW_ACCOUNT_PROJECT,
                              aigw_db_int(key + 4, 8), &sums);
    aigw_store_verify_account(v, 0, AIGW_ACCOUNT_KEY,
                              aigw_db_int(key + 12, 8), &sums);
    aigw_store_verify_account(v, 0, AIGW_ACCOUNT_USER,
                              aigw_db_int(key + 20, 8), &sums);
}


static int64_t
hour_of(const aigw_db_cursor_t *cur)
{
    return cur->key.len < 4 ? 0 : (int64_t) aigw_db_int(cur->key.data, 4);
}


int64_t
aigw_store_verify_close_hour(aigw_store_verify_t *v, int64_t hour)
{
    int64_t  first;

    if (!v->more_closings
        || (hour >= 0 && hour_of(&v->closing) >= hour))
    {
        return 0;
    }

    first = hour_of(&v->closing);

    while (v->more_closings && hour_of(&v->closing) == first) {
        tally_closing(v, first);
        v->more_closings = aigw_db_next(&v->closing);
    }

    return first + 1;
}


void
aigw_store_verify_runs(aigw_store_verify_t *v, uint64_t last_seq)
{
    int               more;
    uint64_t          first, last, before;
    aigw_db_key_t     at;
    aigw_finding_t    finding = { .kind = AIGW_FINDING_PRUNED };
    aigw_db_cursor_t  cur;

    before = 0;
    aigw_db_key(&at);
    aigw_db_cursor(&cur, &v->txn, AIGW_USAGE_PRUNED);

    for (more = aigw_db_seek(&cur, &at); more; more = aigw_db_next(&cur)) {
        first = 0;
        last = 0;

        if (cur.key.len == 8 && cur.value.len == 8) {
            first = aigw_db_int(cur.key.data, 8);
            last = aigw_db_int(cur.value.data, 8);
        }

        if (first <= before || last < first || last > last_seq) {
            finding.seq = first;
            aigw_store_verify_report(v, &finding);
            continue;
        }

        v->stats.pruned += last - first + 1;
        before = last;
    }

    aigw_db_cursor_close(&cur);
}


uint64_t
aigw_store_verify_run_of(aigw_store_verify_t *v, uint64_t seq)
{
    uint64_t          last = 0;
    aigw_db_key_t     at;
    aigw_db_cursor_t  cur;

    aigw_store_key_int(&at, seq + 1);
    aigw_db_cursor(&cur, &v->txn, AIGW_USAGE_PRUNED);

    if (aigw_db_seek_before(&cur, &at) && cur.value.len == 8) {
        last = aigw_db_int(cur.value.data, 8);
    }

    aigw_db_cursor_close(&cur);

    return last >= seq ? last : 0;
}
