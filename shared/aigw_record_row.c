/*
 * Packs and unpacks what the usage environment holds: rows and sums; row ids
 * as text; names of a row's enums. No I/O; field order here is the format at
 * rest, in the journals too.
 */

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "aigw_record_internal.h"
#include "aigw_verdict.h"
#include "aigw_record.h"


/* Bytes of a packed row between its version and its texts. */
#define ROW_FIXED  (AIGW_ROW_ID_LEN + 2 + 5 * 8 + 2 * 4 + 2 + 4 + 2          \
                    + 5 * 8 + 4 + 2 * 8)


/* a + b, at its bound where that does not fit. */
static int64_t
add(int64_t a, int64_t b, int *overflow)
{
    int64_t  sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        *overflow = 1;
        return b > 0 ? INT64_MAX : INT64_MIN;
    }

    return sum;
}


size_t
aigw_record_pack_row(const aigw_row_t *row, uint8_t *buf)
{
    aigw_writer_t         w = { buf };
    const aigw_tokens_t  *tokens = &row->tokens;

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);
    aigw_write_bytes(&w, row->id, AIGW_ROW_ID_LEN);
    aigw_write_int(&w, row->partition, 2);
    aigw_write_int(&w, row->user_id, 8);
    aigw_write_int(&w, row->project_id, 8);
    aigw_write_int(&w, row->key_id, 8);
    aigw_write_int(&w, (uint64_t) row->time_ms, 8);
    aigw_write_int(&w, (uint64_t) row->settled_ms, 8);
    aigw_write_int(&w, row->duration_ms, 4);
    aigw_write_int(&w, row->ttft_ms, 4);
    aigw_write_int(&w, row->status, 2);
    aigw_write_int(&w, row->route, 1);
    aigw_write_int(&w, row->verdict, 1);
    aigw_write_int(&w, row->settled, 1);
    aigw_write_int(&w, row->attempts, 1);
    aigw_write_int(&w, row->flags, 2);
    aigw_write_int(&w, (uint64_t) tokens->prompt_tokens, 8);
    aigw_write_int(&w, (uint64_t) tokens->completion_tokens, 8);
    aigw_write_int(&w, (uint64_t) tokens->cached_tokens, 8);
    aigw_write_int(&w, (uint64_t) tokens->cache_write_tokens, 8);
    aigw_write_int(&w, (uint64_t) tokens->reasoning_tokens, 8);
    aigw_write_int(&w, row->price_version, 4);
    aigw_write_int(&w, (uint64_t) row->hold_nano, 8);
    aigw_write_int(&w, (uint64_t) row->cost_nano, 8);
    aigw_write_text(&w, row->model, AIGW_MODEL_MAX);
    aigw_write_text(&w, row->tag, AIGW_TAG_MAX);

    if (row->settled == AIGW_SETTLED_CREDIT) {
        aigw_write_text(&w, row->ref, AIGW_NAME_MAX);
        aigw_write_text(&w, row->note, AIGW_NOTE_MAX);

    } else if (row->settled == AIGW_SETTLED_REFUND) {
        aigw_write_bytes(&w, row->of, AIGW_ROW_ID_LEN);
    }

    return (size_t) (w.p - buf);
}


/* Is it what a row may be that is no call? The least number has no twin. */
static inline int
is_return(const aigw_row_t *x)
{
    return x->cost_nano <= 0 && x->cost_nano != INT64_MIN
           && x->hold_nano == 0 && x->attempts == 0;
}


/* All that stands before the texts, and the bounds of it. Inlined at any rate:
   what the caller has no use for is then not even read. */
