/*
 * Are the running counters what the ledger says? The second half of what
 * aigw_store_verify.h begins; the names of its findings are there.
 */

#ifndef AIGW_LEDGER_VERIFY_H
#define AIGW_LEDGER_VERIFY_H

#include "aigw.h"
#include "aigw_live.h"
#include "aigw_store.h"
#include "aigw_store_verify.h"


/*
 * Spent = sums of the store and what the journals have beyond it; held = calls
 * in flight; no journal behind its watermark. Only reads. Others go on working
 * meanwhile, so it looks several times, for at most a second or so, and tells
 * only a difference that stays. Memory: for the accounts.
 */
aigw_err_t aigw_ledger_verify(aigw_store_t *store, aigw_live_t *live,
    const aigw_verify_watch_t *watch) AIGW_CHECKED;

#endif /* AIGW_LEDGER_VERIFY_H */
