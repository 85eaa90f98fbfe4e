"""What one proxy learns of a limit, all others know with their next report; nobody can speak of what its fleet does not serve."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate_api.clock import ManualClock
from headgate_api.limits import in_force, merged
from headgate_api.reasons import SkipReason
from headgate_api.report import MAX_LIMITS, ProxyReport, ReportAnswer
from headgate_api.resources.limits import LimitObservation, LimitWindow
from headgate_api.snapshot import Snapshot
from headgate_operator.engine.keys import Key
from headgate_operator.limits.known import KnownLimits

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RESET = NOW + timedelta(hours=2)
ADA = Key("SubscriptionAccount", "team", "ada")


def path(name: str = "ada") -> str:
    return f"team/subscriptionaccounts/{name}/access"


def observation(name: str = "ada", *, used: float = 10, at: datetime = NOW, **more: Any) -> LimitObservation:
    windows = (LimitWindow(name="5h", used_percent=used, resets_at=RESET),)
    return LimitObservation(path=path(name), grant=more.pop("grant", "g"), windows=windows, at=at, **more)


def limited(name: str = "ada", *, at: datetime = NOW, until: datetime = RESET, **more: Any) -> LimitObservation:
    return observation(name, at=at, limited_until=until, reason=SkipReason.RATE_LIMITED, **more)


def snapshot(*names: str) -> Snapshot:
    accounts = [
        {
            "namespace": "team",
            "name": name,
            "generation": 1,
            "stable": {
                "revision": "r",
                "acknowledged": True,
                "access": {"path": path(name), "version": 1},
                "spec": {"providerRef": {"name": "p"}, "owner": {"email": "a@b.test"}, "sharing": "Pool"},
            },
        }
        for name in names
    ]
    fleet = {
        "allowedNamespaces": ["team"],
        "allowances": {},
        "callerTokens": {},
        "limits": {},
        "issuer": "i",
        "jwks": {},
    }
    return Snapshot.model_validate({"fleet": fleet, "accounts": accounts})


class World:
    def __init__(self, *names: str) -> None:
        self.clock = ManualClock(NOW)
        self.known = KnownLimits(self.clock)
        self.known.serve("edge", snapshot(*(names or ("ada", "bob"))))
        self.cursors: dict[str, str] = {}

    def report(self, *said: LimitObservation, pod: str = "p1", fleet: str = "edge") -> tuple[set[Key], ReportAnswer]:
        cursor = self.cursors.get(pod, "")
        report = ProxyReport(fleet=fleet, pod=pod, revision="r", limits=said, limits_cursor=cursor)
        touched, answer = self.known.accept(report), self.known.answer(report)
        self.cursors[pod] = answer.limits_cursor
        return touched, answer


def test_a_limit_is_known_on_all_proxies_with_their_next_report() -> None:
    world = World()
    assert world.report(pod="p2")[1].limits == ()
    touched, answer = world.report(limited())
    assert (touched, answer.limits) == ({ADA}, ())
    (told,) = world.report(pod="p2")[1].limits
    assert (told.path, told.limited_until, told.reason) == (path(), RESET, SkipReason.RATE_LIMITED)
    assert world.report(pod="p2")[1].limits == ()
    assert [o.path for o in world.report(pod="p3")[1].limits] == [path()]


def test_the_newest_word_counts_in_whatever_order_it_comes() -> None:
    world = World()
    world.report(observation(used=20, at=NOW))
    world.report(limited(at=NOW - timedelta(seconds=5)), pod="p2")
    seen = world.known.of(path(), "g")
    assert seen is not None
    assert in_force(seen, NOW) is None


def test_a_fleet_speaks_of_its_own_accounts_only_and_hears_of_no_others() -> None:
    world = World("ada")
    world.known.serve("other", snapshot("carl"))
    assert world.report(limited(), limited("carl"), fleet="other", pod="o1")[0] == {
        Key("SubscriptionAccount", "team", "carl")
    }
    assert world.known.of(path(), "g") is None
    assert world.report(pod="p1")[1].limits == ()


def test_while_nobody_knows_what_a_fleet_serves_its_proxies_keep_their_news() -> None:
    world = World()
    world.known.begin_term()
    touched, answer = world.report(limited())
    assert touched == set()
    assert answer.limits_cursor == ""


def test_nobody_is_held_up_for_more_than_eight_days_or_by_a_clock_that_is_ahead() -> None:
    world = World()
    world.report(limited(until=NOW + timedelta(days=900)), limited("bob", at=NOW + timedelta(minutes=2)))
    seen = world.known.of(path(), "g")
    assert seen is not None
    assert seen.limited_until == NOW + timedelta(days=8)
    assert world.known.of(path("bob"), "g") is None


def test_another_leader_tells_everything_again() -> None:
    world = World()
    world.report(limited())
    first = world.cursors["p1"]
    world.known.begin_term()
    world.known.serve("edge", snapshot("ada"))
    world.known.observe(limited())
    assert len(world.report(pod="p1")[1].limits) == 1
    assert world.cursors["p1"].partition(":")[0] != first.partition(":")[0]


def test_a_thousand_accounts_reach_every_proxy_in_answers_of_a_bounded_size() -> None:
    names = [f"a{n}" for n in range(1000)]
    world = World(*names)
    for name in names:
        world.known.observe(observation(name))
    heard: set[str] = set()
    for _ in range(10):
        limits = world.report()[1].limits
        assert len(limits) <= MAX_LIMITS
        heard |= {seen.path for seen in limits}
    assert len(heard) == 1000


def test_percentages_touch_an_account_at_most_every_half_minute_and_limits_at_once() -> None:
    world = World()
    assert world.report(observation(used=10))[0] == {ADA}
    for second in range(1, 31):
        world.clock.advance(1)
        touched, _ = world.report(observation(used=10 + second, at=world.clock.now()))
        assert touched == ({ADA} if second == 30 else set())
    assert world.report(limited(used=99, at=world.clock.now()))[0] == {ADA}
    world.clock.advance(1)
    assert world.report(observation(used=1, at=world.clock.now()))[0] == {ADA}
    world.clock.advance(1)
    assert world.report(observation(used=5, at=world.clock.now()))[0] == set()
    world.clock.advance(30)
    assert world.report()[0] == {ADA}  # what waited is shown, though nothing new is said
    assert world.report()[0] == set()


def test_grants_of_one_path_are_few() -> None:
    world = World()
    for number in range(50):
        world.report(limited(grant=f"g{number}"))
    assert sum(world.known.of(path(), f"g{number}") is not None for number in range(50)) == 4


moments = st.integers(-100, 100).map(lambda seconds: NOW + timedelta(seconds=seconds))
windows = st.lists(
    st.builds(
        LimitWindow,
        name=st.sampled_from(["5h", "7d", "7d_opus"]),
        used_percent=st.none() | st.integers(0, 120),
        resets_at=st.none() | moments,
        exhausted=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda window: window.name,
).map(lambda found: tuple(sorted(found, key=lambda window: window.name)))
observations = st.builds(
    LimitObservation,
    path=st.just(path()),
    grant=st.just("g"),
    windows=windows,
    limited_until=st.none() | moments,
    reason=st.sampled_from([None, SkipReason.RATE_LIMITED, SkipReason.QUOTA_EXHAUSTED]),
    at=moments,
)


@settings(deadline=None)
@given(observations, observations, moments)
def test_two_proxies_that_merge_the_other_way_round_agree(
    one: LimitObservation, two: LimitObservation, now: datetime
) -> None:
    ours, theirs = merged(one, two), merged(two, one)
    assert ours == theirs
    assert merged(ours, one) == ours == merged(two, ours) == merged(ours, ours)
    assert ours.at == max(one.at, two.at)
    limit = in_force(ours, now)
    assert limit is None or limit.until > now


def full(name: str, at: datetime, **more: Any) -> LimitObservation:
    window = LimitWindow(name=name, used_percent=100, resets_at=RESET, exhausted=True)
    return LimitObservation(path=path(), grant="g", windows=(window,), at=at, **more)


def test_an_account_known_to_be_full_crosses_the_same_row_as_one_that_was_refused() -> None:
    for name, reason in (("5h", SkipReason.RATE_LIMITED), ("primary", SkipReason.QUOTA_EXHAUSTED)):
        limit = in_force(full(name, NOW), NOW)
        assert limit is not None
        assert limit.reason is reason
    refused = full("5h", NOW, reason=SkipReason.QUOTA_EXHAUSTED, limited_until=NOW + timedelta(minutes=1))
    polled = merged(refused, full("5h", NOW + timedelta(minutes=2)))
    limit = in_force(polled, NOW + timedelta(minutes=3))
    assert limit is not None
    assert (limit.reason, limit.until) == (SkipReason.QUOTA_EXHAUSTED, RESET)
