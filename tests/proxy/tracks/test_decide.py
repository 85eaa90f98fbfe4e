"""Who reaches the canary, and who cannot make himself reach it."""

from typing import Any

import pytest

from headgate_api.snapshot import Split
from headgate_proxy.tracks.decide import Decision, Track, TrackReason, decide
from headgate_proxy.tracks.split import in_canary
from headgate_proxy.tracks.stickiness import Sticky

TESTER = "system:serviceaccount:team-a:tester"
ANYBODY = "system:serviceaccount:team-a:agent"


def split(weight: int, **more: Any) -> Split:
    return Split(revision="abc-1", step=1, weight=weight, salt="s", testers=(TESTER,), **more)


def decided(
    weight: int, actor: str = ANYBODY, *, asked: str | None = None, key: str = "k", confirmed: bool = True
) -> Decision:
    def sticky() -> Sticky:
        return Sticky("Header", key)

    return decide("team-a/gate", split(weight), actor=actor, asked=asked, sticky=sticky, confirmed=confirmed)


@pytest.mark.parametrize("weight", [0, 1, 10_000])
def test_a_tester_reaches_the_canary_at_any_weight(weight: int) -> None:
    assert (decided(weight, TESTER).track, decided(weight, TESTER).reason) == (Track.CANARY, TrackReason.AUDIENCE)


@pytest.mark.parametrize("asked", ["stable", " Stable "])
def test_a_tester_may_ask_for_stable(asked: str) -> None:
    decision = decided(10_000, TESTER, asked=asked)
    assert (decision.track, decision.reason) == (Track.STABLE, TrackReason.ASKED_FOR_STABLE)


@pytest.mark.parametrize("asked", ["canary", "stable", "x"])
def test_what_anybody_else_asks_for_is_not_looked_at(asked: str) -> None:
    assert decided(0, asked=asked).track is Track.STABLE
    assert decided(10_000, asked=asked).track is Track.CANARY


def test_the_weight_decides_by_the_sticky_key() -> None:
    for number in range(200):
        decision = decided(3000, key=f"k{number}")
        assert (decision.track is Track.CANARY) == in_canary("s", f"k{number}", 3000)
        assert (decision.reason, decision.source) == (TrackReason.WEIGHT, "Header")


def test_a_weight_that_nobody_confirms_counts_as_zero_and_has_no_audience() -> None:
    assert [decided(10_000, actor, confirmed=False).track for actor in (TESTER, ANYBODY)] == [Track.STABLE] * 2
    assert decided(10_000, confirmed=False).reason is TrackReason.WEIGHT_UNCONFIRMED
    assert decided(0, confirmed=False).reason is TrackReason.WEIGHT
