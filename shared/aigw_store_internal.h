/*
 * What the files aigw_store*.c share: tables, meta entries, small helpers over
 * a transaction. Nobody else includes it.
 */

#ifndef AIGW_STORE_INTERNAL_H
#define AIGW_STORE_INTERNAL_H

#include "aigw_db.h"
#include "aigw_store.h"


/* Tables of control. The comment has key -> value. */
typedef enum {
    AIGW_CONTROL_META = 0,            /* name -> integer or text */
    AIGW_CONTROL_USERS,               /* id -> user */
    AIGW_CONTROL_USER_NAMES,          /* name -> id */
    AIGW_CONTROL_PROJECTS,            /* id -> project */
    AIGW_CONTROL_PROJECT_NAMES,       /* name -> id */
    AIGW_CONTROL_KEYS,                /* hash -> key; under an old hash, too */
    AIGW_CONTROL_KEY_IDS,             /* id -> hash */
    AIGW_CONTROL_KEY_NAMES,           /* project, name -> id */
    AIGW_CONTROL_PROJECT_KEYS,        /* project, id -> hash */
    AIGW_CONTROL_MODELS,              /* name -> model */
    AIGW_CONTROL_PRICES,              /* model, 0, newest from_ms first ->
                                         price */
    AIGW_CONTROL_UPSTREAMS,           /* name -> upstream */
    AIGW_CONTROL_SETTINGS,            /* name -> text */
    AIGW_CONTROL_GONE,                /* kind 1, id -> what is left of it */
    AIGW_CONTROL_LOGINS,              /* user -> login */
    AIGW_CONTROL_TICKETS,             /* hash -> ticket */
    AIGW_CONTROL_AUDIT,               /* seq 8 -> who changed what */
    AIGW_CONTROL_DRIVERS,             /* upstream -> driver */
    AIGW_CONTROL_SUBKEYS,             /* name -> sub-key */
    AIGW_CONTROL_PROJECT_SUBKEYS,     /* project, upstream -> name of the
                                         active one */
    AIGW_CONTROL_TABLES
} aigw_control_table_t;

/* How many of them stores had before others came along. */
#define AIGW_CONTROL_FIRST  AIGW_CONTROL_LOGINS

/* Tables of usage. node and partition are 0: design, section 5. */
typedef enum {
    AIGW_USAGE_META = 0,
    AIGW_USAGE_ROWS,                  /* node 2, seq 8 -> row */
    AIGW_USAGE_ROW_IDS,               /* row id -> key of its row, CRC-32C 4 of
                                         the row; older ones have none */
    AIGW_USAGE_PROJECT_ROWS,          /* project, row id -> key of its row */
    AIGW_USAGE_SUMS,                  /* partition 2, kind 1, id -> sums */
    AIGW_USAGE_ROLLUPS,               /* hour 4, project, key, user, model ->
                                         sums */
    AIGW_USAGE_MARKS,                 /* journal -> seq */
    AIGW_USAGE_RETURNS,               /* settled 1, project 8 and ref, or `of`
                                         -> row id, cost 8 */
    AIGW_USAGE_CLOSINGS,              /* as rollups -> sums of what of them was
                                         pruned */
    AIGW_USAGE_PRUNED,                /* first seq -> last seq of a run of rows
                                         that were */
    AIGW_USAGE_TABLES
} aigw_usage_table_t;

#define AIGW_STORE_ROW_KEY       10   /* bytes of it */
#define AIGW_STORE_ROLLUP_FIXED  28   /* bytes before the model */
#define AIGW_STORE_HOUR_MS       INT64_C(3600000)
#define AIGW_STORE_CONTROL_MAP   ((size_t) 1 << 30)
#define AIGW_STORE_USAGE_MAP     ((size_t) 1 << 36)

/* Entries of both metas, and counters of control's. */
#define AIGW_META_SCHEMA     "schema"
#define AIGW_META_ID         "id"
#define AIGW_META_USER       "user"
#define AIGW_META_PROJECT    "project"
#define AIGW_META_KEY        "key"
#define AIGW_META_UPSTREAM   "upstream"
#define AIGW_META_PRICE      "price"

/* Of control's: half an import, nobody opens it. */
#define AIGW_META_IMPORTING  "importing"

/* Of control's: the seq of the last audit record, and its hash. */
#define AIGW_META_AUDIT_SEQ  "audit_seq"
#define AIGW_META_AUDIT_HASH "audit_hash"

/* Of usage's: the last row's seq; how far the time in a row's id has ever been
   from its time_ms (clocks that were set back make it more than 0). */
#define AIGW_META_ROW_SEQ    "row_seq"
#define AIGW_META_SKEW       "skew_ms"

/* Of usage's: rows before that were pruned. */
#define AIGW_META_PRUNED     "pruned_ms"


