/*
 * The meter: follows an answer as it passes by and says, with hiding on, which
 * bytes to pass, hold or drop. It must pass every byte of every event but the
 * one kind it hides, and never hold more than that one may take.
 */

#include <stddef.h>
#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_sse.h"
#include "aigw_usage_internal.h"
#include "aigw_usage.h"


#define DONE_FAIL  0xff                /* m->mark: the data is not "[DONE]" */


/* What becomes of the bytes of an item, and of those held before it. */
typedef enum { USAGE_HOLD = 0, USAGE_PASS, USAGE_DROP } usage_fate_t;


/* One call of aigw_usage_feed with hiding on: data[0..kept) passes, the bytes
   from open on are undecided. */
typedef struct {
    unsigned char       *data;
    size_t               kept;
    size_t               open;
    int                  earlier;      /* bytes of earlier pieces are held */
    aigw_usage_piece_t  *piece;
} usage_cut_t;


static const aigw_str_t  usage_done = aigw_str("[DONE]");


void
aigw_usage_init(aigw_usage_meter_t *m, aigw_usage_kind_t kind, int hide,
    aigw_usage_shapes_t *shapes)
{
    memset(m, 0, offsetof(aigw_usage_meter_t, json));

    m->kind = kind & 3U;
    m->hide = hide && kind == AIGW_USAGE_SSE;
    m->shapes = shapes;

    aigw_sse_init(&m->sse);
    aigw_usage_begin(m);
}


/* Compares data with "[DONE]", blanks around it left out. */
static void
usage_match_done(aigw_usage_meter_t *m, aigw_str_t text)
{
    size_t  i;
    char    c;

    for (i = 0; i < text.len && m->mark != DONE_FAIL; i++) {
        c = text.data[i];

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            if (m->mark > 0 && m->mark < usage_done.len) {
                m->mark = DONE_FAIL;
            }

        } else if (m->mark < usage_done.len && c == usage_done.data[m->mark]) {
            m->mark++;

        } else {
            m->mark = DONE_FAIL;
        }
    }
}


/* The next bytes of a document. */
static aigw_err_t
usage_document(aigw_usage_meter_t *m, const unsigned char *data, size_t len)
{
    int         first = m->json.offset == 0 && m->shapes != NULL;
    aigw_err_t  err;

    if (first && aigw_usage_shapes_feed(m, data, len, &err)) {
        return err;
    }

    err = aigw_json_feed(&m->json, data, len, m);

    if (first && aigw_json_finish(&m->json) == AIGW_OK) {
        aigw_usage_shapes_learn(m->shapes, data, len);
    }

    return err;
}


static void
usage_data(aigw_usage_meter_t *m, aigw_str_t text)
{
    usage_match_done(m, text);

    if (usage_document(m, (const unsigned char *) text.data, text.len)
        != AIGW_OK)
    {
        m->passing = 1;
    }
}


/* An event is complete, or all that will come of it; len: of its last line.
   Says whether it passes. */
static usage_fate_t
usage_event_end(aigw_usage_meter_t *m, int data, size_t len)
{
    int  hidden;

    hidden = m->hide && !m->passing && !m->named_error && m->empty && m->usage
             && m->held + len <= AIGW_USAGE_HOLD_MAX
             && aigw_json_finish(&m->json) == AIGW_OK;

    if (data) {
        m->events++;
        m->error |= m->named_error && !m->done;
        m->done |= m->mark == usage_done.len;
        aigw_usage_begin(m);
    }

    m->passing = 0;
    m->named_error = 0;
    m->dropped = hidden != 0;

    return hidden ? USAGE_DROP : USAGE_PASS;
}


static usage_fate_t
usage_item(aigw_usage_meter_t *m, const aigw_sse_item_t *item, size_t len)
{
    static const aigw_str_t  error = aigw_str("error");

    int  dropped = m->dropped;

    m->dropped = 0;

    switch (item->type) {

    case AIGW_SSE_DATA:
        usage_data(m, item->text);
        break;

    case AIGW_SSE_EVENT:
        m->named_error = item->text.len == error.len
                         && memcmp(item->text.data, error.data, error.len)
                            == 0;
        break;

    case AIGW_SSE_ERROR:
        m->error |= !m->done;
        m->passing = 1;
        break;

    case AIGW_SSE_END:
        return usage_event_end(m, item->data, len);

    case AIGW_SSE_BOM:
        return USAGE_PASS;

    case AIGW_SSE_COMMENT:
        return m->held ? USAGE_HOLD : USAGE_PASS;

    case AIGW_SSE_LF:
        if (dropped) {
            return USAGE_DROP;
        }

        return m->held ? USAGE_HOLD : USAGE_PASS;

    default:
        break;
    }

    return m->passing ? USAGE_PASS : USAGE_HOLD;
}


/* The undecided bytes, those of an item that ends at pos among them, meet
   their fate. */
static void
usage_place(aigw_usage_meter_t *m, usage_cut_t *cut, usage_fate_t fate,
    size_t pos, size_t len)
{
    if (fate == USAGE_HOLD) {
        m->held += (uint32_t) len;

        if (m->held <= AIGW_USAGE_HOLD_MAX) {
            return;
        }

        m->passing = 1;
        fate = USAGE_PASS;
    }

    if (cut->earlier) {
        cut->piece->release = fate == USAGE_PASS;
        cut->piece->drop = fate == USAGE_DROP;
        cut->earlier = 0;
    }

    if (fate == USAGE_PASS) {
        if (cut->kept != cut->open) {
            memmove(cut->data + cut->kept, cut->data + cut->open,
                    pos - cut->open);
        }

        cut->kept += pos - cut->open;
    }

    cut->open = pos;
    m->held = 0;
}


static void
usage_stream(aigw_usage_meter_t *m, unsigned char *data, size_t len,
    aigw_usage_piece_t *piece)
{
    size_t           pos, n;
    usage_cut_t      cut = { data, 0, 0, m->held != 0, piece };
    usage_fate_t     fate;
    aigw_sse_item_t  item;

    for (pos = 0; pos < len; pos += n) {
        n = aigw_sse_next(&m->sse, data + pos, len - pos, &item);
        fate = usage_item(m, &item, n);

        if (m->hide) {
            usage_place(m, &cut, fate, pos + n, n);
        }
    }

    piece->keep = m->hide ? cut.kept : len;
    piece->hold = m->hide ? len - cut.open : 0;
}


void
aigw_usage_feed(aigw_usage_meter_t *m, unsigned char *data, size_t len,
    aigw_usage_piece_t *piece)
{
    memset(piece, 0, sizeof(*piece));

    if (m->kind == AIGW_USAGE_SSE) {
        usage_stream(m, data, len, piece);
        return;
    }

    piece->keep = len;

    if (usage_document(m, data, len) != AIGW_OK) {
        m->malformed = 1;
    }
}


void
aigw_usage_finish(aigw_usage_meter_t *m, aigw_usage_piece_t *piece)
{
    usage_fate_t  fate = USAGE_PASS;

    memset(piece, 0, sizeof(*piece));

    if (aigw_json_finish(&m->json) != AIGW_OK) {
        m->malformed |= m->kind == AIGW_USAGE_JSON;
    }

    if (m->json.err == AIGW_OK) {
        aigw_usage_count_rest(m);
        aigw_usage_commit(m);
    }

    if (m->kind == AIGW_USAGE_SSE && aigw_sse_pending(&m->sse)) {
        fate = usage_event_end(m, 1, 0);
    }

    piece->release = m->held && fate == USAGE_PASS;
    piece->drop = m->held && fate == USAGE_DROP;
    m->held = 0;
}
