"""Runs inside the agent's pod, from standard input: sessions that ask once each; told as JSON by track and status.

No import of Headgate: what an agent needs is an HTTP client, an address and the token file.
"""

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

token = Path(os.environ["AGENT_TOKEN_FILE"]).read_text()
body = {"model": os.environ["AGENT_MODEL"], "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
headers = {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}
client = httpx.Client(base_url=os.environ["AGENT_URL"], headers=headers, timeout=30)


def ask(session: int) -> tuple[str, int]:
    answer = client.post("/v1/messages", json=body, headers={"x-headgate-session": f"session-{session}"})
    return answer.headers.get("x-headgate-track", "stable"), answer.status_code


with ThreadPoolExecutor(8) as pool:
    met = Counter(pool.map(ask, range(int(os.environ["AGENT_SESSIONS"]))))
print(json.dumps([[track, status, count] for (track, status), count in sorted(met.items())]))
