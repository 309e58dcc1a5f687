/*
 * Reading a store from lines of text. Control is one transaction, committed
 * last; a mark, committed first, keeps others out meanwhile: what was killed
 * leaves a store that says so, what failed leaves it as it was.
 */

#include <stdlib.h>
#include <string.h>

#include "aigw_crc.h"
#include "aigw_store_audit_internal.h"
#include "aigw_store_line.h"


static const unsigned  usage_tables[] = {
    AIGW_USAGE_ROWS, AIGW_USAGE_ROW_IDS, AIGW_USAGE_PROJECT_ROWS,
    AIGW_USAGE_SUMS, AIGW_USAGE_ROLLUPS, AIGW_USAGE_MARKS, AIGW_USAGE_RETURNS,
    AIGW_USAGE_CLOSINGS, AIGW_USAGE_PRUNED
};


aigw_err_t
aigw_store_import_fault(aigw_store_import_t *m, aigw_err_t err,
    const char *what)
{
    return aigw_store_fault(m->fault, err, "%s: %s",
                            aigw_store_line_name(m->line.type), what);
}


/* Is it as init has made it, and nobody's else? */
static aigw_err_t
check_fresh(aigw_store_t *store, char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t          err;
    aigw_store_stats_t  s;

    err = aigw_store_stats(store, &s);

    if (err != AIGW_OK) {
        return aigw_store_fault(fault, err, "cannot look at the store: %s",
                                aigw_strerror(err));
    }

    if (s.users != 1 || s.projects + s.keys + s.models + s.upstreams > 0
        || s.prices > 1 || s.rows + s.rollups > 0)
    {
        return aigw_store_fault(fault, AIGW_EEXIST, "the store is not empty:"
                                " import into one that 'aigw store init' has"
                                " just made");
    }

    if (s.control_readers > 1 || s.usage_readers > 1) {
        return aigw_store_fault(fault, AIGW_EBUSY, "another process has the"
                                " store open: stop nginx until the import is"
                                " done");
    }

    return AIGW_OK;
}


static aigw_err_t
set_mark(aigw_store_t *store)
{
    aigw_db_txn_t  txn;

    aigw_db_write(store->control, &txn);
    aigw_store_put_meta(&txn, AIGW_META_IMPORTING, 1);

    return aigw_db_end(&txn);
}


static void
drop_mark(aigw_db_txn_t *txn)
{
    aigw_db_key_t  at;

    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_IMPORTING));
    (void) aigw_db_delete(txn, AIGW_CONTROL_META, &at);
}


static void
free_import(aigw_store_import_t *m)
{
    free(m->views);
    free(m->items);
    free(m->packed);
    free(m);
}


static aigw_store_import_t *
make_import(aigw_store_t *store, int dry)
{
    size_t                n = AIGW_IMPORT_BATCH;
    aigw_store_import_t  *m;

    m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }

    m->store = store;
    m->dry = dry != 0;
    m->views = calloc(n, sizeof(m->views[0]));
    m->items = calloc(n, sizeof(m->items[0]));
    m->packed = calloc(n, AIGW_RECORD_MAX);

    if (m->views == NULL || m->items == NULL || m->packed == NULL) {
        free_import(m);
        return NULL;
    }

    return m;
}


aigw_err_t
aigw_store_import_begin(aigw_store_t *store, int dry,
    aigw_store_import_t **import, char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t            err;
    aigw_store_import_t  *m;

    err = check_fresh(store, fault);

    if (err != AIGW_OK) {
        return err;
    }

    m = make_import(store, dry);

    if (m == NULL) {
        return aigw_store_fault(fault, AIGW_ENOMEM, "out of memory");
    }

    err = dry ? AIGW_OK : set_mark(store);

    if (err != AIGW_OK) {
        free_import(m);
        return aigw_store_fault(fault, err, "cannot write to the store: %s",
                                aigw_strerror(err));
    }

    aigw_db_write(store->control, &m->control);
    aigw_db_clear(&m->control, AIGW_CONTROL_USERS);
    aigw_db_clear(&m->control, AIGW_CONTROL_USER_NAMES);
    aigw_db_clear(&m->control, AIGW_CONTROL_LOGINS);
    aigw_db_clear(&m->control, AIGW_CONTROL_PRICES);
    aigw_db_clear(&m->control, AIGW_CONTROL_SETTINGS);
    aigw_db_clear(&m->control, AIGW_CONTROL_GONE);
    *import = m;

    return AIGW_OK;
}


