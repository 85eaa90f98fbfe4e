"""The Codex backend of ChatGPT plans: what it asks of a request beyond the Responses API, and the plan's usage.

Refusals as clients of the backend have seen them.
"""

from typing import Any, Final

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.openai import limits
from headgate_dev.emulator.openai.auth import admit_plan
from headgate_dev.emulator.openai.errors import DetailError, json_answer
from headgate_dev.emulator.plans import PlanReading
from headgate_dev.emulator.script import JsonObject
from headgate_dev.emulator.vendor import Answer, Call

PREFIX: Final = "/backend-api/"
RESPONSES: Final = "/backend-api/codex/responses"
USAGE: Final = "/backend-api/wham/usage"
_UNSUPPORTED: Final = ("max_output_tokens", "previous_response_id", "temperature", "top_p", "user", "metadata")


def admit(call: Call, credentials: Credentials) -> PlanReading:
    """Return the plan of the account that ``call`` speaks for. Raises RefusedError."""
    token = admit_plan(call.headers, credentials, account_needed=call.path == RESPONSES)
    return credentials.plan(token).at(call.at)


def check(body: JsonObject) -> None:
    """Raise RefusedError for what the backend does not take."""
    if not body.get("instructions") and not _has_system_text(body):
        raise DetailError(400, "Instructions are required")
    if body.get("store") is not False:
        raise DetailError(400, "Store must be set to false")
    if body.get("stream") is not True:
        raise DetailError(400, "Stream must be set to true")
    if not isinstance(body.get("input"), list):
        raise DetailError(400, "Input must be a list")
    for name in _UNSUPPORTED:
        if body.get(name) is not None:
            raise DetailError(400, f"Unsupported parameter: {name}")


def unsupported_model(name: Any) -> DetailError:
    """Return the refusal of a model that plans do not have."""
    return DetailError(400, f"The '{name}' model is not supported when using Codex with a ChatGPT account.")


def usage(call: Call, credentials: Credentials) -> Answer:
    """Answer ``GET /backend-api/wham/usage``."""
    return json_answer(call.request_id, limits.usage_page(admit(call, credentials), call.at))


def _has_system_text(body: JsonObject) -> bool:
    """Tell whether the system text comes as a message, as Codex sends it since 0.169 (seen; it has no ``instructions`` then)."""
    given = body.get("input")
    return isinstance(given, list) and any(isinstance(i, dict) and i.get("role") == "developer" for i in given)
