/* Private to the files of the scanner: grammar, watched tree, text. */

#ifndef AIGW_JSON_INTERNAL_H
#define AIGW_JSON_INTERNAL_H

#include "aigw.h"
#include "aigw_json.h"


/* One call of aigw_json_feed: the bytes from p on are still to be scanned. */
typedef struct {
    aigw_json_t          *json;
    const unsigned char  *data;
    const unsigned char  *p;
    const unsigned char  *end;
    void                 *ctx;
} aigw_json_scan_t;


/* --- aigw_json_watch.c --- */

/* Is the innermost container a watched one? */
static inline int
aigw_json_watch_here(const aigw_json_t *json)
{
    return json->depth == json->watched;
}


/* The node of the value in hand, if it is to be reported: elements are not. */
static inline const aigw_json_node_t *
aigw_json_watch_wanted(const aigw_json_t *json)
{
    if (json->node == NULL
        || (json->watched && json->node == json->path[json->watched - 1]))
    {
        return NULL;
    }

    return json->node;
}


/* Entering a container at the value in hand (`depth` is not raised yet),
   leaving it (`depth` is not lowered yet), and finding something in it. */
aigw_err_t aigw_json_watch_open(aigw_json_scan_t *s, int object)
    AIGW_CHECKED;
aigw_err_t aigw_json_watch_close(aigw_json_scan_t *s) AIGW_CHECKED;
aigw_err_t aigw_json_watch_first(aigw_json_scan_t *s) AIGW_CHECKED;

/* The scalar in hand, node's, ends before s->p. */
aigw_err_t aigw_json_watch_scalar(aigw_json_scan_t *s,
    const aigw_json_node_t *node, aigw_json_type_t type, aigw_str_t text)
    AIGW_CHECKED;

/* A member's name is complete: finds the node of its value. */
aigw_err_t aigw_json_watch_name(aigw_json_t *json, aigw_str_t text)
    AIGW_CHECKED;

/* The node that the next element of a watched container has. */
const aigw_json_node_t *aigw_json_watch_element(const aigw_json_t *json);


/* --- aigw_json_text.c --- */

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

#endif /* AIGW_JSON_INTERNAL_H */
