/*
 * The JSON scanner: what it accepts and refuses, what it reports, in whatever
 * pieces a document comes. Threats J01 to J11, J30.
 */

#include <time.h>

#include "aigw_json.h"
#include "pieces.h"


#define LEN(literal)  literal, sizeof(literal) - 1


static const aigw_json_node_t  deep[] = {
    { aigw_str("z"), 9, 0, 0, NULL }
};

static const aigw_json_node_t  list[] = {
    { aigw_str("a"), 4, AIGW_JSON_TEXT, 0, NULL },
    { aigw_str("deep"), 5, 0, 1, deep },
    { aigw_str("list"), 6, AIGW_JSON_EACH, 1, deep }
};

static const aigw_json_node_t  members[] = {
    { aigw_str("model"), 1, AIGW_JSON_TEXT, 0, NULL },
    { aigw_str("n"), 2, 0, 0, NULL },
    { aigw_str("list"), 3, AIGW_JSON_EACH, 3, list },
    { aigw_str("o"), 7, 0, 1, deep },
    { aigw_str("tasks"), 8, 0, 0, NULL }
};

static aigw_err_t on_value(void *ctx, const aigw_json_value_t *v);

static const aigw_json_schema_t  answers = {
    { aigw_str("root"), 0, 0, 5, members }, AIGW_JSON_LAST_COUNTS, on_value
};

static const aigw_json_schema_t  requests = {
    { aigw_str("root"), 0, 0, 5, members }, AIGW_JSON_ONCE, on_value
};

static const aigw_json_schema_t  *schema;


static aigw_err_t
on_value(void *ctx, const aigw_json_value_t *v)
{
    static const char  types[] = "?oasntf0", events[] = "?=<+>";

    (void) ctx;

    pieces_add("%.*s%c%c", (int) v->node->name.len, v->node->name.data,
               events[v->event], types[v->type]);

    if (v->event == AIGW_JSON_VALUE) {
        pieces_add("%.*s%s[%d,%d)", (int) v->text.len, v->text.data,
                   v->cut ? "~" : "", (int) v->start, (int) v->end);

    } else if (v->event == AIGW_JSON_BEGIN) {
        pieces_add("[%d", (int) v->start);
    }

    pieces_add(" ");

    return AIGW_OK;
}


static void
run(const char *input, size_t len, long cut)
{
    size_t          pos, n;
    aigw_err_t      err = AIGW_OK, again;
    aigw_json_t     json;
    unsigned char  *copy;

    memset(&json, 0xa5, sizeof(json));
    aigw_json_init(&json, schema);

    for (pos = 0; pos < len; pos += n) {
        n = pieces_len(pos, len, cut);
        copy = pieces_copy(input + pos, n);
        again = aigw_json_feed(&json, copy, n, NULL);
        free(copy);

        if (err != AIGW_OK && again != err) {
            pieces_add("error did not stay ");
        }

        err = again;
    }

    if (err == AIGW_OK) {
        err = aigw_json_finish(&json);
    }

    if (err == AIGW_EEXIST) {
        pieces_add("twice:%s", aigw_json_fault(&json)->name.data);

    } else {
        pieces_add(err == AIGW_OK ? "ok" : err == AIGW_EINVAL ? "bad"
                   : err == AIGW_ERANGE ? "deep" : "?");
    }
}


/* With root's events taken away. */
static void
run_quiet(const char *input, size_t len, long cut)
{
    char  *space;

    run(input, len, cut);
    space = strrchr(pieces_log, ' ');
    memmove(pieces_log, space ? space + 1 : pieces_log,
            strlen(space ? space + 1 : pieces_log) + 1);
}


static void
are(const char *input, size_t len, const char *want, const char *name)
{
    pieces_are(run, input, len, want, name);
}


