/*
 * The simulator's connections: bytes in, whole requests to a handler, pieces
 * of an answer out. It knows HTTP/1.1 framing and nothing of chat.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim.h"


#define READ_SIZE   65536
#define WRITE_SIZE  16384             /* pieces are gathered up to that */
#define HEAD_MAX    (1024 * 1024)

/* Closed, but epoll may still name it in this round. */
static sim_conn_t  *dead;


void
sim_answer(sim_conn_t *c, const char *status, const char *headers,
    const char *body, size_t len)
{
    sim_printf(&c->out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n%s%s\r\n", status, len, headers,
               c->close ? "Connection: close\r\n" : "");
    sim_put(&c->out, body, len);
}


void
sim_conn_open(int fd, int control)
{
    sim_conn_t  *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        sim_die("calloc");
    }

    c->fd = fd;
    c->control = control != 0;

    if (!control) {
        sim.connections++;
    }

    if (!control && sim.tls != NULL) {
        c->ssl = SSL_new(sim.tls);

        if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1) {
            sim_die("SSL_new");
        }

        SSL_set_accept_state(c->ssl);
    }

    c->prev = sim.list.prev;
    c->next = &sim.list;
    c->prev->next = c;
    sim.list.prev = c;
    sim_watch(c);
}


/* Frees it once no event of this round can name it any more. */
static void
conn_close(sim_conn_t *c, int reset)
{
    struct linger  linger = { 1, 0 };

    if (reset) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
    }

    if (!c->control) {
        sim.connections--;
    }

    SSL_free(c->ssl);
    (void) close(c->fd);
    c->fd = -1;
    c->due_ms = 0;
    c->gated = 0;
    c->prev->next = c->next;
    c->next->prev = c->prev;
    sim_script_free(c->script);
    free(c->stream.head);
    free(c->in.data);
    free(c->out.data);
    c->prev = dead;
    dead = c;
}


void
sim_bury(void)
{
    sim_conn_t  *c;

    while ((c = dead) != NULL) {
        dead = c->prev;
        free(c);
    }
}


/* Bytes moved, 0 at the end or on an error, -1 if it would block. */
static ssize_t
conn_io(sim_conn_t *c, int writing, void *data, size_t len)
{
    int      why;
    ssize_t  n;

    if (c->ssl == NULL) {
        n = writing ? send(c->fd, data, len, 0) : recv(c->fd, data, len, 0);

        return n < 0 ? (errno == EAGAIN ? -1 : 0) : n;
    }

    n = writing ? SSL_write(c->ssl, data, (int) len)
                : SSL_read(c->ssl, data, (int) len);

    if (n > 0) {
        return n;
    }

    why = SSL_get_error(c->ssl, (int) n);

    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
}


/* AIGW_OK: all sent; AIGW_AGAIN: later; AIGW_EIO: the peer is gone. */
static aigw_err_t
conn_flush(sim_conn_t *c)
{
    ssize_t     n = 1;
    aigw_err_t  err = AIGW_OK;

    while (c->sent < c->out.len && n > 0) {
        n = conn_io(c, 1, c->out.data + c->sent, c->out.len - c->sent);
        c->sent += n > 0 ? (size_t) n : 0;
    }

    if (n == 0) {
        return AIGW_EIO;
    }

    if (c->sent == c->out.len) {
        c->sent = c->out.len = 0;

    } else {
        err = AIGW_AGAIN;
    }

    if (c->want_write != (err == AIGW_AGAIN)) {
        c->want_write = err == AIGW_AGAIN;
        sim_watch(c);
    }

    return err;
}


/* 0 when the peer has closed. */
static int
conn_read(sim_conn_t *c)
{
    char     data[READ_SIZE];
    ssize_t  n;

    do {
        n = conn_io(c, 0, data, sizeof(data));

        if (n > 0) {
            sim_put(&c->in, data, (size_t) n);
        }

    } while (n == READ_SIZE || (n > 0 && c->ssl != NULL));

    return n != 0;
}


/* Takes the framing off; *size is what it took. 1 whole, 0 not yet, -1 bad. */
static int
decode_chunked(const char *p, size_t len, sim_buf_t *body, size_t *size)
{
    char        *after;
    size_t       n, at = 0;
    const char  *eol;

    body->len = 0;

    for ( ;; ) {
        eol = memchr(p + at, '\n', len - at);

        if (eol == NULL) {
            return 0;
        }

        n = strtoul(p + at, &after, 16);

        if (after == p + at || n > SIZE_MAX / 2) {
            return -1;
        }

        at = (size_t) (eol - p) + 1;

        if (n + 2 > len - at) {
            return 0;
        }

        sim_put(body, p + at, n);
        at += n + 2;

        if (n == 0) {
            *size = at;
            return 1;
        }
    }
}


static void
read_header(sim_request_t *r, const char *line, size_t len, size_t *length,
    int *chunked, int *expects)
{
    size_t       name_len;
    aigw_str_t   value;
    const char  *colon = memchr(line, ':', len);

    if (colon == NULL) {
        return;
    }

    name_len = (size_t) (colon - line);
    value.data = colon + 1;
    value.len = len - name_len - 1;

    while (value.len != 0 && *value.data == ' ') {
        value.data++;
        value.len--;
    }

    if (name_len == 14 && strncasecmp(line, "content-length", 14) == 0) {
        *length = strtoul(value.data, NULL, 10);

    } else if (name_len == 17
               && strncasecmp(line, "transfer-encoding", 17) == 0)
    {
        *chunked = 1;

    } else if (name_len == 13 && strncasecmp(line, "authorization", 13) == 0) {
        r->authorization = value;

    } else if (name_len == 12 && strncasecmp(line, "new-api-user", 12) == 0) {
        r->user = value;

    } else if (name_len == 10 && strncasecmp(line, "connection", 10) == 0
               && value.len == 5)
    {
        r->close = strncasecmp(value.data, "close", 5) == 0;

    } else if (name_len == 6 && strncasecmp(line, "expect", 6) == 0) {
        *expects = 1;
    }
}


