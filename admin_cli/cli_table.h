/*
 * Words that the command table is written in: options that many commands have,
 * and lists of fields. For cli_table.c alone.
 */

#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli.h"


#define LIST(...)  (const cli_option_t[]) { __VA_ARGS__, END }
#define END        { NULL, CLI_FLAG, NULL, NULL, 0, 0 }

#define ARG(name, kind, help)            { name, kind, name, help, 0, 1 }
#define MAYBE(name, kind, help)          { name, kind, name, help, 0, 0 }
#define FLAG(name, help)                 { name, CLI_FLAG, NULL, help, 0, 0 }
#define OPT(name, kind, value, help)     { name, kind, value, help, 0, 0 }
#define MUST(name, kind, value, help)    { name, kind, value, help, 0, 1 }

#define PAGE                                                                  \
    OPT("limit", CLI_COUNT, "N", "how many at most (100)"),                   \
    OPT("cursor", CLI_TEXT, "C", "go on where `next` of a list says")
#define QUOTA    OPT("quota", CLI_LIMIT, "N", "what it may spend (unlimited)")
#define MODELS   OPT("models", CLI_MODELS, "LIST", "allowed, 'gpt-4o*,o3' (*)")
#define EXPIRES  OPT("expires", CLI_EXPIRY, "30d|TIME", "when it ends (never)")
#define RENAME   OPT("name", CLI_NAME, "N", "another name")
#define ABSENT   FLAG("if-absent", "if it is there, show it")
#define PROJECT  OPT("project", CLI_TEXT, "P", "of this project only")
#define TAG      OPT("tag", CLI_TEXT, "T", "with this tag (x-aigw-tag)")
#define SINCE    OPT("since", CLI_PAST, "24h|TIME", "from then on")
#define UNTIL    OPT("until", CLI_PAST, "1h|TIME", "before then")
#define CALLS                                                                 \
    PROJECT, OPT("key", CLI_TEXT, "K", "of this key, by name or id"),         \
    OPT("model", CLI_TEXT, "M", "for this model"),                            \
    OPT("status", CLI_STATUS, "S", "answered with this status"), TAG
#define CAP                                                                   \
    OPT("cap", CLI_CHOICE, "clamp|strict",                                    \
        "how hard its quota is (clamp)")
#define LEAVING                                                               \
    OPT("disconnect", CLI_CHOICE, "drain|abort",                              \
        "what a client's end does to a call (drain)")
#define ROLES                                                                 \
    OPT("role", CLI_CHOICE, "member|auditor|admin",                           \
        "what it may do (member)"),                                           \
    FLAG("admin", "may administer"),                                          \
    FLAG("auditor", "may look at everything"),                                \
    FLAG("member", "may see what is its own (so it begins)")
#define WHICH    ARG("WHICH", CLI_TEXT, "name or id")

#define USER_FIELDS                                                           \
    "id,name,role,quota,spent,held,remaining,enabled,active"
#define ONE_USER_FIELDS  USER_FIELDS ",has_password"
#define INVITE_FIELDS                                                         \
    "id,kind,user,role,quota,uses_left,created_at,expires_at"
#define PROJECT_FIELDS                                                        \
    "id,name,user,quota,spent,held,remaining,enabled,active,expires_at,"      \
    "models,cap,disconnect"
#define PROJECT_COLUMNS                                                       \
    "id,name,user,quota,spent,active,expires_at,models"
#define KEY_FIELDS                                                            \
    "id,name,prefix,last4,project,quota,spent,held,remaining,enabled,active," \
    "expires_at,revoked_at,grace_ends_at,last_used_at,models"
#define KEY_COLUMNS                                                           \
    "id,name,prefix,project,spent,active,expires_at"
#define GONE_FIELDS      "id,name,deleted"
#define PRICE_FIELDS                                                          \
    "model,from_at,prompt,completion,cached,cache_write,reasoning,version,"   \
    "active"
