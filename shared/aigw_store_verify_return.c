/*
 * Verifying: what came back must be known by its name, and a refund be of its
 * row and no more than that. A row that is gone is not asked.
 */

#include <string.h>

#include "aigw_store_verify_internal.h"


/* The row that a refund is of. 0: it is gone, or cannot be read. */
static int
find_of(aigw_store_verify_t *v, const aigw_row_view_t *row,
    aigw_row_view_t *of)
{
    aigw_db_key_t    at;
    aigw_db_value_t  named, value;

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, row->ref.data, row->ref.len);

    if (row->settled != AIGW_SETTLED_REFUND
        || !aigw_db_get(&v->txn, AIGW_USAGE_ROW_IDS, &at, &named))
    {
        return 0;
    }

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, named.data, named.len < AIGW_STORE_ROW_KEY
                                       ? named.len : AIGW_STORE_ROW_KEY);

    return aigw_db_get(&v->txn, AIGW_USAGE_ROWS, &at, &value)
           && aigw_record_view_row(value.data, value.len, of) == AIGW_OK;
}


void
aigw_store_verify_return(aigw_store_verify_t *v, const aigw_row_view_t *row,
    uint64_t seq)
{
    int64_t          cost;
    uint8_t          id[AIGW_ROW_ID_LEN];
    aigw_db_key_t    at;
    aigw_finding_t   finding = { .kind = AIGW_FINDING_ROW_COST, .seq = seq,
                                 .has_id = 1, .money = 1, .field = "cost" };
    aigw_row_view_t  of;

    if (aigw_row_is_call(row)) {
        return;
    }

    aigw_store_key_return(&at, row->settled, row->project_id, row->ref);

    if (!aigw_store_get_return(&v->txn, &at, id, &cost)
        || memcmp(id, row->id, AIGW_ROW_ID_LEN) != 0
        || cost != row->sums.cost_nano)
    {
        aigw_store_verify_row(v, AIGW_FINDING_INDEX_MISSING, row->id, seq);
    }

    if (find_of(v, row, &of)
        && (-row->sums.cost_nano > of.sums.cost_nano
            || row->user_id != of.user_id || row->key_id != of.key_id
            || row->project_id != of.project_id))
    {
        memcpy(finding.id, row->id, AIGW_ROW_ID_LEN);
        finding.expected = -of.sums.cost_nano;
        finding.found = row->sums.cost_nano;
        aigw_store_verify_report(v, &finding);
    }
}
