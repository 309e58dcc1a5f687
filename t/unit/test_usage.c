/*
 * The meter: conformance cases of wire-formats section 6 (by number), counts,
 * text, errors, and the hidden chunk: what it reports and the bytes that pass
 * are the same in whatever pieces an answer comes. Threats J12 to J32.
 */

#include "aigw_usage.h"
#include "pieces.h"


/* Chunks with text, with text and usage, with usage alone. */
#define C1  "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":"               \
            "{\"content\":\"Hi\\n\"}}],\"usage\":null}"
#define C2  "{\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"\"}}],"      \
            "\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":2,"         \
            "\"total_tokens\":26}}"
#define CU  "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":24,"    \
            "\"completion_tokens\":2,\"total_tokens\":26}}"
#define CE  "{\"error\":{\"message\":\"x\",\"code\":\"y\"}}"

#define E(chunk)  "data: " chunk "\n\n"
#define D         "data: [DONE]\n\n"

#define U24  "24+2/0/0/0"              /* what C2 and CU say */


static aigw_usage_kind_t  kind;
static int                hide;
static unsigned char      passed[65536];
static size_t             passed_len;


static void
pass(const unsigned char *data, size_t len)
{
    if (len && passed_len + len <= sizeof(passed)) {
        memcpy(passed + passed_len, data, len);
    }

    passed_len += len;
}


/* Does what the module does with a piece; the most that was held. */
static size_t
meter(aigw_usage_meter_t *m, const char *input, size_t len, long cut)
{
    size_t              pos, n, held_len = 0, most = 0;
    unsigned char       held[AIGW_USAGE_HOLD_MAX], *copy;
    aigw_usage_piece_t  piece;

    passed_len = 0;
    memset(m, 0xa5, sizeof(*m));
    aigw_usage_init(m, kind, hide);

    for (pos = 0; pos < len; pos += n) {
        n = pieces_len(pos, len, cut);
        copy = pieces_copy(input + pos, n);
        aigw_usage_feed(m, copy, n, &piece);

        if (piece.release) {
            pass(held, held_len);
        }

        if (piece.release || piece.drop) {
            held_len = 0;
        }

        pass(copy, piece.keep);

        if (held_len + piece.hold > sizeof(held)) {
            pieces_add("held too much ");
            piece.hold = 0;
        }

        memcpy(held + held_len, copy + n - piece.hold, piece.hold);
        held_len += piece.hold;
        most = held_len > most ? held_len : most;
        free(copy);
    }

    aigw_usage_finish(m, &piece);

    if (piece.release) {
        pass(held, held_len);
        held_len = 0;
    }

    if ((held_len != 0) != piece.drop || piece.keep || piece.hold) {
        pieces_add("%d bytes left ", (int) held_len);
    }

    return most;
}


/* Logs usage, flags, events, text, the bits; with hiding on, what passed. */
static void
run(const char *input, size_t len, long cut)
{
    aigw_usage_meter_t  m;

    (void) meter(&m, input, len, cut);

    if (m.seen) {
        pieces_add("%d+%d/%d/%d/%d", (int) m.tokens.prompt_tokens,
                   (int) m.tokens.completion_tokens,
                   (int) m.tokens.cached_tokens,
                   (int) m.tokens.cache_write_tokens,
                   (int) m.tokens.reasoning_tokens);
    } else {
        pieces_add("none");
    }

    pieces_add("%s%s%s%s%s %d %d", m.flags & AIGW_USAGE_BAD ? " bad" : "",
               m.flags & AIGW_USAGE_INCONSISTENT ? " inconsistent" : "",
               m.error ? " error" : "", m.done ? " done" : "",
               m.malformed ? " malformed" : "", (int) m.events,
               (int) m.text_bytes);

    if (!hide && (passed_len != len || memcmp(passed, input, len) != 0)) {
        pieces_add(" bytes differ");
    }

    if (hide) {
        pieces_add("\n%.*s", (int) passed_len, (char *) passed);
    }
}


static void
is_json(const char *input, const char *want, const char *name)
{
    kind = AIGW_USAGE_JSON;
    hide = 0;
    pieces_are(run, input, strlen(input), want, name);
}


