/*
 * Writing a store as lines of text: table by table out of one snapshot of each
 * environment. Must not write, and keeps nothing but the line in hand.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_line.h"


#define SUMS_KEY  11                  /* partition 2, kind 1, id 8 */
#define ENTRY     (AIGW_ROW_ID_LEN + 8)


typedef struct {
    aigw_store_line_pt   out;
    void                *data;
    aigw_db_txn_t        control;
    aigw_db_txn_t        usage;
    uint64_t             lines;
    uint64_t             rows;
    uint64_t             all;         /* rows there are */
    uint32_t             crc;
    aigw_line_t          line;
    char                 text[AIGW_EXPORT_LINE_MAX];
} export_t;


/* Takes what the cursor stands on into e->line. 0: it is not of a form that it
   may have. */
typedef int (*take_pt)(export_t *e, const aigw_db_cursor_t *cur);


static void
emit(export_t *e)
{
    size_t  len;

    if (e->usage.err != AIGW_OK || e->control.err != AIGW_OK) {
        return;
    }

    len = aigw_store_line_write(&e->line, e->text);
    e->crc = aigw_crc32c(e->crc, e->text, len);
    e->lines++;
    aigw_db_fail(&e->usage, e->out(e->data, e->text, len, e->rows, e->all));
}


static void
begin_line(export_t *e, aigw_line_type_t type)
{
    memset(&e->line, 0, sizeof(e->line));
    e->line.type = type;
}


/* Copies a text that is a key. */
static int
take_text(const aigw_db_value_t *from, char *to, size_t max)
{
    if (from->len > max) {
        return 0;
    }

    memcpy(to, from->data, from->len);

    return 1;
}


static int
take_user(export_t *e, const aigw_db_cursor_t *cur)
{
    return aigw_record_unpack_user(cur->value.data, cur->value.len,
                                   &e->line.u.user) == AIGW_OK;
}


static int
take_project(export_t *e, const aigw_db_cursor_t *cur)
{
    return aigw_record_unpack_project(cur->value.data, cur->value.len,
                                      &e->line.u.project) == AIGW_OK;
}


/* By ids: under a hash it may stand twice. */
static int
take_key(export_t *e, const aigw_db_cursor_t *cur)
{
    aigw_db_key_t  at;

    if (cur->value.len != AIGW_KEY_HASH_LEN) {
        return 0;
    }

    aigw_store_key_hash(&at, cur->value.data);

    return aigw_store_load(&e->control, AIGW_CONTROL_KEYS, &at,
                           aigw_store_unpack_key, &e->line.u.key);
}


static int
take_gone(export_t *e, const aigw_db_cursor_t *cur)
{
    if (cur->key.len != 9) {
        return 0;
    }

    e->line.u.gone.kind = cur->key.data[0];
    e->line.u.gone.id = aigw_db_int(cur->key.data + 1, 8);

    return aigw_record_unpack_gone(cur->value.data, cur->value.len,
                                   &e->line.u.gone.gone) == AIGW_OK;
}


static int
take_model(export_t *e, const aigw_db_cursor_t *cur)
{
    return aigw_record_unpack_model(cur->value.data, cur->value.len,
                                    &e->line.u.model) == AIGW_OK;
}


static int
take_price(export_t *e, const aigw_db_cursor_t *cur)
{
    return aigw_record_unpack_price(cur->value.data, cur->value.len,
                                    &e->line.u.price) == AIGW_OK;
}


static int
take_upstream(export_t *e, const aigw_db_cursor_t *cur)
{
    return aigw_record_unpack_upstream(cur->value.data, cur->value.len,
                                       &e->line.u.upstream) == AIGW_OK;
}


static int
take_subkey(export_t *e, const aigw_db_cursor_t *cur)
{
    return aigw_record_unpack_subkey(cur->value.data, cur->value.len,
                                     &e->line.u.subkey) == AIGW_OK;
}


