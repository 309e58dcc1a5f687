/*
 * What is read out of request bodies, what is refused and by which verdict,
 * and where include_usage goes in. Threats A19, A20, J01 to J11, J20, J21, Q10.
 */

#include "aigw_request.h"
#include "pieces.h"


/* Logs the refusal, or the facts and the body after its splices. */
static void
run(const char *input, size_t len, long cut)
{
    size_t                  pos, n;
    aigw_err_t              err = AIGW_OK;
    aigw_request_t          req;
    unsigned char          *copy;
    aigw_request_splice_t   splice[AIGW_REQUEST_SPLICES];

    memset(&req, 0xa5, sizeof(req));
    aigw_request_init(&req, AIGW_REQUEST_CHAT, 0);

    for (pos = 0; err == AIGW_OK && pos < len; pos += n) {
        n = pieces_len(pos, len, cut);
        copy = pieces_copy(input + pos, n);
        err = aigw_request_feed(&req, copy, n);
        free(copy);
    }

    if (err == AIGW_OK) {
        err = aigw_request_finish(&req);
    }

    if (err != AIGW_OK) {
        pieces_add("%s%s%s", aigw_verdict_info(req.verdict)->code,
                   req.param ? " " : "", req.param ? req.param : "");
        return;
    }

    pieces_add("%.*s%s%s %d %d %d %d", req.model_len, req.model,
               req.stream ? " stream" : "", req.include_usage ? " usage" : "",
               (int) req.max_tokens, (int) req.max_completion_tokens,
               (int) req.n, (int) req.best_of);

    if (aigw_request_usage_splice(&req, splice) == 0) {
        return;
    }

    pos = (size_t) splice[0].offset;
    n = splice[0].blank;
    pieces_add(" %.*s%.*s%*s%s", (int) pos, input, (int) splice[0].text.len,
               splice[0].text.data, (int) n, "", input + pos + n);
}


static void
is(const char *body, const char *want, const char *name)
{
    char  title[256];

    snprintf(title, sizeof(title), "%s: %.80s", name, body);
    pieces_are(run, body, strlen(body), want, title);
}


static void
test_facts(void)
{
    is("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":"
       "\"hi\"}]}", "gpt-4o -1 -1 -1 -1", "a plain request");
    is("{\"messages\":[],\"max_tokens\":5,\"max_completion_tokens\":6,\"n\":2,"
       "\"best_of\":3,\"model\":\"m\"}", "m 5 6 2 3", "limits");
    is("{\"model\":\"m\",\"max_tokens\":null,\"n\":null,\"stream\":null,"
       "\"stream_options\":null,\"max_completion_tokens\":null,"
       "\"best_of\":null}", "m -1 -1 -1 -1", "Q10 null is absent");
    is("{\"model\":\"\\u6a21\\ud83d\\ude00/x:y\"}",
       "\xe6\xa8\xa1\xf0\x9f\x98\x80/x:y -1 -1 -1 -1", "a model's escapes");
    is("{\"model\":\"m\",\"metadata\":{\"model\":\"x\",\"n\":[],\"n\":0},"
       "\"messages\":[{\"model\":1,\"stream\":2}]}", "m -1 -1 -1 -1",
       "A20 J04 nested members");
    is("\r\n { \"model\" : \"m\" } \n", "m -1 -1 -1 -1", "white space");
}


static void
test_json(void)
{
    static const char *const  bodies[] = {
        "", " \n", "null", "[]", "\"x\"", "12", "true", "[{\"model\":\"m\"}]",
        "{", "{\"model\":\"m\"", "{\"model\":\"m", "{\"model\":\"m\",}",
        "{\"model\":\"m\"}{}", "{\"model\":\"m\"} x", "{\"model\":'m'}",
        "\xef\xbb\xbf{\"model\":\"m\"}", "{\"model\":\"\xc0\xaf\"}",
        "{\"model\\u0000\":\"m\"}", "{\"model\":\"m\",\"n\":+1}",
        "{\"model\":\"m\",\"x\":01}", "{\"model\":\"m\",\"n\":NaN}",
        "{\"model\":\"m\"/**/}", "model=m", NULL
    };

    size_t  i, n;
    char    deep[256];

    for (i = 0; bodies[i]; i++) {
        is(bodies[i], "invalid_json", "J07 J09 J11");
    }

    pieces_are(run, "{\"model\":\"m\"}\0", 14, "invalid_json",
               "J07 NUL behind");

    for (i = 63; i < 65; i++) {
        n = (size_t) snprintf(deep, sizeof(deep), "{\"model\":\"m\",\"x\":");
        memset(deep + n, '[', i);
        memset(deep + n + i, ']', i);
        memcpy(deep + n + 2 * i, "}", 2);
        is(deep, i == 63 ? "m -1 -1 -1 -1" : "invalid_json", "J06 depth");
    }
}


