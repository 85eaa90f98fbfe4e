"""What `helm test` runs inside the cluster: is the operator ready, and does the default fleet know its callers?

Arguments: what to ask, each `operator=URL` or `fleet=URL`. Connections that fail are tried again until the deadline, since a
network policy may take a moment to let a new pod through; an answer is final.
"""

import os
import ssl
import sys
import time
import urllib.error
import urllib.request

DEADLINE = time.monotonic() + float(os.environ.get("SMOKE_SECONDS", "30"))
AUTHORITY = os.environ.get("SMOKE_CA_FILE", "")
TOKEN_FILE = os.environ.get("SMOKE_TOKEN_FILE", "")


def ask(what: str, url: str) -> tuple[int, str]:
    """Return (status, body) of the answer; raises OSError when there is none by the deadline."""
    headers = {}
    if what == "fleet":
        with open(TOKEN_FILE, encoding="utf-8") as file:
            headers["authorization"] = "Bearer " + file.read().strip()
    context = ssl.create_default_context(cafile=AUTHORITY) if url.startswith("https:") else None
    while True:
        try:
            request = urllib.request.Request(url, headers=headers)
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError:
            if time.monotonic() > DEADLINE:
                raise
            time.sleep(0.5)


def good(what: str, status: int) -> bool:
    """Tell whether the answer is that of a working part: a fleet need not serve this namespace, but must know who asks."""
    return status in ((200, 403) if what == "fleet" else (200,))


failed = 0
for argument in sys.argv[1:]:
    what, _, url = argument.partition("=")
    try:
        status, body = ask(what, url)
        passed, said = good(what, status), f"{status} {body.strip()[:300]}"
    except OSError as error:
        passed, said = False, f"no answer: {error}"
    failed += not passed
    print("PASS" if passed else "FAIL", url, said, flush=True)
sys.exit(1 if failed else 0)
