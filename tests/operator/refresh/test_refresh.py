"""What becomes of an account as time passes and its vendor answers, as status, events and Vault show it."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from tests.operator.credentials.objects import START, secret

from headgate_api.reasons import ConditionReason
from headgate_dev.emulator import Fault, FaultKind
from headgate_dev.emulator.oauth import Dialect
from headgate_dev.emulator.vendor import Call
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.refresh.executor import Renewed
from headgate_operator.refresh.verdict import Rest
from headgate_runtime.vault import VaultCause

from .world import World


async def _due(**options: Any) -> World:
    world = World(**options)
    await world.sign_in()
    world.advance(hours=6)
    return world


def fault(world: World, kind: FaultKind, times: int | None = 1, **fields: Any) -> None:
    """Have the vendor answer with a fault of the emulator's, for the next ``times`` requests."""
    fault, vendor = Fault(kind=kind, **fields), world.direct.vendor
    answer = type(vendor).answer
    left = [times]

    def faulty(call: Call, credentials: Any) -> Any:
        if left[0] == 0:
            return answer(vendor, call, credentials)
        left[0] = left[0] - 1 if left[0] is not None else None
        return vendor.refusal(call, fault) or answer(vendor, call, credentials)

    vendor.answer = faulty  # type: ignore[method-assign]


async def test_nothing_happens_before_two_thirds_of_the_lifetime_and_then_tokens_rotate() -> None:
    world = World()
    await world.sign_in()
    early = await world.operator().refresh(world.key)
    assert isinstance(early, Rest) and early.reason is ConditionReason.SCHEDULED and early.until is not None
    assert timedelta(hours=8 * 0.6) <= early.until - START <= timedelta(hours=8 * 0.734)
    world.advance_to(early.until)
    renewed = await world.operator().refresh(world.key)
    assert isinstance(renewed, Renewed) and (renewed.generation, renewed.version) == (2, 2)
    assert renewed.expires_at == world.clock.now().replace(microsecond=0) + timedelta(hours=8)
    assert await world.works()
    assert world.direct.asked == 1


async def test_status_tells_of_the_last_and_the_next_refresh() -> None:
    world = World()
    await world.sign_in()
    assert (await world.condition() or ())[:2] == ("True", "Scheduled")
    world.advance(hours=6)
    await world.operator().refresh(world.key)
    assert (await world.condition() or ())[:2] == ("True", "Refreshed")
    status = world.kube.objects[world.key.kind, "team", "ada"]["status"]
    assert status["lastRefresh"] == "2026-11-01T18:00:00Z"
    assert status["generation"] == 2
    assert "2026-11-01T22:4" < status["nextRefresh"] < "2026-11-01T23:53"
    assert not [event for event in world.told.events if event[0] == "Warning"]


@pytest.mark.parametrize("dialect", list(Dialect))
async def test_an_account_goes_on_for_a_week_at_every_kind_of_vendor(dialect: Dialect) -> None:
    world = World(dialect=dialect)
    await world.sign_in()
    operator = world.operator()
    while world.clock.now() < START + timedelta(days=7):
        result = await operator.refresh(world.key)
        assert isinstance(result, Renewed) or result.reason is ConditionReason.SCHEDULED
        if isinstance(result, Rest) and result.until is not None:
            world.advance_to(result.until)
        else:
            access = await world.access()
            assert access is not None and access.access_token.reveal() in world.credentials.oauth_tokens
    assert 28 <= world.direct.asked <= 36


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"suspend": True}, ConditionReason.SUSPENDED),
        ({"acknowledgement": None}, ConditionReason.NOT_ACKNOWLEDGED),
    ],
)
async def test_a_suspended_or_unacknowledged_account_is_never_refreshed(spec: Any, reason: ConditionReason) -> None:
    world = await _due(spec=spec)
    for refused in (None, 1):
        result = await world.operator().refresh(world.key, refused)
        assert isinstance(result, Rest) and (result.reason, result.until) == (reason, None)
    assert world.direct.asked == 0
    assert (await world.condition() or ())[:2] == ("False", reason.value)


async def test_a_token_endpoint_that_moved_gets_no_token() -> None:
    world = await _due()
    world.put_account(oauth={"tokenEndpoint": "https://elsewhere.example/token", "clientId": "x"})
    result = await world.operator().refresh(world.key, 1)
    assert isinstance(result, Rest) and result.reason is ConditionReason.ORIGIN_NOT_BOUND
    assert "is bound to https://auth.vendor.example" in result.message
    assert world.direct.asked == 0


