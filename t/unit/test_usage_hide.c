/*
 * The chunk that the gateway asked for and the client did not: it is hidden,
 * every other byte passes, in whatever pieces a stream comes, and nothing is
 * held that need not be. Threats J12, J13, J20, J27.
 */

#include "meter.h"


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
    static const char *const  one_event[] = {
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
        E("x"), "data:\n\n", "data\n\n", "data: ",
        "data: {\"choices\":[],\"usage\":{", NULL
    };
    static const char *const  no_event[] = {
        "id: 1\n\n", "retry: 1\n\nid: 2\n\n", "\n\n\n", ": c", ": c\n", "id",
        "id: 1\n", "data", "foo\r\n\r\n", "\xef\xbb",
        "\xef\xbb" "data: {}\n\n", "{\"choices\":[],\"usage\":{}}\n\n",
        "id: 1\n: c\nretry: 2\n\n", NULL
    };

    size_t  i;

    for (i = 0; one_event[i]; i++) {
        is_hidden(one_event[i], "none 1 0", one_event[i], "passes");
    }

    for (i = 0; no_event[i]; i++) {
        is_hidden(no_event[i], "none 0 0", no_event[i], "passes: no event");
    }

    is_hidden(E("{\"error\":{},\"choices\":[],\"usage\":{}}"),
              "none error 1 0", E("{\"error\":{},\"choices\":[],\"usage\":{}}"),
              "an error is not hidden");
    is_hidden("event: error\n" E("{\"choices\":[],\"usage\":{}}"),
              "none error 1 0",
              "event: error\n" E("{\"choices\":[],\"usage\":{}}"),
              "an event: error is not hidden");
}


/* What is known of the beginning of a chunk counts for hiding it, too. */
static void
test_alike(void)
{
#define EMPTY(rest)   E(HEAD "\"choices\":[]," rest "}")
#define CHOICE(rest)  E(HEAD "\"choices\":[{\"index\":0}]," rest "}")
#define OBJECT(rest)  E(HEAD "\"choices\":{}," rest "}")

    is_hidden(EMPTY("\"a\":1") EMPTY("\"b\":1") EMPTY("\"usage\":{}")
              EMPTY("\"b\":2") EMPTY("\"usage\":{\"prompt_tokens\":3}"),
              "3+0/0/0/0 5 0", EMPTY("\"a\":1") EMPTY("\"b\":1")
              EMPTY("\"b\":2"), "J20 no choices in what is alike");
    is_hidden(CHOICE("\"a\":1") CHOICE("\"b\":1") CHOICE("\"usage\":{}")
              EMPTY("\"usage\":{}"), "none 4 0", CHOICE("\"a\":1")
              CHOICE("\"b\":1") CHOICE("\"usage\":{}"),
              "J20 a choice in what is alike");
    is_hidden(OBJECT("\"a\":1") OBJECT("\"b\":1") OBJECT("\"usage\":{}")
              EMPTY("\"usage\":{}"), "none 4 0", OBJECT("\"a\":1")
              OBJECT("\"b\":1") OBJECT("\"usage\":{}"),
              "J20 choices that are no array in what is alike");
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
            aigw_usage_init(&m, AIGW_USAGE_SSE, 1, NULL);
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

    aigw_usage_init(&m, AIGW_USAGE_SSE, 1, NULL);
    memcpy(data, first, sizeof(first) - 1);
    aigw_usage_feed(&m, data, sizeof(first) - 1, &piece);
    ok(piece.keep == sizeof(first) - 1 && piece.hold == 0,
       "a chunk passes from its first choice on");

    aigw_usage_init(&m, AIGW_USAGE_SSE, 1, NULL);
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
    static const long  over[] = { -1, 0, 1, 1000 };

    size_t              i, len, head, most;
    long                cut;
    int                 hidden;
    char               *input = malloc(3 * AIGW_USAGE_HOLD_MAX);
    aigw_usage_meter_t  m;

    kind = AIGW_USAGE_SSE;
    hide = 1;

    for (i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
        len = (size_t) (AIGW_USAGE_HOLD_MAX + over[i]);
        head = (size_t) snprintf(input, AIGW_USAGE_HOLD_MAX,
                                 "data: {\"choices\":[],\"usage\":{},\"x\":\"");
        memset(input + head, 'x', len - head);
        memcpy(input + len - 4, "\"}\n\n", 4);

        for (cut = -1; cut < (long) len; cut += cut < 0 ? 1 : 4000) {
            most = meter(&m, input, len, cut);
            hidden = passed_len == 0;
            ok(hidden == (over[i] <= 0) && (hidden || passed_len == len)
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
    static const char  head[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"";
    static const char  tail[] = "\"}}]}\n\n" E(CU);

    size_t              pos, n, kept = 0, held = 0, len = 64 * 1024 * 1024;
    unsigned char      *data = malloc(len);
    aigw_usage_meter_t  m;
    aigw_usage_piece_t  piece;

    memset(data, 'A', len);
    memcpy(data, head, sizeof(head) - 1);
    memcpy(data + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
    aigw_usage_init(&m, AIGW_USAGE_SSE, 1, NULL);

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

    aigw_usage_init(&m, AIGW_USAGE_SSE, 1, NULL);
    aigw_usage_feed(&m, data, pos, &piece);
    ok(m.events == 1000000 && piece.keep == pos && piece.hold == 0,
       "J27 a million of events in one buffer");
    ok(sizeof(m) < 1024, "a meter has %d bytes", (int) sizeof(m));

    free(data);
}


int
main(void)
{
    test_hiding();
    test_not_hidden();
    test_alike();
    test_three();
    test_delay();
    test_hold();
    test_big();

    return done();
}
