"""Limits as each vendor's responses tell of them: read exactly, and nonsense is not believed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from headgate_api.limits import LONGEST
from headgate_api.resources.limits import LimitWindow
from headgate_proxy.anthropic.limits import reset_of as anthropic_reset
from headgate_proxy.anthropic.windows import windows as anthropic_windows
from headgate_proxy.openai.limits import reset_of as openai_reset
from headgate_proxy.openai.windows import windows as openai_windows
from headgate_proxy.protocols.shares import seconds_in

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=90)
WEEK = NOW + timedelta(days=3)


def epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def plan(status: str = "allowed", claim: str = "five_hour", **more: str) -> CIMultiDict[str]:
    unified = {
        "status": status,
        "reset": epoch(SOON),
        "representative-claim": claim,
        "fallback-percentage": "0.5",
        "5h-status": status,
        "5h-utilization": "0.425",
        "5h-reset": epoch(SOON),
        "7d-status": "allowed",
        "7d-utilization": "0.1",
        "7d-reset": epoch(WEEK),
        "overage-status": "rejected",
        "overage-disabled-reason": "org_level_disabled",
    } | more
    return CIMultiDict({f"Anthropic-Ratelimit-Unified-{name}": value for name, value in unified.items()})


def test_a_plans_windows_are_read() -> None:
    assert anthropic_windows(plan(), NOW) == (
        LimitWindow(name="5h", used_percent=42.5, resets_at=SOON),
        LimitWindow(name="7d", used_percent=10, resets_at=WEEK),
    )


def test_a_refusal_names_the_window_that_is_used_up() -> None:
    five, seven = anthropic_windows(plan("rejected"), NOW)
    assert (five.exhausted, seven.exhausted) == (True, False)
    assert anthropic_reset(plan("rejected"), NOW) == SOON


def test_a_window_that_is_full_while_extra_usage_is_paid_for_refuses_nothing() -> None:
    assert not any(w.exhausted for w in anthropic_windows(plan("allowed", **{"5h-status": "rejected"}), NOW))


def test_the_limit_of_one_model_is_a_window_and_not_the_accounts() -> None:
    refused = plan("rejected", "seven_day_opus", **{"5h-status": "allowed"})
    refused["retry-after"] = "3600"
    found = {w.name: w for w in anthropic_windows(refused, NOW)}
    assert (found["7d_opus"].exhausted, found["7d_opus"].resets_at) == (True, SOON)
    assert not found["5h"].exhausted
    assert anthropic_reset(refused, NOW) is None


def test_classic_limits_are_shares_and_never_exhausted_by_themselves() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-20T13:30:00Z",
        "anthropic-ratelimit-tokens-limit": "0",
        "anthropic-ratelimit-tokens-remaining": "0",
    }
    assert anthropic_windows(headers, NOW) == (LimitWindow(name="requests", used_percent=100, resets_at=SOON),)


def test_answers_that_tell_of_no_limits_tell_of_none() -> None:
    assert anthropic_windows({"content-type": "x"}, NOW) == openai_windows({"content-type": "x"}, NOW) == ()


def codex(primary: str = "12", secondary: str = "3", **more: str) -> CIMultiDict[str]:
    return CIMultiDict(
        {
            "X-Codex-Primary-Used-Percent": primary,
            "X-Codex-Primary-Window-Minutes": "300",
            "X-Codex-Primary-Reset-At": epoch(SOON),
            "X-Codex-Secondary-Used-Percent": secondary,
            "X-Codex-Secondary-Reset-After-Seconds": str(3 * 86400),
        }
        | more
    )


def test_codex_windows_are_read_by_either_kind_of_reset() -> None:
    assert openai_windows(codex(), NOW) == (
        LimitWindow(name="primary", used_percent=12, resets_at=SOON),
        LimitWindow(name="secondary", used_percent=3, resets_at=WEEK),
    )
    assert openai_reset(codex(), NOW) is None


def test_a_codex_limit_ends_when_the_last_full_window_resets() -> None:
    assert openai_reset(codex("100"), NOW) == SOON
    assert openai_reset(codex("100", "100"), NOW) == WEEK
    assert not any(w.exhausted for w in openai_windows(codex("100", **{"x-codex-credits-has-credits": "True"}), NOW))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("20ms", 0.02),
        ("1s", 1),
        ("6m0s", 360),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("", None),
        ("soon", None),
        ("5", None),
        ("1d", None),
    ],
)
def test_openai_durations(written: str, seconds: float | None) -> None:
    assert seconds_in(written) == (None if seconds is None else pytest.approx(seconds))


def test_an_openai_429_resets_by_its_own_headers() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "90m"}
    assert openai_reset(headers, NOW) == SOON
    assert openai_reset(headers | {"retry-after": "60"}, NOW) == NOW + timedelta(minutes=1)


names = st.sampled_from([*plan().keys(), *codex().keys(), "retry-after", "anthropic-ratelimit-requests-limit"])
values = st.text(max_size=12) | st.sampled_from(["1e400", "nan", "-1", "1e30", "9" * 40, "rejected", "0", "1"])


@given(st.dictionaries(names, values, max_size=12))
def test_no_header_can_break_a_reader_or_hold_an_account_up_for_ever(headers: dict[str, str]) -> None:
    given_headers = CIMultiDict(headers)
    for windows, reset_of in ((anthropic_windows, anthropic_reset), (openai_windows, openai_reset)):
        for window in windows(given_headers, NOW):
            assert window.used_percent is None or 0 <= window.used_percent <= 1000
        reset = reset_of(given_headers, NOW)
        assert reset is None or NOW < reset <= NOW + LONGEST
