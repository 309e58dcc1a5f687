/*
 * aigw top: the calls that are in flight at this moment, of all workers. It
 * only looks: nothing is settled, drained or waited for here.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aigw_price.h"
#include "aigw_time.h"
#include "cli.h"


#define WATCH_MS  1000
#define CLEAR     "\033[H\033[J"


typedef struct {
    aigw_row_filter_t    filter;
    aigw_flight_view_t  *view;
    size_t               n;
    size_t               room;
} flights_t;


static const char *
state_of(const aigw_flight_view_t *view)
{
    if (view->settling) {
        return "settling";
    }

    if (!view->sent) {
        return "admitted";
    }

    return view->text_bytes != 0 || view->seen ? "answering" : "waiting";
}


/* Empty: any. */
static int
is_text(aigw_str_t wanted, const char *text)
{
    return wanted.len == 0
           || (strlen(text) == wanted.len
               && memcmp(text, wanted.data, wanted.len) == 0);
}


static int
matches(const aigw_row_filter_t *filter, const aigw_row_t *row)
{
    return (filter->project_id == 0 || filter->project_id == row->project_id)
           && is_text(filter->model, row->model)
           && is_text(filter->tag, row->tag);
}


static aigw_err_t
collect(void *data, const aigw_flight_view_t *view)
{
    flights_t  *flights = data;

    if (!matches(&flights->filter, &view->row)) {
        return AIGW_OK;
    }

    if (flights->n == flights->room) {
        flights->room = flights->room ? 2 * flights->room : 64;
        flights->view = cli_realloc(flights->view, flights->room
                                    * sizeof(aigw_flight_view_t));
    }

    flights->view[flights->n++] = *view;

    return AIGW_OK;
}


/* Ids are ordered by time: the newest first. */
static int
by_age(const void *a, const void *b)
{
    const aigw_flight_view_t  *x = a, *y = b;

    return memcmp(y->row.id, x->row.id, AIGW_ROW_ID_LEN);
}


static int
by_hold(const void *a, const void *b)
{
    const aigw_flight_view_t  *x = a, *y = b;

    if (x->row.hold_nano != y->row.hold_nano) {
        return x->row.hold_nano < y->row.hold_nano ? 1 : -1;
    }

    return by_age(a, b);
}


static void
add_flight(const cli_t *cli, cJSON *object, const aigw_flight_view_t *view,
    int64_t now_ms)
{
    char               id[AIGW_ROW_ID_TEXT_LEN + 1];
    const aigw_row_t  *row = &view->row;

    aigw_record_format_id(row->id, id);

    cli_add_text(object, "id", id);
    cli_add_time(object, "time", row->time_ms);
    cli_add_count(object, "age_ms",
                  now_ms > row->time_ms ? now_ms - row->time_ms : 0);
    cmd_log_add_names(cli, object, row);
    cli_add_text(object, "tag", row->tag[0] != '\0' ? row->tag : NULL);
    cli_add_text(object, "model", row->model[0] != '\0' ? row->model : NULL);
    cli_add_text(object, "route", aigw_record_route_name(row->route));
    cJSON_AddBoolToObject(object, "stream",
                          (row->flags & AIGW_ROW_STREAM) != 0);
    cli_add_text(object, "state", state_of(view));
    cli_add_amount(object, "held", row->hold_nano);
    cli_add_count(object, "text_bytes", (int64_t) view->text_bytes);

    if (view->seen) {
        cli_add_count(object, "prompt_tokens", row->tokens.prompt_tokens);
        cli_add_count(object, "completion_tokens",
                      row->tokens.completion_tokens);

    } else {
        cJSON_AddNullToObject(object, "prompt_tokens");
        cJSON_AddNullToObject(object, "completion_tokens");
    }

    cli_add_count(object, "journal", view->journal);
}


/* What is shown is a page; the sum is of all of it. */
static void
sum_up(cli_t *cli, const flights_t *flights, size_t shown)
{
    char     held[AIGW_AMOUNT_LEN + 1];
    size_t   i;
    int64_t  sum;

    sum = 0;

    for (i = 0; i < flights->n; i++) {
        sum = cli_sum(sum, flights->view[i].row.hold_nano);
    }

    (void) aigw_amount_format(sum, held);
    snprintf(cli->next, sizeof(cli->next), "%zu in flight, %s held%s",
             flights->n, held, shown < flights->n ? "; --limit shows more"
                                                  : "");
}


static cli_exit_t
look(cli_t *cli, const aigw_row_filter_t *filter)
{
    size_t              i, shown;
    cJSON              *items, *object;
    int64_t             now_ms;
    aigw_err_t          err;
    flights_t           flights = { *filter, NULL, 0, 0 };
    const char         *by;
    const cli_value_t  *limit;

    limit = cli_option(cli, "limit");
    by = cli_option(cli, "by")->text;
    items = cli_new_list(cli);

    err = cli->live != NULL
          ? aigw_flight_each(cli->live, collect, &flights) : AIGW_OK;

    if (err != AIGW_OK) {
        free(flights.view);
        return cli_fail_store(cli, err, "the calls in flight", NULL);
    }

    if (flights.n != 0) {
        qsort(flights.view, flights.n, sizeof(aigw_flight_view_t),
              by != NULL && strcmp(by, "hold") == 0 ? by_hold : by_age);
    }

    shown = limit->text ? (size_t) limit->number : CLI_LIST_DEFAULT;
    shown = shown < flights.n ? shown : flights.n;
    now_ms = aigw_time_now_ms();

    for (i = 0; i < shown; i++) {
        object = cJSON_CreateObject();
        cJSON_AddItemToArray(items, object);
        add_flight(cli, object, &flights.view[i], now_ms);
    }

    sum_up(cli, &flights, shown);
    free(flights.view);

    return CLI_OK;
}


/* On a terminal over what was there, else one answer below the other. */
static cli_exit_t
watch(cli_t *cli, const aigw_row_filter_t *filter)
{
    int          over;
    cli_exit_t   code;
    const char  *term;

    term = getenv("TERM");
    over = isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;

    cli_catch_interrupt();

    do {
        /* nginx may start, or be replaced, while this goes on */
        aigw_live_close(cli->live);
        (void) cli_open_live(cli);

        code = look(cli, filter);

        if (code == CLI_OK) {
            fputs(over ? CLEAR : "", stdout);
            cli_print(cli);

            if (over) {
                printf("%s\n", cli->next);
            }

            code = cli_pause(cli, WATCH_MS);
        }

        cJSON_Delete(cli->answer);
        cli->answer = NULL;

    } while (code == CLI_OK);

    return code;
}


cli_exit_t
cmd_top(cli_t *cli)
{
    cli_exit_t         code;
    const char        *model;
    aigw_row_filter_t  filter;

    code = cmd_log_filter(cli, &filter);
    if (code != CLI_OK) {
        return code;
    }

    model = cli_option(cli, "model")->text;
    filter.model = cli_str(model ? model : "");

    if (cli_option(cli, "watch")->text != NULL) {
        return watch(cli, &filter);
    }

    (void) cli_open_live(cli);

    return look(cli, &filter);
}