static void
is_stream(const char *input, const char *want, const char *name)
{
    kind = AIGW_USAGE_SSE;
    hide = 0;
    pieces_are(run, input, strlen(input), want, name);
}


/* With hiding: what passes, too. */
static void
is_hidden(const char *input, const char *want, const char *rest,
    const char *name)
{
    char  log[8192];

    kind = AIGW_USAGE_SSE;
    hide = 1;
    snprintf(log, sizeof(log), "%s\n%s", want, rest);
    pieces_are(run, input, strlen(input), log, name);
}


static void
test_framing(void)
{
    is_stream(E(C1) E(CU) D, U24 " done 3 4", "1: plain");
    is_stream(": keep-alive\n\n" E(C1) ": PING\n\n" E(CU) D,
              U24 " done 3 4", "2: comments as events");
    is_stream(": ping\n" E(C1) E(CU) D, U24 " done 3 4", "3: comment line");
    is_stream("event: ping\n\n" E(C1) E(CU) D, U24 " done 3 4",
              "4: event without data");
    is_stream("data:\n\n" E(C1) E(CU) D, U24 " done 4 4", "5: empty data");
    is_stream("retry: 1000\n\n" E(C1) E(CU) D, U24 " done 3 4", "6: retry");
    is_stream("id: 1\n" E(C1) ": ping\n\n" E(CU) D, U24 " done 3 4", "7: id");
    is_stream("data: " C1 "\r\n\r\ndata: " CU "\r\n\r\ndata: [DONE]\r\n\r\n",
              U24 " done 3 4", "8: J13 CRLF");
    is_stream("data: " C1 "\r\rdata: " CU "\r\rdata: [DONE]\r\r",
              U24 " done 3 4", "9: J13 CR");
    is_stream("data:" C1 "\n\ndata:" CU "\n\ndata:[DONE]\n\n",
              U24 " done 3 4", "10: J14 no space");
    is_stream(E(C1) E(CU), U24 " 2 4", "11: J18 no [DONE]");
    is_stream(E(C1) "data: " CU, U24 " 2 4", "12: J18 no blank line");
    is_stream(E(C1) "data: " CU "\n", U24 " 2 4", "12: J18 no blank line");
    is_stream(E(C1) E(CU) "data: [DONE]", U24 " done 3 4",
              "13: J18 [DONE] without a line end");
    is_stream(E(C1) "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens"
              "\":24,\ndata:\"completion_tokens\":2}}\n\n" D,
              U24 " done 3 4", "14: J15 several data lines");
    is_stream("\xef\xbb\xbf" E(C1) E(CU) D, U24 " done 3 4", "15: J17 BOM");
    is_stream(E(C1) D E(CU), "none done 3 4", "19: usage after [DONE]");
    is_stream(E(C1) "data:  [DONE] \t\n\n" E(C1) E(CE), "none done 4 4",
              "19: blanks about [DONE], all else after it");
    is_stream("\n\n" E(C1) "\n\n\n" E(CU) "\n" D, U24 " done 3 4",
              "20: blank lines");
    is_stream(E(C1) "data: [DONE\n\ndata: [DONE]x\n\ndata: [ DONE]\n\n" E(CU),
              U24 " 5 4", "what is not [DONE]");
    is_stream(E(C1) "data: {\"choices\":[{\"delta\":{\"content\":\"\xe4\xbd\xa0"
              "\xf0\x9f\x98\x80\"}}]}\n\n" E(CU), U24 " 3 11",
              "24: J12 inside of characters");
    is_stream("", "none 0 0", "J26 nothing");
}