@pytest.mark.parametrize("dialect", [Dialect.STANDARD, Dialect.OPENAI])
@pytest.mark.parametrize("how", ["expired", "revoked"])
async def test_the_end_of_a_grant_is_told_once_with_its_mend_and_never_tried_again(how: str, dialect: Dialect) -> None:
    world = await _due(dialect=dialect)
    setattr(world.server.grants.grants[0], how, True)
    operator = world.operator()
    result = await operator.refresh(world.key)
    assert isinstance(result, Rest) and result.reason is ConditionReason.REAUTHENTICATION_REQUIRED
    status, reason, message = await world.condition() or ("", "", "")
    assert (status, reason) == ("False", "ReauthenticationRequired")
    assert (
        "ada@team.example signs in again (headgate account login), or puts a new credential file into a Secret"
        in message
    )
    for _ in range(5):
        world.advance(hours=2)
        await operator.refresh(world.key, 1)
        await world.condition()
    assert world.direct.asked == 1
    assert [e[1] for e in world.told.events].count("ReauthenticationRequired") == 1


async def test_a_new_sign_in_ends_the_trouble() -> None:
    world = await _due()
    world.server.grants.grants[0].revoked = True
    await world.operator().refresh(world.key)
    await world.sign_in()
    world.advance(hours=6)
    assert isinstance(await world.operator().refresh(world.key), Renewed)
    assert (await world.condition() or ())[:2] == ("True", "Refreshed")


async def test_a_failing_vendor_is_asked_less_and_less_across_restarts() -> None:
    world = await _due()
    fault(world, FaultKind.RATE_LIMITED, None)
    waits = []
    for _ in range(12):
        result = await world.operator().refresh(world.key)  # each a new process
        assert isinstance(result, Rest) and result.until is not None
        assert result.reason is ConditionReason.VENDOR_RATE_LIMITED
        again = await world.operator().refresh(world.key, 1)
        assert isinstance(again, Rest)
        waits.append((result.until - world.clock.now()).total_seconds())
        world.advance_to(result.until)
    assert world.direct.asked == 12
    assert 24 <= waits[0] <= 36
    assert all(later >= earlier for earlier, later in itertools.pairwise(waits))
    assert 0.8 * 1800 <= waits[-1] <= 1.2 * 1800
    status, reason, message = await world.condition() or ("", "", "")
    assert (status, reason) == ("Unknown", "VendorRateLimited")
    assert "limits requests (429)" in message


async def test_retry_after_is_kept() -> None:
    world = await _due()
    fault(world, FaultKind.RATE_LIMITED, seconds=3600)
    result = await world.operator().refresh(world.key)
    assert isinstance(result, Rest) and result.until == world.clock.now() + timedelta(hours=1)
    world.advance(minutes=59)
    assert isinstance(await world.operator().refresh(world.key), Rest)
    world.advance(minutes=1)
    assert isinstance(await world.operator().refresh(world.key), Renewed)


async def test_a_wrong_client_is_a_matter_of_the_profile_and_a_corrected_one_is_tried_at_once() -> None:
    world = await _due()
    oauth = {"tokenEndpoint": f"{world.url}/oauth/token", "clientId": "another"}
    world.put_account(oauth=oauth)
    result = await world.operator().refresh(world.key)
    assert isinstance(result, Rest) and (result.reason, result.healthy) == (ConditionReason.CLIENT_REFUSED, False)
    assert (await world.condition() or ())[:2] == ("False", "ClientRefused")
    assert isinstance(await world.operator().refresh(world.key), Rest)
    assert world.direct.asked == 1
    world.put_account()
    assert isinstance(await world.operator().refresh(world.key), Renewed)


async def test_a_missing_client_secret_is_named_and_the_vendor_not_asked() -> None:
    world = await _due()
    oauth = {"tokenEndpoint": f"{world.url}/oauth/token", "clientId": "not-a-real-client"}
    oauth |= {"clientSecretRef": {"name": "client", "key": "value"}}  # type: ignore[dict-item]
    world.put_account(oauth=oauth)
    result = await world.operator().refresh(world.key)
    assert isinstance(result, Rest) and "Secret team/client, key value: the Secret does not exist" in result.message
    world.kube.put(secret("client", "not-real", annotations={"headgate.dev/origins": "https://elsewhere.example"}))
    world.advance(hours=2)
    result = await world.operator().refresh(world.key)
    assert isinstance(result, Rest) and "may be sent to https://elsewhere.example only" in result.message
    assert world.direct.asked == 0


