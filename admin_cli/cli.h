/*
 * The command line's own header: the map of admin_cli/. Prototypes stand
 * under the name of the file that has them. What a command answers is one
 * JSON document; cli_out.c alone turns it into a table, CSV, names or JSON.
 */

#ifndef CLI_H
#define CLI_H

#include <stdio.h>

#include <cjson/cJSON.h>

#include "aigw.h"
#include "aigw_live.h"
#include "aigw_record.h"
#include "aigw_store.h"


#define CLI_VERSION      "0.1.0"

#define CLI_OPTIONS_MAX  12           /* of one command */
#define CLI_ARGS_MAX     2            /* positional ones of one command */
#define CLI_COLUMNS_MAX  40
#define CLI_TEXT_LEN     64           /* a number or moment as text */
#define CLI_CURSOR_LEN   191          /* where a list goes on */
#define CLI_NEXT_LEN     511          /* the next step suggested */
#define CLI_LIST_DEFAULT 100
#define CLI_LIST_MAX     1000
#define CLI_MESSAGE_LEN  511          /* what went wrong */
#define CLI_HINT_LEN     255


/* What the shell sees; main.c prints this very table in its help. */
typedef enum {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_DENIED = 4,
    CLI_CONFLICT = 5,
    CLI_UNREACHABLE = 6,
    CLI_INTERRUPTED = 130
} cli_exit_t;

typedef enum {
    CLI_TABLE,
    CLI_JSON,
    CLI_CSV,
    CLI_NAMES,                        /* -o name */
    CLI_IDS                           /* -q */
} cli_format_t;

/* What a value must look like; checked before anything is opened. */
typedef enum {
    CLI_FLAG,                         /* no value */
    CLI_ANY,
    CLI_TEXT,                         /* any but an empty one */
    CLI_NAME,                         /* of a new thing */
    CLI_MODEL,
    CLI_TARGET,                       /* a model, or an empty one */
    CLI_PRICED,                       /* a model or "*" */
    CLI_MODELS,                       /* a list of patterns */
    CLI_AMOUNT,                       /* number: nano-units */
    CLI_LIMIT,                        /* the same, or "unlimited" */
    CLI_AHEAD,                        /* number: ms; a span lies ahead */
    CLI_EXPIRY,                       /* the same, or "never": 0 */
    CLI_PAST,                         /* number: ms; a span lies behind */
    CLI_MOMENT,                       /* number: ms; no span */
    CLI_COUNT,                        /* number: 1 to CLI_LIST_MAX */
    CLI_STATUS,                       /* number: HTTP status */
    CLI_TOKENS,                       /* number, or "unknown": 0 */
    CLI_CHOICE                        /* one of the words in `value` */
} cli_kind_t;

/* An option or a positional argument. */
typedef struct {
    const char  *name;
    cli_kind_t   kind;
    const char  *value;               /* shown for it; NULL for a flag */
    const char  *help;
    char         letter;              /* 'o' for -o, or 0 */
    char         required;
} cli_option_t;

typedef struct {
    const char  *text;                /* NULL: not given */
    int64_t      number;
} cli_value_t;

typedef struct cli_s  cli_t;

/* Who has a command run that is at no shell: a request to `aigw serve`. Then
   nothing is printed and nobody is asked. */
typedef struct {
    uint64_t      user_id;            /* only what is this user's; 0: all */
    const char   *field;              /* at fault, as an option's name */
    char          message[CLI_MESSAGE_LEN + 1];
    char          hint[CLI_HINT_LEN + 1];
} cli_caller_t;

/* What must be true before a command runs. */
#define CLI_NEEDS_STORE  0x01         /* control for reading */
#define CLI_NEEDS_WRITE  0x0b         /* and for writing */
#define CLI_NEEDS_USAGE  0x04         /* and usage, where possible writable */
#define CLI_CHANGES      0x08         /* something: --dry-run */