static void
test_usage_place(void)
{
    is_stream(E(C1) E(C2) D, U24 " done 3 4", "21: J19 in the last chunk");
    is_stream("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":"
              "{\"prompt_tokens\":24,\"completion_tokens\":1}}\n\n" E(C2)
              E("{\"choices\":[{}],\"usage\":null}")
              E("{\"choices\":[{}],\"usage\":{\"prompt_tokens\":0,"
                "\"completion_tokens\":0,\"total_tokens\":0}}")
              E("{\"choices\":[{}],\"usage\":{}}") D,
              U24 " done 6 1", "22: J19 growing, then null and zeros");
    is_stream(E(C2) E("{\"choices\":[]}") D, U24 " done 3 0",
              "23: an empty chunk after it");
    is_stream(E("{\"x_groq\":{\"usage\":{\"prompt_tokens\":7}},\"choices\":"
                "[{}]}"), "7+0/0/0/0 1 0", "x_groq.usage");
    is_stream(E("{\"choices\":[{\"usage\":{\"prompt_tokens\":7,"
                "\"completion_tokens\":3,\"cached_tokens\":5}}]}"),
              "7+3/5/0/0 1 0", "choices[0].usage");
    is_stream(E("{\"usage\":{\"prompt_tokens\":9},\"x_groq\":{\"usage\":"
                "{\"prompt_tokens\":8}},\"choices\":[{\"usage\":"
                "{\"prompt_tokens\":7}}]}"), "9+0/0/0/0 1 0",
              "usage is looked at before the others");
    is_stream(E("{\"choices\":[{\"usage\":{\"prompt_tokens\":7}}],\"x_groq\":"
                "{\"usage\":{\"prompt_tokens\":8}},\"usage\":"
                "{\"prompt_tokens\":0}}"), "8+0/0/0/0 1 0",
              "where the first is zero, the next counts");
    is_stream(E("{\"usage\":{\"prompt_tokens\":7},\"x\":}") E(C1),
              "none 2 4", "J23 an event that is not JSON");
    is_stream(E("{\"x\":{\"usage\":{\"prompt_tokens\":7}},\"response\":{"
                "\"usage\":{\"prompt_tokens\":7}},\"message\":{\"usage\":"
                "{\"prompt_tokens\":7}}}"), "none 1 0",
              "J23 usage that is somewhere else");
    is_stream(E("{\"usage\":[{\"prompt_tokens\":7}]}") E("{\"usage\":7}")
              E("[{\"usage\":{\"prompt_tokens\":7}}]"), "none 3 0",
              "J25 usage that is no object");
    is_stream(E(C1) "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7},"
              "\"x\":\"", "7+0/0/0/0 2 4", "a stream cut behind its usage");
    is_stream(E(C1) "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7",
              "none 2 4", "a stream cut in its usage");
}


static void
test_errors(void)
{
    is_stream(E(C1) E(CE), "none error 2 4", "16: J26 error in a stream");
    is_stream("data: {\"error\":null,\"choices\":[]}\n\n" E(CU),
              U24 " 2 0", "17: error null");
    is_stream(E(C1) "event: error\ndata: {\"message\":\"x\"}\n\n",
              "none error 2 4", "18: J26 event: error");
    is_stream(E(C1) "data: {\"message\":\"x\"}\nevent:error",
              "none 2 4", "18: a name that is not complete");
    is_stream(E(C1) "event: error\ndata: {\"message\":\"x\"}",
              "none error 2 4", "18: J18 without a blank line");
    is_stream(E(C1) "event: error\n\n" E(CU), U24 " 2 4",
              "event: error without data");
    is_stream(E(C1) "event: errors\ndata: {}\n\n", "none 2 4",
              "another event");
    is_stream(E(C1) CE "\n\n", "none error 1 4", "25: bare error");
    is_stream(E(C1) "{\"type\":\"error\",\"error\":{}}", "none error 1 4",
              "25: bare error with type");
    is_stream(E("{\"error\":\"\"}") E("{\"error\":false}") E("{\"error\":0}"),
              "none 3 0", "an error that is false");
    is_stream(E("{\"error\":\"x\"}"), "none error 1 0", "an error as text");
    is_stream(E("{\"error\":{}}"), "none error 1 0", "an empty error");
    is_stream(E("{\"error\":[]}"), "none error 1 0", "an empty list");
    is_stream(E("{\"error\":500}"), "none error 1 0", "a number as error");
    is_stream(E("{\"x\":{\"error\":{}}}"), "none 1 0", "an error in depth");
    is_json(CE, "none error 0 0", "J26 200 with an error");
    is_json("<html>502</html>", "none malformed 0 0", "J26 HTML");
    is_json("", "none malformed 0 0", "J26 an empty body");
}