static inline __attribute__((always_inline)) void
read_fixed(aigw_reader_t *r, aigw_row_t *x)
{
    aigw_tokens_t  *tokens = &x->tokens;

    if (!aigw_reader_has(r, ROW_FIXED)) {
        return;
    }

    memcpy(x->id, r->p, AIGW_ROW_ID_LEN);
    r->p += AIGW_ROW_ID_LEN;
    x->partition = (uint16_t) aigw_take_int(r, 2);
    x->user_id = aigw_take_int(r, 8);
    x->project_id = aigw_take_int(r, 8);
    x->key_id = aigw_take_int(r, 8);
    x->time_ms = (int64_t) aigw_take_int(r, 8);
    x->settled_ms = (int64_t) aigw_take_int(r, 8);
    x->duration_ms = (uint32_t) aigw_take_int(r, 4);
    x->ttft_ms = (uint32_t) aigw_take_int(r, 4);
    x->status = (uint16_t) aigw_take_int(r, 2);
    x->route = (uint8_t) aigw_take_int(r, 1);
    x->verdict = (uint8_t) aigw_take_int(r, 1);
    x->settled = (uint8_t) aigw_take_int(r, 1);
    x->attempts = (uint8_t) aigw_take_int(r, 1);
    x->flags = (uint16_t) aigw_take_int(r, 2);
    tokens->prompt_tokens = (int64_t) aigw_take_int(r, 8);
    tokens->completion_tokens = (int64_t) aigw_take_int(r, 8);
    tokens->cached_tokens = (int64_t) aigw_take_int(r, 8);
    tokens->cache_write_tokens = (int64_t) aigw_take_int(r, 8);
    tokens->reasoning_tokens = (int64_t) aigw_take_int(r, 8);
    x->price_version = (uint32_t) aigw_take_int(r, 4);
    x->hold_nano = (int64_t) aigw_take_int(r, 8);
    x->cost_nano = (int64_t) aigw_take_int(r, 8);

    if (x->route >= AIGW_ROUTE_MAX || x->verdict >= AIGW_VERDICT_MAX
        || x->settled >= AIGW_SETTLED_MAX
        || tokens->prompt_tokens < 0 || tokens->completion_tokens < 0
        || tokens->cached_tokens < 0 || tokens->cache_write_tokens < 0
        || tokens->reasoning_tokens < 0
        || x->hold_nano < 0
        || (aigw_row_is_call(x) ? x->cost_nano < 0 : !is_return(x)))
    {
        r->err = AIGW_ECORRUPT;
    }
}


/* Behind the texts of a call: what a row has that is none. */
static aigw_str_t
read_ref(aigw_reader_t *r, unsigned settled)
{
    aigw_str_t  ref = { 0, "" };

    if (settled == AIGW_SETTLED_CREDIT) {
        return aigw_read_span(r, AIGW_NAME_MAX);
    }

    if (settled == AIGW_SETTLED_REFUND
        && aigw_reader_has(r, AIGW_ROW_ID_LEN))
    {
        ref = (aigw_str_t) { AIGW_ROW_ID_LEN, (const char *) r->p };
        r->p += AIGW_ROW_ID_LEN;
    }

    return ref;
}


static aigw_str_t
read_note(aigw_reader_t *r, unsigned settled)
{
    aigw_str_t  none = { 0, "" };

    return settled == AIGW_SETTLED_CREDIT ? aigw_read_span(r, AIGW_NOTE_MAX)
                                          : none;
}


static void
read_tail(aigw_reader_t *r, aigw_row_t *x)
{
    aigw_str_t  ref, note;

    ref = read_ref(r, x->settled);
    note = read_note(r, x->settled);
    memcpy(x->note, note.data, note.len);
    x->note[note.len] = '\0';

    if (x->settled == AIGW_SETTLED_CREDIT) {
        memcpy(x->ref, ref.data, ref.len);
        x->ref[ref.len] = '\0';

    } else {
        memcpy(x->of, ref.data, ref.len);
    }
}


aigw_err_t
aigw_record_unpack_row(const uint8_t *buf, size_t len, aigw_row_t *row)
{
    aigw_row_t     x;
    aigw_err_t     err;
    aigw_reader_t  r = aigw_reader(buf, len);

    read_fixed(&r, &x);
    aigw_read_text(&r, x.model, AIGW_MODEL_MAX);
    aigw_read_text(&r, x.tag, AIGW_TAG_MAX);

    x.ref[0] = '\0';
    x.note[0] = '\0';
    memset(x.of, 0, AIGW_ROW_ID_LEN);

    if (r.err == AIGW_OK && !aigw_row_is_call(&x)) {
        read_tail(&r, &x);
    }

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *row = x;
    }

    return err;
}


