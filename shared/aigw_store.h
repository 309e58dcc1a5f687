/*
 * The store: typed operations, each of them one LMDB transaction that ends
 * before the call returns. Nobody above holds a transaction or a pointer into
 * the map: results are copies. Two environments below DIR, control and usage
 * (design, section 1), and the master key's file DIR/key.
 *
 * One handle per process and store, opened after fork. A thread may use the
 * usage functions while another uses the control functions; no more than that.
 */

#ifndef AIGW_STORE_H
#define AIGW_STORE_H

#include <sys/types.h>

#include "aigw.h"
#include "aigw_record.h"


typedef struct aigw_store_s  aigw_store_t;

#define AIGW_STORE_SCHEMA        1
#define AIGW_STORE_ID_LEN        16   /* lower-case hex, no NUL */
#define AIGW_FAULT_LEN           255  /* a sentence that names path and cause */

/* What to open; CONTROL for reading is always open. A call on what was not
   opened is AIGW_EINVAL, or AIGW_EACCESS where it was not for writing. */
#define AIGW_STORE_CONTROL_WRITE 0x01
#define AIGW_STORE_USAGE         0x02
#define AIGW_STORE_USAGE_WRITE   0x06


/* Accounts: whose sums are kept. At rest: append only. */
typedef enum {
    AIGW_ACCOUNT_USER = 1,
    AIGW_ACCOUNT_PROJECT,
    AIGW_ACCOUNT_KEY
} aigw_account_kind_t;


/* --- life --- */

/*
 * Makes a new store in path (a missing or an empty directory): files, master
 * key, user admin, price '*' of 10 per million prompt and completion tokens,
 * and (bootstrap not NULL) a ticket that gives an admin its first password:
 * aigw_store_take_bootstrap.
 * group: whom the workers belong to, (gid_t) -1 for none; modes are the
 * strictest that let it read control and write usage. AIGW_EEXIST if there is
 * a store. fault gets a sentence on error. Nothing is left behind on error.
 */
aigw_err_t aigw_store_init(const char *path, gid_t group,
    char bootstrap[AIGW_TICKET_LEN + 1], char fault[AIGW_FAULT_LEN + 1])
    AIGW_CHECKED;

/* Opens it; fault gets a sentence on error (what, which path, what to do).
   AIGW_EVERSION, AIGW_EACCESS, AIGW_ENOTFOUND, AIGW_ECORRUPT, ... */
