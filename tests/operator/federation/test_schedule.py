"""When federated tokens are renewed: at half of their lifetime, spread, never in a loop, however short they live."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.reasons import ConditionReason
from headgate_api.secret import Secret
from headgate_api.vault import FederatedRecord
from headgate_operator.federation.schedule import back_off, due_at, forced_gap
from headgate_operator.federation.verdict import NOW, Cause, Exchange, Trouble, failed, judge
from headgate_operator.refresh.verdict import Rest

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def token(seconds: float | None, *, grant: str = "g", generation: int = 1, forced: int = 0) -> FederatedRecord:
    return FederatedRecord(
        origins=("https://api.vendor.example",),
        access_token=Secret("not-real"),
        expires_at=START + timedelta(seconds=seconds) if seconds is not None else None,
        grant_id=grant,
        generation=generation,
        obtained_at=START,
        forced=forced,
    )


@given(st.integers(1, 86_400), st.text("0123456789abcdef", min_size=8, max_size=24), st.integers(1, 1000))
def test_a_token_is_renewed_by_half_of_its_lifetime_and_two_minutes_before_its_end_where_that_can_be(
    seconds: int, grant: str, generation: int
) -> None:
    waits = (due_at(token(seconds, grant=grant, generation=generation)) - START).total_seconds()
    assert max(10, seconds / 4) <= waits <= max(10, seconds / 2)
    if seconds >= 160:
        assert waits <= seconds - 120


def test_an_hour_long_token_leaves_half_an_hour_for_an_outage() -> None:
    waits = [due_at(token(3600, grant=f"g{number}")) - START for number in range(1000)]
    assert timedelta(minutes=27) <= min(waits)
    assert max(waits) <= timedelta(minutes=30)
    assert len(set(waits)) > 990
    tenths = [sum(1 for wait in waits if 1620 + 18 * n <= wait.total_seconds() < 1638 + 18 * n) for n in range(10)]
    assert max(tenths) < 150, "a thousand tokens obtained at once are renewed over three minutes, evenly"


def test_a_token_without_an_end_is_renewed_all_the_same() -> None:
    assert 27 * MINUTE <= due_at(token(None)) - START <= 30 * MINUTE


def test_failures_back_off_to_a_bound_by_who_can_mend_them() -> None:
    for cause, least, most in ((Cause.OURS, 8, 72), (Cause.VENDOR_REFUSES, 24, 720), (Cause.PASSING, 12, 360)):
        trouble, now = None, START
        waits = []
        for _ in range(12):
            trouble = failed(trouble, cause, ConditionReason.VENDOR_UNAVAILABLE, "x", grant="g", now=now)
            waits.append((trouble.not_before - now).total_seconds())
            now = trouble.not_before
        assert waits[0] >= least
        assert max(waits) <= most
        assert waits[-1] >= most / 2
        assert trouble is not None
        assert trouble.failures == 12


def test_what_the_vendor_asks_to_wait_is_waited() -> None:
    trouble = failed(
        None, Cause.PASSING, ConditionReason.VENDOR_RATE_LIMITED, "x", grant="g", now=START, at_least=timedelta(hours=1)
    )
    assert trouble.not_before == START + timedelta(hours=1)


def test_another_kind_of_failure_begins_anew() -> None:
    many = Trouble(Cause.OURS, ConditionReason.TOKEN_REQUEST_FORBIDDEN, "x", 9, START)
    again = failed(many, Cause.PASSING, ConditionReason.VENDOR_UNAVAILABLE, "y", grant="g", now=START)
    assert again.failures == 1
    assert back_off("g", 1, *Cause.PASSING.value) == again.not_before - START


@pytest.mark.parametrize(("forced", "minutes"), [(0, 0), (1, 1), (2, 2), (3, 4), (7, 60), (1000, 60)])
def test_a_vendor_that_refuses_each_new_token_is_asked_less_and_less(forced: int, minutes: int) -> None:
    assert forced_gap(forced) == minutes * MINUTE


def test_what_is_decided() -> None:
    fresh = token(3600)
    assert judge(None, None, START) is NOW
    assert isinstance(judge(fresh, None, START), Rest)
    assert judge(fresh, None, START + 31 * MINUTE) is NOW
    assert judge(fresh, None, START + MINUTE, refused=1) == Exchange(forced=True)
    assert isinstance(judge(token(3600, generation=2), None, START + MINUTE, refused=1), Rest)
    again = judge(token(3600, forced=3), None, START + MINUTE, refused=1)
    assert isinstance(again, Rest)
    assert again.until == START + 4 * MINUTE
    trouble = Trouble(Cause.PASSING, ConditionReason.VENDOR_UNAVAILABLE, "it answers 503", 1, START + MINUTE)
    waits = judge(fresh, trouble, START + timedelta(seconds=59), refused=1)
    assert isinstance(waits, Rest)
    assert (waits.healthy, waits.reason) == (None, ConditionReason.VENDOR_UNAVAILABLE)
    assert "12:01:00Z" in waits.message
    assert judge(fresh, trouble, START + MINUTE) is NOW
