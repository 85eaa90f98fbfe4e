"""A provider with a workload identity as its owner sees it: conditions, Events, what proxies are told, and how it ends."""

import pytest
from tests.operator.credentials.objects import NS, PROVIDER
from tests.operator.revisions import things

from headgate_api.reasons import SkipReason
from headgate_api.report import CredentialObservation
from headgate_api.resources import LLMProvider
from headgate_api.snapshot import CredentialPointer
from headgate_api.vault import federated_path
from headgate_operator.delivery.assemble import provider_entry
from headgate_operator.delivery.published import form_of
from headgate_operator.engine.touch import Neighbours
from headgate_operator.federation.observe import wanted_tokens
from headgate_operator.federation.settings import federation_of
from headgate_operator.oauth.http import NotSent
from headgate_operator.revisions.bundles import provider_bundle, provider_form
from headgate_runtime.vault import VaultCause

from .world import AUTH, World

pytestmark = pytest.mark.asyncio


def pointer(world: World) -> CredentialPointer | None:
    return provider_form(world.provider).workload_identity


async def test_a_provider_becomes_ready_without_any_secret() -> None:
    world = World()
    again = await world.look()
    assert world.condition()[:2] == ("True", "Valid")
    assert world.condition("Ready")[0] == "True"
    known = world.provider.status.workload_identity
    assert known is not None
    assert (known.version, known.grant_id) == (1, world.federation.grant_id)
    assert known.origins == ("https://api.vendor.example",)
    assert pointer(world) == CredentialPointer(path=world.federation.path, version=1)
    assert again is not None
    assert 27 * 60 <= again <= 30 * 60


async def test_a_renewal_is_no_change_of_the_revision_but_a_new_pointer() -> None:
    world = World()
    await world.look()
    before, revision, served = (
        provider_form(world.provider),
        world.provider.status.revision,
        provider_entry(world.provider),
    )
    for _ in range(3):
        world.advance(minutes=31)
        await world.look()
    after = provider_form(world.provider)
    assert (after.revision, world.provider.status.revision) == (before.revision, revision)
    assert after.workload_identity == CredentialPointer(path=world.federation.path, version=4)
    assert form_of(provider_entry(world.provider)) == form_of(served), "nobody waits for proxies to take it up"
    assert world.condition("Ready")[0] == "True"


async def test_a_renewal_makes_the_fleets_publish() -> None:
    world, neighbours = World(), Neighbours()
    await world.look()
    for (kind, _, _), body in list(world.kube.objects.items()):
        if kind in ("LLMProvider", "ProxyFleet"):
            neighbours.seen(body)
    world.advance(minutes=31)
    await world.look()
    touched = neighbours.seen(world.kube.objects["LLMProvider", NS, PROVIDER.name])
    assert any(key.kind == "ProxyFleet" for key in touched)


async def no_pause() -> None:
    pass


async def test_a_vendor_that_is_down_has_half_a_lifetime_to_come_back() -> None:
    world = World()
    await world.look()
    tried = 0

    async def away() -> None:
        nonlocal tried
        tried += 1
        raise NotSent("the vendor cannot be reached")

    world.direct.before = away
    world.advance(minutes=31)
    await world.look()
    status, reason, message = world.condition()
    assert (status, reason) == ("Unknown", "VendorUnavailable")
    assert "tried again at " in message
    assert "The present one serves until 2026-11-01T13:00:00Z" in message
    assert world.condition("Ready")[0] == "True"
    assert pointer(world) is not None
    looks = 0
    while world.condition()[0] != "False":
        again = await world.look()
        assert again is not None
        world.advance(seconds=again)
        looks += 1
        assert looks < 50
    assert world.condition()[:2] == ("False", "VendorUnavailable")
    assert "the token ended at 2026-11-01T13:00:00Z" in world.condition()[2]
    assert tried < 20, "and is not asked all the time meanwhile"
    world.direct.before = no_pause
    world.advance(minutes=6)
    await world.look()
    assert world.condition()[:2] == ("True", "Valid")


async def test_a_denial_is_a_condition_and_an_event_that_name_the_field() -> None:
    world = World()
    world.apply(organizationId="org-9")
    await world.look()
    status, reason, message = world.condition()
    assert (status, reason) == ("False", "FederationRefused")
    assert "spec.auth.workloadIdentity.organizationId: org-9 is not the organization of rule fdrl_1" in message
    assert any(kind == "Warning" and why == "FederationRefused" for kind, why, _ in world.told.events)
    world.apply()
    await world.look()
    assert world.condition()[:2] == ("True", "Valid")


async def test_a_mode_that_fails_is_told_in_an_event_though_another_serves() -> None:
    world = World(modes=("APIKey", "WorkloadIdentity"))
    world.vault.put(
        f"{NS}/llmproviders/claude/api-key", {"value": "not-real-key", "origins": ["https://api.vendor.example"]}
    )
    body = world.kube.objects[PROVIDER.kind, NS, PROVIDER.name]
    body["spec"]["auth"]["apiKey"] = {}
    world.kube.trouble = "forbidden"
    await world.look()
    assert world.condition()[0] == "True"
    assert "WorkloadIdentity mode: the operator may not mint tokens" in world.condition()[2]
    assert any(why == "TokenRequestForbidden" for _, why, _ in world.told.events)


