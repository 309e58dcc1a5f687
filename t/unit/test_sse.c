/*
 * The splitter of event streams: WHATWG's rules in whatever pieces a stream
 * comes. Threats J13 to J18, J27.
 */

#include "aigw_sse.h"
#include "pieces.h"


#define LEN(literal)  literal, sizeof(literal) - 1


/* The event in hand, and the bytes of each type of item. */
static char    data[4096], name[32];
static size_t  used, bytes[AIGW_SSE_LF + 1];


static void
take(const aigw_sse_item_t *item)
{
    switch (item->type) {

    case AIGW_SSE_DATA:
        memcpy(data + used, item->text.data, item->text.len);
        used += item->text.len;
        break;

    case AIGW_SSE_EVENT:
        snprintf(name, sizeof(name), "%.*s", (int) item->text.len,
                 item->text.data);
        break;

    case AIGW_SSE_ERROR:
        pieces_add("!");
        break;

    case AIGW_SSE_END:
        if (item->data) {
            pieces_add("%s[%.*s]", name, (int) used, data);
        }

        used = 0;
        name[0] = '\0';
        break;

    default:
        break;
    }
}


static void
take_all(aigw_sse_t *sse, const unsigned char *piece, size_t len)
{
    size_t           pos, n;
    aigw_sse_item_t  item;

    for (pos = 0; pos < len; pos += n) {
        n = aigw_sse_next(sse, piece + pos, len - pos, &item);

        if (n == 0 || n > len - pos) {
            pieces_add("step %d", (int) n);
            return;
        }

        bytes[item.type] += n;
        take(&item);
    }
}


/* Logs each event as name[data], ERROR as !, what is pending at the end as
   name[data]..., and how many bytes were of comments, late LFs and the BOM. */
static void
run(const char *input, size_t len, long cut)
{
    size_t          pos, n;
    aigw_sse_t      sse;
    unsigned char  *copy;

    used = 0;
    name[0] = '\0';
    memset(bytes, 0, sizeof(bytes));
    memset(&sse, 0xa5, sizeof(sse));
    aigw_sse_init(&sse);

    for (pos = 0; pos < len; pos += n) {
        n = pieces_len(pos, len, cut);
        copy = pieces_copy(input + pos, n);
        take_all(&sse, copy, n);
        free(copy);
    }

    if (aigw_sse_pending(&sse)) {
        pieces_add("%s[%.*s]...", name, (int) used, data);
    }

    if (bytes[AIGW_SSE_COMMENT]) {
        pieces_add(" comments %d", (int) bytes[AIGW_SSE_COMMENT]);
    }

    if (bytes[AIGW_SSE_LF]) {
        pieces_add(" lf %d", (int) bytes[AIGW_SSE_LF]);
    }

    if (bytes[AIGW_SSE_BOM]) {
        pieces_add(" bom");
    }
}


static void
are(const char *input, size_t len, const char *want, const char *title)
{
    pieces_are(run, input, len, want, title);
}


static void
test_lines(void)
{
    are(LEN("data: a\n\ndata: b\n\n"), "[a][b]", "J13 LF");
    are(LEN("data: a\r\n\r\ndata: b\r\n\r\n"), "[a][b] lf 4", "J13 CRLF");
    are(LEN("data: a\r\rdata: b\r\r"), "[a][b]", "J13 CR");
    are(LEN("data: a\r\n\ndata: b\r\r\ndata: c\n\r\n"), "[a][b][c] lf 3",
        "J13 mixed");
    are(LEN("\n\r\n\rdata: a\n\n\n\ndata: b\n\n"), "[a][b] lf 1",
        "20: blank lines between events");
    are(LEN(""), "", "nothing");
    are(LEN("\n\n"), "", "blank lines alone");
}


