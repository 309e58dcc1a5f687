/*
 * Keys that one project has at one upstream (sub-keys), and the accounts under
 * which they are made there. Nothing is sent from here: who makes one there
 * plans it in the store before, so that whatever is killed, each key that may
 * be there stands in the store. Threats K09, K13, M19.
 */

#ifndef AIGW_STORE_SUBKEY_H
#define AIGW_STORE_SUBKEY_H

#include "aigw.h"
#include "aigw_record.h"
#include "aigw_store.h"


#define AIGW_QUOTA_PER_UNIT     500000   /* New API's, unless set */
#define AIGW_SUBKEY_PREFIX_LEN  14       /* "aigw-", 8 of the store's id, "-" */


/* --- the request's path --- */

/* The active one of the two. AIGW_ENOTFOUND: there is none. AIGW_ECORRUPT: what
   stands there is another's. */
aigw_err_t aigw_store_find_subkey(aigw_store_t *store, uint64_t project_id,
    uint64_t upstream_id, aigw_subkey_t *subkey) AIGW_CHECKED;

/* Opens it for these two, whatever it says of itself: AIGW_ECRYPTO if it was
   sealed for others, or changed. The caller cleanses text. */
aigw_err_t aigw_store_open_subkey(const aigw_seal_master_t *master,
    uint64_t project_id, uint64_t upstream_id, const aigw_subkey_t *subkey,
    char text[AIGW_SECRET_MAX], size_t *text_len) AIGW_CHECKED;


/* --- accounts --- */

/* AIGW_ENOTFOUND: it makes no sub-keys. */
aigw_err_t aigw_store_find_driver(aigw_store_t *store, uint64_t upstream_id,
    aigw_driver_t *driver) AIGW_CHECKED;

/*
 * Sets how sub-keys are made at driver->upstream_id, of that name; kind none
 * ends it. Seals token; an empty one keeps the old one if the user is the same.
 * AIGW_EEXIST: there are sub-keys, and kind or user would be another.
 * AIGW_ENOTFOUND: no such upstream; AIGW_EINVAL: a bad value.
 */
aigw_err_t aigw_store_set_driver(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_str_t upstream,
    aigw_driver_t *driver, aigw_str_t token) AIGW_CHECKED;


/* --- sub-keys: writing --- */

/*
 * Plans one: project_id, upstream_id, quota_nano, expires_ms and models are the
 * caller's; name, state and times are set. AIGW_ENOTFOUND: no such project, or
 * an upstream that makes none; AIGW_EINVAL: a bad value.
 */
aigw_err_t aigw_store_plan_subkey(aigw_store_t *store, aigw_subkey_t *subkey)
    AIGW_CHECKED;

/*
 * The planned one of that name is there, as remote_id, and secret is its key:
 * from now on its project's calls go up under it. Sets subkey to what is
 * stored. The one of that name in `replaces` (empty: none), if it is active, is
 * retiring from then on. AIGW_ENOTFOUND: no such plan, or no project any more;
 * AIGW_EEXIST: another is active.
 */
aigw_err_t aigw_store_activate_subkey(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_subkey_t *subkey, aigw_str_t secret,
    aigw_str_t replaces) AIGW_CHECKED;

/* It is used no more, and its secret is gone from the store: state is retiring
   or forgotten. Sets subkey, by its name, to what is stored. */
aigw_err_t aigw_store_retire_subkey(aigw_store_t *store, unsigned state,
    aigw_subkey_t *subkey) AIGW_CHECKED;

/* It is not there any more, and stands in the store no more. AIGW_EINVAL: it is
   active. */
aigw_err_t aigw_store_drop_subkey(aigw_store_t *store, aigw_str_t name)
    AIGW_CHECKED;


/* --- sub-keys: reading --- */

aigw_err_t aigw_store_get_subkey(aigw_store_t *store, aigw_str_t name,
    aigw_subkey_t *subkey) AIGW_CHECKED;

/* By name, those after `after` (empty: all). */
aigw_err_t aigw_store_list_subkeys(aigw_store_t *store, aigw_str_t after,
    aigw_subkey_t *subkeys, size_t max, size_t *n) AIGW_CHECKED;

/* What the names of all that this store plans begin with. */
void aigw_store_subkey_prefix(const aigw_store_t *store,
    char prefix[AIGW_SUBKEY_PREFIX_LEN + 1]);

#endif /* AIGW_STORE_SUBKEY_H */