typedef struct aigw_store_cache_s  aigw_store_cache_t;


/* A file as it was opened, and which one that was. */
typedef struct {
    char                *path;        /* NULL: not opened */
    dev_t                dev;
    ino_t                ino;
} aigw_store_file_t;


struct aigw_store_s {
    aigw_db_t           *control;
    aigw_db_t           *usage;       /* NULL: not opened */
    aigw_store_cache_t  *cache;       /* of control; NULL: nothing yet */
    char                 id[AIGW_STORE_ID_LEN + 1];
    aigw_store_file_t    files[2];    /* of control and usage */
    aigw_actor_t         actor;       /* whom changes of control are by */
};


typedef aigw_err_t (*aigw_store_unpack_pt)(const uint8_t *buf, size_t len,
    void *record);


/* A store's path, and one of a file in it. */
#define AIGW_STORE_PATH_MAX  1023
#define AIGW_STORE_SUB_MAX   (AIGW_STORE_PATH_MAX + 65)

/* Copies path without slashes at its end. AIGW_EINVAL: empty or too long. */
aigw_err_t aigw_store_clean_path(const char *path,
    char dir[AIGW_STORE_PATH_MAX + 1], char fault[AIGW_FAULT_LEN + 1])
    AIGW_CHECKED;

/* Sizes of the maps, for tests that fill one. */
typedef struct {
    size_t  control_bytes;
    size_t  usage_bytes;
} aigw_store_maps_t;

