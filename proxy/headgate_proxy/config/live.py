"""The configuration in use, and how sure of it this proxy is: what requests, readiness, metrics and reports all look at."""

from dataclasses import dataclass

from headgate_api.clock import Clock
from headgate_api.report import WEIGHT_TTL_SECONDS
from headgate_api.snapshot import CredentialPointer, Head, Snapshot
from headgate_proxy.routing.routing import Routing


@dataclass(frozen=True, slots=True)
class Loaded:
    """A head with the routing table built from its snapshot; immutable, and replaced as a whole."""

    head: Head
    routing: Routing
    pointers: frozenset[CredentialPointer]

    @classmethod
    def build(cls, head: Head, snapshot: Snapshot) -> "Loaded":
        """Return the loaded form of a snapshot; ``pointers`` are all credentials its requests may need."""
        routing = Routing.build(snapshot)
        return cls(head, routing, routing.pointers)


class LiveConfig:
    """Holds what is loaded now; everything happens on the event loop, so that readers never see half a change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loaded: Loaded | None = None
        self._confirmed: float | None = None
        self._problem: str | None = None
        self._restored = False

    @property
    def loaded(self) -> Loaded | None:
        """Return what is in use, or None before the first snapshot."""
        return self._loaded

    @property
    def routing(self) -> Routing | None:
        """Return the routing table in use, or None before the first snapshot."""
        return None if self._loaded is None else self._loaded.routing

    @property
    def revision(self) -> str | None:
        """Return the revision of the snapshot in use."""
        return None if self._loaded is None else self._loaded.head.revision

    @property
    def broker_url(self) -> str | None:
        """Return where the control plane takes reports."""
        return None if self._loaded is None else self._loaded.head.broker_url

    @property
    def trust_bundle(self) -> str | None:
        """Return the certificates (PEM) that the broker's is checked against."""
        return None if self._loaded is None else self._loaded.head.trust_bundle

    @property
    def head(self) -> Head | None:
        """Return the head in use."""
        return None if self._loaded is None else self._loaded.head

    @property
    def confirmed(self) -> bool:
        """Tell whether the weights of the head may be believed: confirmed since a restart, and not too long ago."""
        age = self.age_seconds
        return not self._restored and age is not None and age <= WEIGHT_TTL_SECONDS

    @property
    def problem(self) -> str | None:
        """Return why the newest configuration is not in use or not known, as ``Reason: sentence``; None when all is well."""
        return self._problem

    @property
    def restored(self) -> bool:
        """Tell whether this comes from before a restart and has not been confirmed since."""
        return self._restored

    @property
    def age_seconds(self) -> float | None:
        """Return seconds since the control plane last confirmed what is in use (after a restart: at least that long).

        None before the first snapshot.
        """
        return None if self._confirmed is None else self._clock.monotonic() - self._confirmed

    def swap(self, loaded: Loaded, *, restored: bool = False) -> None:
        """Use this from now on."""
        if restored:
            self._confirmed = self._clock.monotonic()
        self._loaded = loaded
        self._restored = restored

    def confirm(self) -> None:
        """Note that the API server just showed that what is in use is the newest."""
        self._confirmed = self._clock.monotonic()
        self._problem = None
        self._restored = False

    def fail(self, problem: str) -> None:
        """Note why the newest configuration could not be taken up; what is in use stays."""
        self._problem = problem
