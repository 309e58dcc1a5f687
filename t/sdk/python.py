"""The unmodified `openai` package as a developer uses it, through the gateway.

Prints one JSON object of what it saw, the twin of t/sdk/node.mjs; t/sdk/Sdk.pm
judges both. Keys come by the environment, never by the command line.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import openai

BASE_URL = os.environ["AIGW_BASE_URL"]
KEY = os.environ["AIGW_API_KEY"]
MESSAGES = [{"role": "user", "content": 'Say "hello", größer \U0001F44B'}]
MODEL = "gpt-4o-mini"

attempts = 0


def count(_request):
    global attempts
    attempts += 1


def client(api_key=KEY, base_url=BASE_URL):
    return openai.OpenAI(
        base_url=base_url,
        api_key=api_key,
        http_client=openai.DefaultHttpxClient(
            event_hooks={"request": [count]}),
    )


def usage(answer):
    return answer.usage and answer.usage.model_dump(exclude_none=True)


def chat():
    answer = client().chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=7)

    return {
        "text": answer.choices[0].message.content,
        "finish": answer.choices[0].finish_reason,
        "usage": usage(answer),
        "id": answer._request_id,
    }


def stream(**options):
    raw = client().chat.completions.with_raw_response.create(
        model=MODEL, messages=MESSAGES, stream=True, max_tokens=9, **options)
    seen = {"text": "", "deltas": 0, "bare": 0, "usage": None,
            "id": raw.headers["x-request-id"]}

    for chunk in raw.parse():
        seen["usage"] = usage(chunk) or seen["usage"]

        if not chunk.choices:
            seen["bare"] += 1
        elif chunk.choices[0].delta.content:
            seen["text"] += chunk.choices[0].delta.content
            seen["deltas"] += 1

    return seen


def last_tokens():
    answer = client(os.environ["AIGW_LAST_KEY"]).chat.completions.create(
        model="out", messages=MESSAGES)

    return {
        "text": answer.choices[0].message.content,
        "finish": answer.choices[0].finish_reason,
        "usage": usage(answer),
        "id": answer._request_id,
    }


def cut():
    """A stream that the upstream runs past its limit."""
    global attempts
    attempts = 0
    deltas = 0

    try:
        for chunk in client(os.environ["AIGW_CUT_KEY"]).chat.completions.create(
                model="out", messages=MESSAGES, stream=True, max_tokens=10):
            deltas += bool(chunk.choices[0].delta.content)
    except openai.APIError as error:
        return {"error": type(error).__name__, "code": error.code,
                "deltas": deltas, "attempts": attempts}

    return {"error": None, "deltas": deltas, "attempts": attempts}


def both():
    """Two calls at once, of whose holds the quota pays one."""
    global attempts
    attempts = 0

    def one(_):
        return client(os.environ["AIGW_BUSY_KEY"]).chat.completions.create(
            model="out", messages=MESSAGES, max_tokens=6)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(one, range(2)))

    return {"tokens": [answer.usage.completion_tokens for answer in answers],
            "attempts": attempts}


def completion():
    answer = client().completions.create(model=MODEL, prompt="Say hello")

    return {"text": answer.choices[0].text, "usage": usage(answer),
            "id": answer._request_id}


def embedding():
    raw = client().embeddings.with_raw_response.create(
        model="text-embedding-3-small", input=["one", "two"],
        encoding_format="float")
    answer = raw.parse()

    return {"vectors": [item.embedding for item in answer.data],
            "usage": usage(answer), "id": raw.headers["x-request-id"]}


def refusal(call):
    """What a call is refused with, as the SDK's user sees it."""
    global attempts
    attempts = 0

    try:
        call()
    except openai.APIStatusError as error:
        return {
            "error": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "type": error.type,
            "id": error.request_id,
            "attempts": attempts,
        }

    return {"error": None, "attempts": attempts}


def ask(api_key=KEY, model=MODEL, base_url=BASE_URL):
    return lambda: client(api_key, base_url).chat.completions.create(
        model=model, messages=MESSAGES)


wrong = KEY[:-1] + ("1" if KEY.endswith("0") else "0")
spent = os.environ["AIGW_SPENT_KEY"]

# the first of these meet the answers that t/sdk/Sdk.pm has scripted
print(json.dumps({
    "bad_gateway": refusal(ask()),
    "upstream_auth": refusal(ask()),
    "upstream_500": refusal(ask()),
    "completion": completion(),
    "embedding": embedding(),
    "cut": cut(),
    "both": both(),
    "last_tokens": last_tokens(),
    "messages_bytes": len(json.dumps(
        MESSAGES, ensure_ascii=False, separators=(",", ":")).encode()),
    "chat": chat(),
    "stream": stream(),
    "stream_usage": stream(stream_options={"include_usage": True}),
    "models": [model.id for model in client().models.list()],
    "model": client().models.retrieve("o3").id,
    "wrong_key": refusal(ask(wrong)),
    "first_spends": refusal(ask(spent)),
    "spent_quota": refusal(ask(spent)),
    "not_allowed": refusal(ask(os.environ["AIGW_NARROW_KEY"])),
    "no_model": refusal(lambda: client().models.retrieve("nothing")),
    "wrong_base_url": refusal(ask(base_url=BASE_URL + "/v1")),
    "bad_request": refusal(ask(model=7)),
}))
