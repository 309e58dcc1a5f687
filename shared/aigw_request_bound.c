/*
 * What a request may cost at most: how many prompts it has, and under a strict
 * cap what no number of bytes bounds (design, section 4). Which members are
 * watched for that; a call that none of it concerns pays nothing for it.
 */

#include <string.h>

#include "aigw.h"
#include "aigw_json.h"
#include "aigw_verdict.h"
#include "aigw_request.h"
#include "aigw_request_internal.h"


#define NONE         0, NULL
#define ALL(nodes)   sizeof(nodes) / sizeof(nodes[0]), nodes
#define SCALARS      AIGW_JSON_NO_FIRST | AIGW_JSON_NO_END
#define TEXT         SCALARS | AIGW_JSON_TEXT
#define REFERENCE(name)                                                       \
    { aigw_str(name), AIGW_REQUEST_REFERENCE, SCALARS, NONE }


static const aigw_json_node_t  bound_options[] = {
    { aigw_str("include_usage"), AIGW_REQUEST_INCLUDE, 0, NONE }
};

/* In each schema. */
#define COMMON                                                                \
    { aigw_str("model"), AIGW_REQUEST_MODEL, AIGW_JSON_TEXT, NONE },          \
    { aigw_str("stream"), AIGW_REQUEST_STREAM, 0, NONE },                     \
    { aigw_str("stream_options"), AIGW_REQUEST_OPTIONS, 0,                    \
      ALL(bound_options) },                                                   \
    { aigw_str("max_tokens"), AIGW_REQUEST_MAX_TOKENS, 0, NONE },             \
    { aigw_str("max_completion_tokens"), AIGW_REQUEST_MAX_COMPLETION, 0,      \
      NONE },                                                                 \
    { aigw_str("n"), AIGW_REQUEST_N, 0, NONE },                               \
    { aigw_str("best_of"), AIGW_REQUEST_BEST_OF, 0, NONE }


/* Prompts and inputs: one text, or many, or one or many lists of tokens. */
static const aigw_json_node_t  bound_prompt[] = {
    { AIGW_JSON_ITEM, AIGW_REQUEST_PROMPT_ITEM, SCALARS, NONE }
};

#define PROMPT(name)                                                          \
    { aigw_str(name), AIGW_REQUEST_PROMPT, SCALARS | AIGW_JSON_ITEMS,         \
      ALL(bound_prompt) }


/* Parts of a message, as OpenAI and new-api know them. */
static const aigw_json_node_t  bound_image[] = {
    { aigw_str("url"), AIGW_REQUEST_IMAGE, TEXT, NONE }
};

static const aigw_json_node_t  bound_video[] = {
    { aigw_str("url"), AIGW_REQUEST_MEDIA, TEXT, NONE }
};

static const aigw_json_node_t  bound_audio[] = {
    { aigw_str("data"), AIGW_REQUEST_AUDIO, TEXT, NONE }
};

static const aigw_json_node_t  bound_file[] = {
    { aigw_str("file_data"), AIGW_REQUEST_MEDIA, TEXT, NONE },
    REFERENCE("file_id"),
    REFERENCE("file_url")
};

static const aigw_json_node_t  bound_part[] = {
    { aigw_str("type"), AIGW_REQUEST_PART_TYPE, TEXT, NONE },
    { aigw_str("image_url"), AIGW_REQUEST_IMAGE, TEXT, ALL(bound_image) },
    { aigw_str("video_url"), AIGW_REQUEST_MEDIA, TEXT, ALL(bound_video) },
    { aigw_str("input_audio"), AIGW_REQUEST_AUDIO, TEXT, ALL(bound_audio) },
    { aigw_str("file"), AIGW_REQUEST_MEDIA, TEXT, ALL(bound_file) }
};

static const aigw_json_node_t  bound_parts[] = {
    { AIGW_JSON_ITEM, AIGW_REQUEST_PART, AIGW_JSON_NO_FIRST,
      ALL(bound_part) }
};

/* "audio" is an earlier answer, by its id. */
static const aigw_json_node_t  bound_message[] = {
    { aigw_str("content"), AIGW_REQUEST_CONTENT, SCALARS | AIGW_JSON_ITEMS,
      ALL(bound_parts) },
    REFERENCE("audio")
};


static const aigw_json_node_t  bound_function[] = {
    { aigw_str("name"), AIGW_REQUEST_FUNCTION_NAME, TEXT, NONE }
};

