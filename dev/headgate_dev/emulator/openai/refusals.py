"""Scripted faults in OpenAI's words: the answers that replace what the request would have got."""

import math
from datetime import timedelta

from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.openai import auth, limits
from headgate_dev.emulator.openai.errors import DetailError, RefusedError, refusal_answer
from headgate_dev.emulator.plans import Plan
from headgate_dev.emulator.refusals import before_the_api
from headgate_dev.emulator.vendor import Answer, Call

OVERLOADED_MESSAGE = "Our servers are currently overloaded. Please try again later."
SERVER_ERROR_MESSAGE = "The server had an error while processing your request. Sorry about that!"


def refusal(call: Call, fault: Fault, *, codex: bool) -> Answer | None:
    """Return the answer ``fault`` puts in the place of the vendor's own, or None when it only disturbs the delivery.

    ``codex``: the call is for the Codex backend, which limits plans, not keys.
    """
    if answer := before_the_api(fault):
        return answer
    refused = _limited(call, fault, codex) if fault.kind is FaultKind.RATE_LIMITED else _refused(fault, codex)
    if refused is None:
        return None
    refused.status = fault.status or refused.status
    refused.headers = (*refused.headers, *fault.headers.items())
    return refusal_answer(call.request_id, refused)


def _refused(fault: Fault, codex: bool) -> RefusedError | None:
    message = fault.message
    match fault.kind:
        case FaultKind.UNAUTHORIZED if codex:
            return DetailError(401, message or "Unauthorized")
        case FaultKind.UNAUTHORIZED:
            return RefusedError(401, message, code="invalid_api_key") if message else auth.incorrect_key("emulated")
        case FaultKind.OAUTH_EXPIRED:
            return auth.expired(message)
        case FaultKind.OAUTH_REVOKED:
            return auth.revoked(message)
        case FaultKind.OAUTH_UNSUPPORTED:
            said = message or "Your authentication method is not supported by this endpoint."
            return RefusedError(403, said, code="unsupported_authentication")
        case FaultKind.SUSPENDED:
            said = message or "Your account has been deactivated, please check your email for more information."
            return RefusedError(401, said, code="account_deactivated")
        case FaultKind.QUOTA_EXHAUSTED:
            said = message or "You exceeded your current quota, please check your plan and billing details."
            return RefusedError(429, said, type_="insufficient_quota", code="insufficient_quota")
        case FaultKind.OVERLOADED:
            said = message or OVERLOADED_MESSAGE
            return RefusedError(503, said, type_="service_unavailable_error", code="server_is_overloaded")
        case FaultKind.SERVER_ERROR:
            return RefusedError(500, message or SERVER_ERROR_MESSAGE, type_="server_error")
        case _:
            return None


def _limited(call: Call, fault: Fault, codex: bool) -> RefusedError:
    if codex:
        plan = Plan().used_up(call.at + timedelta(seconds=fault.seconds)).at(call.at)
        return limits.used_up(plan, call.at, fault.message)
    seconds = math.ceil(fault.seconds)
    said = (
        fault.message or f"Rate limit reached for requests per min (RPM): Limit 10000. Please try again in {seconds}s."
    )
    headers = (("retry-after", str(seconds)), *limits.for_api_key(0, exhausted_seconds=fault.seconds))
    return RefusedError(429, said, type_="requests", code="rate_limit_exceeded", headers=headers)
