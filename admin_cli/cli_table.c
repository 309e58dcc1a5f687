/*
 * The one command table: parsing, help, `help --json` and the test that walks
 * over all commands read it. Nothing about a command is said anywhere else.
 */

#include "cli_table.h"
#include "cmd_audit.h"
#include "cmd_login.h"


const cli_option_t  cli_globals[] = {
    { "store", CLI_TEXT, "DIR", "the store (or AIGW_STORE)", 0, 0 },
    { "json", CLI_FLAG, NULL, "answers and errors as JSON", 0, 0 },
    { "output", CLI_CHOICE, "table|json|csv|name", "the form of answers",
      'o', 0 },
    { "columns", CLI_TEXT, "LIST", "these fields, in this order", 0, 0 },
    { "no-header", CLI_FLAG, NULL, "tables and CSV without headings", 0, 0 },
    { "quiet", CLI_FLAG, NULL, "ids only, no hints", 'q', 0 },
    { "yes", CLI_FLAG, NULL, "do not ask", 0, 0 },
    { "dry-run", CLI_FLAG, NULL, "do all but change something", 0, 0 },
    { "help", CLI_FLAG, NULL, "about a command", 'h', 0 },
    { "version", CLI_FLAG, NULL, "of this program", 0, 0 },
    END
};


