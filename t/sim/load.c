/*
 * `aigw-sim --load URL`: many keep-alive clients at once, for tests that
 * count and for the bench. It sends one body over and over and prints one
 * line of JSON about the answers; it judges nothing.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"


#define EVENTS      128
#define IN_SIZE     65536
#define STATUS_MAX  600

typedef struct {
    int        fd;
    size_t     sent;
    size_t     len;                   /* of in */
    size_t     got;                   /* of the answer */
    uint64_t   start_us;
    uint32_t   first_us;
    char       in[IN_SIZE];
} client_t;

typedef struct {
    struct sockaddr_in  sin;
    char                host[128];
    const char         *path;
    const char         *key;
    sim_buf_t           body;
    sim_buf_t           request;
    int                 epoll;
    uint64_t            wanted;
    uint64_t            started;
    uint64_t            done;
    uint64_t            broken;       /* connections lost without an answer */
    uint64_t            bytes;
    uint64_t            status[STATUS_MAX];
    uint32_t           *first_us;     /* to the first byte of an answer */
    uint32_t           *took_us;
} load_t;

static const char default_body[] =
    "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\","
    "\"content\":\"hello\"}]}";

static const struct option  options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "requests", required_argument, NULL, 'n' },
    { "key-file", required_argument, NULL, 'k' },
    { "body-file", required_argument, NULL, 'b' },
    { "spin", no_argument, NULL, 's' },
    { NULL, 0, NULL, 0 }
};

