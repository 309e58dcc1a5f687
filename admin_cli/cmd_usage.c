/*
 * aigw usage: sums over calls, from the hourly roll-ups and, at the edges of
 * the range, from rows: exact for any range.
 */

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "aigw_time.h"
#include "cli.h"


#define DAY_LEN  10                   /* of an RFC 3339 date */

/* By what sums are kept apart. */
typedef enum {
    BY_NOTHING,
    BY_DAY,
    BY_MODEL,
    BY_TAG,
    BY_KEY,
    BY_USER,
    BY_PROJECT
} by_t;

/* One line of the report: of an id, or of a text where id is 0. */
typedef struct {
    uint64_t     id;
    char         text[AIGW_MODEL_MAX + 1];
    aigw_sums_t  sums;
} group_t;

typedef struct {
    by_t       by;
    void      *tree;                  /* of group_t, by id and text */
    group_t  **groups;                /* the same, in order of finding */
    size_t     n, max;
} report_t;


static by_t
by_of(const char *text)
{
    switch (text ? text[0] : '\0') {
    case 'd': return BY_DAY;
    case 'm': return BY_MODEL;
    case 't': return BY_TAG;
    case 'k': return BY_KEY;
    case 'u': return BY_USER;
    case 'p': return BY_PROJECT;
    default:  return BY_NOTHING;
    }
}


static int
compare(const void *a, const void *b)
{
    const group_t  *x = a;
    const group_t  *y = b;

    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }

    return strcmp(x->text, y->text);
}


static void
name_group(by_t by, const aigw_cell_t *cell, group_t *group)
{
    char  time[AIGW_TIME_LEN + 1];

    group->id = by == BY_KEY ? cell->key_id
                : by == BY_USER ? cell->user_id
                : by == BY_PROJECT ? cell->project_id : 0;
    group->text[0] = '\0';

    if (by == BY_DAY) {
        aigw_time_format(cell->hour_ms, time);
        snprintf(group->text, sizeof(group->text), "%.*s", DAY_LEN, time);

    } else if (by == BY_MODEL) {
        snprintf(group->text, sizeof(group->text), "%s", cell->model);

    } else if (by == BY_TAG) {
        snprintf(group->text, sizeof(group->text), "%s", cell->tag);
    }
}


/* The group that key names, made if it is new. */
static group_t *
find_group(report_t *report, const group_t *key)
{
    void     **node;
    group_t   *group;

    node = tfind(key, &report->tree, compare);

    if (node != NULL) {
        return *node;
    }

    if (report->n == report->max) {
        report->max = report->max ? report->max * 2 : 64;
        report->groups = cli_realloc(report->groups,
                                     report->max * sizeof(group_t *));
    }

    group = cli_realloc(NULL, sizeof(group_t));
    *group = *key;
    memset(&group->sums, 0, sizeof(group->sums));
    report->groups[report->n++] = group;

    return tsearch(group, &report->tree, compare) != NULL ? group : NULL;
}


static aigw_err_t
on_cell(void *data, const aigw_cell_t *cell)
{
    group_t    key;
    group_t   *group;
    report_t  *report = data;

    name_group(report->by, cell, &key);
    group = find_group(report, &key);

    return group == NULL ? AIGW_ENOMEM
                         : aigw_record_add_sums(&group->sums, &cell->sums);
}


/* Days: newest first; else those that cost most. */
static int
order(const void *a, const void *b)
{
    const group_t  *x = *(group_t *const *) a;
    const group_t  *y = *(group_t *const *) b;

    if (x->id == 0 && y->id == 0 && x->sums.cost_nano == y->sums.cost_nano) {
        return strcmp(x->text, y->text);
    }

    if (x->sums.cost_nano != y->sums.cost_nano) {
        return x->sums.cost_nano > y->sums.cost_nano ? -1 : 1;
    }

    return x->id < y->id ? -1 : x->id > y->id;
}


static int
order_days(const void *a, const void *b)
{
    return strcmp((*(group_t *const *) b)->text, (*(group_t *const *) a)->text);
}


static void
add_sums(cJSON *object, const aigw_sums_t *sums)
{
    cli_add_count(object, "calls", sums->calls);
    cli_add_count(object, "ok_calls", sums->ok_calls);
    cli_add_count(object, "refused_calls", sums->refused_calls);
    cli_add_percent(object, "success_rate", sums->ok_calls, sums->calls, 100);
    cli_add_count(object, "prompt_tokens", sums->prompt_tokens);
    cli_add_count(object, "completion_tokens", sums->completion_tokens);
    cli_add_count(object, "total_tokens",
                  cli_sum(sums->prompt_tokens, sums->completion_tokens));
    cli_add_amount(object, "cost", sums->cost_nano);
    cli_add_percent(object, "estimated_share", sums->inexact_calls,
                    sums->calls, 0);
}


/* A call whose key nobody knows belongs to no user, one without a tag to no
   tag: null. */
static void
add_group_name(const cli_t *cli, cJSON *object, by_t by, const group_t *group)
{
    int       known;
    char      name[AIGW_NAME_MAX + 1];
    uint64_t  of, none;

    if (by == BY_DAY || by == BY_MODEL || by == BY_TAG) {
        cli_add_text(object, "group", group->text[0] ? group->text : NULL);
        return;
    }

    known = group->id != 0
            && cli_name_of(cli, by == BY_KEY ? AIGW_ACCOUNT_KEY
                                : by == BY_USER ? AIGW_ACCOUNT_USER
                                : AIGW_ACCOUNT_PROJECT, group->id, name, &of);

    cli_add_text(object, "group", known ? name : NULL);
    cli_add_id(object, "group_id", group->id);

    /* A key's name is unique only within its project. */

    if (by == BY_KEY) {
        cli_add_text(object, "project",
                     known && cli_name_of(cli, AIGW_ACCOUNT_PROJECT, of, name,
                                          &none) ? name : NULL);
    }
}


static void
answer(cli_t *cli, const report_t *report)
{
    cJSON        *items, *item;
    size_t        i;
    aigw_sums_t   none = { 0 };

    if (report->by == BY_NOTHING) {
        cli->answer = cJSON_CreateObject();
        add_sums(cli->answer, report->n ? &report->groups[0]->sums : &none);

        return;
    }

    if (report->n > 1) {
        qsort(report->groups, report->n, sizeof(group_t *),
              report->by == BY_DAY ? order_days : order);
    }

    items = cli_new_list(cli);

    for (i = 0; i < report->n; i++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(items, item);
        add_group_name(cli, item, report->by, report->groups[i]);
        add_sums(item, &report->groups[i]->sums);
    }
}


static void
free_report(report_t *report)
{
    size_t  i;

    for (i = 0; i < report->n; i++) {
        tdelete(report->groups[i], &report->tree, compare);
        free(report->groups[i]);
    }

    free(report->groups);
}


cli_exit_t
cmd_usage_show(cli_t *cli)
{
    report_t           report = { 0 };
    aigw_err_t         err;
    cli_exit_t         code;
    aigw_row_filter_t  filter;

    code = cmd_log_filter(cli, &filter);
    if (code != CLI_OK) {
        return code;
    }

    cmd_log_range(cli, &filter);
    cli_report(cli);
    report.by = by_of(cli_option(cli, "by")->text);
    filter.by_tag = report.by == BY_TAG;

    cmd_prune_warn(cli, &filter);

    err = aigw_store_each_cell(cli->store, &filter, on_cell, &report);

    if (err == AIGW_OK) {
        answer(cli, &report);

    } else {
        code = cli_fail_store(cli, err, "the usage", NULL);
    }

    free_report(&report);

    return code;
}