static void
test_json(void)
{
    is_json("{\"choices\":[{\"message\":{\"content\":\"Hi\"}}],\"usage\":{"
            "\"prompt_tokens\":120,\"completion_tokens\":30,\"total_tokens\":"
            "150,\"prompt_tokens_details\":{\"cached_tokens\":64,"
            "\"cache_write_tokens\":3},\"completion_tokens_details\":{"
            "\"reasoning_tokens\":10}}}", "120+30/64/3/10 0 2", "as documented");
    is_json("\n\n\r\n \n{\"usage\":{\"prompt_tokens\":1}}\n",
            "1+0/0/0/0 0 0", "27: blank lines first");
    is_json("{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1},"
            "\"choices\":[{\"message\":{\"content\":\"{\\\"usage\\\":{"
            "\\\"prompt_tokens\\\":9}}\",\"tool_calls\":[{\"function\":{"
            "\"name\":\"f\",\"arguments\":\"}],\\\"usage\\\":{\"}}]}}]}",
            "5+1/0/0/0 0 48", "28: J23 usage first, decoys in text");
    is_json("{\"usage\":{\"prompt_tokens\":1},\"usage\":{\"prompt_tokens\":2}}",
            "2+0/0/0/0 0 0", "the last of two counts");
    is_json("{\"usage\":{\"prompt_tokens\":1,\"prompt_tokens\":2,"
            "\"completion_tokens\":3,\"completion_tokens\":null}}",
            "2+0/0/0/0 0 0", "the last of two counts inside");
    is_json("{\"\\u0075sage\":{\"prompt\\u005ftokens\":2}}",
            "2+0/0/0/0 0 0", "escaped names");
    is_json("{\"usage\":{\"prompt_tokens\":2}}x", "2+0/0/0/0 malformed 0 0",
            "something behind the document");
    is_json("{\"usage\":{\"prompt_tokens\":2},\"choices\":[{\"message\":{"
            "\"content\":\"abc", "2+0/0/0/0 malformed 0 3",
            "cut in the text: what came counts");
    is_json("{\"choices\":[{\"message\":{\"content\":\"abc\\",
            "none malformed 0 4", "cut in an escape");
    is_json("{\"choices\":[{\"message\":{\"cont", "none malformed 0 0",
            "cut in a name");
    is_json("[]", "none 0 0", "a list");
}


