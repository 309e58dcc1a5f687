/*
 * Documents of one shape. Their bytes are literals, which are compared, and
 * between them values, which are passed over. What is taken here must be what
 * a scan would take: so a value is what it was when the shape was learned, a
 * string or a plain number, and all else stands in literals.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_internal.h"
#include "aigw_json_shape.h"


#define SHAPE_DIGITS  18

#define SHAPE_PARTS  (AIGW_JSON_SHAPE_VALUES + 1)


/* One call of aigw_json_shape_learn. */
typedef struct {
    aigw_json_shape_t         *shape;
    const aigw_json_schema_t  *schema;
    const aigw_json_node_t    *root;   /* of the scan that listens */
    size_t                     at[SHAPE_PARTS]; /* where parts begin */
} shape_lesson_t;


/* Passes the digits of a plain number; NULL: it may be another one. */
static inline const unsigned char *
shape_number(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *start = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p == start || p > start + SHAPE_DIGITS
           || (*start == '0' && p > start + 1) ? NULL : p;
}


/* Passes a string up to its last quote, which the next literal has. */
static inline const unsigned char *
shape_string(const aigw_json_scan_t *s, const unsigned char *p)
{
    p = aigw_json_text_short(s, p);

    return p < s->end && *p != '"' ? aigw_json_text_skip(p, s->end) : p;
}


/* Where the parts begin in this document; 0: it has another shape. */
static int
shape_match(const aigw_json_shape_t *shape, const aigw_json_scan_t *s,
    size_t *at)
{
    const char                    *bytes = shape->bytes;
    const unsigned char           *p = s->data;
    const aigw_json_shape_part_t  *part = shape->parts;

    for ( ;; part++, at++) {
        *at = (size_t) (p - s->data);

        if ((size_t) (s->end - p) < part->len
            || !aigw_json_watch_same((const char *) p, bytes, part->len))
        {
            return 0;
        }

        p += part->len;
        bytes += part->len;

        if (part->type == AIGW_JSON_STRING) {
            p = shape_string(s, p);

        } else if (part->type == 0) {
            return p == s->end;

        } else if ((p = shape_number(p, s->end)) == NULL) {
            return 0;
        }
    }
}


/* Does it end like one? A long document that is not whole mostly does not. */
static int
shape_may_match(const aigw_json_shape_t *shape, const unsigned char *data,
    size_t len)
{
    size_t  n = shape->parts[shape->parts_n - 1].len;

    return len >= shape->bytes_n
           && memcmp(data + len - n, shape->bytes + shape->bytes_n - n, n)
              == 0;
}


static inline uint64_t
shape_offset(const size_t *at, aigw_json_shape_place_t place)
{
    return at[place.part] + place.bytes;
}


/* Tells what a scan would have told. */
static aigw_err_t
shape_tell(const aigw_json_shape_t *shape, const aigw_json_scan_t *s,
    const size_t *at)
{
    aigw_err_t                      err = AIGW_OK;
    aigw_json_value_t               value = { 0 };
    const aigw_json_shape_event_t  *event = shape->events;
    const aigw_json_shape_event_t  *last = event + shape->events_n;

    for ( ; event < last && err == AIGW_OK; event++) {
        value.node = event->node;
        value.event = event->event;
        value.type = event->type;
        value.start = shape_offset(at, event->start);
        value.end = shape_offset(at, event->end);
        value.text.data = (const char *) s->data + value.start;
        value.text.len = event->type == AIGW_JSON_NUMBER
                         ? (size_t) (value.end - value.start) : 0;

        err = s->json->schema->handler(s->ctx, &value);
    }

    return err;
}


int
aigw_json_shape_feed(const aigw_json_shape_t *shape, aigw_json_t *json,
    const unsigned char *data, size_t len, void *ctx, aigw_err_t *err)
{
    size_t            at[SHAPE_PARTS];
    aigw_json_scan_t  s = { json, data, data, data + len, ctx, AIGW_OK };

    if (shape->parts_n == 0 || !shape_may_match(shape, data, len)
        || !shape_match(shape, &s, at))
    {
        return 0;
    }

    *err = shape_tell(shape, &s, at);

    json->node = NULL;
    json->state = S_DONE;
    json->offset = len;
    json->err = (uint8_t) *err;

    return 1;
}


/* --- learning --- */

