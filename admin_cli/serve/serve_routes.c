/*
 * The one source of routes: what is checked, /openapi.json, the page /docs and
 * the test of who may call what come from it. docs/ROLES.md has a line for each.
 */

#include "serve_web.h"


#define API                    SERVE_API
#define OK                     MHD_HTTP_OK
#define CREATED                MHD_HTTP_CREATED
#define EMPTY                  MHD_HTTP_NO_CONTENT

#define GET(path, roles, noun, verb, without)                                 \
    { "GET", API path, roles, OK, noun, verb, without, NULL, NULL, 0 }
#define ADD(path, roles, noun, verb, without)                                 \
    { "POST", API path, roles, CREATED, noun, verb, without, NULL, NULL, 0 }
#define DO(path, roles, noun, verb, without)                                  \
    { "POST", API path, roles, OK, noun, verb, without, NULL, NULL, 0 }
#define SET(path, roles, noun, verb, without)                                 \
    { "PATCH", API path, roles, OK, noun, verb, without, NULL, NULL, 0 }
#define PUT(path, roles, noun, verb, without)                                 \
    { "PUT", API path, roles, OK, noun, verb, without, NULL, NULL, 0 }
#define DELETE(path, roles, noun, verb)                                       \
    { "DELETE", API path, roles, OK, noun, verb, NULL, NULL, NULL, 0 }
#define HANDLER(method, path, roles, status, handler, form)                   \
    { method, path, roles, status, NULL, NULL, NULL, handler, form, 0 }
#define PAGE(path, handler)                                                   \
    { "GET", path, SERVE_ANYONE, OK, NULL, NULL, NULL, handler, NULL, 0 }

#define ORIGIN(method, path, roles, noun, verb, handler, form)                \
    { method, path, roles, OK, noun, verb, NULL, handler, form, 1 }

#define ADMIN    SERVE_ADMIN
#define READERS  SERVE_READERS
#define USERS    SERVE_USERS
#define OWNERS   SERVE_OWNERS


