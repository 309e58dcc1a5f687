/* Private to the files of the scanner: grammar, tokens, watched tree, text. */

#ifndef AIGW_JSON_INTERNAL_H
#define AIGW_JSON_INTERNAL_H

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "aigw.h"
#include "aigw_json.h"


/* aigw_json_t.state. Up to S_DONE: structure; from S_NUMBER on: a number. */
enum {
    S_VALUE = 0, S_ELEMENT, S_MEMBER, S_NAME, S_COLON, S_NEXT, S_DONE,
    S_STRING, S_WORD,
    S_NUMBER, S_MINUS, S_ZERO, S_INT, S_DOT, S_FRACTION, S_EXP, S_SIGN,
    S_POWER, S_MAX
};


/* One call of aigw_json_feed: the bytes from p on are still to be scanned. */
typedef struct {
    aigw_json_t          *json;
    const unsigned char  *data;
    const unsigned char  *p;
    const unsigned char  *end;
    void                 *ctx;
    aigw_err_t            err;         /* why aigw_json_token_run stopped */
} aigw_json_scan_t;


/* Where a byte of the buffer stands in the document. */
static inline uint64_t
aigw_json_offset(const aigw_json_scan_t *s, const unsigned char *p)
{
    return s->json->offset + (uint64_t) (p - s->data);
}


/* Not for other libraries: calls need no detour by the linker's table. */
#pragma GCC visibility push(hidden)


/* --- aigw_json_watch.c --- */

/* Is the innermost container a watched one? */
static inline int
aigw_json_watch_here(const aigw_json_t *json)
{
    return json->depth == json->watched;
}


/* The innermost watched container; there is one. */
static inline const aigw_json_level_t *
aigw_json_watch_level(const aigw_json_t *json)
{
    return &json->path[json->watched - 1];
}


/* Is a value of this node, not NULL, an element of its array? These are not
   reported. */
static inline int
aigw_json_watch_is_element(const aigw_json_t *json,
    const aigw_json_node_t *node)
{
    return json->watched && node == aigw_json_watch_level(json)->node;
}


/* The node of the value in hand, if it is to be reported. */
static inline const aigw_json_node_t *
aigw_json_watch_wanted(const aigw_json_t *json)
{
    return json->node == NULL || aigw_json_watch_is_element(json, json->node)
           ? NULL : json->node;
}


/* What json->inner is for a level. */
static inline const aigw_json_node_t *
aigw_json_watch_inner(const aigw_json_level_t *level, int object)
{
    const aigw_json_node_t  *node = level->node;
    const uint32_t           each = node->flags & AIGW_JSON_EACH;

    if (object) {
        return node->count && !each == !level->element ? node : NULL;
    }

    return level->element ? NULL : each ? node
           : (node->flags & AIGW_JSON_ITEMS) ? node->members : NULL;
}


/* A comma: the node of the next value, as far as it is known yet. */
static inline void
aigw_json_watch_comma(aigw_json_t *json)
{
    if (aigw_json_watch_here(json)) {
        json->node = (json->kinds & 1) ? NULL : json->inner;
    }
}


/* Is the name in hand to be compared with those watched? */
static inline int
aigw_json_watch_names(const aigw_json_t *json)
{
    return aigw_json_watch_here(json) && json->inner != NULL;
}


/* Tells the handler of a container. */
aigw_err_t aigw_json_watch_tell(aigw_json_scan_t *s,
    const aigw_json_node_t *node, aigw_json_event_t event) AIGW_CHECKED;

/* The same, if it wants to know. */
static inline aigw_err_t
aigw_json_watch_report(aigw_json_scan_t *s, const aigw_json_node_t *node,
    aigw_json_event_t event)
{
    if (node->flags & AIGW_JSON_NO_BEGIN << (event - AIGW_JSON_BEGIN)) {
        return AIGW_OK;
    }

    return aigw_json_watch_tell(s, node, event);
}


/* A container has been entered at p whose node is not NULL: makes it a watched
   one. */