static void
each(const char *name, const char *want, const char *const *input)
{
    char  title[256];

    for ( ; *input; input++) {
        snprintf(title, sizeof(title), "%s: %.60s", name, *input);
        pieces_are(run_quiet, *input, strlen(*input), want, title);
    }
}


/* The same strings with more behind, so that there is room for a look ahead. */
static void
each_longer(const char *name, const char *want, const char *const *input)
{
    char    longer[128], title[256];
    size_t  len;

    for ( ; *input; input++) {
        len = strlen(*input);
        len -= len > 1 && (*input)[len - 1] == '"';
        snprintf(longer, sizeof(longer),
                 "[\"0123456789abcdefghij%.*s12345678\"]", (int) len - 1,
                 *input + 1);
        snprintf(title, sizeof(title), "%s: %s", name, longer);
        pieces_are(run_quiet, longer, strlen(longer), want, title);
    }
}


static void
test_grammar(void)
{
    static const char *const  good[] = {
        "{}", "[]", "null", "true", "false", "\"\"", "0", "-0", "12", "-1.5",
        "1e3", "1E+3", "1e-03", "0.000", "10.25e2", " \t\r\n[ ] \r\n",
        "[1,2]", "[[],{},[[]]]", "{\"a\":{\"b\":[{\"c\":null}]}}",
        "{\"a\":1,\"a\":2}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\"", NULL
    };
    static const char *const  j09[] = {
        "{\"a\":1,}", "[1,]", "[,1]", "[1,,2]", "{,}", "{\"a\":1,,\"b\":2}",
        "/* c */{}", "{}// c", "{'a':1}", "{a:1}", "[NaN]", "[Infinity]",
        "[-Infinity]", "[0x10]", "[+1]", "[01]", "[-01]", "[00]", "[.5]",
        "[1.]", "[1.e2]", "[1e]", "[1e+]", "[-]", "[--1]", "[1-2]", "[1 2]",
        "{\"a\" 1}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{1:2}", "{null:1}",
        "[True]", "[nul]", "[nulll]", "[tru]", "[fals]", "[truefalse]",
        "(1)", "[1;2]", "\"\\x41\"", "\"\\'\"", "\"\\u12g4\"", "\"\\u123\"",
        "\"\\U0041\"", "\"\\u 041\"", "\"\\", "[\"\\u00", NULL
    };
    static const char *const  j11[] = {
        "", " ", "\n\n\t", "[", "{", "]", "}", "[}", "{]", "[1", "{\"a\"",
        "{\"a\":", "{\"a\":1", "\"a", "tru", "-", "1.", "1e", NULL
    };
    static const char *const  j07[] = {
        "{}x", "{} {}", "{},", "[]]", "{}}", "1 2", "\"a\"\"b\"", "nullnull",
        "\xef\xbb\xbf{}", "\xff\xfe{", "{}\xef\xbb\xbf", "\xc2\xa0{}", NULL
    };

    schema = &answers;
    each("RFC 8259", "ok", good);
    each("J09 not JSON", "bad", j09);
    each("J11 cut or empty", "bad", j11);
    each("J07 more than one document, or another encoding", "bad", j07);

    pieces_are(run_quiet, LEN("{\"a\":1}\0"), "bad", "J07 NUL behind");
    pieces_are(run_quiet, LEN("\0{\"a\":1}"), "bad", "J07 NUL before");
    pieces_are(run_quiet, LEN("{\"a\":\"x\0y\"}"), "bad", "J07 NUL inside");
    pieces_are(run_quiet, LEN("{\0\"\0a\0\"\0:\0""1\0}\0"), "bad",
               "J07 UTF-16");
    pieces_are(run_quiet, LEN("[\"a\nb\"]"), "bad", "J07 LF in a string");
    pieces_are(run_quiet, LEN("[\"0123456789abcde\x1f\"]"), "bad",
               "J07 control character at a block's end");
    pieces_are(run_quiet, LEN("[\"a\x7f\"]"), "ok", "DEL is allowed");
}


