/*
 * The scanner's short cut: passes tokens that are whole in the buffer, which
 * most are, without a step from state to state. It must report what the
 * states of aigw_json.c would, and leaves to them what is cut, rare or wrong.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_json_internal.h"


static const aigw_str_t  token_none = { 0, "" };


static inline const unsigned char *
token_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p <= ' '
           && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
    {
        p++;
    }

    return p;
}


/* The tokens end at p, as far as these functions go. Returned is s->end, for
   there is no more for them to do. */
static inline const unsigned char *
token_stop(aigw_json_scan_t *s, const unsigned char *p, unsigned state,
    aigw_err_t err)
{
    s->p = p;
    s->err = err;
    s->json->state = (uint16_t) state;

    return s->end;
}


static inline const unsigned char *
token_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/* What is behind a number; NULL if it may be wrong or go on. */
static inline const unsigned char *
token_number(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *digits = p + (*p == '-');

    p = token_digits(digits, end);

    if (p == end || p == digits || (*digits == '0' && p > digits + 1)) {
        return NULL;
    }

    if (*p != '.' && (*p | 0x20) != 'e') {
        return p;
    }

    if (*p == '.') {
        digits = p + 1;
        p = token_digits(digits, end);

        if (p == digits) {
            return NULL;
        }
    }

    if (p < end && (*p | 0x20) == 'e') {
        p++;
        digits = p + (p < end && (*p == '-' || *p == '+'));
        p = token_digits(digits, end);

        if (p == digits) {
            return NULL;
        }
    }

    return p < end ? p : NULL;
}


static inline const unsigned char *
token_word(const unsigned char *p, const unsigned char *end, const char *word,
    size_t len)
{
    return (size_t) (end - p) >= len && memcmp(p, word, len) == 0 ? p + len
                                                                  : NULL;
}


/* The state behind the bracket is returned in *state. */
static inline aigw_err_t
token_enter(aigw_json_scan_t *s, const unsigned char *p, int object,
    unsigned *state)
{
    aigw_json_t  *json = s->json;
    aigw_err_t    err = *state == S_ELEMENT ? aigw_json_watch_first(s)
                                            : AIGW_OK;

    if (err != AIGW_OK || json->depth == AIGW_JSON_DEPTH) {
        return err == AIGW_OK ? AIGW_ERANGE : err;
    }

    json->depth++;
    json->kinds = json->kinds << 1 | (object != 0);
    *state = object ? S_MEMBER : S_ELEMENT;

    return json->node ? aigw_json_watch_open(s, p, object) : AIGW_OK;
}


static inline aigw_err_t
token_leave(aigw_json_scan_t *s, int object, unsigned *state)
{
    int           watched;
    aigw_err_t    err = AIGW_OK;
    aigw_json_t  *json = s->json;

    if ((json->kinds & 1) != (object != 0)) {
        return AIGW_EINVAL;
    }

    watched = aigw_json_watch_here(json);

    if (watched) {
        err = aigw_json_watch_close(s);
    }

    json->depth--;
    json->kinds >>= 1;
    *state = json->depth ? S_NEXT : S_DONE;

    if (watched) {
        aigw_json_watch_back(json);
    }

    return err;
}


aigw_err_t
aigw_json_token_open(aigw_json_scan_t *s, int object)
{
    unsigned    state = s->json->state;
    aigw_err_t  err = token_enter(s, s->p++, object, &state);

    s->json->state = (uint16_t) state;

    return err;
}


aigw_err_t
aigw_json_token_close(aigw_json_scan_t *s)
{
    unsigned    state = s->json->state;
    aigw_err_t  err = token_leave(s, *s->p++ == '}', &state);

    s->json->state = (uint16_t) state;

    return err;
}


/* White space, or something that the states must look at. */
static const unsigned char *
token_other(aigw_json_scan_t *s, const unsigned char *p, unsigned state)
{
    const unsigned char  *more = token_space(p, s->end);

    return more > p ? more : token_stop(s, p, state, AIGW_AGAIN);
}


/* What follows takes a token that begins at p, and returns what is behind it,
   or s->end by token_stop. *state: what is expected there, before and after. */

static inline aigw_str_t
token_text(const unsigned char *p, const unsigned char *end)
{
    aigw_str_t  text = { (size_t) (end - p), (const char *) p };

    return text;
}


/* A scalar between p and end; text: its own. */
static inline const unsigned char *
token_scalar(aigw_json_scan_t *s, aigw_json_type_t type,
    const unsigned char *p, const unsigned char *end, aigw_str_t text,
    unsigned *state)
{
    aigw_err_t               err = AIGW_OK;
    aigw_json_t             *json = s->json;
    const aigw_json_node_t  *node = json->node;

    if (*state == S_ELEMENT) {
        err = aigw_json_watch_first(s);
    }

    *state = S_NEXT;

    if (node != NULL && err == AIGW_OK
        && !aigw_json_watch_is_element(json, node))
    {
        s->p = end;
        json->start = aigw_json_offset(s, p);
        err = aigw_json_watch_scalar(s, node, type, text, 0);
    }

    return err == AIGW_OK ? end : token_stop(s, end, S_NEXT, err);
}


/* Is the text of the string in hand wanted? */
static inline int
token_is_wanted(const aigw_json_t *json)
{
    return json->node != NULL && (json->node->flags & AIGW_JSON_TEXT)
           && aigw_json_watch_wanted(json) != NULL;
}


/* Goes on at p with the string that begins at start, and is long or not plain:
   where its last quote is. */