static void
test_twice(void)
{
    is("{\"model\":\"a\",\"model\":\"b\"}", "duplicate_parameter model", "J01");
    is("{\"model\":\"b\",\"model\":\"a\"}", "duplicate_parameter model", "J01");
    is("{\"model\":\"a\",\"\\u006d\\u006fdel\":\"b\"}",
       "duplicate_parameter model", "J01 escaped");
    is("{\"model\":\"a\",\"Model\":\"b\"}", "duplicate_parameter model",
       "J01 case");
    is("{\"MODEL\":\"b\",\"model\":\"a\"}", "duplicate_parameter model",
       "J01 case");
    is("{\"model\":\"a\",\"max_to\\u212Aens\":1}",
       "duplicate_parameter max_tokens", "J03 U+212A");
    is("{\"model\":\"a\",\"\xc5\xbftream\":1}", "duplicate_parameter stream",
       "J03 U+017F");
    is("{\"model\":\"a\",\"n\":1,\"n\":1}", "duplicate_parameter n", "J03");
    is("{\"model\":\"a\",\"N\":1}", "duplicate_parameter n", "J03");
    is("{\"max_tokens\":1,\"model\":\"a\",\"max_tokens\":1}",
       "duplicate_parameter max_tokens", "J03");
    is("{\"max_completion_tokens\":1,\"max_completion_tokens\":1}",
       "duplicate_parameter max_completion_tokens", "J03");
    is("{\"stream\":true,\"stream\":true}", "duplicate_parameter stream",
       "J03");
    is("{\"stream_options\":{},\"stream_options\":{}}",
       "duplicate_parameter stream_options", "J03");
    is("{\"stream_options\":{\"include_usage\":true,\"include_usage\":true}}",
       "duplicate_parameter stream_options.include_usage", "J03");
    is("{\"stream_options\":{\"Include_Usage\":true}}",
       "duplicate_parameter stream_options.include_usage", "J03");
    is("{\"best_of\":1,\"best_of\":1}", "duplicate_parameter best_of", "J03");
}


static void
test_model(void)
{
    char  body[256], want[256];

    is("{}", "missing_required_parameter model", "A19 missing");
    is("{\"x\":{\"model\":\"m\"}}", "missing_required_parameter model",
       "A20 nested only");
    is("{\"model\":null}", "invalid_type model", "A19");
    is("{\"model\":[\"m\"]}", "invalid_type model", "A19");
    is("{\"model\":{\"x\":\"m\"}}", "invalid_type model", "A19");
    is("{\"model\":1}", "invalid_type model", "A19");
    is("{\"model\":true}", "invalid_type model", "A19");
    is("{\"model\":\"\"}", "invalid_value model", "A19 empty");
    is("{\"model\":\"a\\nb\"}", "invalid_value model", "A19 control");
    is("{\"model\":\"a\\u0000\"}", "invalid_value model", "A19 control");
    is("{\"model\":\"a\x7f\"}", "invalid_value model", "A19 control");
    is("{\"model\":\"a\\u0085\"}", "invalid_value model", "A19 control");
    is("{\"model\":\"a\xc2\xa0\xc3\x85\"}", "a\xc2\xa0\xc3\x85 -1 -1 -1 -1",
       "no control characters");

    snprintf(body, sizeof(body), "{\"model\":\"%0128d\"}", 0);
    snprintf(want, sizeof(want), "%0128d -1 -1 -1 -1", 0);
    is(body, want, "J30 a model of 128 bytes");
    snprintf(body, sizeof(body), "{\"model\":\"%0129d\"}", 0);
    is(body, "invalid_value model", "J30 a model of 129 bytes");
    snprintf(body, sizeof(body), "{\"model\":\"%0126d\xe4\xbd\xa0\"}", 0);
    is(body, "invalid_value model", "J30 a model of 126 bytes and 3");
}