static void
test_utf8(void)
{
    static const char *const  good[] = {
        "\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xe0\xa0\x80\"",
        "\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"", "\"\xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"",
        "\"a\xe4\xbd\xa0\xe5\xa5\xbd" "b\xf0\x9f\x98\x80\xc3\xa9\"", NULL
    };
    static const char *const  bad[] = {
        "\"\x80\"", "\"\xbf\"", "\"\xc0\x80\"", "\"\xc1\xbf\"",
        "\"\xe0\x80\xaf\"", "\"\xe0\x9f\xbf\"", "\"\xed\xa0\x80\"",
        "\"\xed\xbf\xbf\"", "\"\xf0\x80\x80\xaf\"", "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xff\"",
        "\"\xfe\"", "\"\xc3\"", "\"\xe4\xbd\"", "\"\xe4\xbd" "a\"",
        "\"\xe4" "ab\"", "\"\xf0\x9f\x98\"", "\"\xf0\x9f\x98" "a\"",
        "\"\xc3\xc3\xa9\"", "\"\xe4\xbd\xa0\xa0\"", "\"\xe4\xbd", NULL
    };
    static const char *const  escapes[] = {
        "\"\\x41\"", "\"\\'\"", "\"\\u12g4\"", "\"\\u123x\"", "\"\\ug234\"",
        "\"\\u1g34\"", "\"\\U0041\"", "\"\\u 041\"", NULL
    };

    schema = &answers;
    each("UTF-8", "ok", good);
    each("J07 overlong, surrogate, cut or no UTF-8", "bad", bad);
    each_longer("UTF-8", "ok", good);
    each_longer("J07 overlong, surrogate, cut or no UTF-8", "bad", bad);
    each_longer("J09 no escape", "bad", escapes);
}


static void
test_watch(void)
{
    schema = &answers;

    are(LEN("{}"), "root<o[0 root>o ok", "an empty object");
    are(LEN("{\"x\":1}"), "root<o[0 root+o root>o ok", "nothing watched");
    are(LEN(" {\"model\" : \"gpt\" , \"n\":12}"),
        "root<o[1 root+o model=sgpt[12,17) n=n12[24,26) root>o ok",
        "types and offsets");
    are(LEN("{\"n\":true,\"n\":false,\"n\":null,\"n\":\"s\",\"n\":-1.5e3}"),
        "root<o[0 root+o n=t[5,9) n=f[14,19) n=0[24,28) n=s[33,36) "
        "n=n-1.5e3[41,47) root>o ok", "the last counts: each is reported");
    are(LEN("{\"o\":{\"z\":1,\"y\":{\"z\":2}},\"z\":3,"
            "\"y\":{\"o\":{\"z\":4}}}"),
        "root<o[0 root+o o<o[5 o+o z=n1[10,11) o>o root>o ok",
        "A20 paths match from the root only");
    are(LEN("{\"list\":[],\"list\":[1,\"a\",[{\"a\":1}]]}"),
        "root<o[0 root+o list<a[8 list>a list<a[18 list+a list>a root>o ok",
        "elements are not reported");
    are(LEN("{\"list\":[{},{\"a\":\"x\"},3,"
            "{\"a\":\"y\",\"deep\":{\"z\":[]}}]}"),
        "root<o[0 root+o list<a[8 list+a a=sx[17,20) a=sy[29,32) deep<o[40 "
        "deep+o z<a[45 z>a deep>o list>a root>o ok",
        "members of objects in an array");
    are(LEN("{\"list\":[{\"list\":[{\"z\":1},{\"z\":2}],\"z\":0}],"
            "\"o\":[{\"z\":9}]}"),
        "root<o[0 root+o list<a[8 list+a list<a[17 list+a z=n1[23,24) "
        "z=n2[31,32) list>a list>a o<a[47 o+a o>a root>o ok",
        "an array in an array; no members where EACH does not fit");
    are(LEN("{\"list\":{\"a\":1},\"model\":{\"model\":\"x\"}}"),
        "root<o[0 root+o list<o[8 list+o list>o model<o[24 model+o model>o "
        "root>o ok", "an object where an array is watched");
    are(LEN("[{\"model\":1}]"), "root<a[0 root+a root>a ok", "an array alone");
    are(LEN("null"), "root=0[0,4) ok", "null alone");
    are(LEN("{\"__proto__\":{\"model\":\"x\"},\"constructor\":1,\"$ref\":2}"),
        "root<o[0 root+o root>o ok", "J10 names of other languages");
}


