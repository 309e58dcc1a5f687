/*
 * How many prompts a body has, and what is refused under a strict cap because
 * nothing bounds what it may cost. Threats A20, J01.
 */

#include "aigw_request.h"
#include "pieces.h"


static aigw_request_kind_t  kind;
static int                  strict;


/* Logs the refusal, or prompts, tokens on top and whether only the context
   bounds it. */
static void
run(const char *input, size_t len, long cut)
{
    size_t           pos, n;
    aigw_err_t       err = AIGW_OK;
    aigw_request_t   req;
    unsigned char   *copy;

    memset(&req, 0xa5, sizeof(req));
    aigw_request_init(&req, kind, strict);

    for (pos = 0; err == AIGW_OK && pos < len; pos += n) {
        n = pieces_len(pos, len, cut);
        copy = pieces_copy(input + pos, n);
        err = aigw_request_feed(&req, copy, n);
        free(copy);
    }

    if (err == AIGW_OK) {
        err = aigw_request_finish(&req);
    }

    if (err != AIGW_OK) {
        pieces_add("%s %s", aigw_verdict_info(req.verdict)->code,
                   req.param ? req.param : "");
        return;
    }

    pieces_add("%d %d%s", (int) aigw_request_prompts(&req),
               (int) req.more_tokens, req.by_context ? " context" : "");
}


/* The body is {"model":"m",MEMBERS}. */
static void
is(const char *members, const char *want, const char *name)
{
    char  body[512], title[256];

    snprintf(body, sizeof(body), "{\"model\":\"m\",%s}", members);
    snprintf(title, sizeof(title), "%s: %.90s", name, members);
    pieces_are(run, body, strlen(body), want, title);
}


static void
test_prompts(void)
{
    kind = AIGW_REQUEST_COMPLETIONS;
    strict = 0;

    is("\"n\":3", "1 0", "no prompt is one");
    is("\"prompt\":\"a, b, c\"", "1 0", "a text");
    is("\"prompt\":null", "1 0", "null");
    is("\"prompt\":[]", "1 0", "none");
    is("\"prompt\":[\"a\"]", "1 0", "one text");
    is("\"prompt\" : [ \"a\" , \"],[\\\",\" , \"\" ]", "3 0", "three texts");
    is("\"prompt\":[1,22,333,4444]", "1 0", "tokens are one prompt");
    is("\"prompt\":[[1,2],[3],[4,5,6]]", "3 0", "lists of tokens are three");
    is("\"prompt\":[[\"a\",\"b\",[1,2]],[]]", "2 0", "whatever is in them");
    is("\"prompt\":[\"a\",1,[2],2]", "3 0", "a mixture is not too few");
    is("\"prompt\":{\"id\":\"pmpt_1\"}", "1 0", "an object is the upstream's");
    is("\"prompt\":[{\"a\":[1,2]},null]", "2 0", "objects");
    is("\"x\":{\"prompt\":[\"a\",\"b\"]}", "1 0", "only at the top");
    is("\"prompt\":[\"a\"],\"prompt\":[\"a\"]", "duplicate_parameter prompt",
       "J01 twice");
    is("\"prompt\":[\"a\"],\"Prompt\":[\"a\"]", "duplicate_parameter prompt",
       "J01 case");
    is("\"input\":[\"a\",\"b\"]", "1 0", "no prompt");

    kind = AIGW_REQUEST_EMBEDDINGS;

    is("\"input\":[\"a\",\"b\"]", "2 0", "inputs");
    is("\"input\":[1,2]", "1 0", "tokens");
    is("\"input\":[{\"image\":\"https://x/y.png\"}]", "1 0",
       "media are the upstream's");
    is("\"prompt\":[\"a\",\"b\"]", "1 0", "no input");

    kind = AIGW_REQUEST_CHAT;

    is("\"prompt\":[\"a\",\"b\"]", "1 0", "a chat has one");
    is("\"prompt\":1,\"prompt\":2", "1 0", "which nobody looks at");
}


/* What a clamped project may send. */
static void
test_clamp(void)
{
    kind = AIGW_REQUEST_CHAT;
    strict = 0;

    is("\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":"
       "{\"url\":\"https://x/y.png\"}}]}]", "1 0", "clamp: an address");
    is("\"tools\":[{\"type\":\"web_search\"}]", "1 0", "clamp: a tool");
    is("\"previous_response_id\":\"r\"", "1 0", "clamp: a conversation");
}


#define PART(part)  "\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]"

static void
test_texts(void)
{
    kind = AIGW_REQUEST_CHAT;
    strict = 1;

    is("\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]", "1 0",
       "strict: texts");
    is("\"messages\":[{\"role\":\"assistant\",\"content\":null,\"audio\":null}"
       ",{\"content\":[]}]", "1 0", "strict: no content");
    is(PART("{\"type\":\"text\",\"text\":\"https://x/y.png\"}"), "1 0",
       "strict: an address in a text is a text");
    is(PART("{\"text\":\"a\",\"type\":\"text\"},{\"type\":\"refusal\"}"), "1 0",
       "strict: parts of text");
    is(PART("\"a\",\"b\""), "1 0", "strict: bare texts");
    is(PART("{\"type\":\"text\",\"x\":{\"type\":\"y\"}}"), "1 0",
       "strict: a type elsewhere");
    is("\"content\":{},\"x\":[{\"content\":{}}]", "1 0", "A20 elsewhere");
    is("\"web_search_options\":null,\"tools\":null,\"conversation\":null,"
       "\"enable_search\":false,\"prediction\":null,\"extra_body\":"
       "{\"google\":{\"thinking_config\":{}}}", "1 0", "strict: not used");

    is(PART("{\"type\":\"input_image\"}"), "unbounded_request content",
       "strict: a part of another type");
    is(PART("{\"text\":\"a\"}"), "unbounded_request content",
       "strict: of none");
    is(PART("{\"type\":1}"), "unbounded_request content", "strict: of none");
    is(PART("[]"), "unbounded_request content", "strict: no part");
    is(PART("{\"type\":\"text\",\"type\":\"x\"}"), "duplicate_parameter type",
       "J01 twice");
    is(PART("{\"type\":\"text\"},{\"TYPE\":\"x\"}"),
       "duplicate_parameter type", "J01 case");
    is("\"messages\":[{\"content\":{}}]", "unbounded_request content",
       "strict: no content");
}


