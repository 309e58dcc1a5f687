/*
 * What each field of the answers is, in one table: tables for people, `help
 * --json` and the OpenAPI document read it. A field means the same wherever it
 * stands, but for the few that are in here more than once.
 */

#include <string.h>

#include "cli.h"


/* of: the nouns, or commands ("project credit"), for which alone a line is; the
   first that fits counts. */
typedef struct {
    const char   *names;
    const char   *of;
    cli_field_t   field;
} line_t;

static const line_t  lines[] = {
    { "id", "project credit",
      { CLI_FIELD_TEXT, 0, NULL, "of the booking" } },
    { "id", "user,project,key,upstream,session",
      { CLI_FIELD_ID, 0, NULL, "of this thing for ever" } },
    { "id", "store",
      { CLI_FIELD_TEXT, 1, NULL, NULL } },
    { "id", "invite",
      { CLI_FIELD_TEXT, 0, NULL, "the first 12 hex digits of its hash" } },
    { "id", NULL,
      { CLI_FIELD_TEXT, 0, NULL, "`x-request-id` of a call, or of a booking" }
    },
    { "user_id,project_id,key_id,group_id,account_id,seq,log_user,"
      "master_user,remote_id", NULL,
      { CLI_FIELD_ID, 1, NULL, NULL } },

    { "seq", "audit list",
      { CLI_FIELD_ID, 0, NULL, "of the record: 1, 2, 3 ..." } },
    { "object_id", NULL,
      { CLI_FIELD_ID, 1, NULL, "`null`: things of its kind have none" } },
    { "actor_id", NULL,
      { CLI_FIELD_COUNT, 1, NULL, "of the user; of a shell the uid" } },
    { "via", NULL,
      { CLI_FIELD_CHOICE, 0, "shell|api|system", "how it came" } },
    { "before", "audit",
      { CLI_FIELD_MEMBERS, 1, NULL, "of what differs; `null`: it was not" } },
    { "after", "audit",
      { CLI_FIELD_MEMBERS, 1, NULL, "of what differs; `null`: it is gone" } },
    { "records", NULL,
      { CLI_FIELD_COUNT, 0, NULL, "that are as they were written" } },
    { "sound", NULL,
      { CLI_FIELD_SWITCH, 0, NULL, NULL } },
    { "fault", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "of the record `seq`" } },
    { "head", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "of the last record, to be kept elsewhere" } },
    { "name", "audit",
      { CLI_FIELD_TEXT, 1, NULL, "that it had then" } },

    { "version", "help",
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "kind", "invite",
      { CLI_FIELD_CHOICE, 0, "link|invite|bootstrap", NULL } },
    { "role", "invite",
      { CLI_FIELD_CHOICE, 1, "member|auditor|admin",
        "of who takes it; `null` of a link" } },
    { "role", NULL,
      { CLI_FIELD_CHOICE, 0, "member|auditor|admin", NULL } },
    { "state", "subkey,upstream orphans",
      { CLI_FIELD_CHOICE, 0,
        "planned|active|retiring|forgotten|unknown|gone", NULL } },
    { "group,upstream", "upstream,subkey",
      { CLI_FIELD_TEXT, 1, NULL, NULL } },
    { "driver", NULL,
      { CLI_FIELD_CHOICE, 0, "none|newapi|seed", NULL } },
    { "there", NULL,
      { CLI_FIELD_SWITCH, 1, NULL, "`null`: nobody can tell" } },
    { "quota_per_unit", NULL,
      { CLI_FIELD_COUNT, 1, NULL, NULL } },
    { "cap", NULL,
      { CLI_FIELD_CHOICE, 0, "clamp|strict", "how hard the quota is" } },
    { "disconnect", NULL,
      { CLI_FIELD_CHOICE, 0, "drain|abort",
        "what a client's end does to a call" } },
    { "kind", NULL,
      { CLI_FIELD_CHOICE, 0, "call|credit|refund", NULL } },
    { "settled", NULL,
      { CLI_FIELD_CHOICE, 1, "exact|estimated|partial|void|unknown",
        "`null` of a refused call" } },

    { "socket", NULL,
      { CLI_FIELD_TEXT, 0, NULL, "where it was" } },
    { "bootstrap_token", NULL,
      { CLI_FIELD_TEXT, 1, NULL,
        "shown this once: gives an admin its first password" } },

    { "token", "session",
      { CLI_FIELD_TEXT, 1, NULL, "for `Authorization: Bearer`; `null` if it is"
        " in the cookie" } },
    { "token", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "shown this once" } },
    { "csrf_token", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "for `X-CSRF-Token`, with the cookie" } },
    { "code,message", "error",
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "token_type", NULL,
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "hint", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "what may help" } },
    { "url", "user,invite",
      { CLI_FIELD_TEXT, 1, NULL,
        "the same as a link, if the setting admin_url is set" } },
    { "has_password", NULL,
      { CLI_FIELD_SWITCH, 0, NULL, NULL } },
    { "uses_left", NULL,
      { CLI_FIELD_COUNT, 0, NULL, NULL } },
    { "default", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "what counts unless it is set" } },

    { "project", "project create",
      { CLI_FIELD_OBJECT, 0, "project show", NULL } },
    { "key", "project create,key",
      { CLI_FIELD_TEXT, 1, NULL,
        "shown this once; `null` if it was there already" } },
    { "project", "key",
      { CLI_FIELD_TEXT, 0, NULL, "its name" } },
    { "user,project,key", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "its name" } },

    { "prompt,completion", "model",
      { CLI_FIELD_AMOUNT, 1, NULL, "per million tokens; `null`: no price" } },
    { "prompt,completion,cached,cache_write,reasoning", NULL,
      { CLI_FIELD_AMOUNT, 1, NULL, "per million tokens" } },
    { "quota,remaining", NULL,
      { CLI_FIELD_AMOUNT, 1, NULL, "`null`: unlimited" } },
    { "spent", NULL,
      { CLI_FIELD_SUM, 0, NULL, "the sum of its calls' costs" } },
    { "held", NULL,
      { CLI_FIELD_AMOUNT, 0, NULL, "by calls in flight" } },
    { "hold", NULL,
      { CLI_FIELD_AMOUNT, 0, NULL, "while it was in flight" } },
    { "returned,refunded,used", NULL,
      { CLI_FIELD_AMOUNT, 0, NULL, NULL } },
    { "cost,their_cost,difference,balance", NULL,
      { CLI_FIELD_SUM, 0, NULL, NULL } },
    { "would_hold,per_million", NULL,
      { CLI_FIELD_AMOUNT, 1, NULL, NULL } },
    { "exact_cost,amount", NULL,
      { CLI_FIELD_EXACT, 1, NULL, "before it is rounded" } },

    { "time", "audit",
      { CLI_FIELD_TIME, 0, NULL, "when it was changed" } },
    { "time", NULL,
      { CLI_FIELD_TIME, 0, NULL, "when it was admitted, or booked" } },
    { "created_at", "upstream orphans",
      { CLI_FIELD_TIME, 1, NULL, "`null`: not known here" } },
    { "created_at,changed_at", NULL,
      { CLI_FIELD_TIME, 0, NULL, NULL } },
    { "from_at", NULL,
      { CLI_FIELD_TIME, 1, NULL, "`null`: from the first" } },
    { "expires_at,last_used_at", NULL,
      { CLI_FIELD_TIME, 1, NULL, "`null`: never" } },
    { "revoked_at,grace_ends_at,settled_at,price_from_at,hour_at", NULL,
      { CLI_FIELD_TIME, 1, NULL, NULL } },

    { "enabled", NULL,
      { CLI_FIELD_SWITCH, 0, NULL, "its own switch" } },
    { "active", NULL,
      { CLI_FIELD_SWITCH, 0, NULL,
        "what follows from that, all above it and the clock" } },
    { "booked", NULL,
      { CLI_FIELD_SWITCH, 0, NULL, "false: it was booked before" } },
    { "stream,reasons,deleted,admitted", NULL,
      { CLI_FIELD_SWITCH, 0, NULL, NULL } },

    { "success_rate,estimated_share", NULL,
      { CLI_FIELD_NUMBER, 0, NULL, "percent of the calls" } },
    { "percent", NULL,
      { CLI_FIELD_NUMBER, 1, NULL, NULL } },
    { "models", "store,upstream test",
      { CLI_FIELD_COUNT, 0, NULL, NULL } },
    { "prompt_tokens,completion_tokens", "top",
      { CLI_FIELD_COUNT, 1, NULL, "`null`: not known yet" } },
    { "max_output,context", NULL,
      { CLI_FIELD_COUNT, 1, NULL, "`null`: unknown" } },
    { "status,price_version,ttft_ms,would_limit", NULL,
      { CLI_FIELD_COUNT, 1, NULL, NULL } },
    { "node,prompt_tokens,completion_tokens,total_tokens,cached_tokens,"
      "reasoning_tokens,duration_ms,attempts,version,tokens,their_tokens",
      NULL,
      { CLI_FIELD_COUNT, 0, NULL, NULL } },
    { "calls,ok_calls,refused_calls,their_calls,age_ms,text_bytes,learnt",
      NULL,
      { CLI_FIELD_COUNT, 0, NULL, NULL } },
    { "users,projects,keys,prices,upstreams,rows,rollups,schema,lines,bytes,"
      "rows_left,control_bytes,usage_bytes,control_map_bytes,"
      "usage_map_bytes,control_readers,usage_readers", NULL,
      { CLI_FIELD_COUNT, 0, NULL, NULL } },
    { "accounts", "explain",
      { CLI_FIELD_OBJECTS, 0, "account,name,quota,spent,held,remaining",
        NULL } },
    { "accounts,journals,undrained,refusals_unlogged", NULL,
      { CLI_FIELD_COUNT, 1, NULL, NULL } },
    { "journal", "top",
      { CLI_FIELD_COUNT, 0, NULL, NULL } },

    { "models", NULL,
      { CLI_FIELD_WORDS, 0, NULL, "patterns that a model's name may match" } },
    { "flags", NULL,
      { CLI_FIELD_WORDS, 0, NULL, "what else is to be said of it" } },
    { "parts", NULL,
      { CLI_FIELD_OBJECTS, 0, "part,tokens,per_million,amount",
        "the tokens by their prices" } },
    { "rules", NULL,
      { CLI_FIELD_OBJECTS, 0, "rule,of,result,why", NULL } },
    { "notes", NULL,
      { CLI_FIELD_OBJECTS, 0, "about,note", NULL } },

    { "verdict", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "`ok`, or the code of the refusal" } },
    { "name", "store",
      { CLI_FIELD_TEXT, 1, NULL, NULL } },
    { "model", "price,reconcile",
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "value", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "`null`: not set" } },
    { "actor,action,object,hash", NULL,
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "from", NULL,
      { CLI_FIELD_TEXT, 1, NULL, "a terminal, an address" } },
    { "name,prefix,last4,url,state,day,finding,part,about,rule,result",
      NULL,
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "account", "explain",
      { CLI_FIELD_TEXT, 0, NULL, NULL } },
    { "alias_of,base_url,tag,model,route,error,ref,note,price_model,target,"
      "now,binds,binds_of,of,why,group,account,field,expected,found,journal,"
      "path,live_path,key_file,admin,before", NULL,
      { CLI_FIELD_TEXT, 1, NULL, NULL } },

    { "commands,global_options,exit_codes", "help",
      { CLI_FIELD_OBJECTS, 0, NULL, NULL } }
};


