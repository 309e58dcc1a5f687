/*
 * `aigw-sim --load URL`: many keep-alive clients at once, for tests that
 * count and for the bench. It sends one body over and over, or another each
 * time, and prints one line of JSON about the answers; it judges nothing.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"


#define EVENTS        128
#define CONNECT_US    20000           /* between two tries to connect */
#define ABORT_US      40000           /* a client leaves at most so late */

static const char default_body[] =
    "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\","
    "\"content\":\"hello\"}]}";

static const char usage[] =
    "usage: aigw-sim --load http://ADDRESS:PORT/PATH [option ...]\n"
    "\n"
    "  --connections N    clients (default 64)\n"
    "  --requests N       calls of all together (default 1000)\n"
    "  --key-file FILE    their key\n"
    "  --body-file FILE   the body of each call\n"
    "  --vary SEED        another body each time: prompt, limit, stream\n"
    "  --obey             wait as Retry-After says and try again, connect\n"
    "                     again where nobody listens, and call no more after\n"
    "                     insufficient_quota\n"
    "  --aborts N         leave amid N of a hundred calls\n"
    "  --ids-file FILE    gets x-request-id of each whole answer of 200\n"
    "  --spin             never sleep\n";

static const struct option  options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "requests", required_argument, NULL, 'n' },
    { "key-file", required_argument, NULL, 'k' },
    { "body-file", required_argument, NULL, 'b' },
    { "spin", no_argument, NULL, 's' },
    { "obey", no_argument, NULL, 'o' },
    { "vary", required_argument, NULL, 'v' },
    { "aborts", required_argument, NULL, 'a' },
    { "ids-file", required_argument, NULL, 'i' },
    { NULL, 0, NULL, 0 }
};

load_t  load;


static uint64_t
now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static void
read_file(const char *path, sim_buf_t *buf)
{
    char     data[4096];
    FILE    *file = fopen(path, "r");
    size_t   n;

    if (file == NULL) {
        sim_die(path);
    }

    buf->len = 0;

    while ((n = fread(data, 1, sizeof(data), file)) != 0) {
        sim_put(buf, data, n);
    }

    (void) fclose(file);
}


/* http://HOST:PORT/PATH, HOST being an address. */
static int
parse_url(const char *url)
{
    char      host[64];
    unsigned  port;

    if (sscanf(url, "http://%63[0-9.]:%u", host, &port) != 2) {
        return 0;
    }

    load.sin.sin_family = AF_INET;
    load.sin.sin_port = htons((uint16_t) port);
    load.path = strchr(url + 7, '/');
    (void) snprintf(load.host, sizeof(load.host), "%s:%u", host, port);

    return load.path != NULL
           && inet_pton(AF_INET, host, &load.sin.sin_addr) == 1;
}


static void
client_due(load_client_t *client, load_due_t due, uint64_t after_us)
{
    client->due = due;
    client->due_us = now_us() + after_us;
}


static void
client_connect(load_client_t *client)
{
    int                 on = 1;
    struct epoll_event  event = { .events = EPOLLIN|EPOLLOUT,
                                  .data.ptr = client };

    client->len = client->sent = client->got = 0;
    client->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (client->fd >= 0 && load.obey
        && connect(client->fd, (struct sockaddr *) &load.sin,
                   sizeof(load.sin)) != 0)
    {
        (void) close(client->fd);
        client->fd = -1;
        client_due(client, LOAD_CONNECT, CONNECT_US);
        return;
    }

    if (client->fd < 0
        || (!load.obey
            && connect(client->fd, (struct sockaddr *) &load.sin,
                       sizeof(load.sin)) != 0)
        || setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on,
                      sizeof(on)) != 0
        || epoll_ctl(load.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
    {
        sim_die("connect");
    }
}


/* The same call once more, or the next one; the caller writes it. */
static void
client_begin(load_client_t *client)
{
    client->sent = client->len = client->got = 0;
    client->calling = 1;
    client->written = 0;

    if (load.aborts > 0 && load_random(100) < load.aborts) {
        client_due(client, LOAD_ABORT, load_random(ABORT_US));
    }
}


static void
client_start(load_client_t *client)
{
    client->calling = 0;

    if (load.started == load.wanted) {
        return;
    }

    load.started++;
    client->own.len = 0;
    client->start_us = now_us();
    client_begin(client);
}


/* Sends what is left of its request. */
static void
client_write(load_client_t *client)
{
    ssize_t             n;
    const sim_buf_t    *request;
    struct epoll_event  event = { .events = EPOLLIN, .data.ptr = client };

    if (client->calling) {
        request = load_request(client);
        n = send(client->fd, request->data + client->sent,
                 request->len - client->sent, MSG_DONTWAIT|MSG_NOSIGNAL);
        client->sent += n > 0 ? (size_t) n : 0;
        client->written |= n > 0;

        if (client->sent < request->len) {
            event.events |= EPOLLOUT;
        }
    }

    (void) epoll_ctl(load.epoll, EPOLL_CTL_MOD, client->fd, &event);
}


/* Its call is over: the next one, on this connection or a new one. */
static void
client_next(load_client_t *client, int closed)
{
    client->due_us = 0;
    client_start(client);

    if (closed) {
        (void) close(client->fd);
        client_connect(client);

    } else if (client->calling) {
        client_write(client);
    }
}


static void
client_lost(load_client_t *client)
{
    if (!client->calling) {
        (void) close(client->fd);
        client->fd = -1;
        return;
    }

    if (load.obey && !client->written) {
        /* an idle connection that the server had closed */
        (void) close(client->fd);
        client_connect(client);
        return;
    }

    load.broken++;
    load.done++;
    client_next(client, 1);
}


/* A whole answer is there. */
static void
client_answered(load_client_t *client)
{
    int       closed = load_is_last(client);
    unsigned  wait_s = 0;

    client->due_us = 0;

    switch (load_answer(client, &wait_s)) {

    case LOAD_ANSWER_AGAIN:
        client->calling = 0;
        client_due(client, LOAD_AGAIN, wait_s * UINT64_C(1000000));
        return;

    case LOAD_ANSWER_SPENT:
        client->calling = 0;
        load.stopped++;
        load.done++;
        return;

    default:
        load.first_us[load.answers] = client->first_us;
        load.took_us[load.answers++] = (uint32_t) (now_us()
                                                   - client->start_us);
        load.done++;
        client_next(client, closed);
    }
}


static void
client_read(load_client_t *client)
{
    ssize_t  n;

    /* Answers that do not fit are kept by their head and newest bytes. */
    if (client->len > LOAD_IN_SIZE - 4096) {
        memmove(client->in + LOAD_IN_SIZE / 2, client->in + client->len - 8, 8);
        client->len = LOAD_IN_SIZE / 2 + 8;
    }

    n = recv(client->fd, client->in + client->len, LOAD_IN_SIZE - client->len,
             MSG_DONTWAIT);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            client_lost(client);
        }

        return;
    }

    if (client->len == 0) {
        client->first_us = (uint32_t) (now_us() - client->start_us);
    }

    client->len += (size_t) n;
    client->got += (size_t) n;
    load.bytes += (uint64_t) n;

    if (client->calling && load_is_whole(client)) {
        client_answered(client);
    }
}


