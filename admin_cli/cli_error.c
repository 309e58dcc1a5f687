/*
 * What goes to stderr: errors with their exit code, and warnings. With --json
 * an error is one object there, and the only thing there; stdout has data or
 * nothing.
 */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"


static const struct {
    cli_exit_t   code;
    const char  *name;
} exits[] = {
    { CLI_OK,          "ok" },
    { CLI_FAILED,      "failed" },
    { CLI_USAGE,       "usage" },
    { CLI_NOT_FOUND,   "not_found" },
    { CLI_DENIED,      "not_authorised" },
    { CLI_CONFLICT,    "conflict" },
    { CLI_UNREACHABLE, "unreachable" },
    { CLI_INTERRUPTED, "interrupted" }
};


const char *
cli_exit_name(cli_exit_t code)
{
    size_t  i;

    for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        if (exits[i].code == code) {
            return exits[i].name;
        }
    }

    return NULL;
}


cli_exit_t
cli_exit_of(aigw_err_t err)
{
    switch (err) {
    case AIGW_OK:         return CLI_OK;
    case AIGW_ENOTFOUND:  return CLI_NOT_FOUND;
    case AIGW_EINVAL:     return CLI_USAGE;
    case AIGW_ERANGE:     return CLI_USAGE;
    case AIGW_EACCESS:    return CLI_DENIED;
    case AIGW_EEXIST:     return CLI_CONFLICT;
    case AIGW_ELAST:      return CLI_CONFLICT;
    case AIGW_AGAIN:      return CLI_CONFLICT;
    case AIGW_EBUSY:      return CLI_UNREACHABLE;
    case AIGW_EIO:        return CLI_UNREACHABLE;
    default:              return CLI_FAILED;
    }
}


cli_exit_t
cli_fail(const cli_t *cli, cli_exit_t code, const char *hint,
    const char *format, ...)
{
    char      message[CLI_MESSAGE_LEN + 1], *text;
    cJSON    *object, *error;
    va_list   args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    if (cli->caller != NULL) {
        memcpy(cli->caller->message, message, sizeof(message));
        snprintf(cli->caller->hint, sizeof(cli->caller->hint), "%s",
                 hint ? hint : "");

        return code;
    }

    if (cli->format != CLI_JSON) {
        fprintf(stderr, "aigw: %s\n", message);

        if (hint != NULL) {
            fprintf(stderr, "hint: %s\n", hint);
        }

        return code;
    }

    object = cJSON_CreateObject();
    error = cJSON_AddObjectToObject(object, "error");
    cli_add_text(error, "code", cli_exit_name(code));
    cli_add_text(error, "message", message);
    cli_add_text(error, "hint", hint);

    text = cJSON_PrintUnformatted(object);
    fprintf(stderr, "%s\n", text);

    cJSON_free(text);
    cJSON_Delete(object);

    return code;
}


cli_exit_t
cli_fail_store(const cli_t *cli, aigw_err_t err, const char *what,
    const char *which)
{
    cli_exit_t  code;

    code = cli_exit_of(err);

    if (which == NULL) {
        return cli_fail(cli, code, NULL, "cannot read or write %s: %s", what,
                        aigw_strerror(err));
    }

    switch (err) {

    case AIGW_ENOTFOUND:
        return cli_fail(cli, code, NULL, "no such %s: '%s'", what, which);

    case AIGW_EEXIST:
        return cli_fail(cli, code, NULL, "%s '%s' already exists", what,
                        which);

    case AIGW_ELAST:
        return cli_fail(cli, code, "make another one first: aigw user set NAME"
                        " --admin", "%s '%s' is the last enabled admin", what,
                        which);

    default:
        return cli_fail(cli, code, NULL, "cannot use %s '%s': %s", what,
                        which, aigw_strerror(err));
    }
}


void
cli_warn(const cli_t *cli, const char *format, ...)
{
    va_list  args;

    if (cli->quiet || cli->caller != NULL) {
        return;
    }

    fputs("warning: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