static const aigw_json_node_t  bound_tool[] = {
    { aigw_str("type"), AIGW_REQUEST_TOOL_TYPE, TEXT, NONE },
    { aigw_str("function"), AIGW_REQUEST_MAX, AIGW_JSON_SILENT,
      ALL(bound_function) }
};

static const aigw_json_node_t  bound_tools[] = {
    { AIGW_JSON_ITEM, AIGW_REQUEST_TOOL, AIGW_JSON_NO_FIRST, ALL(bound_tool) }
};


static const aigw_json_node_t  bound_google[] = {
    REFERENCE("cached_content")
};

static const aigw_json_node_t  bound_extra[] = {
    { aigw_str("google"), AIGW_REQUEST_MAX, AIGW_JSON_SILENT,
      ALL(bound_google) }
};


/* What an upstream adds to a prompt, or searches, by itself. */
#define REFERENCES                                                            \
    REFERENCE("previous_response_id"), REFERENCE("conversation"),             \
    REFERENCE("web_search_options"), REFERENCE("web_search"),                 \
    REFERENCE("enable_search"), REFERENCE("search_parameters"),               \
    REFERENCE("prediction"),                                                  \
    { aigw_str("extra_body"), AIGW_REQUEST_MAX, AIGW_JSON_SILENT,             \
      ALL(bound_extra) }


static const aigw_json_node_t  bound_chat[] = { COMMON };

static const aigw_json_node_t  bound_completions[] = {
    COMMON,
    PROMPT("prompt")
};

static const aigw_json_node_t  bound_embeddings[] = {
    COMMON,
    PROMPT("input")
};

static const aigw_json_node_t  bound_strict_chat[] = {
    COMMON,
    { aigw_str("messages"), AIGW_REQUEST_MAX,
      AIGW_JSON_EACH | AIGW_JSON_SILENT, ALL(bound_message) },
    { aigw_str("tools"), AIGW_REQUEST_TOOLS,
      AIGW_JSON_ITEMS | AIGW_JSON_NO_END, ALL(bound_tools) },
    PROMPT("prompt"),
    REFERENCES
};

static const aigw_json_node_t  bound_strict_completions[] = {
    COMMON,
    PROMPT("prompt"),
    REFERENCES
};

static const aigw_json_node_t  bound_strict_embeddings[] = {
    COMMON,
    PROMPT("input"),
    REFERENCES
};


#define SCHEMA(nodes)                                                         \
    { { aigw_str(""), AIGW_REQUEST_ROOT, 0, ALL(nodes) },                     \
      AIGW_JSON_ONCE, aigw_request_value }

static const aigw_json_schema_t  bound_schemas[][2] = {
    [AIGW_REQUEST_CHAT] =
        { SCHEMA(bound_chat), SCHEMA(bound_strict_chat) },
    [AIGW_REQUEST_COMPLETIONS] =
        { SCHEMA(bound_completions), SCHEMA(bound_strict_completions) },
    [AIGW_REQUEST_EMBEDDINGS] =
        { SCHEMA(bound_embeddings), SCHEMA(bound_strict_embeddings) }
};


const aigw_json_schema_t *
aigw_request_schema(aigw_request_kind_t kind, int strict)
{
    return &bound_schemas[kind][strict != 0];
}


static aigw_err_t
bound_refuse(aigw_request_t *req, const char *param)
{
    return aigw_request_refuse(req, AIGW_VERDICT_UNBOUNDED, param);
}


