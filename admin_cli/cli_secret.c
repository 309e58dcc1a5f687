/*
 * What must not be seen: no core dump, no echo, no secret that the command
 * line or an environment hands over. And the question before a step that
 * cannot be taken back.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "aigw_password.h"
#include "aigw_seal.h"
#include "cli.h"


static volatile sig_atomic_t  interrupted;

/* Those that end the program while the echo is off. */
static const int  signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

#define SIGNALS  (sizeof(signals) / sizeof(signals[0]))


void
cli_harden(void)
{
    struct rlimit  none = { 0, 0 };

    (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void) setrlimit(RLIMIT_CORE, &none);
}


static void
on_signal(int number)
{
    interrupted = number;
}


/* One byte. Signals of mask come in here and nowhere else: one that came just
   before a plain read would leave it waiting for ever. */
static ssize_t
read_byte(int fd, const sigset_t *mask, char *c)
{
    ssize_t        n;
    struct pollfd  p = { fd, POLLIN, 0 };

    do {
        n = mask != NULL ? ppoll(&p, 1, NULL, mask) : 1;

        if (n > 0) {
            n = read(fd, c, 1);
        }

    } while (n < 0 && errno == EINTR && !interrupted);

    return n;
}


/* The first line of fd without its end, *len bytes and NUL; what is too long is
   cut, and then refused by its length. 0 at the end of input, -1 if
   interrupted. */
static int
read_line(int fd, const sigset_t *mask, char *line, size_t size, size_t *len)
{
    char     c;
    ssize_t  n;

    *len = 0;

    for ( ;; ) {
        n = read_byte(fd, mask, &c);

        if (n <= 0 || c == '\n') {
            break;
        }

        if (*len < size - 1) {
            line[(*len)++] = c;
        }
    }

    if (*len > 0 && line[*len - 1] == '\r') {
        (*len)--;
    }

    line[*len] = '\0';

    return n < 0 ? -1 : (int) n;
}


static void
trim(char *line)
{
    size_t  len;

    for (len = strlen(line);
         len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '); len--)
    {
        line[len - 1] = '\0';
    }
}


/* Asks on the terminal; the echo is off before the prompt is seen, and back
   whatever signal comes. */
static int
ask(const char *prompt, int echo, char *line, size_t size, size_t *len)
{
    int               n, quiet;
    size_t            i;
    sigset_t          blocked, mask;
    struct termios    old, silent;
    struct sigaction  action, before[SIGNALS];

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigemptyset(&blocked);

    for (i = 0; i < SIGNALS; i++) {
        sigaddset(&blocked, signals[i]);
        sigaction(signals[i], &action, &before[i]);
    }

    sigprocmask(SIG_BLOCK, &blocked, &mask);

    quiet = !echo && tcgetattr(STDIN_FILENO, &old) == 0;

    if (quiet) {
        silent = old;
        silent.c_lflag &= ~(tcflag_t) ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }

    fputs(prompt, stderr);
    n = read_line(STDIN_FILENO, &mask, line, size, len);

    if (quiet) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    }

    if (quiet || n <= 0) {
        fputc('\n', stderr);
    }

    sigprocmask(SIG_SETMASK, &mask, NULL);

    for (i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], &before[i], NULL);
    }

    return interrupted ? -1 : n;
}


static cli_exit_t
read_file(const cli_t *cli, const char *path, char *line, size_t size)
{
    int          fd, n;
    size_t       len;
    cli_exit_t   code;
    struct stat  st;

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) != 0) {
        code = errno == ENOENT ? CLI_NOT_FOUND
               : errno == EACCES ? CLI_DENIED : CLI_FAILED;

        return cli_fail(cli, code, NULL, "cannot open key file '%s': %s",
                        path, strerror(errno));
    }

    if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG|S_IRWXO)) != 0) {
        cli_warn(cli, "others can read key file '%s'; chmod 600 it", path);
    }

    n = read_line(fd, NULL, line, size, &len);
    (void) close(fd);

    if (n < 0) {
        return cli_fail(cli, CLI_FAILED, NULL, "cannot read key file '%s'",
                        path);
    }

    return CLI_OK;
}


