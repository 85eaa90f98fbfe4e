"""Programmed: what may be said of the live proxies, and what a new leader may not forget."""

from datetime import UTC, datetime

from headgate_api.clock import ManualClock
from headgate_api.reasons import ConditionReason
from headgate_api.report import SILENT_AFTER_SECONDS, ProxyReport
from headgate_api.resources.base import Condition
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import SETTLING_SECONDS, Published, programmed_in
from headgate_operator.engine.keys import Key

KEY = Key("LLMProvider", "team", "claude")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """A leader that has led for long."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.reports = Reports(self.clock)
        self.published = Published(self.reports, self.clock)
        self.clock.advance(SETTLING_SECONDS + 1)

    def report(self, pod: str, revision: str | None) -> None:
        self.reports.accept(ProxyReport(fleet="default", pod=pod, revision=revision), "headgate-system")

    def said(self, generation: int = 1) -> tuple[bool | None, str]:
        observation = self.published.programmed(KEY, generation, f"form {generation}")
        return observation.status, observation.reason


def test_programmed_when_every_live_proxy_serves_the_generation() -> None:
    world = World()
    world.published.record("default", "r1", {KEY: "form 1"})
    assert world.said() == (False, ConditionReason.NO_PROXY_READY)
    world.report("p1", "r1")
    assert world.said() == (True, ConditionReason.PROGRAMMED)
    world.report("p2", None)
    assert world.said() == (False, ConditionReason.PENDING)
    world.report("p2", "r1")
    assert world.said() == (True, ConditionReason.PROGRAMMED)


def test_a_new_generation_waits_and_an_unrelated_change_does_not_unsay_the_old_one() -> None:
    world = World()
    world.published.record("default", "r1", {KEY: "form 1"})
    world.report("p1", "r1")
    world.published.record("default", "r2", {KEY: "form 1", Key("LLMProvider", "team", "other"): "form 1"})
    assert world.said() == (True, ConditionReason.PROGRAMMED)
    world.published.record("default", "r3", {KEY: "form 2"})
    assert world.said(2) == (False, ConditionReason.PENDING)
    world.report("p1", "r3")
    assert world.said(2) == (True, ConditionReason.PROGRAMMED)


def test_a_silent_proxy_leaves_the_quorum() -> None:
    world = World()
    world.published.record("default", "r1", {KEY: "form 1"})
    world.report("gone", "r0")
    world.clock.advance(SILENT_AFTER_SECONDS + 1)
    world.report("p1", "r1")
    assert world.said() == (True, ConditionReason.PROGRAMMED)


def test_an_object_in_no_snapshot_is_pending() -> None:
    assert World().said() == (False, ConditionReason.PENDING)


def test_a_revision_that_returns_is_the_current_one() -> None:
    world = World()
    for revision in ("r1", "r2", "r1"):
        world.published.record("default", revision, {KEY: "form 1"})
    assert world.published.revision("default") == "r1"


def test_a_new_leader_repeats_what_the_former_said_until_proxies_have_had_time_to_report() -> None:
    world = World()
    world.published.begin_term()
    true = Condition(
        type="Programmed",
        status="True",
        observed_generation=1,
        last_transition_time=NOW,
        reason="Programmed",
        message="2 proxies serve generation 1",
    )
    body = {
        "kind": KEY.kind,
        "metadata": {"namespace": KEY.namespace, "name": KEY.name},
        "status": {"conditions": [true.to_wire()]},
    }
    world.published.remember(programmed_in([body]))
    world.published.record("default", "r1", {KEY: "form 1"})
    assert world.said() == (True, ConditionReason.PROGRAMMED)
    assert world.said(2)[0] is False
    world.clock.advance(SETTLING_SECONDS + 1)
    assert world.said() == (False, ConditionReason.NO_PROXY_READY)


def test_a_proxy_that_moves_on_concerns_what_it_serves_otherwise_and_nothing_else() -> None:
    world = World()
    other = Key("LLMProvider", "team", "other")
    world.published.record("default", "r1", {KEY: "form 1", other: "form 1"})
    world.report("p1", "r1")
    assert world.published.moved("default") == {KEY, other}  # a proxy nobody knew
    assert world.published.moved("default") == set()
    world.published.record("default", "r2", {KEY: "form 2", other: "form 1"})
    assert world.published.moved("default") == set()
    world.report("p1", "r2")
    assert world.published.moved("default") == {KEY}
    world.clock.advance(SILENT_AFTER_SECONDS + 1)
    assert world.published.moved("default") == {KEY, other}  # a proxy that fell silent
    assert world.published.moved("no such fleet") == set()
