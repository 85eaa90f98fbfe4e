"""For every protocol and mode: nothing of one attempt survives into the next, and no credential leaves for another origin."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.reasons import AuthMode
from headgate_api.resources.proxyfleet import Allowances
from headgate_api.secret import Secret
from headgate_api.snapshot import ProviderEntry, ProviderForm
from headgate_proxy.identity.requests import Dressed
from headgate_proxy.protocols.registry import DIALECTS
from headgate_proxy.routing.provider import Provider, compile_provider
from headgate_proxy.selection.states import Held, Selection
from headgate_proxy.upstream.call import Call, Prepared, prepare
from headgate_proxy.upstream.modes import OriginNotBoundError, credential_header
from headgate_proxy.upstream.target import Place

KEYS, PLANS = "https://keys.vendor.example", "https://plans.vendor.example"
ROWS = [(protocol, mode) for protocol, dialect in DIALECTS.items() for mode in dialect.modes]
SECRETS = {mode: f"emulated-{mode.lower()}" for mode in AuthMode}
OWNED = (
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "chatgpt-account-id",
    "x-goog-user-project",
    "openai-organization",
    "cookie",
    "x-http-method-override",
)
HEADERS = (
    *("Authorization", "X-Goog-Api-Key", "ChatGPT-Account-Id", "OpenAI-Organization", "OpenAI-Beta", "anthropic-beta"),
    *("x-goog-user-project", "Connection", "User-Agent", "originator", "session_id", "X-HTTP-Method-Override"),
)
names = st.sampled_from(HEADERS) | st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12)
clients = st.lists(st.tuples(names, st.text(string.ascii_lowercase + "-", min_size=1, max_size=8)), max_size=12)


def provider(protocol: str, **spec: Any) -> Provider:
    auth: dict[str, Any] = {"modes": list(DIALECTS[protocol].modes), "apiKey": {}, "subscription": {"endpoint": PLANS}}
    body = {
        "protocol": protocol,
        "apis": ["Chat", "Responses", "Codex"] if protocol == "OpenAI" else [],
        "endpoint": KEYS,
        "models": [{"name": "m"}],
        "auth": auth,
    } | spec
    form = ProviderForm.model_validate({"revision": "r", "spec": body})
    entry = ProviderEntry(namespace="a", name="p", generation=1, stable=form)
    return compile_provider(entry, form, (), Allowances())


def held(mode: AuthMode, *origins: str) -> Held:
    bound = frozenset(origins or (PLANS if mode is AuthMode.SUBSCRIPTION else KEYS,))
    return Held(Secret(SECRETS[mode]), bound, f"path/{mode}", 1, account_id=f"account-of-{mode.lower()}")


def attempt(protocol: str, mode: AuthMode, client: list[tuple[str, str]], **spec: Any) -> Prepared:
    to = provider(protocol, **spec)
    operation = min(to.serves[mode])
    call = Call(DIALECTS[protocol], to, Place(operation, "m", "v1beta"), "", tuple(client), b"{}", False, {})
    return prepare(call, Selection(mode, None, held(mode)), Dressed(call.body), None)


@pytest.mark.parametrize(("protocol", "mode"), ROWS)
@given(client=clients)
def test_an_attempt_holds_its_own_credential_and_nothing_of_any_other_mode(
    protocol: str, mode: AuthMode, client: list[tuple[str, str]]
) -> None:
    prepared = attempt(protocol, mode, client)
    rule = DIALECTS[protocol].modes[mode]
    assert prepared.headers.getall(rule.header) == [rule.prefix + SECRETS[mode]]
    assert str(prepared.url).startswith(PLANS if mode is AuthMode.SUBSCRIPTION else KEYS)
    own = {rule.header, rule.account_header}
    for name in OWNED:
        if name not in own:
            assert name not in prepared.headers
    if rule.account_header is not None:
        assert prepared.headers.getall(rule.account_header) == [f"account-of-{mode.lower()}"]
    sent = repr(prepared.headers)
    others = [other for other in DIALECTS[protocol].modes if other is not mode]
    for other in others:
        assert SECRETS[other] not in sent
        for beta in DIALECTS[protocol].modes[other].betas:
            assert beta in rule.betas or beta not in sent


@pytest.mark.parametrize(("protocol", "mode"), ROWS)
@given(client=clients)
def test_an_attempt_depends_on_its_mode_alone_and_not_on_those_before(
    protocol: str, mode: AuthMode, client: list[tuple[str, str]]
) -> None:
    alone = attempt(protocol, mode, client)
    for before in DIALECTS[protocol].modes:
        attempt(protocol, before, client)
    again = attempt(protocol, mode, client)
    assert (alone.url, list(alone.headers.items())) == (again.url, list(again.headers.items()))


@pytest.mark.parametrize(("protocol", "mode"), ROWS)
@given(
    origins=st.sets(
        st.sampled_from([KEYS, PLANS, "https://other.example", KEYS + ":444", "http://keys.vendor.example"])
    )
)
def test_a_credential_leaves_only_for_an_origin_that_its_record_names(
    protocol: str, mode: AuthMode, origins: set[str]
) -> None:
    to = provider(protocol)
    target = PLANS if mode is AuthMode.SUBSCRIPTION else KEYS
    bound = Held(Secret(SECRETS[mode]), frozenset(origins), "path", 1)
    if target in origins:
        assert SECRETS[mode] in credential_header(mode, bound, to)[1]
    else:
        with pytest.raises(OriginNotBoundError) as refused:
            credential_header(mode, bound, to)
        assert SECRETS[mode] not in str(refused.value)


@pytest.mark.parametrize(("protocol", "mode"), ROWS)
def test_the_providers_headers_name_the_account_but_carry_no_credential(protocol: str, mode: AuthMode) -> None:
    given_headers = {"openai-organization": "org-of-the-team", "X-Team": "t", "cookie": "c"}
    prepared = attempt(protocol, mode, [("openai-organization", "org-of-the-caller")], headers=given_headers)
    assert prepared.headers.getall("openai-organization") == ["org-of-the-team"]
    assert prepared.headers["x-team"] == "t"
    assert "cookie" not in prepared.headers
