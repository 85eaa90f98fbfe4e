"""Scripted faults in Google's words: the answers that replace what the request would have got."""

from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.gemini import auth
from headgate_dev.emulator.gemini.errors import (
    RefusedError,
    error_info,
    quota_failure,
    refusal_answer,
    retry_info,
)
from headgate_dev.emulator.refusals import before_the_api
from headgate_dev.emulator.vendor import Answer, Call

OVERLOADED_MESSAGE = "The model is overloaded. Please try again later."
_QUOTA_MESSAGE = "You exceeded your current quota, please check your plan and billing details."


def refusal(call: Call, fault: Fault) -> Answer | None:
    """Return the answer ``fault`` puts in the place of the vendor's own, or None when it only disturbs the delivery."""
    if answer := before_the_api(fault):
        return answer
    refused = _refused(call, fault)
    if refused is None:
        return None
    refused.http_status = fault.status or refused.http_status
    return refusal_answer(refused, tuple(fault.headers.items()))


def _refused(call: Call, fault: Fault) -> RefusedError | None:
    message = fault.message
    match fault.kind:
        case FaultKind.UNAUTHORIZED if call.credential_kind == "oauth":
            return auth.not_authenticated(message=message)
        case FaultKind.UNAUTHORIZED:
            return auth.invalid_key(message)
        case FaultKind.OAUTH_EXPIRED:
            return auth.not_authenticated("ACCESS_TOKEN_EXPIRED", message)
        case FaultKind.OAUTH_REVOKED:
            return auth.not_authenticated(message=message)
        case FaultKind.OAUTH_UNSUPPORTED:
            said = message or "Request had insufficient authentication scopes."
            return RefusedError("PERMISSION_DENIED", said, details=(error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),))
        case FaultKind.SUSPENDED:
            said = message or "Permission denied: Consumer 'project_number:0' has been suspended."
            return RefusedError("PERMISSION_DENIED", said, details=(error_info("CONSUMER_SUSPENDED"),))
        case FaultKind.RATE_LIMITED:
            return RefusedError("RESOURCE_EXHAUSTED", message or _QUOTA_MESSAGE, details=_per_minute(fault.seconds))
        case FaultKind.QUOTA_EXHAUSTED:
            return RefusedError("RESOURCE_EXHAUSTED", message or _QUOTA_MESSAGE, details=_per_day())
        case FaultKind.OVERLOADED:
            return RefusedError("UNAVAILABLE", message or OVERLOADED_MESSAGE)
        case FaultKind.SERVER_ERROR:
            said = (
                message
                or "An internal error has occurred. Please retry or report in https://developers.generativeai.google."
            )
            return RefusedError("INTERNAL", said)
        case _:
            return None


def _per_minute(seconds: float) -> tuple[dict[str, object], ...]:
    metric, quota = "generate_requests_per_model", "GenerateRequestsPerMinutePerProjectPerModel"
    return quota_failure(metric, quota, 150), retry_info(seconds)


def _per_day() -> tuple[dict[str, object], ...]:
    """A day's quota says nothing about when to come again."""
    return (quota_failure("generate_requests_per_model_per_day", "GenerateRequestsPerDayPerProjectPerModel", 10_000),)