static int
take_setting(export_t *e, const aigw_db_cursor_t *cur)
{
    aigw_line_setting_t  *setting = &e->line.u.setting;

    return take_text(&cur->key, setting->name, AIGW_NAME_MAX)
           && take_text(&cur->value, setting->value, AIGW_VALUE_MAX);
}


static int
take_closing(export_t *e, const aigw_db_cursor_t *cur)
{
    const uint8_t        *key = cur->key.data;
    aigw_db_value_t       model;
    aigw_line_closing_t  *closing = &e->line.u.closing;

    if (cur->key.len < AIGW_STORE_ROLLUP_FIXED) {
        return 0;
    }

    closing->hour = (uint32_t) aigw_db_int(key, 4);
    closing->project_id = aigw_db_int(key + 4, 8);
    closing->key_id = aigw_db_int(key + 12, 8);
    closing->user_id = aigw_db_int(key + 20, 8);
    model.data = key + AIGW_STORE_ROLLUP_FIXED;
    model.len = cur->key.len - AIGW_STORE_ROLLUP_FIXED;

    return take_text(&model, closing->model, AIGW_MODEL_MAX)
           && aigw_record_unpack_sums(cur->value.data, cur->value.len,
                                      &closing->sums) == AIGW_OK;
}


static int
take_row(export_t *e, const aigw_db_cursor_t *cur)
{
    e->rows++;

    return aigw_record_unpack_row(cur->value.data, cur->value.len,
                                  &e->line.u.row) == AIGW_OK;
}


/* -1: its row is there, which says the same. */
static int
take_return(export_t *e, const aigw_db_cursor_t *cur)
{
    size_t               fixed;
    aigw_db_key_t        at;
    const uint8_t       *key = cur->key.data;
    aigw_db_value_t      row, ref;
    aigw_line_return_t  *back = &e->line.u.back;

    if (cur->value.len != ENTRY || cur->key.len < 1) {
        return 0;
    }

    aigw_db_key(&at);
    aigw_db_key_bytes(&at, cur->value.data, AIGW_ROW_ID_LEN);

    if (aigw_db_get(&e->usage, AIGW_USAGE_ROW_IDS, &at, &row)) {
        return -1;
    }

    back->settled = key[0];
    memcpy(back->id, cur->value.data, AIGW_ROW_ID_LEN);
    back->cost_nano = (int64_t) aigw_db_int(cur->value.data + AIGW_ROW_ID_LEN,
                                            8);
    fixed = key[0] == AIGW_SETTLED_CREDIT ? 9 : 1;

    if (cur->key.len < fixed) {
        return 0;
    }

    ref = (aigw_db_value_t) { cur->key.len - fixed, key + fixed };

    if (key[0] == AIGW_SETTLED_CREDIT) {
        back->project_id = aigw_db_int(key + 1, 8);
        return take_text(&ref, back->ref, AIGW_NAME_MAX);
    }

    if (ref.len != AIGW_ROW_ID_LEN) {
        return 0;
    }

    memcpy(back->of, ref.data, ref.len);

    return 1;
}


static int
take_sums(export_t *e, const aigw_db_cursor_t *cur)
{
    aigw_line_sums_t  *sums = &e->line.u.sums;

    if (cur->key.len != SUMS_KEY) {
        return 0;
    }

    sums->partition = (uint16_t) aigw_db_int(cur->key.data, 2);
    sums->kind = cur->key.data[2];
    sums->id = aigw_db_int(cur->key.data + 3, 8);

    return aigw_record_unpack_sums(cur->value.data, cur->value.len,
                                   &sums->sums) == AIGW_OK;
}


static void
walk(export_t *e, aigw_db_txn_t *txn, unsigned table, aigw_line_type_t type,
    take_pt take)
{
    int               more, taken;
    aigw_db_key_t     first;
    aigw_db_cursor_t  cur;

    aigw_db_key(&first);
    aigw_db_cursor(&cur, txn, table);

    for (more = aigw_db_seek(&cur, &first); more && e->usage.err == AIGW_OK;
         more = aigw_db_next(&cur))
    {
        begin_line(e, type);
        taken = take(e, &cur);

        if (taken == 0) {
            aigw_db_fail(txn, AIGW_ECORRUPT);

        } else if (taken > 0) {
            emit(e);
        }
    }

    aigw_db_cursor_close(&cur);
}


