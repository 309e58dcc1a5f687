/*
 * Reading a line of an export: a flat JSON object, strictly, then its fields by
 * the tables of aigw_store_line.c. Knows no store, and no value's form.
 */

#include <string.h>

#include "aigw_store_line.h"


#define MEMBERS  40                   /* of one line at most */


typedef struct {
    const uint8_t      *p;
    const uint8_t      *end;
    size_t              n;
    aigw_line_member_t  members[MEMBERS];
} reader_t;


static void
skip_blanks(reader_t *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r')) {
        r->p++;
    }
}


static int
take(reader_t *r, char c)
{
    skip_blanks(r);

    if (r->p < r->end && *r->p == c) {
        r->p++;
        return 1;
    }

    return 0;
}


/* What stands between quotes; escapes are looked at when it is decoded. */
static int
take_string(reader_t *r, aigw_str_t *text)
{
    size_t          n;
    const uint8_t  *start;

    if (!take(r, '"')) {
        return 0;
    }

    start = r->p;

    while (r->p < r->end && *r->p != '"') {
        n = aigw_store_line_utf8(r->p, (size_t) (r->end - r->p));

        if (n == 0 || *r->p < 0x20) {
            return 0;
        }

        if (*r->p == '\\') {
            r->p++;
        }

        r->p += n;
    }

    if (r->p >= r->end) {
        return 0;
    }

    *text = (aigw_str_t) { (size_t) (r->p - start), (const char *) start };
    r->p++;

    return 1;
}


/* A number or a word. */
static int
take_plain(reader_t *r, aigw_str_t *text)
{
    const uint8_t  *start;

    skip_blanks(r);
    start = r->p;

    while (r->p < r->end
           && ((*r->p >= '0' && *r->p <= '9') || (*r->p >= 'a' && *r->p <= 'z')
               || *r->p == '-'))
    {
        r->p++;
    }

    *text = (aigw_str_t) { (size_t) (r->p - start), (const char *) start };

    return text->len > 0;
}


static int
split(reader_t *r)
{
    aigw_line_member_t  *m;

    if (!take(r, '{')) {
        return 0;
    }

    do {
        if (r->n == MEMBERS) {
            return 0;
        }

        m = &r->members[r->n++];
        m->used = 0;

        if (!take_string(r, &m->name) || !take(r, ':')) {
            return 0;
        }

        m->string = take_string(r, &m->value) != 0;

        if (!m->string && !take_plain(r, &m->value)) {
            return 0;
        }

    } while (take(r, ','));

    if (!take(r, '}')) {
        return 0;
    }

    skip_blanks(r);

    return r->p == r->end;
}


static aigw_line_member_t *
find(reader_t *r, const char *name)
{
    size_t  i;

    for (i = 0; i < r->n; i++) {
        if (aigw_store_line_is(r->members[i].name, name)) {
            return &r->members[i];
        }
    }

    return NULL;
}


static aigw_err_t
read_type(reader_t *r, aigw_line_type_t *type, char fault[AIGW_FAULT_LEN + 1])
{
    unsigned   t;
    aigw_line_member_t  *m;

    m = find(r, "type");

    for (t = 0; m != NULL && m->string && t < AIGW_LINE_MAX; t++) {
        *type = (aigw_line_type_t) t;

        if (aigw_store_line_is(m->value, aigw_store_line_name(*type))) {
            m->used = 1;
            return AIGW_OK;
        }
    }

    return aigw_store_fault(fault, AIGW_EINVAL, "no type that is known");
}


aigw_err_t
aigw_store_line_read(const char *text, size_t len, aigw_line_t *line,
    char fault[AIGW_FAULT_LEN + 1])
{
    size_t               i;
    reader_t             r;
    aigw_line_member_t            *m;
    aigw_err_t           err;
    const aigw_field_t  *field;

    r.n = 0;
    r.p = (const uint8_t *) text;
    r.end = r.p + len;

    if (!split(&r)) {
        return aigw_store_fault(fault, AIGW_EINVAL, "not a flat JSON object,"
                                " from byte %zu on",
                                (size_t) (r.p - (const uint8_t *) text) + 1);
    }

    memset(line, 0, sizeof(*line));
    err = read_type(&r, &line->type, fault);

    if (err != AIGW_OK) {
        return err;
    }

    for (field = aigw_store_line_fields(line->type); field->name; field++) {
        m = find(&r, field->name);

        if (m == NULL && field->kind == AIGW_FIELD_ROLE) {
            m = find(&r, "admin");
        }

        if (m == NULL) {
            return aigw_store_fault(fault, AIGW_EINVAL, "%s: no '%s'",
                                    aigw_store_line_name(line->type),
                                    field->name);
        }

        if (!aigw_store_line_value(m, field, (char *) &line->u + field->at)) {
            return aigw_store_fault(fault, AIGW_EINVAL, "%s: '%s' has no value"
                                    " that it may have",
                                    aigw_store_line_name(line->type),
                                    field->name);
        }

        m->used = 1;
    }

    for (i = 0; i < r.n; i++) {
        if (!r.members[i].used) {
            return aigw_store_fault(fault, AIGW_EINVAL, "%s: '%.*s' is there"
                                    " twice, or not known",
                                    aigw_store_line_name(line->type),
                                    (int) r.members[i].name.len,
                                    r.members[i].name.data);
        }
    }

    return AIGW_OK;
}
