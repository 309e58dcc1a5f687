/*
 * A strict JSON scanner (RFC 8259) for bytes that arrive in pieces: no tree,
 * no copy, no allocation. The caller says which members it watches, by a
 * static tree of names, and is called for each of them; all else is checked
 * and skipped. Refused beyond the grammar: depth above AIGW_JSON_DEPTH, bad
 * UTF-8 in strings, NUL in a member's name, a BOM. Threats J06 to J11, J30.
 */

#ifndef AIGW_JSON_H
#define AIGW_JSON_H

#include <stddef.h>

#include "aigw.h"


#define AIGW_JSON_DEPTH      64
#define AIGW_JSON_TEXT_MAX  128        /* bytes of a watched value's text */
#define AIGW_JSON_PATH_MAX    8        /* levels of a watched tree */

/* Bits of aigw_json_node_t.flags. */
#define AIGW_JSON_EACH     0x01        /* an array: members are those of each
                                          object that is an element of it */
#define AIGW_JSON_TEXT     0x02        /* the text of a string is wanted */
#define AIGW_JSON_NO_BEGIN 0x04        /* events that nobody wants */
#define AIGW_JSON_NO_FIRST 0x08
#define AIGW_JSON_NO_END   0x10
#define AIGW_JSON_SILENT   0x1c        /* an object or array: only its members
                                          are reported, not it */
#define AIGW_JSON_ITEMS    0x20        /* an array: its elements, of any type,
                                          are values of its one member */

/* The name of that one: no member of an object has it. */
#define AIGW_JSON_ITEM     aigw_str("\0")


typedef enum {
    AIGW_JSON_OBJECT = 1,
    AIGW_JSON_ARRAY,
    AIGW_JSON_STRING,
    AIGW_JSON_NUMBER,
    AIGW_JSON_TRUE,
    AIGW_JSON_FALSE,
    AIGW_JSON_NULL
} aigw_json_type_t;


typedef enum {
    AIGW_JSON_VALUE = 1,               /* a scalar is complete */
    AIGW_JSON_BEGIN,                   /* an object or array opens */
    AIGW_JSON_FIRST,                   /* it is not empty */
    AIGW_JSON_END                      /* it is closed */
} aigw_json_event_t;


typedef enum {
    AIGW_JSON_LAST_COUNTS = 0,         /* answers: a double member is reported
                                          each time */
    AIGW_JSON_ONCE                     /* requests: a double watched member, or
                                          one that differs from a watched name
                                          by case only (ASCII, U+017F, U+212A),
                                          is refused */
} aigw_json_policy_t;


/* A watched member. Static storage. A tree is not recursive, at most
   AIGW_JSON_PATH_MAX levels deep (an array with EACH counts as two), and an
   object in it has at most 32 watched members. */
typedef struct aigw_json_node_s  aigw_json_node_t;

struct aigw_json_node_s {
    aigw_str_t                name;
    uint8_t                   id;      /* the caller's */
    uint8_t                   flags;
    uint8_t                   count;   /* of members */
    const aigw_json_node_t   *members;
};


typedef struct {
    const aigw_json_node_t   *node;
    aigw_json_event_t         event;
    aigw_json_type_t          type;
    uint64_t                  start;   /* VALUE, BEGIN: the value's first byte,
                                          from the document's start */
    uint64_t                  end;     /* VALUE: just behind its last byte; so
                                          a string has end - start - 2 bytes */
    aigw_str_t                text;    /* VALUE: a number; a string with TEXT,
                                          escapes decoded, a lone surrogate as
                                          U+FFFD. Valid during the call */
    unsigned                  cut:1;   /* text has AIGW_JSON_TEXT_MAX bytes of
                                          more */
} aigw_json_value_t;


/* Called for watched values. Anything but AIGW_OK ends the scan with it. */
typedef aigw_err_t (*aigw_json_handler_pt)(void *ctx,
    const aigw_json_value_t *value);