/* The length of the head, 0: not there yet. */
static size_t
parse_head(sim_conn_t *c, sim_request_t *r, size_t *length, int *chunked,
    int *expects)
{
    size_t       size;
    const char  *p = c->in.data, *end, *line, *eol, *query;

    end = c->in.len < 4 ? NULL
          : memmem(p + c->scanned, c->in.len - c->scanned, "\r\n\r\n", 4);

    if (end == NULL) {
        c->scanned = c->in.len < 3 ? 0 : c->in.len - 3;
        return 0;
    }

    size = (size_t) (end - p) + 4;
    eol = memchr(p, '\r', size);
    line = memchr(p, ' ', (size_t) (eol - p));

    if (line != NULL) {
        r->method.data = p;
        r->method.len = (size_t) (line - p);
        r->path.data = ++line;
        query = line + strcspn(line, "? \r");
        r->path.len = (size_t) (query - line);

        if (*query == '?') {
            r->query.data = ++query;
            r->query.len = strcspn(query, " \r");
        }

        r->http10 = memcmp(eol - 3, "1.0", 3) == 0;
        r->close = r->http10;
    }

    for (line = eol + 2; line < end; line = eol + 2) {
        eol = memchr(line, '\r', (size_t) (end + 1 - line));
        read_header(r, line, (size_t) (eol - line), length, chunked, expects);
    }

    return size;
}


/* Hands one whole request to its handler; 0: there is none yet. */
static int
next_request(sim_conn_t *c)
{
    int                chunked = 0, expects = 0, rc = 1;
    size_t             head, length = 0;
    sim_request_t      r = { .raw = { 0, NULL } };
    static sim_buf_t   decoded;

    head = parse_head(c, &r, &length, &chunked, &expects);

    if (head == 0) {
        if (c->in.len > HEAD_MAX) {
            c->close = 1;
            sim_answer(c, "431 Request Header Fields Too Large", "", "", 0);
            return 1;
        }

        return 0;
    }

    r.body.data = c->in.data + head;
    r.body.len = length;

    if (chunked) {
        rc = decode_chunked(r.body.data, c->in.len - head, &decoded, &length);
        r.body.data = decoded.data;
        r.body.len = decoded.len;

    } else if (length > c->in.len - head) {
        rc = 0;
    }

    if (rc == 0 && expects && !c->continued) {
        c->continued = 1;
        sim_printf(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        (void) conn_flush(c);
    }

    if (rc == 0) {
        return 0;
    }

    r.raw.data = c->in.data;
    r.raw.len = head + length;
    c->close = r.close || rc < 0;
    c->unframed = r.http10;
    c->continued = 0;

    if (rc < 0 || r.path.len == 0) {
        c->close = 1;
        sim_answer(c, "400 Bad Request", "", "", 0);
        return 1;
    }

    (c->control ? sim_control : sim_serve)(c, &r);

    c->in.len -= head + length;
    memmove(c->in.data, c->in.data + head + length, c->in.len);
    c->scanned = 0;

    return 1;
}


/* One turn of the answer's source. 0: nothing more to do now. */
static int
turn(sim_conn_t *c)
{
    switch (c->source(c)) {

    case SIM_MORE:
        return 1;

    case SIM_WAIT:
        c->gated = 1;
        return 0;

    case SIM_END:
        c->source = NULL;
        return 1;

    case SIM_CUT:
        (void) conn_flush(c);
        conn_close(c, 0);
        return 0;

    default:
        (void) conn_flush(c);
        conn_close(c, 1);
        return 0;
    }
}


void
sim_conn_run(sim_conn_t *c)
{
    aigw_err_t  err;

    for ( ;; ) {
        if (c->each || c->source == NULL || c->out.len >= WRITE_SIZE) {
            err = conn_flush(c);

            if (err == AIGW_EIO) {
                sim.aborted += c->source != NULL;
                conn_close(c, 0);
                return;
            }

            if (err == AIGW_AGAIN) {
                return;
            }
        }

        if (c->source != NULL) {
            if (c->due_ms != 0 || c->gated || !turn(c)) {
                return;
            }

            continue;
        }

        if (c->close) {
            conn_close(c, 0);
            return;
        }

        if (!next_request(c)) {
            return;
        }
    }
}


void
sim_conn_ready(sim_conn_t *c, int readable)
{
    if (c->fd < 0) {
        return;
    }

    if (readable && !conn_read(c)) {
        sim.aborted += c->source != NULL;
        conn_close(c, 0);
        return;
    }

    sim_conn_run(c);
}


void
sim_wake_gates(void)
{
    sim_conn_t  *c, *next;

    for (c = sim.list.next; c != &sim.list; c = next) {
        next = c->next;

        if (c->gated) {
            c->gated = 0;
            sim_conn_run(c);
        }
    }
}