static inline aigw_err_t
aigw_json_watch_open(aigw_json_scan_t *s, const unsigned char *p, int object)
{
    aigw_json_t             *json = s->json;
    const aigw_json_node_t  *node = json->node;
    aigw_json_level_t       *level = &json->path[json->watched];
    int                      element = aigw_json_watch_is_element(json, node);

    json->node = NULL;
    json->start = aigw_json_offset(s, p);

    if (json->watched < AIGW_JSON_PATH_MAX) {
        level->node = node;
        level->seen = 0;
        level->element = element != 0;
        json->watched++;
        json->inner = aigw_json_watch_inner(level, object);
        json->node = object ? NULL : json->inner;
    }

    return element ? AIGW_OK
                   : aigw_json_watch_report(s, node, AIGW_JSON_BEGIN);
}


/* The innermost container, a watched one, is left: tells of it. */
static inline aigw_err_t
aigw_json_watch_close(aigw_json_scan_t *s)
{
    const aigw_json_level_t  *level = aigw_json_watch_level(s->json);

    return level->element ? AIGW_OK
           : aigw_json_watch_report(s, level->node, AIGW_JSON_END);
}


/* It has been left; json->kinds is about the one around it. */
static inline void
aigw_json_watch_back(aigw_json_t *json)
{
    json->watched--;
    json->inner = json->watched == 0 ? NULL
                  : aigw_json_watch_inner(aigw_json_watch_level(json),
                                          json->kinds & 1);
}


/* There is something in the innermost container, if that is a watched one. */
static inline aigw_err_t
aigw_json_watch_first(aigw_json_scan_t *s)
{
    const aigw_json_level_t  *level;

    if (!aigw_json_watch_here(s->json)) {
        return AIGW_OK;
    }

    level = aigw_json_watch_level(s->json);

    return level->element ? AIGW_OK
           : aigw_json_watch_report(s, level->node, AIGW_JSON_FIRST);
}


/* The scalar in hand, node's, ends before s->p. What is over
   AIGW_JSON_TEXT_MAX of its text is cut; cut: some is already. */
aigw_err_t aigw_json_watch_scalar(aigw_json_scan_t *s,
    const aigw_json_node_t *node, aigw_json_type_t type, aigw_str_t text,
    int cut) AIGW_CHECKED;

/* Under AIGW_JSON_ONCE: refuses what another reader may take for the member
   i, or for any if i is their number. */
aigw_err_t aigw_json_watch_once(aigw_json_t *json, aigw_str_t text,
    unsigned i) AIGW_CHECKED;

static inline int
aigw_json_watch_same4(const char *a, const char *b)
{
    uint32_t  x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));

    return x == y;
}


static inline int
aigw_json_watch_same8(const char *a, const char *b)
{
    uint64_t  x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));

    return x == y;
}


/* Two short texts of the same length: by words, of which the last may overlap
   the one before. */
static inline int
aigw_json_watch_same(const char *a, const char *b, size_t len)
{
    size_t  i;

    if (len >= 8) {
        for (i = 0; i + 8 < len; i += 8) {
            if (!aigw_json_watch_same8(a + i, b + i)) {
                return 0;
            }
        }

        return aigw_json_watch_same8(a + len - 8, b + len - 8);
    }

    if (len >= 4) {
        return aigw_json_watch_same4(a, b)
               && aigw_json_watch_same4(a + len - 4, b + len - 4);
    }

    for ( ; len && *a == *b; len--) {
        a++;
        b++;
    }

    return len == 0;
}


/* A name for aigw_json_watch_names is complete: finds the node of its
   value. */
static inline aigw_err_t
aigw_json_watch_name(aigw_json_t *json, aigw_str_t text)
{
    const aigw_json_node_t  *owner = json->inner;
    const aigw_json_node_t  *node = owner->members;
    const aigw_json_node_t  *last = node + owner->count;

    while (node < last
           && (node->name.len != text.len
               || !aigw_json_watch_same(node->name.data, text.data, text.len)))
    {
        node++;
    }

    json->node = node < last ? node : NULL;

    return json->schema->policy == AIGW_JSON_LAST_COUNTS
           ? AIGW_OK
           : aigw_json_watch_once(json, text,
                                  (unsigned) (node - owner->members));
}


/* --- aigw_json_token.c --- */