/* A part from start to p; type: of the value behind it. */
static aigw_err_t
shape_add(shape_lesson_t *lesson, const unsigned char *data,
    const unsigned char *start, const unsigned char *p, unsigned type)
{
    size_t                   len = (size_t) (p - start);
    aigw_json_shape_t       *shape = lesson->shape;
    aigw_json_shape_part_t  *part = &shape->parts[shape->parts_n];

    if (shape->parts_n == SHAPE_PARTS
        || len > AIGW_JSON_SHAPE_BYTES - (size_t) shape->bytes_n)
    {
        return AIGW_ERANGE;
    }

    memcpy(shape->bytes + shape->bytes_n, start, len);
    lesson->at[shape->parts_n] = (size_t) (start - data);
    part->len = (uint16_t) len;
    part->type = (uint16_t) type;
    shape->bytes_n = (uint16_t) (shape->bytes_n + len);
    shape->parts_n++;

    return AIGW_OK;
}


/* Is the string before p a name? */
static int
shape_is_name(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p <= ' ') {
        p++;
    }

    return p < end && *p == ':';
}


static aigw_err_t
shape_split(shape_lesson_t *lesson, const unsigned char *data,
    const unsigned char *end)
{
    aigw_err_t            err = AIGW_OK;
    const unsigned char  *p = data, *start = data, *next;

    while (p < end && err == AIGW_OK) {

        if (*p == '"') {
            next = aigw_json_text_skip(p + 1, end);

            if (!shape_is_name(next + 1, end)) {
                err = shape_add(lesson, data, start, p + 1, AIGW_JSON_STRING);
                start = next;
            }

            p = next + 1;

        } else if (*p >= '0' && *p <= '9') {
            next = shape_number(p, end);

            /* at the end: it may go on in what comes next */
            if (next == NULL || next == end || *next == '.'
                || (*next | 0x20) == 'e')
            {
                return AIGW_ERANGE;
            }

            err = shape_add(lesson, data, start, p, AIGW_JSON_NUMBER);
            start = p = next;

        } else if (*p++ == '-') {
            return AIGW_ERANGE;
        }
    }

    return err == AIGW_OK ? shape_add(lesson, data, start, end, 0) : err;
}


static aigw_json_shape_place_t
shape_place(const shape_lesson_t *lesson, uint64_t offset)
{
    uint16_t                 part = (uint16_t) (lesson->shape->parts_n - 1);
    aigw_json_shape_place_t  place;

    while (lesson->at[part] > offset) {
        part--;
    }

    place.part = part;
    place.bytes = (uint16_t) (offset - lesson->at[part]);

    return place;
}


/* The handler of the scan that listens. */
static aigw_err_t
shape_hear(void *ctx, const aigw_json_value_t *value)
{
    shape_lesson_t           *lesson = ctx;
    aigw_json_shape_t        *shape = lesson->shape;
    aigw_json_shape_event_t  *event = &shape->events[shape->events_n];

    if (shape->events_n == AIGW_JSON_SHAPE_EVENTS
        || (value->type == AIGW_JSON_STRING
            && (value->node->flags & AIGW_JSON_TEXT)))
    {
        return AIGW_ERANGE;
    }

    event->node = value->node == lesson->root ? &lesson->schema->root
                                              : value->node;
    event->start = shape_place(lesson, value->start);
    event->end = shape_place(lesson, value->end);
    event->event = (uint8_t) value->event;
    event->type = (uint8_t) value->type;
    shape->events_n++;

    return AIGW_OK;
}


aigw_err_t
aigw_json_shape_learn(aigw_json_shape_t *shape,
    const aigw_json_schema_t *schema, const unsigned char *data, size_t len)
{
    aigw_err_t          err;
    aigw_json_t         json;
    shape_lesson_t      lesson = { .shape = shape, .schema = schema };
    aigw_json_schema_t  listen = { schema->root, schema->policy, shape_hear };

    lesson.root = &listen.root;
    shape->parts_n = 0;
    shape->events_n = 0;
    shape->bytes_n = 0;

    err = shape_split(&lesson, data, data + len);

    if (err == AIGW_OK) {
        aigw_json_init(&json, &listen);
        err = aigw_json_feed(&json, data, len, &lesson);
    }

    if (err != AIGW_OK) {
        shape->parts_n = 0;
    }

    return err;
}
