"""The promise of the split: exact, sticky, and raising the weight only adds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_proxy.tracks.split import in_canary

KEYS = [f"session-{number}" for number in range(100_000)]


@pytest.mark.parametrize("weight", [0, 1, 100, 500, 2500, 5000, 9900, 10_000])
def test_the_share_of_100_000_keys_is_within_half_a_point(weight: int) -> None:
    share = sum(in_canary("salt-1", key, weight) for key in KEYS) / len(KEYS) * 100
    assert abs(share - weight / 100) <= 0.5
    assert (share == 0) == (weight == 0)
    assert weight < 10_000 or share == 100


def test_raising_the_weight_moves_no_key_back() -> None:
    before: set[str] = set()
    for weight in (100, 500, 2500, 5000, 7500, 10_000):
        now = {key for key in KEYS[:20_000] if in_canary("salt-1", key, weight)}
        assert before <= now
        before = now


@given(st.text(), st.text(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_no_key_ever_leaves_when_the_weight_rises(salt: str, key: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert in_canary(salt, key, high) or not in_canary(salt, key, low)


def test_another_rollout_takes_other_keys() -> None:
    """Otherwise the same sessions would be the first to meet every change."""
    first, second = ({key for key in KEYS[:10_000] if in_canary(salt, key, 1000)} for salt in ("a", "b"))
    assert len(first & second) < len(first) / 5
