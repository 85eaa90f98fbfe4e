"""How long a weight is believed that nobody confirms, and what metrics say of it."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from headgate_api.clock import ManualClock
from headgate_api.report import WEIGHT_TTL_SECONDS
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import FleetSettings, Head, Snapshot, Split
from headgate_proxy.config.live import LiveConfig, Loaded
from headgate_proxy.telemetry.state_collector import StateCollector

CLOCK_START = datetime(2026, 11, 21, tzinfo=UTC)
LABELS = {"policy": "team-a/gate", "revision": "abc-1"}


class NoCredentials:
    """Nothing held, nothing missing."""

    missing: dict[object, str] = {}  # noqa: RUF012 - never written

    def ages(self) -> dict[tuple[str, int], float]:
        return {}


def loaded() -> Loaded:
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="i",
        jwks={},
    )
    head = Head(
        revision="r",
        chunks=(),
        rollouts={"team-a/gate": Split(revision="abc-1", step=1, weight=2500, salt="s")},
    )
    return Loaded.build(head, Snapshot(fleet=fleet))


def test_a_weight_is_believed_for_as_long_as_it_is_confirmed() -> None:
    clock = ManualClock(CLOCK_START)
    live = LiveConfig(clock)
    registry = CollectorRegistry()
    registry.register(StateCollector(live, NoCredentials()))  # type: ignore[arg-type] # what the collector reads of it

    def shown() -> tuple[float | None, float | None]:
        names = ("headgate_proxy_rollout_weight_percent", "headgate_proxy_rollout_weight_stale")
        weight, stale = (registry.get_sample_value(name, LABELS) for name in names)
        return weight, stale

    def confirmed() -> bool:
        return live.confirmed

    assert not confirmed()
    live.swap(loaded())
    live.confirm()
    clock.advance(WEIGHT_TTL_SECONDS)
    assert confirmed()
    assert shown() == (25, 0)
    clock.advance(1)
    assert not confirmed()
    assert shown() == (0, 1)
    live.confirm()
    assert confirmed()


def test_a_weight_from_before_a_restart_counts_only_once_it_is_confirmed() -> None:
    live = LiveConfig(ManualClock(CLOCK_START))
    live.swap(loaded(), restored=True)
    assert not live.confirmed
    live.confirm()
    assert live.confirmed
