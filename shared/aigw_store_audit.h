/*
 * The audit log: every change of control, in the transaction that makes it.
 * Who, from where, what, what it was before and is now, never a secret. Records
 * are numbered without a gap and each has a hash over the one before: whoever
 * changes one has to make all that follow anew, and what control knows of the
 * last one. Nothing here takes one away.
 */

#ifndef AIGW_STORE_AUDIT_H
#define AIGW_STORE_AUDIT_H

#include "aigw_store.h"


/* Copies: from now on changes of control by store are by actor, until another
   one is set. NULL, or never called: AIGW_ACTOR_SYSTEM. Only between calls. */
void aigw_store_act_as(aigw_store_t *store, const aigw_actor_t *actor);

/*
 * Records what was done elsewhere, in usage or by a copy of the store: seq,
 * time_ms, actor and hash are set here, of before and after each is empty or a
 * JSON object. Needs AIGW_STORE_CONTROL_WRITE. AIGW_EINVAL: no action or no
 * object.
 */
aigw_err_t aigw_store_audit_note(aigw_store_t *store, aigw_audit_t *audit)
    AIGW_CHECKED;


/* Which records; what is empty or 0 leaves out none. */
typedef struct {
    int64_t      since_ms;            /* time_ms >= since_ms */
    int64_t      until_ms;            /* time_ms < until_ms */
    aigw_str_t   actor;               /* its name, or its id in digits */
    aigw_str_t   object;              /* "project" */
    aigw_str_t   name;                /* the object's then, or its id */
} aigw_audit_filter_t;

/* Newest first, those with a seq below `before` (0: from the newest); *n of at
   most max. AIGW_ECORRUPT: one of them cannot be read. */
aigw_err_t aigw_store_list_audit(aigw_store_t *store,
    const aigw_audit_filter_t *filter, uint64_t before,
    aigw_audit_t *records, size_t max, size_t *n) AIGW_CHECKED;


/* What is wrong with the first record that is. */
typedef enum {
    AIGW_AUDIT_SOUND = 0,             /* nothing is */
    AIGW_AUDIT_MISSING,               /* there is none of this seq */
    AIGW_AUDIT_UNREADABLE,
    AIGW_AUDIT_CHANGED,               /* it, or its hash */
    AIGW_AUDIT_CUT,                   /* it was the last one, says control */
    AIGW_AUDIT_UNKNOWN,               /* control does not know of it */
    AIGW_AUDIT_OTHER_END,             /* the last, by another hash */
    AIGW_AUDIT_FAULTS
} aigw_audit_fault_t;

typedef struct {
    uint64_t            records;      /* that are sound, from the first on */
    uint64_t            seq;          /* the first that is not; 0: none */
    aigw_audit_fault_t  fault;
    uint8_t             hash[AIGW_AUDIT_HASH_LEN];   /* of the last sound one:
                                         who keeps it can prove it later */
} aigw_audit_check_t;

/* Walks the chain to its first fault or its end, in constant memory and in
   short transactions. What is wrong is no error. */
aigw_err_t aigw_store_verify_audit(aigw_store_t *store,
    aigw_audit_check_t *check) AIGW_CHECKED;

/* "changed". */
const char *aigw_store_audit_fault_name(aigw_audit_fault_t fault);

#endif /* AIGW_STORE_AUDIT_H */
