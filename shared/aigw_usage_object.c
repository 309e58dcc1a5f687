/*
 * One JSON document of an answer: where usage, errors and text stand in it,
 * and what the counts mean (wire-formats 2.0, 2.2). It must know nothing of
 * streams and buffers.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_price.h"
#include "aigw_usage.h"
#include "aigw_usage_internal.h"


#define COUNT_MAX  INT64_C(1000000000)


/* The counts of a usage object; their node ids, too. */
enum {
    C_PROMPT = 0, C_COMPLETION, C_TOTAL, C_INPUT, C_OUTPUT,
    C_CACHED, C_CACHE_HIT, C_CACHED_FLAT, C_CACHED_INPUT,
    C_CACHE_WRITE, C_CACHE_CREATION, C_CACHE_WRITE_INPUT,
    C_REASONING, C_REASONING_OUTPUT,
    N_ROOT, N_NONE, N_ERROR, N_CHOICES, N_TEXT,
    N_CHOICE_USAGE, N_GROQ_USAGE, N_USAGE     /* by rank */
};


/* aigw_usage_meter_t.found */
enum { F_PROMPT = 0, F_COMPLETION, F_CACHED, F_CACHE_WRITE, F_REASONING };


#define MEMBERS(nodes)  sizeof(nodes) / sizeof(nodes[0]), nodes
#define SILENT  AIGW_JSON_SILENT
#define NO_FIRST  AIGW_JSON_NO_FIRST
#define NO_END  AIGW_JSON_NO_END
#define COUNT(name, id)                                                       \
    { aigw_str(name), id, AIGW_JSON_TEXT | NO_FIRST | NO_END, 0, NULL }
#define TEXT(name)  { aigw_str(name), N_TEXT, SILENT, 0, NULL }

static const aigw_json_node_t  usage_prompt_details[] = {
    COUNT("cached_tokens", C_CACHED),
    COUNT("cache_write_tokens", C_CACHE_WRITE),
    COUNT("cached_creation_tokens", C_CACHE_CREATION)
};

static const aigw_json_node_t  usage_input_details[] = {
    COUNT("cached_tokens", C_CACHED_INPUT),
    COUNT("cache_write_tokens", C_CACHE_WRITE_INPUT)
};

static const aigw_json_node_t  usage_completion_details[] = {
    COUNT("reasoning_tokens", C_REASONING)
};

static const aigw_json_node_t  usage_output_details[] = {
    COUNT("reasoning_tokens", C_REASONING_OUTPUT)
};

static const aigw_json_node_t  usage_counts[] = {
    COUNT("prompt_tokens", C_PROMPT),
    COUNT("completion_tokens", C_COMPLETION),
    COUNT("total_tokens", C_TOTAL),
    COUNT("input_tokens", C_INPUT),
    COUNT("output_tokens", C_OUTPUT),
    COUNT("prompt_cache_hit_tokens", C_CACHE_HIT),
    COUNT("cached_tokens", C_CACHED_FLAT),
    { aigw_str("prompt_tokens_details"), N_NONE, SILENT,
      MEMBERS(usage_prompt_details) },
    { aigw_str("completion_tokens_details"), N_NONE, SILENT,
      MEMBERS(usage_completion_details) },
    { aigw_str("input_tokens_details"), N_NONE, SILENT,
      MEMBERS(usage_input_details) },
    { aigw_str("output_tokens_details"), N_NONE, SILENT,
      MEMBERS(usage_output_details) }
};

static const aigw_json_node_t  usage_function[] = {
    TEXT("name"), TEXT("arguments")
};

static const aigw_json_node_t  usage_tool_call[] = {
    { aigw_str("function"), N_NONE, SILENT, MEMBERS(usage_function) }
};

static const aigw_json_node_t  usage_audio[] = {
    TEXT("transcript")
};

static const aigw_json_node_t  usage_message[] = {
    TEXT("content"),
    TEXT("reasoning_content"),
    TEXT("reasoning"),
    TEXT("refusal"),
    { aigw_str("tool_calls"), N_NONE, AIGW_JSON_EACH | SILENT,
      MEMBERS(usage_tool_call) },
    { aigw_str("function_call"), N_NONE, SILENT, MEMBERS(usage_function) },
    { aigw_str("audio"), N_NONE, SILENT, MEMBERS(usage_audio) }
};