static void
write_control(export_t *e)
{
    size_t                 i;
    aigw_line_counters_t  *counters;

    static const struct {
        aigw_control_table_t  table;
        aigw_line_type_t      type;
        take_pt               take;
    } tables[] = {
        { AIGW_CONTROL_USERS, AIGW_LINE_USER, take_user },
        { AIGW_CONTROL_PROJECTS, AIGW_LINE_PROJECT, take_project },
        { AIGW_CONTROL_KEY_IDS, AIGW_LINE_KEY, take_key },
        { AIGW_CONTROL_GONE, AIGW_LINE_GONE, take_gone },
        { AIGW_CONTROL_MODELS, AIGW_LINE_MODEL, take_model },
        { AIGW_CONTROL_PRICES, AIGW_LINE_PRICE, take_price },
        { AIGW_CONTROL_UPSTREAMS, AIGW_LINE_UPSTREAM, take_upstream },
        { AIGW_CONTROL_SUBKEYS, AIGW_LINE_SUBKEY, take_subkey },
        { AIGW_CONTROL_SETTINGS, AIGW_LINE_SETTING, take_setting }
    };

    begin_line(e, AIGW_LINE_HEAD);
    e->line.u.head.format = AIGW_EXPORT_FORMAT;
    e->line.u.head.schema = AIGW_STORE_SCHEMA;
    emit(e);

    begin_line(e, AIGW_LINE_COUNTERS);
    counters = &e->line.u.counters;
    counters->user = aigw_store_get_meta(&e->control, AIGW_META_USER);
    counters->project = aigw_store_get_meta(&e->control, AIGW_META_PROJECT);
    counters->key = aigw_store_get_meta(&e->control, AIGW_META_KEY);
    counters->upstream = aigw_store_get_meta(&e->control, AIGW_META_UPSTREAM);
    counters->price = aigw_store_get_meta(&e->control, AIGW_META_PRICE);
    emit(e);

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        walk(e, &e->control, tables[i].table, tables[i].type, tables[i].take);
    }
}


static void
write_usage(export_t *e)
{
    uint64_t  ms;

    ms = aigw_store_get_meta(&e->usage, AIGW_META_PRUNED);

    if (ms != 0) {
        begin_line(e, AIGW_LINE_PRUNED);
        e->line.u.pruned.before_ms = (int64_t) ms;
        emit(e);
    }

    walk(e, &e->usage, AIGW_USAGE_CLOSINGS, AIGW_LINE_CLOSING, take_closing);
    walk(e, &e->usage, AIGW_USAGE_ROWS, AIGW_LINE_ROW, take_row);
    walk(e, &e->usage, AIGW_USAGE_RETURNS, AIGW_LINE_RETURN, take_return);
    walk(e, &e->usage, AIGW_USAGE_SUMS, AIGW_LINE_SUMS, take_sums);

    begin_line(e, AIGW_LINE_END);
    e->line.u.end.lines = e->lines;
    e->line.u.end.crc = e->crc;
    emit(e);
}


/* usage first: whoever has a row in it is in control, which is read of a later
   moment. */
aigw_err_t
aigw_store_export(aigw_store_t *store, aigw_store_line_pt line, void *data)
{
    export_t    *e;
    aigw_err_t   err, other;

    e = calloc(1, sizeof(*e));

    if (e == NULL) {
        return AIGW_ENOMEM;
    }

    e->out = line;
    e->data = data;
    aigw_db_read(store->usage, &e->usage);
    aigw_db_read(store->control, &e->control);
    e->all = aigw_db_count(&e->usage, AIGW_USAGE_ROWS);

    write_control(e);
    write_usage(e);

    err = aigw_db_end(&e->control);
    other = aigw_db_end(&e->usage);
    free(e);

    return err != AIGW_OK ? err : other;
}
