/*
 * The simulator's options, listening sockets and event loop, and its growing
 * buffers. It must stay fast (the bench runs against it) and must never print
 * a key.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"


#define EVENTS  256

static const char usage[] =
    "usage: aigw-sim --listen HOST:PORT [option ...]\n"
    "       aigw-sim --load http://HOST:PORT/PATH [option ...]\n"
    "\n"
    "  --listen HOST:PORT    serve the API there; port 0: a free one\n"
    "  --control HOST:PORT   take a test's orders there (t/sim/control.c)\n"
    "  --key-file FILE       answer 401 to any other key\n"
    "  --newapi old|new      have the management API of that generation\n"
    "  --master-file FILE    the access token of its account, user 7\n"
    "  --tls-cert FILE --tls-key FILE\n"
    "                        speak TLS on --listen\n"
    "  --tokens N            words of an answer (default 16)\n"
    "  --delay-ms N          pause between the chunks of a stream (default 0)\n"
    "  --think-ms N          pause before an answer (default 0)\n"
    "  --estimate            count the prompt as the gateway estimates it\n"
    "  --over N              count N % more tokens of the prompt\n"
    "  --errors N            fail at N of a hundred requests\n"
    "  --spin                never sleep: a peer need not wake it\n"
    "\n"
    "What is listened on is printed, one line each: `listen HOST:PORT`.\n";

static const struct option  options[] = {
    { "listen", required_argument, NULL, 'l' },
    { "control", required_argument, NULL, 'c' },
    { "key-file", required_argument, NULL, 'k' },
    { "newapi", required_argument, NULL, 'n' },
    { "master-file", required_argument, NULL, 'm' },
    { "tls-cert", required_argument, NULL, 'C' },
    { "tls-key", required_argument, NULL, 'K' },
    { "tokens", required_argument, NULL, 't' },
    { "delay-ms", required_argument, NULL, 'd' },
    { "think-ms", required_argument, NULL, 'T' },
    { "estimate", no_argument, NULL, 'e' },
    { "over", required_argument, NULL, 'o' },
    { "errors", required_argument, NULL, 'E' },
    { "spin", no_argument, NULL, 's' },
    { NULL, 0, NULL, 0 }
};

sim_t  sim = { .tokens = 16, .epoll = -1, .next_due_ms = INT64_MAX };

/* What epoll hands back for the two listening sockets. */
static int  listen_fd = -1, control_fd = -1;


int64_t
sim_now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}


void
sim_die(const char *what)
{
    fprintf(stderr, "aigw-sim: %s: %s\n", what, strerror(errno));
    exit(1);
}


void
sim_put(sim_buf_t *buf, const void *data, size_t len)
{
    if (len > buf->cap - buf->len) {
        buf->cap = 2 * buf->cap + len + 1024;
        buf->data = realloc(buf->data, buf->cap);

        if (buf->data == NULL) {
            sim_die("realloc");
        }
    }

    if (len != 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}


void
sim_printf(sim_buf_t *buf, const char *format, ...)
{
    int       len;
    char      text[4096], *big = NULL;
    va_list   args, again;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(text, sizeof(text), format, args);

    if (len >= (int) sizeof(text)) {
        len = vasprintf(&big, format, again);
    }

    if (len < 0) {
        sim_die("vasprintf");
    }

    sim_put(buf, big != NULL ? big : text, (size_t) len);
    va_end(again);
    va_end(args);
    free(big);
}


int
sim_str_is(aigw_str_t s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}


/* Its first line, without what it may begin with. */
static char *
read_key(const char *path, const char *begin)
{
    char    *key, *line = NULL;
    FILE    *file = fopen(path, "r");
    size_t   size = 0;

    if (file == NULL || getline(&line, &size, file) < 0) {
        sim_die(path);
    }

    (void) fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    key = strdup(strncmp(line, begin, strlen(begin)) == 0
                 ? line + strlen(begin) : line);
    free(line);

    if (key == NULL) {
        sim_die("strdup");
    }

    return key;
}


static int
listen_on(const char *where, const char *label)
{
    int                  fd, on = 1;
    char                 host[64];
    socklen_t            len = sizeof(struct sockaddr_in);
    const char          *colon = strrchr(where, ':');
    struct sockaddr_in   sin = { .sin_family = AF_INET };

    errno = EINVAL;

    if (colon == NULL || (size_t) (colon - where) >= sizeof(host)) {
        sim_die(where);
    }

    memcpy(host, where, (size_t) (colon - where));
    host[colon - where] = '\0';
    sin.sin_port = htons((uint16_t) atoi(colon + 1));

    if (inet_pton(AF_INET, host, &sin.sin_addr) != 1) {
        sim_die(where);
    }

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || listen(fd, 4096) != 0
        || getsockname(fd, (struct sockaddr *) &sin, &len) != 0)
    {
        sim_die(where);
    }

    printf("%s %s:%u\n", label, host, ntohs(sin.sin_port));

    return fd;
}


