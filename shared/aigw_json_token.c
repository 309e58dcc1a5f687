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


/* The tokens end at p, as far as these functions go. */
static inline const unsigned char *
token_stop(aigw_json_scan_t *s, const unsigned char *p, aigw_err_t err)
{
    s->p = p;
    s->err = err;

    return NULL;
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

    if (p == digits || (*digits == '0' && p > digits + 1)) {
        return NULL;
    }

    if (p < end && *p == '.') {
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


aigw_err_t
aigw_json_token_open(aigw_json_scan_t *s, int object)
{
    aigw_err_t    err = aigw_json_token_begin(s);
    aigw_json_t  *json = s->json;

    if (err == AIGW_OK && json->depth == AIGW_JSON_DEPTH) {
        err = AIGW_ERANGE;
    }

    if (err != AIGW_OK) {
        return err;
    }

    s->p++;
    json->depth++;
    json->kinds = json->kinds << 1 | (object != 0);
    json->state = object ? S_MEMBER : S_ELEMENT;
    json->owner = NULL;

    return json->node ? aigw_json_watch_open(s, object) : AIGW_OK;
}


aigw_err_t
aigw_json_token_close(aigw_json_scan_t *s)
{
    aigw_err_t    err = AIGW_OK;
    aigw_json_t  *json = s->json;

    if ((json->kinds & 1) != (*s->p == '}')) {
        return AIGW_EINVAL;
    }

    if (aigw_json_watch_here(json)) {
        err = aigw_json_watch_close(s);
    }

    s->p++;
    json->depth--;
    json->kinds >>= 1;
    json->state = json->depth ? S_NEXT : S_DONE;

    if (aigw_json_watch_here(json)) {
        json->owner = aigw_json_watch_owner(json);
    }

    return err;
}


/* White space, or something that the states must look at. */
static const unsigned char *
token_other(aigw_json_scan_t *s, const unsigned char *p)
{
    const unsigned char  *more = token_space(p, s->end);

    return more > p ? more : token_stop(s, p, AIGW_AGAIN);
}


/* What follows takes a token that begins at p, and returns what is behind it,
   or NULL by token_stop. */

static inline const unsigned char *
token_comma(aigw_json_scan_t *s, const unsigned char *p)
{
    aigw_json_t  *json = s->json;

    if (json->kinds & 1) {
        json->state = S_NAME;
        json->node = NULL;

    } else {
        json->state = S_VALUE;
        json->node = aigw_json_watch_element(json);
    }

    return p + 1;
}


/* A scalar; text: its own. */
static inline const unsigned char *
token_scalar(aigw_json_scan_t *s, aigw_json_type_t type,
    const unsigned char *end, aigw_str_t text)
{
    aigw_err_t               err = aigw_json_token_begin(s);
    aigw_json_t             *json = s->json;
    const aigw_json_node_t  *node = aigw_json_watch_wanted(json);

    json->state = json->depth ? S_NEXT : S_DONE;

    if (err == AIGW_OK && node != NULL) {
        s->p = end;
        err = aigw_json_watch_scalar(s, node, type, text, 0);
    }

    if (err != AIGW_OK) {
        return token_stop(s, end, err);
    }

    return end < s->end && *end == ',' && json->depth ? token_comma(s, end)
                                                      : end;
}


static inline aigw_str_t
token_text(const unsigned char *p, const unsigned char *end)
{
    aigw_str_t  text = { (size_t) (end - p), (const char *) p };

    return text;
}


/* Is the text of the string in hand wanted? */
static inline int
token_is_wanted(const aigw_json_t *json)
{
    return json->node != NULL && (json->node->flags & AIGW_JSON_TEXT)
           && aigw_json_watch_wanted(json) != NULL;
}


/* Goes on at p with the string in hand, which is long or not plain: where its
   last quote is. */
static const unsigned char *
token_string(aigw_json_scan_t *s, const unsigned char *p)
{
    aigw_err_t            err;
    const unsigned char  *end;

    const int             wanted = token_is_wanted(s->json);

    end = wanted ? aigw_json_text_plain(p, s->end)
                 : aigw_json_text_skip(p, s->end);

    if (end < s->end && *end == '"') {
        return end;
    }

    if (wanted) {
        return token_stop(s, s->p, AIGW_AGAIN);
    }

    /* what was skipped, however long, is not to be scanned twice */
    err = aigw_json_token_begin(s);
    s->json->state = S_STRING;
    aigw_json_text_begin(s->json, 0);

    return token_stop(s, end, err == AIGW_OK ? AIGW_AGAIN : err);
}


static inline const unsigned char *
token_close(aigw_json_scan_t *s, const unsigned char *p)
{
    aigw_err_t  err;

    s->p = p;
    err = aigw_json_token_close(s);

    return err == AIGW_OK ? p + 1 : token_stop(s, p, err);
}


/* A container begins or ends, or what begins is wrong. */
static inline const unsigned char *
token_bracket(aigw_json_scan_t *s, const unsigned char *p)
{
    aigw_err_t  err = AIGW_AGAIN;

    if (*p == '{' || *p == '[') {
        err = aigw_json_token_open(s, *p == '{');

    } else if (*p == ']' && s->json->state == S_ELEMENT) {
        err = aigw_json_token_close(s);
    }

    return err == AIGW_OK ? p + 1 : token_stop(s, p, err);
}


static inline const unsigned char *
token_value(aigw_json_scan_t *s, const unsigned char *p)
{
    aigw_str_t            text = token_none;
    aigw_json_type_t      type;
    const unsigned char  *end;

    s->p = p;

    switch (*p) {

    case '"':
        type = AIGW_JSON_STRING;
        end = aigw_json_text_short(p + 1, s->end);

        if (end == s->end || *end != '"') {
            end = token_string(s, end);
        }

        if (end == NULL) {
            return NULL;
        }

        text = token_text(p + 1, end++);
        break;

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
        if (*p > '9') {
            return token_bracket(s, p);
        }

        type = AIGW_JSON_NUMBER;
        end = token_number(p, s->end);
        text = token_text(p, end ? end : p);
    }

    return end ? token_scalar(s, type, end, text) : token_other(s, p);
}


/* A name, and the colon behind it. */
static inline const unsigned char *
token_name(aigw_json_scan_t *s, const unsigned char *p)
{
    aigw_err_t            err = AIGW_OK;
    aigw_json_t          *json = s->json;
    const unsigned char  *end = aigw_json_text_short(p + 1, s->end);

    if (*p == '}' && json->state == S_MEMBER) {
        return token_close(s, p);
    }

    if (end < s->end && *end != '"') {
        end = aigw_json_text_plain(end, s->end);
    }

    if (*p != '"' || end == s->end || *end != '"') {
        return token_other(s, p);
    }

    if (json->state == S_MEMBER && aigw_json_watch_here(json)) {
        err = aigw_json_watch_first(s);
    }

    if (err == AIGW_OK && json->owner != NULL) {
        err = aigw_json_watch_name(json, token_text(p + 1, end), 0);
    }

    if (err != AIGW_OK) {
        return token_stop(s, p, err);
    }

    if (end + 1 == s->end || end[1] != ':') {
        json->state = S_COLON;
        return end + 1;
    }

    json->state = S_VALUE;

    return end + 2;
}


static inline const unsigned char *
token_next(aigw_json_scan_t *s, const unsigned char *p)
{
    switch (*p) {

    case ',':
        return token_comma(s, p);

    case '}':
    case ']':
        return token_close(s, p);

    default:
        return token_other(s, p);
    }
}


static inline const unsigned char *
token_colon(aigw_json_scan_t *s, const unsigned char *p)
{
    if (*p != ':') {
        return token_other(s, p);
    }

    s->json->state = S_VALUE;

    return p + 1;
}


aigw_err_t
aigw_json_token_run(aigw_json_scan_t *s)
{
    aigw_json_t          *json = s->json;
    const unsigned char  *p = s->p;

    while (p != NULL && p < s->end) {
        if (json->state == S_NEXT) {
            p = token_next(s, p);
            continue;
        }

        if (json->state == S_NAME || json->state == S_MEMBER) {
            p = token_name(s, p);

            /* most values stand right behind */
            if (p == NULL || p == s->end) {
                break;
            }
        }

        if (json->state <= S_ELEMENT) {
            p = token_value(s, p);

        } else if (json->state == S_COLON) {
            p = token_colon(s, p);

        } else if (json->state != S_NAME) {
            p = token_stop(s, p, AIGW_AGAIN);
        }
    }

    if (p == NULL) {
        return s->err;
    }

    s->p = p;

    return AIGW_OK;
}
