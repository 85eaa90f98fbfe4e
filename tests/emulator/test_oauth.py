"""The emulated vendor's sign-in keeps the standards' promises, and is strict where real vendors are."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from headgate_api.clock import ManualClock
from headgate_dev.emulator import Emulator, Fault, FaultKind, Plan, TokenState, Window
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, Consent, Dialect, OAuthServer, WithOAuth, refreshes_at_once
from headgate_dev.emulator.oauth.codes import s256
from headgate_dev.emulator.oauth.identity import account_of
from headgate_dev.emulator.oauth.server import DEVICE_GRANT

CLIENT = "emulated-client"
START = datetime(2026, 11, 1, tzinfo=UTC)


class Site:
    """One emulator with sign-in, and a browser-less person."""

    def __init__(self, oauth: OAuthServer, emulator: Emulator, http: aiohttp.ClientSession, clock: ManualClock) -> None:
        self.oauth, self.emulator, self.http, self.clock = oauth, emulator, http, clock
        self.verifier = secrets.token_urlsafe(32)

    async def authorize(self, **changes: str | None) -> dict[str, str]:
        query = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": f"{self.emulator.url}/oauth/code/callback",
            "scope": "inference",
            "state": "some-state",
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
        } | changes
        given = {key: value for key, value in query.items() if value is not None}
        async with self.http.get("/oauth/authorize", params=given, allow_redirects=False) as answer:
            if answer.status != 302:
                return await answer.json()  # type: ignore[no-any-return]
            return {key: value[0] for key, value in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def token(self, **given: str) -> tuple[int, dict[str, Any]]:
        body = {"client_id": CLIENT} | given
        sent = {"data": body} if self.oauth.encoding == "Form" else {"json": body}
        async with self.http.post("/oauth/token", **sent) as answer:  # type: ignore[arg-type]
            return answer.status, await answer.json()

    async def redeem(self, code: str, **changes: str) -> tuple[int, dict[str, Any]]:
        given = {
            "code": code,
            "redirect_uri": f"{self.emulator.url}/oauth/code/callback",
            "code_verifier": self.verifier,
        }
        return await self.token(grant_type="authorization_code", **given | changes)

    async def sign_in(self) -> dict[str, Any]:
        status, granted = await self.redeem((await self.authorize())["code"])
        assert status == 200
        return granted

    async def refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        return await self.token(grant_type="refresh_token", refresh_token=token)


@pytest.fixture
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    clock = ManualClock(START)
    oauth = OAuthServer(Client(CLIENT), Client("confidential", "emulated-secret"), **getattr(request, "param", {}))
    async with (
        Emulator(vendor=WithOAuth(Anthropic(), oauth), clock=clock) as emulator,
        aiohttp.ClientSession(emulator.url) as http,
    ):
        oauth.clients[CLIENT] = Client(CLIENT, redirect_uris=(f"{emulator.url}/oauth/code/callback",))
        yield Site(oauth, emulator, http, clock)


async def test_a_person_signs_in_and_the_vendors_api_takes_the_token_until_it_expires(site: Site) -> None:
    granted = await site.sign_in()
    headers = {
        "authorization": f"Bearer {granted['access_token']}",
        "anthropic-beta": "oauth-2025-04-20",
        "anthropic-version": "2023-06-01",
    }
    async with site.http.get("/v1/models", headers=headers) as answer:
        assert answer.status == 200
    site.clock.advance(granted["expires_in"])
    async with site.http.get("/v1/models", headers=headers) as answer:
        assert answer.status == 401
        assert "expired" in await answer.text()


async def test_the_page_shows_the_code_to_paste_and_escapes_it(site: Site) -> None:
    async with site.http.get("/oauth/code/callback", params={"code": "a<b>", "state": "s"}) as answer:
        assert "a&lt;b&gt;#s" in await answer.text()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "unknown"}, "invalid_client"),
        ({"redirect_uri": "https://elsewhere.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
    ],
)
async def test_a_bad_authorization_request_stays_on_the_page(
    site: Site, changes: dict[str, str | None], error: str
) -> None:
    assert (await site.authorize(**changes))["error"] == error


async def test_a_person_may_decline(site: Site) -> None:
    site.oauth.consent = Consent.DENY
    assert await site.authorize() == {"error": "access_denied", "state": "some-state"}


@pytest.mark.parametrize(
    "changes", [{"code_verifier": "x" * 43}, {"code_verifier": ""}, {"redirect_uri": "https://elsewhere.example/"}]
)
async def test_a_code_is_redeemed_only_by_who_asked_for_it_and_once(site: Site, changes: dict[str, str]) -> None:
    code = (await site.authorize())["code"]
    assert (await site.redeem(code, **changes))[1]["error"] == "invalid_grant"
    assert (await site.redeem(code))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("site", [{"encoding": "JSON", "state_needed": True}], indirect=True)
async def test_a_vendor_may_want_json_and_the_state(site: Site) -> None:
    assert (await site.redeem((await site.authorize())["code"]))[1]["error"] == "invalid_request"
    status, granted = await site.redeem((await site.authorize())["code"], state="some-state")
    assert status == 200
    async with site.http.post("/oauth/token", data={"grant_type": "refresh_token"}) as answer:
        assert answer.status == 400
    assert (await site.refresh(granted["refresh_token"]))[0] == 200


async def test_refresh_tokens_rotate_and_reuse_ends_the_grant(site: Site) -> None:
    first = await site.sign_in()
    _, second = await site.refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert await site.refresh(first["refresh_token"]) == (
        400,
        {"error": "invalid_grant", "error_description": "Refresh token was already used"},
    )
    assert (await site.refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert site.emulator.oauth_tokens[second["access_token"]] is TokenState.REVOKED


@pytest.mark.parametrize("site", [{"dialect": Dialect.OPENAI}], indirect=True)
async def test_openai_has_words_of_its_own(site: Site) -> None:
    first = await site.sign_in()
    await site.refresh(first["refresh_token"])
    status, refused = await site.refresh(first["refresh_token"])
    assert (status, refused["error"]["code"]) == (401, "refresh_token_reused")
    again = await site.sign_in()
    site.oauth.grants.grants[-1].expired = True
    assert (await site.refresh(again["refresh_token"]))[1]["error"]["code"] == "refresh_token_expired"
    assert (await site.refresh("unknown"))[1]["error"]["code"] == "refresh_token_invalidated"


@pytest.mark.parametrize("site", [{"dialect": Dialect.OPENAI}], indirect=True)
async def test_openais_tokens_name_the_account(site: Site) -> None:
    first = await site.sign_in()
    _, second = await site.refresh(first["refresh_token"])
    tokens = [first["id_token"], first["access_token"], second["id_token"], second["access_token"]]
    assert {account_of(token) for token in tokens} == {"emulated-account-1"}
    assert len(set(tokens)) == 4
    assert account_of((await site.sign_in())["id_token"]) == "emulated-account-2"


@pytest.mark.parametrize("site", [{"dialect": Dialect.OPENAI}], indirect=True)
async def test_openais_device_flow_ends_in_a_code(site: Site) -> None:
    async with site.http.post("/api/accounts/deviceauth/usercode", json={"client_id": CLIENT}) as answer:
        device = await answer.json()

    async def poll() -> tuple[int, dict[str, Any]]:
        given = {name: device[name] for name in ("device_auth_id", "user_code")}
        async with site.http.post("/api/accounts/deviceauth/token", json=given) as answer:
            return answer.status, await answer.json()

    assert int(device["interval"]) > 0
    assert (await poll())[0] == 403
    await (
        await site.http.get("/codex/device", params={"user_code": device["user_code"], "decision": "allowed"})
    ).read()
    status, given = await poll()
    assert status == 200
    redirect = f"{site.emulator.url}/deviceauth/callback"
    code, verifier = given["authorization_code"], given["code_verifier"]
    assert (await site.redeem(code, redirect_uri=redirect, code_verifier=verifier))[0] == 200
    assert (await poll())[0] == 404


@pytest.mark.parametrize("site", [{"dialect": Dialect.GOOGLE}], indirect=True)
async def test_google_says_who_signed_in_to_who_asked_for_openid(site: Site) -> None:
    assert "id_token" not in await site.sign_in()
    code = (await site.authorize(scope="openid email"))["code"]
    assert (await site.redeem(code))[1]["id_token"].count(".") == 2


async def test_what_a_plan_has_used_stays_with_the_account_over_a_refresh(site: Site) -> None:
    first = await site.sign_in()
    plan = Plan(five_hours=Window(used_percent=91))
    site.emulator.credentials.plans[first["access_token"]] = plan
    _, second = await site.refresh(first["refresh_token"])
    assert site.emulator.credentials.plan(second["access_token"]) == plan


@pytest.mark.parametrize("site", [{"dialect": Dialect.GOOGLE}], indirect=True)
async def test_google_keeps_the_refresh_token(site: Site) -> None:
    first = await site.sign_in()
    for _ in range(2):
        status, again = await site.refresh(first["refresh_token"])
        assert status == 200
        assert "refresh_token" not in again


async def test_a_device_waits_for_its_person(site: Site) -> None:
    async with site.http.post("/oauth/device/code", data={"client_id": CLIENT, "scope": "s"}) as answer:
        device = await answer.json()

    async def poll() -> str:
        status, found = await site.token(grant_type=DEVICE_GRANT, device_code=device["device_code"])
        return "granted" if status == 200 else str(found["error"])

    assert await poll() == "authorization_pending"
    assert await poll() == "slow_down"
    site.clock.advance(device["interval"] + 5)
    await (
        await site.http.get("/oauth/device", params={"user_code": device["user_code"], "decision": "allowed"})
    ).read()
    assert await poll() == "granted"
    site.clock.advance(60)
    assert await poll() == "invalid_grant"


@pytest.mark.parametrize(("after", "decision", "error"), [(10, "denied", "access_denied"), (900, "", "expired_token")])
async def test_a_device_may_be_declined_or_forgotten(site: Site, after: float, decision: str, error: str) -> None:
    async with site.http.post("/oauth/device/code", data={"client_id": CLIENT}) as answer:
        device = await answer.json()
    if decision:
        site.oauth.codes.decide(device["user_code"], "denied")
    site.clock.advance(after)
    status, refused = await site.token(grant_type=DEVICE_GRANT, device_code=device["device_code"])
    assert (status, refused["error"]) == (400, error)


async def test_revoking_ends_the_grant_and_an_unknown_token_is_no_error(site: Site) -> None:
    granted = await site.sign_in()
    for token in ("unknown", granted["refresh_token"]):
        async with site.http.post("/oauth/revoke", data={"client_id": CLIENT, "token": token}) as answer:
            assert answer.status == 200
    assert (await site.refresh(granted["refresh_token"]))[1]["error"] == "invalid_grant"
    assert site.emulator.oauth_tokens[granted["access_token"]] is TokenState.REVOKED


async def test_a_confidential_client_proves_itself_in_the_body_or_by_basic(site: Site) -> None:
    for secret, status in (("emulated-secret", 200), ("wrong", 401)):
        given = {"client_id": "confidential", "client_secret": secret, "scope": "s"}
        async with site.http.post("/oauth/device/code", data=given) as answer:
            assert answer.status == status
        basic = {"authorization": aiohttp.encode_basic_auth("confidential", secret)}
        async with site.http.post("/oauth/device/code", data={"scope": "s"}, headers=basic) as answer:
            assert answer.status == status


async def test_faults_answer_in_the_token_endpoints_words_or_lose_an_answer_that_was_given(site: Site) -> None:
    token = (await site.sign_in())["refresh_token"]
    site.emulator.add_fault(Fault(kind=FaultKind.RATE_LIMITED, path="/oauth/token", seconds=7))
    async with site.http.post("/oauth/token", data={}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    site.emulator.add_fault(Fault(kind=FaultKind.OAUTH_ERROR, path="/oauth/token", message="unauthorized_client"))
    assert (await site.refresh(token))[1]["error"] == "unauthorized_client"
    site.emulator.add_fault(Fault(kind=FaultKind.CUT_BEFORE_HEADERS, path="/oauth/token"))
    with pytest.raises(aiohttp.ClientError):
        await site.refresh(token)
    assert (await site.refresh(token))[1]["error_description"] == "Refresh token was already used"


async def test_the_journal_proves_what_was_in_flight_at_once(site: Site) -> None:
    one, two = await site.sign_in(), await site.sign_in()
    await site.refresh(one["refresh_token"])
    assert refreshes_at_once(site.oauth.calls, site.emulator.requests) == 1
    hold = site.emulator.add_fault(Fault(kind=FaultKind.HOLD, times=3, path="/oauth/token"))
    async with asyncio.TaskGroup() as group:
        for token in (two["refresh_token"], two["refresh_token"], one["refresh_token"]):
            group.create_task(site.refresh(token))
        await site.emulator.wait_held(hold, 3)
        site.emulator.release(hold)
    assert refreshes_at_once(site.oauth.calls, site.emulator.requests) == 2
    assert json.dumps([call.grant_type for call in site.oauth.calls]).count("refresh_token") == 4


async def test_tokens_live_as_long_as_the_test_says(site: Site) -> None:
    site.oauth.grants.lifetime = timedelta(minutes=5)
    assert (await site.sign_in())["expires_in"] == 300


async def test_other_processes_decide_for_people_and_read_what_was_asked(site: Site) -> None:
    granted = await site.sign_in()
    await site.refresh(granted["refresh_token"])
    async with site.http.get("/_emulator/oauth") as answer:
        shown = await answer.json()
    assert [call["grant_type"] for call in shown["calls"]] == ["authorization_code", "refresh_token"]
    assert shown["refreshes_at_once"] == 1
    assert [(grant["grant"], grant["revoked"]) for grant in shown["grants"]] == [(1, False)]
    assert shown["grants"][0]["access_token"] in site.emulator.oauth_tokens
    change = {"consent": "Deny", "lifetime_seconds": 60, "revoke": [1]}
    async with site.http.post("/_emulator/oauth", json=change) as answer:
        assert answer.status == 204
    assert (await site.authorize())["error"] == "access_denied"
    assert site.oauth.grants.lifetime == timedelta(minutes=1)
    assert set(site.emulator.oauth_tokens.values()) == {TokenState.REVOKED}
    for bad, status in (({"consent": "Perhaps"}, 400), ({"revoke": [9]}, 404), ({"allow_devices": ["x"]}, 404)):
        async with site.http.post("/_emulator/oauth", json=bad) as answer:
            assert answer.status == status
