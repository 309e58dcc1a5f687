/*
 * The splitter of event streams: the same data, names and ends for any split,
 * and the same as a plain reader of lines sees.
 */

#include "aigw.h"
#include "aigw_sse.h"
#include "fuzz.h"


/* --- the plain reader --- */

static int
starts(const unsigned char *line, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(line, text, strlen(text)) == 0;
}


/* One line; whole: its end is there. data: the event has such a line. */
static void
read_line(const unsigned char *line, size_t len, int whole, int *data)
{
    size_t                name = 0, value;
    const unsigned char  *colon = len ? memchr(line, ':', len) : NULL;

    if (len == 0) {
        if (whole) {
            fuzz_add(*data ? "!" : ".", 1);
            *data = 0;
        }

        return;
    }

    if (line[0] == '{') {
        if (starts(line, len, "{\"error\"")
            || starts(line, len, "{\"type\":\"error\""))
        {
            fuzz_add("?", 1);
        }

        return;
    }

    if (colon == NULL && !whole) {
        return;
    }

    name = colon ? (size_t) (colon - line) : len;
    value = colon ? name + 1 : len;
    value += value < len && line[value] == ' ';

    if (name == 4 && starts(line, name, "data")) {
        fuzz_add("\n", *data ? 1 : 0);
        fuzz_add(line + value, len - value);
        *data = 1;

    } else if (name == 5 && starts(line, name, "event") && whole) {
        len = len - value < AIGW_SSE_WORD_MAX ? len - value
                                              : AIGW_SSE_WORD_MAX;
        fuzz_add("=", 1);
        fuzz_add(line + value, len);
    }
}


static void
read_stream(const unsigned char *doc, size_t len)
{
    int     data = 0;
    size_t  i, start = starts(doc, len, "\xef\xbb\xbf") ? 3 : 0;

    for (i = start; i < len; i++) {
        if (doc[i] == '\r' || doc[i] == '\n') {
            read_line(doc + start, i - start, 1, &data);
            i += doc[i] == '\r' && i + 1 < len && doc[i + 1] == '\n';
            start = i + 1;
        }
    }

    read_line(doc + start, len - start, 0, &data);
    fuzz_add_int(data);
}


/* --- the splitter --- */

static void
saw(const aigw_sse_item_t *item)
{
    switch (item->type) {

    case AIGW_SSE_DATA:
        fuzz_add(item->text.data, item->text.len);
        break;

    case AIGW_SSE_EVENT:
        fuzz_add("=", 1);
        fuzz_add(item->text.data, item->text.len);
        break;

    case AIGW_SSE_ERROR:
        fuzz_add("?", 1);
        break;

    case AIGW_SSE_END:
        fuzz_add(item->data ? "!" : ".", 1);
        break;

    default:
        break;
    }
}


static void
run(const fuzz_cut_t *cut, const unsigned char *doc, size_t len)
{
    static unsigned char  want[FUZZ_LOG];

    size_t            n, at, used, pos;
    unsigned          i = 0;
    aigw_sse_t        sse;
    unsigned char    *piece;
    aigw_sse_item_t   item;

    read_stream(doc, len);
    used = fuzz_used;
    memcpy(want, fuzz_log, used);
    fuzz_used = 0;

    memset(&sse, 0xa5, sizeof(sse));
    aigw_sse_init(&sse);

    for (pos = 0; pos < len; pos += n) {
        n = fuzz_len(cut, i++, len - pos);
        piece = fuzz_open(doc + pos, n);

        for (at = 0; at < n; ) {
            size_t  step = aigw_sse_next(&sse, piece + at, n - at, &item);

            fuzz_check(step >= 1 && step <= n - at, "a step forward");
            saw(&item);
            at += step;
        }

        fuzz_close(piece, n);
    }

    fuzz_add_int(aigw_sse_pending(&sse));
    fuzz_check(used == fuzz_used && memcmp(want, fuzz_log, used) == 0,
               "what the plain reader sees");
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_same(run, data, size);
}
