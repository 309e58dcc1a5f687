/*
 * Lists in pages: one thing more than asked for is read, which says whether
 * there is a next page and where it begins.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"


aigw_err_t
cli_parse_cursor_id(const char *cursor, uint64_t *id)
{
    if (cursor == NULL) {
        *id = 0;
        return AIGW_OK;
    }

    /* one text for each id, as cli_format_cursor_id writes it */
    if (cursor[0] < '1' || cursor[strspn(cursor, "0123456789")] != '\0') {
        return AIGW_EINVAL;
    }

    errno = 0;
    *id = strtoull(cursor, NULL, 10);

    return errno == 0 ? AIGW_OK : AIGW_EINVAL;
}


void
cli_format_cursor_id(uint64_t id, char text[CLI_CURSOR_LEN + 1])
{
    snprintf(text, CLI_CURSOR_LEN + 1, "%" PRIu64, id);
}


static void
set_next(cli_t *cli, const char *cursor)
{
    cJSON_ReplaceItemInObjectCaseSensitive(cli->answer, "next",
                                           cJSON_CreateString(cursor));
    snprintf(cli->next, sizeof(cli->next), "more: --cursor '%s'", cursor);
}


/* *n of at most max things behind `from`, those that are the caller's. */
static aigw_err_t
read_things(const cli_t *cli, const cli_lister_t *lister, const void *of,
    const char *from, char *things, size_t max, size_t *n)
{
    char        cursor[CLI_CURSOR_LEN + 1], *thing;
    size_t      i, got, room;
    aigw_err_t  err;

    *n = 0;

    for ( ;; ) {
        room = max - *n;
        thing = things + *n * lister->size;
        got = 0;
        err = lister->list(cli, of, from, thing, room, &got);

        if (err != AIGW_OK || got == 0 || lister->mine == NULL) {
            *n += got;
            return err;
        }

        lister->cursor(thing + (got - 1) * lister->size, cursor);
        from = cursor;

        for (i = 0; i < got; i++, thing += lister->size) {
            if (lister->mine(cli, thing)) {
                memmove(things + *n * lister->size, thing, lister->size);
                (*n)++;
            }
        }

        if (got < room || *n == max) {
            return AIGW_OK;
        }
    }
}


cli_exit_t
cli_list(cli_t *cli, const cli_lister_t *lister, const void *of)
{
    char                cursor[CLI_CURSOR_LEN + 1];
    char               *things;
    cJSON              *items, *item;
    size_t              i, n, limit;
    aigw_err_t          err;
    cli_exit_t          code;
    const char         *from;
    const cli_value_t  *option;

    option = cli_option(cli, "limit");
    limit = option->text ? (size_t) option->number : CLI_LIST_DEFAULT;
    from = cli_option(cli, "cursor")->text;

    things = cJSON_malloc((limit + 1) * lister->size);
    err = read_things(cli, lister, of, from, things, limit + 1, &n);
    code = CLI_OK;

    if (err == AIGW_EINVAL && from != NULL) {
        if (cli->caller != NULL) {
            cli->caller->field = "cursor";
        }

        code = cli_fail(cli, CLI_USAGE, "it is what `next` of a list says",
                        "%scursor: '%s' is not one", cli->caller ? "" : "--",
                        from);

    } else if (err != AIGW_OK) {
        code = cli_fail_store(cli, err, lister->what, NULL);
    }

    items = cli_new_list(cli);

    for (i = 0; code == CLI_OK && i < n && i < limit; i++) {
        item = cJSON_CreateObject();
        cJSON_AddItemToArray(items, item);
        code = lister->add(cli, item, things + i * lister->size);
    }

    if (code == CLI_OK && n > limit) {
        lister->cursor(things + (limit - 1) * lister->size, cursor);
        set_next(cli, cursor);
    }

    cJSON_free(things);

    return code;
}
