/*
 * What handlers take and answer, in the words of the command table: checked and
 * documented as commands are.
 */

#include <string.h>

#include "serve.h"


#define LIST(...)  (const cli_option_t[]) { __VA_ARGS__, END }
#define END        { NULL, CLI_FLAG, NULL, NULL, 0, 0 }

#define MAY(name, kind, help)   { name, kind, name, help, 0, 0 }
#define MUST(name, kind, help)  { name, kind, name, help, 0, 1 }
#define FORM(name, options, summary, fields)                                  \
    { "session", name, NULL, 0, NULL, options, summary, NULL, fields, NULL,   \
      NULL, 0 }

#define COOKIE                                                                \
    MAY("cookie", CLI_FLAG, "keep the token in a cookie that no script reads")
#define SESSION_FIELDS  "token,token_type,expires_at,csrf_token,id,name,role"


const cli_command_t  serve_error_form = {
    "error", NULL, NULL, 0, NULL, NULL, NULL, NULL,
    "code,message,hint,field", NULL, NULL, 0
};

#define ORIGIN(name, summary)                                                 \
    { "origin", name, NULL, 0, NULL, NULL, summary, NULL, NULL, NULL, NULL, 0 }

static const cli_command_t  forms[] = {

    FORM("login",
         LIST(MUST("name", CLI_TEXT, "of the user"),
              MUST("password", CLI_TEXT, "of the user"), COOKIE),
         "log in by name and password", SESSION_FIELDS),

    FORM("link",
         LIST(MUST("token", CLI_TEXT, "of the link"),
              MAY("password", CLI_TEXT, "set this one as well"), COOKIE),
         "log in by a one-time link", SESSION_FIELDS),

    FORM("register",
         LIST(MUST("name", CLI_NAME, "of the new user"),
              MUST("password", CLI_TEXT, "of 8 bytes or more"),
              MAY("invite", CLI_ANY, "where one is needed"), COOKIE),
         "make oneself an account", SESSION_FIELDS),

    FORM("logout", NULL, "end all sessions of this account", NULL),

    FORM("me", NULL, "who is calling",
         "id,name,role,quota,has_password,csrf_token"),

    FORM("password",
         LIST(MAY("old_password", CLI_TEXT, "the one in force, if any"),
              MUST("password", CLI_TEXT, "another one, of 8 bytes or more")),
         "set another password; ends all sessions", NULL),

    /* their fields: serve_origin_schema.c */
    ORIGIN("register", "make oneself an account"),
    ORIGIN("login", "log in, by OAuth2's password form"),
    ORIGIN("token", "the same, wherever /admin/ is"),
    ORIGIN("init", "the first admin, by the token of `aigw store init`"),
    ORIGIN("create", "make a project and its key"),
    ORIGIN("list", "all projects, oldest first"),
    ORIGIN("stats", "calls and tokens from day to day")
};


const cli_command_t *
serve_command_of(const serve_route_t *route)
{
    size_t       i;
    const char  *noun = route->origin ? "origin" : "session";

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (route->form != NULL && strcmp(forms[i].noun, noun) == 0
            && strcmp(forms[i].verb, route->form) == 0)
        {
            return &forms[i];
        }
    }

    return route->noun ? cli_find_command(route->noun, route->verb) : NULL;
}


int
serve_take_form(serve_request_t *r)
{
    r->cli.command = serve_command_of(r->route);

    return serve_take_values(r);
}
