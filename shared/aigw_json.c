/*
 * The JSON scanner's grammar, by tables; every state is kept in aigw_json_t,
 * so that input may be cut anywhere. It knows no member by name and must
 * neither allocate nor recurse.
 */

#include <stddef.h>
#include <string.h>

#include "aigw.h"
#include "aigw_json_internal.h"
#include "aigw_json.h"


/* What a byte may be outside of strings. */
enum {
    K_OTHER = 0, K_SPACE, K_OBJECT, K_OBJECT_END, K_ARRAY, K_ARRAY_END,
    K_COLON, K_COMMA, K_QUOTE, K_MINUS, K_PLUS, K_DOT, K_ZERO, K_DIGIT, K_EXP,
    K_WORD, K_MAX
};


enum {
    A_FAIL = 0, A_SKIP, A_OBJECT, A_ARRAY, A_CLOSE, A_NAME, A_COLON, A_COMMA,
    A_STRING, A_NUMBER, A_WORD
};


static const uint8_t  json_class[256] = {
    [' '] = K_SPACE, ['\t'] = K_SPACE, ['\n'] = K_SPACE, ['\r'] = K_SPACE,
    ['{'] = K_OBJECT, ['}'] = K_OBJECT_END,
    ['['] = K_ARRAY, [']'] = K_ARRAY_END,
    [':'] = K_COLON, [','] = K_COMMA, ['"'] = K_QUOTE,
    ['-'] = K_MINUS, ['+'] = K_PLUS, ['.'] = K_DOT, ['0'] = K_ZERO,
    ['1'] = K_DIGIT, ['2'] = K_DIGIT, ['3'] = K_DIGIT, ['4'] = K_DIGIT,
    ['5'] = K_DIGIT, ['6'] = K_DIGIT, ['7'] = K_DIGIT, ['8'] = K_DIGIT,
    ['9'] = K_DIGIT,
    ['e'] = K_EXP, ['E'] = K_EXP,
    ['t'] = K_WORD, ['f'] = K_WORD, ['n'] = K_WORD
};


#define JSON_VALUES                                                           \
    [K_SPACE] = A_SKIP, [K_OBJECT] = A_OBJECT, [K_ARRAY] = A_ARRAY,           \
    [K_QUOTE] = A_STRING, [K_MINUS] = A_NUMBER, [K_ZERO] = A_NUMBER,          \
    [K_DIGIT] = A_NUMBER, [K_WORD] = A_WORD

static const uint8_t  json_grammar[S_DONE + 1][K_MAX] = {
    [S_VALUE] = { JSON_VALUES },
    [S_ELEMENT] = { JSON_VALUES, [K_ARRAY_END] = A_CLOSE },
    [S_MEMBER] = { [K_SPACE] = A_SKIP, [K_QUOTE] = A_NAME,
                   [K_OBJECT_END] = A_CLOSE },
    [S_NAME] = { [K_SPACE] = A_SKIP, [K_QUOTE] = A_NAME },
    [S_COLON] = { [K_SPACE] = A_SKIP, [K_COLON] = A_COLON },
    [S_NEXT] = { [K_SPACE] = A_SKIP, [K_COMMA] = A_COMMA,
                 [K_OBJECT_END] = A_CLOSE, [K_ARRAY_END] = A_CLOSE },
    [S_DONE] = { [K_SPACE] = A_SKIP }
};


/* The state after a byte of a number; 0: the byte is not of it. */
static const uint8_t  json_numbers[S_MAX][K_MAX] = {
    [S_NUMBER] = { [K_MINUS] = S_MINUS, [K_ZERO] = S_ZERO, [K_DIGIT] = S_INT },
    [S_MINUS] = { [K_ZERO] = S_ZERO, [K_DIGIT] = S_INT },
    [S_ZERO] = { [K_DOT] = S_DOT, [K_EXP] = S_EXP },
    [S_INT] = { [K_ZERO] = S_INT, [K_DIGIT] = S_INT, [K_DOT] = S_DOT,
                [K_EXP] = S_EXP },
    [S_DOT] = { [K_ZERO] = S_FRACTION, [K_DIGIT] = S_FRACTION },
    [S_FRACTION] = { [K_ZERO] = S_FRACTION, [K_DIGIT] = S_FRACTION,
                     [K_EXP] = S_EXP },
    [S_EXP] = { [K_MINUS] = S_SIGN, [K_PLUS] = S_SIGN, [K_ZERO] = S_POWER,
                [K_DIGIT] = S_POWER },
    [S_SIGN] = { [K_ZERO] = S_POWER, [K_DIGIT] = S_POWER },
    [S_POWER] = { [K_ZERO] = S_POWER, [K_DIGIT] = S_POWER }
};