/* What a client has put off. */
static void
client_wake(load_client_t *client)
{
    client->due_us = 0;

    switch (client->due) {

    case LOAD_ABORT:
        load.aborted++;
        load.done++;
        client_next(client, 1);
        return;

    case LOAD_AGAIN:
        client_begin(client);

        if (client->fd >= 0) {
            client_write(client);
            return;
        }

        /* fall through */

    default:
        client_connect(client);
    }
}


/* Wakes those whose time has come; milliseconds to the next, -1: none. */
static int
wake_clients(load_client_t *clients, size_t n)
{
    size_t    i;
    uint64_t  now = now_us(), next = UINT64_MAX;

    for (i = 0; i < n; i++) {
        if (clients[i].due_us != 0 && clients[i].due_us <= now) {
            client_wake(&clients[i]);
        }

        if (clients[i].due_us != 0 && clients[i].due_us < next) {
            next = clients[i].due_us;
        }
    }

    return next == UINT64_MAX ? -1
           : next <= now ? 0 : (int) ((next - now + 999) / 1000);
}


static void
handle(const struct epoll_event *event)
{
    load_client_t  *client = event->data.ptr;

    if ((event->events & EPOLLOUT) != 0) {
        client_write(client);
    }

    if ((event->events & ~(uint32_t) EPOLLOUT) != 0) {
        client_read(client);
    }
}


static void
run(size_t n)
{
    int                  i, ready, pause;
    size_t               k;
    uint64_t             start = now_us();
    load_client_t       *clients = calloc(n, sizeof(load_client_t));
    struct epoll_event   events[EVENTS];

    load.first_us = calloc(load.wanted + n, sizeof(uint32_t));
    load.took_us = calloc(load.wanted + n, sizeof(uint32_t));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);

    if (clients == NULL || load.first_us == NULL || load.took_us == NULL
        || load.epoll < 0)
    {
        sim_die("calloc");
    }

    n = n < load.wanted ? n : load.wanted;

    for (k = 0; k < n; k++) {
        client_connect(&clients[k]);
        client_start(&clients[k]);
    }

    while (load.done < load.wanted && load.stopped < n) {
        pause = load.obey || load.aborts > 0 ? wake_clients(clients, n) : -1;
        ready = epoll_wait(load.epoll, events, EVENTS, sim.spin ? 0 : pause);

        if (ready == 0 && sim.spin) {
            (void) sched_yield();
        }

        for (i = 0; i < ready; i++) {
            handle(&events[i]);
        }
    }

    load_report(now_us() - start);

    for (k = 0; k < n; k++) {
        free(clients[k].own.data);
    }

    free(clients);
    free(load.first_us);
    free(load.took_us);
}


static uint64_t
seed(const char *text)
{
    return (strtoull(text, NULL, 10) + 1) * UINT64_C(0x9e3779b97f4a7c15);
}


int
sim_load(int argc, char **argv)
{
    int         c;
    size_t      connections = 64;
    sim_buf_t   key = { NULL, 0, 0 };

    load.wanted = 1000;
    load.random = seed("0");
    sim_put(&load.body, default_body, sizeof(default_body) - 1);

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'c': connections = strtoul(optarg, NULL, 10); break;
        case 'n': load.wanted = strtoul(optarg, NULL, 10); break;
        case 'k': read_file(optarg, &key); break;
        case 'b': read_file(optarg, &load.body); break;
        case 's': sim.spin = 1; break;
        case 'o': load.obey = 1; break;
        case 'v': load.random = seed(optarg); load.vary = 1; break;
        case 'a': load.aborts = (unsigned) atoi(optarg); break;
        case 'i': load.ids = fopen(optarg, "w"); break;
        default: return 2;
        }
    }

    if (optind + 1 != argc || !parse_url(argv[optind]) || connections == 0) {
        fputs(usage, stderr);
        return 2;
    }

    sim_put(&key, "", 1);
    key.data[strcspn(key.data, "\r\n")] = '\0';
    load.key = key.data;
    load_build(&load.request, &load.body);
    run(connections);
    free(key.data);

    return load.ids != NULL && fclose(load.ids) != 0;
}