const cli_command_t  cli_commands[] = {

    { "store", "init", cmd_store_init, CLI_CHANGES,
      LIST(ARG("DIR", CLI_TEXT, "where; missing or empty")),
      LIST(OPT("group", CLI_TEXT, "NAME",
               "of nginx's workers (as root: www-data)")),
      "make a new store with user admin and price '*'",
      "aigw store init /var/lib/aigw",
      "path,id,group,key_file,admin,bootstrap_token", NULL, NULL, 0 },

    { "store", "stats", cmd_store_stats, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL, NULL, "what the store holds and how large it is",
      "aigw store stats", STATS_FIELDS, NULL, NULL, 0 },

    { "store", "backup", cmd_store_backup,
      CLI_NEEDS_STORE|CLI_NEEDS_USAGE|CLI_CHANGES,
      LIST(ARG("DIR", CLI_TEXT, "where to; not there yet")), NULL,
      "copy it while it serves, but for the key file",
      "aigw store backup /var/lib/aigw-backup", "path,id,rows,key_file", NULL,
      NULL, 0 },

    { "store", "verify", cmd_store_verify, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL, NULL,
      "do rows, sums and counters agree? (the file may grow meanwhile)",
      "aigw store verify", VERIFY_FIELDS, NULL, VERIFY_COLUMNS, 1 },

    { "store", "prune", cmd_store_prune,
      CLI_NEEDS_WRITE|CLI_NEEDS_USAGE, NULL,
      LIST(MUST("before", CLI_PAST, "90d|TIME", "of calls admitted before it")),
      "delete old rows; sums and reports by the hour stay",
      "aigw store prune --before 365d --yes",
      "before,rows,cost,rows_left", NULL, NULL, 0 },

    { "store", "export", cmd_store_export, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      LIST(MAYBE("FILE", CLI_TEXT, "a new one (stdout)")), NULL,
      "write all of it as lines of JSON, while it serves; no key is in it",
      "aigw store export aigw.jsonl", "path,lines,rows,bytes", NULL, NULL, 0 },

    { "store", "import", cmd_store_import, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(ARG("FILE", CLI_TEXT, "of an export, or - for stdin")), NULL,
      "read an export into a store that `init` has just made",
      "aigw store import aigw.jsonl --store /var/lib/aigw2 --yes",
      "path,lines,rows", NULL, NULL, 0 },

    { "setting", "list", cmd_setting_list, CLI_NEEDS_STORE,
      NULL, NULL, "the settings that there are", "aigw setting list",
      "name,value,default", NULL, NULL, 1 },

    { "setting", "set", cmd_setting_set, CLI_NEEDS_WRITE,
      LIST(ARG("NAME", CLI_TEXT, "of the setting"),
           ARG("VALUE", CLI_ANY, "empty to remove it")),
      NULL, "set one", "aigw setting set base_url https://ai.example.com/v1",
      "name,value,default", NULL, NULL, 0 },

    { "user", "create", cmd_user_create, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(ARG("NAME", CLI_NAME, "of the new user")),
      LIST(ROLES, QUOTA, FLAG("password", "ask for one, or read stdin"),
           ABSENT),
      "make a user, to whom projects belong",
      "aigw user create ana --quota 25", ONE_USER_FIELDS, NULL, NULL, 0 },

    { "user", "list", cmd_user_list, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL, LIST(PAGE), "all users, newest first", "aigw user list",
      USER_FIELDS, NULL, NULL, 1 },

    { "user", "show", cmd_user_show, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "one user", "aigw user show admin",
      ONE_USER_FIELDS, NULL, NULL, 0 },

    { "user", "set", cmd_user_set, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH),
      LIST(QUOTA, ROLES, RENAME),
      "change some of what a user is", "aigw user set ana --quota 50",
      ONE_USER_FIELDS, NULL, NULL, 0 },

    { "user", "disable", cmd_user_disable, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "refuse all keys of a user's projects",
      "aigw user disable ana", ONE_USER_FIELDS, NULL, NULL, 0 },

    { "user", "enable", cmd_user_enable, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "undo disable", "aigw user enable ana",
      ONE_USER_FIELDS, NULL, NULL, 0 },

    { "user", "password", cmd_user_password, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "give a user a password: asked for, or one of stdin",
      "aigw user password ana <password.txt", ONE_USER_FIELDS, NULL,
      NULL, 0 },

    { "user", "link", cmd_user_link, CLI_NEEDS_WRITE,
      LIST(WHICH), LIST(OPT("expires", CLI_AHEAD, "15m|TIME",
                            "good until then (15m)")),
      "a link that logs a user in, once", "aigw user link ana --expires 1h",
      "user,url,token,expires_at", NULL, NULL, 0 },

    { "user", "delete", cmd_user_delete, CLI_NEEDS_WRITE,
      LIST(WHICH), NULL, "delete a user who has no projects; calls stay",
      "aigw user delete eve --yes", GONE_FIELDS, NULL, NULL, 0 },

    { "invite", "create", cmd_invite_create, CLI_NEEDS_WRITE, NULL,
      LIST(OPT("role", CLI_CHOICE, "member|auditor|admin",
               "of who takes it (member)"),
           OPT("quota", CLI_LIMIT, "N",
               "what one may spend (member: signup_quota)"),
           OPT("expires", CLI_AHEAD, "7d|TIME", "good until then (7d)"),
           OPT("uses", CLI_COUNT, "N", "how many may take it (1)")),
      "a link with which somebody makes an account",
      "aigw invite create --quota 20 --expires 2d",
      INVITE_FIELDS ",url,token", NULL, NULL, 0 },

    { "invite", "list", cmd_invite_list, CLI_NEEDS_STORE, NULL, LIST(PAGE),
      "invitations and links that are still good, newest first",
      "aigw invite list", INVITE_FIELDS, NULL, NULL, 1 },

    { "invite", "delete", cmd_invite_delete, CLI_NEEDS_WRITE,
      LIST(ARG("ID", CLI_TEXT, "as `invite list` shows it")), NULL,
      "take one back",
      "aigw invite delete $(aigw invite list -q --limit 1) --yes",
      "id,deleted", NULL, NULL, 0 },

    { "project", "create", cmd_project_create,
      CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(ARG("NAME", CLI_NAME, "of the new project")),
      LIST(OPT("user", CLI_TEXT, "U", "whose (admin)"), QUOTA, MODELS,
           EXPIRES, CAP, LEAVING, ABSENT),
      "make a project and its first key, shown once",
      "aigw project create demo --quota 25 --models 'gpt-4o*' --expires 30d",
      "project,key,base_url", PROJECT_FIELDS, NULL, 0 },

    { "project", "list", cmd_project_list, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL, LIST(PAGE), "all projects, newest first",
      "aigw project list", PROJECT_FIELDS, NULL, PROJECT_COLUMNS, 1 },

    { "project", "show", cmd_project_show, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "one project", "aigw project show demo",
      PROJECT_FIELDS, NULL, NULL, 0 },

    { "project", "set", cmd_project_set, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH),
      LIST(QUOTA, MODELS, EXPIRES, OPT("user", CLI_TEXT, "U", "whose"),
           CAP, LEAVING, RENAME),
      "change some of what a project is",
      "aigw project set demo --quota 50 --expires never",
      PROJECT_FIELDS, NULL, NULL, 0 },

    { "project", "disable", cmd_project_disable,
      CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "refuse all its keys", "aigw project disable demo",
      PROJECT_FIELDS, NULL, NULL, 0 },

    { "project", "enable", cmd_project_enable,
      CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), NULL, "undo disable", "aigw project enable demo",
      PROJECT_FIELDS, NULL, NULL, 0 },

    { "project", "delete", cmd_project_delete, CLI_NEEDS_WRITE,
      LIST(WHICH), NULL, "delete a project and its keys; calls stay",
      "aigw project delete old --yes", GONE_FIELDS, NULL, NULL, 0 },

    { "project", "credit", cmd_project_credit,
      CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH, ARG("AMOUNT", CLI_AMOUNT, "that comes off what is spent")),
      LIST(MUST("id", CLI_TEXT, "X", "its name: booked once a project"),
           OPT("note", CLI_TEXT, "T", "what it is for")),
      "give a project and its user something back, once",
      "aigw project credit demo 5 --id invoice-7 --note 'bad answers'",
      CREDIT_FIELDS ",quota,spent,held,remaining", NULL, NULL, 0 },

    { "key", "create", cmd_key_create, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      NULL,
      LIST(MUST("project", CLI_TEXT, "P", "that it belongs to"),
           OPT("name", CLI_NAME, "N", "of the key (by its prefix)"), MODELS,
           QUOTA, EXPIRES, ABSENT),
      "make a further key, shown once",
      "aigw key create --project demo --name laptop --quota 5",
      KEY_FIELDS ",key,base_url", NULL, NULL, 0 },

    { "key", "list", cmd_key_list, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL, LIST(PROJECT, PAGE), "all keys, newest first",
      "aigw key list --project demo", KEY_FIELDS, NULL, KEY_COLUMNS, 1 },

    { "key", "show", cmd_key_show, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      LIST(WHICH), LIST(PROJECT), "one key",
      "aigw key show laptop --project demo", KEY_FIELDS, NULL, NULL, 0 },

    { "key", "set", cmd_key_set, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), LIST(PROJECT, QUOTA, MODELS, EXPIRES, RENAME),
      "change some of what a key is",
      "aigw key set laptop --project demo --quota 10", KEY_FIELDS, NULL, NULL,
      0 },

    { "key", "disable", cmd_key_disable, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), LIST(PROJECT), "refuse a key until it is enabled",
      "aigw key disable laptop --project demo", KEY_FIELDS, NULL, NULL, 0 },

    { "key", "enable", cmd_key_enable, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), LIST(PROJECT), "undo disable",
      "aigw key enable laptop --project demo", KEY_FIELDS, NULL, NULL, 0 },

    { "key", "rotate", cmd_key_rotate, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH),
      LIST(PROJECT,
           OPT("grace", CLI_AHEAD, "24h|TIME", "the old one works until then")),
      "replace what a key is by another secret, shown once",
      "aigw key rotate laptop --project demo --grace 24h",
      KEY_FIELDS ",key,base_url", NULL, NULL, 0 },

    { "key", "revoke", cmd_key_revoke, CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(WHICH), LIST(PROJECT), "refuse a key for ever; it stays listed",
      "aigw key revoke laptop --project demo --yes", KEY_FIELDS, NULL, NULL,
      0 },

    { "key", "delete", cmd_key_delete, CLI_NEEDS_WRITE,
      LIST(WHICH), LIST(PROJECT), "delete a key; its calls stay",
      "aigw key delete laptop --project demo --yes", GONE_FIELDS, NULL, NULL,
      0 },

    { "price", "set", cmd_price_set, CLI_NEEDS_WRITE,
      LIST(ARG("MODEL", CLI_PRICED, "a model, or '*' for all others")),
      LIST(MUST("prompt", CLI_AMOUNT, "N", "per million prompt tokens"),
           MUST("completion", CLI_AMOUNT, "N", "per million of the answer's"),
           OPT("cached", CLI_AMOUNT, "N", "of cached ones (as prompt)"),
           OPT("cache-write", CLI_AMOUNT, "N", "of cached anew (as prompt)"),
           OPT("reasoning", CLI_AMOUNT, "N", "of thought (as completion)"),
           OPT("from", CLI_MOMENT, "TIME", "in force from then on (now)")),
      "set what a model costs",
      "aigw price set gpt-4o --prompt 2.50 --completion 10",
      PRICE_FIELDS, NULL, NULL, 0 },

    { "price", "list", cmd_price_list, CLI_NEEDS_STORE,
      NULL, LIST(PAGE), "all prices, by model, each one's newest first",
      "aigw price list", PRICE_FIELDS, NULL, PRICE_COLUMNS, 1 },

    { "price", "delete", cmd_price_delete, CLI_NEEDS_WRITE,
      LIST(ARG("MODEL", CLI_PRICED, "a model, or '*'")), NULL,
      "remove all prices of a model",
      "aigw price delete gpt-4o --yes", "model,deleted", NULL, NULL, 0 },

    { "model", "set", cmd_model_set, CLI_NEEDS_WRITE,
      LIST(ARG("NAME", CLI_MODEL, "as callers write it")),
      LIST(OPT("alias-of", CLI_TARGET, "M",
               "stands for it, at its price; '' for itself"),
           OPT("max-output", CLI_TOKENS, "N",
               "tokens that an answer has at most (unknown)"),
           OPT("context", CLI_TOKENS, "N",
               "tokens of input and answer at most (unknown)"),
           FLAG("reasoning", "it thinks before it answers"),
           FLAG("no-reasoning", "it does not"),
           FLAG("reasoning-by-name", "as its name says, the default")),
      "make a model known, so that GET /v1/models lists it",
      "aigw model set fast --alias-of gpt-4o-mini", MODEL_FIELDS, NULL, NULL,
      0 },

    { "model", "list", cmd_model_list, CLI_NEEDS_STORE,
      NULL, LIST(PAGE), "known models by name, with the price in force",
      "aigw model list", MODEL_FIELDS, NULL, MODEL_COLUMNS, 1 },

    { "model", "delete", cmd_model_delete, CLI_NEEDS_WRITE,
      LIST(ARG("NAME", CLI_MODEL, "of the model or alias")), NULL,
      "forget a model or an alias; its prices stay",
      "aigw model delete fast --yes", "name,deleted", NULL, NULL, 0 },

    { "upstream", "set", cmd_upstream_set, CLI_NEEDS_WRITE,
      LIST(ARG("NAME", CLI_NAME, "of nginx's upstream {}")),
      LIST(MUST("url", CLI_TEXT, "U", "where it is; https, but for loopback"),
           OPT("key-file", CLI_TEXT, "F", "its key (else asked for: stdin)"),
           OPT("log-token-file", CLI_TEXT, "F", "access token, for reconcile"),
           OPT("log-user", CLI_TEXT, "ID", "the number of that account")),
      "keep an upstream's URL and key, sealed",
      "aigw upstream set 4sapi --url https://4sapi.com --key-file key.txt",
      UPSTREAM_FIELDS, NULL, NULL, 0 },

    { "upstream", "list", cmd_upstream_list, CLI_NEEDS_STORE,
      NULL, LIST(PAGE), "all upstreams by name, never their keys",
      "aigw upstream list", UPSTREAM_FIELDS, NULL, NULL, 1 },

    { "upstream", "test", cmd_upstream_test, CLI_NEEDS_WRITE,
      LIST(ARG("NAME", CLI_TEXT, "of the upstream")), NULL,
      "ask it for its models, and learn them",
      "aigw upstream test 4sapi", "name,url,models,learnt,duration_ms",
      NULL, NULL, 0 },

    { "log", "list", cmd_log_list, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL,
      LIST(CALLS, SINCE, UNTIL, PAGE),
      "calls, admitted and refused, newest first",
      "aigw log list --project demo --since 24h", LOG_FIELDS, NULL,
      LOG_COLUMNS, 1 },

    { "log", "show", cmd_log_show, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      LIST(ARG("ID", CLI_TEXT, "x-request-id of the answer")), NULL,
      "one call, and how its cost came about",
      "aigw log show $(aigw log list -q --limit 1)",
      LOG_FIELDS ",price_model,price_from_at,returned,parts,exact_cost,"
      "refunded,notes",
      NULL, NULL, 0 },

    { "log", "refund", cmd_log_refund,
      CLI_NEEDS_WRITE|CLI_NEEDS_USAGE,
      LIST(ARG("ID", CLI_TEXT, "x-request-id of the answer")),
      LIST(OPT("amount", CLI_AMOUNT, "N", "a part of its cost (all of it)")),
      "give back what a call cost, once",
      "aigw log refund $(aigw log list -q --status 200 --limit 1) --yes",
      CREDIT_FIELDS, NULL, NULL, 0 },

    { "log", "tail", cmd_log_tail, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL,
      LIST(CALLS, OPT("limit", CLI_COUNT, "N", "begin so many back (10)")),
      "calls as they are settled, until ^C; with --json one a line",
      "aigw log tail --project demo", LOG_FIELDS, NULL, LOG_COLUMNS, 0 },

    { "usage", "show", cmd_usage_show, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL,
      LIST(PROJECT, TAG, SINCE, UNTIL,
           OPT("by", CLI_CHOICE, "day|model|key|user|project|tag",
               "one line for each; days are UTC's")),
      "calls, tokens and cost",
      "aigw usage show --since 30d --by model", USAGE_FIELDS,
      "group,group_id,project", NULL, 0 },

    { "audit", "list", cmd_audit_list, CLI_NEEDS_STORE, NULL,
      LIST(SINCE, UNTIL,
           OPT("actor", CLI_TEXT, "A", "by whom: a name or an id"),
           OPT("object", CLI_TEXT, "KIND[/NAME]", "project, or project/demo"),
           PAGE),
      "who changed what, from where, newest first",
      "aigw audit list --object project/demo", AUDIT_FIELDS, NULL,
      AUDIT_COLUMNS, 1 },

    { "audit", "verify", cmd_audit_verify, CLI_NEEDS_STORE, NULL,
      LIST(OPT("head", CLI_TEXT, "SEQ:HASH", "that an earlier one answered")),
      "is the audit log what was written, from its first record to its last?",
      "aigw audit verify", "records,sound,fault,seq,head", NULL, NULL, 0 },

    { "reconcile", NULL, cmd_reconcile, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      NULL,
      LIST(OPT("upstream", CLI_TEXT, "NAME", "with its log (the only one)"),
           OPT("since", CLI_PAST, "24h|TIME", "ended from then on (24h)"),
           UNTIL,
           OPT("limit", CLI_COUNT, "N", "suspects at most (100)"),
           OPT("quota-per-unit", CLI_TOKENS, "N", "of the upstream (500000)")),
      "compare the ledger with the upstream's own log, by day and model",
      "aigw reconcile --upstream 4sapi --since 7d", RECONCILE_FIELDS, NULL,
      RECONCILE_COLUMNS, 1 },

    { "top", NULL, cmd_top, CLI_NEEDS_STORE, NULL,
      LIST(PROJECT, TAG, OPT("model", CLI_TEXT, "M", "of this model"),
           OPT("by", CLI_CHOICE, "age|hold", "newest, or largest hold, first"),
           OPT("limit", CLI_COUNT, "N", "how many at most (100)"),
           FLAG("watch", "again each second, until ^C")),
      "calls that are in flight now", "aigw top --by hold", TOP_FIELDS, NULL,
      TOP_COLUMNS, 1 },

    { "explain", NULL, cmd_explain, CLI_NEEDS_STORE|CLI_NEEDS_USAGE,
      LIST(MAYBE("ID", CLI_TEXT, "x-request-id of a call")),
      LIST(OPT("key", CLI_TEXT, "K", "or: what a call of this key"), PROJECT,
           OPT("model", CLI_MODEL, "M", "for this model would get now"),
           OPT("max-tokens", CLI_TOKENS, "N", "with this limit of its own"),
           OPT("prompt-tokens", CLI_TOKENS, "N", "and a prompt of so many")),
      "why a call is let in or refused: each rule, and the one that binds",
      "aigw explain --key default --project demo --model gpt-4o",
      "target,now,binds,binds_of,would_hold,would_limit,rules,accounts",
      "id,time,verdict,admitted,error,hold,cost", NULL, 0 },

    { "serve", NULL, cmd_serve, CLI_NEEDS_STORE, NULL,
      LIST(OPT("socket", CLI_TEXT, "PATH", "where nginx finds it"
               " (/run/aigw.sock)")),
      "the admin API on a unix socket, until SIGTERM",
      "aigw serve --socket /run/aigw.sock",
      "socket", NULL, NULL, 0 },

    { "help", NULL, cmd_help, 0,
      LIST(MAYBE("COMMAND", CLI_TEXT, "a noun"),
           MAYBE("VERB", CLI_TEXT, "of it")),
      NULL, "about a command; with --json all of them", "aigw help key create",
      "version,commands,global_options,exit_codes", NULL, NULL, 0 },

    { NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 }
};
