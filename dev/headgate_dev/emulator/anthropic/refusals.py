"""Scripted faults in Anthropic's words: the answers that replace what the request would have got."""

import math
from datetime import timedelta

from headgate_dev.emulator.anthropic import auth, limits
from headgate_dev.emulator.anthropic.errors import RefusedError, refusal_answer
from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.plans import Plan
from headgate_dev.emulator.refusals import before_the_api
from headgate_dev.emulator.vendor import Answer, Call, Headers

LIMITED_MESSAGE = "This request would exceed your account's rate limit. Please try again later."
_NO_CREDIT_MESSAGE = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
)


def refusal(call: Call, fault: Fault) -> Answer | None:
    """Return the answer ``fault`` puts in the place of the vendor's own, or None when it only disturbs the delivery."""
    if answer := before_the_api(fault):
        return answer
    refused = _refused(call, fault)
    if refused is None:
        return None
    refused.headers = (*refused.headers, *fault.headers.items())
    return refusal_answer(call.request_id, refused)


def _refused(call: Call, fault: Fault) -> RefusedError | None:
    message, status = fault.message, fault.status
    match fault.kind:
        case FaultKind.UNAUTHORIZED:
            return RefusedError("authentication_error", message or "invalid x-api-key", status)
        case FaultKind.OAUTH_EXPIRED:
            return RefusedError("authentication_error", message or auth.EXPIRED_MESSAGE, status)
        case FaultKind.OAUTH_REVOKED:
            return auth.revoked(status or 403, message or auth.REVOKED_MESSAGE)
        case FaultKind.OAUTH_UNSUPPORTED:
            return RefusedError("permission_error", message or auth.UNSUPPORTED_MESSAGE, status)
        case FaultKind.RATE_LIMITED:
            return RefusedError("rate_limit_error", message or LIMITED_MESSAGE, status, _limit_headers(call, fault))
        case FaultKind.QUOTA_EXHAUSTED:
            return RefusedError("invalid_request_error", message or _NO_CREDIT_MESSAGE, status)
        case FaultKind.SUSPENDED:
            return RefusedError("invalid_request_error", message or "This organization has been disabled.", status)
        case FaultKind.OVERLOADED:
            return RefusedError("overloaded_error", message or "Overloaded", status)
        case FaultKind.SERVER_ERROR:
            return RefusedError("api_error", message or "Internal server error", status)
        case _:
            return None


def _limit_headers(call: Call, fault: Fault) -> Headers:
    reset = call.at + timedelta(seconds=fault.seconds)
    retry_after = ("retry-after", str(math.ceil(fault.seconds)))
    if call.credential_kind == "oauth":
        return (retry_after, *limits.for_oauth(Plan().used_up(reset).at(call.at)))
    return (retry_after, *limits.for_api_key(call.at, {"requests": 1_000_000}, reset))