aigw_err_t aigw_store_open_maps(const char *path, unsigned flags,
    const aigw_store_maps_t *maps, aigw_store_t **store,
    char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* Opens or makes one environment with the tables of its kind. */
aigw_err_t aigw_store_open_control(const char *path, size_t map_bytes,
    int write, int create, aigw_db_t **db) AIGW_CHECKED;
aigw_err_t aigw_store_open_usage(const char *path, size_t map_bytes,
    int write, int create, aigw_db_t **db) AIGW_CHECKED;

/* What aigw_store_is_current compares with: dir's file of env. file->path is
   the store's to free, also on error. */
aigw_err_t aigw_store_remember_file(aigw_store_file_t *file, const char *dir,
    const char *env, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* A random id of a store, and NUL. */
aigw_err_t aigw_store_make_id(char id[AIGW_STORE_ID_LEN + 1]) AIGW_CHECKED;

/* Writes the sentence and returns err. */
aigw_err_t aigw_store_fault(char fault[AIGW_FAULT_LEN + 1], aigw_err_t err,
    const char *format, ...) __attribute__((format(printf, 3, 4)));


/* Keys. */
aigw_str_t aigw_store_text(const char *text, size_t max);
void aigw_store_key_int(aigw_db_key_t *key, uint64_t n);
void aigw_store_key_text(aigw_db_key_t *key, aigw_str_t text);
void aigw_store_key_price(aigw_db_key_t *key, aigw_str_t model,
    int64_t from_ms);

/* 0 where there is no such entry; an entry of another length is corrupt. */
uint64_t aigw_store_get_int(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key);
void aigw_store_put_int(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key, uint64_t n);

uint64_t aigw_store_get_meta(aigw_db_txn_t *txn, const char *name);
void aigw_store_put_meta(aigw_db_txn_t *txn, const char *name, uint64_t n);

/* 1: there and unpacked. 0: not there, or an error. */
int aigw_store_load(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key, aigw_store_unpack_pt unpack, void *record);

/* The same, where there is one by another entry's word: else it is corrupt. */
void aigw_store_load_sure(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *key, aigw_store_unpack_pt unpack, void *record);

/* 1: set, and value ends with NUL. 0: not set, or an error. */
int aigw_store_load_setting(aigw_db_txn_t *txn, aigw_str_t name,
    char value[AIGW_VALUE_MAX + 1]);

/* Of a table by project and id, one of that project: 1 and its id. 0: there is
   none, or an error. */
int aigw_store_first_of(aigw_db_txn_t *txn, unsigned table,
    uint64_t project_id, uint64_t *id);

/* The key with that id: AIGW_ENOTFOUND if there is none. */
void aigw_store_load_key(aigw_db_txn_t *txn, uint64_t id, aigw_key_t *key);

/* AIGW_EINVAL: a field that no such thing may have. */
aigw_err_t aigw_store_check_user(const aigw_user_t *user) AIGW_CHECKED;
aigw_err_t aigw_store_check_project(const aigw_project_t *project)
    AIGW_CHECKED;
aigw_err_t aigw_store_check_key(const aigw_key_t *key) AIGW_CHECKED;

/* Write the record alone, a key's under both its hashes. */
void aigw_store_put_user(aigw_db_txn_t *txn, const aigw_user_t *user);
void aigw_store_put_project(aigw_db_txn_t *txn,
    const aigw_project_t *project);
void aigw_store_put_key(aigw_db_txn_t *txn, const aigw_key_t *key);

/* A new user and its login; sets user->id. AIGW_EEXIST: the name is taken. */
void aigw_store_add_user(aigw_store_t *store, aigw_db_txn_t *txn,
    aigw_user_t *user, aigw_login_t *login);

/* There must be a record of that id: AIGW_ENOTFOUND. */
void aigw_store_need(aigw_db_txn_t *txn, unsigned table, uint64_t id);

/* Enters name (a key of table) for id. AIGW_EEXIST: it is taken. */
void aigw_store_take_name(aigw_db_txn_t *txn, unsigned table,
    const aigw_db_key_t *name, uint64_t id);

/* Keys of the tables that are not named by one integer or text. */
void aigw_store_key_hash(aigw_db_key_t *at,
    const uint8_t hash[AIGW_KEY_HASH_LEN]);
void aigw_store_key_of_project(aigw_db_key_t *at, const aigw_key_t *key);
void aigw_store_key_name(aigw_db_key_t *at, const aigw_key_t *key);

int aigw_store_is_match(const aigw_row_filter_t *filter,
    const aigw_row_t *row);


/* --- aigw_store_cache.c: look-ups of the request's path --- */

typedef enum {
    AIGW_STORE_CACHED_ACCESS = 1,     /* by a key's hash */
    AIGW_STORE_CACHED_PRICE,          /* by a model's name */
    AIGW_STORE_CACHED_CALLED,         /* the same */
    AIGW_STORE_CACHED_UPSTREAM,       /* by its name */
    AIGW_STORE_CACHED_SUBKEY          /* by project and upstream */
} aigw_store_cached_kind_t;


typedef struct {
    uint64_t                  version; /* of control; 0: a free entry */
    int64_t                   from_ms; /* in force from then on, */
    int64_t                   until_ms; /* and before */
    aigw_store_cached_kind_t  kind;
    size_t                    len;
    char                      key[AIGW_MODEL_MAX];
    union {
        aigw_access_t         access;
        aigw_price_t          price;
        aigw_upstream_t       upstream;
        aigw_called_t         called;
        aigw_subkey_t         subkey;
    } value;
} aigw_store_cached_t;

/* What was read for key, if no commit came since and it is in force at now_ms;
   NULL: read it. Valid until the next put. */
aigw_store_cached_t *aigw_store_cache_find(aigw_store_t *store,
    aigw_store_cached_kind_t kind, aigw_str_t key, int64_t now_ms);

/* Room for what was read from that version; the caller fills in the value at
   once, and the times if they matter. NULL: not to be kept. */
aigw_store_cached_t *aigw_store_cache_put(aigw_store_t *store,
    aigw_store_cached_kind_t kind, aigw_str_t key, uint64_t version);


/* --- aigw_store_subkey*.c, aigw_store_driver.c: within a transaction --- */

void aigw_store_key_subkey(aigw_db_key_t *at, uint64_t project_id,
    uint64_t upstream_id);

/* What it is sealed for; borrows buf. */
aigw_str_t aigw_store_bound_to(uint64_t project_id, uint64_t upstream_id,
    const aigw_subkey_t *subkey, aigw_db_key_t *buf);

/* AIGW_EINVAL: no sub-key can be that. */
aigw_err_t aigw_store_check_subkey(const aigw_subkey_t *subkey) AIGW_CHECKED;

/* 1: it is there; the active one of the two. */
int aigw_store_load_subkey(aigw_db_txn_t *txn, aigw_str_t name,
    aigw_subkey_t *subkey);
int aigw_store_load_active(aigw_db_txn_t *txn, uint64_t project_id,
    uint64_t upstream_id, aigw_subkey_t *subkey);

/* The record alone; its place in the table of active ones; the project's own
   mark, as that table has it (a project that is gone has none). */
void aigw_store_put_subkey(aigw_db_txn_t *txn, const aigw_subkey_t *subkey);
void aigw_store_put_active(aigw_db_txn_t *txn, const aigw_subkey_t *subkey);
void aigw_store_mark_subkeys(aigw_db_txn_t *txn, uint64_t project_id);

/* Of a project that is deleted: retiring from then on. */
void aigw_store_retire_all(aigw_store_t *store, aigw_db_txn_t *txn,
    uint64_t project_id);

/* Any that may be there, whatever its state? */
int aigw_store_has_subkeys(aigw_db_txn_t *txn, uint64_t upstream_id);

/* It makes no sub-keys any more. AIGW_EEXIST: there are some. */
void aigw_store_drop_driver(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_upstream_t *upstream);


/* --- aigw_store_sort.c, aigw_store_sums.c: parts of a settlement --- */

typedef struct {
    uint64_t     high;                /* order is by high, then by low */
    uint64_t     low;
    const void  *what;
} aigw_store_item_t;

/* Sorts n items, those that are equal stay as they were; spare: n / 2 more. */
void aigw_store_sort(aigw_store_item_t *items, size_t n,
    aigw_store_item_t *spare);

/* Adds n rows (what: aigw_row_view_t) to the sums of their accounts and to
   their roll-ups. */
void aigw_store_add_rows(aigw_db_txn_t *txn, const aigw_store_item_t *rows,
    size_t n);

/* The same rows into closings, and nowhere else. */
void aigw_store_add_closings(aigw_db_txn_t *txn,
    const aigw_store_item_t *rows, size_t n);

/* The key of a row's roll-up. */
void aigw_store_key_rollup(aigw_db_key_t *at, const aigw_row_view_t *row);


/* --- aigw_store_credit.c: credits and refunds by what names them --- */

void aigw_store_key_return(aigw_db_key_t *at, unsigned settled,
    uint64_t project_id, aigw_str_t ref);

/* 1: there is one. 0: there is none, or an error. */
int aigw_store_get_return(aigw_db_txn_t *txn, const aigw_db_key_t *at,
    uint8_t id[AIGW_ROW_ID_LEN], int64_t *cost_nano);
void aigw_store_put_return(aigw_db_txn_t *txn, const aigw_db_key_t *at,
    const uint8_t id[AIGW_ROW_ID_LEN], int64_t cost_nano);


/* --- aigw_store_login.c: logins within a transaction --- */

/* The user of that id: AIGW_ENOTFOUND. */
void aigw_store_load_user(aigw_db_txn_t *txn, uint64_t id, aigw_user_t *user);

/* Version 1 and no password where there is none. */
void aigw_store_load_login(aigw_db_txn_t *txn, uint64_t user_id,
    aigw_login_t *login);
void aigw_store_put_login(aigw_db_txn_t *txn, const aigw_login_t *login);

/* That of a new user: no password, and a random version. */
void aigw_store_add_login(aigw_db_txn_t *txn, uint64_t user_id,
    aigw_login_t *login);

/* Ends all tokens of a user. */
void aigw_store_raise_login(aigw_db_txn_t *txn, uint64_t user_id);

/* Puts login with another password, which ends all tokens. */
void aigw_store_put_password(aigw_store_t *store, aigw_db_txn_t *txn,
    const aigw_user_t *user, aigw_login_t *login,
    const aigw_password_t *password);

/* AIGW_ELAST: old is the last enabled admin, and user (NULL: it is to go) is
   none. */
void aigw_store_keep_admin(aigw_db_txn_t *txn, const aigw_user_t *old,
    const aigw_user_t *user);


/* Ends it; on AIGW_OK hands out u and l (user may be NULL). */
aigw_err_t aigw_store_end_login(aigw_db_txn_t *txn, const aigw_user_t *u,
    const aigw_login_t *l, aigw_user_t *user, aigw_login_t *login)
    AIGW_CHECKED;


/* --- aigw_store_ticket.c --- */

/* That of `init`. */
aigw_err_t aigw_store_create_bootstrap(aigw_store_t *store,
    char text[AIGW_TICKET_LEN + 1]) AIGW_CHECKED;

int aigw_store_is_ticket_over(const aigw_ticket_t *ticket, int64_t now_ms);
void aigw_store_put_ticket(aigw_db_txn_t *txn, const aigw_ticket_t *ticket);
void aigw_store_drop_ticket(aigw_db_txn_t *txn, const aigw_ticket_t *ticket);

/* Into the audit log: "create", "take" or "delete", as aigw_store_audit. */
void aigw_store_audit_ticket(aigw_store_t *store, aigw_db_txn_t *txn,
    const char *action, const aigw_ticket_t *before,
    const aigw_ticket_t *after);

/* Drops all that have expired. */
void aigw_store_sweep_tickets(aigw_db_txn_t *txn, int64_t now_ms);


/* Any record's unpack, in the form that aigw_store_load takes. */
aigw_err_t aigw_store_unpack_user(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_project(const uint8_t *buf, size_t len,
    void *out);
aigw_err_t aigw_store_unpack_key(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_login(const uint8_t *buf, size_t len,
    void *out);
aigw_err_t aigw_store_unpack_ticket(const uint8_t *buf, size_t len,
    void *out);
aigw_err_t aigw_store_unpack_gone(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_model(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_price(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_upstream(const uint8_t *buf, size_t len,
    void *out);
aigw_err_t aigw_store_unpack_driver(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_subkey(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_row(const uint8_t *buf, size_t len, void *out);
aigw_err_t aigw_store_unpack_sums(const uint8_t *buf, size_t len, void *out);

#endif /* AIGW_STORE_INTERNAL_H */
