"""Nothing of one mode survives into the next, no credential of a caller leaves, and no beta is lost."""

import functools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.secret import Secret
from headgate_proxy.upstream.request_headers import upstream_headers as any_headers
from headgate_proxy.upstream.response_headers import client_headers
from headgate_proxy.upstream.sensitive import may_go_upstream

upstream_headers = functools.partial(any_headers, account=None, beta_header="anthropic-beta")
names = st.sampled_from(
    [
        "Authorization",
        "X-Api-Key",
        "anthropic-beta",
        "Anthropic-Beta",
        "Connection",
        "Cookie",
        "User-Agent",
        "x-app",
        "X-Secret",
    ]
) | st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12)
beta_names = st.text(string.ascii_lowercase + "-", min_size=1, max_size=6)
values = st.lists(beta_names, min_size=1, max_size=3).map(", ".join)
clients = st.lists(st.tuples(names, values), max_size=12)
extras = st.dictionaries(st.sampled_from(["x-team", "anthropic-beta", "User-Agent"]), values, max_size=3)


@given(client=clients, extra=extras)
def test_an_attempt_holds_one_credential_and_every_beta(client: list[tuple[str, str]], extra: dict[str, str]) -> None:
    subscription = upstream_headers(
        client, extra=extra, credential=("authorization", "Bearer T0KEN"), betas=("oauth-x",), traceparent=None
    )
    key = upstream_headers(client, extra=extra, credential=("x-api-key", "K3Y"), betas=(), traceparent="tp")

    assert subscription.getall("authorization") == ["Bearer T0KEN"]
    assert key.getall("x-api-key") == ["K3Y"]
    assert "x-api-key" not in subscription
    assert "authorization" not in key
    assert "T0KEN" not in repr(key)
    asked = [b for n, v in [*client, *extra.items()] if n.lower() == "anthropic-beta" for b in v.split(", ")]
    expected = list(dict.fromkeys(asked))
    assert key.getall("anthropic-beta", []) == ([",".join(expected)] if expected else [])
    assert subscription["anthropic-beta"].split(",") == list(dict.fromkeys([*expected, "oauth-x"]))
    assert key["accept-encoding"] == "identity"


def test_the_providers_headers_replace_the_callers_but_cannot_smuggle_a_credential() -> None:
    headers = upstream_headers(
        [("X-Team", "caller"), ("x-team", "caller again")],
        extra={"x-team": "provider", "x-api-key": "smuggled"},
        credential=("authorization", "Bearer t"),
        betas=(),
        traceparent=None,
    )
    assert headers.getall("x-team") == ["provider"]
    assert "x-api-key" not in headers


@pytest.mark.parametrize(
    "name",
    [
        *["authorization", "x-api-key", "X-Goog-Api-Key", "cookie", "x-auth-request-email", "x-amz-security-token"],
        *[
            "x-csrftoken",
            "api-key",
            "apikey",
            "x-vault-token",
            "my_secret",
            "x-oauth-scopes",
            "ocp-apim-subscription-key",
        ],
        *[
            "x-forwarded-client-cert",
            "forwarded",
            "via",
            "x-real-ip",
            "x-headgate-provider",
            "te",
            "upgrade",
            "tracestate",
        ],
        *[
            "baggage",
            "expect",
            "content-length",
            "host",
            "proxy-authorization",
            "x-user-jwt",
            "x-password",
            "x-token-2",
        ],
    ],
)
def test_headers_that_stay(name: str) -> None:
    assert not may_go_upstream(name)


@pytest.mark.parametrize(
    "name",
    [
        *[
            "anthropic-beta",
            "anthropic-version",
            "anthropic-dangerous-direct-browser-access",
            "user-agent",
            "x-app",
            "accept",
        ],
        *["x-stainless-retry-count", "x-stainless-helper-method", "max_tokens", "x-max-tokens", "idempotency-key"],
        *["content-type", "x-claude-code-session-id", "x-keyboard"],
    ],
)
def test_headers_that_pass(name: str) -> None:
    assert may_go_upstream(name)


def test_responses_keep_what_is_end_to_end() -> None:
    headers = client_headers(
        [
            ("Request-Id", "req_1"),
            ("anthropic-ratelimit-requests-limit", "5"),
            ("Connection", "X-Hop"),
            ("x-hop", "1"),
            ("Set-Cookie", "a=b"),
            ("Transfer-Encoding", "chunked"),
            ("X-Headgate-Auth-Mode", "forged"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("x-echo", "you sent emulated-key!"),
        ],
        Secret("emulated-key"),
    )
    assert list(headers.items()) == [
        ("Request-Id", "req_1"),
        ("anthropic-ratelimit-requests-limit", "5"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("x-echo", "you sent ************!"),
    ]
