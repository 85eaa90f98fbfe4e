"""What the proxies last said, while this process leads: the evidence behind Programmed, CredentialValid, FallbackActive."""

from collections.abc import Iterable
from dataclasses import dataclass

from headgate_api.clock import Clock
from headgate_api.report import SILENT_AFTER_SECONDS, CredentialObservation, FallbackObservation, ProxyReport
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_operator.analysis.totals import Totals
from headgate_operator.engine.keys import Key
from headgate_operator.limits.known import KnownLimits


@dataclass(frozen=True, slots=True)
class _Received:
    report: ProxyReport
    at: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What a proxy last said: the digest of the head in use, and how many seconds ago."""

    head: str | None
    seconds: float


class Reports:
    """The last report of each proxy pod; the namespace is the operator's own, so a pod's name is enough.

    ``totals`` adds up what the reports say of rollouts, ``limits`` holds what they say of accounts' limits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.totals = Totals()
        self.limits = KnownLimits(clock)
        self._received: dict[tuple[str, str], _Received] = {}

    def begin_term(self) -> None:
        """Forget everything: this process begins to lead."""
        self._received.clear()
        self.totals.begin_term()
        self.limits.begin_term()

    def accept(self, report: ProxyReport, namespace: str) -> set[Key]:
        """Take note of a report and return the keys whose evidence it changes (empty: it repeats the last one)."""
        before = self._received.get((report.fleet, report.pod))
        self._received[report.fleet, report.pod] = _Received(
            report.model_copy(update={"limits": ()}), self._clock.monotonic()
        )
        old = before.report if before is not None else None
        fleet = Key(ProxyFleet.KIND, namespace, report.fleet)
        touched: set[Key] = set()
        if old is None or (old.revision, old.head) != (report.revision, report.head):
            touched.add(fleet)
        if old is None or _statements(old) != _statements(report):
            touched |= _subjects(report) | (_subjects(old) if old is not None else set())
        touched |= self.limits.accept(report)
        policies = self.totals.take(report)
        return touched | {Key(RolloutPolicy.KIND, *policy.split("/", 1)) for policy in policies}

    def retain(self, fleet: str, pods: Iterable[str]) -> None:
        """Forget the pods of a fleet that exist no more."""
        existing = set(pods)
        for key in [k for k in self._received if k[0] == fleet and k[1] not in existing]:
            del self._received[key]

    def revisions(self, fleet: str) -> dict[str, str | None]:
        """Return {pod: revision in use} of the fleet's live stable proxies; canaries come and go with rollouts."""
        return {
            r.report.pod: r.report.revision
            for r in self._live()
            if r.report.fleet == fleet and r.report.track == "stable"
        }

    def heads(self, fleet: str) -> dict[str, str | None]:
        """Return {pod: digest of the head in use} of the fleet's live proxies."""
        return {r.report.pod: r.report.head for r in self._live() if r.report.fleet == fleet}

    def heard(self, fleet: str) -> dict[str, Heard]:
        """Return the last word of each proxy of the fleet, however long ago."""
        now = self._clock.monotonic()
        return {
            r.report.pod: Heard(r.report.head, now - r.at) for r in self._received.values() if r.report.fleet == fleet
        }

    def oldest(self, fleet: str) -> float | None:
        """Return the age in seconds of the oldest report among live proxies, or None without any."""
        ages = [self._clock.monotonic() - r.at for r in self._live() if r.report.fleet == fleet]
        return max(ages) if ages else None

    def credential(self, path: str, version: int) -> CredentialObservation | None:
        """Return what upstreams last said of one version of a credential, as live proxies saw it, or None."""
        found = [c for r in self._live() for c in r.report.credentials if c.path == path and c.version == version]
        return max(found, key=lambda c: c.at, default=None)

    def fallbacks(self, namespace: str, provider: str) -> tuple[FallbackObservation, ...]:
        """Return the fallbacks of a provider that are active on live proxies, newest first."""
        found = [
            f for r in self._live() for f in r.report.fallbacks if (f.namespace, f.provider) == (namespace, provider)
        ]
        return tuple(sorted(found, key=lambda f: f.at, reverse=True))

    def _live(self) -> list[_Received]:
        now = self._clock.monotonic()
        return [r for r in self._received.values() if now - r.at <= SILENT_AFTER_SECONDS]


def _statements(report: ProxyReport) -> tuple[frozenset[object], frozenset[object]]:
    """Return what a report says, without the times, which change with every request."""
    return (
        frozenset((c.path, c.version, c.valid, c.reason) for c in report.credentials),
        frozenset((f.namespace, f.provider, f.from_mode, f.to_mode, f.reason, f.account) for f in report.fallbacks),
    )


def _subjects(report: ProxyReport) -> set[Key]:
    subjects = {Key(LLMProvider.KIND, f.namespace, f.provider) for f in report.fallbacks}
    kinds = {LLMProvider.PLURAL: LLMProvider.KIND, SubscriptionAccount.PLURAL: SubscriptionAccount.KIND}
    for observation in report.credentials:
        namespace, plural, name, *_ = [*observation.path.split("/"), "", ""]
        if plural in kinds:
            subjects.add(Key(kinds[plural], namespace, name))
    return subjects
