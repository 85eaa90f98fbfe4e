"""What is known of one request so far: filled by its events, read by the metrics, the log line and the span at its end."""

from dataclasses import dataclass, field

from headgate_proxy.callers.caller import Caller
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.routing.provider import Route
from headgate_proxy.selection.states import Fallback, Selection, Skipped
from headgate_proxy.tracks.decide import Decision


@dataclass(slots=True)
class Record:
    """One request. Times are monotonic seconds; ``skipped`` holds each reason once, in order.

    ``rollout`` is the revision of ``policy``'s rollout that governs the request; ``relayed``: a canary pod serves it, and
    counts it.
    """

    request_id: str
    method: str
    path: str
    track: str
    started: float
    trace_id: str | None = None
    caller: Caller | None = None
    route: Route | None = None
    revision: str | None = None
    streaming: bool = False
    selection: Selection | None = None
    skipped: list[Skipped] = field(default_factory=list)
    fallbacks: list[Fallback] = field(default_factory=list)
    policy: str | None = None
    rollout: str | None = None
    decision: Decision | None = None
    relayed: bool = False
    attempts: int = 0
    first_byte: float | None = None
    open_stream: bool = False
    ended: float | None = None
    outcome: Outcome | None = None

    @property
    def provider(self) -> str:
        """Return ``namespace/name`` of the provider, or an empty string before routing."""
        return "" if self.route is None else self.route.provider.label

    @property
    def model(self) -> str:
        """Return the model's name as the provider's spec has it (bounded, unlike what callers ask for)."""
        return "" if self.route is None else self.route.model.name

    @property
    def mode(self) -> str:
        """Return the auth mode the answer came by, or an empty string."""
        return "" if self.selection is None else self.selection.mode.value

    def note_skips(self, skipped: tuple[Skipped, ...]) -> list[Skipped]:
        """Add those not noted yet, and return them."""
        new = [item for item in skipped if item not in self.skipped]
        self.skipped += new
        return new