static void
test_arithmetic(void)
{
    static const struct {
        const char  *usage, *want, *name;
    } cases[] = {
        { "\"prompt_tokens\":100,\"completion_tokens\":5,\"total_tokens\":105,"
          "\"input_tokens\":100,\"output_tokens\":5,\"input_tokens_details\":"
          "null,\"prompt_tokens_details\":{\"cached_tokens\":0,"
          "\"text_tokens\":0}", "100+5/0/0/0", "35: both families" },
        { "\"prompt_tokens\":100,\"input_tokens\":100", "100+0/0/0/0",
          "35: both families" },
        { "\"prompt_tokens\":14,\"completion_tokens\":2,\"total_tokens\":333,"
          "\"completion_tokens_details\":{\"reasoning_tokens\":317}",
          "14+319/0/0/317", "36: xAI, reasoning outside" },
        { "\"prompt_tokens\":14,\"completion_tokens\":319,\"total_tokens\":"
          "333,\"completion_tokens_details\":{\"reasoning_tokens\":317}",
          "14+319/0/0/317", "36: xAI, reasoning inside" },
        { "\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0,"
          "\"input_tokens\":8,\"output_tokens\":3,\"input_tokens_details\":"
          "{\"cached_tokens\":2,\"cache_write_tokens\":1},"
          "\"output_tokens_details\":{\"reasoning_tokens\":1}",
          "8+3/2/1/1", "the other family where the first is 0" },
        { "\"prompt_tokens\":8,\"total_tokens\":20", "8+12/0/0/0",
          "total without completion" },
        { "\"prompt_tokens\":8,\"total_tokens\":8", "8+0/0/0/0",
          "no completion at all" },
        { "\"prompt_tokens\":8,\"completion_tokens\":4", "8+4/0/0/0",
          "no total" },
        { "\"prompt_tokens\":8,\"completion_tokens\":4,\"total_tokens\":99",
          "8+4/0/0/0 inconsistent", "J32 the components count" },
        { "\"prompt_tokens\":8,\"completion_tokens\":4,\"total_tokens\":12,"
          "\"prompt_tokens_details\":{\"cached_tokens\":9},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":5}",
          "8+4/8/0/4 inconsistent", "J32 a part above its whole" },
        { "\"prompt_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":6,"
          "\"cache_write_tokens\":3}", "8+0/6/2/0 inconsistent",
          "J32 parts above their whole" },
        { "\"prompt_tokens\":8,\"prompt_cache_hit_tokens\":3,"
          "\"prompt_cache_miss_tokens\":5", "8+0/3/0/0", "DeepSeek" },
        { "\"prompt_tokens\":8,\"cached_tokens\":3", "8+0/3/0/0", "Moonshot" },
        { "\"prompt_tokens\":8,\"prompt_tokens_details\":{"
          "\"cache_write_tokens\":2,\"cached_creation_tokens\":5}",
          "8+0/0/5/0", "the greater of two cache writes" },
        { "\"prompt_tokens\":1000000000,\"completion_tokens\":1000000000,"
          "\"total_tokens\":1000000000", "1000000000+1000000000/0/0/0 "
          "inconsistent", "J25 the most" }
    };

    size_t  i;
    char    input[512], want[64];

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(input, sizeof(input), "{\"usage\":{%s}}", cases[i].usage);
        snprintf(want, sizeof(want), "%s 0 0", cases[i].want);
        is_json(input, want, cases[i].name);
    }
}


static void
test_counts(void)
{
    static const char *const  bad[] = {
        "-1", "1.5", "1e400", "true", "9007199254740993", "1000000001",
        "9223372036854775808", "18446744073709551616", "[]", "{}", "\"\"",
        "123456789012345678901234567890", "\"x\"", "\"-1\"", "\" 12\"", NULL
    };
    static const char *const  good[] = {
        "12", "\"12\"", "12.0", "\"12.0\"", "1.2e1", "\"\\u0031\\u0032\"", NULL
    };

    size_t  i;
    char    input[256], title[128];

    for (i = 0; bad[i]; i++) {
        snprintf(title, sizeof(title), "J25 %s", bad[i]);
        snprintf(input, sizeof(input), "{\"usage\":{\"prompt_tokens\":%s,"
                 "\"completion_tokens\":3}}", bad[i]);
        is_json(input, "none bad 0 0", title);

        snprintf(title, sizeof(title), "J25 J32 %s in the details", bad[i]);
        snprintf(input, sizeof(input), "{\"usage\":{\"prompt_tokens\":1,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":%s}}}", bad[i]);
        is_json(input, "none bad 0 0", title);
    }

    for (i = 0; good[i]; i++) {
        snprintf(title, sizeof(title), "J25 %s", good[i]);
        snprintf(input, sizeof(input), "{\"usage\":{\"prompt_tokens\":%s}}",
                 good[i]);
        is_json(input, "12+0/0/0/0 0 0", title);
    }

    is_json("{\"usage\":{\"prompt_tokens\":-0,\"completion_tokens\":1e3}}",
            "0+1000/0/0/0 0 0", "J25 -0 and 1e3");
    is_stream(E(CU) E("{\"choices\":[],\"usage\":{\"prompt_tokens\":-5}}"),
              U24 " bad 2 0", "J25 a bad object is ignored and flagged");
}