static const aigw_json_node_t  usage_choice[] = {
    { aigw_str("delta"), N_NONE, SILENT, MEMBERS(usage_message) },
    { aigw_str("message"), N_NONE, SILENT, MEMBERS(usage_message) },
    TEXT("text"),
    { aigw_str("usage"), N_CHOICE_USAGE, NO_FIRST, MEMBERS(usage_counts) }
};

static const aigw_json_node_t  usage_groq[] = {
    { aigw_str("usage"), N_GROQ_USAGE, NO_FIRST, MEMBERS(usage_counts) }
};

static const aigw_json_node_t  usage_document[] = {
    { aigw_str("choices"), N_CHOICES, AIGW_JSON_EACH | NO_END,
      MEMBERS(usage_choice) },
    { aigw_str("usage"), N_USAGE, NO_FIRST, MEMBERS(usage_counts) },
    { aigw_str("x_groq"), N_NONE, SILENT, MEMBERS(usage_groq) },
    { aigw_str("error"), N_ERROR, NO_FIRST | NO_END, 0, NULL }
};

static aigw_err_t usage_value(void *ctx, const aigw_json_value_t *value);

const aigw_json_schema_t  aigw_usage_schema = {
    { aigw_str(""), N_ROOT, NO_FIRST, MEMBERS(usage_document) },
    AIGW_JSON_LAST_COUNTS,
    usage_value
};


static uint32_t
usage_either(uint32_t first, uint32_t second)
{
    return first ? first : second;
}


static uint32_t
usage_clamp(uint32_t part, uint32_t whole, uint8_t *flags)
{
    if (part <= whole) {
        return part;
    }

    *flags |= AIGW_USAGE_INCONSISTENT;

    return whole;
}


/* Providers differ in whether completion_tokens has the reasoning in it: the
   total tells. Without a total there is nothing to tell. */
static uint32_t
usage_completion(uint32_t p, uint32_t c, uint32_t t, uint32_t r,
    uint8_t *flags)
{
    if (t == 0 || t == p + c) {
        return c;
    }

    if (r > 0 && t == p + c + r) {
        return c + r;
    }

    if (c == 0 && t > p) {
        return t - p;
    }

    *flags |= AIGW_USAGE_INCONSISTENT;

    return c;
}


/* The object in hand into found[]. Counts are at most 10^9: a sum of three
   fits. */
static void
usage_normalise(aigw_usage_meter_t *m)
{
    uint8_t          flags = 0;
    uint32_t         p, c, write;
    uint32_t        *found = m->found;
    const uint32_t  *n = m->count;

    found[F_REASONING] = usage_either(n[C_REASONING], n[C_REASONING_OUTPUT]);
    p = usage_either(n[C_PROMPT], n[C_INPUT]);
    c = usage_completion(p, usage_either(n[C_COMPLETION], n[C_OUTPUT]),
                         n[C_TOTAL], found[F_REASONING], &flags);

    found[F_PROMPT] = p;
    found[F_COMPLETION] = c;
    found[F_REASONING] = usage_clamp(found[F_REASONING], c, &flags);

    found[F_CACHED] = usage_either(usage_either(n[C_CACHED], n[C_CACHE_HIT]),
                                   usage_either(n[C_CACHED_FLAT],
                                                n[C_CACHED_INPUT]));
    found[F_CACHED] = usage_clamp(found[F_CACHED], p, &flags);

    write = n[C_CACHE_WRITE] > n[C_CACHE_CREATION] ? n[C_CACHE_WRITE]
                                                   : n[C_CACHE_CREATION];
    write = usage_either(write, n[C_CACHE_WRITE_INPUT]);
    found[F_CACHE_WRITE] = usage_clamp(write, p - found[F_CACHED], &flags);

    m->found_flags = flags;
}


static void
usage_object_end(aigw_usage_meter_t *m, unsigned rank)
{
    unsigned  i;
    uint32_t  any = 0;

    if (m->bad) {
        m->flags |= AIGW_USAGE_BAD;
        return;
    }

    for (i = 0; i < AIGW_USAGE_COUNTS; i++) {
        any |= m->count[i];
    }

    if (any && rank >= m->rank) {
        m->rank = rank & 3U;
        usage_normalise(m);
    }
}


