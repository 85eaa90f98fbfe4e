"""In which order an authority is replaced, played out against a clock: nobody is ever shown what they do not trust yet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate_operator.pki.plan import (
    Authorities,
    Found,
    Leaf,
    Step,
    Timing,
    Trusted,
    Work,
    bundle,
    explain,
    next_step,
    work_on,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TIMING = Timing()
NAMES = ("proxy.ns.svc",)


def authority(pem: str, born: datetime = NOW) -> Trusted:
    return Trusted(pem, born, born + TIMING.authority)


OLD, NEW = authority("old"), authority("new", NOW + timedelta(days=1))


def leaf(state: Authorities, issuer: str, born: datetime = NOW, now: datetime = NOW) -> Leaf:
    found = Found(born, born + TIMING.leaf, frozenset(NAMES), issuer, bundle(state, now))
    return Leaf("proxy-tls", NAMES, found)


def step(state: Authorities, *leaves: Leaf, acknowledged: bool = False, now: datetime = NOW) -> Step | None:
    return next_step(state, leaves, acknowledged=acknowledged, now=now, timing=TIMING)


def test_without_anything_an_authority_is_made_and_signs_at_once() -> None:
    assert step(Authorities(), Leaf("proxy-tls", NAMES)) is Step.CREATE
    assert work_on(Leaf("proxy-tls", NAMES), Authorities(current=OLD), NOW, TIMING) is Work.ISSUE


def test_an_authority_is_replaced_when_a_fifth_of_its_life_is_left() -> None:
    state, due = Authorities(current=OLD), OLD.not_after - TIMING.authority_left
    assert TIMING.authority_left / TIMING.authority == pytest.approx(0.2, abs=0.01)
    assert step(state, now=due - timedelta(seconds=1)) is None
    assert step(state, now=due) is Step.BEGIN


def test_somebody_may_ask_for_a_rotation_and_gets_one_per_word() -> None:
    state = Authorities(current=OLD, requested="leak-7")
    assert step(state) is Step.BEGIN
    assert step(replace(state, answered="leak-7")) is None
    assert step(replace(state, answered="leak-7", requested="leak-8")) is Step.BEGIN


def test_a_coming_authority_signs_only_when_all_proxies_trust_it_and_mounts_have_settled() -> None:
    state = Authorities(current=OLD, coming=NEW)
    mine = leaf(state, "old")
    assert step(state, mine) is None
    assert work_on(mine, state, NOW, TIMING) is None, "the old authority signs on"
    assert "every live proxy trusts it" in explain(state, TIMING)
    assert step(state, mine, acknowledged=True) is Step.ANNOUNCED
    announced = replace(state, announced=NOW)
    assert step(announced, mine, acknowledged=True, now=NOW + TIMING.settle - timedelta(seconds=1)) is None
    assert "signs from 2030-01-01T00:15:00Z" in explain(announced, TIMING)
    assert step(announced, mine, now=NOW + TIMING.settle) is Step.SWITCH


def test_after_the_switch_leaves_move_and_the_former_is_trusted_a_while() -> None:
    state = Authorities(current=NEW, former=(OLD,))
    assert work_on(leaf(state, "old"), state, NOW, TIMING) is Work.ISSUE
    assert step(state, leaf(state, "new"), leaf(state, "old")) is None, "one leaf has not moved"
    assert step(state, leaf(state, "new"), Leaf("broker-tls", NAMES)) is None, "one leaf is missing"
    assert step(state, leaf(state, "new")) is Step.MOVED
    moved = replace(state, moved=NOW)
    assert "trusted until 2030-01-02" in explain(moved, TIMING)
    assert step(moved, leaf(state, "new"), now=NOW + TIMING.retire - timedelta(seconds=1)) is None
    assert step(moved, leaf(state, "new"), now=NOW + TIMING.retire) is Step.RETIRE


def test_a_bundle_holds_all_that_may_be_met_and_does_not_change_with_the_switch() -> None:
    before = Authorities(current=OLD, coming=NEW)
    after = Authorities(current=NEW, former=(OLD,))
    assert bundle(before, NOW) == bundle(after, NOW) == "oldnew"
    assert bundle(after, OLD.not_after) == "new", "what has expired vouches for nothing"


def test_a_leaf_is_renewed_after_two_thirds_of_its_life() -> None:
    state = Authorities(current=OLD)
    mine = leaf(state, "old")
    assert work_on(mine, state, NOW + timedelta(days=60) - timedelta(seconds=1), TIMING) is None
    assert work_on(mine, state, NOW + timedelta(days=60), TIMING) is Work.ISSUE


def test_a_leaf_is_issued_anew_for_other_names_or_a_stranger_and_rewritten_for_another_bundle() -> None:
    state = Authorities(current=OLD)
    mine = leaf(state, "old")
    assert work_on(replace(mine, dns_names=("other.ns.svc",)), state, NOW, TIMING) is Work.ISSUE
    assert mine.found is not None
    assert work_on(replace(mine, found=replace(mine.found, issuer=None)), state, NOW, TIMING) is Work.ISSUE
    assert work_on(mine, replace(state, coming=NEW), NOW, TIMING) is Work.BUNDLE


def test_leaves_of_a_lost_authority_serve_on_until_the_new_one_is_known() -> None:
    lost = Authorities(former=(OLD,))
    mine = leaf(lost, "old")
    assert step(lost, mine) is Step.BEGIN
    begun = replace(lost, coming=NEW)
    assert work_on(leaf(begun, "old"), begun, NOW, TIMING) is None
    assert work_on(Leaf("new-fleet-tls", NAMES), begun, NOW, TIMING) is Work.ISSUE, "a new fleet cannot wait"
    assert step(begun, mine) is None
    assert step(lost, Leaf("proxy-tls", NAMES)) is Step.CREATE, "nothing is served that could be broken"


def test_an_authority_that_expires_meanwhile_waits_for_nobody() -> None:
    assert step(Authorities(current=OLD, coming=NEW), now=OLD.not_after) is Step.SWITCH


@pytest.mark.parametrize("trusting", [timedelta(0), timedelta(minutes=3)])
def test_no_moment_of_a_rotation_shows_a_client_what_it_does_not_trust(trusting: timedelta) -> None:
    """Play a whole rotation in steps of a minute; clients learn a bundle, and servers a certificate, with a delay."""
    lag = timedelta(minutes=5)
    assert lag < TIMING.settle
    state = Authorities(current=OLD, requested="now")
    certificate, bundles = "old", [(NOW - 2 * lag, "old")]
    served = [(NOW - 2 * lag, "old")]
    now, done = NOW, False
    while now < NOW + timedelta(days=2):
        mine = leaf(state, certificate, now=now)
        knows = trusting <= now - bundles[-1][0]
        while (due := step(state, mine, acknowledged=knows and "new" in bundles[-1][1], now=now)) is not None:
            if due is Step.BEGIN:
                state = replace(state, coming=NEW, answered=state.requested)
            elif due is Step.ANNOUNCED:
                state = replace(state, announced=now)
            elif due is Step.SWITCH:
                state = replace(state, current=NEW, coming=None, former=(OLD,), announced=None)
            elif due is Step.MOVED:
                state = replace(state, moved=now)
            else:
                assert due is Step.RETIRE
                state, done = replace(state, former=(), moved=None), True
        if work_on(mine, state, now, TIMING) is Work.ISSUE:
            assert state.current is not None
            certificate = state.current.pem
            served.append((now, certificate))
        if bundle(state, now) != bundles[-1][1]:
            bundles.append((now, bundle(state, now)))
        for late in (
            timedelta(0),
            lag,
        ):  # a proxy reads the head at once; a mounted Secret comes late, either of the two
            shown = [c for since, c in served if since <= now - (lag - late)][-1]
            believed = [b for since, b in bundles if since <= now - late][-1]
            assert shown in believed, (now, shown, believed)
        now += timedelta(minutes=1)
    assert done
    assert bundles[-1][1] == "new"
