"""When the breaker opens, probes and closes."""

from datetime import UTC, datetime

from headgate_api.clock import ManualClock
from headgate_runtime.vault_breaker import FAILURES_TO_OPEN, LONGEST_PERIOD_SECONDS, Breaker


def _open_breaker() -> tuple[Breaker, ManualClock]:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.admit()
        breaker.failed()
    return breaker, clock


def test_it_opens_after_three_failures_and_grants_one_probe_per_period() -> None:
    breaker, clock = _open_breaker()
    assert not breaker.admit()
    clock.advance(1)
    assert [breaker.admit() for _ in range(3)] == [True, False, False]


def test_a_probe_whose_caller_went_away_does_not_shut_it_for_ever() -> None:
    breaker, clock = _open_breaker()
    clock.advance(1)
    assert breaker.admit()
    clock.advance(1)
    assert breaker.admit()


def test_periods_double_up_to_the_longest() -> None:
    breaker, clock = _open_breaker()
    for _ in range(10):
        clock.advance(LONGEST_PERIOD_SECONDS)
        assert breaker.admit()
        breaker.failed()
    clock.advance(LONGEST_PERIOD_SECONDS - 0.1)
    assert not breaker.admit()
    clock.advance(0.1)
    assert breaker.admit()


def test_one_success_closes_it() -> None:
    breaker, clock = _open_breaker()
    clock.advance(1)
    assert breaker.admit()
    breaker.succeeded()
    assert [breaker.admit() for _ in range(5)] == [True] * 5
