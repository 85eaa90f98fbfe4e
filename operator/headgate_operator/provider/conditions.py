"""The conditions of an LLMProvider: sentences for people, reasons for programs, made from how its modes stand."""

from collections.abc import Iterable, Sequence

from headgate_api.reasons import AuthMode, ConditionReason, ConditionType
from headgate_api.report import FallbackObservation
from headgate_api.resources.base import Condition, Observation
from headgate_operator.provider.modes import ModeState


def credentials_ready(states: Sequence[ModeState]) -> Observation:
    """Return CredentialsReady: True when at least one mode can serve; the message tells how each stands."""
    message = "; ".join(f"{s.mode.value} mode: {s.message}" for s in states)
    first = next((s for s in states if s.usable), None)
    if first is None:
        first = next((s for s in states if s.usable is None), states[0])
    return Observation(ConditionType.CREDENTIALS_READY, first.usable, first.reason, message)


def fallback_active(modes: Sequence[AuthMode], fallbacks: Iterable[FallbackObservation]) -> Observation:
    """Return FallbackActive: whether requests now go by another mode than the first, and the reason shown everywhere."""
    active = sorted(fallbacks, key=lambda f: (f.at, f.account or ""))
    if not active:
        text = f"requests go by {modes[0].value}, the first mode"
        return Observation(ConditionType.FALLBACK_ACTIVE, False, modes[0].value, text)
    first = active[0]
    account = f" (account {first.account})" if first.account else ""
    if first.to_mode is None:
        text = f"{first.from_mode.value}{account} fails with {first.reason.value}, and spec.auth.fallback denies every other mode"
    else:
        text = f"requests go by {first.to_mode.value} instead of {first.from_mode.value}{account}: {first.reason.value}"
    return Observation(ConditionType.FALLBACK_ACTIVE, True, first.reason.value, text)


def ready(parts: Sequence[Observation], before: Sequence[Condition]) -> Observation:
    """Return Ready: all parts True. A part that is not known just now leaves Ready as it was: traffic goes on."""
    failing = next((part for part in parts if part.status is False), None)
    if failing is not None:
        return Observation(ConditionType.READY, False, failing.reason, f"{failing.type.value}: {failing.message}")
    unknown = next((part for part in parts if part.status is None), None)
    if unknown is None:
        return Observation(ConditionType.READY, True, ConditionReason.READY, "serving")
    last = next((c for c in before if c.type == ConditionType.READY), None)
    was_ready = last is not None and last.status == "True"
    message = f"as last known; {unknown.type.value}: {unknown.message}"
    return Observation(ConditionType.READY, was_ready, unknown.reason, message)