static const aigw_str_t  json_words[] = {
    [AIGW_JSON_TRUE] = aigw_str("true"),
    [AIGW_JSON_FALSE] = aigw_str("false"),
    [AIGW_JSON_NULL] = aigw_str("null")
};


void
aigw_json_init(aigw_json_t *json, const aigw_json_schema_t *schema)
{
    memset(json, 0, offsetof(aigw_json_t, path));

    json->schema = schema;
    json->node = &schema->root;
}


static int
json_number_complete(const aigw_json_t *json)
{
    return json->state == S_ZERO || json->state == S_INT
           || json->state == S_FRACTION || json->state == S_POWER;
}


static aigw_err_t
json_scalar(aigw_json_scan_t *s, aigw_json_type_t type, aigw_str_t text)
{
    const aigw_json_node_t  *node = aigw_json_watch_wanted(s->json);

    s->json->state = s->json->depth ? S_NEXT : S_DONE;

    return node ? aigw_json_watch_scalar(s, node, type, text,
                                         s->json->capture && s->json->cut)
                : AIGW_OK;
}


static aigw_err_t
json_string(aigw_json_scan_t *s)
{
    aigw_err_t    err;
    aigw_str_t    text;
    aigw_json_t  *json = s->json;

    err = aigw_json_text_string(s, &text);

    if (err != AIGW_OK) {
        return err;
    }

    if (!json->name) {
        return json_scalar(s, AIGW_JSON_STRING, text);
    }

    json->name = 0;
    json->state = S_COLON;

    /* no watched name is as long as that */
    if (json->cut || text.len > AIGW_JSON_TEXT_MAX) {
        json->node = NULL;
        return AIGW_OK;
    }

    return json->capture ? aigw_json_watch_name(json, text) : AIGW_OK;
}


static aigw_err_t
json_number(aigw_json_scan_t *s)
{
    uint8_t               next;
    aigw_json_t          *json = s->json;
    const unsigned char  *run = s->p;

    for ( ; s->p < s->end; s->p++) {
        next = json_numbers[json->state][json_class[*s->p]];

        if (next == 0) {
            break;
        }

        json->state = next;
    }

    if (s->p == s->end) {
        aigw_json_text_spill(json, run, s->p);
        return AIGW_AGAIN;
    }

    if (!json_number_complete(json)) {
        return AIGW_EINVAL;
    }

    return json_scalar(s, AIGW_JSON_NUMBER,
                       aigw_json_text_take(json, run, s->p));
}


static aigw_err_t
json_word(aigw_json_scan_t *s)
{
    aigw_str_t    none = { 0, "" };
    aigw_str_t    word = json_words[s->json->word];
    aigw_json_t  *json = s->json;

    while (json->todo) {
        if (s->p == s->end) {
            return AIGW_AGAIN;
        }

        if (*s->p != (unsigned char) word.data[word.len - json->todo]) {
            return AIGW_EINVAL;
        }

        s->p++;
        json->todo--;
    }

    return json_scalar(s, json->word, none);
}


/* Passes white space, colons and commas: the action for what comes then. */
static unsigned
json_between(aigw_json_scan_t *s)
{
    unsigned              action = A_SKIP, state = s->json->state;
    aigw_json_t          *json = s->json;
    const unsigned char  *p = s->p;

    for ( ; p < s->end; p++) {
        action = json_grammar[state][json_class[*p]];

        if (action == A_COLON) {
            state = S_VALUE;

        } else if (action == A_COMMA) {
            state = (json->kinds & 1) ? S_NAME : S_VALUE;
            aigw_json_watch_comma(json);

        } else if (action != A_SKIP) {
            break;
        }
    }

    s->p = p;
    json->state = (uint16_t) state;

    return action;
}


