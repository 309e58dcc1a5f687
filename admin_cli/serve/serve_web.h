/*
 * Pages of `aigw serve`, the OpenAPI document, and what both are made of.
 */

#ifndef SERVE_WEB_H
#define SERVE_WEB_H

#include "serve.h"


/* serve_web.c: files of pages; bytes live on. */
#define SERVE_ETAG_LEN  18

void serve_web_make(void);
void serve_web_etag(const char *bytes, size_t len,
    char etag[SERVE_ETAG_LEN + 1]);
/* The same bytes again are not sent again. */
void serve_web_answer(serve_request_t *r, const char *type, const char *bytes,
    size_t len, const char *etag);
/* The file that the path names, or /docs. */
void serve_web(serve_request_t *r);

/* serve_openapi.c: the document. */
#define SERVE_JSON  "application/json"
#define SERVE_FORM  "application/x-www-form-urlencoded"

enum {
    SERVE_ERROR_ANY = 0x01, SERVE_ERROR_WRONG = 0x02, SERVE_ERROR_LOGIN = 0x04,
    SERVE_ERROR_DENIED = 0x08, SERVE_ERROR_MISSING = 0x10,
    SERVE_ERROR_CONFLICT = 0x20, SERVE_ERROR_BODY = 0x40
};

typedef struct {
    unsigned     when;                /* of routes where this may be */
    const char  *status;
    const char  *name;
    const char  *schema;
    const char  *what;
} serve_error_t;

extern const serve_error_t  serve_errors[];    /* ends with a nameless entry */

/* Before requests come. */
void serve_openapi_make(void);
void serve_openapi(serve_request_t *r);

/* serve_operation.c: what it says of a route. Adds to schemas. */
cJSON *serve_operation_of(const serve_route_t *route, cJSON *schemas);

/* serve_origin_schema.c: the same for the origin's routes. */
void serve_origin_describe(cJSON *operation, const serve_route_t *route);
void serve_origin_add_schemas(cJSON *schemas);

/* serve_schema.c: JSON schemas. */
/* Name of the schema that the answer, or each of its items, has. */
void serve_schema_name(const cli_command_t *command, char name[CLI_TEXT_LEN]);
/* Of an argument or option as a member of a body, or in a path or query. */
cJSON *serve_schema_of(const cli_option_t *option, int in_body);
/* What a value of the command line is in a body. */
cJSON *serve_value_of(const cli_option_t *option, const char *text);
cJSON *serve_schema_of_fields(const cli_command_t *command, const char *fields,
    const char *extra);
/* Of a whole answer; adds to schemas what has a name. */
cJSON *serve_schema_of_answer(cJSON *schemas, const cli_command_t *command);

#endif /* SERVE_WEB_H */
