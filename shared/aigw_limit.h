/*
 * The comparisons that decide: is a model in a list, is anything left of a
 * quota, has a moment passed. Pure: no clock, no store.
 */

#ifndef AIGW_LIMIT_H
#define AIGW_LIMIT_H

#include "aigw.h"


/*
 * patterns: names separated by commas; a '*' in a pattern stands for any
 * characters, nothing else is special. An empty list allows no model.
 * Case-sensitive. Time is linear in both lengths per pattern. Threats A18.
 */
int aigw_limit_model_allowed(aigw_str_t patterns, aigw_str_t model);

/* Does the list have this very name, not by a wildcard? */
int aigw_limit_model_named(aigw_str_t patterns, aigw_str_t model);

/* A list as --models takes it: no empty item, no blanks, no control
   characters, at most AIGW_MODELS_MAX bytes. AIGW_EINVAL else. */
aigw_err_t aigw_limit_check_models(aigw_str_t patterns) AIGW_CHECKED;

/*
 * What is left of limit_nano (AIGW_UNLIMITED: INT64_MAX) after what is spent
 * and held; never below 0, never wraps. Below 0 is spent what came back as a
 * credit: then more than the limit is left.
 */
int64_t aigw_limit_left(int64_t limit_nano, int64_t spent_nano,
    int64_t held_nano);

/* expires_ms 0: never. True from the very millisecond on (threats A05). */
int aigw_limit_expired(int64_t expires_ms, int64_t now_ms);

#endif /* AIGW_LIMIT_H */
