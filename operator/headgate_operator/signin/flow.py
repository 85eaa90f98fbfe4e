"""A sign-in under way, as it is kept in Vault: any replica can go on with it, and a restart loses none.

What a flow may become is decided here, from flow to flow, and takes effect by check-and-set: so a code is redeemed once, whoever
brings it, and however often.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from headgate_api.refresh import TerminalReason
from headgate_api.secret import Secret
from headgate_api.signin import Method
from headgate_operator.oauth.authorization import Began
from headgate_operator.oauth.http import DEADLINE_SECONDS
from headgate_operator.oauth.outcomes import ClientRefused, DeviceCode, Pending, SlowDown, Terminal, Transient

LIFETIME: Final = timedelta(minutes=10)
LONGEST_DEVICE: Final = timedelta(hours=1)
ASK_WITHIN_SECONDS: Final = 30.0
"""How long after taking a code this process may still send it to the vendor."""
REDEEMING: Final = timedelta(seconds=ASK_WITHIN_SECONDS + DEADLINE_SECONDS + 60)
"""A code that was taken so long ago brought nothing, or its grant would be stored: whoever took it is gone."""
_SLOWER_SECONDS: Final = 5.0
_SLOWEST_SECONDS: Final = 60.0
_GRANT_ID_BYTES: Final = 8
BEGIN_AGAIN: Final = "begin the sign-in again"

Phase = Literal["Waiting", "Redeeming", "Completed", "Failed", "Expired"]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_serializer("state", "verifier", "ticket", "device_code", check_fields=False, when_used="json")
    def _reveal(self, secret: Secret | None, info: Any) -> str | None:
        if secret is None:
            return None
        return secret.reveal() if info.context and info.context.get("reveal") else str(secret)


class Device(_Kept):
    """A device code. ``interval``: seconds between two polls; ``next_poll``: nobody asks the vendor before."""

    device_code: Secret | None = None
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    interval: float
    next_poll: datetime


class Flow(_Kept):
    """One sign-in. ``profile``: of the OAuth profile it began with; ``origins``: where its access token may go."""

    namespace: str
    name: str
    uid: str
    began_by: str
    began_at: datetime
    expires_at: datetime
    method: Method
    profile: str
    origins: tuple[str, ...]
    grant_id: str = Field(description="Of the grant that comes of it.")
    replaces: str | None = Field(default=None, description="The grant that stood when it began.")
    phase: Phase = "Waiting"
    taken_at: datetime | None = Field(default=None, description="When its code was taken to be redeemed.")
    message: str = ""
    state: Secret | None = None
    verifier: Secret | None = None
    ticket: Secret | None = Field(default=None, description="What opens the page where a browser takes part, once.")
    browser: str | None = Field(default=None, description="SHA-256 of what the browser that takes part holds.")
    device: Device | None = None

    def to_vault(self) -> dict[str, Any]:
        """Return the plain data to write, secrets revealed: hand it to Vault and nothing else."""
        return self.model_dump(mode="json", context={"reveal": True}, exclude_none=True)

    def secrets(self) -> tuple[Secret, ...]:
        """Return what must never be shown, for the redactor."""
        code = self.device.device_code if self.device is not None else None
        return tuple(s for s in (self.state, self.verifier, self.ticket, code) if s is not None)

    def proof(self) -> Began:
        """Return state and verifier. Raises ValueError for a flow without them."""
        if self.state is None:
            raise ValueError("a sign-in without state has no code to redeem")
        return Began(self.state, self.verifier)

    def waits(self, now: datetime) -> bool:
        """Tell whether a code may still come."""
        return self.phase == "Waiting" and now < self.expires_at

    def lost(self, now: datetime) -> bool:
        """Tell whether whoever took the code is gone."""
        return self.phase == "Redeeming" and (self.taken_at is None or now >= self.taken_at + REDEEMING)


def new_grant_id() -> str:
    """Return a random id for the grant of a sign-in."""
    return secrets.token_hex(_GRANT_ID_BYTES)


def expiry(now: datetime, device: DeviceCode | None) -> datetime:
    """Return until when a sign-in that begins now can be ended: ten minutes, or as long as the vendor's device code lives."""
    return now + (LIFETIME if device is None else min(device.lifetime, LONGEST_DEVICE))


