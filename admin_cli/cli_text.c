/*
 * One value as people read it in a table, or as programs read it in CSV. What
 * a field is follows from its name, which is the same everywhere.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "aigw_time.h"
#include "cli.h"


#define CELL_MAX  8191


int
cli_is_number(const char *name, const cJSON *value)
{
    return cJSON_IsRaw(value)
           || cli_field_is(name, CLI_FIELD_AMOUNT, CLI_FIELD_EXACT);
}


/* The field's name, as --columns takes it, in capitals. */
void
cli_heading(const char *name, char *text, size_t size)
{
    size_t  i;

    for (i = 0; name[i] != '\0' && i + 1 < size; i++) {
        text[i] = (char) toupper((unsigned char) name[i]);
    }

    text[i] = '\0';
}


static void
local_time(const char *text, char *out, size_t size)
{
    time_t     seconds;
    int64_t    ms;
    struct tm  tm;

    if (aigw_time_parse(cli_str(text), &ms) != AIGW_OK) {
        snprintf(out, size, "%s", text);
        return;
    }

    seconds = (time_t) (ms / 1000);

    if (localtime_r(&seconds, &tm) == NULL
        || strftime(out, size, "%Y-%m-%d %H:%M:%S %Z", &tm) == 0)
    {
        snprintf(out, size, "%s", text);
    }
}


static const char *
join(const cJSON *array, char *out, size_t size)
{
    size_t        len;
    const cJSON  *item;

    len = 0;
    out[0] = '\0';

    cJSON_ArrayForEach(item, array) {
        snprintf(out + len, size - len, "%s%s", len ? "," : "",
                 cJSON_IsString(item) ? item->valuestring : "");
        len = strlen(out);
    }

    return out;
}


static const char *
nothing(const char *name, int raw)
{
    if (raw) {
        return "";
    }

    return cli_has_word("quota,remaining", name) ? "unlimited" : "-";
}


const char *
cli_cell(const char *name, const cJSON *value, int raw)
{
    static char  text[CELL_MAX + 1];

    if (value == NULL || cJSON_IsNull(value)) {
        return nothing(name, raw);
    }

    if (cJSON_IsBool(value)) {
        return raw ? (cJSON_IsTrue(value) ? "true" : "false")
                   : (cJSON_IsTrue(value) ? "yes" : "no");
    }

    if (cJSON_IsArray(value)) {
        join(value, text, sizeof(text));
        return text[0] == '\0' ? nothing(name, raw) : text;
    }

    if (cJSON_IsObject(value)
        && cJSON_PrintPreallocated((cJSON *) value, text, sizeof(text), 0))
    {
        return text;
    }

    if (cJSON_IsString(value) && !raw
        && cli_field_is(name, CLI_FIELD_TIME, CLI_FIELD_TIME))
    {
        local_time(value->valuestring, text, sizeof(text));
        return text;
    }

    if (value->valuestring == NULL || value->valuestring[0] == '\0') {
        return nothing(name, raw);
    }

    return value->valuestring;
}
