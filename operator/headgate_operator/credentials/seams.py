"""What the credential reconcilers ask of the rest of the operator: how proxies fare, and a way to tell people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from headgate_api.report import CredentialObservation, FallbackObservation
from headgate_api.resources.auth import UsagePolling
from headgate_api.resources.base import Observation
from headgate_api.resources.limits import LimitObservation
from headgate_api.snapshot import AccountEntry, ProviderEntry
from headgate_operator.engine.keys import Key


class Edge(Protocol):
    """What is known of the proxies from what was published and what they report."""

    def programmed(self, key: Key, entry: ProviderEntry | AccountEntry) -> Observation:
        """Return the Programmed condition of an object: whether all live proxies serve what ``entry`` says of it."""

    def fallbacks(self, key: Key) -> Sequence[FallbackObservation]:
        """Return the fallbacks of a provider that are active now, on any live proxy."""

    def verdict(self, path: str, version: int) -> CredentialObservation | None:
        """Return what the upstream last said of one credential version, or None."""

    def limits(self, path: str, grant: str) -> LimitObservation | None:
        """Return what is known of the limits of one grant, or None."""

    def remember(self, seen: LimitObservation) -> None:
        """Take what a status said of limits that nobody has told of since this process leads."""


class EventSink(Protocol):
    """Where Events go."""

    async def emit(
        self, regarding: Mapping[str, Any], type_: Literal["Normal", "Warning"], reason: str, action: str, message: str
    ) -> None:
        """Post one Event about an object (its JSON); a failure to post is logged, not raised."""


class RefreshQueue(Protocol):
    """Where accounts, and federated tokens of providers, go that are to be renewed."""

    def due(self, key: Key, origin: str, expires: datetime | None) -> None:
        """Renew as soon as its turn comes; to say so again changes nothing."""


class NoRefreshes:
    """Refreshes nothing: for a process that only looks."""

    def due(self, key: Key, origin: str, expires: datetime | None) -> None:
        """Do nothing."""


class UsagePolls(Protocol):
    """Whoever asks vendors about accounts that no request tells of."""

    def look(self, key: Key, usage: UsagePolling, heard: datetime | None) -> float | None:
        """Have an account asked about if it is due; return the seconds until the next look."""


class RevocationQueue(Protocol):
    """Where accounts go of whose revoked grant the vendor is to be told."""

    def due(self, key: Key) -> None:
        """Tell the vendor soon; to say so again changes nothing."""


class NoRevocations:
    """Tells nobody: for a process that only looks."""

    def due(self, key: Key) -> None:
        """Do nothing."""
