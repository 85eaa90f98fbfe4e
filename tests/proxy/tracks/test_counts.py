"""What one request adds to the counts, and when nothing is added."""

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate_api.clock import ManualClock
from headgate_api.report import TTFT_BASE, TrackCounts
from headgate_api.resources import Model
from headgate_api.snapshot import Head, Split
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.protocols.facts import ResponseFacts, Usage
from headgate_proxy.tracks.counts import RolloutCounts, bucket_of
from headgate_proxy.tracks.decide import Decision, Track, TrackReason
from headgate_proxy.tracks.wire import Notes

SPLIT = Split(revision="abc-1", step=2, weight=500, salt="s")
MODEL = Model(name="claude-sonnet-4-5")


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
        self.counts = RolloutCounts(self.clock)
        self.follow(SPLIT)

    def follow(self, split: Split | None = None) -> None:
        self.counts.follow(Head(revision="r", chunks=(), rollouts={} if split is None else {"team-a/gate": split}))

    def tally(self, split: Split = SPLIT) -> Any:
        return self.counts.tally(Decision("team-a/gate", split, Track.CANARY, TrackReason.WEIGHT), MODEL)

    @property
    def canary(self) -> TrackCounts:
        (seen,) = self.counts.observations()
        return seen.canary


@pytest.fixture
def world() -> World:
    return World()


def test_one_that_went_well_counts_as_a_request_alone(world: World) -> None:
    world.tally().ended(Outcome(200))
    assert world.canary == TrackCounts(requests=1)


@pytest.mark.parametrize(("status", "errors"), [(400, 0), (429, 0), (500, 1), (503, 1), (529, 1)])
def test_errors_are_those_of_the_server(world: World, status: int, errors: int) -> None:
    world.tally().ended(Outcome(status))
    assert world.canary.errors == errors


def test_a_client_that_left_is_not_counted(world: World) -> None:
    world.tally().ended(Outcome(499, disconnected=True))
    world.tally().ended(Outcome(200, disconnected=True, streaming=True))
    assert world.canary == TrackCounts()


def test_the_first_token_is_timed_also_where_its_event_is_cut_in_two(world: World) -> None:
    tally = world.tally()
    fed: list[bytes] = []
    feed = tally.watching(fed.append, b"content_block_delta")
    pieces = [
        b"event: message_start\n\n",
        b"event: content_",
        b"blo",
        b"ck_delta\n\n",
        b"event: content_block_delta\n\n",
    ]
    for piece in pieces:
        world.clock.advance(0.1)
        feed(piece)
    tally.ended(Outcome(200, streaming=True))
    assert fed == pieces
    assert world.canary.first_token == {bucket_of(0.4): 1}


@pytest.mark.parametrize("millis", [0.5, 1, 2, 100, 1234.5, 600_000])
def test_a_class_ends_at_its_power(millis: float) -> None:
    bucket = bucket_of(millis / 1000)
    assert TTFT_BASE**bucket >= millis * 0.999999
    assert bucket == 0 or TTFT_BASE ** (bucket - 1) < millis


def test_cache_writes_are_split_as_the_vendor_splits_them(world: World) -> None:
    usage = Usage(10, 1000, 0, 0, 400, 5)  # input, cache writes (400 of an hour), reads, output
    world.tally().ended(Outcome(200, facts=ResponseFacts(usage)))
    assert world.canary.costed == 1
    assert world.canary.cost_micro_usd == round(10 * 3 + 600 * 3.75 + 400 * 6 + 5 * 15)


def test_notes_come_from_the_pod_that_served(world: World) -> None:
    tally = world.tally()
    tally.notes = Notes.read(Notes(auth_failed=True, fell_back=True).header())
    tally.ended(Outcome(200))
    assert (world.canary.auth_failures, world.canary.fallbacks) == (1, 1)


@pytest.mark.parametrize("change", [{"step": 3}, {"revision": "abc-2"}])
def test_a_request_of_an_earlier_step_is_not_counted_in_a_later_one(world: World, change: dict[str, Any]) -> None:
    tally = world.tally()
    world.follow(SPLIT.model_copy(update=change))
    tally.ended(Outcome(200))
    assert world.canary == TrackCounts()


def test_only_what_the_head_carries_is_remembered(world: World) -> None:
    for step in range(100):
        world.follow(SPLIT.model_copy(update={"step": step}))
        world.tally(SPLIT.model_copy(update={"step": step})).ended(Outcome(200))
    assert len(world.counts.observations()) == 1
    world.follow()
    assert world.counts.observations() == ()
