/*
 * Bytes at rest: what unpacks, packs to the same bytes within the length
 * promised; what does not, leaves the thing as it was; one byte less or more
 * is not a record.
 */

#include "aigw.h"
#include "aigw_record.h"
#include "fuzz.h"


typedef union {
    aigw_user_t         user;
    aigw_project_t      project;
    aigw_key_t          key;
    aigw_model_t        model;
    aigw_price_entry_t  price;
    aigw_upstream_t     upstream;
    aigw_row_t          row;
    aigw_sums_t         sums;
    aigw_gone_t         gone;
    aigw_driver_t       driver;
    aigw_subkey_t       subkey;
    aigw_audit_t        audit;
    aigw_login_t        login;
    aigw_ticket_t       ticket;
    unsigned char       bytes[10240];
} thing_t;


#define KINDS(_)                                                              \
    _(user) _(project) _(key) _(model) _(price) _(upstream) _(row) _(sums)    \
    _(gone) _(driver) _(subkey) _(audit) _(login) _(ticket)

#define UNPACK(name)                                                          \
    static aigw_err_t                                                         \
    unpack_##name(const uint8_t *buf, size_t len, thing_t *thing)             \
    {                                                                         \
        return aigw_record_unpack_##name(buf, len, &thing->name);             \
    }                                                                         \
                                                                              \
    static size_t                                                             \
    pack_##name(const thing_t *thing, uint8_t *buf)                           \
    {                                                                         \
        return aigw_record_pack_##name(&thing->name, buf);                    \
    }

#define ENTRY(name)  { unpack_##name, pack_##name },

KINDS(UNPACK)

static const struct {
    aigw_err_t  (*unpack)(const uint8_t *buf, size_t len, thing_t *thing);
    size_t      (*pack)(const thing_t *thing, uint8_t *buf);
} kinds[] = {
    KINDS(ENTRY)
};

#define KIND_MAX  (sizeof(kinds) / sizeof(kinds[0]))
#define KIND_ROW    6U
#define KIND_AUDIT  11U


static aigw_err_t
unpack(unsigned kind, const uint8_t *data, size_t len, thing_t *thing)
{
    uint8_t     *piece = fuzz_open(data, len);
    aigw_err_t   err = kinds[kind].unpack(piece, len, thing);

    fuzz_close(piece, len);

    return err;
}


/* A view is taken of what unpacks, and of nothing else; of the same values. */
static void
view_row(const uint8_t *data, size_t len, const aigw_row_t *row)
{
    uint8_t          *piece = fuzz_open(data, len);
    aigw_err_t        err;
    aigw_sums_t       sums;
    aigw_row_view_t   view;

    err = aigw_record_view_row(piece, len, &view);
    fuzz_check((err == AIGW_OK) == (row != NULL), "a view where it unpacks");

    if (row != NULL) {
        aigw_record_row_sums(row, &sums);
        fuzz_check(view.packed == piece && view.len == len
                   && memcmp(view.id, row->id, AIGW_ROW_ID_LEN) == 0
                   && view.partition == row->partition
                   && view.user_id == row->user_id
                   && view.project_id == row->project_id
                   && view.key_id == row->key_id
                   && view.model.len == strlen(row->model)
                   && memcmp(view.model.data, row->model, view.model.len) == 0
                   && memcmp(&view.sums, &sums, sizeof(sums)) == 0,
                   "a view of the same");
    }

    fuzz_close(piece, len);
}


/* The sums of a row and its id, which end where integers do. */
static void
use_row(const aigw_row_t *row)
{
    char         text[AIGW_ROW_ID_TEXT_LEN + 1];
    uint8_t      id[AIGW_ROW_ID_LEN];
    aigw_str_t   name = { AIGW_ROW_ID_TEXT_LEN, text };
    aigw_sums_t  sums;

    aigw_record_format_id(row->id, text);
    fuzz_check(aigw_record_parse_id(name, id) == AIGW_OK
               && memcmp(id, row->id, sizeof(id)) == 0, "an id as text");

    aigw_record_row_sums(row, &sums);
    fuzz_check(sums.calls + sums.refused_calls
               == (aigw_row_is_call(row) ? 1 : 0),
               "a call counts once, a credit is none");

    if (aigw_record_add_row(&sums, row) == AIGW_OK) {
        fuzz_check(sums.cost_nano == 2 * row->cost_nano, "twice the cost");
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const thing_t  untouched = { .bytes = { 0x5a, 0xa5 } };
    static thing_t        thing;

    size_t      max, n;
    uint8_t    *buf;
    unsigned    kind;
    aigw_err_t  err;

    if (size < 2 || size >= FUZZ_PIECE) {
        return 0;
    }

    kind = (uint8_t) (data[0] - '0') % KIND_MAX;
    max = kind == KIND_ROW ? AIGW_ROW_PACKED_MAX
          : kind == KIND_AUDIT ? AIGW_AUDIT_PACKED_MAX : AIGW_RECORD_MAX;
    data++;
    size--;

    thing = untouched;
    err = unpack(kind, data, size, &thing);

    if (kind == KIND_ROW) {
        view_row(data, size, err == AIGW_OK ? &thing.row : NULL);
    }

    if (err != AIGW_OK) {
        fuzz_check(err == AIGW_ECORRUPT || err == AIGW_EVERSION, "which error");
        fuzz_check(memcmp(&thing, &untouched, sizeof(thing)) == 0,
                   "an error changes nothing");
        return 0;
    }

    fuzz_check(size <= max, "no record is longer");
    buf = fuzz_open(fuzz_log, max);
    n = kinds[kind].pack(&thing, buf);
    fuzz_check(n == size && memcmp(buf, data, n) == 0, "the same bytes");
    fuzz_close(buf, max);

    fuzz_check(unpack(kind, data, size - 1, &thing) != AIGW_OK, "one less");
    memcpy(fuzz_log, data, size);
    fuzz_check(unpack(kind, fuzz_log, size + 1, &thing) != AIGW_OK,
               "one more");

    if (kind == KIND_ROW) {
        use_row(&thing.row);
    }

    return 0;
}
