/*
 * Documents by their shape: whatever is taken so tells what a scan tells, and
 * what has another shape is left alone.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_json_shape.h"
#include "tap.h"


#define COUNT  AIGW_JSON_TEXT | AIGW_JSON_NO_FIRST | AIGW_JSON_NO_END
#define MEMBERS(nodes)  sizeof(nodes) / sizeof(nodes[0]), nodes

static const aigw_json_node_t  item[] = {
    { aigw_str("count"), 1, COUNT, 0, NULL },
    { aigw_str("text"), 2, 0, 0, NULL }
};

static const aigw_json_node_t  document[] = {
    { aigw_str("list"), 3, AIGW_JSON_EACH, MEMBERS(item) },
    { aigw_str("item"), 4, AIGW_JSON_NO_BEGIN, MEMBERS(item) },
    { aigw_str("count"), 5, COUNT, 0, NULL }
};

static aigw_err_t tell(void *ctx, const aigw_json_value_t *v);

static const aigw_json_schema_t  schema = {
    { aigw_str(""), 0, 0, MEMBERS(document) }, AIGW_JSON_LAST_COUNTS, tell
};

/* What a handler is told. */
typedef struct {
    size_t  used;
    char    text[16384];
} heard_t;

static aigw_err_t  answer;             /* of the handler, to a `text` */


static aigw_err_t
tell(void *ctx, const aigw_json_value_t *v)
{
    heard_t  *heard = ctx;

    heard->used += (size_t) snprintf(heard->text + heard->used,
                                     sizeof(heard->text) - heard->used,
                                     "%d/%d/%d[%d,%d)%.*s ", v->node->id,
                                     v->event, v->type, (int) v->start,
                                     (int) v->end, (int) v->text.len,
                                     v->text.data);

    return v->node->id == 2 ? answer : AIGW_OK;
}


/* By shape, or by a scan if it is NULL; then some bytes more. */
static int
feed(const aigw_json_shape_t *shape, const char *doc, heard_t *heard)
{
    int             fits = 1;
    size_t          len = strlen(doc);
    aigw_err_t      err, space, whole, more;
    aigw_json_t     json;
    unsigned char  *copy = malloc(len + 1);

    memset(heard, 0, sizeof(*heard));
    memset(&json, 0xa5, sizeof(json));
    memcpy(copy, doc, len);
    aigw_json_init(&json, &schema);

    if (shape == NULL) {
        err = aigw_json_feed(&json, copy, len, heard);

    } else {
        fits = aigw_json_shape_feed(shape, &json, copy, len, heard, &err);
    }

    if (fits) {
        space = aigw_json_feed(&json, (const unsigned char *) " ", 1, heard);
        whole = aigw_json_finish(&json);
        more = aigw_json_feed(&json, (const unsigned char *) "x", 1, heard);
        snprintf(heard->text + heard->used, sizeof(heard->text) - heard->used,
                 "%d, at %d %d %d %d", err, (int) json.offset, space, whole,
                 more);
    }

    free(copy);

    return fits;
}


static aigw_err_t
learn(aigw_json_shape_t *shape, const char *doc)
{
    memset(shape, 0xa5, sizeof(*shape));

    return aigw_json_shape_learn(shape, &schema, (const unsigned char *) doc,
                                 strlen(doc));
}


/* Learns from one document: does the other one fit, as it should? */
static void
is_like(const char *doc, const char *other, int like, const char *name)
{
    int                fits;
    aigw_json_shape_t  shape;

    static heard_t  heard, scan;

    is_int(learn(&shape, doc), AIGW_OK, name);
    fits = feed(&shape, other, &heard);
    ok(fits == like, "%s: like it", name);

    if (fits) {
        (void) feed(NULL, other, &scan);
        is_str(heard.text, scan.text, "it tells what a scan tells");

    } else {
        is_str(heard.text, "", "nothing is told");
    }
}


