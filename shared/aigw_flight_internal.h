/*
 * What the owner of a call in flight and the one who recovers it share. Not for
 * module or CLI.
 */

#ifndef AIGW_FLIGHT_INTERNAL_H
#define AIGW_FLIGHT_INTERNAL_H

#include "aigw_live_internal.h"


/* An entry with what its stages change. slot NULL: an account that has none. */
typedef struct {
    aigw_live_counters_t  *counters;
    aigw_journal_file_t   *file;
    unsigned               writer;
    aigw_flight_entry_t   *entry;
    aigw_live_slot_t      *slot[AIGW_LIVE_LEVELS];
} aigw_flight_t;


/* Finds the entry's accounts. */
void aigw_flight_open(aigw_flight_t *f, aigw_live_t *live,
    aigw_journal_t *journal, unsigned flight);

/* Gives back what the first n accounts hold, and frees the entry. */
void aigw_flight_undo(aigw_flight_t *f, unsigned n) AIGW_COLD;

/* Decides how a held entry ends, and settles it so. */
void aigw_flight_settle(aigw_flight_t *f, const aigw_row_t *row);

/* Settles from a stage on that has not happened yet; frees the entry. */
void aigw_flight_finish(aigw_flight_t *f, unsigned stage);

#endif /* AIGW_FLIGHT_INTERNAL_H */
