/*
 * aigw store export and import: the whole store as lines of JSON, a line at a
 * time. What a line means is the library's business.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "aigw_store_export.h"
#include "cli.h"


#define PROGRESS  4096                /* lines from one report to the next */

typedef struct {
    FILE      *file;
    uint64_t   lines;
    uint64_t   rows;
    uint64_t   bytes;
    int        error;                 /* errno of what could not be written */
    unsigned   terminal:1;
} export_t;


static void
clear_progress(int terminal)
{
    if (terminal) {
        fputs("\r\033[K", stderr);
    }
}


/* --- export --- */

static aigw_err_t
on_line(void *data, const char *line, size_t len, uint64_t done, uint64_t all)
{
    export_t  *e = data;

    if (cli_interrupted()) {
        return AIGW_AGAIN;
    }

    if (fwrite(line, 1, len, e->file) != len) {
        e->error = errno;
        return AIGW_EIO;
    }

    e->lines++;
    e->rows = done;
    e->bytes += len;

    if (e->terminal && e->lines % PROGRESS == 0 && all > 0) {
        fprintf(stderr, "\r%3" PRIu64 " %% of %" PRIu64 " rows",
                done * 100 / all, all);
        fflush(stderr);
    }

    return AIGW_OK;
}


/* Nobody else may read it: it has hashes of keys, and who called what. */
static cli_exit_t
open_export(const cli_t *cli, const char *path, export_t *e)
{
    int  fd;

    if (path == NULL) {
        e->file = stdout;
        return CLI_OK;
    }

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    e->file = fd == -1 ? NULL : fdopen(fd, "w");

    return e->file != NULL ? CLI_OK
           : cli_fail(cli, cli_exit_of(aigw_from_errno(errno)), NULL,
                      "cannot make '%s': %s", path, strerror(errno));
}


/* What is there when this returns is on the disk. */
static aigw_err_t
close_export(const char *path, export_t *e, aigw_err_t err)
{
    int  failed;

    if (path == NULL) {
        return err;
    }

    failed = fflush(e->file) != 0 || fsync(fileno(e->file)) != 0;

    if (failed && err == AIGW_OK) {
        e->error = errno;
        err = AIGW_EIO;
    }

    fclose(e->file);

    if (err != AIGW_OK) {
        unlink(path);
    }

    return err;
}


static cli_exit_t
fail_export(const cli_t *cli, const char *path, const export_t *e,
    aigw_err_t err)
{
    if (err == AIGW_AGAIN) {
        return cli_fail(cli, CLI_INTERRUPTED, NULL, "interrupted");
    }

    if (e->error != 0) {
        return cli_fail(cli, CLI_FAILED, NULL, "cannot write to %s: %s",
                        path ? path : "stdout", strerror(e->error));
    }

    return cli_fail(cli, err == AIGW_ECORRUPT ? CLI_FAILED : cli_exit_of(err),
                    "aigw store verify tells what is wrong", "the store cannot"
                    " be read to its end: %s", aigw_strerror(err));
}


cli_exit_t
cmd_store_export(cli_t *cli)
{
    export_t     e = { 0 };
    aigw_err_t   err;
    cli_exit_t   code;
    const char  *path = cli->arg[0].text;

    code = open_export(cli, path, &e);
    if (code != CLI_OK) {
        return code;
    }

    e.terminal = cli_shows_progress(cli) != 0;
    cli_catch_interrupt();
    cli_report(cli);

    err = aigw_store_export(cli->store, on_line, &e);
    err = close_export(path, &e, err);
    clear_progress(e.terminal);

    if (err != AIGW_OK) {
        return fail_export(cli, path, &e, err);
    }

    if (path != NULL) {
        cli->answer = cJSON_CreateObject();
        cli_add_text(cli->answer, "path", path);
        cli_add_count(cli->answer, "lines", (int64_t) e.lines);
        cli_add_count(cli->answer, "rows", (int64_t) e.rows);
        cli_add_count(cli->answer, "bytes", (int64_t) e.bytes);
    }

    return CLI_OK;
}


/* --- import --- */

/* The next line without its newline: 1, or 0 at the end, -1 too long, -2 not
   to be read. */
