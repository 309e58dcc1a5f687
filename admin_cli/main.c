/*
 * aigw: parse, open, run, print, close. What a command may take for granted
 * stands in the table and is done here.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_seal.h"
#include "cli.h"


void *
cli_realloc(void *p, size_t size)
{
    p = realloc(p, size);

    if (p == NULL) {
        fputs("aigw: out of memory\n", stderr);
        exit(CLI_FAILED);
    }

    return p;
}


/* cJSON's memory. What is freed may have held a key. */
static void *
json_malloc(size_t size)
{
    return cli_realloc(NULL, size);
}


static void
json_free(void *p)
{
    if (p != NULL) {
        aigw_cleanse(p, malloc_usable_size(p));
        free(p);
    }
}


static void
print_version(const cli_t *cli)
{
    if (cli->format == CLI_JSON) {
        puts("{\"version\":\"" CLI_VERSION "\"}");

    } else {
        puts("aigw " CLI_VERSION);
    }
}


/* The answer is what it would have been: nobody is to take it for done. */
static void
say_dry(cli_t *cli)
{
    if (cli->format == CLI_JSON) {
        cJSON_AddTrueToObject(cli->answer, "dry_run");
    }

    snprintf(cli->next, sizeof(cli->next), "dry run: nothing was changed");
}


static cli_exit_t
run(cli_t *cli)
{
    cli_exit_t  code;

    code = cli_check_columns(cli);

    if (code == CLI_OK && (cli->command->needs & CLI_NEEDS_STORE)) {
        code = cli_open_store(cli);
    }

    if (code == CLI_OK) {
        code = cli->command->run(cli);
    }

    if (code == CLI_OK && cli->dry_run) {
        say_dry(cli);
    }

    if (code == CLI_OK && cli->answer != NULL) {
        cli_print(cli);
    }

    if (code == CLI_OK && !cli->quiet && cli->format != CLI_JSON
        && (cli->format == CLI_TABLE || cli->dry_run)
        && cli->next[0] != '\0')
    {
        fflush(stdout);
        fprintf(stderr, "%s\n", cli->next);
    }

    aigw_live_close(cli->live);
    aigw_store_close(cli->store);
    cJSON_Delete(cli->answer);

    return code;
}


/* What was not written has not been answered: never 0 then. */
static cli_exit_t
close_stdout(const cli_t *cli, cli_exit_t code)
{
    int  failed;

    errno = 0;
    failed = ferror(stdout) != 0;
    failed |= fflush(stdout) != 0;
    failed |= fclose(stdout) != 0;

    if (failed && code == CLI_OK) {
        return cli_fail(cli, CLI_FAILED, NULL, "cannot write to stdout: %s",
                        errno ? strerror(errno) : "write error");
    }

    return code;
}


int
main(int argc, char **argv)
{
    cli_t        cli;
    cli_exit_t   code;
    cJSON_Hooks  hooks = { json_malloc, json_free };

    cli_harden();
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    signal(SIGPIPE, SIG_IGN);
    cJSON_InitHooks(&hooks);

    memset(&cli, 0, sizeof(cli));
    cli.store_path = getenv("AIGW_STORE");

    code = cli_parse(&cli, argc, argv);

    if (code == CLI_OK) {
        if (cli.version) {
            print_version(&cli);

        } else if (cli.help) {
            code = cmd_help_about(&cli);

            if (cli.answer != NULL) {
                cli_print(&cli);
            }

        } else {
            code = run(&cli);
        }
    }

    return close_stdout(&cli, code);
}
