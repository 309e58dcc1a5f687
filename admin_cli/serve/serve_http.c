/*
 * HTTP: a request is read to its end, answered whole, and forgotten. What
 * answers must never carry (caches, foreign pages) is said in each.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"


#define JSON_TYPE  "application/json"


const char *
serve_header(const serve_request_t *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}


void
serve_add_header(serve_request_t *r, const char *name, const char *value)
{
    if (r->headers == NULL) {
        r->headers = MHD_create_response_from_buffer(0, NULL,
                                                     MHD_RESPMEM_PERSISTENT);
    }

    (void) MHD_add_response_header(r->headers, name, value);
}


void
serve_answer(serve_request_t *r, unsigned status, cJSON *answer)
{
    cJSON_Delete(r->answer);
    r->answer = answer;
    r->status = status;
}


void
serve_fail(serve_request_t *r, unsigned status, const char *code,
    const char *field, const char *hint, const char *format, ...)
{
    char      message[CLI_MESSAGE_LEN + 1];
    cJSON    *answer, *error;
    va_list   args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    if (r->origin) {
        serve_origin_fail(r, status, code, message);
        return;
    }

    answer = cJSON_CreateObject();
    error = cJSON_AddObjectToObject(answer, "error");
    cli_add_text(error, "code", code);
    cli_add_text(error, "message", message);
    cli_add_text(error, "hint", hint && hint[0] ? hint : NULL);
    cli_add_text(error, "field", field);
    serve_answer(r, status, answer);

    if (status == MHD_HTTP_UNAUTHORIZED) {
        serve_add_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
}


void
serve_fail_command(serve_request_t *r, cli_exit_t code)
{
    char                 field[CLI_TEXT_LEN];
    cli_option_t         option = { 0 };
    const cli_caller_t  *c = &r->caller;

    static const unsigned  statuses[] = {
        [CLI_FAILED] = MHD_HTTP_INTERNAL_SERVER_ERROR,
        [CLI_USAGE] = MHD_HTTP_BAD_REQUEST,
        [CLI_NOT_FOUND] = MHD_HTTP_NOT_FOUND,
        [CLI_DENIED] = MHD_HTTP_FORBIDDEN,
        [CLI_CONFLICT] = MHD_HTTP_CONFLICT,
        [CLI_UNREACHABLE] = MHD_HTTP_SERVICE_UNAVAILABLE
    };

    option.name = c->field;
    serve_fail(r, code < sizeof(statuses) / sizeof(statuses[0])
                  ? statuses[code] : MHD_HTTP_INTERNAL_SERVER_ERROR,
               cli_exit_name(code),
               c->field ? serve_field_name(&option, field) : NULL, c->hint,
               "%s", c->message);
}


void
serve_fail_store(serve_request_t *r)
{
    serve_fail(r, MHD_HTTP_SERVICE_UNAVAILABLE, "unreachable", NULL, NULL,
               "the store cannot be used");
    serve_add_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "5");
}


static enum MHD_Result
copy_header(void *ctx, enum MHD_ValueKind kind, const char *name,
    const char *value)
{
    (void) kind;

    return MHD_add_response_header(ctx, name, value);
}


static enum MHD_Result
send_answer(serve_request_t *r)
{
    char                 *text;
    enum MHD_Result       done;
    struct MHD_Response  *response;

    if (r->bytes != NULL) {
        response = MHD_create_response_from_buffer(r->bytes_len,
                              (void *) (uintptr_t) r->bytes,
                              MHD_RESPMEM_PERSISTENT);

    } else if (r->answer == NULL) {
        response = MHD_create_response_from_buffer(0, NULL,
                                                   MHD_RESPMEM_PERSISTENT);

    } else {
        /* cJSON's memory is cleansed when it is freed: it may hold a key */
        text = cJSON_PrintUnformatted(r->answer);
        response = MHD_create_response_from_buffer_with_free_callback(
                              strlen(text), text, cJSON_free);
    }

    if (r->headers != NULL) {
        (void) MHD_get_response_headers(r->headers, copy_header, response);
    }

    if (r->bytes != NULL || r->answer != NULL) {
        (void) MHD_add_response_header(response,
                                       MHD_HTTP_HEADER_CONTENT_TYPE,
                                       r->type ? r->type : JSON_TYPE);
    }

    if (r->bytes == NULL) {
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                       "no-store");
        (void) MHD_add_response_header(response, "Content-Security-Policy",
                                       "default-src 'none';"
                                       " frame-ancestors 'none'");
    }

    (void) MHD_add_response_header(response, "X-Content-Type-Options",
                                   "nosniff");
    (void) MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    done = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);

    return done;
}


/* The client's address, as nginx tells it: nobody else reaches the socket. */
static void
take_address(serve_request_t *r)
{
    const char  *text = serve_header(r, "X-Real-IP");

    if (text != NULL && text[strspn(text, "0123456789abcdefABCDEF:.")] == '\0')
    {
        snprintf(r->from, sizeof(r->from), "%.*s", SERVE_FROM_MAX, text);
    }
}


static serve_request_t *
new_request(struct MHD_Connection *connection, const char *url,
    const char *method)
{
    serve_request_t  *r;

    r = calloc(1, sizeof(serve_request_t));

    if (r == NULL) {
        return NULL;
    }

    r->connection = connection;
    r->method = method;
    r->path = strdup(url);
    r->cli.store_path = serve.store_path;
    r->cli.format = CLI_JSON;
    r->cli.quiet = 1;
    r->cli.yes = 1;
    r->cli.caller = &r->caller;
    take_address(r);

    return r;
}


static void
add_bytes(serve_request_t *r, const char *data, size_t len)
{
    if (r->body == NULL) {
        r->body = cJSON_malloc(SERVE_BODY_MAX + 1);
    }

    if (len > SERVE_BODY_MAX - r->body_len) {
        r->too_large = 1;
        len = 0;
    }

    memcpy(r->body + r->body_len, data, len);
    r->body_len += len;
    r->body[r->body_len] = '\0';
}


enum MHD_Result
serve_on_request(void *ctx, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version,
    const char *data, size_t *len, void **state)
{
    serve_request_t  *r = *state;

    (void) ctx;
    (void) version;

    if (r == NULL) {
        *state = new_request(connection, url, method);
        return *state ? MHD_YES : MHD_NO;
    }

    if (*len > 0) {
        add_bytes(r, data, *len);
        *len = 0;
        return MHD_YES;
    }

    if (serve_find_route(r)) {
        if (r->too_large) {
            serve_fail(r, MHD_HTTP_CONTENT_TOO_LARGE, "too_large", NULL, NULL,
                       "a body has at most %d bytes", SERVE_BODY_MAX);

        } else {
            serve_run(r);
        }
    }

    return send_answer(r);
}


void
serve_on_end(void *ctx, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode why)
{
    size_t            i;
    serve_request_t  *r = *state;

    (void) ctx;
    (void) connection;
    (void) why;

    if (r == NULL) {
        return;
    }

    serve_close(r);

    for (i = 0; i < r->texts; i++) {
        cJSON_free(r->text[i]);
    }

    if (r->headers != NULL) {
        MHD_destroy_response(r->headers);
    }

    cJSON_Delete(r->json);
    cJSON_Delete(r->answer);
    cJSON_free(r->body);
    free(r->path);
    aigw_cleanse(r, sizeof(*r));
    free(r);
}