cli_exit_t
cli_read_secret(const cli_t *cli, const char *file, const char *prompt,
    char secret[AIGW_SECRET_MAX + 1])
{
    int         n;
    char        line[AIGW_SECRET_MAX + 2];
    size_t      i, len;
    cli_exit_t  code;

    n = 0;
    code = CLI_OK;
    line[0] = '\0';

    if (cli->caller != NULL) {
        snprintf(line, sizeof(line), "%s", file ? file : "");

    } else if (file != NULL) {
        code = read_file(cli, file, line, sizeof(line));

    } else if (isatty(STDIN_FILENO)) {
        n = ask(prompt, 0, line, sizeof(line), &len);

    } else {
        n = read_line(STDIN_FILENO, NULL, line, sizeof(line), &len);
    }

    if (n < 0) {
        code = cli_fail(cli, CLI_INTERRUPTED, NULL, "interrupted");
    }

    trim(line);
    len = strlen(line);

    for (i = 0; code == CLI_OK && i < len; i++) {
        if (len > AIGW_SECRET_MAX || line[i] <= ' ' || line[i] > '~') {
            code = cli_fail(cli, CLI_USAGE, "one line, 255 bytes at most, no"
                            " blanks", "this cannot be a key");
        }
    }

    if (code == CLI_OK) {
        memcpy(secret, line, len + 1);
    }

    aigw_cleanse(line, sizeof(line));

    return code;
}


/* The line itself, or on a terminal the same one twice. */
static cli_exit_t
take_password(const cli_t *cli, char *line, size_t size, size_t *len)
{
    int         n;
    char        again[AIGW_PASSWORD_MAX + 2];
    size_t      other;
    cli_exit_t  code;

    code = CLI_OK;

    if (!isatty(STDIN_FILENO)) {
        n = read_line(STDIN_FILENO, NULL, line, size, len);

    } else {
        n = ask("Password: ", 0, line, size, len);
    }

    /* what can be none is refused before it is asked for again */
    if (n >= 0 && isatty(STDIN_FILENO)
        && aigw_password_check((aigw_str_t) { *len, line }) == AIGW_OK)
    {
        n = ask("The same again: ", 0, again, sizeof(again), &other);

        if (*len != other || CRYPTO_memcmp(line, again, other) != 0) {
            code = CLI_USAGE;
        }

        aigw_cleanse(again, sizeof(again));
    }

    return n < 0 ? cli_fail(cli, CLI_INTERRUPTED, NULL, "interrupted")
           : code != CLI_OK
           ? cli_fail(cli, code, NULL, "the two are not the same") : CLI_OK;
}


cli_exit_t
cli_read_password(const cli_t *cli, const char *given,
    aigw_password_t *password)
{
    char        line[AIGW_PASSWORD_MAX + 2];
    size_t      len;
    aigw_err_t  err;
    cli_exit_t  code;

    if (cli->caller != NULL) {
        cli->caller->field = "password";
        code = CLI_OK;
        len = strnlen(given, sizeof(line) - 1);
        memcpy(line, given, len);

    } else {
        code = take_password(cli, line, sizeof(line), &len);
    }

    if (code == CLI_OK) {
        err = aigw_password_hash((aigw_str_t) { len, line }, password);
        code = err == AIGW_OK ? CLI_OK
               : err != AIGW_EINVAL
               ? cli_fail(cli, CLI_FAILED, NULL, "cannot hash the password:"
                          " %s", aigw_strerror(err))
               : cli_fail(cli, CLI_USAGE, "8 to 1024 bytes, in one line",
                          "this cannot be a password");
    }

    aigw_cleanse(line, sizeof(line));

    return code;
}


cli_exit_t
cli_read_master(const cli_t *cli, aigw_seal_master_t *master)
{
    char        path[PATH_MAX];
    aigw_err_t  err;

    snprintf(path, sizeof(path), "%s/key", cli->store_path);

    err = aigw_seal_load(path, master);

    switch (err) {

    case AIGW_OK:
        return CLI_OK;

    case AIGW_EACCESS:
        return cli_fail(cli, CLI_DENIED,
                        "its owner alone may use it, and its mode is 0600",
                        "cannot use the store's key file '%s': %s", path,
                        aigw_strerror(err));

    default:
        return cli_fail(cli, CLI_FAILED, NULL,
                        "cannot use the store's key file '%s': %s", path,
                        aigw_strerror(err));
    }
}


cli_exit_t
cli_confirm(const cli_t *cli, const char *action, const char *name,
    int demand)
{
    int     n;
    char    prompt[AIGW_MODEL_MAX + 80], line[AIGW_MODEL_MAX + 2];
    size_t  len;

    if (cli->yes || cli->dry_run) {
        return CLI_OK;
    }

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return !demand ? CLI_OK
               : cli_fail(cli, CLI_USAGE, "add --yes if you mean it",
                          "not done: to %s '%s' cannot be undone", action,
                          name);
    }

    snprintf(prompt, sizeof(prompt), "To %s '%s', type its name: ", action,
             name);
    n = ask(prompt, 1, line, sizeof(line), &len);

    if (n < 0) {
        return cli_fail(cli, CLI_INTERRUPTED, NULL, "interrupted");
    }

    trim(line);

    if (strcmp(line, name) != 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "not done: that is not its"
                        " name");
    }

    return CLI_OK;
}