static load_t  load;


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
client_connect(client_t *client)
{
    int                 on = 1;
    struct epoll_event  event = { .events = EPOLLIN|EPOLLOUT,
                                  .data.ptr = client };

    client->len = client->sent = client->got = 0;
    client->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (client->fd < 0
        || connect(client->fd, (struct sockaddr *) &load.sin,
                   sizeof(load.sin)) != 0
        || setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on,
                      sizeof(on)) != 0
        || epoll_ctl(load.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
    {
        sim_die("connect");
    }
}


static void
client_start(client_t *client)
{
    if (load.started == load.wanted) {
        return;
    }

    load.started++;
    client->sent = client->len = client->got = 0;
    client->start_us = now_us();
}


/* Sends what is left of its request. */
static void
client_write(client_t *client)
{
    ssize_t             n;
    struct epoll_event  event = { .events = EPOLLIN, .data.ptr = client };

    n = send(client->fd, load.request.data + client->sent,
             load.request.len - client->sent, MSG_DONTWAIT|MSG_NOSIGNAL);
    client->sent += n > 0 ? (size_t) n : 0;

    if (client->sent < load.request.len) {
        event.events |= EPOLLOUT;
    }

    (void) epoll_ctl(load.epoll, EPOLL_CTL_MOD, client->fd, &event);
}


/* Is the answer whole? By its length, got being all bytes of it so far; if
   chunked, its last chunk is looked for, not parsed (a header may end in 0). */
static int
is_whole(const client_t *client)
{
    const char  *head, *length;

    head = memmem(client->in, client->len, "\r\n\r\n", 4);

    if (head == NULL) {
        return 0;
    }

    length = memmem(client->in, (size_t) (head - client->in),
                    "\r\nContent-Length: ", 18);

    if (length == NULL) {
        return memcmp(client->in + client->len - 7, "\r\n0\r\n\r\n", 7) == 0;
    }

    return client->got >= (size_t) (head + 4 - client->in)
                          + strtoul(length + 18, NULL, 10);
}


static void
client_lost(client_t *client)
{
    (void) close(client->fd);
    load.broken++;
    load.done++;
    client_connect(client);
    client_start(client);
}


static void
client_read(client_t *client)
{
    long      status;
    ssize_t   n;

    /* Answers that do not fit are kept by their head and newest bytes. */
    if (client->len > IN_SIZE - 4096) {
        memmove(client->in + IN_SIZE / 2, client->in + client->len - 8, 8);
        client->len = IN_SIZE / 2 + 8;
    }

    n = recv(client->fd, client->in + client->len, IN_SIZE - client->len,
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

    if (!is_whole(client)) {
        return;
    }

    status = strtol(client->in + 9, NULL, 10);
    load.status[status > 0 && status < STATUS_MAX ? status : 0]++;
    load.first_us[load.done] = client->first_us;
    load.took_us[load.done++] = (uint32_t) (now_us() - client->start_us);
    client->len = 0;

    if (load.started < load.wanted) {
        client_start(client);
        client_write(client);
    }
}


static int
compare(const void *one, const void *two)
{
    uint32_t  a = *(const uint32_t *) one, b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


static void
report(uint64_t elapsed_us)
{
    int          i;
    size_t       n = load.done - load.broken;
    const char  *comma = "";

    qsort(load.took_us, n, sizeof(uint32_t), compare);
    qsort(load.first_us, n, sizeof(uint32_t), compare);
    printf("{\"requests\":%llu,\"broken\":%llu,\"bytes\":%llu,"
           "\"seconds\":%.3f,\"per_second\":%.0f,\"status\":{",
           (unsigned long long) load.done, (unsigned long long) load.broken,
           (unsigned long long) load.bytes, (double) elapsed_us / 1e6,
           (double) load.done * 1e6 / (double) (elapsed_us + 1));

    for (i = 0; i < STATUS_MAX; i++) {
        if (load.status[i] != 0) {
            printf("%s\"%d\":%llu", comma, i,
                   (unsigned long long) load.status[i]);
            comma = ",";
        }
    }

    printf("},\"first_p50_us\":%u,\"p50_us\":%u,\"p99_us\":%u,"
           "\"max_us\":%u}\n",
           n == 0 ? 0 : load.first_us[n / 2],
           n == 0 ? 0 : load.took_us[n / 2],
           n == 0 ? 0 : load.took_us[n - 1 - n / 100],
           n == 0 ? 0 : load.took_us[n - 1]);
}


static void
run(size_t connections)
{
    int                  i, n;
    size_t               k;
    uint64_t             start = now_us();
    client_t            *clients = calloc(connections, sizeof(client_t));
    struct epoll_event   events[EVENTS];

    load.first_us = calloc(load.wanted + connections, sizeof(uint32_t));
    load.took_us = calloc(load.wanted + connections, sizeof(uint32_t));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);

    if (clients == NULL || load.first_us == NULL || load.took_us == NULL
        || load.epoll < 0)
    {
        sim_die("calloc");
    }

    for (k = 0; k < connections && k < load.wanted; k++) {
        client_connect(&clients[k]);
        client_start(&clients[k]);
    }

    while (load.done < load.wanted) {
        n = epoll_wait(load.epoll, events, EVENTS, sim.spin ? 0 : -1);

        if (n == 0 && sim.spin) {
            (void) sched_yield();
        }

        for (i = 0; i < n; i++) {
            if ((events[i].events & EPOLLOUT) != 0) {
                client_write(events[i].data.ptr);
            }

            if ((events[i].events & ~(uint32_t) EPOLLOUT) != 0) {
                client_read(events[i].data.ptr);
            }
        }
    }

    report(now_us() - start);
    free(clients);
    free(load.first_us);
    free(load.took_us);
}


int
sim_load(int argc, char **argv)
{
    int         c;
    size_t      connections = 64;
    sim_buf_t   key = { NULL, 0, 0 };

    load.wanted = 1000;
    sim_put(&load.body, default_body, sizeof(default_body) - 1);

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'c': connections = strtoul(optarg, NULL, 10); break;
        case 'n': load.wanted = strtoul(optarg, NULL, 10); break;
        case 'k': read_file(optarg, &key); break;
        case 'b': read_file(optarg, &load.body); break;
        case 's': sim.spin = 1; break;
        default: return 2;
        }
    }

    if (optind + 1 != argc || !parse_url(argv[optind]) || connections == 0) {
        fprintf(stderr, "usage: aigw-sim --load http://ADDRESS:PORT/PATH"
                " [--connections N] [--requests N]\n"
                "           [--key-file FILE] [--body-file FILE]"
                " [--spin]\n");
        return 2;
    }

    sim_put(&key, "", 1);
    key.data[strcspn(key.data, "\r\n")] = '\0';
    sim_printf(&load.request, "POST %s HTTP/1.1\r\nHost: %s\r\n"
               "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n", load.path, load.host, key.data,
               load.body.len);
    sim_put(&load.request, load.body.data, load.body.len);
    run(connections);
    free(key.data);

    return 0;
}
