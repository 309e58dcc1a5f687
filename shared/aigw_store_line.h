/*
 * Lines of an export as structures, and back. For aigw_store_export.c,
 * _import*, _line* and _audit*.c only.
 */

#ifndef AIGW_STORE_LINE_H
#define AIGW_STORE_LINE_H

#include "aigw_store_internal.h"
#include "aigw_store_export.h"


/* In the order in which they stand in an export. */
typedef enum {
    AIGW_LINE_HEAD = 0,
    AIGW_LINE_COUNTERS,
    AIGW_LINE_USER,
    AIGW_LINE_PROJECT,
    AIGW_LINE_KEY,
    AIGW_LINE_GONE,
    AIGW_LINE_MODEL,
    AIGW_LINE_PRICE,
    AIGW_LINE_UPSTREAM,
    AIGW_LINE_SUBKEY,
    AIGW_LINE_SETTING,
    AIGW_LINE_PRUNED,
    AIGW_LINE_CLOSING,
    AIGW_LINE_ROW,
    AIGW_LINE_RETURN,
    AIGW_LINE_SUMS,
    AIGW_LINE_END,
    AIGW_LINE_MAX
} aigw_line_type_t;

typedef struct {
    uint32_t  format;
    uint32_t  schema;
} aigw_line_head_t;

/* The highest number that was given away: none comes twice. */
typedef struct {
    uint64_t  user;
    uint64_t  project;
    uint64_t  key;
    uint64_t  upstream;
    uint64_t  price;
} aigw_line_counters_t;

typedef struct {
    uint8_t      kind;
    uint64_t     id;
    aigw_gone_t  gone;
} aigw_line_gone_t;

typedef struct {
    char  name[AIGW_NAME_MAX + 1];
    char  value[AIGW_VALUE_MAX + 1];
} aigw_line_setting_t;

typedef struct {
    int64_t  before_ms;
} aigw_line_pruned_t;

typedef struct {
    uint32_t     hour;                /* since 1970 */
    uint64_t     project_id;
    uint64_t     key_id;
    uint64_t     user_id;
    char         model[AIGW_MODEL_MAX + 1];
    aigw_sums_t  sums;
} aigw_line_closing_t;

/* A credit or a refund whose row was pruned. */
typedef struct {
    uint8_t   settled;
    uint64_t  project_id;
    char      ref[AIGW_NAME_MAX + 1];
    uint8_t   of[AIGW_ROW_ID_LEN];
    uint8_t   id[AIGW_ROW_ID_LEN];
    int64_t   cost_nano;
} aigw_line_return_t;

typedef struct {
    uint16_t     partition;
    uint8_t      kind;
    uint64_t     id;
    aigw_sums_t  sums;
} aigw_line_sums_t;

typedef struct {
    uint64_t  lines;
    uint32_t  crc;
} aigw_line_end_t;

typedef struct {
    aigw_line_type_t          type;
    union {
        aigw_line_head_t      head;
        aigw_line_counters_t  counters;
        aigw_user_t           user;
        aigw_project_t        project;
        aigw_key_t            key;
        aigw_line_gone_t      gone;
        aigw_model_t          model;
        aigw_price_entry_t    price;
        aigw_upstream_t       upstream;
        aigw_subkey_t         subkey;
        aigw_line_setting_t   setting;
        aigw_line_pruned_t    pruned;
        aigw_line_closing_t   closing;
        aigw_row_t            row;
        aigw_line_return_t    back;
        aigw_line_sums_t      sums;
        aigw_line_end_t       end;
    } u;
} aigw_line_t;


/* How a field is written, and where it is in its structure. */
typedef enum {
    AIGW_FIELD_UINT = 1,              /* of size bytes, at most max */
    AIGW_FIELD_INT,                   /* int64, from 0 */
    AIGW_FIELD_TIME,                  /* int64, any */
    AIGW_FIELD_BOOL,                  /* uint8 */
    AIGW_FIELD_LIMIT,                 /* an amount from 0, or -1: null */
    AIGW_FIELD_AMOUNT,                /* an amount of either sign */
    AIGW_FIELD_TEXT,                  /* at most size bytes */
    AIGW_FIELD_HEX,                   /* size bytes */
    AIGW_FIELD_SEALED,                /* aigw_line_sealed_t */
    AIGW_FIELD_ROLE                   /* its name; of old "admin", a bool */
} aigw_field_kind_t;

