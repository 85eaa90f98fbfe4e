"""Runs inside the agent's pod, from standard input: one streamed message with the pod's own token, told as JSON.

No import of Headgate: what an agent needs is an HTTP client, an address and the token file.
"""

import json
import os
from pathlib import Path

import httpx

token = Path(os.environ["AGENT_TOKEN_FILE"]).read_text()
body = {"model": os.environ["AGENT_MODEL"], "max_tokens": 64, "stream": True}
body["messages"] = [{"role": "user", "content": os.environ["AGENT_PROMPT"]}]
headers = {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}
text = ""
with httpx.stream("POST", f"{os.environ['AGENT_URL']}/v1/messages", headers=headers, json=body, timeout=30) as response:
    raw = response.read() if response.status_code != httpx.codes.OK else b""
    for line in response.iter_lines() if not raw else ():
        if line.startswith("data: "):
            text += json.loads(line.removeprefix("data: ")).get("delta", {}).get("text", "")
said = {name: value for name, value in response.headers.items() if name.startswith("x-headgate-")}
print(json.dumps({"status": response.status_code, "text": text, "error": raw.decode(), "headers": said}))
