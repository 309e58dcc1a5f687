/*
 * How many tokens a text has, roughly, where nobody has counted them: one pass
 * over JSON as it came, in pieces of any size, a few nanoseconds a byte, no
 * tables of a vocabulary. Weights by classes of characters, fitted to o200k:
 * wire-formats 4.2 (median error 3 %, 11 % for 95 of 100 ordinary texts).
 */

#ifndef AIGW_ESTIMATE_H
#define AIGW_ESTIMATE_H

#include "aigw.h"


/* Private to aigw_estimate.c. May be copied by assignment. */
typedef struct {
    int64_t    centitokens;           /* of all runs before the one in hand */
    uint32_t   run;                   /* characters of the run in hand */
    uint8_t    kind;                  /* its class */
    uint8_t    escape;                /* what of an escape has been seen */
} aigw_estimate_t;


void aigw_estimate_init(aigw_estimate_t *e);

/* Goes on with len bytes; borrows them during the call. Any split gives the
   same count. */
void aigw_estimate_feed(aigw_estimate_t *e, const unsigned char *data,
    size_t len);

/* Tokens of all that was fed, rounded up. */
int64_t aigw_estimate_tokens(const aigw_estimate_t *e);

#endif /* AIGW_ESTIMATE_H */