aigw_err_t aigw_store_open(const char *path, unsigned flags,
    aigw_store_t **store, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* From now on what is written to control is seen through store alone, and gone
   when it closes: a trial. From the first write on other writers wait. */
void aigw_store_try(aigw_store_t *store);

/*
 * Copies both environments, not the master key, to path, which must not be
 * there yet (mode 0700). Needs AIGW_STORE_USAGE. The copy is a store with an
 * id of its own. Its usage is that of one moment; its control that of a later
 * one. Nothing is left behind on error; fault gets a sentence.
 */
aigw_err_t aigw_store_backup(aigw_store_t *store, const char *path,
    char id[AIGW_STORE_ID_LEN + 1], char fault[AIGW_FAULT_LEN + 1])
    AIGW_CHECKED;

/* NULL does nothing. Not while another thread is in a call. */
void aigw_store_close(aigw_store_t *store);

/* Random, made at init: names the live segment. Lives as long as store. */
aigw_str_t aigw_store_id(const aigw_store_t *store);

/* Is what was opened still what the path leads to, and readable? A store that
   was moved, replaced or locked away goes on being mapped. Asks the file
   system: for a timer. */
int aigw_store_is_current(const aigw_store_t *store);

/* on: reading control touches no file that a frozen disk could make it wait
   for (aigw_db_stay). For an event loop: at start, then from a timer. Off: for
   one that ends. */
void aigw_store_stay(aigw_store_t *store, int on);

/* Clears reader slots of dead processes; at start and on a timer. */
aigw_err_t aigw_store_check_readers(aigw_store_t *store, int *cleared)
    AIGW_CHECKED;


typedef struct {
    uint64_t   users, projects, keys, models, prices, upstreams;
    uint64_t   rows, rollups;
    uint64_t   control_bytes, usage_bytes;         /* file sizes */
    uint64_t   control_map_bytes, usage_map_bytes; /* what they may grow to */
    unsigned   control_readers, usage_readers;     /* slots in use */
} aigw_store_stats_t;

aigw_err_t aigw_store_stats(aigw_store_t *store, aigw_store_stats_t *stats)
    AIGW_CHECKED;


/* --- the request's path: control, read only, copied out --- */

/* All that stands above a key, in one look. About 1.3 KiB: for the stack. */
typedef struct {
    uint64_t   user_id;
    uint64_t   project_id;
    uint64_t   key_id;
    int64_t    user_quota_nano;
    int64_t    project_quota_nano;
    int64_t    key_quota_nano;
    int64_t    project_expires_ms;
    int64_t    key_expires_ms;
    unsigned   user_enabled:1;
    unsigned   project_enabled:1;
    unsigned   key_enabled:1;
    unsigned   key_revoked:1;
    unsigned   cap_strict:1;          /* the project's */
    unsigned   disconnect_abort:1;
    unsigned   has_subkey:1;          /* the same: aigw_store_find_subkey */
    char       project_name[AIGW_NAME_MAX + 1];
    char       key_prefix[AIGW_KEY_PREFIX_LEN + 1];
    char       key_last4[AIGW_KEY_LAST_LEN + 1];
    char       project_models[AIGW_MODELS_MAX + 1];
    char       key_models[AIGW_MODELS_MAX + 1];
} aigw_access_t;

/* AIGW_ENOTFOUND: no such key. A key whose project or user is gone is
   AIGW_ECORRUPT. */
aigw_err_t aigw_store_find_access(aigw_store_t *store,
    const uint8_t hash[AIGW_KEY_HASH_LEN], aigw_access_t *access) AIGW_CHECKED;

/* The price of model in force at now_ms: its own, else that of "*".
   AIGW_ENOTFOUND: none, the model cannot be called. */
aigw_err_t aigw_store_find_price(aigw_store_t *store, aigw_str_t model,
    int64_t now_ms, aigw_price_t *price) AIGW_CHECKED;

/* The model that is really called, and what is set for it. */
typedef struct {
    size_t     model_len;
    char       model[AIGW_MODEL_MAX + 1];   /* its price and name count */
    int64_t    max_output;            /* of one output, tokens; 0: not known */
    int64_t    assumed_output;        /* what counts then: the setting */
    int64_t    context;               /* input and output; 0: not known */
    unsigned   alias:1;               /* the name is another's */
    unsigned   reasoning:1;           /* as set, else by the model's name */
} aigw_called_t;

/* The setting max_output (a number as text), and what it is unless set. */
#define AIGW_SETTING_MAX_OUTPUT  "max_output"
#define AIGW_ASSUMED_OUTPUT      32768

/* What a call of name calls. Never AIGW_ENOTFOUND: of what nobody has set
   nothing is known. AIGW_EINVAL: longer than AIGW_MODEL_MAX. */
aigw_err_t aigw_store_find_called(aigw_store_t *store, aigw_str_t name,
    aigw_called_t *called) AIGW_CHECKED;

aigw_err_t aigw_store_find_upstream(aigw_store_t *store, aigw_str_t name,
    aigw_upstream_t *upstream) AIGW_CHECKED;

/* Names of known models (set, or with a price of their own in force or to
   come; not "*"), sorted, distinct, those after `after` (empty: all);
   *n of at most max. */
aigw_err_t aigw_store_list_model_names(aigw_store_t *store, aigw_str_t after,
    char (*names)[AIGW_MODEL_MAX + 1], size_t max, size_t *n) AIGW_CHECKED;


/* --- control: reading --- */

/* `which` is a name or, all digits, an id. Keys: with project_id 0 only an id
   will do, else a name within the project or an id of it. */
aigw_err_t aigw_store_find_user(aigw_store_t *store, aigw_str_t which,
    aigw_user_t *user) AIGW_CHECKED;
aigw_err_t aigw_store_find_project(aigw_store_t *store, aigw_str_t which,
    aigw_project_t *project) AIGW_CHECKED;
aigw_err_t aigw_store_find_key(aigw_store_t *store, uint64_t project_id,
    aigw_str_t which, aigw_key_t *key) AIGW_CHECKED;
aigw_err_t aigw_store_find_model(aigw_store_t *store, aigw_str_t name,
    aigw_model_t *model) AIGW_CHECKED;

/* What is left of a thing that was deleted. */
aigw_err_t aigw_store_find_gone(aigw_store_t *store, aigw_account_kind_t kind,
    uint64_t id, aigw_gone_t *gone) AIGW_CHECKED;

/* Newest first, those with an id below `before` (0: from the newest); *n of at
   most max. Keys: of one project, or project_id 0 for all. */
aigw_err_t aigw_store_list_users(aigw_store_t *store, uint64_t before,
    aigw_user_t *users, size_t max, size_t *n) AIGW_CHECKED;
aigw_err_t aigw_store_list_projects(aigw_store_t *store, uint64_t before,
    aigw_project_t *projects, size_t max, size_t *n) AIGW_CHECKED;
aigw_err_t aigw_store_list_keys(aigw_store_t *store, uint64_t project_id,
    uint64_t before, aigw_key_t *keys, size_t max, size_t *n) AIGW_CHECKED;

/* By name, those after `after` (empty: all). */
aigw_err_t aigw_store_list_models(aigw_store_t *store, aigw_str_t after,
    aigw_model_t *models, size_t max, size_t *n) AIGW_CHECKED;
aigw_err_t aigw_store_list_upstreams(aigw_store_t *store, aigw_str_t after,
    aigw_upstream_t *upstreams, size_t max, size_t *n) AIGW_CHECKED;

/* By model, each model's newest first; those behind (model, from_ms), an empty
   model for all. */
aigw_err_t aigw_store_list_prices(aigw_store_t *store, aigw_str_t model,
    int64_t from_ms, aigw_price_entry_t *entries, size_t max, size_t *n)
    AIGW_CHECKED;

/* AIGW_ENOTFOUND: not set. value ends with NUL. */
aigw_err_t aigw_store_get_setting(aigw_store_t *store, aigw_str_t name,
    char value[AIGW_VALUE_MAX + 1]) AIGW_CHECKED;


/* --- control: writing (needs AIGW_STORE_CONTROL_WRITE) --- */

/* Names: 1 to AIGW_NAME_MAX bytes of [A-Za-z0-9._-] (and UTF-8 letters), not
   all digits, not beginning with '-'. AIGW_EINVAL. */
aigw_err_t aigw_store_check_name(aigw_str_t name) AIGW_CHECKED;

/* Model names: 1 to AIGW_MODEL_MAX bytes, printable, no blanks, ',' or '*'. */
aigw_err_t aigw_store_check_model(aigw_str_t name) AIGW_CHECKED;

/* Sets user->id and created_ms. AIGW_EEXIST: the name is taken. */
aigw_err_t aigw_store_create_user(aigw_store_t *store, aigw_user_t *user)
    AIGW_CHECKED;
/* Sets ids, created_ms and key->project_id; both or nothing. A key may be
   without a name, else it is unique in its project. AIGW_ENOTFOUND: no such
   user (project); AIGW_EEXIST: a name, or the key's hash, is taken. */
aigw_err_t aigw_store_create_project(aigw_store_t *store,
    aigw_project_t *project, aigw_key_t *key) AIGW_CHECKED;
aigw_err_t aigw_store_create_key(aigw_store_t *store, aigw_key_t *key)
    AIGW_CHECKED;

/* Which fields of a thing a change takes. */
#define AIGW_CHANGE_NAME         0x01
#define AIGW_CHANGE_ENABLED      0x02
#define AIGW_CHANGE_QUOTA        0x04
#define AIGW_CHANGE_EXPIRES      0x08
#define AIGW_CHANGE_MODELS       0x10
#define AIGW_CHANGE_USER         0x20 /* a project's */
#define AIGW_CHANGE_ROLE         0x40 /* a user's */
#define AIGW_CHANGE_REVOKED      0x80 /* a key's: once and for ever */
#define AIGW_CHANGE_CAP        0x0100 /* a project's */
#define AIGW_CHANGE_DISCONNECT 0x0200
#define AIGW_CHANGE_ALIAS      0x0400 /* a model's; an empty one ends it */
#define AIGW_CHANGE_MAX_OUTPUT 0x0800
#define AIGW_CHANGE_CONTEXT    0x1000
#define AIGW_CHANGE_REASONING  0x2000

/*
 * Changes these fields of the thing with that id, in one transaction, and sets
 * all others to what is stored. AIGW_ENOTFOUND: no such thing, or a project's
 * new user; AIGW_EEXIST: the new name is taken; AIGW_EINVAL: a bad value;
 * AIGW_ELAST: no enabled admin would be left.
 */
aigw_err_t aigw_store_change_user(aigw_store_t *store, unsigned fields,
    aigw_user_t *user) AIGW_CHECKED;
aigw_err_t aigw_store_change_project(aigw_store_t *store, unsigned fields,
    aigw_project_t *project) AIGW_CHECKED;
aigw_err_t aigw_store_change_key(aigw_store_t *store, unsigned fields,
    aigw_key_t *key) AIGW_CHECKED;

/*
 * Gives the key with that id another secret: hash, prefix and last4; sets the
 * other fields to what is stored. The old secret opens the key until until_ms
 * (0: no more), as if the key expired then; one older still no longer does.
 * AIGW_EINVAL: it is revoked; AIGW_EEXIST: the hash is taken.
 */
aigw_err_t aigw_store_rotate_key(aigw_store_t *store, aigw_key_t *key,
    int64_t until_ms) AIGW_CHECKED;

/* Deletes for ever; rows and sums stay, and a name for them (find_gone). A
   project takes its keys along. AIGW_EEXIST: the user has projects;
   AIGW_ELAST: it is the last enabled admin. */
aigw_err_t aigw_store_delete_user(aigw_store_t *store, uint64_t id)
    AIGW_CHECKED;
aigw_err_t aigw_store_delete_project(aigw_store_t *store, uint64_t id)
    AIGW_CHECKED;
aigw_err_t aigw_store_delete_key(aigw_store_t *store, uint64_t id)
    AIGW_CHECKED;

/* Its prices stay. */
aigw_err_t aigw_store_delete_model(aigw_store_t *store, aigw_str_t name)
    AIGW_CHECKED;

/*
 * Makes it if it is not there; of the rest, sets these fields (AIGW_CHANGE_...)
 * and model to what is stored. What becomes an alias loses what was set for it.
 * AIGW_EINVAL: an alias of itself, or with something set for it. AIGW_EEXIST:
 * an alias of an alias, or an alias of what has aliases. alias_of need not be
 * known: a model is there to be called without having been set.
 */
aigw_err_t aigw_store_set_model(aigw_store_t *store, unsigned fields,
    aigw_model_t *model) AIGW_CHECKED;

/* Adds a price (replaces one of the same model and from_ms); sets
   entry->price.version, one above the highest so far. */
aigw_err_t aigw_store_set_price(aigw_store_t *store, aigw_price_entry_t *entry)
    AIGW_CHECKED;
/* Removes all prices of a model. AIGW_ENOTFOUND: it had none. */
aigw_err_t aigw_store_delete_price(aigw_store_t *store, aigw_str_t model)
    AIGW_CHECKED;

/* Makes or replaces upstream (name and url given), seals secret for it.
   An empty secret keeps the old one if url is unchanged, else AIGW_EINVAL
   (threats M19). What makes sub-keys there goes when the URL changes, and
   where there are any it cannot change: AIGW_EEXIST. */
aigw_err_t aigw_store_set_upstream(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_upstream_t *upstream,
    aigw_str_t secret) AIGW_CHECKED;

/*
 * Seals token, which opens user's log at the upstream of that name, whose other
 * fields are set to what is stored. It goes when the URL changes.
 */
aigw_err_t aigw_store_set_upstream_log(aigw_store_t *store,
    const aigw_seal_master_t *master, aigw_upstream_t *upstream, uint64_t user,
    aigw_str_t token) AIGW_CHECKED;

/* An empty value removes it. */
aigw_err_t aigw_store_set_setting(aigw_store_t *store, aigw_str_t name,
    aigw_str_t value) AIGW_CHECKED;


/* --- usage: writing (needs AIGW_STORE_USAGE_WRITE; the flusher's only) --- */

typedef struct {
    uint64_t   journal;               /* random id of the journal */
    uint64_t   seq;                   /* last record drained */
} aigw_watermark_t;

/*
 * One transaction: rows, their indices, sums of key, project and user,
 * roll-ups, watermarks (which never go back). All or nothing. A row whose id
 * is there already is left out with its sums and counted in *doubles: never
 * charged twice. The same for a second credit or refund of one name. A sum that
 * would overflow stays at INT64_MAX, since an error would stop settlement for
 * ever. AIGW_EINVAL: a call's cost or a count is negative, an enum out of its
 * range.
 */
aigw_err_t aigw_store_settle(aigw_store_t *store, const aigw_row_t *rows,
    size_t nrows, const aigw_watermark_t *marks, size_t nmarks,
    size_t *doubles) AIGW_CHECKED;

/* The same for rows that are packed and checked, with their crc: written as
   they are. */
aigw_err_t aigw_store_settle_packed(aigw_store_t *store,
    const aigw_row_view_t *rows, size_t nrows, const aigw_watermark_t *marks,
    size_t nmarks, size_t *doubles) AIGW_CHECKED;

/* 0 for a journal never drained. */
aigw_err_t aigw_store_get_watermark(aigw_store_t *store, uint64_t journal,
    uint64_t *seq) AIGW_CHECKED;


/*
 * Locks that end with aigw_store_unlock or the process. POST: one at a time
 * books a credit or a refund. BUILD: while it is held nobody makes counters of
 * a live segment. Who needs both takes POST first. SUBKEYS: one at a time makes
 * or retires keys at an upstream, so that a plan which is seen under it is
 * nobody's any more. AIGW_EBUSY: not within wait_ms.
 */
typedef enum {
    AIGW_STORE_LOCK_BUILD = 0,
    AIGW_STORE_LOCK_POST,             /* needs AIGW_STORE_USAGE */
    AIGW_STORE_LOCK_SUBKEYS
} aigw_store_lock_t;

aigw_err_t aigw_store_lock(const aigw_store_t *store, aigw_store_lock_t which,
    unsigned wait_ms, int *fd) AIGW_CHECKED;
void aigw_store_unlock(int fd);


/* --- usage: reading --- */

/* What names a credit or a refund within its project, or altogether. */
aigw_str_t aigw_store_ref_of(const aigw_row_t *row);

/* The credit or refund that is there already: its row's id and cost (the row
   itself may be gone). row: settled, project_id, and ref or `of`.
   AIGW_ENOTFOUND: none. */
aigw_err_t aigw_store_find_return(aigw_store_t *store, const aigw_row_t *row,
    uint8_t id[AIGW_ROW_ID_LEN], int64_t *cost_nano) AIGW_CHECKED;


/* All zero for an account without rows. */
aigw_err_t aigw_store_get_sums(aigw_store_t *store, aigw_account_kind_t kind,
    uint64_t id, aigw_sums_t *sums) AIGW_CHECKED;

/* Every account's sums, in one snapshot; stops at the first error of visit
   and returns it. */
typedef aigw_err_t (*aigw_store_sums_pt)(void *data, aigw_account_kind_t kind,
    uint64_t id, const aigw_sums_t *sums);
aigw_err_t aigw_store_each_sums(aigw_store_t *store, aigw_store_sums_pt visit,
    void *data) AIGW_CHECKED;

aigw_err_t aigw_store_find_row(aigw_store_t *store,
    const uint8_t id[AIGW_ROW_ID_LEN], aigw_row_t *row) AIGW_CHECKED;


typedef struct {
    uint64_t     user_id;             /* 0: any */
    uint64_t     project_id;
    uint64_t     key_id;
    aigw_str_t   model;               /* empty: any */
    aigw_str_t   tag;                 /* empty: any */
    int          status;              /* HTTP status; -1: any */
    int64_t      since_ms;            /* time_ms >= since_ms */
    int64_t      until_ms;            /* time_ms < until_ms; 0: no end */
    unsigned     by_tag:1;            /* cells are kept apart by tag, too */
} aigw_row_filter_t;

/* Newest first, ids below `before` (all zero: from the newest). Looks at a
   bounded number of rows per transaction. *n < max: there are no more. */
aigw_err_t aigw_store_list_rows(aigw_store_t *store,
    const aigw_row_filter_t *filter, const uint8_t before[AIGW_ROW_ID_LEN],
    aigw_row_t *rows, size_t max, size_t *n) AIGW_CHECKED;

/*
 * Rows in the order in which they were settled, those behind *seq (0: from the
 * first), which moves on to the last one looked at. Looks at a bounded number:
 * call it until *seq stands still, and again when there may be more.
 */
aigw_err_t aigw_store_follow_rows(aigw_store_t *store,
    const aigw_row_filter_t *filter, uint64_t *seq, aigw_row_t *rows,
    size_t max, size_t *n) AIGW_CHECKED;

/* The seq of the last row so far; 0: there is none. */
aigw_err_t aigw_store_last_seq(aigw_store_t *store, uint64_t *seq)
    AIGW_CHECKED;


/* One cell of the hourly roll-ups, or one row where the range begins or ends
   within an hour or tags count. */
typedef struct {
    int64_t      hour_ms;
    uint64_t     user_id;
    uint64_t     project_id;
    uint64_t     key_id;
    char         model[AIGW_MODEL_MAX + 1];
    char         tag[AIGW_TAG_MAX + 1];            /* of a row; else empty */
    aigw_sums_t  sums;
} aigw_cell_t;

/*
 * All cells that match filter (status must be -1), in one snapshot; exact for
 * any since and until. Stops at the first error of visit and returns it.
 * Clients choose tags as they like, so that roll-ups by tag would have no
 * bound: with a tag or by_tag every row of the range is looked at, once, and
 * no snapshot is held.
 */
typedef aigw_err_t (*aigw_store_cell_pt)(void *data, const aigw_cell_t *cell);
aigw_err_t aigw_store_each_cell(aigw_store_t *store,
    const aigw_row_filter_t *filter, aigw_store_cell_pt visit, void *data)
    AIGW_CHECKED;

#endif /* AIGW_STORE_H */
