/*
 * The scanner's view of the watched tree: which node a value has, who is told,
 * and when a member is refused. Watched containers are always the outermost
 * ones, so that a short path is enough.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_internal.h"


/* Is the innermost container an element of a watched array? */
static int
json_in_element(const aigw_json_t *json)
{
    unsigned  w = json->watched;

    return w >= 2 && json->path[w - 1] == json->path[w - 2];
}


const aigw_json_node_t *
aigw_json_watch_element(const aigw_json_t *json)
{
    const aigw_json_node_t  *node;

    if (!aigw_json_watch_here(json) || (json->kinds & 1)
        || json_in_element(json))
    {
        return NULL;
    }

    node = json->path[json->watched - 1];

    return (node->flags & AIGW_JSON_EACH) ? node : NULL;
}


static aigw_err_t
json_report(aigw_json_scan_t *s, const aigw_json_node_t *node,
    aigw_json_event_t event, int object)
{
    aigw_json_value_t  value = { 0 };

    value.node = node;
    value.event = event;
    value.type = object ? AIGW_JSON_OBJECT : AIGW_JSON_ARRAY;
    value.start = s->json->start;

    return s->json->schema->handler(s->ctx, &value);
}


aigw_err_t
aigw_json_watch_open(aigw_json_scan_t *s, int object)
{
    aigw_err_t               err;
    aigw_json_t             *json = s->json;
    const aigw_json_node_t  *node = aigw_json_watch_wanted(json);

    if (node != NULL) {
        err = json_report(s, node, AIGW_JSON_BEGIN, object);

        if (err != AIGW_OK) {
            return err;
        }
    }

    if (json->node != NULL && json->watched < AIGW_JSON_PATH_MAX) {
        json->path[json->watched] = json->node;
        json->seen[json->watched] = 0;
        json->watched++;
    }

    return AIGW_OK;
}


aigw_err_t
aigw_json_watch_close(aigw_json_scan_t *s)
{
    aigw_json_t             *json = s->json;
    const aigw_json_node_t  *node;

    if (!aigw_json_watch_here(json)) {
        return AIGW_OK;
    }

    node = json_in_element(json) ? NULL : json->path[json->watched - 1];
    json->watched--;

    if (node == NULL) {
        return AIGW_OK;
    }

    return json_report(s, node, AIGW_JSON_END, json->kinds & 1);
}


aigw_err_t
aigw_json_watch_first(aigw_json_scan_t *s)
{
    aigw_json_t  *json = s->json;

    if (!aigw_json_watch_here(json) || json_in_element(json)) {
        return AIGW_OK;
    }

    return json_report(s, json->path[json->watched - 1], AIGW_JSON_FIRST,
                       json->kinds & 1);
}


aigw_err_t
aigw_json_watch_scalar(aigw_json_scan_t *s, const aigw_json_node_t *node,
    aigw_json_type_t type, aigw_str_t text)
{
    aigw_json_t        *json = s->json;
    aigw_json_value_t   value = { 0 };

    value.node = node;
    value.event = AIGW_JSON_VALUE;
    value.type = type;
    value.start = json->start;
    value.end = json->offset + (uint64_t) (s->p - s->data);
    value.text = text;
    value.cut = json->capture && json->cut;

    return json->schema->handler(s->ctx, &value);
}


/* Does text equal name but for case, as lenient readers see it? A watched
   name is in lower case. */
static int
json_variant(aigw_str_t text, aigw_str_t name)
{
    size_t  i, j, left;
    int     c;

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


/* In a request: refuses what another reader may take for the member i. */
static aigw_err_t
json_once(aigw_json_t *json, const aigw_json_node_t *owner, aigw_str_t text,
    unsigned i)
{
    unsigned   k;
    uint16_t  *seen = &json->seen[json->watched - 1];

    if (i < owner->count) {
        if (*seen & 1U << i) {
            return AIGW_EEXIST;
        }

        *seen = (uint16_t) (*seen | 1U << i);
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


aigw_err_t
aigw_json_watch_name(aigw_json_t *json, aigw_str_t text)
{
    unsigned                 i;
    const aigw_json_node_t  *node, *owner = json->path[json->watched - 1];
    int                      each = (owner->flags & AIGW_JSON_EACH) != 0;

    json->node = NULL;

    if (each != json_in_element(json) || json->cut) {
        return AIGW_OK;
    }

    for (i = 0; i < owner->count; i++) {
        node = &owner->members[i];

        if (node->name.len == text.len
            && memcmp(node->name.data, text.data, text.len) == 0)
        {
            json->node = node;
            break;
        }
    }

    if (json->schema->policy == AIGW_JSON_LAST_COUNTS) {
        return AIGW_OK;
    }

    return json_once(json, owner, text, i);
}