/* Each type where it must be: the first two and the last one once. */
static aigw_err_t
check_order(aigw_store_import_t *m)
{
    aigw_line_type_t  type = m->line.type;

    if (m->lines < 2 ? type != (aigw_line_type_t) m->lines
                     : type < m->last || type <= AIGW_LINE_COUNTERS)
    {
        return aigw_store_import_fault(m, AIGW_EINVAL, "is not to be expected"
                                       " here");
    }

    if (m->lines > 2 && (m->last == AIGW_LINE_END
                         || (type == m->last && type == AIGW_LINE_PRUNED)))
    {
        return aigw_store_import_fault(m, AIGW_EINVAL, "nothing can follow");
    }

    return AIGW_OK;
}


static aigw_err_t
check_head(aigw_store_import_t *m)
{
    const aigw_line_head_t  *head = &m->line.u.head;

    return head->format >= 1 && head->format <= AIGW_EXPORT_FORMAT
           && head->schema == AIGW_STORE_SCHEMA ? AIGW_OK
           : aigw_store_import_fault(m, AIGW_EVERSION, "another version's");
}


static aigw_err_t
check_end(aigw_store_import_t *m)
{
    const aigw_line_end_t  *end = &m->line.u.end;

    return end->lines == m->lines && end->crc == m->crc ? AIGW_OK
           : aigw_store_import_fault(m, AIGW_ECORRUPT, "lines before it were"
                                     " changed or lost");
}


static aigw_err_t
take_line(aigw_store_import_t *m, const char *line, size_t len)
{
    aigw_err_t  err;

    err = aigw_store_line_read(line, len, &m->line, m->fault);

    if (err == AIGW_OK) {
        err = check_order(m);
    }

    if (err != AIGW_OK) {
        return err;
    }

    m->last = m->line.type;

    if (m->last == AIGW_LINE_HEAD) {
        return check_head(m);
    }

    if (m->last == AIGW_LINE_END) {
        return check_end(m);
    }

    return m->last < AIGW_LINE_PRUNED ? aigw_store_import_control(m)
                                      : aigw_store_import_usage(m);
}


aigw_err_t
aigw_store_import_line(aigw_store_import_t *m, const char *line, size_t len,
    char fault[AIGW_FAULT_LEN + 1])
{
    char        text[AIGW_FAULT_LEN + 1];
    aigw_err_t  err;

    text[0] = '\0';
    m->fault = text;
    err = take_line(m, line, len);

    if (err != AIGW_OK) {
        return aigw_store_fault(fault, err, "line %llu: %.200s",
                                (unsigned long long) m->lines + 1,
                                text[0] ? text : aigw_strerror(err));
    }

    m->crc = aigw_crc32c(m->crc, line, len);
    m->crc = aigw_crc32c(m->crc, "\n", 1);
    m->lines++;

    return AIGW_OK;
}


/* What is there must be all that is told of. */
static aigw_err_t
end_usage(aigw_store_import_t *m, const char *id,
    char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t     err;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    err = aigw_store_import_flush(m);

    if (err != AIGW_OK) {
        return aigw_store_fault(fault, err, "cannot write to the store: %s",
                                aigw_strerror(err));
    }

    aigw_db_write(m->store->usage, &txn);

    if (aigw_db_count(&txn, AIGW_USAGE_SUMS) != m->sums) {
        aigw_db_fail(&txn, AIGW_ECORRUPT);
    }

    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_ID));
    aigw_db_put(&txn, AIGW_USAGE_META, &at, id, AIGW_STORE_ID_LEN);
    err = aigw_db_end(&txn);

    return err == AIGW_OK ? AIGW_OK
           : aigw_store_fault(fault, err, "line %llu: rows of accounts without"
                              " sums, or %s", (unsigned long long) m->lines,
                              aigw_strerror(err));
}