static int
read_line(FILE *file, char line[AIGW_EXPORT_LINE_MAX], size_t *len)
{
    int  c;

    *len = 0;

    while ((c = getc_unlocked(file)) != EOF && c != '\n') {
        if (*len == AIGW_EXPORT_LINE_MAX) {
            return -1;
        }

        line[(*len)++] = (char) c;
    }

    return ferror(file) ? -2 : c != EOF || *len > 0;
}


static aigw_err_t
read_lines(FILE *file, aigw_store_import_t *import, int terminal,
    char fault[AIGW_FAULT_LEN + 1])
{
    int          more;
    char         line[AIGW_EXPORT_LINE_MAX];
    size_t       len;
    uint64_t     n = 0;
    aigw_err_t   err = AIGW_OK;

    while (err == AIGW_OK && (more = read_line(file, line, &len)) != 0) {
        n++;

        if (more < 0) {
            snprintf(fault, AIGW_FAULT_LEN + 1, "line %" PRIu64 ": %s", n,
                     more == -1 ? "too long" : strerror(errno));
            return AIGW_EINVAL;
        }

        if (cli_interrupted()) {
            snprintf(fault, AIGW_FAULT_LEN + 1, "interrupted");
            return AIGW_AGAIN;
        }

        err = aigw_store_import_line(import, line, len, fault);

        if (terminal && n % PROGRESS == 0) {
            fprintf(stderr, "\r%" PRIu64 " lines", n);
            fflush(stderr);
        }
    }

    return err;
}


/* All of it, or nothing; fault says why. */
static aigw_err_t
import_all(const cli_t *cli, FILE *file, uint64_t *lines, uint64_t *rows,
    char fault[AIGW_FAULT_LEN + 1])
{
    int                   terminal = cli_shows_progress(cli);
    size_t                len;
    aigw_err_t            err, back;
    aigw_store_import_t  *import = NULL;

    err = aigw_store_import_begin(cli->store, cli->dry_run, &import, fault);
    if (err != AIGW_OK) {
        return err;
    }

    err = read_lines(file, import, terminal, fault);
    clear_progress(terminal);
    aigw_store_import_count(import, lines, rows);

    if (err == AIGW_OK) {
        return aigw_store_import_end(import, fault);
    }

    back = aigw_store_import_abort(import);
    len = strlen(fault);

    if (back != AIGW_OK) {
        snprintf(fault + len, AIGW_FAULT_LEN + 1 - len, "; half an import is"
                 " left: remove the store");
    }

    return err;
}


cli_exit_t
cmd_store_import(cli_t *cli)
{
    FILE        *file;
    char         fault[AIGW_FAULT_LEN + 1];
    uint64_t     lines = 0, rows = 0;
    aigw_err_t   err;
    cli_exit_t   code;
    const char  *path = cli->arg[0].text;

    if (!cli->usage_writable) {
        return cli_fail(cli, CLI_DENIED, "run it as root, or in the group of"
                        " the store's files", "usage cannot be written");
    }

    code = cli_confirm(cli, "import", path, 1);
    if (code != CLI_OK) {
        return code;
    }

    file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        return cli_fail(cli, cli_exit_of(aigw_from_errno(errno)), NULL,
                        "cannot read '%s': %s", path, strerror(errno));
    }

    fault[0] = '\0';
    cli_catch_interrupt();
    err = import_all(cli, file, &lines, &rows, fault);

    if (file != stdin) {
        fclose(file);
    }

    if (err == AIGW_AGAIN) {
        return cli_fail(cli, CLI_INTERRUPTED, NULL, "%s", fault);
    }

    if (err != AIGW_OK) {
        return cli_fail(cli, err == AIGW_EEXIST && lines == 0 ? CLI_CONFLICT
                             : err == AIGW_EBUSY || err == AIGW_EACCESS
                             ? cli_exit_of(err) : CLI_FAILED, NULL,
                        "%s: nothing was imported", fault);
    }

    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "path", path);
    cli_add_count(cli->answer, "lines", (int64_t) lines);
    cli_add_count(cli->answer, "rows", (int64_t) rows);

    snprintf(cli->next, sizeof(cli->next), "The upstreams' keys are sealed by"
             " the other store's key file: put it in place of %.200s/key, or"
             " set them anew.", cli->store_path);

    return CLI_OK;
}
