/*
 * The meter, for JSON and for streams, hiding on and off. For any split: the
 * same facts and the same bytes. Hiding changes no fact and takes out whole
 * events; what has passed it passes it again; without it every byte passes.
 */

#include "aigw.h"
#include "aigw_usage.h"
#include "fuzz.h"


/* Of the input in hand: what its first run learns the next ones use. */
static aigw_usage_shapes_t  shapes;


/* mode */
#define M_JSON  1
#define M_LONG  2                      /* an event near the limit of holding */

#define LONG  (AIGW_USAGE_HOLD_MAX - 200)


/* A caller that does with the pieces what the module does. */
typedef struct {
    aigw_usage_meter_t  m;
    aigw_usage_piece_t  piece;
    unsigned char       held[AIGW_USAGE_HOLD_MAX];
    size_t              held_len;
    unsigned char       passed[2 * FUZZ_PIECE];
    size_t              passed_len;
} caller_t;


static void
pass(caller_t *c, const unsigned char *data, size_t len)
{
    fuzz_check(c->passed_len + len <= sizeof(c->passed), "no byte twice");
    memcpy(c->passed + c->passed_len, data, len);
    c->passed_len += len;
}


static void
settle_held(caller_t *c)
{
    fuzz_check(!c->piece.release || !c->piece.drop, "one fate");

    if (c->piece.release) {
        pass(c, c->held, c->held_len);
    }

    if (c->piece.release || c->piece.drop) {
        c->held_len = 0;
    }
}


static void
feed(caller_t *c, const unsigned char *data, size_t n)
{
    unsigned char       *piece = fuzz_open(data, n);
    aigw_usage_piece_t  *p = &c->piece;

    aigw_usage_feed(&c->m, piece, n, p);
    settle_held(c);
    pass(c, piece, p->keep);

    fuzz_check(c->held_len + p->hold <= AIGW_USAGE_HOLD_MAX, "8 KiB at most");
    memcpy(c->held + c->held_len, piece + n - p->hold, p->hold);
    c->held_len += p->hold;
    fuzz_close(piece, n);
}


static void
meter(caller_t *c, const fuzz_cut_t *cut, int hide, const unsigned char *doc,
    size_t len)
{
    size_t    pos, n;
    unsigned  i = 0;

    static unsigned char  line[LONG];

    memset(c, 0xa5, sizeof(c->m));
    c->passed_len = 0;
    c->held_len = 0;
    aigw_usage_init(&c->m, cut->mode & M_JSON ? AIGW_USAGE_JSON
                                              : AIGW_USAGE_SSE, hide, &shapes);

    if (cut->mode & M_LONG) {
        memset(line, 'x', sizeof(line) - 1);
        line[sizeof(line) - 1] = '\n';
        feed(c, line, sizeof(line));
    }

    for (pos = 0; pos < len; pos += n) {
        n = fuzz_len(cut, i++, len - pos);
        feed(c, doc + pos, n);
    }

    aigw_usage_finish(&c->m, &c->piece);
    settle_held(c);
    fuzz_check(c->held_len == 0, "nothing stays behind");
}


static void
add_facts(const aigw_usage_meter_t *m)
{
    fuzz_add_int(m->seen);

    if (m->seen) {
        fuzz_add(&m->tokens, sizeof(m->tokens));
        fuzz_check(m->tokens.cached_tokens <= m->tokens.prompt_tokens
                   && m->tokens.reasoning_tokens
                      <= m->tokens.completion_tokens, "a part is a part");
    }

    fuzz_add_int(m->flags);
    fuzz_add_int((int64_t) m->text_bytes);
    fuzz_add_int((int64_t) m->events);
    fuzz_add_int(m->error << 2 | m->done << 1 | m->malformed);
}


/* The length of the line at p with its end. */
static size_t
line_len(const unsigned char *p, const unsigned char *end)
{
    size_t  i = 0, n = (size_t) (end - p);

    while (i < n && p[i] != '\r' && p[i] != '\n') {
        i++;
    }

    return i + (i < n) + (i + 1 < n && p[i] == '\r' && p[i + 1] == '\n');
}


/* That of what passes or not as a whole: a BOM, a comment before an event, or
   the lines to a blank one. */
static size_t
unit_len(const unsigned char *p, const unsigned char *end, int first)
{
    size_t  len = 0, line;

    if (first && end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        return 3;
    }

    do {
        line = line_len(p + len, end);

        if (len == 0 && p[0] == ':') {
            return line;
        }

        len += line;
    } while (p + len < end && p[len - line] != '\r' && p[len - line] != '\n');

    return len;
}


/* Is out what is left of all if whole events are taken away, among them none
   without usage? */
static int
is_rest(const unsigned char *all, size_t all_len, const unsigned char *out,
    size_t len)
{
    size_t                n, pos;
    const unsigned char  *end = all + all_len;

    for (pos = 0; all < end; all += n) {
        n = unit_len(all, end, all_len == (size_t) (end - all));

        if (len - pos >= n && memcmp(out + pos, all, n) == 0) {
            pos += n;

        } else if (n > AIGW_USAGE_HOLD_MAX || memchr(all, '{', n) == NULL) {
            return 0;
        }
    }

    return pos == len;
}


static int
has_bom(const unsigned char *data, size_t len)
{
    return len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
}


static int
has_moved_bom(const caller_t *hide, const unsigned char *doc, size_t len)
{
    return has_bom(hide->passed, hide->passed_len) && !has_bom(doc, len);
}


static void
run(const fuzz_cut_t *cut, const unsigned char *doc, size_t len)
{
    static caller_t  open, hide, again;

    size_t  facts, extra = cut->mode & M_LONG ? LONG : 0;

    meter(&open, cut, 0, doc, len);
    fuzz_check(open.passed_len == extra + len
               && memcmp(open.passed + extra, doc, len) == 0, "every byte");
    add_facts(&open.m);
    facts = fuzz_used;

    if (cut->mode & M_JSON) {
        return;
    }

    meter(&hide, cut, 1, doc, len);
    add_facts(&hide.m);
    fuzz_check(fuzz_used == 2 * facts
               && memcmp(fuzz_log, fuzz_log + facts, facts) == 0,
               "hiding changes no fact");
    fuzz_add(hide.passed, hide.passed_len);
    fuzz_check(is_rest(open.passed, open.passed_len, hide.passed,
                       hide.passed_len), "whole events are hidden");

    /* but for a byte order mark that hiding has moved to the front, where it
       means something else */
    if (cut->len[0] == FUZZ_PIECE && !has_moved_bom(&hide, doc, len)) {
        fuzz_cut_t  plain = { 0, { FUZZ_PIECE, FUZZ_PIECE, FUZZ_PIECE } };

        meter(&again, &plain, 1, hide.passed, hide.passed_len);
        fuzz_check(again.passed_len == hide.passed_len
                   && memcmp(again.passed, hide.passed, hide.passed_len) == 0,
                   "what has passed passes again");
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&shapes, 0, sizeof(shapes));

    return size > FUZZ_PIECE / 2 ? 0 : fuzz_same(run, data, size);
}
