/* The audit log's commands, and how others tell it what they did. */

#ifndef CMD_AUDIT_H
#define CMD_AUDIT_H

#include "cli.h"


cli_exit_t cmd_audit_list(cli_t *cli);
cli_exit_t cmd_audit_verify(cli_t *cli);
/* Records what a command did in usage, once it is done; after: an object of
   what is to be told of it, or NULL. The store is open for writing control. */
cli_exit_t cmd_audit_note(const cli_t *cli, const char *action,
    const char *object, uint64_t id, const char *name, const cJSON *after);

/* cli_actor.c: from now on changes are by whoever is at the shell. */
void cli_act_as_shell(const cli_t *cli);

#endif /* CMD_AUDIT_H */
