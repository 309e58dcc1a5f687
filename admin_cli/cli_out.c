/*
 * The answer of a command to stdout, in the form that was asked for. It knows
 * no command: what it prints is what the JSON document has.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "cli.h"


#define NAME_LEN  48

typedef struct {
    char    name[CLI_COLUMNS_MAX][NAME_LEN + 1];
    size_t  n;
} columns_t;


static void
add_column(columns_t *columns, const char *name, size_t len)
{
    if (columns->n < CLI_COLUMNS_MAX) {
        snprintf(columns->name[columns->n++], NAME_LEN + 1, "%.*s", (int) len,
                 name);
    }
}


static void
split_columns(columns_t *columns, const char *list)
{
    aigw_str_t  word;

    while (cli_next_word(&list, ',', &word)) {
        add_column(columns, word.data, word.len);
    }
}


cli_exit_t
cli_check_columns(const cli_t *cli)
{
    size_t                i;
    columns_t             columns;
    const cli_command_t  *c;

    if (cli->columns == NULL) {
        return CLI_OK;
    }

    if (cli->format != CLI_TABLE && cli->format != CLI_CSV) {
        return cli_fail(cli, CLI_USAGE, "JSON has all fields, -q and -o name"
                        " but one", "--columns is for tables and CSV");
    }

    c = cli->command;
    columns.n = 0;
    split_columns(&columns, cli->columns);

    for (i = 0; i < columns.n; i++) {
        if (!cli_has_word(c->fields, columns.name[i])
            && !cli_has_word(c->extra, columns.name[i]))
        {
            return cli_fail(cli, CLI_USAGE, c->fields,
                            "--columns: no such field: '%s'",
                            columns.name[i]);
        }
    }

    return CLI_OK;
}


/* An object within an object is shown as if its fields were the outer's. */
static cJSON *
flatten(const cJSON *object)
{
    cJSON        *flat;
    const cJSON  *item, *inner;

    flat = cJSON_CreateObject();

    cJSON_ArrayForEach(item, object) {
        if (!cJSON_IsObject(item)) {
            cJSON_AddItemToObject(flat, item->string,
                                  cJSON_Duplicate(item, 1));
            continue;
        }

        cJSON_ArrayForEach(inner, item) {
            cJSON_AddItemToObject(flat, inner->string,
                                  cJSON_Duplicate(inner, 1));
        }
    }

    return flat;
}


/* A list within a thing: a table of its own, where there is room for one. */
static int
is_nested(const cJSON *value)
{
    return cJSON_IsArray(value) && cJSON_IsObject(value->child);
}


/* Those asked for, else a table's usual ones, else what the items have. */
static void
choose_columns(const cli_t *cli, const cJSON *items, columns_t *columns)
{
    const cJSON  *field;

    columns->n = 0;

    if (cli->columns != NULL) {
        split_columns(columns, cli->columns);
        return;
    }

    if (cli->format == CLI_TABLE && cli->command->columns != NULL) {
        split_columns(columns, cli->command->columns);
        return;
    }

    if (items->child == NULL) {
        split_columns(columns, cli->command->fields);
        return;
    }

    cJSON_ArrayForEach(field, items->child) {
        if (!is_nested(field)) {
            add_column(columns, field->string, strlen(field->string));
        }
    }
}


/* RFC 4180. A text that a spreadsheet would run as a formula gets a quote in
   front; control characters would reach a terminal. */
static void
print_csv_cell(const char *text, int number)
{
    int  quote;

    if (!number && text[0] != '\0' && strchr("=+-@", text[0]) != NULL) {
        fputs("\"'", stdout);
        quote = 1;

    } else {
        quote = strpbrk(text, ",\"\r\n") != NULL;

        if (quote) {
            putchar('"');
        }
    }

    for (/* void */; *text != '\0'; text++) {
        if (*text == '"') {
            putchar('"');
        }

        putchar((unsigned char) *text < ' ' || *text == 0x7f ? ' ' : *text);
    }

    if (quote) {
        putchar('"');
    }
}


static void
print_csv(const cli_t *cli, const cJSON *items)
{
    size_t        i;
    columns_t     columns;
    const cJSON  *item, *value;

    choose_columns(cli, items, &columns);

    for (i = 0; !cli->no_header && i < columns.n; i++) {
        printf("%s%s", i ? "," : "", columns.name[i]);
    }

    if (!cli->no_header) {
        fputs("\r\n", stdout);
    }

    cJSON_ArrayForEach(item, items) {
        for (i = 0; i < columns.n; i++) {
            value = cJSON_GetObjectItemCaseSensitive(item, columns.name[i]);

            if (i != 0) {
                putchar(',');
            }

            print_csv_cell(cli_cell(columns.name[i], value, 1),
                           cli_is_number(columns.name[i], value));
        }

        fputs("\r\n", stdout);
    }
}


static struct libscols_table *
new_table(int no_header)
{
    struct libscols_table  *table;

    table = scols_new_table();

    if (table == NULL
        || scols_table_set_column_separator(table, "  ") != 0
        || scols_table_enable_noheadings(table, no_header) != 0)
    {
        fputs("aigw: out of memory\n", stderr);
        exit(CLI_FAILED);
    }

    return table;
}


/* Numbers to the right. Long texts go on below where a terminal is too narrow,
   and nowhere else: libsmartcols looks whether there is one. Cut, a list of
   models would look like a shorter one. */
static int
column_flags(const cJSON *items, const char *name)
{
    const cJSON  *item, *value;

    if (cli_has_word("models,url,error,value,note,why,before,after,from",
                     name))
    {
        return SCOLS_FL_WRAP;
    }

    cJSON_ArrayForEach(item, items) {
        value = cJSON_GetObjectItemCaseSensitive(item, name);

        if (value != NULL && !cJSON_IsNull(value)) {
            return cli_is_number(name, value) ? SCOLS_FL_RIGHT : 0;
        }
    }

    return 0;
}