typedef struct {
    const char         *name;         /* NULL: the last one */
    aigw_field_kind_t   kind;
    size_t              at;
    size_t              size;
    uint64_t            max;
} aigw_field_t;

/* The longest one, all of it escaped, with its name. */
#define AIGW_LINE_FIELD_MAX  (6 * AIGW_MODELS_MAX + 64)

/* How a record has what is sealed: as two fields, one behind the other. */
typedef struct {
    uint16_t  len;
    uint8_t   bytes[AIGW_SEALED_MAX];
} aigw_line_sealed_t;

/* Name and fields of a type. */
const char *aigw_store_line_name(aigw_line_type_t type);
const aigw_field_t *aigw_store_line_fields(aigw_line_type_t type);

/* "name":value of a field of the structure `of`, without NUL, at p, where
   AIGW_LINE_FIELD_MAX bytes are; its end. */
char *aigw_store_line_field(char *p, const aigw_field_t *field,
    const void *of);

/* The line, with its newline; its length. */
size_t aigw_store_line_write(const aigw_line_t *line,
    char text[AIGW_EXPORT_LINE_MAX]);

/* Of len bytes without a newline. All fields must be there, once, and no
   others. fault: what is wrong. */
aigw_err_t aigw_store_line_read(const char *text, size_t len,
    aigw_line_t *line, char fault[AIGW_FAULT_LEN + 1]) AIGW_CHECKED;

/* --- aigw_store_line_value.c --- */

/* A member of a line. */
typedef struct {
    aigw_str_t  name;
    aigw_str_t  value;                /* a string's is what is between quotes */
    unsigned    string:1;
    unsigned    used:1;
} aigw_line_member_t;

int aigw_store_line_is(aigw_str_t text, const char *word);

/* 1: it is what the field may have, and at has it. */
int aigw_store_line_value(const aigw_line_member_t *m,
    const aigw_field_t *field, void *at);


/* --- aigw_store_import*.c --- */

#define AIGW_IMPORT_BATCH  1000       /* lines of one transaction of usage */

struct aigw_store_import_s {
    aigw_store_t   *store;
    char           *fault;            /* of the call that goes on */
    unsigned        dry:1;
    unsigned        writing:1;        /* usage is in a transaction */
    uint64_t        lines;
    uint64_t        rows;
    uint64_t        sums;
    uint32_t        crc;
    aigw_line_t     line;
    aigw_line_type_t      last;       /* type of the line before */
    aigw_line_counters_t  counters;
    aigw_db_txn_t   control;          /* from begin to end */
    aigw_db_txn_t   usage;            /* of some lines */
    int64_t         pruned_ms;

    /* rows of this transaction: what is added up at its end */
    size_t          n;
    aigw_row_view_t    *views;
    aigw_store_item_t  *items;
    uint8_t            *packed;
};

/* The sentence for a line that says what cannot be; returns err. */
aigw_err_t aigw_store_import_fault(aigw_store_import_t *import, aigw_err_t err,
    const char *what);

/* A line of each of the two. */
aigw_err_t aigw_store_import_control(aigw_store_import_t *import)
    AIGW_CHECKED;
aigw_err_t aigw_store_import_usage(aigw_store_import_t *import) AIGW_CHECKED;

/* Ends the transaction of usage, if there is one. */
aigw_err_t aigw_store_import_flush(aigw_store_import_t *import) AIGW_CHECKED;


/* Bytes of the UTF-8 character at p, of at most n; 0: there is none. */
size_t aigw_store_line_utf8(const uint8_t *p, size_t n);

#endif /* AIGW_STORE_LINE_H */