static void
test_text(void)
{
    is_json("{\"choices\":[{\"message\":{\"content\":\"12345\","
            "\"reasoning_content\":\"123\",\"reasoning\":\"12\",\"refusal\":"
            "null,\"audio\":{\"transcript\":\"1234567\",\"data\":\"AAAA\"}}},"
            "{\"message\":{\"content\":null,\"refusal\":\"1\"}}]}",
            "none 0 18", "texts of a message");
    is_stream(E("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,"
                "\"id\":\"call_1\",\"function\":{\"name\":\"ab\",\"arguments\":"
                "\"{\\\"x\\\"\"}},{\"function\":{\"arguments\":\"1\"}}],"
                "\"obfuscation\":\"xxxxxxxx\"}}],\"obfuscation\":\"xxx\"}")
              E("{\"choices\":[{\"delta\":{\"function_call\":{\"name\":\"a\","
                "\"arguments\":\"bc\"}}},{\"text\":\"1234\"}]}"),
              "none 2 16", "texts of chunks");
    is_stream(E(C1) "data: {\"choices\":[{\"delta\":{\"content\":\"abc",
              "none 2 7", "a stream cut in its text");
}


static void
test_hiding(void)
{
    is_hidden(E(C1) E(CU) D, U24 " done 3 4", E(C1) D, "J20 hidden");
    is_hidden(E(CU), U24 " 1 0", "", "J20 the only event");
    is_hidden(E(C1) E(C2) D, U24 " done 3 4", E(C1) E(C2) D,
              "J20 usage with a choice passes");
    is_hidden("data: " C1 "\r\n\r\ndata: " CU "\r\n\r\ndata: [DONE]\r\n\r\n",
              U24 " done 3 4", "data: " C1 "\r\n\r\ndata: [DONE]\r\n\r\n",
              "J20 J13 CRLF: its last LF, too");
    is_hidden("data: " C1 "\r\rdata: " CU "\r\rdata: [DONE]\r\r",
              U24 " done 3 4", "data: " C1 "\r\rdata: [DONE]\r\r",
              "J20 J13 CR");
    is_hidden("data: " CU "\n\r\n\ndata: [DONE]\r\n\n", U24 " done 2 0",
              "\ndata: [DONE]\r\n\n", "J20 J13 mixed line ends");
    is_hidden(": a\n\n: b\r\n" E(C1) ": c\n" E(CU) ": d\n\n" D,
              U24 " done 3 4", ": a\n\n: b\r\n" E(C1) ": c\n: d\n\n" D,
              "J20 comments before it pass");
    is_hidden("id: 7\n: c\nevent: x\ndata: " CU "\n: d\n\n" D,
              U24 " done 2 0", D, "J20 all lines of the event");
    is_hidden("data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":24,"
              "\ndata:\"completion_tokens\":2}}\n\n" D, U24 " done 2 0", D,
              "J20 J15 several data lines");
    is_hidden("\xef\xbb\xbf" E(CU) E(C1), U24 " 2 4", "\xef\xbb\xbf" E(C1),
              "J20 J17 a BOM stays");
    is_hidden(E("{\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":2},"
                "\"choices\":[]}") D, U24 " done 2 0", D,
              "J20 usage before choices");
    is_hidden(E(C1) "data: " CU, U24 " 2 4", E(C1),
              "J20 J18 without a blank line");
    is_hidden(E(C1) "data: " CU "\r\n", U24 " 2 4", E(C1),
              "J20 J18 without a blank line, CRLF");
    is_hidden(E(CU) E(CU) E(C1) E(CU), U24 " 4 4", E(C1),
              "J20 more than one");
}


