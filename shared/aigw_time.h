/*
 * Moments as text: milliseconds since 1970 UTC (int64) and RFC 3339.
 * Only aigw_time_now reads a clock.
 */

#ifndef AIGW_TIME_H
#define AIGW_TIME_H

#include "aigw.h"


#define AIGW_TIME_LEN  24             /* "2026-11-24T14:52:47.123Z" */


int64_t aigw_time_now_ms(void);

/* RFC 3339 in UTC with milliseconds; years 0001 to 9999, clamped. */
void aigw_time_format(int64_t ms, char text[AIGW_TIME_LEN + 1]);

/*
 * "2026-11-24", "2026-11-24T14:52:47Z", with fraction, with +hh:mm.
 * AIGW_EINVAL else (a date that does not exist included).
 */
aigw_err_t aigw_time_parse(aigw_str_t text, int64_t *ms) AIGW_CHECKED;

/* "30d", "24h", "15m", "90s", "2w": a positive number and one unit, as
   milliseconds. AIGW_EINVAL, AIGW_ERANGE. */
aigw_err_t aigw_time_parse_span(aigw_str_t text, int64_t *span_ms) AIGW_CHECKED;

#endif /* AIGW_TIME_H */