/* width: NULL, or of each column at least, and afterwards as it was. */
static void
print_table(const cli_t *cli, const cJSON *items, const columns_t *columns,
    size_t *width)
{
    char                    heading[NAME_LEN + 1];
    size_t                  i;
    const cJSON            *item, *value;
    struct libscols_line   *line;
    struct libscols_table  *table;

    table = new_table(cli->no_header);

    for (i = 0; i < columns->n; i++) {
        cli_heading(columns->name[i], heading, sizeof(heading));
        scols_table_new_column(table, cli->no_header ? "" : heading,
                               width ? (double) width[i] : 0,
                               column_flags(items, columns->name[i])
                               | (width ? SCOLS_FL_STRICTWIDTH : 0));
    }

    cJSON_ArrayForEach(item, items) {
        line = scols_table_new_line(table, NULL);

        for (i = 0; line != NULL && i < columns->n; i++) {
            value = cJSON_GetObjectItemCaseSensitive(item, columns->name[i]);
            scols_line_set_data(line, i,
                                cli_cell(columns->name[i], value, 0));
        }
    }

    scols_print_table(table);

    for (i = 0; width != NULL && i < columns->n; i++) {
        width[i] = scols_column_get_width(scols_table_get_column(table, i));
    }

    scols_unref_table(table);

    if (items->child == NULL && !cli->quiet) {
        fputs("(none)\n", stderr);
    }
}


/* What would be a list within a field: below the others. */
static void
print_nested(const cli_t *cli, const cJSON *object)
{
    columns_t     columns;
    const cJSON  *value, *field;

    cJSON_ArrayForEach(value, object) {
        if (!is_nested(value)
            || (cli->columns != NULL
                && !cli_has_word(cli->columns, value->string)))
        {
            continue;
        }

        columns.n = 0;

        cJSON_ArrayForEach(field, value->child) {
            add_column(&columns, field->string, strlen(field->string));
        }

        putchar('\n');
        print_table(cli, value, &columns, NULL);
    }
}


/* One thing: a field a line. */
static void
print_record(const cli_t *cli, const cJSON *object)
{
    size_t                  i;
    columns_t               columns;
    const cJSON            *value;
    struct libscols_line   *line;
    struct libscols_table  *table;

    columns.n = 0;

    if (cli->columns != NULL) {
        split_columns(&columns, cli->columns);

    } else {
        cJSON_ArrayForEach(value, object) {
            add_column(&columns, value->string, strlen(value->string));
        }
    }

    table = new_table(1);
    scols_table_new_column(table, "", 0, 0);
    scols_table_new_column(table, "", 0, 0);

    for (i = 0; i < columns.n; i++) {
        value = cJSON_GetObjectItemCaseSensitive(object, columns.name[i]);
        line = is_nested(value) ? NULL : scols_table_new_line(table, NULL);

        if (line != NULL) {
            scols_line_set_data(line, 0, columns.name[i]);
            scols_line_set_data(line, 1,
                                cli_cell(columns.name[i], value, 0));
        }
    }

    scols_print_table(table);
    scols_unref_table(table);
    print_nested(cli, object);
}


/* The id or, with -o name, the name; the other where there is but one. */
static void
print_names(const cli_t *cli, const cJSON *items)
{
    const cJSON  *item, *value;

    cJSON_ArrayForEach(item, items) {
        value = cJSON_GetObjectItemCaseSensitive(item,
                                 cli->format == CLI_IDS ? "id" : "name");

        if (value == NULL) {
            value = item->child;
        }

        printf("%s\n", cli_cell(value->string, value, 1));
    }
}


static void
print_json(const cJSON *answer)
{
    char  *text;

    text = isatty(STDOUT_FILENO) ? cJSON_Print(answer)
                                 : cJSON_PrintUnformatted(answer);
    puts(text);
    cJSON_free(text);
}


void
cli_print(const cli_t *cli)
{
    cJSON        *flat, *one;
    columns_t     columns;
    const cJSON  *items;

    if (cli->format == CLI_JSON) {
        print_json(cli->answer);
        return;
    }

    flat = flatten(cli->answer);
    one = cJSON_CreateArray();
    items = cJSON_GetObjectItemCaseSensitive(flat, "items");

    if (!cJSON_IsArray(items)) {
        cJSON_AddItemReferenceToArray(one, flat);
        items = NULL;
    }

    switch (cli->format) {

    case CLI_CSV:
        print_csv(cli, items ? items : one);
        break;

    case CLI_NAMES:
    case CLI_IDS:
        print_names(cli, items ? items : one);
        break;

    default:
        if (items != NULL) {
            choose_columns(cli, items, &columns);
            print_table(cli, items, &columns, NULL);

        } else {
            print_record(cli, flat);
        }
    }

    cJSON_Delete(one);
    cJSON_Delete(flat);
}


void
cli_print_part(cli_t *cli, const cJSON *items)
{
    char         *text;
    columns_t     columns;
    const cJSON  *item;

    switch (cli->format) {

    case CLI_JSON:
        cJSON_ArrayForEach(item, items) {
            text = cJSON_PrintUnformatted(item);
            puts(text);
            cJSON_free(text);
        }

        break;

    case CLI_CSV:
        print_csv(cli, items);
        break;

    case CLI_NAMES:
    case CLI_IDS:
        print_names(cli, items);
        break;

    case CLI_TABLE:
        choose_columns(cli, items, &columns);
        print_table(cli, items, &columns, cli->width);
    }

    cli->no_header = 1;
}