static aigw_err_t
json_name(aigw_json_scan_t *s)
{
    aigw_err_t    err = AIGW_OK;
    aigw_json_t  *json = s->json;

    if (json->state == S_MEMBER) {
        err = aigw_json_watch_first(s);
    }

    s->p++;
    json->name = 1;
    json->state = S_STRING;
    aigw_json_text_begin(json, aigw_json_watch_names(json));

    return err == AIGW_OK ? json_string(s) : err;
}


/* A string, number or word begins; which, is told by the action. */
static aigw_err_t
json_begin(aigw_json_scan_t *s, unsigned action)
{
    aigw_err_t               err;
    aigw_json_t             *json = s->json;
    const aigw_json_node_t  *node = aigw_json_watch_wanted(json);

    err = aigw_json_token_begin(s);

    if (err != AIGW_OK) {
        return err;
    }

    if (action == A_STRING) {
        s->p++;
        json->state = S_STRING;
        aigw_json_text_begin(json, node != NULL
                                   && (node->flags & AIGW_JSON_TEXT));
        return json_string(s);
    }

    if (action == A_NUMBER) {
        json->state = S_NUMBER;
        aigw_json_text_begin(json, node != NULL);
        return json_number(s);
    }

    json->state = S_WORD;
    aigw_json_text_begin(json, 0);
    json->word = *s->p == 't' ? AIGW_JSON_TRUE
                 : *s->p == 'f' ? AIGW_JSON_FALSE : AIGW_JSON_NULL;
    json->todo = (uint8_t) json_words[json->word].len;

    return json_word(s);
}


/* What stands between scalars, and the beginning of the next. */
static aigw_err_t
json_structure(aigw_json_scan_t *s)
{
    unsigned  action = json_between(s);

    switch (action) {

    case A_SKIP:
    case A_COLON:
    case A_COMMA:
        return AIGW_OK;

    case A_OBJECT:
    case A_ARRAY:
        return aigw_json_token_open(s, action == A_OBJECT);

    case A_CLOSE:
        return aigw_json_token_close(s);

    case A_NAME:
        return json_name(s);

    case A_STRING:
    case A_NUMBER:
    case A_WORD:
        return json_begin(s, action);

    default:
        return AIGW_EINVAL;
    }
}


static aigw_err_t
json_step(aigw_json_scan_t *s)
{
    aigw_err_t    err;
    aigw_json_t  *json = s->json;

    if (json->state < S_DONE) {
        err = aigw_json_token_run(s);

        if (err != AIGW_AGAIN || s->p == s->end) {
            return err;
        }
    }

    if (json->state <= S_DONE) {
        return json_structure(s);
    }

    if (json->state == S_STRING) {
        return json_string(s);
    }

    return json->state == S_WORD ? json_word(s) : json_number(s);
}


aigw_err_t
aigw_json_feed(aigw_json_t *json, const unsigned char *data, size_t len,
    void *ctx)
{
    aigw_err_t        err = json->err;
    aigw_json_scan_t  s = { json, data, data, data + len, ctx, AIGW_OK };

    while (err == AIGW_OK && s.p < s.end) {
        err = json_step(&s);
    }

    if (err == AIGW_AGAIN) {
        err = AIGW_OK;
    }

    json->offset += len;
    json->err = (uint8_t) err;

    return err;
}


aigw_err_t
aigw_json_finish(const aigw_json_t *json)
{
    if (json->err != AIGW_OK) {
        return json->err;
    }

    if (json->state == S_DONE
        || (json->depth == 0 && json_number_complete(json)))
    {
        return AIGW_OK;
    }

    return AIGW_EINVAL;
}


const aigw_json_node_t *
aigw_json_fault(const aigw_json_t *json)
{
    return json->err == AIGW_EEXIST ? json->node : NULL;
}


const aigw_json_node_t *
aigw_json_unfinished(const aigw_json_t *json, uint64_t *bytes)
{
    const aigw_json_node_t  *node = aigw_json_watch_wanted(json);

    if (json->err != AIGW_OK || json->state != S_STRING || json->name
        || node == NULL)
    {
        return NULL;
    }

    *bytes = json->offset - json->start - 1;

    return node;
}
