/*
 * A meter at work: chunks to feed it, and a caller that does with the pieces
 * what the module does.
 */

#ifndef AIGW_METER_H
#define AIGW_METER_H

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

/* How chunks begin alike. */
#define HEAD  "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat."       \
              "completion.chunk\",\"created\":1796082425,"

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

    /* what one run has learned the next one uses: they are the same */
    static aigw_usage_shapes_t  shapes;

    passed_len = 0;
    memset(m, 0xa5, sizeof(*m));
    aigw_usage_init(m, kind, hide, &shapes);

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

#endif /* AIGW_METER_H */