static aigw_err_t
end_control(aigw_store_import_t *m, const char *id,
    char fault[AIGW_FAULT_LEN + 1])
{
    aigw_err_t            err;
    aigw_db_key_t         at;
    aigw_store_changed_t  changed = {
        .action = "import", .object = "store", .name = id,
        .fields = aigw_store_line_fields(AIGW_LINE_COUNTERS),
        .after = &m->counters
    };

    drop_mark(&m->control);
    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_ID));
    aigw_db_put(&m->control, AIGW_CONTROL_META, &at, id, AIGW_STORE_ID_LEN);
    aigw_store_audit_changed(m->store, &m->control, &changed);
    err = aigw_db_end(&m->control);

    return err == AIGW_OK ? AIGW_OK
           : aigw_store_fault(fault, err, "cannot write to the store: %s",
                              aigw_strerror(err));
}


aigw_err_t
aigw_store_import_end(aigw_store_import_t *m, char fault[AIGW_FAULT_LEN + 1])
{
    char        id[AIGW_STORE_ID_LEN + 1];
    aigw_err_t  err;

    err = m->last == AIGW_LINE_END ? AIGW_OK
          : aigw_store_fault(fault, AIGW_EINVAL, "line %llu: the end is"
                             " missing", (unsigned long long) m->lines + 1);

    if (err == AIGW_OK && !m->dry) {
        err = aigw_store_make_id(id);

        if (err == AIGW_OK) {
            err = end_usage(m, id, fault);
        }

        if (err == AIGW_OK) {
            err = end_control(m, id, fault);
        }
    }

    if (err == AIGW_OK && !m->dry) {
        free_import(m);
        return AIGW_OK;
    }

    if (aigw_store_import_abort(m) != AIGW_OK && err != AIGW_OK) {
        return aigw_store_fault(fault, err, "half an import could not be taken"
                                " back: remove the store");
    }

    return err;
}


/* Whatever has come into usage since goes with it: refusals, at most. */
static aigw_err_t
clear_usage(aigw_store_t *store)
{
    size_t         i;
    aigw_db_key_t  at;
    aigw_db_txn_t  txn;

    aigw_db_write(store->usage, &txn);

    for (i = 0; i < sizeof(usage_tables) / sizeof(usage_tables[0]); i++) {
        aigw_db_clear(&txn, usage_tables[i]);
    }

    aigw_store_put_meta(&txn, AIGW_META_ROW_SEQ, 0);
    aigw_store_put_meta(&txn, AIGW_META_SKEW, 0);
    aigw_store_put_meta(&txn, AIGW_META_PRUNED, 0);
    aigw_store_key_text(&at, (aigw_str_t) aigw_str(AIGW_META_ID));
    aigw_db_put(&txn, AIGW_USAGE_META, &at, store->id, AIGW_STORE_ID_LEN);

    return aigw_db_end(&txn);
}


static void
roll_back(aigw_db_txn_t *txn)
{
    aigw_err_t  err;

    aigw_db_fail(txn, AIGW_EINVAL);
    err = aigw_db_end(txn);

    /* it is the one that was put in */
    (void) err;
}


aigw_err_t
aigw_store_import_abort(aigw_store_import_t *m)
{
    aigw_err_t      err = AIGW_OK;
    aigw_db_txn_t   txn;
    aigw_store_t   *store;

    if (m == NULL) {
        return AIGW_OK;
    }

    store = m->store;

    if (m->writing) {
        roll_back(&m->usage);
    }

    roll_back(&m->control);

    if (!m->dry) {
        err = clear_usage(store);
    }

    if (!m->dry && err == AIGW_OK) {
        aigw_db_write(store->control, &txn);
        drop_mark(&txn);
        err = aigw_db_end(&txn);
    }

    free_import(m);

    return err;
}


void
aigw_store_import_count(const aigw_store_import_t *m, uint64_t *lines,
    uint64_t *rows)
{
    *lines = m->lines;
    *rows = m->rows;
}