def taken(flow: Flow, now: datetime) -> Flow:
    """Return the flow while its code is being redeemed; nobody else may redeem one any more."""
    return flow.model_copy(update={"phase": "Redeeming", "taken_at": now, "ticket": None})


def over(flow: Flow, phase: Phase, message: str) -> Flow:
    """Return the flow at its end; what could go on with it is forgotten."""
    device = flow.device.model_copy(update={"device_code": None}) if flow.device is not None else None
    gone = {"state": None, "verifier": None, "ticket": None, "browser": None, "device": device}
    return flow.model_copy(update={"phase": phase, "message": message, **gone})


def opened(flow: Flow, browser: str) -> Flow:
    """Return the flow bound to the one browser that takes part; ``browser`` is the SHA-256 of what that one holds."""
    return flow.model_copy(update={"ticket": None, "browser": browser})


def polling(flow: Flow, now: datetime) -> Flow:
    """Return the flow while one poll is under way: nobody else polls before it has surely ended."""
    if flow.device is None:
        raise ValueError("a sign-in without device code is not polled")
    claimed = now + timedelta(seconds=ASK_WITHIN_SECONDS + DEADLINE_SECONDS + 15)
    return flow.model_copy(update={"device": flow.device.model_copy(update={"next_poll": claimed})})


Refusal: TypeAlias = Pending | SlowDown | Terminal | ClientRefused | Transient


def polled(flow: Flow, outcome: Refusal, now: datetime) -> Flow:
    """Return what a poll that brought no token makes of the flow (RFC 8628, section 3.5)."""
    device = flow.device
    if device is None:
        raise ValueError("a sign-in without device code is not polled")
    interval, wait = device.interval, device.interval
    match outcome:
        case Terminal() | ClientRefused():
            return ended(flow, outcome)
        case SlowDown():
            interval = wait = min(interval + _SLOWER_SECONDS, _SLOWEST_SECONDS)
        case Transient():
            later = outcome.retry_after.total_seconds() if outcome.retry_after is not None else 0.0
            wait = max(min(interval * 2, _SLOWEST_SECONDS), min(later, LIFETIME.total_seconds()))
        case Pending():
            pass
    moved = device.model_copy(update={"interval": interval, "next_poll": now + timedelta(seconds=wait)})
    return flow.model_copy(update={"device": moved})


def ended(flow: Flow, outcome: Refusal) -> Flow:
    """Return the flow after the vendor gave no token for its code. A code is offered once, so this is its end."""
    match outcome:
        case Terminal(TerminalReason.DENIED):
            return over(flow, "Failed", f"the sign-in was declined at the vendor; {BEGIN_AGAIN} to try once more")
        case Terminal(TerminalReason.EXPIRED):
            return over(flow, "Expired", f"the vendor's code has expired; {BEGIN_AGAIN}")
        case Terminal():
            return over(flow, "Failed", f"the vendor takes the code no more ({outcome.what}); {BEGIN_AGAIN}")
        case ClientRefused():
            return over(flow, "Failed", f"{outcome.what}; correct spec.oauth, then {BEGIN_AGAIN}")
        case Transient(uncertain=True):
            return over(flow, "Failed", f"{outcome.what}, and the code may be spent; {BEGIN_AGAIN}")
        case Transient():
            return over(flow, "Failed", f"{outcome.what}; {BEGIN_AGAIN}")
        case _:
            return over(flow, "Failed", f"the vendor's answer is one for device codes; check spec.oauth, {BEGIN_AGAIN}")