/* One line of the one table: parsing, help and tests come from it. */
typedef struct {
    const char          *noun;
    const char          *verb;        /* NULL: the noun alone is a command */
    cli_exit_t         (*run)(cli_t *cli);
    unsigned             needs;
    const cli_option_t  *args;        /* each ends with a nameless entry */
    const cli_option_t  *options;
    const char          *summary;
    const char          *example;     /* a line of shell that works */
    const char          *fields;      /* of the answer, or of its items */
    const char          *extra;       /* further ones, not always there */
    const char          *columns;     /* of a table, if not all */
    int                  list;        /* the answer is items and next */
} cli_command_t;

struct cli_s {
    const cli_command_t  *command;
    cli_value_t           arg[CLI_ARGS_MAX];
    cli_value_t           option[CLI_OPTIONS_MAX];

    const char           *noun;       /* if it is no command yet */
    const char           *store_path;
    const char           *columns;
    cli_format_t          format;
    unsigned              no_header:1;
    unsigned              yes:1;
    unsigned              dry_run:1;
    unsigned              help:1;
    unsigned              version:1;
    unsigned              quiet:1;
    unsigned              usage_writable:1;

    size_t                width[CLI_COLUMNS_MAX];   /* so far, of a part */

    aigw_store_t         *store;
    aigw_live_t          *live;       /* once cli_report has found one */
    cli_caller_t         *caller;     /* NULL: a shell */
    cJSON                *answer;     /* printed at the end */
    char                  next[CLI_NEXT_LEN + 1];
};


/* Settings: cmd_setting.c has their forms and defaults. */
#define CLI_SETTING_BASE_URL       "base_url"
#define CLI_SETTING_CORS_ORIGINS   "cors_origins"
#define CLI_SETTING_ADMIN_URL      "admin_url"
#define CLI_SETTING_SIGNUP         "signup"          /* open|invite|closed */
#define CLI_SETTING_SIGNUP_QUOTA   "signup_quota"
#define CLI_SETTING_TOKEN_MINUTES  "token_minutes"


/* cli_table.c: the command table; ends with a nameless entry. */
extern const cli_command_t  cli_commands[];
extern const cli_option_t   cli_globals[];

/* main.c: memory, or the end of the program. */
void *cli_realloc(void *p, size_t size);

/* cli_args.c. On CLI_OK: command is set, or help or version is. */
cli_exit_t cli_parse(cli_t *cli, int argc, char **argv);
const cli_command_t *cli_find_command(const char *noun, const char *verb);
int cli_is_noun(const char *noun);
/* Explains an unknown noun or verb (NULL: none); returns CLI_USAGE. */
cli_exit_t cli_unknown_command(const cli_t *cli, const char *noun,
    const char *verb);
/* Value of the running command's option; text is NULL if it was not given. */
const cli_value_t *cli_option(const cli_t *cli, const char *name);

/* cli_value.c: values as people write them. */
cli_exit_t cli_convert(const cli_t *cli, const cli_option_t *option,
    const char *text, cli_value_t *value);
/* Looks like a client's or an upstream's key, which argv must not have. */
int cli_looks_secret(const char *text);
aigw_str_t cli_str(const char *text);
/* The next word of a list separated by `mark`; 0 at the end. */
int cli_next_word(const char **list, char mark, aigw_str_t *word);
int cli_has_word(const char *list, const char *word);
void cli_no_limits(int64_t *quota_nano, int64_t *expires_ms, char *models);
/* What --quota, --expires and --models say; which of them were given, as bits
   AIGW_CHANGE_*. models has room for AIGW_MODELS_MAX bytes and NUL. */
unsigned cli_take_limits(const cli_t *cli, int64_t *quota_nano,
    int64_t *expires_ms, char *models);
/* The same for --name. */
unsigned cli_take_name(const cli_t *cli, char name[AIGW_NAME_MAX + 1]);
/* A set that sets nothing: CLI_USAGE. */
cli_exit_t cli_need_fields(const cli_t *cli, unsigned fields);

