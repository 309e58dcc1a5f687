/*
 * What `aigw-sim --load` says in the end: one line of JSON. It judges nothing.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <stdlib.h>

#include "load.h"


static int
compare(const void *one, const void *two)
{
    uint32_t  a = *(const uint32_t *) one, b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


void
load_report(uint64_t elapsed_us)
{
    int          i;
    size_t       n = load.answers;
    const char  *comma = "";

    qsort(load.took_us, n, sizeof(uint32_t), compare);
    qsort(load.first_us, n, sizeof(uint32_t), compare);
    printf("{\"requests\":%llu,\"broken\":%llu,\"aborted\":%llu,"
           "\"again\":%llu,\"stopped\":%llu,\"bytes\":%llu,"
           "\"seconds\":%.3f,\"per_second\":%.0f,\"status\":{",
           (unsigned long long) load.done, (unsigned long long) load.broken,
           (unsigned long long) load.aborted, (unsigned long long) load.again,
           (unsigned long long) load.stopped, (unsigned long long) load.bytes,
           (double) elapsed_us / 1e6,
           (double) load.done * 1e6 / (double) (elapsed_us + 1));

    for (i = 0; i < LOAD_STATUS_MAX; i++) {
        if (load.status[i] != 0) {
            printf("%s\"%d\":%llu", comma, i,
                   (unsigned long long) load.status[i]);
            comma = ",";
        }
    }

    printf("},\"errors\":[");

    for (i = 0; i < (int) load.nerrors; i++) {
        printf("%s{\"code\":\"%s\",\"message\":\"%s\",\"count\":%llu}",
               i == 0 ? "" : ",", load.errors[i].code.data,
               load.errors[i].message.data,
               (unsigned long long) load.errors[i].count);
    }

    printf("],\"first_p50_us\":%u,\"p50_us\":%u,\"p99_us\":%u,"
           "\"max_us\":%u}\n",
           n == 0 ? 0 : load.first_us[n / 2],
           n == 0 ? 0 : load.took_us[n / 2],
           n == 0 ? 0 : load.took_us[n - 1 - n / 100],
           n == 0 ? 0 : load.took_us[n - 1]);
}