async def test_what_never_left_is_tried_again_soon_and_what_was_lost_after_its_claim() -> None:
    world = await _due()
    errors: list[Exception] = [NotSent("the vendor cannot be reached"), AnswerLost("the connection broke off")]
    waits = []

    class Broken:
        async def send(self, request: Any, **_: Any) -> Any:
            raise errors.pop(0)

    for _ in range(2):
        result = await world.operator(Broken()).refresh(world.key)
        assert isinstance(result, Rest) and result.until is not None
        waits.append((result.until - world.clock.now()).total_seconds())
        world.advance_to(result.until)
    assert waits[0] < 40 and waits[1] == 150
    assert isinstance(await world.until_settled(world.operator()), Renewed)


async def test_while_vault_is_away_nothing_is_asked_of_the_vendor() -> None:
    world = await _due()
    world.memory.away = VaultCause.SEALED
    result = await world.operator().refresh(world.key, 1)
    assert isinstance(result, Rest) and result.reason is ConditionReason.VAULT_UNAVAILABLE
    assert world.direct.asked == 0
    assert (await world.condition() or ())[:2] == ("Unknown", "VaultUnavailable")


async def test_a_refused_token_is_refreshed_once_and_a_vendor_that_refuses_all_is_not_asked_in_a_row() -> None:
    world = World()
    await world.sign_in()
    operator = world.operator()
    assert isinstance(await operator.refresh(world.key, 1), Renewed)
    assert isinstance(await operator.refresh(world.key, 1), Renewed)  # it is answered from what is there
    assert world.direct.asked == 1
    for generation in range(2, 8):
        result = await world.until_settled(operator, generation)
        assert isinstance(result, Renewed)
    assert world.direct.asked == 7
    assert world.clock.now() - START >= timedelta(minutes=60)


async def test_a_proxy_cannot_have_a_token_refreshed_that_does_not_exist_yet() -> None:
    world = World()
    await world.sign_in()
    assert isinstance(await world.operator().refresh(world.key, 10**9), Renewed)
    assert isinstance(await world.operator().refresh(world.key, 10**9), Rest)
    assert world.direct.asked == 1


async def test_an_access_token_without_expiry_is_refreshed_only_when_refused() -> None:
    world = World()
    await world.sign_in()
    grant = await world.grant()
    assert grant is not None
    world.memory.put("team/subscriptionaccounts/ada/grant", grant.model_copy(update={"expires_at": None}).to_vault())
    world.advance(days=30)
    result = await world.operator().refresh(world.key)
    assert isinstance(result, Rest) and (result.reason, result.healthy) == (ConditionReason.NO_EXPIRY, True)
    assert isinstance(await world.operator().refresh(world.key, 1), Renewed)


async def test_no_token_shows_in_results_status_or_events() -> None:
    world = await _due()
    await world.operator().refresh(world.key)
    world.advance(hours=6)
    world.server.grants.grants[0].revoked = True
    result = await world.operator().refresh(world.key)
    await world.condition()
    shown = repr(result) + repr(world.told.events) + repr(world.kube.objects) + repr(await world.grant())
    assert "emulated-refresh" not in shown and "emulated-access" not in shown


async def test_an_operator_that_leads_no_more_asks_nothing_and_gives_its_claim_back() -> None:
    for checks in (0, 1):  # the Lease is lost before the claim, or between claim and request
        world = await _due()
        left = [checks]

        def fence() -> None:
            left[0] -= 1  # noqa: B023
            if left[0] < 0:  # noqa: B023
                raise RuntimeError("the Lease has not been renewed in time")

        assert isinstance(await world.operator(fence=fence).refresh(world.key), Rest)
        assert world.direct.asked == 0
        grant = await world.grant()
        assert grant is not None and grant.refresh.claim is None and grant.refresh.failures == 0
        assert isinstance(await world.operator().refresh(world.key), Renewed)


async def test_an_expired_access_token_points_to_what_becomes_of_it() -> None:
    world = await _due()
    world.server.grants.grants[0].revoked = True
    await world.operator().refresh(world.key)
    world.advance(hours=3)
    status, reason, message = await world.condition("CredentialValid") or ("", "", "")
    assert (status, reason) == ("False", "Expired")
    assert message.endswith("condition RefreshHealthy says what becomes of it")