/* What a scan looks for. Static storage. */
typedef struct {
    aigw_json_node_t          root;    /* the document itself; its name is
                                          not used */
    aigw_json_policy_t        policy;
    aigw_json_handler_pt      handler;
} aigw_json_schema_t;


/* Private to aigw_json.c: a watched container. */
typedef struct {
    const aigw_json_node_t   *node;
    uint32_t                  seen;    /* a bit for each member */
    uint32_t                  element; /* of the node's array */
} aigw_json_level_t;


/* Private to aigw_json.c. May be copied by assignment. */
typedef struct {
    const aigw_json_schema_t *schema;
    const aigw_json_node_t   *node;    /* of the value to come, or of the
                                          member at fault */
    const aigw_json_node_t   *inner;   /* of the innermost watched container:
                                          whose members an object may have,
                                          or what each element is; or NULL */
    uint64_t                  offset;  /* of the next byte to come */
    uint64_t                  start;   /* of the value in hand */
    uint64_t                  kinds;   /* a bit a level: 1 is an object */
    uint16_t                  state;   /* not of a character type, for these
                                          may alias whatever a compiler holds */
    uint16_t                  depth;
    uint16_t                  watched; /* levels of path in use */
    uint16_t                  code;    /* \uXXXX in hand */
    uint16_t                  high;    /* high surrogate in wait, or 0 */
    uint8_t                   err;     /* sticky */
    uint8_t                   todo;    /* bytes still to come of a character,
                                          escape or word */
    uint8_t                   low_min; /* bounds of the next UTF-8 byte */
    uint8_t                   low_max;
    uint8_t                   word;    /* aigw_json_type_t */
    uint8_t                   part;    /* what of a string comes next */
    uint8_t                   text_len;
    uint8_t                   name;    /* the string in hand is a name */
    uint8_t                   capture; /* its text is wanted; then also: */
    uint8_t                   spilled; /* its text began in text[] */
    uint8_t                   cut;

    /* What init need not clear: other fields say how much of it is valid. */
    aigw_json_level_t         path[AIGW_JSON_PATH_MAX];
    char                      text[AIGW_JSON_TEXT_MAX];
} aigw_json_t;


/* Makes json ready for a document. Borrows schema. Cheap: once per event. */
void aigw_json_init(aigw_json_t *json, const aigw_json_schema_t *schema);

/*
 * Scans the next len bytes (borrows them during the call), passing ctx to the
 * handler. AIGW_EINVAL: not JSON. AIGW_ERANGE: too deep. AIGW_EEXIST: by
 * AIGW_JSON_ONCE; aigw_json_fault says which member. Or what the handler
 * returned. An error is final: later calls return it again.
 */
aigw_err_t aigw_json_feed(aigw_json_t *json, const unsigned char *data,
    size_t len, void *ctx) AIGW_CHECKED;

/* AIGW_OK if what was fed is one complete document, else the error of feed,
   or AIGW_EINVAL: cut, or empty. */
aigw_err_t aigw_json_finish(const aigw_json_t *json) AIGW_CHECKED;

/* The watched member that is there twice; NULL if that is not the fault. */
const aigw_json_node_t *aigw_json_fault(const aigw_json_t *json);

/* The watched string value that is not complete yet and its raw bytes so far;
   NULL, and bytes not set, if there is none. */
const aigw_json_node_t *aigw_json_unfinished(const aigw_json_t *json,
    uint64_t *bytes);

/*
 * Reads a number's text as a count: integral ("12", "12.0", "1e3", "-0") and
 * in [0, max]. AIGW_EINVAL: not a number. AIGW_ERANGE: negative, fractional or
 * above max. Threats J25, Q10.
 */
aigw_err_t aigw_json_count(aigw_str_t text, int64_t max, int64_t *count)
    AIGW_CHECKED;

#endif /* AIGW_JSON_H */
