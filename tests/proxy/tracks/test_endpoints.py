"""Which canary pod a request goes to, and when one is left alone."""

from datetime import UTC, datetime

import pytest

from headgate_api.clock import ManualClock
from headgate_api.snapshot import Endpoint
from headgate_proxy.tracks.endpoints import EJECTED_SECONDS, FAILURES, LONGEST_EJECTION_SECONDS, Endpoints, Lease


class World:
    def __init__(self, pods: int = 2) -> None:
        self.clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
        self.told: list[tuple[str, float]] = []
        self.endpoints = Endpoints(self.clock, lambda endpoint, seconds: self.told.append((endpoint.pod, seconds)))
        self.head = [Endpoint(pod=f"canary-{number}", address="10.0.0.1", port=number + 1) for number in range(pods)]
        self.endpoints.follow(self.head)

    def take(self) -> Lease:
        lease = self.endpoints.take()
        assert lease is not None
        return lease

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.take().failed()


@pytest.fixture
def world() -> World:
    return World()


def test_the_least_busy_one_in_turn(world: World) -> None:
    first, second = world.take(), world.take()
    assert {first.endpoint.pod, second.endpoint.pod} == {"canary-0", "canary-1"}
    first.worked()
    third = world.take()
    assert third.endpoint == first.endpoint
    for lease in (second, third):
        lease.worked()
    assert [world.take().endpoint.pod for _ in range(4)].count("canary-0") == 2


def test_none_where_there_is_none() -> None:
    assert World(0).endpoints.take() is None


def test_failures_in_a_row_eject_for_longer_each_time_and_bounded() -> None:
    world = World(1)
    world.fail(FAILURES - 1)
    world.take().worked()
    world.fail(FAILURES)
    assert world.told == [("canary-0", EJECTED_SECONDS)]
    assert world.endpoints.take() is None
    assert (world.endpoints.known, world.endpoints.ejected) == (1, 1)
    for _ in range(6):
        world.clock.advance(world.told[-1][1])
        world.fail(1)  # the one request that tries it
        assert world.endpoints.take() is None
    seconds = [told for _, told in world.told]
    assert seconds[:3] == [EJECTED_SECONDS, 2 * EJECTED_SECONDS, 4 * EJECTED_SECONDS]
    assert seconds[-1] == LONGEST_EJECTION_SECONDS
    world.clock.advance(LONGEST_EJECTION_SECONDS)
    world.take().worked()
    world.fail(FAILURES)
    assert world.told[-1] == ("canary-0", EJECTED_SECONDS)


def test_an_ejected_pod_is_remembered_over_heads_and_forgotten_with_its_pod() -> None:
    world = World(1)
    world.fail(FAILURES)
    world.endpoints.follow(world.head)
    assert world.endpoints.take() is None
    world.endpoints.follow([world.head[0].model_copy(update={"pod": "canary-9"})])
    assert world.take().endpoint.pod == "canary-9"


def test_requests_from_before_an_ejection_do_not_lengthen_it() -> None:
    world = World(1)
    leases = [world.take() for _ in range(10)]
    for lease in leases:
        lease.failed()
    assert world.told == [("canary-0", EJECTED_SECONDS)]


def test_a_pod_that_is_stopping_is_passed_over_and_not_ejected(world: World) -> None:
    lease = world.take()
    lease.resting()
    assert {world.take().endpoint.pod for _ in range(4)} == {"canary-0", "canary-1"} - {lease.endpoint.pod}
    assert not world.told


def test_a_client_that_leaves_says_nothing_about_the_pod() -> None:
    world = World(1)
    for _ in range(FAILURES):
        world.take().left()
    assert world.endpoints.take() is not None
