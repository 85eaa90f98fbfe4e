"""Workload identity federation: assertions are verified for real, and a denial says what is wrong or, if so asked, nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import anthropic
import jwt
import pytest
from anthropic.lib.credentials import WorkloadIdentityCredentials, WorkloadIdentityError
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from headgate_api.clock import ManualClock, SystemClock
from headgate_dev.emulator import Emulator, EmulatorThread, Fault, FaultKind, TokenState
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, Federation, FederationRule, JwksUrl, OAuthServer, WithOAuth

START = datetime(2026, 11, 1, tzinfo=UTC)
ISSUER = "https://kubernetes.default.svc"
SUBJECT = "system:serviceaccount:team-a:worker"
RULE = FederationRule("fdrl_1", "org-1", "svac_1", ISSUER, "https://api.anthropic.com", SUBJECT)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BETA = {"anthropic-beta": "oauth-2025-04-20,oidc-federation-2026-04-01"}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASKED = {
    "grant_type": JWT_BEARER,
    "federation_rule_id": "fdrl_1",
    "organization_id": "org-1",
    "service_account_id": "svac_1",
}


def jwks(key: rsa.RSAPrivateKey = KEY, kid: str = "key-1") -> dict[str, Any]:
    return {
        "keys": [{**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "RS256"}]
    }


def assertion(now: datetime, *, key: Any = KEY, kid: str | None = "key-1", alg: str = "RS256", **changes: Any) -> str:
    epoch = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": ["https://api.anthropic.com"],
        "iat": epoch,
        "nbf": epoch,
        "exp": epoch + 600,
        "jti": f"jti-{changes.pop('serial', 1)}",
    } | changes
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key, algorithm=alg, headers={"kid": kid} if kid else {})


class Site:
    def __init__(
        self, federation: Federation, emulator: Emulator, http: aiohttp.ClientSession, clock: ManualClock
    ) -> None:
        self.federation, self.emulator, self.http, self.clock = federation, emulator, http, clock

    async def exchange(self, token: str | None = None, **changes: str | None) -> tuple[int, dict[str, Any]]:
        given = ASKED | {"assertion": token or assertion(self.clock.now())} | changes
        body = {name: value for name, value in given.items() if value is not None}
        async with self.http.post("/v1/oauth/token", json=body, headers=BETA) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    clock = ManualClock(START)
    federation = Federation(RULE, issuers={ISSUER: jwks()})
    async with (
        Emulator(vendor=WithOAuth(Anthropic(), OAuthServer(), federation), clock=clock) as emulator,
        aiohttp.ClientSession(emulator.url) as http,
    ):
        yield Site(federation, emulator, http, clock)


async def test_the_token_is_taken_by_the_api_until_it_expires(site: Site) -> None:
    status, granted = await site.exchange()
    assert status == 200
    assert set(granted) == {"access_token", "token_type", "expires_in", "scope"}
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
    assert site.emulator.oauth_tokens[granted["access_token"]] is TokenState.EXPIRED


@pytest.mark.parametrize(
    ("left", "lifetime", "expected"), [(600, 3600, 1200), (3600, 3600, 3600), (600, 90, 90), (5, 3600, 60)]
)
async def test_a_token_lives_as_long_as_the_rule_and_its_assertion_let_it(
    site: Site, left: int, lifetime: int, expected: int
) -> None:
    site.federation.lifetime = timedelta(seconds=lifetime)
    token = assertion(START, exp=int(START.timestamp()) + left)
    assert (await site.exchange(token))[1]["expires_in"] == expected


@pytest.mark.parametrize(
    ("claims", "asked", "reason", "says"),
    [
        ({}, {"federation_rule_id": "fdrl_9"}, "unknown_rule", "fdrl_9"),
        ({}, {"organization_id": "org-9"}, "organization_mismatch", "organization_id"),
        ({}, {"service_account_id": "svac_9"}, "service_account_mismatch", "service_account_id"),
        ({}, {"workspace_id": "wrkspc_9"}, "workspace_mismatch", "workspace_id"),
        ({"sub": "system:serviceaccount:team-b:worker"}, {}, "match_subject_prefix", "subject"),
        ({"aud": "elsewhere"}, {}, "match_audience", "audience"),
        ({"iss": "https://elsewhere.example"}, {}, "issuer_mismatch", "issuer"),
        ({"exp": int(START.timestamp()) - 31, "iat": int(START.timestamp()) - 600}, {}, "assertion_expired", "expired"),
        ({"iat": int(START.timestamp()) + 60}, {}, "assertion_not_yet_valid", "not valid yet"),
        ({"exp": int(START.timestamp()) + 3601}, {}, "assertion_too_long", "longer"),
        ({"exp": None}, {}, "assertion_malformed", "exp"),
        ({"sub": None}, {}, "assertion_malformed", "sub"),
        ({"kid": None}, {}, "signature", "JWKS"),
        ({"kid": "key-9"}, {}, "signature", "JWKS"),
        ({"alg": "HS256", "key": "k" * 32}, {}, "signature", "HS256"),
        ({"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}, {}, "signature", "signature"),
        ({"alg": "ES256", "key": ec.generate_private_key(ec.SECP256R1())}, {}, "signature", "signature"),
        ({"padding": "x" * 20_000}, {}, "assertion_too_large", "16 KiB"),
    ],
)
async def test_a_denial_names_what_is_wrong(
    site: Site, claims: dict[str, Any], asked: dict[str, str], reason: str, says: str
) -> None:
    status, denied = await site.exchange(assertion(START, **claims), **asked)
    assert (status, denied["error"]) == (400, "invalid_grant")
    assert says in denied["error_description"]
    assert site.federation.attempts[-1].denied == reason
    assert not site.emulator.oauth_tokens
    assert (await site.exchange())[0] == 200


@pytest.mark.parametrize("jti", ["jti-1", None])
async def test_an_assertion_is_exchanged_once(site: Site, jti: str | None) -> None:
    token = assertion(START, jti=jti)
    assert (await site.exchange(token))[0] == 200
    status, denied = await site.exchange(token)
    assert (status, denied["error"]) == (400, "invalid_grant")
    assert "reused" in denied["error_description"]
    assert (await site.exchange(assertion(START, serial=2)))[0] == 200
    assert [attempt.denied for attempt in site.federation.attempts] == [None, "jti_reused", None]


@pytest.mark.parametrize(
    "asked",
    [
        {"federation_rule_id": "rule"},
        {"organization_id": None},
        {"service_account_id": None},
        {"assertion": ""},
        {"workspace_id": "mine"},
    ],
)
async def test_a_malformed_request_is_said_to_be_one(site: Site, asked: dict[str, str | None]) -> None:
    status, denied = await site.exchange(**asked)
    assert (status, denied["error"]) == (400, "invalid_request")
    assert next(iter(asked)) in denied["error_description"]
    site.federation.denials = "Opaque"
    status, denied = await site.exchange(**asked)
    assert (status, denied["error"]["type"]) == (400, "invalid_request_error")


async def test_a_rule_of_several_workspaces_wants_one_named(site: Site) -> None:
    site.federation.rules["fdrl_1"] = FederationRule(
        "fdrl_1", "org-1", "svac_1", ISSUER, RULE.audience, "system:serviceaccount:team-a:*", ("wrkspc_a", "wrkspc_b")
    )
    assert "workspace_id is required" in (await site.exchange())[1]["error_description"]
    assert (await site.exchange(workspace_id="wrkspc_b"))[0] == 200


async def test_the_beta_routes_the_grant_and_no_other(site: Site) -> None:
    for body, headers in (
        (ASKED | {"assertion": assertion(START)}, {}),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "y"}, BETA),
    ):
        async with site.http.post("/v1/oauth/token", json=body, headers=headers) as answer:
            assert (await answer.json())["error"] == "unsupported_grant_type"


async def test_the_federation_may_be_down(site: Site) -> None:
    site.emulator.add_fault(Fault(kind=FaultKind.SERVER_ERROR, path="/v1/oauth/token"))
    assert (await site.exchange())[0] == 503
    assert (await site.exchange())[0] == 200


async def test_other_processes_set_rules_and_trust_and_read_the_history(site: Site) -> None:
    fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    change = {
        "rules": [vars(RULE) | {"id": "fdrl_2"}],
        "issuers": {ISSUER: {"jwks": jwks(fresh, "key-2")}},
        "lifetime_seconds": 300,
        "denials": "Opaque",
    }
    async with site.http.post("/_emulator/federation", json=change) as answer:
        assert answer.status == 204
    status, denied = await site.exchange(federation_rule_id="fdrl_2")
    assert (status, denied["error"]) == (401, {"type": "authentication_error", "message": "Authentication failed"})
    token = assertion(START, key=fresh, kid="key-2")
    assert (await site.exchange(token, federation_rule_id="fdrl_2"))[1]["expires_in"] == 300
    async with site.http.get("/_emulator/federation") as answer:
        assert [attempt["denied"] for attempt in (await answer.json())["attempts"]] == ["signature", None]
    async with site.http.post("/_emulator/federation", json={"rules": [{"id": "x"}]}) as answer:
        assert answer.status == 400


async def test_keys_are_fetched_again_when_one_is_unknown(site: Site) -> None:
    served = {"keys": list[Any]()}

    async def serve(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.json_response(served)

    app = aiohttp.web.Application()
    app.router.add_get("/jwks", serve)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    source = JwksUrl(f"http://127.0.0.1:{runner.addresses[0][1]}/jwks")
    with EmulatorThread(
        vendor=WithOAuth(Anthropic(), OAuthServer(), Federation(RULE, issuers={ISSUER: source})), clock=site.clock
    ) as emulator:
        body = ASKED | {"assertion": assertion(START)}
        statuses = []
        for keys in (list[Any](), jwks()["keys"]):
            served["keys"] = keys
            async with aiohttp.request("POST", f"{emulator.url}/v1/oauth/token", json=body, headers=BETA) as answer:
                statuses.append(answer.status)
    await runner.cleanup()
    assert statuses == [400, 200]


async def test_the_vendors_own_sdk_exchanges_and_speaks() -> None:
    federation = Federation(RULE, issuers={ISSUER: jwks()}, denials="Opaque")
    oauth = OAuthServer(Client("client"))
    with EmulatorThread(vendor=WithOAuth(Anthropic(), oauth, federation)) as emulator:

        def provider(rule: str, serial: int) -> WorkloadIdentityCredentials:
            return WorkloadIdentityCredentials(
                identity_token_provider=lambda: assertion(SystemClock().now(), serial=serial),
                federation_rule_id=rule,
                organization_id="org-1",
                service_account_id="svac_1",
            )

        def ask(rule: str, serial: int) -> str:
            with anthropic.Anthropic(credentials=provider(rule, serial), base_url=emulator.url, max_retries=0) as sdk:
                message = sdk.messages.create(
                    model="claude-sonnet-4-6", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
                )
            return json.dumps(message.content[0].model_dump())

        assert "You said: hello" in await asyncio.to_thread(ask, "fdrl_1", 1)
        with pytest.raises(WorkloadIdentityError, match="Ensure your federation rule matches"):
            await asyncio.to_thread(ask, "fdrl_9", 2)
        assert {(call.grant_type, call.error) for call in oauth.calls} == {
            (JWT_BEARER, None),
            (JWT_BEARER, "invalid_grant"),
        }
