/*
 * What the meter reports: conformance cases of wire-formats section 6 (by
 * number), counts, text, errors, in whatever pieces an answer comes. Threats
 * J12 to J32.
 */

#include "meter.h"


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
            "\"reasoning_tokens\":10}}}", "120+30/64/3/10 0 2",
            "as documented");
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


#define SAY(t)  E(HEAD "\"choices\":[{\"index\":0,\"delta\":{" t "}}]}")
#define TEXT(t)  SAY("\"content\":\"" t "\"")
#define USE(n)  "\"usage\":{\"prompt_tokens\":" n "}"

static void
test_alike(void)
{
    is_stream(SAY("\"role\":\"assistant\",\"content\":\"\"") TEXT("the ")
              TEXT("then") TEXT("the \\n") TEXT("a") SAY("") TEXT("z"),
              "none 7 16", "texts of chunks that begin alike");
    is_stream(TEXT("aa") TEXT("bb") TEXT("cc") E(HEAD "\"choices\":[]," USE("7")
              "}") TEXT("dd") TEXT("ee"), "7+0/0/0/0 6 10",
              "usage among them");
    is_stream(E(HEAD USE("7") ",\"a\":1}") E(HEAD USE("7") ",\"a\":2}")
              E(HEAD USE("8") ",\"a\":3}") E(HEAD USE("7") ",\"a\":2,"
              USE("9") "}") E(HEAD USE("7") ",\"a\":2}"), "7+0/0/0/0 5 0",
              "usage in what is alike");
    is_stream(E(HEAD "\"usage\":null,\"a\":1}") E(HEAD "\"usage\":null,"
              "\"a\":2}") E(HEAD "\"usage\":null,\"a\":3," USE("5") "}")
              E(HEAD "\"usage\":null,\"a\":4}"), "5+0/0/0/0 4 0",
              "no usage in what is alike, then some");
    is_stream(E(HEAD "\"error\":null,\"a\":1}") E(HEAD "\"error\":null,\"a\":"
              "2}") E(HEAD "\"error\":null,\"a\":3,\"error\":{}}")
              E(HEAD "\"error\":null,\"a\":4}"), "none error 4 0",
              "an error among them");
    is_stream(E(HEAD "\"choices\":[{\"text\":\"abc\"}],\"a\":1}")
              E(HEAD "\"choices\":[{\"text\":\"abc\"}],\"a\":2}")
              E(HEAD "\"choices\":[{\"text\":\"abc\"}],\"a\":3}"),
              "none 3 9", "texts in what is alike");
    is_stream(TEXT("a") TEXT("b") E(HEAD "\"choices\":[{\"index\":0,\"delta\":"
              "{\"content\":\"c\"}") TEXT("d") E(HEAD "\"choices\":[{\"index\":"
              "0,\"delta\":}") TEXT("e") E(HEAD) TEXT("f"), "none 8 6",
              "what is not JSON among them");
    is_stream(TEXT("a") TEXT("b") D TEXT("c") TEXT("d"), "none done 5 2",
              "19: and after [DONE]");
    is_stream(TEXT("a") TEXT("b") "data: " HEAD "\"choices\":[{\"index\":0,\n"
              "data: \"delta\":{\"content\":\"cd\"}}]}\n\n" TEXT("e"),
              "none 4 5", "14: J15 one of several lines");
    is_stream(TEXT("a") TEXT("b") "data: " HEAD "\"choices\":[{\"index\":0,\""
              "delta\":{\"content\":\"cd", "none 3 4", "and one that is cut");
}


/* One after the other by one set of shapes, and how many fitted. */
static void
are_alike(const char *const *docs, size_t n, unsigned want, const char *name)
{
    size_t               i, len;
    int64_t              tokens = 0;
    unsigned             used, fitted = 0;
    unsigned char        data[1024];
    aigw_usage_meter_t   m;
    aigw_usage_piece_t   piece;
    aigw_usage_shapes_t  shapes = { 0 };

    for (i = 0; i < n; i++) {
        len = strlen(docs[i]);
        memcpy(data, docs[i], len);
        used = shapes.misses;
        aigw_usage_init(&m, AIGW_USAGE_JSON, 0, &shapes);
        aigw_usage_feed(&m, data, len, &piece);
        aigw_usage_finish(&m, &piece);
        fitted += shapes.misses == used;
        tokens += m.tokens.prompt_tokens + 10 * m.malformed;
    }

    ok(fitted == want, "%s: %u of %d by their shape", name, fitted, (int) n);
    is_int(tokens, (int64_t) n * (int64_t) (n + 1) / 2, name);
}


#define PROMPT(n)  USE(n) "}"

static void
test_shapes(void)
{
    static const char *const  same[] = {
        "{\"id\":\"a\"," PROMPT("1"), "{\"id\":\"\\u00e9\"," PROMPT("2"),
        "{\"id\":\"\"," PROMPT("3"), "{\"id\":\"xyz\"," PROMPT("4")
    };
    static const char *const  two[] = {
        "{" PROMPT("1"), "{\"a\":null," PROMPT("2"), "{" PROMPT("3"),
        "{\"a\":null," PROMPT("4"), "{\"b\":null," PROMPT("5"), "{" PROMPT("6")
    };
    static const char *const  none[] = {
        "{\"a\":0.5," PROMPT("1"), "{\"a\":0.5," PROMPT("2"),
        "{" PROMPT("\"3\""), "{" PROMPT("\"4\"")
    };

    /* as in each of many streams: the first chunk, some text, the end */
    static const char *const  stream[] = {
        "{\"a\":\"\"," PROMPT("1"), "{\"b\":\"\"," PROMPT("2"),
        "{\"b\":\"\"," PROMPT("3"), "{\"c\":\"\"," PROMPT("4"),
        "{\"a\":\"\"," PROMPT("5"), "{\"b\":\"\"," PROMPT("6"),
        "{\"b\":\"\"," PROMPT("7"), "{\"c\":\"\"," PROMPT("8")
    };

    size_t       i;
    char         docs[200][64];
    const char  *all[200];

    are_alike(stream, 8, 5, "some kinds in turn");
    are_alike(same, 4, 3, "alike");
    are_alike(two, 6, 3, "two kinds");
    are_alike(none, 4, 0, "numbers that are no counts, counts that are texts");

    for (i = 0; i < 200; i++) {
        snprintf(docs[i], sizeof(docs[i]), "{\"x%d\":1," PROMPT("%d"),
                 (int) i, (int) i + 1);
        all[i] = docs[i];
    }

    are_alike(all, 200, 0, "no two are alike");
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
    test_alike();
    test_shapes();

    return done();
}
