/*
 * The unmodified `openai` package as a developer uses it, through the gateway.
 * Prints one JSON object of what it saw; t/sdk/node.t judges. Keys come by the
 * environment, never by the command line.
 */

import OpenAI from 'openai';

const { AIGW_BASE_URL, AIGW_API_KEY, AIGW_SPENT_KEY, AIGW_NARROW_KEY } =
    process.env;

const messages = [{ role: 'user', content: 'Say "hello", größer \u{1F44B}' }];
const model = 'gpt-4o-mini';

let attempts = 0;

function counted(...args) {
    attempts++;
    return fetch(...args);
}


function client(apiKey) {
    return new OpenAI({ baseURL: AIGW_BASE_URL, apiKey, fetch: counted });
}


async function chat() {
    const answer = await client(AIGW_API_KEY).chat.completions.create({
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
    const { data, request_id } = await client(AIGW_API_KEY)
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


async function models() {
    const names = [];

    for await (const entry of client(AIGW_API_KEY).models.list()) {
        names.push(entry.id);
    }

    return names;
}


/* What a call is refused with, as the SDK's user sees it. */
async function refusal(apiKey, name) {
    attempts = 0;

    try {
        await client(apiKey).chat.completions.create({ model: name, messages });
    } catch (error) {
        return {
            error: error.constructor.name,
            status: error.status,
            code: error.code,
            type: error.type,
            message: error.message,
            id: error.requestID,
            attempts,
        };
    }

    return { error: null, attempts };
}


const wrong = AIGW_API_KEY.slice(0, -1)
    + (AIGW_API_KEY.endsWith('0') ? '1' : '0');

console.log(JSON.stringify({
    messages_bytes: Buffer.byteLength(JSON.stringify(messages)),
    chat: await chat(),
    stream: await stream({}),
    stream_usage: await stream({ stream_options: { include_usage: true } }),
    models: await models(),
    wrong_key: await refusal(wrong, model),
    first_spends: await refusal(AIGW_SPENT_KEY, model),
    spent_quota: await refusal(AIGW_SPENT_KEY, model),
    not_allowed: await refusal(AIGW_NARROW_KEY, model),
}));