static void
test_counts(void)
{
    static const char *const  names[] = {
        "max_tokens", "max_completion_tokens", "n", "best_of"
    };
    static const char *const  bad[] = {
        "-1", "0", "-0", "1.5", "2147483648", "9223372036854775808",
        "18446744073709551615", "18446744073686646784", "1e10", "\"5\"", "[]",
        "{}", "true", "false", "1e-1", "1000000001", NULL
    };

    size_t  i, k;
    char    body[128], want[64];

    for (i = 0; i < 4; i++) {
        for (k = 0; bad[k]; k++) {
            snprintf(body, sizeof(body), "{\"model\":\"m\",\"%s\":%s}",
                     names[i], bad[k]);
            snprintf(want, sizeof(want), "invalid_value %s", names[i]);
            is(body, want, "Q10");
        }
    }

    is("{\"model\":\"m\",\"max_tokens\":1000000000,\"n\":128}",
       "m 1000000000 -1 128 -1", "Q10 the most");
    is("{\"model\":\"m\",\"n\":129}", "invalid_value n", "Q10");
    is("{\"model\":\"m\",\"best_of\":129}", "invalid_value best_of", "Q10");
    is("{\"model\":\"m\",\"max_tokens\":1}", "m 1 -1 -1 -1", "Q10 the least");
}


static void
test_stream(void)
{
    static const char *const  bad[] = {
        "1", "\"true\"", "[]", "{}", "0", "\"\"", NULL
    };

    size_t  i;
    char    body[128];

    for (i = 0; bad[i]; i++) {
        snprintf(body, sizeof(body), "{\"model\":\"m\",\"stream\":%s}", bad[i]);
        is(body, "invalid_value stream", "J21");
        snprintf(body, sizeof(body),
                 "{\"stream_options\":{\"include_usage\":%s}}", bad[i]);
        is(body, "invalid_value stream_options.include_usage", "J21");
    }

    is("{\"model\":\"m\",\"stream_options\":[]}",
       "invalid_value stream_options", "J21");
    is("{\"model\":\"m\",\"stream_options\":false}",
       "invalid_value stream_options", "J21");
    is("{\"model\":\"m\",\"stream_options\":\"x\"}",
       "invalid_value stream_options", "J21");

    is("{\"model\":\"m\",\"stream\":false}", "m -1 -1 -1 -1", "no stream");
    is("{\"model\":\"m\",\"stream_options\":{\"include_usage\":true}}",
       "m usage -1 -1 -1 -1", "stream_options without a stream stays");
    is("{\"model\":\"m\",\"stream_options\":{\"include_usage\":false}}",
       "m -1 -1 -1 -1", "stream_options without a stream stays");
}


static void
test_splices(void)
{
    is(" {\"model\":\"m\",\"stream\":true}",
       "m stream -1 -1 -1 -1  {\"stream_options\":{\"include_usage\":true},"
       "\"model\":\"m\",\"stream\":true}", "J20 no stream_options");
    is("{\"stream\":true,\"stream_options\": null,\"model\":\"m\"}",
       "m stream -1 -1 -1 -1 {\"stream\":true,\"stream_options\": "
       "{\"include_usage\":true}    ,\"model\":\"m\"}", "J21 null");
    is("{\"stream\":true,\"stream_options\":{},\"model\":\"m\"}",
       "m stream -1 -1 -1 -1 {\"stream\":true,\"stream_options\":"
       "{\"include_usage\":true},\"model\":\"m\"}", "J20 empty");
    is("{\"stream\":true,\"stream_options\":{ },\"model\":\"m\"}",
       "m stream -1 -1 -1 -1 {\"stream\":true,\"stream_options\":"
       "{\"include_usage\":true },\"model\":\"m\"}", "J20 empty but a blank");
    is("{\"stream\":true,\"stream_options\":{\"x\":{\"include_usage\":1}},"
       "\"model\":\"m\"}",
       "m stream -1 -1 -1 -1 {\"stream\":true,\"stream_options\":"
       "{\"include_usage\":true,\"x\":{\"include_usage\":1}},\"model\":\"m\"}",
       "J20 other members stay");
    is("{\"stream\":true,\"stream_options\":{\"include_usage\":false,\"x\":1},"
       "\"model\":\"m\"}",
       "m stream -1 -1 -1 -1 {\"stream\":true,\"stream_options\":"
       "{\"include_usage\":true     ,\"x\":1},\"model\":\"m\"}", "J21 false");
    is("{\"stream\":true,\"stream_options\":{\"include_usage\": null },"
       "\"model\":\"m\"}",
       "m stream -1 -1 -1 -1 {\"stream\":true,\"stream_options\":"
       "{\"include_usage\": true     },\"model\":\"m\"}", "J21 null inside");
    is("{\"stream\":true,\"stream_options\":{\"include_usage\":true},"
       "\"model\":\"m\"}", "m stream usage -1 -1 -1 -1", "there already");
    is("{\"stream_options\":{},\"model\":\"m\",\"stream\":true}",
       "m stream -1 -1 -1 -1 {\"stream_options\":{\"include_usage\":true},"
       "\"model\":\"m\",\"stream\":true}", "stream last");
}