static void
test_alike(void)
{
    static const char  base[] =
        "{\"id\":\"a\",\"list\":[{\"count\":12,\"text\":\"\"},{\"text\":null}],"
        "\"item\":{\"count\":0,\"n\":[1,true,{\"count\":\"x\"}]},\"count\":7}";

    is_like(base, base, 1, "itself");
    is_like(base, "{\"id\":\"\",\"list\":[{\"count\":1,\"text\":\"\\\"}\xc3\xa9"
            "\\u00e9 and more than fits into one step of a scan\"},{\"text\":"
            "null}],\"item\":{\"count\":123456789012345678,\"n\":[0,true,"
            "{\"count\":\"\\\\\"}]},\"count\":10}", 1, "other values");
    is_like(" { } ", " { } ", 1, "no value");
    is_like("{\"list\":[],\"item\":{}}\n", "{\"list\":[],\"item\":{}}\n", 1,
            "what is empty");
    is_like("{\"count\" : 1 , \"item\" :\t{\"text\": \"a\" } }",
            "{\"count\" : 0 , \"item\" :\t{\"text\": \"bcd\" } }", 1, "spaces");
    is_like("{\"count\":true,\"count\":null}",
            "{\"count\":true,\"count\":null}", 1, "words, doubles");

    answer = AIGW_EBUSY;
    is_like("{\"item\":{\"text\":\"a\",\"text\":\"b\"}}",
            "{\"item\":{\"text\":\"c\",\"text\":\"d\"}}", 1,
            "a handler that ends it");
    answer = AIGW_OK;
}


static void
test_other(void)
{
    unsigned  i;
    char      name[16];

    static const char *const  others[] = {
        "", "{", "{\"count\":1,\"a\":\"x\"", "{\"count\":1,\"a\":\"x\"}}",
        "{\"count\":1,\"a\":\"x\"} ", "{\"count\":1,\"b\":\"x\"}",
        "{\"count\":01,\"a\":\"x\"}", "{\"count\":-1,\"a\":\"x\"}",
        "{\"count\":1.0,\"a\":\"x\"}", "{\"count\":1e1,\"a\":\"x\"}",
        "{\"count\":,\"a\":\"x\"}", "{\"count\":null,\"a\":\"x\"}",
        "{\"count\":\"1\",\"a\":\"x\"}", "{\"count\":1,\"a\":1}",
        "{\"count\":1234567890123456789,\"a\":\"x\"}",
        "{\"count\":1,\"a\":\"x\\\"}", "{\"count\":1,\"a\":\"\\x\"}",
        "{\"count\":1,\"a\":\"\n\"}", "{\"count\":1,\"a\":\"\xff\"}",
        "{\"count\":1,\"a\":\"x\",\"b\":\"x\"}", "{ \"count\":1,\"a\":\"x\"}",
        "{\"count\":1,\"count\":1,\"a\":\"x\"}"
    };

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(name, sizeof(name), "other %d", (int) i);
        is_like("{\"count\":1,\"a\":\"x\"}", others[i], 0, name);
    }
}


static void
has_none(const char *doc, const char *name)
{
    aigw_json_shape_t  shape;

    static heard_t  heard;

    ok(learn(&shape, doc) == AIGW_ERANGE && !feed(&shape, doc, &heard),
       "no shape: %s", name);
}


/* n times a text between two others. */
static char *
repeat(const char *first, const char *text, size_t n, const char *last)
{
    size_t  len = strlen(text);
    char   *doc = malloc(strlen(first) + n * len + strlen(last) + 1);
    char   *p = doc + sprintf(doc, "%s", first);

    for ( ; n; n--) {
        p += sprintf(p, "%s", text);
    }

    (void) sprintf(p, "%s", last);

    return doc;
}


static void
test_none(void)
{
    unsigned  i;
    char     *doc, *other;

    static const struct {
        const char  *first, *text, *last, *name;
        size_t       most;
    } many[] = {
        { "{\"a\":[0", ",1", "]}", "values", AIGW_JSON_SHAPE_VALUES - 1 },
        { "{\"a\":\"", " ", "\",\"\":null}", "bytes of a string", 100000 },
        { "{", " ", "}", "bytes", AIGW_JSON_SHAPE_BYTES - 2 },
        { "{\"list\":[", "{\"count\":null},", "null]}", "events",
          AIGW_JSON_SHAPE_EVENTS - 6 }
    };

    has_none("{\"a\":-1}", "a negative number");
    has_none("{\"a\":0.5}", "a fraction");
    has_none("{\"a\":1e5}", "an exponent");
    has_none("{\"a\":1234567890123456789}", "a long number");
    has_none("1", "a number that may go on");
    has_none("{\"count\":\"1\"}", "a string whose text is wanted");

    for (i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        doc = repeat(many[i].first, many[i].text, many[i].most, many[i].last);
        is_like(doc, doc, 1, many[i].name);
        other = repeat(many[i].first, many[i].text, many[i].most + 1,
                       many[i].last);

        if (many[i].most < 100000) {
            has_none(other, many[i].name);
        }

        free(other);
        free(doc);
    }
}


int
main(void)
{
    test_alike();
    test_other();
    test_none();

    return done();
}
