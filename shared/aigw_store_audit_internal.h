/*
 * What each function that changes control calls, within its transaction and
 * with what it has checked; t/layout.t looks for it. For aigw_store*.c only.
 */

#ifndef AIGW_STORE_AUDIT_INTERNAL_H
#define AIGW_STORE_AUDIT_INTERNAL_H

#include "aigw_store_audit.h"
#include "aigw_store_line.h"


typedef struct {
    const char          *action;      /* "create", "set", "delete" ... */
    const char          *object;      /* "project" */
    uint64_t             id;          /* 0: it has none */
    const char          *name;        /* NULL: it has none */
    const aigw_field_t  *fields;      /* of before and after; those that are
                                         AIGW_FIELD_HEX or _SEALED are not
                                         shown */
    const void          *before;      /* NULL: it was not there */
    const void          *after;       /* NULL: it is no more */
    const char          *secret;      /* NULL, or of which secret it is said
                                         that it is another: "secret" */
} aigw_store_changed_t;

/*
 * Appends a record: of before and after the fields that differ, all of them if
 * one is NULL. None if nothing differs and secret is NULL. What fails stands in
 * txn->err, so that a change without its record is none; does nothing if that
 * is set already.
 */
void aigw_store_audit_changed(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_store_changed_t *changed);

/* The same for what has a line in an export: object, id, name and fields are
   found there. */
void aigw_store_audit(aigw_store_t *store, aigw_db_txn_t *txn,
    const char *action, aigw_line_type_t type, const void *before,
    const void *after);

/* The same, and a secret of it has changed. */
void aigw_store_audit_secret(aigw_store_t *store, aigw_db_txn_t *txn,
    const char *action, aigw_line_type_t type, const void *before,
    const void *after);

/* The last record's seq, and its hash; 0 and zeros: there is none. */
uint64_t aigw_store_audit_head(aigw_db_txn_t *txn,
    uint8_t hash[AIGW_AUDIT_HASH_LEN]);

/* The hash of a packed record behind one of hash `before`. AIGW_ECRYPTO. */
aigw_err_t aigw_store_audit_hash(const uint8_t before[AIGW_AUDIT_HASH_LEN],
    const uint8_t *packed, size_t len, uint8_t hash[AIGW_AUDIT_HASH_LEN])
    AIGW_CHECKED;

#endif /* AIGW_STORE_AUDIT_INTERNAL_H */