static int
is_of(const char *of, const cli_command_t *command)
{
    char  name[CLI_TEXT_LEN];

    if (of == NULL) {
        return 1;
    }

    snprintf(name, sizeof(name), "%s %s", command->noun,
             command->verb != NULL ? command->verb : "");

    return cli_has_word(of, command->noun) || cli_has_word(of, name);
}


const cli_field_t *
cli_find_field(const cli_command_t *command, const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (is_of(lines[i].of, command)
            && cli_has_word(lines[i].names, name))
        {
            return &lines[i].field;
        }
    }

    return NULL;
}


int
cli_field_is(const char *name, cli_field_kind_t from, cli_field_kind_t to)
{
    size_t  i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].field.kind >= from && lines[i].field.kind <= to
            && cli_has_word(lines[i].names, name))
        {
            return 1;
        }
    }

    return 0;
}


const char *
cli_field_kind_name(cli_field_kind_t kind)
{
    static const char  *const names[] = {
        [CLI_FIELD_TEXT] = "text", [CLI_FIELD_CHOICE] = "choice",
        [CLI_FIELD_TIME] = "time", [CLI_FIELD_AMOUNT] = "amount",
        [CLI_FIELD_SUM] = "sum", [CLI_FIELD_EXACT] = "exact",
        [CLI_FIELD_ID] = "id", [CLI_FIELD_COUNT] = "count",
        [CLI_FIELD_NUMBER] = "number", [CLI_FIELD_SWITCH] = "switch",
        [CLI_FIELD_WORDS] = "words", [CLI_FIELD_OBJECT] = "object",
        [CLI_FIELD_OBJECTS] = "objects", [CLI_FIELD_MEMBERS] = "members"
    };

    return names[kind];
}
