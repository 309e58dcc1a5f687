/*
 * Documents of one shape: alike but for their numbers and strings, as the
 * answers of an upstream are, and the chunks of its streams. A shape is learned
 * from one that has been scanned. Another one is compared with it, which costs
 * a fraction of a scan; its handler is told what a scan would tell it. No
 * allocation.
 */

#ifndef AIGW_JSON_SHAPE_H
#define AIGW_JSON_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "aigw.h"
#include "aigw_json.h"


/* A document with more of them has no shape. */
#define AIGW_JSON_SHAPE_BYTES  1024    /* beside its values */
#define AIGW_JSON_SHAPE_VALUES   48
#define AIGW_JSON_SHAPE_EVENTS   64


/* Bytes that are the same in each document, and what is behind them. */
typedef struct {
    uint16_t                  len;
    uint16_t                  type;    /* aigw_json_type_t: a string, less its
                                          quotes, or a number; 0: nothing */
} aigw_json_shape_part_t;


/* Where a byte stands: that far behind the first one of a part. */
typedef struct {
    uint16_t                  part;
    uint16_t                  bytes;
} aigw_json_shape_place_t;


typedef struct {
    const aigw_json_node_t   *node;
    aigw_json_shape_place_t   start;
    aigw_json_shape_place_t   end;
    uint8_t                   event;   /* aigw_json_event_t */
    uint8_t                   type;    /* aigw_json_type_t */
} aigw_json_shape_event_t;


/* Private to aigw_json_shape.c. */
typedef struct {
    uint16_t                  parts_n; /* 0: no shape */
    uint16_t                  events_n;
    uint16_t                  bytes_n;
    aigw_json_shape_part_t    parts[AIGW_JSON_SHAPE_VALUES + 1];
    aigw_json_shape_event_t   events[AIGW_JSON_SHAPE_EVENTS];
    char                      bytes[AIGW_JSON_SHAPE_BYTES];
} aigw_json_shape_t;


/*
 * Learns the shape of a document that a scan by schema (borrowed for good) has
 * taken. AIGW_ERANGE: it has none: it has too much of something, numbers that
 * are no plain counts, or a string whose text is wanted; shape is then empty.
 */
aigw_err_t aigw_json_shape_learn(aigw_json_shape_t *shape,
    const aigw_json_schema_t *schema, const unsigned char *data, size_t len)
    AIGW_CHECKED;

/*
 * Takes a document for json, which is fresh from aigw_json_init with the same
 * schema, as aigw_json_feed does; *err is what that would return. 0: data is
 * not a whole document of that shape; nothing was done.
 */
int aigw_json_shape_feed(const aigw_json_shape_t *shape, aigw_json_t *json,
    const unsigned char *data, size_t len, void *ctx, aigw_err_t *err);

#endif /* AIGW_JSON_SHAPE_H */