static void
test_not_hidden(void)
{
    static const char *const  same[] = {
        E("{\"choices\":[],\"usage\":null}"),
        E("{\"choices\":[],\"prompt_filter_results\":[]}"),
        E("{\"choices\":[{\"x\":1}],\"usage\":{}}"),
        E("{\"choices\":[0],\"usage\":{}}"),
        E("{\"choices\":{},\"usage\":{}}"),
        E("{\"choices\":null,\"usage\":{}}"),
        E("{\"choices\":[],\"usage\":[]}"),
        E("{\"choices\":[],\"usage\":1}"),
        E("{\"usage\":{}}"),
        E("{\"choices\":[],\"usage\":{}"),
        E("{\"choices\":[],\"usage\":{}}x"),
        E("[{\"choices\":[],\"usage\":{}}]"),
        E("{\"x\":{\"choices\":[],\"usage\":{}}}"),
        E("x"),
        "data:\n\n", "data\n\n", "id: 1\n\n", "retry: 1\n\nid: 2\n\n",
        "\n\n\n", ": c", ": c\n", "id", "id: 1\n", "data", "data: ",
        "data: {\"choices\":[],\"usage\":{", "foo\r\n\r\n", "\xef\xbb",
        "\xef\xbb" "data: {}\n\n", "{\"choices\":[],\"usage\":{}}\n\n",
        "id: 1\n: c\nretry: 2\n\n", NULL
    };

    size_t  i;
    char    want[64];

    for (i = 0; same[i]; i++) {
        snprintf(want, sizeof(want), "none %d 0",
                 strncmp(same[i], "data", 4) == 0 && strlen(same[i]) > 4
                 ? 1 : strstr(same[i], "\ndata") ? 1 : 0);

        if (strcmp(same[i], "\xef\xbb" "data: {}\n\n") == 0) {
            strcpy(want, "none 0 0");
        }

        if (strcmp(same[i], "data") == 0) {
            strcpy(want, "none 0 0");
        }

        is_hidden(same[i], want, same[i], same[i]);
    }

    is_hidden(E("{\"error\":{},\"choices\":[],\"usage\":{}}"),
              "none error 1 0", E("{\"error\":{},\"choices\":[],\"usage\":{}}"),
              "an error is not hidden");
    is_hidden("event: error\n" E("{\"choices\":[],\"usage\":{}}"),
              "none error 1 0",
              "event: error\n" E("{\"choices\":[],\"usage\":{}}"),
              "an event: error is not hidden");
}


/* J12: one stream, every cut in three. */
static void
test_three(void)
{
    static const char  input[] = ": a\r\n" E(C1) "data: " CU "\r\n\r\n" D;

    size_t              i, k, len = sizeof(input) - 1;
    int                 same = 1;
    char                want[1024];
    aigw_usage_meter_t  m;
    aigw_usage_piece_t  piece;
    unsigned char      *copy[3], held[1024];
    size_t              at[4], h, n;

    snprintf(want, sizeof(want), ": a\r\n" E(C1) D);

    for (i = 0; i <= len; i += 3) {
        for (k = i; k <= len; k += 5) {
            memcpy(at, (size_t[]) { 0, i, k, len }, sizeof(at));
            aigw_usage_init(&m, AIGW_USAGE_SSE, 1);
            passed_len = 0;

            for (h = 0, n = 0; n < 3; n++) {
                copy[n] = pieces_copy(input + at[n], at[n + 1] - at[n]);
                aigw_usage_feed(&m, copy[n], at[n + 1] - at[n], &piece);
                pass(held, piece.release ? h : 0);
                h = piece.release || piece.drop ? 0 : h;
                pass(copy[n], piece.keep);
                memcpy(held + h, copy[n] + (at[n + 1] - at[n]) - piece.hold,
                       piece.hold);
                h += piece.hold;
                free(copy[n]);
            }

            same = same && h == 0 && passed_len == strlen(want)
                   && memcmp(passed, want, passed_len) == 0 && m.seen
                   && m.tokens.prompt_tokens == 24;
        }
    }

    ok(same, "J12 any cut in three pieces");
}


/* What may not wait does not. */
static void
test_delay(void)
{
    static const char  first[] = "data: {\"id\":\"c\",\"choices\":[{";

    unsigned char       data[64];
    aigw_usage_meter_t  m;
    aigw_usage_piece_t  piece;

    aigw_usage_init(&m, AIGW_USAGE_SSE, 1);
    memcpy(data, first, sizeof(first) - 1);
    aigw_usage_feed(&m, data, sizeof(first) - 1, &piece);
    ok(piece.keep == sizeof(first) - 1 && piece.hold == 0,
       "a chunk passes from its first choice on");

    aigw_usage_init(&m, AIGW_USAGE_SSE, 1);
    memcpy(data, ": PING", 6);
    aigw_usage_feed(&m, data, 6, &piece);
    ok(piece.keep == 6 && piece.hold == 0, "a comment passes at once");

    memcpy(data, "\n\ndata: [D", 10);
    aigw_usage_feed(&m, data, 10, &piece);
    ok(piece.keep == 10 && piece.hold == 0, "[DONE] passes at its D");

    memcpy(data, "ONE]\n\ndata: {", 13);
    aigw_usage_feed(&m, data, 13, &piece);
    ok(piece.keep == 6 && piece.hold == 7, "an open event is held");

    memcpy(data, "}", 1);
    aigw_usage_feed(&m, data, 1, &piece);
    ok(piece.keep == 0 && piece.hold == 1 && !piece.release && !piece.drop,
       "neither released nor dropped");

    memcpy(data, "\n\n", 2);
    aigw_usage_feed(&m, data, 2, &piece);
    ok(piece.keep == 2 && piece.hold == 0 && piece.release && !piece.drop,
       "released at its end");
}