static void
test_text(void)
{
    schema = &answers;

    are(LEN("{\"\\u006d\\u006Fdel\":\"a\\n\\u00e9\\ud83d\\ude00z\\/\"}"),
        "root<o[0 root+o model=sa\n\xc3\xa9\xf0\x9f\x98\x80z/[19,45) root>o ok",
        "J01 names and texts are decoded");
    are(LEN("{\"model\":\"\\ud83d\"}"),
        "root<o[0 root+o model=s\xef\xbf\xbd[9,17) root>o ok",
        "a lone high surrogate passes");
    are(LEN("{\"model\":\"\\ude00x\\ud83d\\ud83d\\ude00\\ud83dy\\ud83d\\n\"}"),
        "root<o[0 root+o model=s\xef\xbf\xbdx\xef\xbf\xbd\xf0\x9f\x98\x80"
        "\xef\xbf\xbdy\xef\xbf\xbd\n[9,51) root>o ok", "lone surrogates");
    are(LEN("{\"model\":\"\xe4\xbd\xa0\"}"),
        "root<o[0 root+o model=s\xe4\xbd\xa0[9,14) root>o ok",
        "a text of UTF-8");
    are(LEN("{\"model\\u0000\":1}"), "root<o[0 root+o bad",
        "J07 NUL at the end of a name");
    are(LEN("{\"x\":[{\"\\u0000\":1}]}"), "root<o[0 root+o bad",
        "J07 NUL in a name in depth");
    are(LEN("{\"x\":\"\\u0000\"}"), "root<o[0 root+o root>o ok",
        "an escaped NUL in a value");
}


/* J30: texts and names about the size of every buffer. */
static void
test_edges(void)
{
    size_t  i, n;
    char    input[512], want[512], title[64];

    schema = &answers;

    for (i = 0; i < 7; i++) {
        n = (size_t[]) { 14, 15, 16, 17, 127, 128, 129 }[i];
        snprintf(input, sizeof(input), "{\"model\":\"%0*d\"}", (int) n, 7);
        snprintf(want, sizeof(want),
                 "root<o[0 root+o model=s%0*d%s[9,%d) root>o ok",
                 n > 128 ? 128 : (int) n, n > 128 ? 0 : 7, n > 128 ? "~" : "",
                 (int) n + 11);
        snprintf(title, sizeof(title), "J30 a text of %d bytes", (int) n);
        are(input, strlen(input), want, title);

        snprintf(input, sizeof(input), "{\"model%0*d\":1,\"n\":2}", (int) n - 5,
                 7);
        snprintf(want, sizeof(want), "root<o[0 root+o n=n2[%d,%d) root>o ok",
                 (int) n + 10, (int) n + 11);
        snprintf(title, sizeof(title), "J30 a name of %d bytes", (int) n);
        are(input, strlen(input), want, title);
    }

    snprintf(input, sizeof(input), "{\"n\":1%0200d}", 0);
    snprintf(want, sizeof(want), "root<o[0 root+o n=n1%0127d~[5,206) root>o ok",
             0);
    are(input, strlen(input), want, "a long number's text is cut");
}


