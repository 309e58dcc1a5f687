/*
 * aigw serve: the socket, the daemon around it, and its end. nginx stands in
 * front for TLS, rate limits and buffering of slow clients.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>

#include "aigw_seal.h"
#include "serve_web.h"


#define BACKLOG       1024
#define THREADS       64              /* connections at once; more wait */
#define STACK_BYTES   (256 * 1024)
#define IDLE_SECONDS  30u
#define PART_BYTES    (32 * 1024)     /* of a connection: its headers */


serve_t  serve;


/* What is left of one that was killed goes; one that answers stays. */
static cli_exit_t
clear_path(const cli_t *cli, const struct sockaddr_un *address)
{
    int          fd, taken;
    struct stat  st;

    if (lstat(address->sun_path, &st) != 0) {
        return CLI_OK;
    }

    if (!S_ISSOCK(st.st_mode)) {
        return cli_fail(cli, CLI_CONFLICT, NULL, "'%s' is there, and no"
                        " socket", address->sun_path);
    }

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
    taken = fd >= 0 && connect(fd, (const struct sockaddr *) address,
                               sizeof(struct sockaddr_un)) == 0;
    (void) close(fd);

    if (taken) {
        return cli_fail(cli, CLI_CONFLICT, "stop it, or give another --socket",
                        "another `aigw serve` is at '%s'", address->sun_path);
    }

    (void) unlink(address->sun_path);

    return CLI_OK;
}


/* The group of the store's files is that of nginx's workers: they and nobody
   else may connect. */
static int
open_to_workers(const cli_t *cli, const char *path)
{
    char         control[SERVE_TOKEN_MAX + 1];
    struct stat  st;

    snprintf(control, sizeof(control), "%s/control", cli->store_path);

    return stat(control, &st) == 0 && chown(path, (uid_t) -1, st.st_gid) == 0
           && chmod(path, 0660) == 0;
}


static cli_exit_t
listen_at(const cli_t *cli, const char *path, int *fd)
{
    mode_t              mask;
    cli_exit_t          code;
    struct sockaddr_un  address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        return cli_fail(cli, CLI_USAGE, "107 bytes at most",
                        "--socket: '%s' is too long for a socket", path);
    }

    strcpy(address.sun_path, path);

    code = clear_path(cli, &address);
    if (code != CLI_OK) {
        return code;
    }

    *fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
    mask = umask(0177);

    if (*fd < 0
        || bind(*fd, (struct sockaddr *) &address, sizeof(address)) != 0
        || !open_to_workers(cli, path) || listen(*fd, BACKLOG) != 0)
    {
        code = cli_fail(cli, CLI_FAILED, NULL, "cannot listen at '%s': %s",
                        path, strerror(errno));
    }

    umask(mask);

    return code;
}


/* Tells systemd (sd_notify(3)); without it nobody listens. */
static void
notify(const char *text)
{
    int                 fd;
    const char         *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un  to = { .sun_family = AF_UNIX };

    if (path == NULL || strlen(path) >= sizeof(to.sun_path)) {
        return;
    }

    strcpy(to.sun_path, path);

    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0);
    (void) sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                  (struct sockaddr *) &to,
                  (socklen_t) (offsetof(struct sockaddr_un, sun_path)
                               + strlen(path)));
    (void) close(fd);
}


/* Paths and queries come as they were sent: serve_unescape is for their parts,
   since a model's name may have a slash. */
static size_t
leave_escaped(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void) ctx;
    (void) connection;

    return strlen(text);
}


/* Reads what tokens are signed with, and looks whether the store is one. */
static cli_exit_t
prepare(cli_t *cli)
{
    cli_exit_t          code;
    aigw_seal_master_t  master;

    code = cli_read_master(cli, &master);
    if (code != CLI_OK) {
        return code;
    }

    serve.store_path = cli->store_path;
    snprintf(serve.store_id, sizeof(serve.store_id), "%s",
             aigw_store_id(cli->store).data);
    serve_jwt_secret(&master);
    aigw_cleanse(&master, sizeof(master));

    /* each request opens it for itself */
    aigw_store_close(cli->store);
    cli->store = NULL;

    return CLI_OK;
}


static void
wait_for_end(const cli_t *cli, int fd, const char *path)
{
    struct signalfd_siginfo  info;

    if (cli->format != CLI_JSON && !cli->quiet) {
        fprintf(stderr, "aigw serve: ready at %s\n", path);
    }

    notify("READY=1");
    while (read(fd, &info, sizeof(info)) < 0 && errno == EINTR) { /* void */ }
    notify("STOPPING=1");
}


cli_exit_t
cmd_serve(cli_t *cli)
{
    int                 fd = -1, signals;
    sigset_t            mask;
    cli_exit_t          code;
    const char         *path;
    struct MHD_Daemon  *daemon;

    path = cli_option(cli, "socket")->text;
    path = path ? path : "/run/aigw.sock";

    code = prepare(cli);

    if (code == CLI_OK) {
        code = listen_at(cli, path, &fd);
    }

    if (code != CLI_OK) {
        return code;
    }

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signals = signalfd(-1, &mask, SFD_CLOEXEC);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    serve_web_make();
    serve_openapi_make();

    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD
                              |MHD_USE_THREAD_PER_CONNECTION|MHD_USE_POLL
                              |MHD_USE_ITC,
                              0, NULL, NULL, serve_on_request, NULL,
                              MHD_OPTION_LISTEN_SOCKET, fd,
                              MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
                              MHD_OPTION_NOTIFY_COMPLETED, serve_on_end, NULL,
                              MHD_OPTION_CONNECTION_LIMIT, THREADS,
                              MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                              (size_t) PART_BYTES,
                              MHD_OPTION_THREAD_STACK_SIZE,
                              (size_t) STACK_BYTES, MHD_OPTION_END);

    if (daemon == NULL || signals < 0) {
        return cli_fail(cli, CLI_FAILED, NULL, "the server does not start");
    }

    wait_for_end(cli, signals, path);
    (void) unlink(path);
    MHD_stop_daemon(daemon);
    aigw_cleanse(&serve, sizeof(serve));
    cli->answer = cJSON_CreateObject();
    cli_add_text(cli->answer, "socket", path);

    return CLI_OK;
}
