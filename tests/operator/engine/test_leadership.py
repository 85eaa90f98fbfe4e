"""Who leads: at most one at a time, whatever the clocks say."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headgate_operator.leadership import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Move,
    Sighting,
    Term,
    decide,
    next_term,
    released,
    sight,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_nobody_holds_it_so_it_is_taken() -> None:
    assert decide(None, "me", 0) is Move.TAKE
    assert decide(Sighting(Term(), 0), "me", 0) is Move.TAKE


def test_the_holder_renews_and_keeps_the_time_it_took_over() -> None:
    term = next_term(None, "me", NOW)
    later = next_term(term, "me", NOW + timedelta(seconds=2))
    assert decide(Sighting(term, 0), "me", 1000) is Move.RENEW
    assert (later.acquired, later.transitions) == (term.acquired, 0)
    assert later.renewed > term.renewed


def test_a_candidate_waits_a_whole_lease_from_its_own_first_sight_of_the_record() -> None:
    held = next_term(None, "other", NOW - timedelta(days=400))  # by the wall clock long over, which proves nothing
    seen = sight(None, held, 100.0)
    assert decide(seen, "me", 100 + LEASE_SECONDS - 0.1) is Move.WAIT
    assert decide(seen, "me", 100 + LEASE_SECONDS) is Move.TAKE


def test_every_renewal_starts_the_wait_anew() -> None:
    first = next_term(None, "other", NOW)
    seen = sight(None, first, 0)
    seen = sight(seen, first, 10)
    assert seen.since == 0
    seen = sight(seen, next_term(first, "other", NOW + timedelta(seconds=2)), 12)
    assert decide(seen, "me", 12 + LEASE_SECONDS - 1) is Move.WAIT


def test_a_released_lease_is_taken_at_once_and_counts_the_change_of_hands() -> None:
    term = next_term(None, "other", NOW)
    free = released(term)
    assert decide(sight(None, free, 0), "me", 0) is Move.TAKE
    assert next_term(free, "me", NOW).transitions == 1


@given(
    delays=st.lists(st.floats(0, RENEW_SECONDS, allow_nan=False), min_size=1, max_size=20),
    skew=st.integers(-(10**6), 10**6),
    read_lag=st.floats(0, 2),
)
def test_a_holder_that_renews_in_time_is_never_pushed_out(delays: list[float], skew: int, read_lag: float) -> None:
    """The candidate polls every 2 s with any lag and any wall-clock skew; the holder renews within RENEW_SECONDS."""
    now, term = 0.0, next_term(None, "holder", NOW + timedelta(seconds=skew))
    seen: Sighting | None = None
    for number, delay in enumerate(delays, 1):
        end = now + delay
        while now < end:
            seen = sight(seen, term, now)
            assert decide(seen, "candidate", now + read_lag) is Move.WAIT
            now = min(end, now + 2.0)
        term = next_term(term, "holder", NOW + timedelta(seconds=skew + number))


def test_a_lease_read_back_is_the_term_that_was_written() -> None:
    term = next_term(None, "me", NOW)
    assert Term.of({"spec": term.to_spec()}) == term
    assert Term.of({}) == Term()
