/*
 * Who is at the shell, for the audit log: what the system says of the user, and
 * what sudo and sshd have left. Whoever is root can forge the latter.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aigw_store_audit.h"
#include "cmd_audit.h"


#define LOGIN_UID  "/proc/self/loginuid"


static void __attribute__((format(printf, 2, 3)))
add(aigw_actor_t *actor, const char *format, ...)
{
    size_t   len = strlen(actor->from);
    va_list  args;

    va_start(args, format);
    vsnprintf(actor->from + len, sizeof(actor->from) - len, format, args);
    va_end(args);
}


/* The first word of a variable, none of whose bytes can do harm when shown;
   NULL: it is not set. */
static const char *
word_of(const char *variable, char word[AIGW_NAME_MAX + 1])
{
    size_t       i;
    const char  *value = getenv(variable);

    if (value == NULL || value[0] == '\0') {
        return NULL;
    }

    for (i = 0; i < AIGW_NAME_MAX && value[i] > ' ' && value[i] < 0x7f; i++) {
        word[i] = value[i];
    }

    word[i] = '\0';

    return i > 0 ? word : NULL;
}


static void
name_of(uid_t uid, char name[AIGW_NAME_MAX + 1])
{
    const struct passwd  *pw = getpwuid(uid);

    if (pw != NULL) {
        snprintf(name, AIGW_NAME_MAX + 1, "%s", pw->pw_name);

    } else {
        snprintf(name, AIGW_NAME_MAX + 1, "uid %" PRIuMAX, (uintmax_t) uid);
    }
}


/* As whom they logged in, whoever they have become since: the kernel's word. */
static void
add_login(aigw_actor_t *actor, uid_t uid)
{
    char           text[CLI_TEXT_LEN], name[AIGW_NAME_MAX + 1];
    FILE          *file = fopen(LOGIN_UID, "r");
    unsigned long  login;

    if (file == NULL) {
        return;
    }

    if (fgets(text, sizeof(text), file) != NULL) {
        errno = 0;
        login = strtoul(text, NULL, 10);

        if (errno == 0 && login < UINT32_MAX && login != uid) {
            name_of((uid_t) login, name);
            add(actor, ", login %s", name);
        }
    }

    fclose(file);
}


static void
add_terminal(aigw_actor_t *actor)
{
    int          fd;
    const char  *tty = NULL;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO && tty == NULL; fd++) {
        tty = ttyname(fd);
    }

    if (tty != NULL) {
        add(actor, ", tty %s", strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty);
    }
}


void
cli_act_as_shell(const cli_t *cli)
{
    char          word[AIGW_NAME_MAX + 1];
    uid_t         uid = getuid();
    aigw_actor_t  actor = { .id = uid, .kind = AIGW_ACTOR_SHELL };

    name_of(uid, actor.name);
    add(&actor, "uid %" PRIuMAX " (%s)", (uintmax_t) uid, actor.name);

    if (word_of("SUDO_USER", word) != NULL) {
        add(&actor, ", sudo by %s", word);
    }

    add_login(&actor, uid);
    add_terminal(&actor);

    if (word_of("SSH_CONNECTION", word) != NULL) {
        add(&actor, ", ssh from %s", word);
    }

    aigw_store_act_as(cli->store, &actor);
}