static inline void
sums_of(const aigw_row_t *row, aigw_sums_t *sums)
{
    int  sent = row->attempts > 0, call = aigw_row_is_call(row);

    sums->calls = sent;
    sums->ok_calls = sent && row->verdict == AIGW_VERDICT_OK;
    sums->refused_calls = call && !sent;
    sums->inexact_calls = row->settled == AIGW_SETTLED_ESTIMATED
                          || row->settled == AIGW_SETTLED_PARTIAL
                          || row->settled == AIGW_SETTLED_UNKNOWN;
    sums->prompt_tokens = row->tokens.prompt_tokens;
    sums->completion_tokens = row->tokens.completion_tokens;
    sums->cost_nano = row->cost_nano;
    sums->last_ms = call ? row->time_ms : 0;
}


aigw_err_t
aigw_record_view_row(const uint8_t *buf, size_t len, aigw_row_view_t *view)
{
    aigw_row_t     x;
    aigw_err_t     err;
    aigw_str_t     model, ref = { 0, "" };
    aigw_reader_t  r = aigw_reader(buf, len);

    read_fixed(&r, &x);
    model = aigw_read_span(&r, AIGW_MODEL_MAX);
    (void) aigw_read_span(&r, AIGW_TAG_MAX);

    if (r.err == AIGW_OK && !aigw_row_is_call(&x)) {
        ref = read_ref(&r, x.settled);
        (void) read_note(&r, x.settled);
    }

    err = aigw_reader_end(&r);

    if (err != AIGW_OK) {
        return err;
    }

    view->packed = buf;
    view->len = len;
    view->id = buf + 1;
    view->partition = x.partition;
    view->user_id = x.user_id;
    view->project_id = x.project_id;
    view->key_id = x.key_id;
    view->model = model;
    view->ref = ref;
    view->time_ms = x.time_ms;
    view->settled = x.settled;
    sums_of(&x, &view->sums);

    return AIGW_OK;
}


size_t
aigw_record_pack_sums(const aigw_sums_t *sums, uint8_t *buf)
{
    aigw_writer_t  w = { buf };

    aigw_write_int(&w, AIGW_RECORD_VERSION, 1);
    aigw_write_int(&w, (uint64_t) sums->calls, 8);
    aigw_write_int(&w, (uint64_t) sums->ok_calls, 8);
    aigw_write_int(&w, (uint64_t) sums->refused_calls, 8);
    aigw_write_int(&w, (uint64_t) sums->inexact_calls, 8);
    aigw_write_int(&w, (uint64_t) sums->prompt_tokens, 8);
    aigw_write_int(&w, (uint64_t) sums->completion_tokens, 8);
    aigw_write_int(&w, (uint64_t) sums->cost_nano, 8);
    aigw_write_int(&w, (uint64_t) sums->last_ms, 8);

    return (size_t) (w.p - buf);
}


aigw_err_t
aigw_record_unpack_sums(const uint8_t *buf, size_t len, aigw_sums_t *sums)
{
    aigw_err_t     err;
    aigw_sums_t    s;
    aigw_reader_t  r = aigw_reader(buf, len);

    s.calls = aigw_read_min(&r, 0);
    s.ok_calls = aigw_read_min(&r, 0);
    s.refused_calls = aigw_read_min(&r, 0);
    s.inexact_calls = aigw_read_min(&r, 0);
    s.prompt_tokens = aigw_read_min(&r, 0);
    s.completion_tokens = aigw_read_min(&r, 0);
    s.cost_nano = aigw_read_min(&r, INT64_MIN);
    s.last_ms = aigw_read_min(&r, INT64_MIN);

    err = aigw_reader_end(&r);

    if (err == AIGW_OK) {
        *sums = s;
    }

    return err;
}


void
aigw_record_row_sums(const aigw_row_t *row, aigw_sums_t *sums)
{
    sums_of(row, sums);
}


