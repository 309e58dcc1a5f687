/*
 * Event streams into items, one at a time, so that the caller always knows
 * which bytes of its buffer an item covers. It must not interpret data.
 */

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "aigw.h"
#include "aigw_sse.h"


/* Where in a line the next byte stands. */
enum {
    S_START = 0,                       /* of the stream: maybe a BOM */
    S_BOM2, S_BOM3,
    S_LINE,                            /* at a line's first byte */
    S_COMMENT,
    S_NAME,
    S_SPACE,                           /* behind the colon */
    S_VALUE,
    S_BARE,                            /* a line that starts with '{' */
    S_REST                             /* of a bare line: known already */
};


enum { F_OTHER = 0, F_DATA, F_EVENT };


#define NAME_STEP  16                  /* names are short, lines are not */


void
aigw_sse_init(aigw_sse_t *sse)
{
    memset(sse, 0, sizeof(*sse));
}


int
aigw_sse_pending(const aigw_sse_t *sse)
{
    return sse->data;
}


static int
sse_is_end(unsigned char c)
{
    return c == '\n' || c == '\r';
}


#ifdef __SSE2__

/* Which of 16 bytes end a line. */
static inline __m128i
sse_ends(const unsigned char *p)
{
    __m128i  v = _mm_loadu_si128((const __m128i *) (const void *) p);

    return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')),
                        _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
}

#endif


/* The bytes before the next CR or LF. */
static size_t
sse_line(const unsigned char *data, size_t len)
{
    size_t  i = 0;

#ifdef __SSE2__
    unsigned  mask;

    /* long lines by four: one test for all */
    while (len - i >= 64
           && _mm_movemask_epi8(
                  _mm_or_si128(_mm_or_si128(sse_ends(data + i),
                                            sse_ends(data + i + 16)),
                               _mm_or_si128(sse_ends(data + i + 32),
                                            sse_ends(data + i + 48)))) == 0)
    {
        i += 64;
    }

    for ( ; len - i >= 16; i += 16) {
        mask = (unsigned) _mm_movemask_epi8(sse_ends(data + i));

        if (mask) {
            return i + (unsigned) __builtin_ctz(mask);
        }
    }
#endif

    while (i < len && !sse_is_end(data[i])) {
        i++;
    }

    return i;
}


/* Keeps the first bytes of a name, an event's name or a bare line. */
static void
sse_keep(aigw_sse_t *sse, const unsigned char *data, size_t len)
{
    size_t  room = (size_t) AIGW_SSE_WORD_MAX - sse->len;

    if (len > room) {
        len = room;
    }

    memcpy(sse->word + sse->len, data, len);
    sse->len = (uint8_t) (sse->len + len);
}


static int
sse_word_is(const aigw_sse_t *sse, const char *word, size_t len)
{
    return sse->len == len && memcmp(sse->word, word, len) == 0;
}


/* A field's name is complete. The "\n" between two lines of data comes with
   the second's name. */
static void
sse_field(aigw_sse_t *sse, aigw_sse_item_t *item)
{
    static const aigw_str_t  newline = aigw_str("\n");

    sse->field = F_OTHER;

    if (sse_word_is(sse, "data", 4)) {
        sse->field = F_DATA;

        if (sse->data) {
            item->type = AIGW_SSE_DATA;
            item->text = newline;
        }

        sse->data = 1;

    } else if (sse_word_is(sse, "event", 5)) {
        sse->field = F_EVENT;
    }

    sse->len = 0;
}


/* The BOM, or what turns out to be none: then it is part of a name. */
static size_t
sse_bom(aigw_sse_t *sse, const unsigned char *data, aigw_sse_item_t *item)
{
    static const char  bom[] = "\xef\xbb\xbf";

    unsigned  i = sse->state - S_START;

    if (data[0] == (unsigned char) bom[i]) {
        sse->state++;
        item->type = i == 2 ? AIGW_SSE_BOM : AIGW_SSE_SKIP;
        return 1;
    }

    sse->state = i ? S_NAME : S_LINE;
    sse_keep(sse, (const unsigned char *) bom, i);

    return 0;
}


/* A line that is not blank begins. */
static void
sse_first(aigw_sse_t *sse, const unsigned char *data)
{
    sse->len = 0;

    switch (data[0]) {

    case ':':
        sse->state = S_COMMENT;
        break;

    case '{':
        sse->state = S_BARE;
        break;

    default:
        sse->state = S_NAME;
    }
}


