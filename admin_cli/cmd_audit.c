/*
 * aigw audit: who changed what, newest first, and whether all of it is still
 * what was written. Also how commands tell the log of what they did in usage.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_store_audit.h"
#include "cmd_audit.h"


#define HASH_TEXT  (2 * AIGW_AUDIT_HASH_LEN)
#define HEAD_TEXT  (HASH_TEXT + 24)    /* "12:9f86..." */


static void
format_hash(const uint8_t hash[AIGW_AUDIT_HASH_LEN], char text[HASH_TEXT + 1])
{
    size_t  i;

    for (i = 0; i < AIGW_AUDIT_HASH_LEN; i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
}


/* What is in the store may have bytes that are no UTF-8, as an export has them:
   \udc80 for 0x80, which decoders of JSON do not like. */
static void
mend(const char *text, char *to)
{
    while (*text != '\0') {
        if (strncmp(text, "\\udc", 4) == 0 && strlen(text) >= 6) {
            memcpy(to, "\xef\xbf\xbd", 3);
            text += 6;
            to += 3;
            continue;
        }

        if (*text == '\\' && text[1] != '\0') {
            *to++ = *text++;
        }

        *to++ = *text++;
    }

    *to = '\0';
}


/* An object; what is none any more as text; nothing as null. */
static void
add_json(cJSON *object, const char *name, const char *text)
{
    char    mended[AIGW_AUDIT_JSON_MAX + 1];
    cJSON  *value;

    mend(text, mended);
    value = cJSON_Parse(mended);

    if (cJSON_IsObject(value)) {
        cJSON_AddItemToObject(object, name, value);
        return;
    }

    cJSON_Delete(value);
    cli_add_text(object, name, text[0] != '\0' ? text : NULL);
}


static cli_exit_t
add_record(const cli_t *cli, cJSON *object, const void *thing)
{
    char                 hash[HASH_TEXT + 1];
    const aigw_audit_t  *a = thing;
    const char          *via = aigw_record_actor_name(a->actor.kind);

    (void) cli;

    cli_add_id(object, "seq", a->seq);
    cli_add_time(object, "time", a->time_ms);
    cli_add_text(object, "actor", a->actor.name[0] ? a->actor.name : via);

    if (a->actor.kind == AIGW_ACTOR_SYSTEM) {
        cJSON_AddNullToObject(object, "actor_id");
    } else {
        cli_add_count(object, "actor_id", (int64_t) a->actor.id);
    }

    cli_add_text(object, "via", via);
    cli_add_text(object, "from", a->actor.from[0] ? a->actor.from : NULL);
    cli_add_text(object, "action", a->action);
    cli_add_text(object, "object", a->object);
    cli_add_id(object, "object_id", a->object_id);
    cli_add_text(object, "name", a->name[0] ? a->name : NULL);
    add_json(object, "before", a->before);
    add_json(object, "after", a->after);
    format_hash(a->hash, hash);
    cli_add_text(object, "hash", hash);

    return CLI_OK;
}


static aigw_err_t
list_records(const cli_t *cli, const void *of, const char *cursor,
    void *things, size_t max, size_t *n)
{
    uint64_t    before;
    aigw_err_t  err;

    err = cli_parse_cursor_id(cursor, &before);

    return err != AIGW_OK ? err
           : aigw_store_list_audit(cli->store, of, before, things, max, n);
}


static void
cursor_of(const void *thing, char text[CLI_CURSOR_LEN + 1])
{
    cli_format_cursor_id(((const aigw_audit_t *) thing)->seq, text);
}


/* "project", or "project/demo". */
static void
take_object(const char *text, aigw_audit_filter_t *filter)
{
    const char  *slash = strchr(text, '/');

    filter->object = cli_str(text);

    if (slash != NULL) {
        filter->object.len = (size_t) (slash - text);
        filter->name = cli_str(slash + 1);
    }
}


cli_exit_t
cmd_audit_list(cli_t *cli)
{
    const cli_value_t    *option;
    aigw_audit_filter_t   filter = { 0 };

    static const cli_lister_t  lister = {
        "audit records", sizeof(aigw_audit_t), list_records, add_record,
        cursor_of, NULL
    };

    filter.since_ms = cli_option(cli, "since")->number;
    filter.until_ms = cli_option(cli, "until")->number;

    option = cli_option(cli, "actor");

    if (option->text != NULL) {
        filter.actor = cli_str(option->text);
    }

    option = cli_option(cli, "object");

    if (option->text != NULL) {
        take_object(option->text, &filter);
    }

    return cli_list(cli, &lister, &filter);
}


/* What an earlier verify has told. CLI_OK and seq 0: nothing was given. */
static cli_exit_t
take_head(const cli_t *cli, uint64_t *seq, const char **hash)
{
    char        *end;
    const char  *text = cli_option(cli, "head")->text;

    *seq = 0;

    if (text == NULL) {
        return CLI_OK;
    }

    if (text[0] >= '1' && text[0] <= '9') {
        *seq = strtoull(text, &end, 10);
        *hash = end + 1;

        if (*end == ':' && strlen(*hash) == HASH_TEXT
            && strspn(*hash, "0123456789abcdef") == HASH_TEXT)
        {
            return CLI_OK;
        }
    }

    return cli_fail(cli, CLI_USAGE, "it is what `head` of an earlier verify"
                    " said", "--head: '%s' is not one", text);
}


/* Is the record of that number, in a chain that holds, still the one that it
   was? Else someone has made a chain of their own. */
static aigw_err_t
check_head(const cli_t *cli, uint64_t seq, const char *known, int *same)
{
    char                 text[HASH_TEXT + 1];
    size_t               n = 0;
    aigw_err_t           err;
    aigw_audit_t         a;
    aigw_audit_filter_t  all = { 0 };

    err = aigw_store_list_audit(cli->store, &all, seq + 1, &a, 1, &n);

    if (err == AIGW_OK) {
        *same = 0;

        if (n == 1 && a.seq == seq) {
            format_hash(a.hash, text);
            *same = strcmp(text, known) == 0;
        }
    }

    return err;
}


static void
answer_verify(cli_t *cli, const aigw_audit_check_t *check, const char *fault)
{
    char  hash[HASH_TEXT + 1], head[HEAD_TEXT + 1];

    format_hash(check->hash, hash);
    snprintf(head, sizeof(head), "%" PRIu64 ":%s", check->records, hash);

    cli->answer = cJSON_CreateObject();
    cli_add_count(cli->answer, "records", (int64_t) check->records);
    cJSON_AddBoolToObject(cli->answer, "sound", fault == NULL);
    cli_add_text(cli->answer, "fault", fault);
    cli_add_id(cli->answer, "seq", check->seq);
    cli_add_text(cli->answer, "head", check->records > 0 ? head : NULL);
}


/* A shell gets an exit code, too. */
static cli_exit_t
fail_verify(cli_t *cli, const aigw_audit_check_t *check)
{
    static const char *const  what[AIGW_AUDIT_FAULTS] = {
        [AIGW_AUDIT_SOUND] = "is not the one that --head knows",
        [AIGW_AUDIT_MISSING] = "is missing",
        [AIGW_AUDIT_UNREADABLE] = "cannot be read",
        [AIGW_AUDIT_CHANGED] = "is not what was written behind the one before",
        [AIGW_AUDIT_CUT] = "is missing, and all behind it",
        [AIGW_AUDIT_UNKNOWN] = "was put in behind the last one",
        [AIGW_AUDIT_OTHER_END] = "is not the last one that was written"
    };

    if (cli->caller != NULL) {
        return CLI_OK;
    }

    cli_print(cli);
    fflush(stdout);

    return cli_fail(cli, CLI_FAILED, "a backup from before shows what it was:"
                    " aigw audit list --store BACKUP", "the audit log was"
                    " tampered with, or is damaged: record %" PRIu64 " %s",
                    check->seq, what[check->fault]);
}


cli_exit_t
cmd_audit_verify(cli_t *cli)
{
    int                  same = 1;
    uint64_t             seq;
    aigw_err_t           err;
    cli_exit_t           code;
    const char          *hash = NULL, *fault = NULL;
    aigw_audit_check_t   check;

    code = take_head(cli, &seq, &hash);
    if (code != CLI_OK) {
        return code;
    }

    err = aigw_store_verify_audit(cli->store, &check);

    if (err == AIGW_OK && check.fault == AIGW_AUDIT_SOUND && seq != 0) {
        err = check_head(cli, seq, hash, &same);
    }

    if (err != AIGW_OK) {
        return cli_fail_store(cli, err, "the audit log", NULL);
    }

    if (check.fault != AIGW_AUDIT_SOUND) {
        fault = aigw_store_audit_fault_name(check.fault);

    } else if (!same) {
        fault = "other_head";
        check.seq = seq;
    }

    answer_verify(cli, &check, fault);

    /* to a shell the status says it; `sound` to programs */

    if (fault != NULL && cli->caller == NULL) {
        return fail_verify(cli, &check);
    }

    snprintf(cli->next, sizeof(cli->next), "%" PRIu64 " records, each as it was"
             " written; keep `head` elsewhere, and --head proves it later",
             check.records);

    return CLI_OK;
}


cli_exit_t
cmd_audit_note(const cli_t *cli, const char *action, const char *object,
    uint64_t id, const char *name, const cJSON *after)
{
    aigw_err_t    err;
    aigw_audit_t  audit;

    if (cli->dry_run) {
        return CLI_OK;
    }

    memset(&audit, 0, sizeof(audit));
    snprintf(audit.action, sizeof(audit.action), "%s", action);
    snprintf(audit.object, sizeof(audit.object), "%s", object);
    snprintf(audit.name, sizeof(audit.name), "%s", name);
    audit.object_id = id;

    if (after != NULL
        && !cJSON_PrintPreallocated((cJSON *) after, audit.after,
                                    sizeof(audit.after), 0))
    {
        audit.after[0] = '\0';
    }

    err = aigw_store_audit_note(cli->store, &audit);

    return err == AIGW_OK ? CLI_OK
           : cli_fail(cli, cli_exit_of(err), NULL, "it is done, but the audit"
                      " log could not be told: %s", aigw_strerror(err));
}
