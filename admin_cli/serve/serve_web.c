/*
 * Files of pages within the program: it needs no folder beside it, and what it
 * serves is what was tested. What a page may load is said with each.
 */

#include <string.h>

#include <openssl/sha.h>

#include "serve_web.h"


#define WEB   "admin_cli/web/"

/* Paths are the build's: it runs where the Makefile is. */
#define FILE_OF(name, path)                                                   \
    __asm__(".pushsection .rodata\n"                                          \
            "serve_web_" #name ":\n"                                          \
            ".incbin \"" WEB path "\"\n"                                      \
            "serve_web_" #name "_end:\n"                                      \
            ".byte 0\n"                                                       \
            ".popsection\n");                                                 \
    extern const char  serve_web_##name[]                                     \
        __attribute__((visibility("hidden")));                                \
    extern const char  serve_web_##name##_end[]                               \
        __attribute__((visibility("hidden")))

FILE_OF(admin_html, "admin.html");
FILE_OF(admin_js, "admin.js");
FILE_OF(admin_css, "admin.css");
FILE_OF(docs_html, "docs.html");
FILE_OF(docs_js, "docs.js");
FILE_OF(docs_css, "docs.css");
FILE_OF(icon_svg, "icon.svg");
FILE_OF(swagger_js, "swagger-ui/swagger-ui-bundle.js");
FILE_OF(swagger_css, "swagger-ui/swagger-ui.css");
FILE_OF(swagger_licence, "swagger-ui/LICENSE");

#define HTML  "text/html; charset=utf-8"
#define JS    "text/javascript; charset=utf-8"
#define CSS   "text/css; charset=utf-8"
#define SVG   "image/svg+xml"
#define TEXT  "text/plain; charset=utf-8"

static struct {
    const char  *name;
    const char  *type;
    const char  *data;
    const char  *end;
    char         etag[SERVE_ETAG_LEN + 1];
} files[] = {
    { "admin.html", HTML, serve_web_admin_html, serve_web_admin_html_end, "" },
    { "admin.js", JS, serve_web_admin_js, serve_web_admin_js_end, "" },
    { "admin.css", CSS, serve_web_admin_css, serve_web_admin_css_end, "" },
    { "docs.html", HTML, serve_web_docs_html, serve_web_docs_html_end, "" },
    { "docs.js", JS, serve_web_docs_js, serve_web_docs_js_end, "" },
    { "docs.css", CSS, serve_web_docs_css, serve_web_docs_css_end, "" },
    { "icon.svg", SVG, serve_web_icon_svg, serve_web_icon_svg_end, "" },
    { "swagger-ui-bundle.js", JS, serve_web_swagger_js,
      serve_web_swagger_js_end, "" },
    { "swagger-ui.css", CSS, serve_web_swagger_css, serve_web_swagger_css_end,
      "" },
    { "LICENSE", TEXT, serve_web_swagger_licence, serve_web_swagger_licence_end,
      "" }
};

#define FILES  (sizeof(files) / sizeof(files[0]))

/* No script and no style within a page, nothing from elsewhere; Swagger UI
   draws with images that its stylesheet has within. Threat M21. */
static const char  policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'";


void
serve_web_etag(const char *bytes, size_t len, char etag[SERVE_ETAG_LEN + 1])
{
    size_t         i;
    unsigned char  hash[SHA256_DIGEST_LENGTH];

    (void) SHA256((const unsigned char *) bytes, len, hash);
    etag[0] = '"';

    for (i = 0; i < (SERVE_ETAG_LEN - 2) / 2; i++) {
        snprintf(etag + 1 + 2 * i, 3, "%02x", hash[i]);
    }

    strcpy(etag + SERVE_ETAG_LEN - 1, "\"");
}


void
serve_web_make(void)
{
    size_t  i;

    for (i = 0; i < FILES; i++) {
        serve_web_etag(files[i].data, (size_t) (files[i].end - files[i].data),
                       files[i].etag);
    }
}


void
serve_web_answer(serve_request_t *r, const char *type, const char *bytes,
    size_t len, const char *etag)
{
    const char  *known = serve_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);

    serve_add_header(r, MHD_HTTP_HEADER_ETAG, etag);
    serve_add_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    serve_add_header(r, "Content-Security-Policy", policy);

    /* W/"..." once nginx has packed it */
    r->status = known != NULL && strstr(known, etag) != NULL
                ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    r->bytes = bytes;
    r->bytes_len = r->status == MHD_HTTP_OK ? len : 0;
    r->type = type;
}


void
serve_web(serve_request_t *r)
{
    size_t       i;
    const char  *name = r->param[0] ? r->param[0]
                        : strstr(r->path, "/docs") ? "docs.html"
                        : "admin.html";

    for (i = 0; i < FILES; i++) {
        if (strcmp(files[i].name, name) == 0) {
            serve_web_answer(r, files[i].type, files[i].data,
                             (size_t) (files[i].end - files[i].data),
                             files[i].etag);
            return;
        }
    }

    serve_fail(r, MHD_HTTP_NOT_FOUND, "not_found", NULL, NULL,
               "there is no such file");
}
