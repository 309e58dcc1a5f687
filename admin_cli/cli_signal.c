/*
 * Commands that go on for long: progress on a terminal, and ^C, at which they
 * end where they are done with what they are at, by the exit code that shells
 * expect.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"


static volatile sig_atomic_t  interrupted;


static void
on_signal(int number)
{
    (void) number;
    interrupted = 1;
}


void
cli_catch_interrupt(void)
{
    struct sigaction  sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;
    sigaction(SIGINT, &sa, NULL);
}


int
cli_interrupted(void)
{
    return interrupted;
}


cli_exit_t
cli_pause(const cli_t *cli, unsigned ms)
{
    struct timespec  wait = { ms / 1000, (long) (ms % 1000) * 1000000L };

    if (fflush(stdout) != 0) {
        return cli_fail(cli, CLI_FAILED, NULL, "cannot write to stdout: %s",
                        strerror(errno));
    }

    if (!interrupted) {
        (void) nanosleep(&wait, NULL);
    }

    return interrupted ? CLI_INTERRUPTED : CLI_OK;
}


int
cli_shows_progress(const cli_t *cli)
{
    const char  *term = getenv("TERM");

    return isatty(STDERR_FILENO) && !cli->quiet
           && (term == NULL || strcmp(term, "dumb") != 0);
}