static const unsigned char *
token_string(aigw_json_scan_t *s, const unsigned char *start,
    const unsigned char *p, unsigned state)
{
    aigw_err_t            err;
    const int             wanted = token_is_wanted(s->json);
    const unsigned char  *end;

    end = wanted ? aigw_json_text_plain(p, s->end)
                 : aigw_json_text_skip(p, s->end);

    if (end < s->end && *end == '"') {
        return end;
    }

    if (wanted) {
        return token_stop(s, start, state, AIGW_AGAIN);
    }

    /* what was skipped, however long, is not to be scanned twice */
    (void) token_stop(s, start, state, AIGW_AGAIN);
    err = aigw_json_token_begin(s);
    aigw_json_text_begin(s->json, 0);

    return token_stop(s, end, S_STRING, err == AIGW_OK ? AIGW_AGAIN : err);
}


static inline const unsigned char *
token_close(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    aigw_err_t  err = token_leave(s, *p == '}', state);

    return err == AIGW_OK ? p + 1 : token_stop(s, p, *state, err);
}


/* A container begins or ends, or what begins is wrong. */
static inline const unsigned char *
token_bracket(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    aigw_err_t  err = AIGW_AGAIN;

    if (*p == '{' || *p == '[') {
        err = token_enter(s, p, *p == '{', state);

    } else if (*p == ']' && *state == S_ELEMENT) {
        return token_close(s, p, state);
    }

    return err == AIGW_OK ? p + 1 : token_stop(s, p, *state, err);
}


/* What is neither a string nor a number. */
static inline const unsigned char *
token_special(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    aigw_json_type_t      type;
    const unsigned char  *end;

    switch (*p) {

    case 'n':
        type = AIGW_JSON_NULL;
        end = token_word(p, s->end, "null", 4);
        break;

    case 't':
        type = AIGW_JSON_TRUE;
        end = token_word(p, s->end, "true", 4);
        break;

    case 'f':
        type = AIGW_JSON_FALSE;
        end = token_word(p, s->end, "false", 5);
        break;

    default:
        return token_bracket(s, p, state);
    }

    return end ? token_scalar(s, type, p, end, token_none, state)
               : token_stop(s, p, *state, AIGW_AGAIN);
}


static inline const unsigned char *
token_value(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    const unsigned char  *end;

    if (*p == '"') {
        end = aigw_json_text_short(s, p + 1);

        if (end == s->end || *end != '"') {
            end = token_string(s, p, end, *state);

            if (end == s->end) {
                return end;
            }
        }

        return token_scalar(s, AIGW_JSON_STRING, p, end + 1,
                            token_text(p + 1, end), state);
    }

    if (*p > '9') {
        return token_special(s, p, state);
    }

    end = token_number(p, s->end);

    return end ? token_scalar(s, AIGW_JSON_NUMBER, p, end, token_text(p, end),
                              state)
               : token_other(s, p, *state);
}


/* A name, and the colon behind it. */
static inline const unsigned char *
token_name(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    aigw_err_t            err = AIGW_OK;
    aigw_json_t          *json = s->json;
    const unsigned char  *end;

    if (*p != '"') {
        return *p == '}' && *state == S_MEMBER ? token_close(s, p, state)
                                               : token_other(s, p, *state);
    }

    end = aigw_json_text_short(s, p + 1);

    if (end == s->end || *end != '"') {
        end = aigw_json_text_plain(end, s->end);

        if (end == s->end || *end != '"') {
            return token_stop(s, p, *state, AIGW_AGAIN);
        }
    }

    if (*state == S_MEMBER) {
        err = aigw_json_watch_first(s);
    }

    if (err == AIGW_OK && aigw_json_watch_names(json)) {
        err = aigw_json_watch_name(json, token_text(p + 1, end));
    }

    if (err != AIGW_OK) {
        return token_stop(s, p, *state, err);
    }

    if (++end == s->end || *end != ':') {
        *state = S_COLON;
        return end;
    }

    *state = S_VALUE;

    return end + 1;
}


static inline const unsigned char *
token_colon(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    if (*p != ':') {
        return token_other(s, p, *state);
    }

    *state = S_VALUE;

    return p + 1;
}


static inline const unsigned char *
token_next(aigw_json_scan_t *s, const unsigned char *p, unsigned *state)
{
    aigw_json_t  *json = s->json;

    if (*p == ',') {
        aigw_json_watch_comma(json);
        *state = (json->kinds & 1) ? S_NAME : S_VALUE;
        return p + 1;
    }

    return *p == '}' || *p == ']' ? token_close(s, p, state)
                                  : token_other(s, p, *state);
}


/* Each case comes to the next one, as tokens do. */
aigw_err_t
aigw_json_token_run(aigw_json_scan_t *s)
{
    unsigned              state = s->json->state;
    const unsigned char  *p = s->p;

    /* documents are objects */
    if (s->json->depth == 0 && *p != '{') {
        return AIGW_AGAIN;
    }

    s->err = AIGW_OK;

    while (p < s->end) {
        switch (state) {

        case S_MEMBER:
        case S_NAME:
            p = token_name(s, p, &state);

            if (p == s->end || state != S_VALUE) {
                continue;
            }

            /* fall through */

        case S_VALUE:
        case S_ELEMENT:
            p = token_value(s, p, &state);

            if (p == s->end || state != S_NEXT) {
                continue;
            }

            /* fall through */

        case S_NEXT:
            p = token_next(s, p, &state);
            continue;

        case S_COLON:
            p = token_colon(s, p, &state);
            continue;

        default:
            p = token_stop(s, p, state, AIGW_AGAIN);
        }
    }

    if (s->err == AIGW_OK) {
        (void) token_stop(s, p, state, AIGW_OK);
    }

    return s->err;
}
