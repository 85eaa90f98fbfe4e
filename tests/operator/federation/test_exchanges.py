"""Exchanges against a vendor that verifies: what is sent, what each denial says, and what failures do and do not cost."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from tests.operator.credentials.objects import NS, PROVIDER
from tests.operator.credentials.world import Crash

from headgate_api.reasons import ConditionReason
from headgate_api.secret import Secret
from headgate_api.vault import FederatedRecord
from headgate_dev.emulator.oauth import FederationRule
from headgate_operator.federation.memory import Memory
from headgate_operator.oauth.answers import HttpAnswer
from headgate_operator.oauth.http import AnswerLost, NotSent
from headgate_operator.oauth.requests import OAuthRequest
from headgate_operator.refresh.executor import Renewed
from headgate_operator.refresh.verdict import Rest
from headgate_runtime.vault import VaultCause

from .world import AUDIENCE, ISSUER, RULE, World

pytestmark = pytest.mark.asyncio


class Says:
    """A vendor that answers as it is told, and remembers what it was asked."""

    def __init__(self, status: int = 200, body: Any = None, **headers: str) -> None:
        self.answer = HttpAnswer(status, headers, Secret(body if isinstance(body, str) else json.dumps(body)))
        self.error: Exception | None = None
        self.asked: list[OAuthRequest] = []
        self.given: dict[str, Any] = {}

    async def send(self, request: OAuthRequest, **given: Any) -> HttpAnswer:
        self.asked.append(request)
        self.given = given
        if self.error is not None:
            raise self.error
        return self.answer


async def attempt(world: World, sender: Says) -> Renewed | Rest:
    return await world.executor(sender).refresh(world.federation.key)


async def test_a_new_assertion_is_exchanged_each_time_and_the_token_bound_to_the_endpoint() -> None:
    world = World()
    assert await world.exchange() == Renewed(1, 1, world.clock.now() + timedelta(hours=1))
    assert world.works()
    record = world.record()
    assert record is not None
    assert (record.origins, record.grant_id) == ((AUDIENCE,), world.federation.grant_id)

    assert isinstance(await world.exchange(), Rest)
    world.advance(minutes=31)
    assert isinstance(await world.exchange(), Renewed)
    assert world.works()
    assert [attempt.denied for attempt in world.vendor.attempts] == [None, None]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in world.kube.minted]
    assert [claim["sub"] for claim in claims] == [f"system:serviceaccount:{NS}:caller"] * 2
    assert [claim["aud"] for claim in claims] == [[AUDIENCE]] * 2
    assert len({claim["jti"] for claim in claims}) == 2


async def test_the_request_is_the_vendors_own_form_of_the_grant() -> None:
    world = World()
    world.apply(workspaceId="wrkspc_1")
    sender = Says(200, {"access_token": "not-real-access", "token_type": "Bearer", "expires_in": 600})
    assert isinstance(await attempt(world, sender), Renewed)
    (request,) = sender.asked
    assert request.url == "https://api.vendor.example/v1/oauth/token"
    assert request.headers["anthropic-beta"].reveal() == "oauth-2025-04-20,oidc-federation-2026-04-01"
    assert request.headers["content-type"].reveal() == "application/json"
    assert json.loads(request.body.reveal()) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": world.kube.minted[0],
        "federation_rule_id": "fdrl_1",
        "organization_id": "org-1",
        "service_account_id": "svac_1",
        "workspace_id": "wrkspc_1",
    }
    assert sender.given["origins"] == ("https://api.vendor.example",)
    assert sender.given["private_addresses"] is False
    assert world.kube.minted[0] not in repr(request)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"federationRuleId": "fdrl_9"}, "federationRuleId"),
        ({"organizationId": "org-9"}, "organizationId"),
        ({"serviceAccountId": "svac_9"}, "serviceAccountId"),
        ({"serviceAccountName": "other"}, "serviceAccountName"),
        ({"audience": "https://elsewhere.example"}, "audience"),
        ({"workspaceId": "wrkspc_9"}, "workspaceId"),
    ],
)
async def test_a_denial_names_the_field_that_is_wrong_and_what_the_rule_has_to_say(
    wrong: dict[str, str], field: str
) -> None:
    world = World()
    world.kube.accounts.add((NS, "other"))
    world.apply(**wrong)
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert (told.healthy, told.reason) == (False, ConditionReason.FEDERATION_REFUSED)
    assert f"spec.auth.workloadIdentity.{field}: " in told.message
    account = wrong.get("serviceAccountName", "caller")
    assert f"subject system:serviceaccount:{NS}:{account}" in told.message
    assert f"issuer {ISSUER}" in told.message
    assert world.kube.minted[0] not in told.message


async def test_a_vendor_that_does_not_know_the_issuer_or_its_keys_is_told_apart() -> None:
    world = World()
    world.vendor.rules["fdrl_1"] = replace(RULE, issuer="https://other.example")
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert f"does not trust issuer {ISSUER}" in told.message
    world.vendor.rules["fdrl_1"] = replace(RULE, workspace_id=("wrkspc_1", "wrkspc_2"))
    world.advance(minutes=1)
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert (
        "spec.auth.workloadIdentity.workspaceId: rule fdrl_1 does not cover workspace (none is named)" in told.message
    )


async def test_a_denial_that_says_nothing_names_everything_that_has_to_agree() -> None:
    world = World()
    world.vendor.denials = "Opaque"
    world.apply(organizationId="org-9")
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert told.reason is ConditionReason.FEDERATION_REFUSED
    for word in ("federationRuleId", "organizationId", "serviceAccountId", "workspaceId", "audience", ISSUER):
        assert word in told.message
    assert "without saying why" in told.message


@pytest.mark.parametrize(
    ("status", "body", "reason", "healthy", "says"),
    [
        (503, "down", ConditionReason.VENDOR_UNAVAILABLE, None, "503"),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error"}},
            ConditionReason.VENDOR_UNAVAILABLE,
            None,
            "529",
        ),
        (429, "", ConditionReason.VENDOR_RATE_LIMITED, None, "429"),
        (404, "<html>", ConditionReason.FEDERATION_REFUSED, False, "tokenEndpoint"),
        (307, "", ConditionReason.FEDERATION_REFUSED, False, "tokenEndpoint"),
        (403, "", ConditionReason.FEDERATION_REFUSED, False, "without saying why"),
        (400, {"error": "unsupported_grant_type"}, ConditionReason.FEDERATION_REFUSED, False, "400"),
        (200, "[]", ConditionReason.VENDOR_UNAVAILABLE, None, "no access token"),
        (200, {"access_token": "a b"}, ConditionReason.VENDOR_UNAVAILABLE, None, "no access token"),
        (200, {"access_token": "x", "token_type": "mac"}, ConditionReason.VENDOR_UNAVAILABLE, None, "Bearer"),
    ],
)
async def test_every_answer_has_a_meaning(
    status: int, body: Any, reason: ConditionReason, healthy: bool | None, says: str
) -> None:
    world = World()
    told = await attempt(world, Says(status, body))
    assert isinstance(told, Rest)
    assert (told.reason, told.healthy) == (reason, healthy)
    assert says in told.message
    assert world.record() is None


async def test_what_the_vendor_repeats_of_the_assertion_is_never_shown() -> None:
    world = World()
    echo = Says(400, {"error": "invalid_grant", "error_description": "subject eyJecho.eyJ.sig is not allowed"})
    told = await attempt(world, echo)
    assert isinstance(told, Rest)
    assert "eyJ" not in told.message


@pytest.mark.parametrize("error", [NotSent("the vendor cannot be reached"), AnswerLost("broke off")])
@pytest.mark.parametrize("serves", [True, False])
async def test_a_vendor_out_of_reach_is_tried_again_later_and_later_while_a_token_serves(
    error: Exception, *, serves: bool
) -> None:
    world = World()
    if serves:
        world.vendor.lifetime = timedelta(hours=2)
        await world.exchange()
        world.advance(minutes=58)
    sender = Says()
    sender.error = error
    memory = Memory()
    memory.want(PROVIDER, [world.federation])
    waits = []
    for _ in range(8):
        told = await world.executor(sender, memory=memory).refresh(world.federation.key)
        assert isinstance(told, Rest)
        assert told.until is not None
        waits.append((told.until - world.clock.now()).total_seconds())
        held = await world.executor(sender, memory=memory).refresh(world.federation.key)
        assert isinstance(held, Rest), "nothing is asked before its time"
        world.advance(seconds=waits[-1])
    assert len(sender.asked) == 8
    assert waits[0] <= 18
    assert (240 <= waits[-1] <= 360) if serves else (24 <= waits[-1] <= 36)


async def test_what_is_missing_in_the_cluster_is_said_with_its_mend() -> None:
    world = World()
    world.kube.trouble = "forbidden"
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert told.reason is ConditionReason.TOKEN_REQUEST_FORBIDDEN
    assert "resources: [serviceaccounts/token], resourceNames: [caller], verbs: [create]" in told.message
    assert "workloadIdentity.serviceAccounts" in told.message
    world.kube.trouble = None
    world.advance(minutes=2)
    world.kube.accounts.clear()
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert told.reason is ConditionReason.SERVICE_ACCOUNT_NOT_FOUND
    assert "team/caller does not exist" in told.message
    world.kube.accounts.add((NS, "caller"))
    world.advance(minutes=2)
    assert isinstance(await world.exchange(), Renewed)
    world.kube.trouble = "away"
    world.advance(minutes=31)
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert (told.reason, told.healthy) == (ConditionReason.UNAVAILABLE, None)
    assert world.works(), "and the token that is there goes on"


@pytest.mark.parametrize("audience", [ISSUER, "api.of.this.cluster"])
async def test_a_token_that_would_open_this_cluster_is_not_sent(audience: str) -> None:
    world = World()
    world.apply(audience=audience)
    sender = Says()
    told = await attempt(world, sender)
    assert isinstance(told, Rest)
    assert (told.reason, told.healthy) == (ConditionReason.SPEC_INVALID, False)
    assert "this cluster's own API server takes" in told.message
    assert sender.asked == []


async def test_a_token_that_would_open_a_fleet_is_not_even_made() -> None:
    world = World()
    fleet = world.kube.objects["ProxyFleet", "headgate-system", "default"]
    fleet["spec"]["callerTokens"] = {"audience": "our-gate"}
    world.apply(audience="our-gate")
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert (told.reason, told.healthy) == (ConditionReason.SPEC_INVALID, False)
    assert world.kube.minted == []


async def test_private_addresses_need_the_fleets_word() -> None:
    world = World()
    fleet = world.kube.objects["ProxyFleet", "headgate-system", "default"]
    fleet["spec"]["allowances"] = {"privateAddresses": True}
    sender = Says(503)
    await attempt(world, sender)
    assert sender.given["private_addresses"] is True


async def test_changed_settings_are_tried_at_once_and_never_get_the_other_token() -> None:
    world = World()
    assert isinstance(await world.exchange(), Renewed)
    first = world.federation
    world.apply(federationRuleId="fdrl_9")
    assert world.federation.path != first.path
    assert isinstance(await world.exchange(), Rest)
    assert world.record() is None
    world.vendor.rules["fdrl_2"] = FederationRule("fdrl_2", "org-1", "svac_1", ISSUER, AUDIENCE, RULE.subject)
    world.apply(federationRuleId="fdrl_2")
    assert isinstance(await world.exchange(), Renewed)
    assert {world.record(first) is None, world.record() is None} == {False}


async def test_nothing_is_exchanged_while_vault_is_away() -> None:
    world = World()
    world.vault.away = VaultCause.SEALED
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert told.reason is ConditionReason.VAULT_UNAVAILABLE
    assert world.kube.minted == []
    assert world.direct.asked == 0


async def test_a_token_that_vault_does_not_take_is_exchanged_anew_later() -> None:
    world = World()

    async def vault_goes() -> None:
        world.vault.away = VaultCause.SEALED

    world.direct.after = vault_goes
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert told.reason is ConditionReason.VAULT_UNAVAILABLE
    world.vault.away = None
    assert world.record() is None
    world.advance(seconds=1)
    assert isinstance(await world.exchange(), Rest), "not at the vendor's expense, again and again"
    world.advance(minutes=1)
    world.direct.after = no_pause
    assert isinstance(await world.exchange(), Renewed)
    assert world.works()


async def no_pause() -> None:
    pass


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_call_is_followed_by_a_working_token(when: Any) -> None:
    crashes = 0
    for at in range(1, 9):
        world = World()
        world.faults.at, world.faults.when = at, when
        try:
            await world.executor().refresh(world.federation.key)
        except Crash:
            crashes += 1
        world.faults.at = None
        await world.executor().refresh(world.federation.key)
        assert world.works()
    assert crashes >= 4


async def test_of_two_leaders_the_second_takes_the_first_ones_token_and_loses_none() -> None:
    world = World()
    both = asyncio.Barrier(2)

    async def meet() -> None:
        await both.wait()

    world.direct.after = meet
    results = await asyncio.gather(*(world.executor().refresh(world.federation.key) for _ in range(2)))
    assert sorted(type(result).__name__ for result in results) == ["Renewed", "Rest"]
    world.direct.after = no_pause
    late = next(result for result in results if isinstance(result, Rest))
    assert late.reason is ConditionReason.REFRESHING
    settled = await world.executor().refresh(world.federation.key)
    assert isinstance(settled, Rest)
    assert settled.reason is ConditionReason.SCHEDULED
    assert len(world.vault.versions[world.federation.path]) == 1
    assert world.works()


@pytest.mark.parametrize("lost_at", [1, 2, 3])
async def test_who_leads_no_more_neither_asks_nor_stores(lost_at: int) -> None:
    world = World()
    looks = 0

    def fence() -> None:
        nonlocal looks
        looks += 1
        if looks >= lost_at:
            raise RuntimeError("the Lease is lost")

    told = await world.executor(fence=fence).refresh(world.federation.key)
    assert isinstance(told, Rest)
    assert world.direct.asked == (1 if lost_at == 3 else 0)
    assert world.record() is None


async def test_a_proxys_word_brings_a_token_forward_once_and_then_slower() -> None:
    world = World()
    await world.exchange()
    world.advance(seconds=5)
    assert await world.exchange(refused=1) == Renewed(2, 2, world.clock.now() + timedelta(hours=1))
    assert isinstance(await world.exchange(refused=1), Renewed), "those who come late get what is there"
    assert world.direct.asked == 2
    held = await world.exchange(refused=2)
    assert isinstance(held, Rest)
    assert (held.reason, held.healthy) == (ConditionReason.REVOKED, None)
    world.advance(minutes=1)
    assert isinstance(await world.exchange(refused=2), Renewed)
    world.advance(minutes=31)
    assert isinstance(await world.exchange(), Renewed)
    record = world.record()
    assert record is not None
    assert record.forced == 0


async def test_a_provider_that_is_going_gets_no_token() -> None:
    world = World()
    body = world.kube.objects[PROVIDER.kind, NS, PROVIDER.name]
    body["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
    told = await world.exchange()
    assert isinstance(told, Rest)
    assert world.kube.minted == []


async def test_tokens_are_masked_wherever_they_are_printed() -> None:
    world = World()
    await world.exchange()
    record = world.record()
    assert isinstance(record, FederatedRecord)
    token = record.access_token.reveal()
    assert token not in world.redactor.redact(f"{token} {world.kube.minted[0]}")
    assert world.kube.minted[0] not in world.redactor.redact(world.kube.minted[0])
    assert token not in repr(record)