/* A value begins at s->p. */
static inline aigw_err_t
aigw_json_token_begin(aigw_json_scan_t *s)
{
    s->json->start = aigw_json_offset(s, s->p);

    return s->json->state == S_ELEMENT ? aigw_json_watch_first(s) : AIGW_OK;
}


/* An object or array opens at s->p, or the innermost closes there. */
aigw_err_t aigw_json_token_open(aigw_json_scan_t *s, int object)
    AIGW_CHECKED;
aigw_err_t aigw_json_token_close(aigw_json_scan_t *s) AIGW_CHECKED;

/* Passes all tokens that are whole in the buffer. AIGW_OK: the bytes are used
   up. AIGW_AGAIN: the rest is for the states. */
aigw_err_t aigw_json_token_run(aigw_json_scan_t *s) AIGW_CHECKED;


/* --- aigw_json_text.c --- */

#ifdef __SSE2__

/* The top bit of each byte says: a quote, backslash, control character or part
   of a longer character. A quote with its bit 1 turned is a space, the least
   of what else is plain. */
static inline __m128i
aigw_json_text_stops(const unsigned char *p)
{
    __m128i  v = _mm_loadu_si128((const __m128i *) (const void *) p);
    __m128i  low = _mm_sub_epi8(_mm_xor_si128(v, _mm_set1_epi8(2)),
                                _mm_set1_epi8(' ' + 1));

    return _mm_or_si128(_mm_or_si128(low, v),
                        _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
}

#endif


/* Skips what needs no look: all but the above. */
const unsigned char *aigw_json_text_plain(const unsigned char *p,
    const unsigned char *end);

/* The same for most texts, which are short: gives up after 32 bytes. */
static inline const unsigned char *
aigw_json_text_short(const aigw_json_scan_t *s, const unsigned char *p)
{
#ifdef __SSE2__
    unsigned   mask, i;
    ptrdiff_t  left;

    for (i = 0; i < 2; i++) {
        left = s->end - p;

        if (left < 16) {
            /* the last 16 of the buffer, without those before p */
            if (s->end - s->data < 16) {
                return aigw_json_text_plain(p, s->end);
            }

            mask = (unsigned) _mm_movemask_epi8(
                                  aigw_json_text_stops(s->end - 16));
            mask >>= 16 - left;

            return mask ? p + (unsigned) __builtin_ctz(mask) : s->end;
        }

        mask = (unsigned) _mm_movemask_epi8(aigw_json_text_stops(p));

        if (mask) {
            return p + (unsigned) __builtin_ctz(mask);
        }

        p += 16;
    }

    return p;
#else
    return aigw_json_text_plain(p, s->end);
#endif
}


/* The same for a text that nobody wants: also skips characters and escapes
   that are whole in the buffer. */
const unsigned char *aigw_json_text_skip(const unsigned char *p,
    const unsigned char *end);
const unsigned char *aigw_json_text_skip_portable(const unsigned char *p,
    const unsigned char *end);

#if defined(__x86_64__) && defined(__GNUC__)

#define AIGW_JSON_WIDE

/* Some of it, for a processor with AVX2. At most 5 bytes are left of a text
   that is right. */
const unsigned char *aigw_json_wide_skip(const unsigned char *p,
    const unsigned char *end);

#endif

/* A name or scalar begins; capture: its text will be wanted. */
void aigw_json_text_begin(aigw_json_t *json, int capture);

/* Keeps a run of the buffer that will not be there later. */
void aigw_json_text_spill(aigw_json_t *json, const unsigned char *run,
    const unsigned char *end);

/* The text that ends with the run: in place if all of it is there. */
aigw_str_t aigw_json_text_take(aigw_json_t *json, const unsigned char *run,
    const unsigned char *end);

/* Goes on with a string behind its first quote. AIGW_OK: it is complete, text
   is set, s->p is behind its last quote. AIGW_AGAIN: the bytes are used up. */
aigw_err_t aigw_json_text_string(aigw_json_scan_t *s, aigw_str_t *text)
    AIGW_CHECKED;


#pragma GCC visibility pop

#endif /* AIGW_JSON_INTERNAL_H */
