/* Which route a request is for. Paths are compared as they are: no case folded,
   no slash forgiven. Threat M04. */

#include <string.h>

#include "serve.h"


int
serve_path_matches(const char *pattern, char *path,
    char *param[SERVE_PARAMS_MAX])
{
    char    *p;
    size_t   n = 0;

    for (p = path; *pattern != '\0'; /* void */) {
        if (*pattern != '{') {
            if (*pattern++ != *p++) {
                return 0;
            }

            continue;
        }

        if (n == SERVE_PARAMS_MAX || *p == '\0' || *p == '/') {
            return 0;
        }

        param[n++] = p;
        p += strcspn(p, "/");
        pattern = strchr(pattern, '}') + 1;
    }

    return *p == '\0';
}


/* A {part} ends where the next slash was; it may have one that is escaped:
   models do. */
static int
take_params(serve_request_t *r)
{
    size_t  i;

    for (i = 0; i < SERVE_PARAMS_MAX && r->param[i] != NULL; i++) {
        r->param[i][strcspn(r->param[i], "/")] = '\0';
    }

    for (i = 0; i < SERVE_PARAMS_MAX && r->param[i] != NULL; i++) {
        if (!serve_unescape(r->param[i])) {
            return 0;
        }
    }

    return 1;
}


static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}


int
serve_unescape(char *text)
{
    int    high, low;
    char  *out = text;

    for ( ; *text != '\0'; text++) {
        if (*text != '%') {
            *out++ = *text;
            continue;
        }

        high = hex(text[1]);
        low = high < 0 ? -1 : hex(text[2]);

        if (low < 0 || (high == 0 && low == 0)) {
            return 0;
        }

        *out++ = (char) (high << 4 | low);
        text += 2;
    }

    *out = '\0';

    return 1;
}


static void
no_route(serve_request_t *r, const char *allow)
{
    if (allow[0] == '\0') {
        serve_fail(r, MHD_HTTP_NOT_FOUND, "not_found", NULL,
                   "/openapi.json lists the routes", "there is nothing at"
                   " this path");
        return;
    }

    serve_fail(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", NULL,
               NULL, "this path takes %s", allow);
    serve_add_header(r, MHD_HTTP_HEADER_ALLOW, allow);
}


int
serve_find_route(serve_request_t *r)
{
    char                  allow[64] = "";
    char                 *param[SERVE_PARAMS_MAX] = { NULL };
    size_t                len;
    const char           *method = r->method;
    const serve_route_t  *route;

    method = strcmp(method, "HEAD") == 0 ? "GET" : method;

    for (route = serve_routes; route->method != NULL; route++) {
        memset(param, 0, sizeof(param));

        if (!serve_path_matches(route->path, r->path, param)) {
            continue;
        }

        r->origin = route->origin != 0;

        if (strcmp(route->method, method) == 0) {
            memcpy(r->param, param, sizeof(param));
            r->route = route;

            if (take_params(r)) {
                return 1;
            }

            allow[0] = '\0';
            break;
        }

        len = strlen(allow);
        snprintf(allow + len, sizeof(allow) - len, "%s%s", len ? ", " : "",
                 route->method);
    }

    no_route(r, allow);

    return 0;
}
