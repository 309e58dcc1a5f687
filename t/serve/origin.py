"""A script as it was written for the service that this gateway took over from.

It knows one address and its own name and password; nothing here is of this
gateway's making. Prints one JSON object of what it saw, for t/serve/origin.t.
"""

import json
import os
from datetime import date

import openai
import requests

BASE = os.environ["ORIGIN_URL"]
USER = {"username": "小明", "password": os.environ["ORIGIN_PASSWORD"]}
TODAY = date.today().isoformat()

saw = {}


def ask(name, method, path, **more):
    response = requests.request(method, BASE + path, timeout=30, **more)
    saw[name] = {"status": response.status_code, "json": response.json()}
    return response.json()


ask("register", "POST", "/register", json=USER)
token = ask("login", "POST", "/login", data=USER)["access_token"]
headers = {"Authorization": f"Bearer {token}"}

project = ask("create", "POST", "/project/create", headers=headers, json={
    "project_name": "客服机器人",
    "total_quota": 12.5,
    "model_permission": ["gpt-4o-mini", "o3"],
    "expired_days": 7,
})["data"]
ask("create_default", "POST", "/project/create", headers=headers, json={
    "project_name": "second", "total_quota": 1, "model_permission": "o3",
})

client = openai.OpenAI(api_key=project["api_key"], base_url=project["base_url"])

for text in "你好", "再见":
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}])
    saw.setdefault("tokens", []).append(answer.usage.total_tokens)

try:
    client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "no"}])
except openai.PermissionDeniedError as error:
    saw["not_allowed"] = error.code

ask("list", "GET", "/project/list", headers=headers)
ask("stats", "GET", "/stats/usage", headers=headers, params={
    "project_id": project["project_id"],
    "start_date": TODAY,
    "end_date": TODAY,
})
ask("stats_default", "GET", "/stats/usage", headers=headers)

print(json.dumps(saw))
