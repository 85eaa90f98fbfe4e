import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_api.redaction import MASK, Redactor
from headgate_api.secret import Secret

LETTERS = string.ascii_letters + string.digits
secrets = st.text(LETTERS + "-_./+=", min_size=8, max_size=60)


def fake(*parts: str) -> str:
    """Put a credential-shaped string together at run time, so that none stands in the repository."""
    return "".join(parts)


@given(value=secrets, before=st.text(max_size=30), after=st.text(max_size=30))
def test_a_remembered_value_never_appears_again_whatever_surrounds_it(value: str, before: str, after: str) -> None:
    redacted = Redactor([Secret(value)]).redact(f"{before}\n{value}\n{after}")

    assert value not in redacted.split("\n")[1:-1]
    assert MASK in redacted


def test_overlapping_remembered_values_leave_no_remainder() -> None:
    short, long = fake("canary", "-abcdef"), fake("canary", "-abcdef", "-ghijkl")

    assert Redactor([Secret(short), Secret(long)]).redact(f"key={long};") == f"key={MASK};"


@pytest.mark.parametrize(
    "text",
    [
        fake("sk-", "ant-", "api03-", "A" * 24),
        fake("sk-", "proj-", "B" * 24),
        fake("AIza", "C" * 30),
        fake("ya29.", "D" * 30),
        fake("hvs.", "E" * 24),
        fake("eyJ", "hbGciOiJub25lIn0", ".", "eyJzdWIiOiJ4In0", ".", "F" * 20),
        fake("-----BEGIN RSA PRIVATE", " KEY-----\nG\n-----END RSA PRIVATE", " KEY-----"),
    ],
)
def test_credential_shapes_are_masked_without_being_known(text: str) -> None:
    assert Redactor().redact(f"upstream said {text} is bad") == f"upstream said {MASK} is bad"


@pytest.mark.parametrize(
    "text",
    [
        *(fake(prefix, "aB3-" * 6) for prefix in ("SK-", "rk-", "Pk-", "hvb.", "HVR.", "s.", "b.", "R.")),
        *(fake(prefix, "aB3x" * 6) for prefix in ("gho_", "ghp_", "GHS_", "ghu_", "aiza")),
        *(f"{scheme} abcdef123456" for scheme in ("bearer", "BASIC", "Token")),
        *(
            f"{name}=abcdef123456"
            for name in (
                *(
                    "authorization",
                    "Proxy-Authorization",
                    "x-goog-api-key",
                    "X-Vault-Token",
                    "apikey",
                    "cookie",
                    "set-cookie",
                ),
                *(
                    "access_token",
                    "refreshtoken",
                    "id-token",
                    "client_secret",
                    "PASSWORD",
                    "code_verifier",
                    "assertion",
                ),
            )
        ),
        *("s\u212a-aB3-aB3-aB3", "\u017fk-aB3-aB3-aB3", "https://aB3@example.test"),
    ],
)
def test_every_shape_is_noticed_in_any_case(text: str) -> None:
    redacted = Redactor().redact(text)

    assert MASK in redacted
    assert "aB3" not in redacted
    assert "abcdef123456" not in redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: "),
        ('{"x-api-key": "abcdef123456", "model": "m"}', '"model": "m"'),
        ("{'refresh_token': 'abcdef123456'}", "'refresh_token'"),
        ("GET https://example.test/v1?api_key=abcdef123456&page=2", "&page=2"),
        ("connect to https://abcdef123456@example.test/", "@example.test/"),
    ],
)
def test_the_value_of_a_telling_field_is_masked_and_the_rest_stays(text: str, expected: str) -> None:
    redacted = Redactor().redact(text)

    assert "abcdef123456" not in redacted
    assert expected in redacted


def test_ordinary_text_stays_as_it_is() -> None:
    text = "model claude-sonnet-4-5 answered 200 in 0.3 s; tokens: 12 in, 7 out; task sk-1"

    assert Redactor().redact(text) == text


def test_a_secret_prints_as_stars_everywhere_but_where_it_is_revealed() -> None:
    secret = Secret("canary-value")

    assert f"{secret} {secret!r} {[secret]}" == "*** Secret('***') [Secret('***')]"
    assert secret.reveal() == "canary-value"