static void
test_once(void)
{
    schema = &requests;

    are(LEN("{\"model\":1,\"model\":2}"),
        "root<o[0 root+o model=n1[9,10) twice:model", "J01 twice");
    are(LEN("{\"model\":1,\"\\u006dodel\":2}"),
        "root<o[0 root+o model=n1[9,10) twice:model", "J01 once escaped");
    are(LEN("{\"Model\":1}"), "root<o[0 root+o twice:model",
        "another case alone");
    are(LEN("{\"model\":1,\"MODEL\":2}"),
        "root<o[0 root+o model=n1[9,10) twice:model", "another case, too");
    are(LEN("{\"ta\\u017fks\":1}"), "root<o[0 root+o twice:tasks",
        "U+017F is an s, escaped");
    are(LEN("{\"ta\xc5\xbf\xe2\x84\xaa\xc5\xbf\":1}"),
        "root<o[0 root+o twice:tasks", "U+017F, U+212A in UTF-8");
    are(LEN("{\"tas\":1,\"taskss\":1,\"tas\xc5\":1}"), "root<o[0 root+o bad",
        "a cut U+017F");
    are(LEN("{\"mode\":1,\"models\":1,\"\":1,\"nn\":2,\"m\xc3\xb6""del\":1}"),
        "root<o[0 root+o root>o ok", "names that only look alike");
    are(LEN("{\"x\":{\"model\":1,\"model\":2,\"a\":1,\"a\":1}}"),
        "root<o[0 root+o root>o ok", "J04 doubles in user data");
    are(LEN("{\"o\":{\"z\":1,\"z\":1}}"),
        "root<o[0 root+o o<o[5 o+o z=n1[10,11) twice:z", "twice in depth");
    are(LEN("{\"list\":[{\"a\":\"x\"},{\"a\":\"y\"}]}"),
        "root<o[0 root+o list<a[8 list+a a=sx[14,17) a=sy[24,27) list>a "
        "root>o ok", "once in each element");
    are(LEN("{\"o\":{\"z\":1},\"o\":{\"z\":1}}"),
        "root<o[0 root+o o<o[5 o+o z=n1[10,11) o>o twice:o",
        "an object twice");
}


/* --- big ones: fed in pieces of 1,000 bytes --- */

static aigw_err_t
feed_big(const unsigned char *data, size_t len)
{
    size_t       pos, n;
    aigw_err_t   err = AIGW_OK;
    aigw_json_t  json;

    pieces_used = 0;
    aigw_json_init(&json, &answers);

    for (pos = 0; err == AIGW_OK && pos < len; pos += n) {
        n = len - pos < 1000 ? len - pos : 1000;
        err = aigw_json_feed(&json, data + pos, n, NULL);
    }

    return err == AIGW_OK ? aigw_json_finish(&json) : err;
}


static void
test_depth(void)
{
    size_t          i, n;
    char            title[64];
    unsigned char  *data = malloc(1000000);

    for (i = 0; i < 6; i++) {
        n = (size_t[]) { 63, 64, 65, 100, 100000, 500000 }[i];
        memset(data, '[', n);
        memset(data + n, ']', n);
        snprintf(title, sizeof(title), "J06 depth %d", (int) n);
        is_int(feed_big(data, 2 * n), n > 64 ? AIGW_ERANGE : AIGW_OK, title);
    }

    memset(data, '[', 1000000);
    is_int(feed_big(data, 1000000), AIGW_ERANGE, "J06 a million of [");
    is_int(feed_big(data, 64), AIGW_EINVAL, "J06 64 of [ and no more");

    free(data);
}


