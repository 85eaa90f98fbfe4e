"""Sign-in by a pasted code, as the command line sees it: who may, what comes of it, and what each mistake is answered with."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.operator.credentials.objects import START

from headgate_api.vault import access_path, sign_in_path
from headgate_dev.emulator.oauth import Consent, Dialect
from headgate_runtime.vault import VaultCause

from .world import PASTE, SignInWorld, registered, replica


async def _signed_in(world: SignInWorld) -> None:
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        status, state = await broker.bring(key, world.code(state["authorizationUrl"]))
        assert (status, state["state"]) == (200, "Completed"), state


async def test_a_person_signs_in_by_pasting_the_code_and_the_account_works() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        status, state = await broker.begin(key)
        assert status == 200
        assert (state["state"], state["method"], state["beganBy"]) == ("Pending", "Paste", "ada")
        assert state["redirectURI"] == PASTE
        assert state["expiresAt"] == "2026-11-01T12:10:00Z"
        status, state = await broker.bring(key, world.code(state["authorizationUrl"]))
        assert (status, state["state"]) == (200, "Completed")
        assert (await broker.tell(key))[1] == state

    grant = await world.grant()
    assert grant is not None and grant.grant_id == state["grantId"]
    assert (grant.origins, grant.token_origins) == (("https://api.vendor.example",), (world.url,))
    assert grant.scopes == ("inference",)
    assert grant.expires_at == START + timedelta(hours=8)
    assert (await world.told_of())[:2] == ("True", "Scheduled")
    assert (await world.told_of("CredentialValid"))[0] == "True"
    assert await world.works()
    status = world.kube.objects[world.key.kind, "team", "ada"]["status"]
    assert status["signIn"] == {"by": "ada", "at": "2026-11-01T12:00:00Z", "grantId": grant.grant_id}
    assert [event for event in world.told.events if event[1] == "SignedIn"] == [
        ("Normal", "SignedIn", f"ada signed in; grant {grant.grant_id} is in Vault")
    ]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("encoding", ["Form", "JSON"])
async def test_every_kind_of_vendor_takes_the_code(dialect: Dialect, encoding: str) -> None:
    world = SignInWorld(
        oauth=registered(dialect=dialect, encoding=encoding, state_needed=True),
        extra={"tokenEncoding": encoding, "sendState": True},
    )
    await _signed_in(world)
    grant = await world.grant()
    assert grant is not None and grant.refresh_token is not None
    assert grant.account_id == ("emulated-account-1" if dialect is Dialect.OPENAI else None)


async def test_the_whole_address_may_be_pasted_too() -> None:
    world = SignInWorld(redirect=PASTE)
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        _, state = await broker.bring(key, world.visit(state["authorizationUrl"]))
        assert state["state"] == "Completed"


async def test_signing_in_comes_before_acknowledging_and_says_that_nothing_uses_it_yet() -> None:
    world = SignInWorld(spec={"acknowledgement": None})
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        _, state = await broker.bring(key, world.code(state["authorizationUrl"]))
    assert "nothing uses it before spec.acknowledgement" in state["message"]
    assert (await world.told_of("Ready"))[:2] == ("False", "NotAcknowledged")


async def test_a_sign_in_ends_what_only_a_sign_in_can_end() -> None:
    world = SignInWorld()
    await world.sign_in()
    world.server.grants.grants[0].revoked = True
    world.advance(hours=6)
    await world.operator().refresh(world.key)
    assert (await world.told_of())[1] == "ReauthenticationRequired"
    await _signed_in(world)
    assert (await world.told_of())[:2] == ("True", "Scheduled")
    assert await world.works()


@pytest.mark.parametrize(
    ("key", "status", "reason"),
    [
        (None, 401, "Unauthenticated"),
        ("short", 401, "Unauthenticated"),
        ("x" * 300, 401, "Unauthenticated"),
        ("somebody-elses-key-that-is-long-enough", 403, "Forbidden"),
    ],
)
async def test_who_has_no_key_gets_nowhere(key: str | None, status: int, reason: str) -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        mine = world.new_key()
        assert (await broker.begin(mine))[0] == 200
        for answer in (
            await broker.begin(key),
            await broker.tell(key),
            await broker.bring(key, "c#s"),
            await broker.call("DELETE", key),
        ):
            assert (answer[0], answer[1]["error"]["reason"]) == (status, reason)
        assert (await broker.tell(mine))[1]["state"] == "Pending"


async def test_no_key_learns_which_accounts_there_are() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        world.new_key()
        answers = [await broker.begin("x" * 40, name=name) for name in ("ada", "eve", "EVE")]
    assert {status for status, _ in answers} <= {403, 404}
    assert answers[0][1]["error"]["message"].replace("ada", "eve") == answers[1][1]["error"]["message"]


async def test_a_later_sign_in_replaces_an_earlier_one() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        first = world.new_key()
        _, state = await broker.begin(first)
        code = world.code(state["authorizationUrl"])
        second = world.new_key("bob")
        assert (await broker.bring(first, code))[0] == 403
        assert (await broker.begin(second))[1]["beganBy"] == "bob"
    assert await world.grant() is None


async def test_an_annotation_without_its_user_is_nobodys() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        world.annotate(sign_in_by=None)
        assert (await broker.begin(key))[0] == 403


async def test_a_code_is_good_once_and_a_key_for_one_sign_in() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        code = world.code(state["authorizationUrl"])
        await broker.bring(key, code)
        status, answer = await broker.bring(key, code)
        assert (status, answer["error"]["reason"]) == (409, "Over")
        status, answer = await broker.begin(key)
        assert (status, answer["error"]["reason"]) == (409, "KeyUsed")
    assert len(world.server.calls) == 1


async def test_of_many_who_bring_a_code_to_two_replicas_one_redeems_it() -> None:
    world = SignInWorld()
    async with replica(world) as one, replica(world) as two:
        key = world.new_key()
        _, state = await one.begin(key)
        code = world.code(state["authorizationUrl"])
        answers = await asyncio.gather(*(broker.bring(key, code) for broker in (one, two) * 4))
        assert [a[1]["state"] for a in answers if a[0] == 200] == ["Completed"]
        assert {a[0] for a in answers} == {200, 409}
        assert (await two.tell(key))[1]["state"] == "Completed"
    assert len(world.server.calls) == 1
    await world.condition()
    assert await world.works()


async def test_any_replica_goes_on_with_what_another_began() -> None:
    world = SignInWorld()
    async with replica(world) as one:
        key = world.new_key()
        _, state = await one.begin(key)
    async with replica(world) as two:
        assert (await two.tell(key))[1]["authorizationUrl"] == state["authorizationUrl"]
        _, state = await two.bring(key, world.code(state["authorizationUrl"]))
        assert state["state"] == "Completed"


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("nonsense", "after # is missing"),
        ("code#wrong-state", "belongs to another sign-in"),
        ("https://console.vendor.example/oauth/code/callback?error=access_denied&state=x", "declined"),
        ("#", "code#state"),
        ("x" * 4000, "is missing"),
    ],
)
async def test_what_is_no_code_of_this_sign_in_is_said_so_and_costs_nothing(pasted: str, says: str) -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        status, answer = await broker.bring(key, pasted)
        assert (status, answer["error"]["reason"]) == (400, "BadCode")
        assert says in answer["error"]["message"]
        assert pasted not in answer["error"]["message"] or len(pasted) < 3
        assert (await broker.bring(key, world.code(state["authorizationUrl"])))[1]["state"] == "Completed"


async def test_a_code_that_comes_too_late_is_not_redeemed() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        code = world.code(state["authorizationUrl"])
        world.advance(minutes=10)
        assert (await broker.tell(key))[1]["state"] == "Expired"
        status, answer = await broker.bring(key, code)
        assert (status, answer["error"]["reason"]) == (410, "Expired")
    assert world.server.calls == []


async def test_a_code_that_the_vendor_refuses_ends_the_sign_in_with_its_mend() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        pasted = world.code(state["authorizationUrl"])
        status, state = await broker.bring(key, "not-a-real-code" + pasted[pasted.index("#") :])
        assert (status, state["state"]) == (200, "Failed")
        assert "begin the sign-in again" in state["message"]
        assert (await broker.tell(key))[1]["state"] == "Failed"


async def test_the_person_declines() -> None:
    world = SignInWorld()
    world.server.consent = Consent.DENY
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        status, answer = await broker.bring(key, world.visit(state["authorizationUrl"]))
        assert status == 400 and "declined" in answer["error"]["message"]


async def test_whoever_gives_up_cannot_go_on() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        assert (await broker.call("DELETE", key))[0] == 204
        assert (await broker.tell(key))[0] == 404
        assert (await broker.bring(key, world.code(state["authorizationUrl"])))[0] == 404


@pytest.mark.parametrize(
    ("spec", "reason", "says"),
    [
        ({"oauth": None}, "NoOAuthProfile", "add the vendor's profile"),
        (
            {"oauth": {"tokenEndpoint": "https://v.example/t", "clientId": "c"}},
            "MethodNotOffered",
            "authorizationEndpoint",
        ),
        ({"providerRef": {"name": "gone"}}, "ProviderNotFound", "LLMProvider team/gone does not exist"),
    ],
)
async def test_an_account_that_cannot_be_signed_in_says_what_is_missing(
    spec: dict[str, object], reason: str, says: str
) -> None:
    world = SignInWorld(spec={})
    world.put_account(**spec)
    async with replica(world) as broker:
        status, answer = await broker.begin(world.new_key())
        assert (status, answer["error"]["reason"]) == (409, reason)
        assert says in answer["error"]["message"]


async def test_a_profile_that_changes_under_a_sign_in_gets_no_code() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        code = world.code(state["authorizationUrl"])
        annotations = world.kube.objects[world.key.kind, "team", "ada"]["metadata"]["annotations"]
        world.extra = {"tokenEndpoint": "https://evil.example/token"}
        world.put_account()
        world.annotate(sign_in=annotations["headgate.dev/sign-in"], sign_in_by="ada")
        _, state = await broker.bring(key, code)
        assert state["state"] == "Failed" and "spec.oauth was changed" in state["message"]
    assert world.direct.asked == 0


async def test_the_grant_goes_only_where_the_provider_said_when_it_began() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        body = world.kube.objects["LLMProvider", "team", "claude"]
        body["spec"]["endpoint"] = "https://evil.example"
        await broker.bring(key, world.code(state["authorizationUrl"]))
    grant = await world.grant()
    assert grant is not None and grant.origins == ("https://api.vendor.example",)
    assert (await world.told_of("CredentialValid"))[:2] == ("False", "OriginNotBound")


async def test_plans_that_are_served_elsewhere_are_bound_there() -> None:
    world = SignInWorld()
    body = world.kube.objects["LLMProvider", "team", "claude"]
    body["spec"]["auth"]["subscription"] = {"endpoint": "https://plans.vendor.example/backend"}
    await _signed_in(world)
    grant = await world.grant()
    assert grant is not None and grant.origins == ("https://plans.vendor.example",)


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"code": 1}', b'{"code": ""}', b"\xff\xfe", b"[" * 12000, b'{"code": "x#\\ud800"}']
)
async def test_bodies_that_are_none_are_answered(body: bytes) -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        await broker.begin(key)
        status, answer = await broker.call("POST", key, body, path="/v1/accounts/{namespace}/{name}/sign-in/code")
        assert (status, answer["error"]["reason"]) == (400, "Invalid")


async def test_huge_bodies_are_refused() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        for path in ("/v1/accounts/{namespace}/{name}/sign-in", "/v1/accounts/{namespace}/{name}/sign-in/code"):
            status, answer = await broker.call("POST", key, b"x" * 100_000, path=path)
            assert (status, answer["error"]["reason"]) == (413, "TooLarge")


async def test_a_vault_that_is_away_is_said_so_and_nothing_is_asked() -> None:
    world = SignInWorld()
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        code = world.code(state["authorizationUrl"])
        world.memory.away = VaultCause.SEALED
        for answer in (await broker.tell(key), await broker.bring(key, code)):
            assert (answer[0], answer[1]["error"]["reason"]) == (503, "VaultUnavailable")
        world.memory.away = None
        assert (await broker.bring(key, code))[1]["state"] == "Completed"


async def test_tokens_wait_in_memory_while_vault_is_away() -> None:
    world = SignInWorld()

    away = asyncio.Event()

    async def goes_away() -> None:
        world.memory.away = VaultCause.UNREACHABLE
        away.set()

    world.direct.after = goes_away
    async with replica(world) as broker, asyncio.TaskGroup() as group:
        key = world.new_key()
        _, state = await broker.begin(key)
        bringing = group.create_task(broker.bring(key, world.code(state["authorizationUrl"])))
        await away.wait()
        assert await world.grant() is None
        assert not bringing.done()
        world.memory.away = None
        assert (await bringing)[1]["state"] == "Completed"
    assert await world.grant() is not None


async def test_no_secret_is_said_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    world = SignInWorld(device=True)
    async with replica(world) as broker:
        key = world.new_key()
        _, state = await broker.begin(key)
        code = world.code(state["authorizationUrl"])
        flow = world.memory.latest(
            sign_in_path(
                world.kube.objects[world.key.kind, "team", "ada"]["metadata"]["annotations"]["headgate.dev/sign-in"]
            )
        )
        assert flow is not None
        _, state = await broker.bring(key, code)
        later = await broker.tell(key)
    grant = await world.grant()
    assert grant is not None and grant.refresh_token is not None
    planted = (
        key.reveal(),
        code.partition("#")[0],
        flow["state"],
        flow["verifier"],
        grant.access_token.reveal(),
        grant.refresh_token.reveal(),
    )
    said = repr((state, later, world.told.events, world.kube.objects)) + caplog.text
    for secret in planted:
        assert secret not in said
        assert secret not in world.redactor.redact(f"by accident: {secret}")
    assert access_path("team", "ada") not in world.memory.versions or "emulated" in repr(
        world.memory.latest(access_path("team", "ada"))
    )


async def test_a_flood_of_strangers_meets_busy_and_nobody_is_held_up_for_long() -> None:
    world = SignInWorld()
    slow = asyncio.Event()
    get = world.kube.get

    async def waiting(*arguments: Any) -> Any:
        await slow.wait()
        return await get(*arguments)

    world.kube.get = waiting  # type: ignore[method-assign,assignment]
    async with replica(world) as broker, asyncio.TaskGroup() as group:
        asked = [group.create_task(broker.tell("x" * 40)) for _ in range(100)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result()[1]["error"]["reason"] for task in done} == {"Busy"}
        slow.set()
        answers = [answer for answer, _ in await asyncio.gather(*asked)]
        assert set(answers) == {503, 403}
        assert (await broker.begin(world.new_key()))[0] == 200
