"""The faults a test can script, as data and a pure queue: which request meets which fault, and for how long."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class FaultKind(StrEnum):
    """Everything that can go wrong at a vendor; the comment says how it shows, in each vendor's own words."""

    UNAUTHORIZED = "Unauthorized"  # 401: the credential is unknown (Gemini: 400 for a key)
    OAUTH_EXPIRED = "OAuthExpired"  # 401: the OAuth token has expired
    OAUTH_REVOKED = "OAuthRevoked"  # revoked: Anthropic 403 (or `status`) naming OAuth and revoked, the others 401
    OAUTH_UNSUPPORTED = "OAuthUnsupported"  # 403, a configuration error: no refresh helps
    SUSPENDED = "Suspended"  # the organisation or account is disabled, for good: no refresh and no waiting helps
    RATE_LIMITED = (
        "RateLimited"  # 429 until `seconds` have passed, with rejected limit windows where the vendor has them
    )
    QUOTA_EXHAUSTED = "QuotaExhausted"  # the money is gone: waiting does not help
    OAUTH_ERROR = "OAuthError"  # the token endpoint refuses with the error `message` (`status`, 400 by default)
    OVERLOADED = "Overloaded"  # 529 (Anthropic) or 503: too much to do
    SERVER_ERROR = "ServerError"  # 500
    BAD_GATEWAY = "BadGateway"  # 502 with an HTML page, as a load balancer answers
    STREAM_ERROR = "StreamError"  # the vendor's error event after `after_events`, then a clean end
    CUT_BEFORE_HEADERS = "CutBeforeHeaders"  # the connection closes without an answer
    CUT = "Cut"  # the connection closes after `after_events`
    CUT_MID_EVENT = "CutMidEvent"  # ... in the middle of the event that follows
    CUT_MID_CHARACTER = "CutMidCharacter"  # ... inside the next multi-byte UTF-8 character
    SLOW = "Slow"  # `seconds` before the headers, `event_seconds` before each event
    HOLD = "Hold"  # stops before the headers, or after `after_events`, until released
    DRIBBLE = "Dribble"  # the same bytes in pieces of `chunk_bytes`, cut anywhere
    REDIRECT = "Redirect"  # 307 to `location`
    GZIP = "Gzip"  # the body gzip-encoded
    HUGE_HEADERS = "HugeHeaders"  # `header_bytes` of additional response headers


class Fault(BaseModel):
    """One scripted fault.

    ``times``: how many requests meet it (None: until cleared). ``credential``: only requests that present this key or
    token. ``path``: only requests to this path. Seconds are real seconds. ``after_events`` counts SSE events (or the one
    part of an answer that is not streamed) written before the fault shows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    times: Annotated[int, Field(ge=1)] | None = 1
    credential: str | None = None
    path: str | None = None
    after_events: Annotated[int, Field(ge=0)] | None = None
    seconds: Annotated[float, Field(ge=0)] = 0.0
    event_seconds: Annotated[float, Field(ge=0)] = 0.0
    status: Annotated[int, Field(ge=300, le=599)] | None = None
    message: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    location: str | None = None
    chunk_bytes: Annotated[int, Field(ge=1)] = 1
    header_bytes: Annotated[int, Field(ge=1)] = 64 * 1024

    @model_validator(mode="after")
    def _redirect_needs_a_target(self) -> "Fault":
        if self.kind is FaultKind.REDIRECT and not self.location:
            raise ValueError("location: a Redirect fault needs the address to point to")
        return self

    def matches(self, credential: str | None, path: str) -> bool:
        """Say whether a request with this credential to this path meets the fault."""
        return (self.credential is None or self.credential == credential) and (self.path is None or self.path == path)


@dataclass
class _Scripted:
    id: str
    fault: Fault
    left: int | None


@dataclass
class FaultPlan:
    """The queue of scripted faults: the oldest that matches applies, one per request."""

    _queue: list[_Scripted] = field(default_factory=list)
    _added: int = 0

    def add(self, fault: Fault) -> str:
        """Queue ``fault`` and return its id."""
        self._added += 1
        fault_id = f"fault-{self._added}"
        self._queue.append(_Scripted(fault_id, fault, fault.times))
        return fault_id

    def take(self, credential: str | None, path: str) -> tuple[str, Fault] | None:
        """Return the id and fault that the next request with ``credential`` to ``path`` meets, using it up by one."""
        for scripted in self._queue:
            if not scripted.fault.matches(credential, path):
                continue
            if scripted.left is not None:
                scripted.left -= 1
                if scripted.left == 0:
                    self._queue.remove(scripted)
            return scripted.id, scripted.fault
        return None

    def clear(self) -> None:
        """Forget all faults that no request has met yet."""
        self._queue.clear()

    def pending(self) -> list[dict[str, Any]]:
        """Return the queued faults as JSON, each with its ``id`` and the requests ``left`` to it."""
        return [
            {"id": scripted.id, "left": scripted.left, "fault": scripted.fault.model_dump(mode="json")}
            for scripted in self._queue
        ]