/* The body with its output limit set to 7. */
static void
run_limit(const char *input, size_t len, long cut)
{
    size_t                  pos = 0, n;
    unsigned                i, count;
    aigw_request_t          req;
    unsigned char          *copy;
    aigw_str_t              number = aigw_str("7");
    aigw_str_t              member = aigw_str("\"max_tokens\":7,");
    aigw_request_splice_t   splice[AIGW_REQUEST_SPLICES];

    aigw_request_init(&req, AIGW_REQUEST_CHAT, 0);

    for (pos = 0; pos < len; pos += n) {
        n = pieces_len(pos, len, cut);
        copy = pieces_copy(input + pos, n);

        if (aigw_request_feed(&req, copy, n) != AIGW_OK) {
            pieces_add("refused");
        }

        free(copy);
    }

    count = aigw_request_usage_splice(&req, splice);
    count += aigw_request_limit_splices(&req, 7, number, member,
                                        &splice[count]);
    aigw_request_sort_splices(splice, count);

    for (pos = 0, i = 0; i < count; i++) {
        pieces_add("%.*s%.*s", (int) (splice[i].offset - pos), input + pos,
                   (int) splice[i].text.len, splice[i].text.data);
        pos = (size_t) splice[i].offset + splice[i].blank;
    }

    pieces_add("%s", input + pos);
}


static void
limited(const char *body, const char *want, const char *name)
{
    pieces_are(run_limit, body, strlen(body), want, name);
}


static void
test_limit(void)
{
    limited("{\"model\":\"m\"}", "{\"max_tokens\":7,\"model\":\"m\"}",
            "Q08 a limit where there was none");
    limited("{\"model\":\"m\",\"max_tokens\": 1e3 }",
            "{\"model\":\"m\",\"max_tokens\": 7 }", "Q08 a lower one");
    limited("{\"max_completion_tokens\":8,\"model\":\"m\"}",
            "{\"max_completion_tokens\":7,\"model\":\"m\"}",
            "Q08 in its own member");
    limited("{\"max_tokens\":null,\"model\":\"m\"}",
            "{\"max_tokens\":7,\"model\":\"m\"}", "Q08 in place of null");
    limited("{\"max_tokens\":3,\"max_completion_tokens\":9,\"model\":\"m\"}",
            "{\"max_tokens\":3,\"max_completion_tokens\":7,\"model\":\"m\"}",
            "Q08 what is lower is not raised");
    limited("{\"max_tokens\":null,\"max_completion_tokens\":9,"
            "\"model\":\"m\"}",
            "{\"max_tokens\":null,\"max_completion_tokens\":7,"
            "\"model\":\"m\"}", "Q08 nor is null beside it");
    limited("{\"stream\":true,\"max_tokens\":9,\"model\":\"m\"}",
            "{\"stream_options\":{\"include_usage\":true},\"stream\":true,"
            "\"max_tokens\":7,\"model\":\"m\"}", "Q08 beside include_usage");
}


int
main(void)
{
    test_facts();
    test_json();
    test_twice();
    test_model();
    test_counts();
    test_stream();
    test_splices();

    test_limit();

    return done();
}