int
aigw_record_add_saturated(aigw_sums_t *sums, const aigw_sums_t *more)
{
    int  overflow;

    overflow = 0;

    sums->calls = add(sums->calls, more->calls, &overflow);
    sums->ok_calls = add(sums->ok_calls, more->ok_calls, &overflow);
    sums->refused_calls = add(sums->refused_calls, more->refused_calls,
                              &overflow);
    sums->inexact_calls = add(sums->inexact_calls, more->inexact_calls,
                              &overflow);
    sums->prompt_tokens = add(sums->prompt_tokens, more->prompt_tokens,
                              &overflow);
    sums->completion_tokens = add(sums->completion_tokens,
                                  more->completion_tokens, &overflow);
    sums->cost_nano = add(sums->cost_nano, more->cost_nano, &overflow);

    if (more->last_ms > sums->last_ms) {
        sums->last_ms = more->last_ms;
    }

    return overflow;
}


aigw_err_t
aigw_record_add_row(aigw_sums_t *sums, const aigw_row_t *row)
{
    aigw_sums_t  one;

    aigw_record_row_sums(row, &one);

    return aigw_record_add_sums(sums, &one);
}


aigw_err_t
aigw_record_add_sums(aigw_sums_t *sums, const aigw_sums_t *more)
{
    aigw_sums_t  result;

    result = *sums;

    if (aigw_record_add_saturated(&result, more)) {
        return AIGW_ERANGE;
    }

    *sums = result;

    return AIGW_OK;
}


#ifdef __SSE2__

/* Sixteen halves of bytes as digits. */
static inline __m128i
digits_of(__m128i halves)
{
    __m128i  more = _mm_and_si128(_mm_cmpgt_epi8(halves, _mm_set1_epi8(9)),
                                  _mm_set1_epi8('a' - '0' - 10));

    return _mm_add_epi8(_mm_add_epi8(halves, _mm_set1_epi8('0')), more);
}


void
aigw_record_format_id(const uint8_t id[AIGW_ROW_ID_LEN],
    char text[AIGW_ROW_ID_TEXT_LEN + 1])
{
    __m128i  bytes, high, low, half = _mm_set1_epi8(15);

    bytes = _mm_loadu_si128((const void *) id);
    high = _mm_and_si128(_mm_srli_epi16(bytes, 4), half);
    low = _mm_and_si128(bytes, half);

    _mm_storeu_si128((void *) text, digits_of(_mm_unpacklo_epi8(high, low)));
    _mm_storeu_si128((void *) (text + AIGW_ROW_ID_LEN),
                     digits_of(_mm_unpackhi_epi8(high, low)));

    text[AIGW_ROW_ID_TEXT_LEN] = '\0';
}

#else

void
aigw_record_format_id(const uint8_t id[AIGW_ROW_ID_LEN],
    char text[AIGW_ROW_ID_TEXT_LEN + 1])
{
    size_t  i;

    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < AIGW_ROW_ID_LEN; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }

    text[AIGW_ROW_ID_TEXT_LEN] = '\0';
}

#endif


aigw_err_t
aigw_record_parse_id(aigw_str_t text, uint8_t id[AIGW_ROW_ID_LEN])
{
    int      value;
    char     c;
    size_t   i;
    uint8_t  result[AIGW_ROW_ID_LEN];

    if (text.len != AIGW_ROW_ID_TEXT_LEN) {
        return AIGW_EINVAL;
    }

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c >= '0' && c <= '9') {
            value = c - '0';

        } else if (c >= 'a' && c <= 'f') {
            value = c - 'a' + 10;

        } else {
            return AIGW_EINVAL;
        }

        result[i / 2] = (uint8_t) (i % 2 ? result[i / 2] | value
                                         : value << 4);
    }

    memcpy(id, result, sizeof(result));

    return AIGW_OK;
}


const char *
aigw_record_settled_name(unsigned settled)
{
    static const char *const  names[AIGW_SETTLED_MAX] = {
        "none", "exact", "estimated", "partial", "void", "unknown", "credit",
        "refund"
    };

    return settled < AIGW_SETTLED_MAX ? names[settled] : "unknown";
}


const char *
aigw_record_kind_name(unsigned settled)
{
    return settled < AIGW_SETTLED_CREDIT ? "call"
                                         : aigw_record_settled_name(settled);
}


const char *
aigw_record_route_name(unsigned route)
{
    static const char *const  names[AIGW_ROUTE_MAX] = {
        "none", "/v1/chat/completions", "/v1/models", "/v1/completions",
        "/v1/embeddings"
    };

    return route < AIGW_ROUTE_MAX ? names[route] : "none";
}