static void
use_tls(const char *cert, const char *key)
{
    sim.tls = SSL_CTX_new(TLS_server_method());
    errno = EINVAL;

    if (sim.tls == NULL
        || SSL_CTX_use_certificate_chain_file(sim.tls, cert) != 1
        || SSL_CTX_use_PrivateKey_file(sim.tls, key, SSL_FILETYPE_PEM) != 1)
    {
        sim_die(cert);
    }

    (void) SSL_CTX_set_mode(sim.tls, SSL_MODE_ENABLE_PARTIAL_WRITE
                                     |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}


static void
parse_options(int argc, char **argv)
{
    int          c;
    const char  *where = NULL, *control = NULL, *cert = NULL, *key = NULL;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'l': where = optarg; break;
        case 'c': control = optarg; break;
        case 'k': sim.key = read_key(optarg, "sk-"); break;
        case 'n': sim.newapi = strcmp(optarg, "old") == 0 ? SIM_NEWAPI_OLD
                                                          : SIM_NEWAPI_NEW;
                  break;
        case 'm': sim.master = read_key(optarg, ""); break;
        case 'C': cert = optarg; break;
        case 'K': key = optarg; break;
        case 't': sim.tokens = atoll(optarg); break;
        case 'd': sim.delay_ms = atoll(optarg); break;
        case 'T': sim.think_ms = atoll(optarg); break;
        case 'e': sim.estimate = 1; break;
        case 'o': sim.over = atoll(optarg); break;
        case 'E': sim.errors = atoll(optarg); break;
        case 's': sim.spin = 1; break;
        default: fputs(usage, stderr); exit(2);
        }
    }

    if (where == NULL || optind != argc || (cert == NULL) != (key == NULL)) {
        fputs(usage, stderr);
        exit(2);
    }

    if (cert != NULL) {
        use_tls(cert, key);
    }

    listen_fd = listen_on(where, "listen");

    if (control != NULL) {
        control_fd = listen_on(control, "control");
        sim.record = 1;
    }

    (void) fflush(stdout);
}


static void
add_listener(int *fd)
{
    struct epoll_event  event = { .events = EPOLLIN, .data.ptr = fd };

    if (*fd >= 0 && epoll_ctl(sim.epoll, EPOLL_CTL_ADD, *fd, &event) != 0) {
        sim_die("epoll_ctl");
    }
}


void
sim_watch(sim_conn_t *c)
{
    struct epoll_event  event = { .events = EPOLLIN, .data.ptr = c };

    if (c->want_write) {
        event.events |= EPOLLOUT;
    }

    if (epoll_ctl(sim.epoll, EPOLL_CTL_MOD, c->fd, &event) != 0
        && (errno != ENOENT
            || epoll_ctl(sim.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0))
    {
        sim_die("epoll_ctl");
    }
}


static void
accept_all(int fd, int control)
{
    int  on = 1, s;

    for ( ;; ) {
        s = accept4(fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (s < 0) {
            return;
        }

        (void) setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        sim_conn_open(s, control);
    }
}


/* Runs every connection whose pause is over; finds when the next one is. */
static void
run_timers(void)
{
    int64_t      now = sim_now_ms();
    sim_conn_t  *c, *next;

    if (now < sim.next_due_ms) {
        return;
    }

    sim.next_due_ms = INT64_MAX;

    for (c = sim.list.next; c != &sim.list; c = next) {
        next = c->next;

        if (c->due_ms > now && c->due_ms < sim.next_due_ms) {
            sim.next_due_ms = c->due_ms;
        }

        if (c->due_ms != 0 && c->due_ms <= now) {
            c->due_ms = 0;
            sim_conn_run(c);
        }
    }
}


/* Milliseconds until a timer is due, for epoll; -1: there is none. */
static int
pause_ms(void)
{
    int64_t  left;

    if (sim.next_due_ms == INT64_MAX) {
        return -1;
    }

    left = sim.next_due_ms - sim_now_ms();

    return left < 0 ? 0 : left > 60000 ? 60000 : (int) left;
}


static void
loop(void)
{
    int                  i, n;
    void                *ptr;
    struct epoll_event   events[EVENTS];

    for ( ;; ) {
        n = epoll_wait(sim.epoll, events, EVENTS, sim.spin ? 0 : pause_ms());

        if (n == 0 && sim.spin) {
            (void) sched_yield();
        }

        for (i = 0; i < n; i++) {
            ptr = events[i].data.ptr;

            if (ptr == &listen_fd || ptr == &control_fd) {
                accept_all(*(int *) ptr, ptr == &control_fd);
                continue;
            }

            sim_conn_ready(ptr, (events[i].events & ~(uint32_t) EPOLLOUT) != 0);
        }

        run_timers();
        sim_bury();
    }
}


int
main(int argc, char **argv)
{
    (void) signal(SIGPIPE, SIG_IGN);

    if (argc > 1 && strcmp(argv[1], "--load") == 0) {
        return sim_load(argc - 1, argv + 1);
    }

    sim.list.prev = sim.list.next = &sim.list;
    parse_options(argc, argv);
    sim.epoll = epoll_create1(EPOLL_CLOEXEC);

    if (sim.epoll < 0) {
        sim_die("epoll_create1");
    }

    add_listener(&listen_fd);
    add_listener(&control_fd);
    loop();
}
