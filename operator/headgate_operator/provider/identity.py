"""Who decided that subscription requests present an identity profile: shown as a condition, told as an Event (B11).

Without a profile there is nothing to decide and nothing to show: the client's own identity passes through.
"""

from collections.abc import Iterable
from typing import Final

from headgate_api import acknowledgement
from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider
from headgate_api.resources.auth import IdentityProfile, SubscriptionAuth
from headgate_api.resources.base import Condition, Observation, shortened
from headgate_operator.credentials.plan import Note

_ACTION: Final = ConditionType.ACKNOWLEDGED.value


def acknowledged(provider: LLMProvider) -> Observation | None:
    """Return the Acknowledged condition of a provider with a profile: by whom, when and to which text; None without one."""
    auth = provider.spec.auth.subscription
    if auth is None or auth.identity.type != "Profile":
        return None
    if auth.undecided or auth.acknowledgement is None:
        return Observation(ConditionType.ACKNOWLEDGED, False, ConditionReason.TEXT_CHANGED, undecided(auth))
    by, at, text = auth.acknowledgement.by, rfc3339(auth.acknowledgement.at), auth.acknowledgement.text_version
    message = f"{_profile(auth.identity)}: decided by {by} at {at}, text {text}"
    return Observation(ConditionType.ACKNOWLEDGED, True, ConditionReason.ACKNOWLEDGED, message)


def undecided(auth: SubscriptionAuth) -> str:
    """Return why the Subscription mode is not used while its profile is acknowledged in an older text, and the mend."""
    version = auth.acknowledgement.text_version if auth.acknowledgement is not None else "none"
    return (
        f"the mode is not used: its identity profile was acknowledged in textVersion {version}, and the text has changed: "
        f"{acknowledgement.IDENTITY_WARNING} Without a profile (spec.auth.subscription.identity.type PassThrough) nothing is to be "
        "acknowledged here"
    )


def notes(before: Iterable[Condition], now: Observation | None) -> tuple[Note, ...]:
    """Return an Event for each decision that was not told yet: a profile, another one or another person's, or none any more."""
    told = next((c for c in before if c.type == ConditionType.ACKNOWLEDGED), None)
    if now is None:
        text = "the identity profile is gone: clients' own identity passes through on subscription requests"
        return () if told is None else (Note("Normal", ConditionReason.PASS_THROUGH, _ACTION, text),)
    if told is not None and (told.reason, told.message) == (now.reason, shortened(now.message)):
        return ()
    return (Note("Normal" if now.status else "Warning", str(now.reason), _ACTION, now.message),)


def _profile(identity: IdentityProfile) -> str:
    """Return what a profile changes, without the values."""
    headers = f"headers {', '.join(sorted(identity.headers))}" if identity.headers else ""
    preamble = "system preamble" if identity.system_preamble else ""
    count = len(identity.tool_names)
    tools = f"{count} tool name{'s' if count > 1 else ''}" if count else ""
    return f"identity profile ({'; '.join(part for part in (headers, preamble, tools) if part) or 'empty'})"
