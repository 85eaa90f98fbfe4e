"""Liveness by progress: what counts as stalled, and what does not."""

from datetime import UTC, datetime

from headgate_api.clock import ManualClock
from headgate_operator.engine.keys import Key
from headgate_operator.engine.progress import STALLED_AFTER_SECONDS, Progress

KEY = Key("LLMProvider", "team", "claude")


def progress() -> tuple[Progress, ManualClock]:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    return Progress(clock), clock


def test_a_candidate_lives_while_its_lease_loop_goes_round() -> None:
    made, clock = progress()
    for _ in range(10):
        clock.advance(STALLED_AFTER_SECONDS / 2)
        made.lease_looked()
        assert made.stalled() is None
    clock.advance(STALLED_AFTER_SECONDS + 1)
    assert "lease loop" in (made.stalled() or "")


def test_a_leader_without_sweeps_is_stalled_though_its_lease_loop_runs() -> None:
    made, clock = progress()
    made.term_began()
    clock.advance(STALLED_AFTER_SECONDS + 1)
    made.lease_looked()
    assert "sweep" in (made.stalled() or "")
    made.swept()
    assert made.stalled() is None


def test_a_watch_that_stays_silent_about_what_a_list_shows_is_stalled() -> None:
    made, clock = progress()
    made.watch_saw(KEY, "1")
    made.listed({KEY: "2"})
    clock.advance(STALLED_AFTER_SECONDS + 1)
    made.lease_looked()
    made.listed({KEY: "3"})
    assert str(KEY) in (made.stalled() or "")
    made.watch_saw(KEY, "3")
    assert made.stalled() is None


def test_a_watch_that_is_behind_for_a_moment_is_not_stalled() -> None:
    made, clock = progress()
    for version in range(1, 20):
        made.listed({KEY: str(version)})
        clock.advance(STALLED_AFTER_SECONDS / 2)
        made.watch_saw(KEY, str(version))
        made.lease_looked()
        assert made.stalled() is None


def test_an_object_that_was_deleted_is_not_waited_for() -> None:
    made, clock = progress()
    made.listed({KEY: "2"})
    made.watch_saw_gone(KEY)
    clock.advance(STALLED_AFTER_SECONDS + 1)
    made.lease_looked()
    assert made.stalled() is None
