"""An agent as a pod would run it: nothing but a ServiceAccount token in a file, and the vendor's official SDK.

Used by the demo and by tests: ``python -m headgate_dev.agent --url URL --token-file FILE --model MODEL PROMPT``. Prints one
JSON object per line: ``{"text": ...}`` for each piece as it arrives, then ``{"done": {...}}`` with what Headgate said of it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import anthropic


def say(line: dict[str, Any]) -> None:
    """Print one line at once, so that whoever follows the log sees the text as it streams."""
    print(json.dumps(line), flush=True)


def main() -> int:
    """Stream one message; return 0, or 1 with ``{"error": ...}`` when the gate or the vendor refused it."""
    parser = argparse.ArgumentParser(prog="headgate_dev.agent")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True, type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--traceparent")
    parser.add_argument("prompt")
    options = parser.parse_args()
    headers = {"traceparent": options.traceparent} if options.traceparent else {}
    token = options.token_file.read_text(encoding="utf-8").strip()
    with anthropic.Anthropic(base_url=options.url, auth_token=token, max_retries=0, default_headers=headers) as client:
        try:
            with client.messages.stream(
                model=options.model, max_tokens=256, messages=[{"role": "user", "content": options.prompt}]
            ) as stream:
                for text in stream.text_stream:
                    say({"text": text})
                told = {k: v for k, v in stream.response.headers.items() if k.startswith("x-headgate-")}
                usage = stream.get_final_message().usage
                say({"done": told | {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}})
        except anthropic.APIStatusError as refused:
            say({"error": {"status": refused.status_code, "body": refused.body}})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
