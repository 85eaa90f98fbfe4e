"""What the request path needs of its surroundings, as Protocols: so that it can be run, and tested, without them.

The edge tells one ``RequestTrace`` per request what happens; spans, metrics and the request log are all made from
those events, so that they cannot disagree.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from headgate_api.snapshot import CredentialPointer, Head
from headgate_proxy.callers.caller import Caller
from headgate_proxy.credentials.refreshing import RefreshOutcome
from headgate_proxy.protocols.facts import ResponseFacts
from headgate_proxy.routing.provider import Route
from headgate_proxy.routing.routing import Routing
from headgate_proxy.selection.states import Exhausted, Failure, Fallback, Held, Selection
from headgate_proxy.tracks.decide import Decision


class Live(Protocol):
    """The configuration in use; its values change together, between two steps of the event loop."""

    @property
    def routing(self) -> Routing | None:
        """Return the routing table, or None before the first snapshot."""

    @property
    def revision(self) -> str | None:
        """Return the revision of the snapshot that ``routing`` was built from."""

    @property
    def head(self) -> Head | None:
        """Return the head that names that snapshot and the rollouts under way."""

    @property
    def confirmed(self) -> bool:
        """Tell whether the weights of the head may be believed now."""


class Credentials(Protocol):
    """Credentials held in memory."""

    def get(self, pointer: CredentialPointer) -> Held | None:
        """Return what is held for the pointer, without I/O: while it is being read, what the one before it had."""

    async def reread(self, pointer: CredentialPointer) -> Held | None:
        """Ask Vault once for what is newest, after a 401; return it, or what is held when Vault does not answer.

        Bounded by a deadline, single-flight per pointer, and never raises: None means that nothing is held.
        """


class Refreshes(Protocol):
    """Whoever can have a subscription's token renewed."""

    async def ask(self, path: str, version: int) -> RefreshOutcome:
        """Say that an upstream refuses this version of the access token at a Vault path; wait for what comes of it.

        Bounded by a deadline, single-flight per version, and never raises. ``Renewed``: Vault holds a newer one.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended.

    ``status`` is what the client saw (499 when it left before a response began); ``error_type`` is that of an error
    envelope, of a transport failure, or None; ``truncated`` says that the response broke off after its first byte and
    ``disconnected`` that the client left. Byte counts are of bodies.
    """

    status: int
    error_type: str | None = None
    facts: ResponseFacts | None = None
    streaming: bool = False
    truncated: bool = False
    disconnected: bool = False
    request_bytes: int = 0
    response_bytes: int = 0


class RequestTrace(Protocol):
    """Takes the events of one request, in the order of its methods here; ``finished`` always comes, and comes last."""

    @property
    def sampled(self) -> bool:
        """Tell whether the upstream call goes by the instrumented session."""

    @property
    def traceparent(self) -> str | None:
        """Return the ``traceparent`` for an upstream call that is not sampled (a sampled one gets its own from the session)."""

    def authenticated(self, caller: Caller) -> None:
        """Note who calls."""

    def routed(self, route: Route, revision: str | None, *, streaming: bool) -> None:
        """Note where the request goes, on which snapshot, and whether the client asked for a stream."""

    def decided(self, decision: Decision) -> None:
        """Note on which track a rollout lets the request go."""

    def relaying(self, decision: Decision) -> AbstractContextManager[None]:
        """Return the context in which the request is relayed, so that the instrumented session's span has its parent."""

    def not_relayed(self, instead: Decision) -> None:
        """Note that no canary pod took the request: stable serves it, for the reason that ``instead`` gives."""

    def admitted(self, policy: str, revision: str, request_id: str) -> None:
        """Note, on a canary pod, the rollout that the request was relayed for, and the id that it goes by from now on."""

    def selected(self, decision: Selection | Exhausted) -> None:
        """Note one decision of selection.

        It comes again after each failed attempt; ``decision.skipped`` then holds the earlier reasons too.
        """

    def fell_back(self, fallback: Fallback) -> None:
        """Note that the request goes by another mode than its first, or (``to_mode`` None) was not allowed to."""

    def upstream(self, selection: Selection) -> AbstractContextManager[None]:
        """Return the context in which one upstream call is made, so that the instrumented session's span has its parent."""

    def failed(self, selection: Selection, failure: Failure) -> None:
        """Note that an attempt failed before the first byte (``failure.marks``: an authentication or limit failure)."""

    def refresh_asked(self, selection: Selection, outcome: RefreshOutcome) -> None:
        """Note that the request waited for a refresh of the account's token, and what came of it."""

    def first_byte(self, status: int) -> None:
        """Note that the response's head arrived and is passed on."""

    def finished(self, outcome: Outcome) -> None:
        """Note the end; nothing follows."""


class Telemetry(Protocol):
    """Begins the trace of a request."""

    def begin(self, headers: Mapping[str, str], *, request_id: str, method: str, path: str) -> RequestTrace:
        """Decide about sampling from the caller's ``traceparent`` or the configured share, and start timing.

        ``path`` is one of the routes served, or ``unknown``: safe as a metric label.
        """
