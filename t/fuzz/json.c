/*
 * The scanner: the same events for any split, and the verdict of a plain
 * recursive reader of RFC 8259 that knows its extra rules.
 */

#include "aigw.h"
#include "aigw_json.h"
#include "fuzz.h"


enum { N_ROOT = 0, N_TEXT, N_PLAIN, N_STOP };

#define MEMBERS(nodes)  sizeof(nodes) / sizeof(nodes[0]), nodes

static const aigw_json_node_t  leaves[] = {
    { aigw_str("ks"), N_TEXT, AIGW_JSON_TEXT, 0, NULL },
    { aigw_str("b"), N_PLAIN, 0, 0, NULL }
};

static const aigw_json_node_t  members[] = {
    { aigw_str("ks"), N_TEXT, AIGW_JSON_TEXT, 0, NULL },
    { aigw_str("b"), N_PLAIN, 0, 0, NULL },
    { aigw_str("each"), N_PLAIN, AIGW_JSON_EACH, MEMBERS(leaves) },
    { aigw_str("in"), N_TEXT, AIGW_JSON_TEXT, MEMBERS(leaves) },
    { aigw_str("stop"), N_STOP, 0, 0, NULL }
};


static aigw_err_t
saw(void *ctx, const aigw_json_value_t *value)
{
    (void) ctx;

    fuzz_add_int(value->node->id);
    fuzz_add_text(value->node->name.data, value->node->name.len);
    fuzz_add_int(value->event);
    fuzz_add_int(value->type);
    fuzz_add_int((int64_t) value->start);
    fuzz_add_int((int64_t) value->end);
    fuzz_add_int(value->cut);
    fuzz_add_text(value->text.data, value->text.len);

    return value->node->id == N_STOP ? AIGW_EBUSY : AIGW_OK;
}


static const aigw_json_schema_t  lenient = {
    { aigw_str(""), N_ROOT, AIGW_JSON_EACH | AIGW_JSON_TEXT,
      MEMBERS(members) },
    AIGW_JSON_LAST_COUNTS, saw
};

static const aigw_json_schema_t  strict = {
    { aigw_str(""), N_ROOT, AIGW_JSON_TEXT, MEMBERS(members) },
    AIGW_JSON_ONCE, saw
};

static const aigw_json_schema_t  blind = {
    { aigw_str(""), N_ROOT, 0, 0, NULL }, AIGW_JSON_LAST_COUNTS, saw
};


/* --- the plain reader: what is behind a part, NULL if it is none --- */

typedef const unsigned char  *at_t;


static int
is_in(unsigned char c, int low, int high)
{
    return c >= low && c <= high;
}


static at_t
skip_space(at_t p)
{
    return p + strspn((const char *) p, " \t\r\n");
}


static at_t
skip_digits(at_t p)
{
    at_t  start = p;

    while (is_in(*p, '0', '9')) {
        p++;
    }

    return p == start ? NULL : p;
}


static at_t
skip_number(at_t p)
{
    p += *p == '-';
    p = *p == '0' ? p + 1 : skip_digits(p);

    if (p && *p == '.') {
        p = skip_digits(p + 1);
    }

    if (p && (*p | 0x20) == 'e') {
        p++;
        p = skip_digits(p + (*p == '-' || *p == '+'));
    }

    return p;
}


static at_t
skip_utf8(at_t p)
{
    int       low = 0x80, high = 0xbf;
    unsigned  n = *p < 0xc2 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2
                  : *p < 0xf5 ? 3 : 0;

    low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : low;
    high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : high;

    if (n == 0 || !is_in(p[1], low, high)) {
        return NULL;
    }

    for (p += 2; --n; p++) {
        if (!is_in(*p, 0x80, 0xbf)) {
            return NULL;
        }
    }

    return p;
}


static at_t
skip_escape(at_t p, int name)
{
    if (*p != 'u') {
        return *p && strchr("\"\\/bfnrt", *p) ? p + 1 : NULL;
    }

    if (strspn((const char *) p + 1, "0123456789abcdefABCDEF") < 4) {
        return NULL;
    }

    return name && memcmp(p + 1, "0000", 4) == 0 ? NULL : p + 5;
}


static at_t
skip_string(at_t p, int name)
{
    if (*p++ != '"') {
        return NULL;
    }

    while (p && *p != '"') {
        p = *p < 0x20 ? NULL : *p == '\\' ? skip_escape(p + 1, name)
            : *p < 0x80 ? p + 1 : skip_utf8(p);
    }

    return p ? p + 1 : NULL;
}


static at_t
skip_value(at_t p, unsigned depth)
{
    static const char *const  words[] = { "true", "false", "null" };

    unsigned       i;
    unsigned char  open = *p, close = open == '{' ? '}' : ']';

    if (open == '"') {
        return skip_string(p, 0);
    }

    if (open != '{' && open != '[') {
        for (i = 0; i < 3; i++) {
            if (strncmp((const char *) p, words[i], strlen(words[i])) == 0) {
                return p + strlen(words[i]);
            }
        }

        return skip_number(p);
    }

    p = skip_space(p + 1);

    if (depth == AIGW_JSON_DEPTH || *p == close) {
        return depth == AIGW_JSON_DEPTH ? NULL : p + 1;
    }

    for ( ;; p = skip_space(p + 1)) {
        if (open == '{') {
            p = skip_string(p, 1);
            p = p ? skip_space(p) : NULL;
            p = p && *p == ':' ? skip_space(p + 1) : NULL;
        }

        p = p ? skip_value(p, depth + 1) : NULL;
        p = p ? skip_space(p) : NULL;

        if (p == NULL || *p != ',') {
            return p && *p == close ? p + 1 : NULL;
        }
    }
}


static int
is_json(const unsigned char *doc, size_t len)
{
    static unsigned char  text[FUZZ_PIECE + 1];

    at_t  p;

    memcpy(text, doc, len);
    text[len] = '\0';
    p = skip_value(skip_space(text), 0);

    return p && skip_space(p) == text + len;
}


/* --- the scanner --- */

static void
run(const fuzz_cut_t *cut, const unsigned char *doc, size_t len)
{
    static const aigw_json_schema_t *const  schemas[] = {
        &blind, &lenient, &strict, &lenient
    };

    size_t          n, pos;
    uint64_t        bytes = 0;
    unsigned        i = 0, which = cut->mode % 4;
    aigw_err_t      err = AIGW_OK;
    aigw_json_t     json;
    unsigned char  *piece;

    memset(&json, 0xa5, sizeof(json));
    aigw_json_init(&json, schemas[which]);

    for (pos = 0; pos < len && err == AIGW_OK; pos += n) {
        n = fuzz_len(cut, i++, len - pos);
        piece = fuzz_open(doc + pos, n);
        err = aigw_json_feed(&json, piece, n, NULL);
        fuzz_check(err == AIGW_OK
                   || aigw_json_feed(&json, piece, n, NULL) == err,
                   "an error is final");
        fuzz_close(piece, n);
    }

    fuzz_add_int(err);
    fuzz_add_int(aigw_json_unfinished(&json, &bytes) != NULL);
    fuzz_add_int((int64_t) bytes);

    err = aigw_json_finish(&json);
    fuzz_add_int(err);

    if (aigw_json_fault(&json)) {
        fuzz_add_text(aigw_json_fault(&json)->name.data, 1);
    }

    if (which == 0) {
        fuzz_check((err == AIGW_OK) == is_json(doc, len), "JSON or not");
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_same(run, data, size);
}
