"""What an account's status says of its refreshes, and when to look again: the refresher's own verdict, shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate_api import names
from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccountStatus
from headgate_api.resources.base import Observation
from headgate_operator.account.observed import ObservedAccount
from headgate_operator.credentials.observe import trouble_reason
from headgate_operator.credentials.plan import Note, soonest
from headgate_operator.refresh.schedule import due_at
from headgate_operator.refresh.verdict import Attempt, asked_generation, failing, judge, token_origin

_IN_ORDER: Final = (ConditionReason.SCHEDULED, ConditionReason.REFRESHING)
_AGAIN_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Refreshing:
    """``observations``: RefreshHealthy, where the account has an OAuth profile. ``due_at_origin``: refresh now, there."""

    observations: tuple[Observation, ...] = ()
    last: datetime | None = None
    next: datetime | None = None
    generation: int | None = None
    look_again: float | None = None
    due_at_origin: str | None = None

    def into(self, status: SubscriptionAccountStatus) -> SubscriptionAccountStatus:
        """Return the status with what is known of refreshes."""
        return status.model_copy(
            update={"last_refresh": self.last, "next_refresh": self.next, "generation": self.generation}
        )


def asked_for(seen: ObservedAccount, renewal: Refreshing) -> tuple[Note, ...]:
    """Return the Event of a refresh that somebody asked for by annotation, once status is about to tell of it."""
    asked, known = asked_generation(seen.account), seen.account.status.generation
    if asked is None or asked != known or renewal.generation is None or renewal.generation <= asked:
        return ()
    text = f"generation {renewal.generation} replaces {asked}, as {names.ANNOTATION_REFRESH} asked"
    return (Note("Normal", ConditionReason.REFRESHED, "Refresh", text),)


def refreshing(seen: ObservedAccount, now: datetime) -> Refreshing:
    """Return what is to be said and done about refreshes of an account."""
    account, profile = seen.account, seen.account.spec.oauth
    if seen.trouble is not None:
        known = account.status
        text = f"nothing is refreshed meanwhile. {seen.trouble}"
        unknown = (_healthy(None, trouble_reason(seen.trouble), text),) if profile is not None else ()
        return Refreshing(unknown, known.last_refresh, known.next_refresh, known.generation)
    grant = seen.grant.record
    last = grant.refresh.last_refresh if grant is not None else None
    generation = grant.generation if grant is not None else None
    if profile is None:
        return Refreshing(last=last, generation=generation)
    if grant is None and seen.grant.forgotten is not None:
        return Refreshing((_healthy(False, ConditionReason.REVOKED, "the grant was revoked, so nothing is refreshed"),))
    verdict = judge(account, grant, now)
    if isinstance(verdict, Attempt):
        due = due_at(grant) if grant is not None and not verdict.interrupted else None
        if grant is not None and grant.refresh.failures:
            rest = failing(grant, now)
            healthy = _healthy(rest.healthy, rest.reason, rest.message)
        elif verdict.interrupted:
            text = "an attempt has not ended; its refresh token is tried once more"
            healthy = _healthy(None, ConditionReason.REFRESH_INTERRUPTED, text)
        else:
            healthy = _healthy(
                True, ConditionReason.SCHEDULED if last is None else ConditionReason.REFRESHED, "due now"
            )
        return Refreshing((healthy,), last, _whole(due or now), generation, _AGAIN_SECONDS, token_origin(profile))
    wait = (verdict.until - now).total_seconds() if verdict.until is not None else None
    if verdict.reason in _IN_ORDER and grant is not None and last is not None:
        said = _healthy(True, ConditionReason.REFRESHED, f"at {rfc3339(last)}; {verdict.message}")
    elif verdict.reason in _IN_ORDER:
        said = _healthy(True, ConditionReason.SCHEDULED, verdict.message)
    else:
        said = _healthy(verdict.healthy, verdict.reason, verdict.message)
    return Refreshing((said,), last, _whole(verdict.until), generation, soonest(wait))


def _whole(moment: datetime | None) -> datetime | None:
    return moment.replace(microsecond=0) if moment is not None else None


def _healthy(status: bool | None, reason: ConditionReason, message: str) -> Observation:
    return Observation(ConditionType.REFRESH_HEALTHY, status, reason, message)
