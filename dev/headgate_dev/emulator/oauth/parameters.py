"""What a sign-in call names, however it is sent: to tell whose authorization server it is for, before anybody is strict."""

import base64
import json
from urllib.parse import parse_qsl, unquote_plus

from headgate_dev.emulator.vendor import Call


def parameters(call: Call) -> dict[str, str]:
    """Return the parameters of ``call`` from its query, its body and its Basic credentials; unreadable parts say nothing."""
    found = dict(call.query)
    text = call.body.decode(errors="replace")
    try:
        value = json.loads(text)
    except ValueError:
        value = dict(parse_qsl(text))
    if isinstance(value, dict):
        found |= {name: each for name, each in value.items() if isinstance(each, str)}
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and "client_id" not in found:
        try:
            found["client_id"] = unquote_plus(base64.b64decode(encoded).decode().partition(":")[0])
        except ValueError:
            return found
    return found