static void
test_big(void)
{
    size_t          i, n = 10 * 1024 * 1024;
    clock_t         start = clock();
    unsigned char  *data = malloc(n + 16);

    memset(data, 'a', n);
    memcpy(data, "[\"", 2);
    memcpy(data + n - 2, "\"]", 2);
    is_int(feed_big(data, n), AIGW_OK, "J06 a string of 10 MB");
    data[n / 2] = 0x01;
    is_int(feed_big(data, n), AIGW_EINVAL, "J06 with one bad byte in it");

    memset(data, '7', 1024 * 1024);
    is_int(feed_big(data, 1024 * 1024), AIGW_OK, "J06 a number of 1 MB");

    for (i = 0; i < 1000000; i++) {
        memcpy(data + 1 + i * 8, "\"abc\":1,", 8);
    }

    data[0] = '{';
    data[i * 8] = '}';
    is_int(feed_big(data, i * 8 + 1), AIGW_OK, "J06 a million of names");

    ok(clock() - start < 5 * CLOCKS_PER_SEC, "J06 in linear time");
    free(data);
}


/* Events that nobody wants: the members of a silent one are reported. */
static void
test_silent(void)
{
    static const aigw_json_node_t  inner[] = {
        { aigw_str("z"), 9, 0, 0, NULL }
    };
    static const aigw_json_node_t  outer[] = {
        { aigw_str("a"), 1, AIGW_JSON_NO_BEGIN, 1, inner },
        { aigw_str("b"), 2, AIGW_JSON_NO_FIRST, 1, inner },
        { aigw_str("c"), 3, AIGW_JSON_NO_END, 1, inner },
        { aigw_str("d"), 4, AIGW_JSON_EACH | AIGW_JSON_SILENT, 1, inner }
    };
    static const aigw_json_schema_t  silent = {
        { aigw_str("root"), 0, AIGW_JSON_SILENT, 4, outer },
        AIGW_JSON_LAST_COUNTS, on_value
    };

    schema = &silent;
    are(LEN("{\"a\":{\"z\":1}}"), "a+o z=n1[10,11) a>o ok", "no BEGIN");
    are(LEN("{\"b\":{\"z\":1}}"), "b<o[5 z=n1[10,11) b>o ok", "no FIRST");
    are(LEN("{\"c\":{\"z\":1}}"), "c<o[5 c+o z=n1[10,11) ok", "no END");
    are(LEN("{\"d\":[{\"z\":1}]}"), "z=n1[11,12) ok", "silent");
    are(LEN("{\"d\":7}"), "d=n7[5,6) ok", "but for a scalar");
}


/* A long name whose end was cut off says nothing of the next value's text. */
static void
test_cut(void)
{
    char  doc[256], want[128];
    int   n = snprintf(doc, sizeof(doc), "{\"\\n%0200d\":1,\"n\":null}", 0);

    snprintf(want, sizeof(want), "root<o[0 root+o n=0[%d,%d) root>o ok",
             n - 5, n - 1);
    schema = &answers;
    are(doc, (size_t) n, want, "a word behind a long name");
}


static void
test_unfinished(void)
{
    uint64_t     bytes = 0;
    aigw_json_t  json;

    aigw_json_init(&json, &answers);
    is_int(aigw_json_feed(&json, (const unsigned char *) "{\"model\":\"abc", 13,
                          NULL), AIGW_OK, "a document that stops in a string");
    ok(aigw_json_unfinished(&json, &bytes) == &members[0] && bytes == 3,
       "the string so far");
    is_int(aigw_json_feed(&json, (const unsigned char *) "d\",\"x\":\"abc", 11,
                          NULL), AIGW_OK, "it goes on");
    ok(aigw_json_unfinished(&json, &bytes) == NULL, "and is not watched");

    aigw_json_init(&json, &answers);
    is_int(aigw_json_feed(&json, (const unsigned char *) "{\"model", 7, NULL),
           AIGW_OK, "a document that stops in a name");
    ok(aigw_json_unfinished(&json, &bytes) == NULL, "is not in a value");
}


int
main(void)
{
    test_grammar();
    test_utf8();
    test_watch();
    test_text();
    test_edges();
    test_once();
    test_depth();
    test_big();
    test_silent();
    test_cut();
    test_unfinished();

    return done();
}
