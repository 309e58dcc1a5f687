/*
 * How many tokens a prompt has: a quarter of the bytes of the raw value of
 * `messages`, rounded up, or (--estimate) what the gateway's estimator says of
 * the whole body without the stream_options that the gateway adds; it cannot
 * know an output limit that was added. Then --over percent more.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>

#include "aigw_estimate.h"
#include "sim.h"


int64_t
sim_count_prompt(aigw_str_t body, aigw_str_t messages)
{
    static const char  added[] =
        "\"stream_options\":{\"include_usage\":true},";

    int64_t          n;
    size_t           len = sizeof(added) - 1, before;
    const char      *p;
    aigw_estimate_t  e;

    if (sim.prompt > 0) {
        return sim.prompt;
    }

    n = (int64_t) ((messages.len + 3) / 4);

    if (sim.estimate) {
        p = memmem(body.data, body.len, added, len);
        before = p == NULL ? body.len : (size_t) (p - body.data);

        aigw_estimate_init(&e);
        aigw_estimate_feed(&e, (const unsigned char *) body.data, before);

        if (p != NULL) {
            aigw_estimate_feed(&e, (const unsigned char *) p + len,
                               body.len - before - len);
        }

        n = aigw_estimate_tokens(&e);
    }

    return (n * (100 + sim.over) + 99) / 100;
}