static void
test_media(void)
{
    kind = AIGW_REQUEST_CHAT;
    strict = 1;

    is(PART("{\"type\":\"image_url\",\"image_url\":{\"url\":"
            "\"data:image/png;base64,AA==\",\"detail\":\"high\"}}"),
       "1 65536", "strict: an image in the body");
    is(PART("{\"type\":\"image_url\",\"image_url\":{\"url\":"
            "\"\\u0064ata:,\"}},{\"type\":\"image_url\",\"image_url\":"
            "\"data:,\"}"),
       "1 131072", "strict: two");
    is(PART("{\"type\":\"image_url\",\"image_url\":{\"url\":"
            "\"https://x/y.png\"}}"),
       "unbounded_request url", "strict: by its address");
    is(PART("{\"type\":\"image_url\",\"image_url\":\"//x/y.png\"}"),
       "unbounded_request image_url", "strict: by its address");
    is(PART("{\"type\":\"text\",\"image_url\":{\"url\":\"file-1\"}}"),
       "unbounded_request url", "strict: whatever the type says");
    is(PART("{\"type\":\"image_url\",\"image_url\":[]}"),
       "unbounded_request image_url", "strict: no image");
    is(PART("{\"type\":\"image_url\",\"image_url\":{\"url\":1}}"),
       "unbounded_request url", "strict: no image");

    is(PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\","
            "\"format\":\"wav\"}}"),
       "1 0 context", "strict: sound");
    is(PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
            "\"https://x/y.wav\"}}"),
       "unbounded_request data", "strict: by its address");
    is(PART("{\"type\":\"file\",\"file\":{\"filename\":\"a:b\",\"file_data\":"
            "\"data:application/pdf;base64,AA==\"}}"),
       "1 0 context", "strict: a file");
    is(PART("{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}"),
       "unbounded_request file_id", "strict: by its id");
    is(PART("{\"type\":\"file\",\"file\":{\"file_data\":\"https://x/y\"}}"),
       "unbounded_request file_data", "strict: by its address");
    is(PART("{\"type\":\"video_url\",\"video_url\":\"data:,\"}"),
       "1 0 context", "strict: a video");
    is(PART("{\"type\":\"video_url\",\"video_url\":{\"url\":\"ms://1\"}}"),
       "unbounded_request url", "strict: by its address");
    is("\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}]",
       "unbounded_request audio", "strict: an earlier answer by its id");
}


static void
test_tools(void)
{
    kind = AIGW_REQUEST_CHAT;
    strict = 1;

    is("\"tools\":[]", "1 0", "strict: no tools");
    is("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
       "\"parameters\":{\"type\":\"object\"}}},{\"type\":\"custom\"}]",
       "1 1024", "strict: the client's own");
    is("\"tools\":[{\"type\":\"web_search\"}]", "unbounded_request tools",
       "strict: hosted");
    is("\"tools\":[{\"type\":\"function\"},{\"type\":\"mcp\"}]",
       "unbounded_request tools", "strict: hosted");
    is("\"tools\":[{\"function\":{\"name\":\"f\"}}]",
       "unbounded_request tools", "strict: of no type");
    is("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
       "\"googleSearch\"}}]", "unbounded_request tools",
       "strict: hosted, by its name");
    is("\"tools\":{\"type\":\"web_search\"}", "unbounded_request tools",
       "strict: no array");
}


static void
test_references(void)
{
    static const char *const  names[] = {
        "previous_response_id", "conversation", "web_search_options",
        "web_search", "enable_search", "search_parameters", "prediction"
    };
    static const char *const  values[] = { "\"x\"", "{}", "[]", "true", "1" };

    char    body[128], want[128];
    size_t  i, k;

    strict = 1;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (k = 0; k < 5; k++) {
            kind = (aigw_request_kind_t) ((i + k) % 3);
            snprintf(body, sizeof(body), "\"%s\":%s", names[i], values[k]);
            snprintf(want, sizeof(want), "unbounded_request %s", names[i]);
            is(body, want, "strict");
        }
    }

    is("\"extra_body\":{\"google\":{\"cached_content\":\"c\"}}",
       "unbounded_request cached_content", "strict: a cache");

    kind = AIGW_REQUEST_CHAT;
    is("\"prompt\":{\"id\":\"pmpt_1\"}", "unbounded_request prompt",
       "strict: a stored prompt");
    kind = AIGW_REQUEST_COMPLETIONS;
    is("\"prompt\":{\"id\":\"pmpt_1\"}", "unbounded_request prompt",
       "strict: a stored prompt");
    is("\"prompt\":[\"a\",[1,2]]", "2 0", "strict: prompts");
    kind = AIGW_REQUEST_EMBEDDINGS;
    is("\"input\":[{\"image\":\"https://x/y.png\"}]",
       "unbounded_request input", "strict: media");
    is("\"input\":[\"a\",\"b\"]", "2 0", "strict: inputs");
}


int
main(void)
{
    test_prompts();
    test_clamp();
    test_texts();
    test_media();
    test_tools();
    test_references();

    return done();
}
