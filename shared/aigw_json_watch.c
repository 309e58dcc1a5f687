/*
 * The scanner's view of the watched tree: which node a value has, who is told,
 * and when a member is refused. Watched containers are always the outermost
 * ones, so that a short path is enough.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_internal.h"


aigw_err_t
aigw_json_watch_tell(aigw_json_scan_t *s, const aigw_json_node_t *node,
    aigw_json_event_t event)
{
    aigw_json_value_t  value = { 0 };

    value.node = node;
    value.event = event;
    value.type = (s->json->kinds & 1) ? AIGW_JSON_OBJECT : AIGW_JSON_ARRAY;
    value.start = event == AIGW_JSON_BEGIN ? s->json->start : 0;

    return s->json->schema->handler(s->ctx, &value);
}


aigw_err_t
aigw_json_watch_scalar(aigw_json_scan_t *s, const aigw_json_node_t *node,
    aigw_json_type_t type, aigw_str_t text, int cut)
{
    aigw_json_value_t  value;

    if (type == AIGW_JSON_STRING && !(node->flags & AIGW_JSON_TEXT)) {
        text.len = 0;
        text.data = "";

    } else if (text.len > AIGW_JSON_TEXT_MAX) {
        text.len = AIGW_JSON_TEXT_MAX;
        cut = 1;
    }

    value.node = node;
    value.event = AIGW_JSON_VALUE;
    value.type = type;
    value.start = s->json->start;
    value.end = s->json->offset + (uint64_t) (s->p - s->data);
    value.text = text;
    value.cut = cut != 0;

    return s->json->schema->handler(s->ctx, &value);
}


/* Does text equal name but for case, as lenient readers see it? A watched
   name is in lower case. */
static int
json_variant(aigw_str_t text, aigw_str_t name)
{
    size_t  i, j, left;
    int     c = (unsigned char) text.data[0];

    /* a short cut: most differ in their first letter */
    if (text.len < name.len
        || (c < 0x80 && c != name.data[0] && (c | 0x20) != name.data[0]))
    {
        return 0;
    }

    for (i = 0, j = 0; i < text.len; i++, j++) {
        c = (unsigned char) text.data[i];
        left = text.len - i;

        if (c < 0x80) {
            c |= c >= 'A' && c <= 'Z' ? 0x20 : 0;

        } else if (left >= 2 && memcmp(text.data + i, "\xc5\xbf", 2) == 0) {
            c = 's';
            i += 1;

        } else if (left >= 3
                   && memcmp(text.data + i, "\xe2\x84\xaa", 3) == 0)
        {
            c = 'k';
            i += 2;
        }

        if (j == name.len || c != name.data[j]) {
            return 0;
        }
    }

    return j == name.len;
}


aigw_err_t
aigw_json_watch_once(aigw_json_t *json, aigw_str_t text, unsigned i)
{
    unsigned                 k;
    aigw_json_level_t       *level = &json->path[json->watched - 1];
    const aigw_json_node_t  *owner = json->inner;

    if (i < owner->count) {
        if (level->seen & 1U << i) {
            return AIGW_EEXIST;
        }

        level->seen |= 1U << i;
        return AIGW_OK;
    }

    for (k = 0; k < owner->count; k++) {
        if (json_variant(text, owner->members[k].name)) {
            json->node = &owner->members[k];
            return AIGW_EEXIST;
        }
    }

    return AIGW_OK;
}