static void
test_fields(void)
{
    are(LEN("data:a\n\n"), "[a]", "J14 no space");
    are(LEN("data:  a \n\n"), "[ a ]", "J14 two spaces: one is removed");
    are(LEN("data:\ta\n\n"), "[\ta]", "J14 a tab stays");
    are(LEN("data\n\n"), "[]", "J14 data without a colon");
    are(LEN("data:\n\n"), "[]", "J14 empty data");
    are(LEN("data: \n\n"), "[]", "J14 a space alone");
    are(LEN("data:a:b: c\n\n"), "[a:b: c]", "colons in data");
    are(LEN(":\n: c\n:c\ndata: a\n: in between\ndata: b\n\n"),
        "[a\nb] comments 22", "J14 comments");
    are(LEN(": c\r\n\r\n"), " comments 4 lf 2", "a comment with CRLF");
    are(LEN("id: 1\nretry: 10\nfoo: data\ndatax: a\ndat: a\nDATA: a\n data: a"
            "\n\n"), "", "J14 other fields");
    are(LEN("event: ping\n\n"), "", "4: an event without data");
    are(LEN("event: error\ndata: a\n\ndata: b\n\n"), "error[a][b]",
        "an event's name does not last");
    are(LEN("event: a\nevent:b\ndata: x\n\n"), "b[x]", "the last name counts");
    are(LEN("event: a\nevent\ndata: x\n\n"), "[x]", "a name without a colon");
    are(LEN("event: 0123456789abcdef\ndata: x\n\n"), "0123456789abcde[x]",
        "J30 a long name is cut");
    are(LEN("event: error          x\ndata: x\n\n"), "error          [x]",
        "what begins as a name does is not that name");
    are(LEN("data: a\ndata\ndata: b\ndata:c\n\n"), "[a\n\nb\nc]",
        "J15 several lines of data");
    are(LEN("data: a\nid: 3\ndata: b\n\n"), "[a\nb]",
        "J15 another field between them");
    are(LEN("data: \xe4\xbd\xa0\xf0\x9f\x98\x80\n\n"),
        "[\xe4\xbd\xa0\xf0\x9f\x98\x80]", "24: inside of characters");
    are(LEN("0123456789abcdef0123: x\n0123456789abcde\ndata: a\n\n"), "[a]",
        "J30 long names of fields");
    are(LEN("data: 0123456789abcdef0123456789abcde\rdata: 0123456789abcdef\n"
            "\n"), "[0123456789abcdef0123456789abcde\n0123456789abcdef]",
        "J30 line ends about a block of 16 bytes");
}


static void
test_ends(void)
{
    are(LEN("\xef\xbb\xbf""data: a\n\n"), "[a] bom", "J17 BOM");
    are(LEN("\xef\xbb\xbf\xef\xbb\xbf""data: a\n\n"), " bom",
        "J17 only one of them");
    are(LEN("\xef\xbb""data: a\n\ndata: b\n\n"), "[b]", "no BOM");
    are(LEN("\xef\n\xef\xbb\xbf\ndata: b\n\n"), "[b]", "no BOM, either");
    are(LEN("\n\xef\xbb\xbf""data: a\n\n"), "", "J17 not later");
    are(LEN("data: a"), "[a]...", "J18 no line end");
    are(LEN("data: a\n"), "[a]...", "J18 no blank line");
    are(LEN("data: a\r"), "[a]...", "J18 no blank line after CR");
    are(LEN("data: a\n\ndat"), "[a]", "half a field");
    are(LEN("data: a\n\n: c"), "[a] comments 3", "a comment at the end");
}


static void
test_errors(void)
{
    are(LEN("data: a\n\n{\"error\":{\"message\":\"x\"}}"), "[a]!",
        "25: a bare error");
    are(LEN("{\"type\":\"error\",\"error\":{}}\n\ndata: a\n\n"), "![a]",
        "25: a bare error with a type");
    are(LEN("{\"errors\":1}\n{\"type\":\"errors\"}\n{\"type\":\"x\"}\n{\n{}\n"),
        "", "bare lines that are none");
    are(LEN("x{\"error\":1}\n {\"error\":1}\n"), "", "not at a line's start");
    are(LEN("data: {\"error\":1}\n\n"), "[{\"error\":1}]", "not in data");
}


/* J27: one line of 64 MB, and a million of events in one buffer: linear. */
static void
test_big(void)
{
    size_t            i, pos, n = 64 * 1024 * 1024, events = 0, got = 0;
    char              end;
    char             *buf = malloc(n);
    aigw_sse_t        sse;
    aigw_sse_item_t   item;

    for (end = '\n'; end; end = end == '\n' ? '\r' : '\0') {
        for (i = 0; i < 1000000; i++) {
            memcpy(buf + i * 10, "data: abc", 8);
            buf[i * 10 + 8] = buf[i * 10 + 9] = end;
        }

        aigw_sse_init(&sse);

        for (pos = 0, events = 0; pos < i * 10; ) {
            pos += aigw_sse_next(&sse, (unsigned char *) buf + pos,
                                 i * 10 - pos, &item);
            events += item.type == AIGW_SSE_END;
        }

        is_int((int64_t) events, 1000000, "J27 a million of tiny events");
    }

    memset(buf, 'x', n);
    memcpy(buf, "data:", 5);
    aigw_sse_init(&sse);

    for (pos = 0; pos < n; ) {
        pos += aigw_sse_next(&sse, (unsigned char *) buf + pos,
                             n - pos < 4096 ? n - pos : 4096, &item);
        got += item.text.len;
    }

    is_int((int64_t) got, (int64_t) n - 5, "J27 a line of 64 MB");
    ok(sizeof(sse) <= 32, "in %d bytes of state", (int) sizeof(sse));
    free(buf);
}


int
main(void)
{
    test_lines();
    test_fields();
    test_ends();
    test_errors();
    test_big();

    return done();
}