#define PRICE_COLUMNS                                                         \
    "model,from_at,prompt,completion,cached,cache_write,reasoning,active"
#define MODEL_FIELDS                                                          \
    "name,alias_of,created_at,prompt,completion,max_output,context,reasons"
#define MODEL_COLUMNS                                                         \
    "name,alias_of,prompt,completion,max_output,context,reasons"
#define UPSTREAM_FIELDS                                                       \
    "id,name,url,created_at,changed_at,log_user,driver,master_user,group,"    \
    "quota_per_unit"
#define UPSTREAM_COLUMNS "id,name,url,changed_at,log_user,driver"
#define SUBKEY_FIELDS                                                         \
    "name,project,project_id,upstream,state,remote_id,quota,expires_at,"      \
    "models,created_at"
#define SUBKEY_COLUMNS                                                        \
    "name,project,upstream,state,quota,expires_at,created_at"
#define ORPHAN_COLUMNS                                                        \
    "name,project,upstream,state,there,remote_id,created_at"
#define LIMITS_THERE                                                          \
    OPT("upstream", CLI_TEXT, "U", "there (the only one that makes any)"),    \
    OPT("quota", CLI_LIMIT, "N", "there (what the project has left)"),        \
    OPT("expires", CLI_EXPIRY, "30d|TIME", "there (as the project)"),         \
    OPT("models", CLI_MODELS, "LIST", "there, no patterns (as the project)")
#define LOG_FIELDS                                                            \
    "id,time,settled_at,node,user,project,key,user_id,project_id,key_id,tag," \
    "model,route,stream,status,verdict,settled,flags,prompt_tokens,"          \
    "completion_tokens,total_tokens,cached_tokens,reasoning_tokens,"          \
    "price_version,hold,cost,duration_ms,ttft_ms,attempts,error,kind,ref,"    \
    "note"
#define CREDIT_FIELDS                                                         \
    "id,time,kind,user,project,key,user_id,project_id,key_id,ref,note,cost,"  \
    "booked"
#define LOG_COLUMNS                                                           \
    "time,kind,project,key,model,status,verdict,total_tokens,cost,id"
#define USAGE_FIELDS                                                          \
    "calls,ok_calls,refused_calls,success_rate,prompt_tokens,"                \
    "completion_tokens,total_tokens,cost,estimated_share"
#define TOP_FIELDS                                                            \
    "id,time,age_ms,user,project,key,user_id,project_id,key_id,tag,model,"    \
    "route,stream,state,held,text_bytes,prompt_tokens,completion_tokens,"     \
    "journal"
#define TOP_COLUMNS      "project,key,model,state,age_ms,held,text_bytes"
#define RECONCILE_FIELDS                                                      \
    "day,model,calls,their_calls,tokens,their_tokens,cost,their_cost,"        \
    "difference,percent"
#define RECONCILE_COLUMNS                                                     \
    "day,model,calls,their_calls,cost,their_cost,difference,percent"
#define STATS_FIELDS                                                          \
    "path,id,live_path,schema,users,projects,keys,models,prices,upstreams,"   \
    "rows,rollups,control_bytes,usage_bytes,control_map_bytes,"               \
    "usage_map_bytes,control_readers,usage_readers,accounts,journals,"        \
    "undrained,refusals_unlogged"

#define AUDIT_FIELDS                                                          \
    "seq,time,actor,actor_id,via,from,action,object,object_id,name,before,"   \
    "after,hash"
#define AUDIT_COLUMNS                                                         \
    "seq,time,actor,action,object,name,before,after"

#define VERIFY_FIELDS                                                         \
    "finding,id,seq,account,account_id,name,hour_at,model,journal,field,"     \
    "expected,found"
#define VERIFY_COLUMNS                                                        \
    "finding,id,account,name,field,expected,found"

#endif /* CLI_TABLE_H */
