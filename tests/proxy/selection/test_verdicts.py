"""What is remembered of a credential, for how long, and what the reporter is told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate_api.clock import ManualClock
from headgate_api.decisions import RECHECK
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import FleetSettings, ProviderEntry, ProviderForm, Snapshot
from headgate_proxy.routing.routing import Routing
from headgate_proxy.selection.states import Failure, Fallback
from headgate_proxy.selection.verdicts import FORGET_FALLBACK, Verdicts

NOW = datetime(2026, 11, 20, tzinfo=UTC)
REVOKED = Failure(SkipReason.REVOKED, 401)


def pointing(path: str, *versions: int) -> Routing:
    """Return the routing of one provider whose stable form (and candidate, where two are given) points to these versions."""
    spec = {
        "protocol": "Anthropic",
        "endpoint": "https://api.example.com",
        "models": [{"name": "m"}],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
    }
    forms = [
        ProviderForm.model_validate({"revision": f"r{v}", "spec": spec, "apiKey": {"path": path, "version": v}})
        for v in versions
    ]
    entry = ProviderEntry(
        namespace="team-a", name="p", generation=1, stable=forms[0], candidate=[*forms, None][1], policy="team-a/gate"
    )
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="i",
        jwks={},
    )
    return Routing.build(Snapshot(fleet=fleet, providers=(entry,)))


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.changes = 0
        self.verdicts = Verdicts(self.clock, self._changed)

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def world() -> World:
    return World()


def test_a_refusal_stays_with_its_version(world: World, held: Any) -> None:
    world.verdicts.failed(held("a"), REVOKED)
    world.verdicts.failed(held("a"), REVOKED)
    assert world.changes == 1
    assert world.verdicts.against(held("a")) is not None
    assert world.verdicts.against(held("a", 2)) is None

    world.verdicts.succeeded(held("a", 2))
    world.verdicts.failed(held("a", 1), REVOKED)  # a slow answer about the old version
    assert [(o.version, o.valid) for o in world.verdicts.observations()] == [(2, True)] or world.verdicts.against(
        held("a", 2)
    ) is None


def test_a_refused_credential_is_tried_again_after_a_while_and_reported_until_it_works(world: World, held: Any) -> None:
    world.verdicts.failed(held("a"), REVOKED)
    world.clock.advance(RECHECK.total_seconds())
    assert world.verdicts.against(held("a")) is None
    assert [o.valid for o in world.verdicts.observations()] == [False]
    world.verdicts.succeeded(held("a"))
    assert [o.valid for o in world.verdicts.observations()] == [True]


def test_what_is_not_the_credentials_fault_is_not_remembered(world: World, held: Any) -> None:
    world.verdicts.failed(held("a"), Failure(SkipReason.UNAVAILABLE, 529))
    assert world.verdicts.observations() == ()
    assert world.changes == 0


def test_a_fallback_is_active_until_the_first_mode_works_again(world: World, provider: Any) -> None:
    one = provider()
    fallback = Fallback(AuthMode.SUBSCRIPTION, AuthMode.API_KEY, SkipReason.REVOKED, "a")
    world.verdicts.went(one, AuthMode.SUBSCRIPTION, fallback)
    world.clock.advance(1)
    world.verdicts.went(one, AuthMode.SUBSCRIPTION, fallback)
    assert world.changes == 1
    assert [(f.provider, f.reason, f.at) for f in world.verdicts.fallbacks()] == [("p", "Revoked", NOW)]
    world.verdicts.went(one, AuthMode.API_KEY, None)  # another caller, whose first mode this is
    assert len(world.verdicts.fallbacks()) == 1
    world.verdicts.went(one, AuthMode.SUBSCRIPTION, None)
    assert world.verdicts.fallbacks() == ()


def test_a_passing_trouble_is_forgotten_when_no_request_meets_it_any_more(world: World, provider: Any) -> None:
    fallback = Fallback(AuthMode.SUBSCRIPTION, AuthMode.API_KEY, SkipReason.UNAVAILABLE)
    world.verdicts.went(provider(), AuthMode.SUBSCRIPTION, fallback)
    world.clock.advance(FORGET_FALLBACK.total_seconds())
    assert world.verdicts.fallbacks() == ()


def test_two_versions_that_a_snapshot_points_to_are_judged_apart(world: World, held: Any) -> None:
    """A candidate's key that the vendor refuses says nothing about the stable one, nor the reverse."""
    world.verdicts.follow(pointing("a", 1, 2))
    world.verdicts.succeeded(held("a", 2))
    world.verdicts.failed(held("a", 1), REVOKED)
    assert world.verdicts.against(held("a", 1)) is not None
    assert world.verdicts.against(held("a", 2)) is None
    assert {(o.version, o.valid) for o in world.verdicts.observations()} == {(1, False), (2, True)}
    world.verdicts.follow(pointing("a", 2))
    assert {(o.version, o.valid) for o in world.verdicts.observations()} == {(2, True)}
