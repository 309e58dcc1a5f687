/*
 * Reading the audit log: lists, and whether its chain holds. Each transaction
 * looks at a bounded number of records; they never change, so that what comes
 * meanwhile does no harm.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "aigw_store_audit_internal.h"


#define LOOKS  4096                   /* records of one transaction */


static int
is_text(aigw_str_t want, const char *text)
{
    return want.len == strlen(text) && memcmp(want.data, text, want.len) == 0;
}


/* By name, or by an id in digits, which no name is. */
static int
is_named(aigw_str_t want, const char *name, uint64_t id)
{
    char  digits[24];

    (void) snprintf(digits, sizeof(digits), "%" PRIu64, id);

    return want.len == 0 || is_text(want, name) || is_text(want, digits);
}


static int
is_wanted(const aigw_audit_filter_t *filter, const aigw_audit_t *a)
{
    const char  *actor;

    actor = a->actor.name[0] != '\0' ? a->actor.name
            : aigw_record_actor_name(a->actor.kind);

    return a->time_ms >= filter->since_ms
           && (filter->until_ms == 0 || a->time_ms < filter->until_ms)
           && (filter->object.len == 0 || is_text(filter->object, a->object))
           && is_named(filter->name, a->name, a->object_id)
           && is_named(filter->actor, actor, a->actor.id);
}


/* Those below *before, which moves on; *more: there may be others. */
static aigw_err_t
list_some(aigw_store_t *store, const aigw_audit_filter_t *filter,
    uint64_t *before, aigw_audit_t *records, size_t max, size_t *n, int *more)
{
    int               found;
    unsigned          looks;
    aigw_db_key_t     at;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_AUDIT);
    aigw_store_key_int(&at, *before);
    found = aigw_db_seek_before(&cur, &at);

    for (looks = 0; found && *n < max && looks < LOOKS; looks++) {
        aigw_db_fail(&txn, cur.key.len != 8 ? AIGW_ECORRUPT
                           : aigw_record_unpack_audit(cur.value.data,
                                                      cur.value.len,
                                                      &records[*n]));

        if (txn.err != AIGW_OK) {
            break;
        }

        *before = aigw_db_int(cur.key.data, 8);
        *n += is_wanted(filter, &records[*n]) ? 1 : 0;
        found = aigw_db_previous(&cur);
    }

    *more = found && *n < max;
    aigw_db_cursor_close(&cur);

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_list_audit(aigw_store_t *store, const aigw_audit_filter_t *filter,
    uint64_t before, aigw_audit_t *records, size_t max, size_t *n)
{
    int         more = 1;
    size_t      found = 0;
    aigw_err_t  err = AIGW_OK;

    before = before != 0 ? before : UINT64_MAX;

    while (more && err == AIGW_OK) {
        err = list_some(store, filter, &before, records, max, &found, &more);
    }

    if (err == AIGW_OK) {
        *n = found;
    }

    return err;
}


/* The record under the cursor is to follow what was checked so far. */
static aigw_audit_fault_t
check_record(const aigw_db_cursor_t *cur, aigw_audit_check_t *check,
    aigw_err_t *err)
{
    uint8_t        hash[AIGW_AUDIT_HASH_LEN];
    aigw_audit_t   audit;
    aigw_db_key_t  at;

    aigw_store_key_int(&at, check->records + 1);

    if (cur->key.len != at.len || !aigw_db_in(cur, &at)) {
        return AIGW_AUDIT_MISSING;
    }

    *err = aigw_record_unpack_audit(cur->value.data, cur->value.len, &audit);

    if (*err == AIGW_OK) {
        *err = aigw_store_audit_hash(check->hash, cur->value.data,
                                     cur->value.len, hash);
    }

    if (*err == AIGW_ECORRUPT || *err == AIGW_EVERSION) {
        *err = AIGW_OK;
        return AIGW_AUDIT_UNREADABLE;
    }

    if (audit.seq != check->records + 1
        || CRYPTO_memcmp(hash, audit.hash, sizeof(hash)) != 0)
    {
        return AIGW_AUDIT_CHANGED;
    }

    memcpy(check->hash, hash, sizeof(hash));
    check->records++;

    return AIGW_AUDIT_SOUND;
}


/* Is the last one that was checked the last that was written? */
static void
check_end(aigw_db_txn_t *txn, aigw_audit_check_t *check)
{
    int       corrupt;
    uint8_t   hash[AIGW_AUDIT_HASH_LEN];
    uint64_t  seq;

    seq = aigw_store_audit_head(txn, hash);
    corrupt = txn->err == AIGW_ECORRUPT;

    if (corrupt || (seq == check->records
                    && CRYPTO_memcmp(hash, check->hash, sizeof(hash)) != 0))
    {
        txn->err = corrupt ? AIGW_OK : txn->err;
        check->fault = AIGW_AUDIT_OTHER_END;
        check->seq = check->records > 0 ? check->records : 1;

    } else if (seq > check->records) {
        check->fault = AIGW_AUDIT_CUT;
        check->seq = check->records + 1;

    } else if (seq < check->records) {
        check->fault = AIGW_AUDIT_UNKNOWN;
        check->seq = seq + 1;
    }
}


/* Those of one transaction. *more: there are others. */
static aigw_err_t
check_some(aigw_store_t *store, aigw_audit_check_t *check, int *more)
{
    unsigned          looks;
    aigw_err_t        err = AIGW_OK;
    aigw_db_key_t     at;
    aigw_db_txn_t     txn;
    aigw_db_cursor_t  cur;

    aigw_db_read(store->control, &txn);
    aigw_db_cursor(&cur, &txn, AIGW_CONTROL_AUDIT);
    aigw_store_key_int(&at, check->records + 1);

    /* from the very first entry on: none may stand before the chain */
    if (check->records == 0) {
        aigw_db_key(&at);
    }

    *more = aigw_db_seek(&cur, &at);

    for (looks = 0; *more && looks < LOOKS; looks++) {
        check->fault = check_record(&cur, check, &err);

        if (err != AIGW_OK || check->fault != AIGW_AUDIT_SOUND) {
            check->seq = check->records + 1;
            break;
        }

        *more = aigw_db_next(&cur);
    }

    aigw_db_cursor_close(&cur);
    aigw_db_fail(&txn, err);

    if (!*more && txn.err == AIGW_OK) {
        check_end(&txn, check);
    }

    return aigw_db_end(&txn);
}


aigw_err_t
aigw_store_verify_audit(aigw_store_t *store, aigw_audit_check_t *check)
{
    int         more = 1;
    aigw_err_t  err = AIGW_OK;

    memset(check, 0, sizeof(*check));

    while (more && err == AIGW_OK && check->fault == AIGW_AUDIT_SOUND) {
        err = check_some(store, check, &more);
    }

    return err;
}


const char *
aigw_store_audit_fault_name(aigw_audit_fault_t fault)
{
    static const char *const  names[AIGW_AUDIT_FAULTS] = {
        [AIGW_AUDIT_SOUND] = "sound",
        [AIGW_AUDIT_MISSING] = "missing",
        [AIGW_AUDIT_UNREADABLE] = "unreadable",
        [AIGW_AUDIT_CHANGED] = "changed",
        [AIGW_AUDIT_CUT] = "cut",
        [AIGW_AUDIT_UNKNOWN] = "unknown",
        [AIGW_AUDIT_OTHER_END] = "other_end"
    };

    return fault < AIGW_AUDIT_FAULTS ? names[fault] : "unknown";
}
