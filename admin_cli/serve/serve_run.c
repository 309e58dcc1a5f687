/*
 * A command for a request: the store is opened as the command line would, who
 * calls is looked up in it, and what the command answers is the answer.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <string.h>

#include "serve.h"


static pthread_mutex_t  lock = PTHREAD_MUTEX_INITIALIZER;


int
serve_open(serve_request_t *r, unsigned needs)
{
    cli_exit_t            code;
    cli_command_t         command = { .needs = needs };
    const cli_command_t  *saved = r->cli.command;

    pthread_mutex_lock(&lock);
    r->locked = 1;

    r->cli.command = &command;
    code = cli_open_store(&r->cli);
    r->cli.command = saved;

    if (code == CLI_OK) {
        serve_act(r);
        return 1;
    }

    /* whatever it is: nobody here can mend it, and it may pass */
    fprintf(stderr, "aigw serve: %s\n", r->caller.message);
    serve_close(r);
    serve_fail_store(r);

    return 0;
}


void
serve_close(serve_request_t *r)
{
    if (!r->locked) {
        return;
    }

    aigw_live_close(r->cli.live);
    aigw_store_close(r->cli.store);
    r->cli.live = NULL;
    r->cli.store = NULL;
    r->locked = 0;
    pthread_mutex_unlock(&lock);
}


static int
is_allowed(serve_request_t *r)
{
    if (r->route->roles & r->user.role) {
        return 1;
    }

    serve_fail(r, MHD_HTTP_FORBIDDEN, "not_authorised", NULL, NULL,
               "your role may not do this");

    return 0;
}


static void
run_command(serve_request_t *r)
{
    cJSON       *answer;
    cli_exit_t   code;

    code = r->cli.command->run(&r->cli);
    answer = r->cli.answer;
    r->cli.answer = NULL;

    if (code == CLI_OK) {
        serve_answer(r, r->route->status, answer);

    } else {
        cJSON_Delete(answer);
        serve_fail_command(r, code);
    }
}


void
serve_run(serve_request_t *r)
{
    const serve_route_t  *route = r->route;

    if (route->roles & SERVE_ANYONE) {
        route->handler(r);
        serve_close(r);
        return;
    }

    if (route->noun != NULL) {
        r->cli.command = cli_find_command(route->noun, route->verb);
    }

    if (!serve_open(r, route->noun ? r->cli.command->needs
                       : route->method[0] == 'P' ? CLI_NEEDS_WRITE
                       : CLI_NEEDS_STORE))
    {
        return;
    }

    if (serve_authenticate(r) && is_allowed(r)) {
        r->caller.user_id = r->user.role == SERVE_MEMBER ? r->user.id : 0;

        if (route->handler != NULL) {
            route->handler(r);

        } else if (serve_take_values(r)) {
            run_command(r);
        }
    }

    serve_close(r);
}