/* An event about as long as what may be held. */
static void
test_hold(void)
{
    long                i, cut;
    size_t              len, most;
    int                 hidden;
    char               *input = malloc(3 * AIGW_USAGE_HOLD_MAX);
    aigw_usage_meter_t  m;

    kind = AIGW_USAGE_SSE;
    hide = 1;

    for (i = -1; i <= 1; i++) {
        len = (size_t) snprintf(input, AIGW_USAGE_HOLD_MAX,
                                "data: {\"choices\":[],\"usage\":{},\"x\":\"");
        memset(input + len, 'x', (size_t) (AIGW_USAGE_HOLD_MAX + i) - len);
        len = (size_t) (AIGW_USAGE_HOLD_MAX + i);
        memcpy(input + len - 4, "\"}\n\n", 4);

        for (cut = -1; cut < (long) len; cut += cut < 0 ? 1 : 4000) {
            most = meter(&m, input, len, cut);
            hidden = passed_len == 0;
            ok(hidden == (i <= 0) && (hidden || passed_len == len)
               && most <= AIGW_USAGE_HOLD_MAX,
               "J27 an event of %d bytes, cut %d, is %s", (int) len,
               (int) cut, hidden ? "hidden" : "passed");
        }
    }

    free(input);
}


/* 26, J27: a line of 64 MB in pieces, a million of events in one. */
static void
test_big(void)
{
    static const char   head[] = "data: {\"choices\":[{\"delta\":{\"content\":\"";
    static const char   tail[] = "\"}}]}\n\n" E(CU);

    size_t              pos, n, kept = 0, held = 0, len = 64 * 1024 * 1024;
    unsigned char      *data = malloc(len);
    aigw_usage_meter_t  m;
    aigw_usage_piece_t  piece;

    memset(data, 'A', len);
    memcpy(data, head, sizeof(head) - 1);
    memcpy(data + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
    aigw_usage_init(&m, AIGW_USAGE_SSE, 1);

    for (pos = 0; pos < len; pos += n) {
        n = len - pos < 4096 ? len - pos : 4096;
        aigw_usage_feed(&m, data + pos, n, &piece);
        kept += piece.keep;
        held += piece.hold;
    }

    aigw_usage_finish(&m, &piece);
    is_int((int64_t) (len - kept), sizeof("data: " CU "\n\n") - 1,
           "26: J27 a line of 64 MB passes, the usage behind it does not");
    ok(held < 4096 && m.seen && m.text_bytes == len - (sizeof(head) - 1)
       - (sizeof(tail) - 1), "it is metered and not held");

    for (pos = 0, n = 0; n < 1000000; n++, pos += 14) {
        memcpy(data + pos, "data:{\"a\":1}\n\n", 14);
    }

    aigw_usage_init(&m, AIGW_USAGE_SSE, 1);
    aigw_usage_feed(&m, data, pos, &piece);
    ok(m.events == 1000000 && piece.keep == pos && piece.hold == 0,
       "J27 a million of events in one buffer");
    ok(sizeof(m) <= 512, "a meter has %d bytes", (int) sizeof(m));

    free(data);
}


int
main(void)
{
    test_framing();
    test_usage_place();
    test_errors();
    test_json();
    test_arithmetic();
    test_counts();
    test_text();
    test_hiding();
    test_not_hidden();
    test_three();
    test_delay();
    test_hold();
    test_big();

    return done();
}