static void
usage_object(aigw_usage_meter_t *m, const aigw_json_value_t *value)
{
    int  top = value->node->id == N_USAGE;
    int  object = value->type == AIGW_JSON_OBJECT;

    if (value->event == AIGW_JSON_VALUE || value->event == AIGW_JSON_BEGIN) {
        memset(m->count, 0, sizeof(m->count));
        m->bad = 0;

        if (top) {
            m->usage = object != 0;
        }

    } else if (value->event == AIGW_JSON_END && object) {
        usage_object_end(m, value->node->id - N_CHOICE_USAGE + 1U);
    }
}


static void
usage_count(aigw_usage_meter_t *m, const aigw_json_value_t *value)
{
    int64_t    n = 0;
    uint32_t  *count = &m->count[value->node->id];

    *count = 0;

    if (value->type == AIGW_JSON_NULL) {
        return;
    }

    if ((value->type != AIGW_JSON_NUMBER && value->type != AIGW_JSON_STRING)
        || value->cut || aigw_json_count(value->text, COUNT_MAX, &n) != AIGW_OK)
    {
        m->bad = 1;
        return;
    }

    *count = (uint32_t) n;
}


/* Clients take any value of `error` for an error that is true in their
   language. */
static int
usage_is_error(const aigw_json_value_t *value)
{
    switch (value->type) {

    case AIGW_JSON_NULL:
    case AIGW_JSON_FALSE:
        return 0;

    case AIGW_JSON_STRING:
        return value->end - value->start > 2;

    case AIGW_JSON_NUMBER:
        return value->text.len != 1 || value->text.data[0] != '0';

    default:
        return 1;
    }
}


static void
usage_choices(aigw_usage_meter_t *m, const aigw_json_value_t *value)
{
    if (value->event == AIGW_JSON_BEGIN && value->type == AIGW_JSON_ARRAY) {
        m->empty = 1;

    } else {
        m->passing = 1;
    }
}


static aigw_err_t
usage_value(void *ctx, const aigw_json_value_t *value)
{
    unsigned             id = value->node->id;
    aigw_usage_meter_t  *m = ctx;

    /* the two that most values are */

    if (id < AIGW_USAGE_COUNTS) {
        usage_count(m, value);
        return AIGW_OK;
    }

    if (id == N_TEXT) {

        if (value->type == AIGW_JSON_STRING && !m->done) {
            m->text_bytes += value->end - value->start - 2;
        }

        return AIGW_OK;
    }

    switch (id) {

    case N_ROOT:
        if (value->type != AIGW_JSON_OBJECT) {
            m->passing = 1;

        } else if (value->event == AIGW_JSON_END) {
            aigw_usage_commit(m);
        }

        break;

    case N_ERROR:
        if (usage_is_error(value)) {
            m->passing = 1;
            m->error |= !m->done;
        }

        break;

    case N_CHOICES:
        usage_choices(m, value);
        break;

    case N_CHOICE_USAGE:
    case N_GROQ_USAGE:
    case N_USAGE:
        usage_object(m, value);
    }

    return AIGW_OK;
}


void
aigw_usage_begin(aigw_usage_meter_t *m)
{
    m->rank = 0;
    m->empty = 0;
    m->usage = 0;
    m->mark = 0;
    aigw_json_init(&m->json, &aigw_usage_schema);
}


void
aigw_usage_commit(aigw_usage_meter_t *m)
{
    if (m->rank == 0 || m->done) {
        return;
    }

    m->tokens.prompt_tokens = m->found[F_PROMPT];
    m->tokens.completion_tokens = m->found[F_COMPLETION];
    m->tokens.cached_tokens = m->found[F_CACHED];
    m->tokens.cache_write_tokens = m->found[F_CACHE_WRITE];
    m->tokens.reasoning_tokens = m->found[F_REASONING];
    m->flags = (uint8_t) ((m->flags & AIGW_USAGE_BAD) | m->found_flags);
    m->seen = 1;
    m->rank = 0;
}


void
aigw_usage_count_rest(aigw_usage_meter_t *m)
{
    uint64_t                 bytes;
    const aigw_json_node_t  *node = aigw_json_unfinished(&m->json, &bytes);

    if (node != NULL && node->id == N_TEXT && !m->done) {
        m->text_bytes += bytes;
    }
}
