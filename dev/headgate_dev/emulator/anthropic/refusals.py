"""Scripted faults in Anthropic's words: the answers that replace what the request would have got."""

import math
from datetime import timedelta

from headgate_dev.emulator.anthropic import auth, limits
from headgate_dev.emulator.anthropic.errors import RefusedError, refusal_answer
from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.vendor import Answer, Call, Headers

_BAD_GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)


def refusal(call: Call, fault: Fault) -> Answer | None:
    """Return the answer ``fault`` puts in the place of the vendor's own, or None when it only disturbs the delivery."""
    extra = tuple(fault.headers.items())
    if fault.kind is FaultKind.BAD_GATEWAY:
        return Answer(fault.status or 502, (("content-type", "text/html"), *extra), (_BAD_GATEWAY_PAGE,))
    if fault.kind is FaultKind.REDIRECT:
        return Answer(fault.status or 307, (("location", fault.location or ""), *extra), (b"",))
    refused = _refused(call, fault)
    if refused is None:
        return None
    refused.headers = (*refused.headers, *extra)
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
            said = message or "This request would exceed your account's rate limit. Please try again later."
            return RefusedError("rate_limit_error", said, status, _limit_headers(call, fault))
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
        return (retry_after, *limits.for_oauth(call.at, rejected=True, reset=reset))
    return (retry_after, *limits.for_api_key(call.at, {"requests": 1_000_000}, reset))