const serve_route_t  serve_routes[] = {

    HANDLER("POST", API "/login", SERVE_ANYONE, OK, serve_login, "login"),
    HANDLER("POST", API "/login/link", SERVE_ANYONE, OK, serve_login_link,
            "link"),
    ORIGIN("POST", API "/token", SERVE_ANYONE, NULL, NULL, serve_origin_login,
           "token"),
    HANDLER("POST", API "/register", SERVE_ANYONE, OK, serve_register,
            "register"),
    HANDLER("POST", API "/logout", USERS, EMPTY, serve_logout, "logout"),
    HANDLER("GET", API "/me", USERS, OK, serve_me, "me"),
    HANDLER("POST", API "/me/password", USERS, EMPTY, serve_me_password,
            "password"),

    GET("/users", READERS, "user", "list", NULL),
    ADD("/users", ADMIN, "user", "create", "admin,auditor,member,password"),
    GET("/users/{user}", USERS, "user", "show", NULL),
    SET("/users/{user}", ADMIN, "user", "set", "admin,auditor,member"),
    DO("/users/{user}/link", ADMIN, "user", "link", NULL),
    DO("/users/{user}/disable", ADMIN, "user", "disable", NULL),
    DO("/users/{user}/enable", ADMIN, "user", "enable", NULL),
    DELETE("/users/{user}", ADMIN, "user", "delete"),

    GET("/invites", READERS, "invite", "list", NULL),
    ADD("/invites", ADMIN, "invite", "create", NULL),
    DELETE("/invites/{invite}", ADMIN, "invite", "delete"),

    GET("/projects", USERS, "project", "list", NULL),
    ADD("/projects", OWNERS, "project", "create", NULL),
    GET("/projects/{project}", USERS, "project", "show", NULL),
    SET("/projects/{project}", ADMIN, "project", "set", NULL),
    DO("/projects/{project}/disable", ADMIN, "project", "disable", NULL),
    DO("/projects/{project}/enable", ADMIN, "project", "enable", NULL),
    DO("/projects/{project}/credit", ADMIN, "project", "credit", NULL),
    DELETE("/projects/{project}", OWNERS, "project", "delete"),

    GET("/keys", USERS, "key", "list", NULL),
    ADD("/keys", OWNERS, "key", "create", NULL),
    GET("/keys/{key}", USERS, "key", "show", NULL),
    SET("/keys/{key}", OWNERS, "key", "set", NULL),
    DO("/keys/{key}/disable", OWNERS, "key", "disable", NULL),
    DO("/keys/{key}/enable", OWNERS, "key", "enable", NULL),
    DO("/keys/{key}/rotate", OWNERS, "key", "rotate", NULL),
    DO("/keys/{key}/revoke", OWNERS, "key", "revoke", NULL),
    DELETE("/keys/{key}", OWNERS, "key", "delete"),

    GET("/models", USERS, "model", "list", NULL),
    PUT("/models/{model}", ADMIN, "model", "set", NULL),
    DELETE("/models/{model}", ADMIN, "model", "delete"),

    GET("/prices", USERS, "price", "list", NULL),
    PUT("/prices/{model}", ADMIN, "price", "set", NULL),
    DELETE("/prices/{model}", ADMIN, "price", "delete"),

    GET("/upstreams", READERS, "upstream", "list", NULL),
    PUT("/upstreams/{upstream}", ADMIN, "upstream", "set", NULL),
    DO("/upstreams/{upstream}/test", ADMIN, "upstream", "test", NULL),
    DO("/upstreams/orphans", ADMIN, "upstream", "orphans", NULL),

    GET("/subkeys", READERS, "subkey", "list", NULL),
    ADD("/subkeys", ADMIN, "subkey", "create", NULL),
    DO("/subkeys/rotate", ADMIN, "subkey", "rotate", NULL),
    DO("/subkeys/retire", ADMIN, "subkey", "retire", NULL),

    GET("/settings", READERS, "setting", "list", NULL),
    PUT("/settings/{setting}", ADMIN, "setting", "set", NULL),

    GET("/logs", USERS, "log", "list", NULL),
    GET("/logs/{call}", USERS, "log", "show", NULL),
    DO("/logs/{call}/refund", ADMIN, "log", "refund", NULL),

    GET("/usage", USERS, "usage", "show", NULL),
    GET("/calls", READERS, "top", NULL, "watch"),
    GET("/explain", USERS, "explain", NULL, NULL),
    GET("/explain/{call}", USERS, "explain", NULL,
        "key,project,model,max-tokens,prompt-tokens"),
    GET("/audit", READERS, "audit", "list", NULL),
    GET("/audit/verify", READERS, "audit", "verify", NULL),
    GET("/store", READERS, "store", "stats", NULL),

    ORIGIN("POST", "/register", SERVE_ANYONE, NULL, NULL,
           serve_origin_register, "register"),
    ORIGIN("POST", "/login", SERVE_ANYONE, NULL, NULL, serve_origin_login,
           "login"),
    ORIGIN("POST", "/admin/init", SERVE_ANYONE, NULL, NULL, serve_origin_init,
           "init"),
    ORIGIN("POST", "/project/create", OWNERS, "project", "create",
           serve_origin_create, "create"),
    ORIGIN("GET", "/project/list", USERS, "project", "list",
           serve_origin_list, "list"),
    ORIGIN("GET", "/stats/usage", USERS, "usage", "show", serve_origin_stats,
           "stats"),

    PAGE("/docs", serve_web),
    PAGE("/openapi.json", serve_openapi),
    PAGE("/admin/", serve_web),
    PAGE("/admin/login", serve_web),
    PAGE("/admin/join", serve_web),
    PAGE("/admin/docs", serve_web),
    PAGE("/admin/docs/{file}", serve_web),
    PAGE("/admin/openapi.json", serve_openapi),

    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, 0 }
};