/* cli_suggest.c: "did you mean". */
typedef struct {
    const char  *word;                /* what was typed */
    const char  *best;                /* nearest so far, or NULL */
    unsigned     distance;
} cli_suggest_t;

void cli_suggest(cli_suggest_t *suggest, const char *candidate);

/* cli_error.c: what goes to stderr, or to the caller. hint may be NULL. */
cli_exit_t cli_fail(const cli_t *cli, cli_exit_t code, const char *hint,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A store's error about `what` ("user") named `which`, or NULL for none. */
cli_exit_t cli_fail_store(const cli_t *cli, aigw_err_t err, const char *what,
    const char *which);
cli_exit_t cli_exit_of(aigw_err_t err);
const char *cli_exit_name(cli_exit_t code);
void cli_warn(const cli_t *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* cli_json.c: values into JSON objects. Text is copied, bad UTF-8 mended. */
void cli_add_text(cJSON *object, const char *name, const char *text);
void cli_add_count(cJSON *object, const char *name, int64_t count);
void cli_add_id(cJSON *object, const char *name, uint64_t id); /* 0: null */
void cli_add_amount(cJSON *object, const char *name, int64_t nano);
void cli_add_limit(cJSON *object, const char *name, int64_t nano);
void cli_add_time(cJSON *object, const char *name, int64_t ms); /* 0: null */
void cli_add_percent(cJSON *object, const char *name, int64_t part,
    int64_t whole, int64_t if_none);
void cli_add_models(cJSON *object, const char *name, const char *patterns);
/* Saturates: a report ends in no wrapped number. */
int64_t cli_sum(int64_t a, int64_t b);
/* An empty list as the answer, without a next page; returns its items. */
cJSON *cli_new_list(cli_t *cli);

/* cli_out.c: the answer to stdout. */
cli_exit_t cli_check_columns(const cli_t *cli);
void cli_print(const cli_t *cli);
/* Some items of a list that has no end; headings with the first. */
void cli_print_part(cli_t *cli, const cJSON *items);

/* cli_field.c: what a field of an answer is. */
typedef enum {
    CLI_FIELD_TEXT,
    CLI_FIELD_CHOICE,                 /* one of the words in `detail` */
    CLI_FIELD_TIME,
    CLI_FIELD_AMOUNT,
    CLI_FIELD_SUM,                    /* of amounts, maybe below zero */
    CLI_FIELD_EXACT,                  /* an amount of up to 15 places */
    CLI_FIELD_ID,                     /* a number above zero */
    CLI_FIELD_COUNT,
    CLI_FIELD_NUMBER,                 /* not whole */
    CLI_FIELD_SWITCH,
    CLI_FIELD_WORDS,                  /* a list of texts */
    CLI_FIELD_OBJECT,                 /* what the command `detail` answers */
    CLI_FIELD_OBJECTS,                /* a list; `detail`: their fields */
    CLI_FIELD_MEMBERS                 /* an object of any members */
} cli_field_kind_t;

typedef struct {
    cli_field_kind_t  kind;
    int               null;           /* it may be null */
    const char       *detail;
    const char       *help;           /* or NULL */
} cli_field_t;

/* NULL: nothing is known of it. */
const cli_field_t *cli_find_field(const cli_command_t *command,
    const char *name);
/* Does a field of this name have a kind from `from` to `to` anywhere? */
int cli_field_is(const char *name, cli_field_kind_t from, cli_field_kind_t to);
const char *cli_field_kind_name(cli_field_kind_t kind);

/* cli_text.c: one value as people read it. */
void cli_heading(const char *name, char *text, size_t size);
/* Result lives until the next call; raw: for programs, not for people. */
const char *cli_cell(const char *name, const cJSON *value, int raw);
int cli_is_number(const char *name, const cJSON *value);

/* cli_secret.c: what must not be seen. */
void cli_harden(void);
/* One line of stdin (asked for without echo on a terminal) or of file;
   empty where there is none. Of a caller, file is the secret itself. The one
   who asks cleanses it. */
cli_exit_t cli_read_secret(const cli_t *cli, const char *file,
    const char *prompt, char secret[AIGW_SECRET_MAX + 1]);
/* Hashes one line of stdin, asked for twice on a terminal; of a caller, what is
   given. Takes 0.4 s and 128 MiB. */
cli_exit_t cli_read_password(const cli_t *cli, const char *given,
    aigw_password_t *password);
/* The store's master key. Caller cleanses. */
cli_exit_t cli_read_master(const cli_t *cli, aigw_seal_master_t *master);
/* Asks for the typed name on a terminal; elsewhere --yes decides if
   `demand`, else it goes on. */
cli_exit_t cli_confirm(const cli_t *cli, const char *action,
    const char *name, int demand);

/* cli_url.c */
typedef struct {
    unsigned  https:1;
    unsigned  loopback:1;
    unsigned  inside:1;               /* an address of this machine or network;
                                         names are not looked up */
} cli_url_t;

/* Checks an absolute http or https URL without user, query and fragment and
   writes it without a final '/'. */
cli_exit_t cli_check_url(const cli_t *cli, const char *text,
    char url[AIGW_URL_MAX + 1], cli_url_t *parts);

/* cli_http.c */
#define CLI_HTTP_PATH_MAX  255

typedef struct {
    char    *data;                    /* the caller's to free; or NULL */
    size_t   len;
} cli_body_t;

/* GET path of an upstream, by its key, or by its log's token. CLI_OK: it was
   answered with 200. Waits where it is asked too often. */
cli_exit_t cli_http_get(const cli_t *cli, const aigw_upstream_t *upstream,
    int log, const char *path, cli_body_t *body, int64_t *duration_ms);

/* cli_store.c */
cli_exit_t cli_open_store(cli_t *cli);
/* Before figures are shown: what workers have journalled goes to the ledger,
   or is waited for. Opens the live segment where there is one. */
void cli_report(cli_t *cli);
/* The live segment alone; 0: there is none. */
int cli_open_live(cli_t *cli);
/* What an account has spent, and what its calls in flight hold, as admission
   sees it. */
cli_exit_t cli_read_account(const cli_t *cli, aigw_account_kind_t kind,
    uint64_t id, int64_t *spent_nano, int64_t *held_nano);
/* Adds quota, spent and held as admission sees them, and remaining. */
cli_exit_t cli_add_account(const cli_t *cli, cJSON *object,
    aigw_account_kind_t kind, uint64_t id, int64_t quota_nano);

/* cli_signal.c: what goes on for long: ^C of it, and its progress. */
void cli_catch_interrupt(void);
int cli_interrupted(void);
/* What was printed goes out; CLI_INTERRUPTED: there was, or came, a ^C. */
cli_exit_t cli_pause(const cli_t *cli, unsigned ms);
int cli_shows_progress(const cli_t *cli);

/* cli_find.c: things by name or id; they explain what they do not find. What
   is not the caller's is not found. */
/* Whose things alone count, or 0. */
uint64_t cli_scope(const cli_t *cli);
/* Is the project the caller's? */
int cli_is_mine(const cli_t *cli, uint64_t project_id);
cli_exit_t cli_find_user(const cli_t *cli, const char *which,
    aigw_user_t *user);
cli_exit_t cli_find_project(const cli_t *cli, const char *which,
    aigw_project_t *project);
/* project NULL: an id, or a name that only one project has. */
cli_exit_t cli_find_key(const cli_t *cli, const aigw_project_t *project,
    const char *which, aigw_key_t *key);
/* The same for ids that records hold; AIGW_ENOTFOUND is no surprise. */
aigw_err_t cli_get_user(const cli_t *cli, uint64_t id, aigw_user_t *user);
aigw_err_t cli_get_project(const cli_t *cli, uint64_t id,
    aigw_project_t *project);
/* 1: an id had this name, or has it; of: whose it is (key: its project). 0: no
   thing ever had this id. */
int cli_name_of(const cli_t *cli, aigw_account_kind_t kind, uint64_t id,
    char name[AIGW_NAME_MAX + 1], uint64_t *of);
/* 1: which is the id of a deleted thing, whose rows are still there. */
int cli_is_gone(const cli_t *cli, aigw_account_kind_t kind,
    const char *which, uint64_t *id);
/* The answer of every delete. */
void cli_answer_deleted(cli_t *cli, uint64_t id, const char *name);

/* cli_list.c: what all lists have in common, --limit and --cursor. */
typedef struct {
    const char    *what;              /* "users" */
    size_t         size;              /* of a thing */
    /* Those behind cursor (NULL: from the first); AIGW_EINVAL: no cursor. */
    aigw_err_t   (*list)(const cli_t *cli, const void *of, const char *cursor,
                         void *things, size_t max, size_t *n);
    cli_exit_t   (*add)(const cli_t *cli, cJSON *object, const void *thing);
    void         (*cursor)(const void *thing, char text[CLI_CURSOR_LEN + 1]);
    /* Is it the caller's? NULL: all are. */
    int          (*mine)(const cli_t *cli, const void *thing);
} cli_lister_t;

/* Answers with a list; `of` is handed on. */
cli_exit_t cli_list(cli_t *cli, const cli_lister_t *lister, const void *of);
/* Cursors that are ids, NULL is 0. */
aigw_err_t cli_parse_cursor_id(const char *cursor, uint64_t *id) AIGW_CHECKED;
void cli_format_cursor_id(uint64_t id, char text[CLI_CURSOR_LEN + 1]);


/* The commands, each in its noun's file. */
cli_exit_t cmd_store_init(cli_t *cli);
cli_exit_t cmd_store_stats(cli_t *cli);
cli_exit_t cmd_store_backup(cli_t *cli);
cli_exit_t cmd_store_verify(cli_t *cli);
cli_exit_t cmd_store_prune(cli_t *cli);
cli_exit_t cmd_store_export(cli_t *cli);
cli_exit_t cmd_store_import(cli_t *cli);
/* What to say of a call that is not there, or NULL. Lives on. */
const char *cmd_prune_hint(const cli_t *cli,
    const uint8_t id[AIGW_ROW_ID_LEN]);
/* Warns where a report needs rows that were pruned. */
void cmd_prune_warn(const cli_t *cli, const aigw_row_filter_t *filter);

cli_exit_t cmd_setting_list(cli_t *cli);
cli_exit_t cmd_setting_set(cli_t *cli);
/* What counts for a setting: its value, else its default, else nothing. */
cli_exit_t cmd_setting_get(const cli_t *cli, const char *name,
    char value[AIGW_VALUE_MAX + 1]);

cli_exit_t cmd_user_create(cli_t *cli);
cli_exit_t cmd_user_list(cli_t *cli);
cli_exit_t cmd_user_show(cli_t *cli);
cli_exit_t cmd_user_set(cli_t *cli);
cli_exit_t cmd_user_delete(cli_t *cli);
cli_exit_t cmd_user_disable(cli_t *cli);
cli_exit_t cmd_user_enable(cli_t *cli);
/* A user's fields become the answer, with has_password. */
cli_exit_t cmd_user_answer(cli_t *cli, const aigw_user_t *user);

cli_exit_t cmd_project_create(cli_t *cli);
cli_exit_t cmd_project_list(cli_t *cli);
cli_exit_t cmd_project_show(cli_t *cli);
cli_exit_t cmd_project_set(cli_t *cli);
cli_exit_t cmd_project_delete(cli_t *cli);
cli_exit_t cmd_project_disable(cli_t *cli);
cli_exit_t cmd_project_enable(cli_t *cli);
/* Enabled with its user, and not expired. */
cli_exit_t cmd_project_is_active(const cli_t *cli,
    const aigw_project_t *project, int *active);

/* cmd_credit.c */
cli_exit_t cmd_project_credit(cli_t *cli);
cli_exit_t cmd_log_refund(cli_t *cli);

cli_exit_t cmd_key_create(cli_t *cli);
cli_exit_t cmd_key_list(cli_t *cli);
cli_exit_t cmd_key_show(cli_t *cli);
cli_exit_t cmd_key_set(cli_t *cli);
cli_exit_t cmd_key_disable(cli_t *cli);
cli_exit_t cmd_key_enable(cli_t *cli);
cli_exit_t cmd_key_rotate(cli_t *cli);
cli_exit_t cmd_key_revoke(cli_t *cli);
cli_exit_t cmd_key_delete(cli_t *cli);
/* The key that the first argument and --project name. */
cli_exit_t cmd_key_find(const cli_t *cli, aigw_key_t *key);
/* A key's fields become the answer. */
cli_exit_t cmd_key_answer(cli_t *cli, const aigw_key_t *key);
/* Fills key with a new secret's hash and what may be shown of it. */
cli_exit_t cmd_key_generate(const cli_t *cli, aigw_key_t *key,
    char secret[AIGW_KEY_LEN + 1]);
/* Adds key and base_url to the answer, and the next step. */
cli_exit_t cmd_key_reveal(cli_t *cli, const char *secret);

cli_exit_t cmd_price_set(cli_t *cli);
cli_exit_t cmd_price_list(cli_t *cli);
cli_exit_t cmd_price_delete(cli_t *cli);

cli_exit_t cmd_model_set(cli_t *cli);
cli_exit_t cmd_model_list(cli_t *cli);
cli_exit_t cmd_model_delete(cli_t *cli);

cli_exit_t cmd_upstream_set(cli_t *cli);
cli_exit_t cmd_upstream_list(cli_t *cli);
cli_exit_t cmd_upstream_test(cli_t *cli);

cli_exit_t cmd_log_list(cli_t *cli);
cli_exit_t cmd_log_show(cli_t *cli);
cli_exit_t cmd_log_tail(cli_t *cli);
/* Which calls: --project and --tag, */
cli_exit_t cmd_log_filter(const cli_t *cli, aigw_row_filter_t *filter);
/* --since and --until; */
void cmd_log_range(const cli_t *cli, aigw_row_filter_t *filter);
/* further --key, --model and --status; */
cli_exit_t cmd_log_narrow(const cli_t *cli, aigw_row_filter_t *filter);
/* and a row as an object. */
cli_exit_t cmd_log_add(const cli_t *cli, cJSON *object, const void *row);
/* What is about a call, in words; into an array. */
void cmd_log_note(cJSON *notes, const char *about, const char *text);
void cmd_log_note_flags(cJSON *notes, uint16_t flags);
/* Names and ids of user, project and key. */
void cmd_log_add_names(const cli_t *cli, cJSON *object,
    const aigw_row_t *row);
/* The row of an id, after cli_report. */
cli_exit_t cmd_log_find(cli_t *cli, const char *id, aigw_row_t *row);
/* The same, if it is a call's. */
cli_exit_t cmd_log_find_call(cli_t *cli, const char *id, aigw_row_t *row);

cli_exit_t cmd_usage_show(cli_t *cli);

cli_exit_t cmd_reconcile(cli_t *cli);

cli_exit_t cmd_top(cli_t *cli);

cli_exit_t cmd_explain(cli_t *cli);

cli_exit_t cmd_serve(cli_t *cli);

cli_exit_t cmd_help(cli_t *cli);
/* --help, for the command or noun that it stands with. */
cli_exit_t cmd_help_about(cli_t *cli);

#endif /* CLI_H */