static int
bound_is(aigw_str_t text, const char *const *names)
{
    for ( ; *names; names++) {
        if (strlen(*names) == text.len
            && memcmp(*names, text.data, text.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
bound_is_absent(const aigw_json_value_t *value)
{
    return value->event == AIGW_JSON_VALUE
           && (value->type == AIGW_JSON_NULL || value->type == AIGW_JSON_FALSE);
}


static aigw_err_t
bound_prompt_value(aigw_request_t *req, const aigw_json_value_t *value)
{
    if (value->type == AIGW_JSON_OBJECT && req->strict) {
        /* a stored prompt, or media */
        return bound_refuse(req, req->kind == AIGW_REQUEST_EMBEDDINGS
                                 ? "input" : "prompt");
    }

    if (value->node->id == AIGW_REQUEST_PROMPT) {
        return AIGW_OK;
    }

    if (value->type == AIGW_JSON_NUMBER) {
        /* a token of the one prompt that there is */
        req->token_list = 1;

    } else {
        req->texts++;
    }

    return AIGW_OK;
}


/* A text that may be media: whether they are in it, not elsewhere. */
static int
bound_is_inline(const aigw_json_value_t *value)
{
    static const char  data[] = "data:";

    if (value->type != AIGW_JSON_STRING) {
        return 0;
    }

    if (value->text.len >= sizeof(data) - 1
        && memcmp(value->text.data, data, sizeof(data) - 1) == 0)
    {
        return 1;
    }

    /* base64 alone, which no address is */
    return value->node->id == AIGW_REQUEST_AUDIO
           && memchr(value->text.data, ':', value->text.len) == NULL;
}


static aigw_err_t
bound_media(aigw_request_t *req, const aigw_json_value_t *value)
{
    if (value->event == AIGW_JSON_BEGIN && value->type == AIGW_JSON_OBJECT
        && value->node->count)
    {
        return AIGW_OK;
    }

    if (bound_is_absent(value)) {
        return AIGW_OK;
    }

    if (!bound_is_inline(value)) {
        return bound_refuse(req, value->node->name.data);
    }

    if (value->node->id == AIGW_REQUEST_IMAGE) {
        req->more_tokens += AIGW_REQUEST_IMAGE_TOKENS;

    } else {
        req->by_context = 1;
    }

    return AIGW_OK;
}


/* An element of content or tools must be of a kind that is known here. */
static aigw_err_t
bound_element(aigw_request_t *req, const aigw_json_value_t *value,
    const char *param)
{
    if (value->event == AIGW_JSON_BEGIN && value->type == AIGW_JSON_OBJECT) {
        req->type_known = 0;
        return AIGW_OK;
    }

    if (value->event == AIGW_JSON_BEGIN
        || (value->event == AIGW_JSON_END && !req->type_known))
    {
        return bound_refuse(req, param);
    }

    /* a scalar counts by its bytes */
    return AIGW_OK;
}


static aigw_err_t
bound_type(aigw_request_t *req, const aigw_json_value_t *value,
    const char *const *names, const char *param)
{
    if (value->type != AIGW_JSON_STRING || !bound_is(value->text, names)) {
        return bound_refuse(req, param);
    }

    req->type_known = 1;

    return AIGW_OK;
}


static aigw_err_t
bound_tools_value(aigw_request_t *req, const aigw_json_value_t *value)
{
    if (value->event == AIGW_JSON_FIRST) {
        req->more_tokens += AIGW_REQUEST_TOOLS_TOKENS;
        return AIGW_OK;
    }

    return value->type == AIGW_JSON_ARRAY || bound_is_absent(value)
           ? AIGW_OK : bound_refuse(req, "tools");
}


aigw_err_t
aigw_request_bound(aigw_request_t *req, const aigw_json_value_t *value)
{
    static const char *const  parts[] = {
        "text", "refusal", "image_url", "video_url", "input_audio", "file",
        NULL
    };
    static const char *const  tools[] = { "function", "custom", NULL };

    /* new-api takes functions of these names for Google's own tools */
    static const char *const  hosted[] = {
        "googleSearch", "codeExecution", "urlContext", NULL
    };

    switch (value->node->id) {

    case AIGW_REQUEST_PROMPT:
    case AIGW_REQUEST_PROMPT_ITEM:
        return bound_prompt_value(req, value);

    case AIGW_REQUEST_CONTENT:
        return value->type == AIGW_JSON_OBJECT
               ? bound_refuse(req, "content") : AIGW_OK;

    case AIGW_REQUEST_PART:
        return bound_element(req, value, "content");

    case AIGW_REQUEST_PART_TYPE:
        return bound_type(req, value, parts, "content");

    case AIGW_REQUEST_IMAGE:
    case AIGW_REQUEST_MEDIA:
    case AIGW_REQUEST_AUDIO:
        return bound_media(req, value);

    case AIGW_REQUEST_TOOLS:
        return bound_tools_value(req, value);

    case AIGW_REQUEST_TOOL:
        return bound_element(req, value, "tools");

    case AIGW_REQUEST_TOOL_TYPE:
        return bound_type(req, value, tools, "tools");

    case AIGW_REQUEST_FUNCTION_NAME:
        return value->type == AIGW_JSON_STRING && bound_is(value->text, hosted)
               ? bound_refuse(req, "tools") : AIGW_OK;

    case AIGW_REQUEST_REFERENCE:
        return bound_is_absent(value)
               ? AIGW_OK : bound_refuse(req, value->node->name.data);

    default:
        /* on the way to something else */
        return AIGW_OK;
    }
}