async def test_other_settings_get_a_token_of_their_own_and_the_old_one_is_kept_to_its_end() -> None:
    world = World()
    await world.look()
    old = world.federation
    world.apply(serviceAccountId="svac_9")
    assert pointer(world) is None, "the old token is no token of the new form"
    await world.look()
    assert world.condition()[:2] == ("False", "FederationRefused")
    assert pointer(world) is None
    known = world.provider.status.workload_identity
    assert known is not None
    assert [former.grant_id for former in known.former_grants] == [old.grant_id]
    world.apply()
    assert pointer(world) == CredentialPointer(path=old.path, version=1), "back at once, without an exchange"
    world.apply(serviceAccountId="svac_9")
    world.advance(hours=2)
    await world.look()
    assert world.vault.latest(old.path) is None
    known = world.provider.status.workload_identity
    assert known is not None
    assert known.former_grants == ()


async def test_a_refusal_by_the_upstream_shows_until_there_is_a_newer_token() -> None:
    world = World()
    await world.look()
    said = CredentialObservation(
        path=world.federation.path, version=1, valid=False, reason=SkipReason.REVOKED, at=world.clock.now()
    )
    world.told.verdicts[world.federation.path, 1] = said
    await world.look()
    assert world.condition()[:2] == ("False", "Revoked")
    await world.exchange(refused=1)
    await world.look()
    assert world.condition()[:2] == ("True", "Valid")


async def test_vault_away_leaves_what_is_known_and_says_so() -> None:
    world = World()
    await world.look()
    world.vault.away = VaultCause.SEALED
    world.advance(minutes=31)
    await world.look()
    assert world.condition()[:2] == ("Unknown", "VaultUnavailable")
    assert "Proxies go on with version 1" in world.condition()[2]
    assert pointer(world) is not None
    assert len(world.kube.minted) == 1
    world.vault.away = None
    await world.look()
    assert world.condition()[:2] == ("True", "Valid")


async def test_a_provider_that_goes_takes_its_tokens_along() -> None:
    world = World()
    await world.look()
    path = world.federation.path
    world.kube.mark_deleted(PROVIDER)
    await world.look()
    assert world.kube.find("LLMProvider", PROVIDER.name) is None
    assert path not in world.vault.versions


async def test_without_the_mode_the_tokens_go_and_nothing_is_told_of_them() -> None:
    world = World()
    await world.look()
    path = world.federation.path
    body = world.kube.objects[PROVIDER.kind, NS, PROVIDER.name]
    spec = body["spec"] | {"auth": {"modes": ["Subscription"]}}
    world.kube.put(body | {"spec": spec})
    world.advance(hours=2)
    await world._reconcile()
    assert path not in world.vault.versions
    assert world.provider.status.workload_identity is None


async def test_a_record_that_is_none_is_said_not_overwritten() -> None:
    world = World()
    world.vault.put(world.federation.path, {"note": "by hand"})
    await world.look()
    assert world.condition()[:2] == ("False", "RecordInvalid")
    assert len(world.vault.versions[world.federation.path]) == 1
    del world.vault.versions[world.federation.path]
    await world.look()
    assert world.condition()[0] == "True"


def guarded(rule: str, **known: object) -> LLMProvider:
    body = things.provider().model_dump(mode="json", by_alias=True)
    auth = {"modes": ["WorkloadIdentity"], "workloadIdentity": AUTH | {"federationRuleId": rule}}
    status = {"observedGeneration": 1, "conditions": [], "workloadIdentity": known} if known else {"conditions": []}
    return LLMProvider.from_wire(body | {"spec": body["spec"] | {"auth": auth}, "status": status})


async def test_in_a_rollout_of_the_settings_each_form_has_its_own_token_renewed() -> None:
    old, new = guarded("fdrl_1"), guarded("fdrl_2")
    grants = []
    for item in (old, new):
        found = federation_of(NS, "claude", item.spec)
        assert found is not None
        grants.append(found.grant_id)
    live = guarded(
        "fdrl_2", version=3, grantId=grants[1], formerGrants=[{"grantId": grants[0], "version": 7}], origins=[]
    )
    candidate = things.kept(live, number=0)
    policy = things.policy(status=things.rollout(candidate.revision))
    guard = things.world(live, things.kept(old), candidate, policies=(policy,)).of_provider(live, [])
    assert [f.grant_id for f in wanted_tokens(live, guard)] == [grants[1], grants[0]]
    entry = provider_entry(live, guard)
    assert entry.stable is not None
    assert entry.candidate is not None
    assert entry.stable.workload_identity == CredentialPointer(path=federated_path(NS, "claude", grants[0]), version=7)
    assert entry.candidate.workload_identity == CredentialPointer(
        path=federated_path(NS, "claude", grants[1]), version=3
    )
    assert provider_bundle(live, []).provider.workload_identity is None
