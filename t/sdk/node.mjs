/*
 * The unmodified `openai` package as a developer uses it, through the gateway.
 * Prints one JSON object of what it saw, the twin of t/sdk/python.py;
 * t/sdk/Sdk.pm judges both. Keys come by the environment, never by the command
 * line.
 */

import OpenAI from 'openai';

const { AIGW_BASE_URL, AIGW_API_KEY, AIGW_SPENT_KEY, AIGW_NARROW_KEY,
    AIGW_LAST_KEY, AIGW_CUT_KEY, AIGW_BUSY_KEY } = process.env;

const messages = [{ role: 'user', content: 'Say "hello", größer \u{1F44B}' }];
const model = 'gpt-4o-mini';

let attempts = 0;

function counted(...args) {
    attempts++;
    return fetch(...args);
}


function client(apiKey = AIGW_API_KEY, baseURL = AIGW_BASE_URL) {
    return new OpenAI({ baseURL, apiKey, fetch: counted });
}


async function chat() {
    const answer = await client().chat.completions.create({
        model, messages, max_tokens: 7,
    });

    return {
        text: answer.choices[0].message.content,
        finish: answer.choices[0].finish_reason,
        usage: answer.usage,
        id: answer._request_id,
    };
}


async function stream(options) {
    const { data, request_id } = await client()
        .chat.completions.create({
            model, messages, stream: true, max_tokens: 9, ...options,
        })
        .withResponse();
    const seen = { text: '', deltas: 0, bare: 0, usage: null, id: request_id };

    for await (const chunk of data) {
        seen.usage = chunk.usage ?? seen.usage;
        seen.bare += chunk.choices.length === 0;

        const delta = chunk.choices[0]?.delta?.content;

        if (delta) {
            seen.text += delta;
            seen.deltas++;
        }
    }

    return seen;
}


async function lastTokens() {
    const answer = await client(AIGW_LAST_KEY).chat.completions.create({
        model: 'out', messages,
    });

    return {
        text: answer.choices[0].message.content,
        finish: answer.choices[0].finish_reason,
        usage: answer.usage,
        id: answer._request_id,
    };
}


/* A stream that the upstream runs past its limit. */
async function cut() {
    attempts = 0;
    let deltas = 0;

    try {
        const chunks = await client(AIGW_CUT_KEY).chat.completions.create({
            model: 'out', messages, stream: true, max_tokens: 10,
        });

        for await (const chunk of chunks) {
            deltas += Boolean(chunk.choices[0].delta.content);
        }
    } catch (error) {
        return {
            error: error.constructor.name, code: error.code, deltas, attempts,
        };
    }

    return { error: null, deltas, attempts };
}


/* Two calls at once, of whose holds the quota pays one. */
async function both() {
    attempts = 0;

    const answers = await Promise.all([1, 2].map(
        () => client(AIGW_BUSY_KEY).chat.completions.create({
            model: 'out', messages, max_tokens: 6,
        })));

    return {
        tokens: answers.map(answer => answer.usage.completion_tokens),
        attempts,
    };
}


async function completion() {
    const answer = await client().completions.create({
        model, prompt: 'Say hello',
    });

    return {
        text: answer.choices[0].text, usage: answer.usage,
        id: answer._request_id,
    };
}


async function embedding() {
    const { data, request_id } = await client().embeddings.create({
        model: 'text-embedding-3-small', input: ['one', 'two'],
        encoding_format: 'float',
    }).withResponse();

    return {
        vectors: data.data.map(item => item.embedding), usage: data.usage,
        id: request_id,
    };
}


async function models() {
    const names = [];

    for await (const entry of client().models.list()) {
        names.push(entry.id);
    }

    return names;
}


/* What a call is refused with, as the SDK's user sees it. */
async function refusal(call) {
    attempts = 0;

    try {
        await call();
    } catch (error) {
        return {
            error: error.constructor.name,
            status: error.status,
            code: error.code,
            type: error.type,
            id: error.requestID,
            attempts,
        };
    }

    return { error: null, attempts };
}


function ask({ apiKey, name = model, baseURL } = {}) {
    return () => client(apiKey, baseURL).chat.completions.create({
        model: name, messages,
    });
}


const wrong = AIGW_API_KEY.slice(0, -1)
    + (AIGW_API_KEY.endsWith('0') ? '1' : '0');

/* the first of these meet the answers that t/sdk/Sdk.pm has scripted */

console.log(JSON.stringify({
    bad_gateway: await refusal(ask()),
    upstream_auth: await refusal(ask()),
    upstream_500: await refusal(ask()),
    completion: await completion(),
    embedding: await embedding(),
    cut: await cut(),
    both: await both(),
    last_tokens: await lastTokens(),
    messages_bytes: Buffer.byteLength(JSON.stringify(messages)),
    chat: await chat(),
    stream: await stream({}),
    stream_usage: await stream({ stream_options: { include_usage: true } }),
    models: await models(),
    model: (await client().models.retrieve('o3')).id,
    wrong_key: await refusal(ask({ apiKey: wrong })),
    first_spends: await refusal(ask({ apiKey: AIGW_SPENT_KEY })),
    spent_quota: await refusal(ask({ apiKey: AIGW_SPENT_KEY })),
    not_allowed: await refusal(ask({ apiKey: AIGW_NARROW_KEY })),
    no_model: await refusal(() => client().models.retrieve('nothing')),
    wrong_base_url: await refusal(ask({ baseURL: AIGW_BASE_URL + '/v1' })),
    bad_request: await refusal(ask({ name: 7 })),
}));