static size_t
sse_end(aigw_sse_t *sse, const unsigned char *data, aigw_sse_item_t *item)
{
    switch (sse->state) {

    case S_LINE:
        item->type = AIGW_SSE_END;
        item->data = sse->data;
        sse->data = 0;
        break;

    case S_COMMENT:
        item->type = AIGW_SSE_COMMENT;
        break;

    case S_NAME:
        sse_field(sse, item);
        /* fall through */

    default:
        if (sse->field == F_EVENT) {
            item->type = AIGW_SSE_EVENT;
            item->text.len = sse->len;
            item->text.data = sse->word;
        }
    }

    sse->field = F_OTHER;
    sse->state = S_LINE;
    sse->cr = data[0] == '\r';

    return 1;
}


static size_t
sse_name(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item)
{
    const unsigned char  *colon;

    len = sse_line(data, len);
    colon = memchr(data, ':', len);

    if (colon == NULL) {
        sse_keep(sse, data, len);
        return len;
    }

    len = (size_t) (colon - data);
    sse_keep(sse, data, len);
    sse_field(sse, item);
    sse->state = S_SPACE;

    return len + 1;
}


static size_t
sse_value(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item)
{
    if (sse->field == F_DATA) {
        item->type = AIGW_SSE_DATA;
        item->text.len = len;
        item->text.data = (const char *) data;

    } else if (sse->field == F_EVENT) {
        sse_keep(sse, data, len);
    }

    return len;
}


/* An upstream that fails in mid-stream may write its error without a field. */
static size_t
sse_bare(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item)
{
    static const char  plain[] = "{\"error\"", typed[] = "{\"type\":\"error\"";

    sse_keep(sse, data, len);

    if (sse->len >= sizeof(plain) - 1
        && memcmp(sse->word, plain, sizeof(plain) - 1) == 0)
    {
        item->type = AIGW_SSE_ERROR;
        sse->state = S_REST;

    } else if (sse_word_is(sse, typed, sizeof(typed) - 1)) {
        item->type = AIGW_SSE_ERROR;
        sse->state = S_REST;
    }

    return len;
}


/* What stands before the line's end. */
static size_t
sse_inside(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item)
{
    if (sse->state == S_NAME) {
        return sse_name(sse, data, len < NAME_STEP ? len : NAME_STEP, item);
    }

    if (sse->state == S_SPACE) {
        sse->state = S_VALUE;

        if (data[0] == ' ') {
            return 1;
        }
    }

    len = sse_line(data, len);

    switch (sse->state) {

    case S_COMMENT:
        item->type = AIGW_SSE_COMMENT;
        return len;

    case S_VALUE:
        return sse_value(sse, data, len, item);

    case S_BARE:
        return sse_bare(sse, data, len, item);

    default:
        return len;
    }
}


/* The first `data` line of an event, whole in the buffer and ended by LF, as
   most are: its length, or 0. */
static size_t
sse_data_line(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item)
{
    size_t  end;

    if (sse->data || len < 6 || memcmp(data, "data: ", 6) != 0) {
        return 0;
    }

    end = 6 + sse_line(data + 6, len - 6);

    if (end == len || data[end] != '\n') {
        return 0;
    }

    item->type = AIGW_SSE_DATA;
    item->text.len = end - 6;
    item->text.data = (const char *) data + 6;
    sse->data = 1;

    return end + 1;
}


size_t
aigw_sse_next(aigw_sse_t *sse, const unsigned char *data, size_t len,
    aigw_sse_item_t *item)
{
    int     cr = sse->cr;
    size_t  n;

    memset(item, 0, sizeof(*item));
    sse->cr = 0;

    if (cr && data[0] == '\n') {
        item->type = AIGW_SSE_LF;
        return 1;
    }

    if (sse->state < S_LINE && sse_bom(sse, data, item)) {
        return 1;
    }

    if (sse_is_end(data[0])) {
        return sse_end(sse, data, item);
    }

    if (sse->state == S_LINE) {
        n = sse_data_line(sse, data, len, item);

        if (n) {
            return n;
        }

        sse_first(sse, data);
    }

    return sse_inside(sse, data, len, item);
}
