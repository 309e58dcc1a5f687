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

#endif /* AIGW_STORE_AUDIT_H */
