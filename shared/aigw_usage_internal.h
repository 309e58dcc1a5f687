/* Private to the files of the meter: the stream, and the usage in it. */

#ifndef AIGW_USAGE_INTERNAL_H
#define AIGW_USAGE_INTERNAL_H

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_usage.h"


/* What is watched in an answer or a chunk; ctx is the meter. */
extern const aigw_json_schema_t  aigw_usage_schema;

/* Makes m ready for a document or an event. */
void aigw_usage_begin(aigw_usage_meter_t *m);

/* The document in hand is whole or, cut, all that will come: what was found in
   it counts from now on. */
void aigw_usage_commit(aigw_usage_meter_t *m);

/* Counts the text of a string that will not be completed. */
void aigw_usage_count_rest(aigw_usage_meter_t *m);

/* --- aigw_usage_shapes.c --- */

/* If the document has a shape that is known: 1, and it is taken as by
   aigw_json_feed, which would return *err. */
int aigw_usage_shapes_feed(aigw_usage_meter_t *m, const unsigned char *data,
    size_t len, aigw_err_t *err);

/* A scan has taken the document, of which no shape was known. */
void aigw_usage_shapes_learn(aigw_usage_shapes_t *shapes,
    const unsigned char *data, size_t len);

#endif /* AIGW_USAGE_INTERNAL_H */
