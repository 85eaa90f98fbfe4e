"""What a terminal shows of an account, and what it needs: asked of the text alone."""

from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_api.resources import SubscriptionAccount
from headgate_api.signin import SignInState
from headgate_cli.view import account as view
from headgate_cli.view import account_signin
from headgate_cli.view.account_needs import needs
from headgate_cli.view.style import Style, plain

from .accounts import NOW as AT
from .accounts import OAUTH, condition, served
from .objects import NOW

PLAIN = Style()
GIVEN = {"by": "alice", "at": AT, "textVersion": acknowledgement.TEXT_VERSION}


def account(status: dict[str, Any], **spec: Any) -> SubscriptionAccount:
    described = {
        "providerRef": {"name": "anthropic"},
        "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
        "acknowledgement": GIVEN,
        **spec,
    }
    metadata = {"name": "alice", "namespace": "team-a", "generation": 1}
    return SubscriptionAccount.from_wire({"metadata": metadata, "spec": described, "status": status})


def shown(status: dict[str, Any], **spec: Any) -> list[str]:
    return [" ".join(line.split()) for line in view.one(account(status, **spec), NOW, PLAIN, "headgate").splitlines()]


def wanted(status: dict[str, Any], **spec: Any) -> list[tuple[str, str]]:
    return [(need.reason, need.do) for need in needs(account(status, **spec), NOW, "headgate")]


def told(kind: str, status: str, reason: str, **more: Any) -> dict[str, Any]:
    """The status of an account that is not ready because of one condition."""
    found = [condition("Ready", "False", reason), condition(kind, status, reason)]
    return {"observedGeneration": 1, "conditions": found, "credential": {"version": 1, "grantId": "g"}, **more}


def test_one_account_shows_grant_expiry_refreshes_limits_and_who_signed_in() -> None:
    status = served(
        generation=4,
        expiresAt="2026-03-01T14:00:00Z",
        lastRefresh="2026-03-01T11:00:00Z",
        nextRefresh="2026-03-01T13:00:00Z",
        signIn={"by": "alice", "at": "2026-03-01T10:00:00Z", "grantId": "0123456789abcdef"},
        windows=[
            {"name": "5h", "usedPercent": 40.4, "resetsAt": "2026-03-01T15:00:00Z"},
            {"name": "7d", "usedPercent": 100.0, "resetsAt": "2026-03-05T12:00:00Z", "exhausted": True},
            {"name": "other"},
        ],
        windowsAt="2026-03-01T11:59:00Z",
        limitedUntil="2026-03-05T12:00:00Z",
    )
    lines = shown(status, oauth=OAUTH)
    for line in (
        "alice in team-a Ready",
        "used by ServiceAccounts team-a/agent",
        "grant 0123456789abcdef, generation 4, version 1 in Vault",
        "signed in by alice at 10:00:00Z (2h ago)",
        f"acknowledged by alice at 12:00:00Z (0s ago), text {acknowledgement.TEXT_VERSION}",
        "expires 14:00:00Z (in 2h)",
        "refreshed 11:00:00Z (1h ago)",
        "next refresh 13:00:00Z (in 1h)",
        "RefreshHealthy True Scheduled 0s ago",
        "limits (as of 11:59:00Z (1m ago))",
        "5h ████████░░░░░░░░░░░░ 40 % resets 15:00:00Z (in 3h)",
        "7d ████████████████████ 100 % exhausted resets 2026-03-05T12:00:00Z (in 4d)",
        "other not told",
        "limited the vendor refuses requests until 2026-03-05T12:00:00Z (in 4d)",
    ):
        assert line in lines
    assert "needed" not in lines


def test_a_limit_beyond_all_and_one_that_is_over() -> None:
    windows = [{"name": "5h", "usedPercent": 250.0}]
    lines = shown(served(windows=windows, limitedUntil="2026-03-01T11:00:00Z"))
    assert "5h ████████████████████ 250 %" in lines
    assert not [line for line in lines if line.startswith("limited")]


def test_a_condition_that_is_not_as_it_should_be_says_why() -> None:
    lines = shown(told("RefreshHealthy", "Unknown", "VendorUnavailable"), oauth=OAUTH)
    at = lines.index("RefreshHealthy Unknown VendorUnavailable 0s ago")
    assert lines[at + 1] == "because"


def test_the_list_has_a_line_per_account_and_says_so_when_there_is_none() -> None:
    limited = served(windows=[{"name": "5h", "usedPercent": 40.0}], expiresAt="2026-03-01T14:00:00Z")
    text = view.several([account(limited), account({"conditions": []})], NOW, PLAIN, namespaces=True)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines == [
        "NAMESPACE NAME PROVIDER OWNER STATE EXPIRES REFRESH LIMITS",
        "team-a alice anthropic alice@example.com Ready in 2h - 5h 40 %",
        "team-a alice anthropic alice@example.com not looked at yet - -",
    ]
    assert "-A" in view.several([], NOW, PLAIN, namespaces=False)


class TestNeeds:
    def test_an_account_that_serves_needs_nothing(self) -> None:
        assert wanted(served()) == []

    def test_what_is_not_acknowledged_shows_the_text_and_the_command(self) -> None:
        (need,) = needs(account(served(), acknowledgement=None), NOW, "kubectl headgate")
        assert acknowledgement.TEXT in need.message
        assert need.do == "kubectl headgate account acknowledge alice -n team-a"

    def test_a_text_that_changed_is_acknowledged_anew(self) -> None:
        (need,) = needs(account(served(), acknowledgement=GIVEN | {"textVersion": "2020-01-01"}), NOW, "headgate")
        assert (need.reason, need.message.partition(". ")[0]) == (
            "TextChanged",
            "Text 2020-01-01 was acknowledged, and the text has changed",
        )

    def test_what_a_person_suspended_a_person_resumes(self) -> None:
        assert wanted(served(), suspend=True) == [("Suspended", "headgate account resume alice -n team-a")]

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("RefreshHealthy", "ReauthenticationRequired"),
            ("CredentialValid", "CredentialNotFound"),
            ("CredentialValid", "SecretNotFound"),
            ("CredentialValid", "Expired"),
            ("CredentialValid", "Revoked"),
        ],
    )
    def test_a_grant_that_is_gone_needs_a_sign_in_where_there_is_a_profile_for_one(
        self, kind: str, reason: str
    ) -> None:
        status = told(kind, "False", reason)
        assert wanted(status, oauth=OAUTH) == [(reason, "headgate account login alice -n team-a")]
        assert wanted(status) == [(reason, "headgate account import alice -n team-a FILE")]

    def test_a_token_that_a_refresh_will_replace_needs_no_person(self) -> None:
        status = told("CredentialValid", "False", "Expired")
        status["conditions"].append(condition("RefreshHealthy", "Unknown", "VendorUnavailable"))
        assert wanted(status, oauth=OAUTH) == [("Expired", "")]

    def test_nobody_has_signed_in_yet(self) -> None:
        assert wanted({"conditions": []}, oauth=OAUTH) == [
            ("CredentialNotFound", "headgate account login alice -n team-a")
        ]

    def test_anything_else_in_the_way_is_told_as_the_operator_tells_it(self) -> None:
        assert wanted(told("Programmed", "False", "NoProxyReady")) == [("NoProxyReady", "")]

    def test_a_status_from_before_the_last_change_is_not_held_against_it(self) -> None:
        status = told("Suspended", "True", "Suspended", observedGeneration=0)
        assert wanted(status) == []


def test_nothing_that_others_wrote_steers_a_terminal() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202egnp\u2066\u2028x"
    status = served(
        "g" + evil,
        windows=[{"name": "5h" + evil, "usedPercent": 1.0}],
        signIn={"by": evil, "at": AT, "grantId": "g" + evil},
    )
    for each in status["conditions"]:
        each["status"], each["message"], each["reason"] = "False", evil, "Odd" + evil
    found = account(status, acknowledgement={"by": evil, "at": AT, "textVersion": evil})
    texts = [view.one(found, NOW, PLAIN, "headgate"), view.several([found], NOW, PLAIN, namespaces=True)]
    for method in ("Paste", "Browser", "DeviceCode"):
        state = SignInState.model_validate(
            {
                "state": "Pending",
                "method": method,
                "beganBy": evil,
                "expiresAt": AT,
                "message": evil,
                "authorizationUrl": evil,
                "redirectURI": evil,
                "userCode": evil,
                "verificationURI": evil,
                "verificationURIComplete": evil,
            }
        )
        texts.append("\n".join(account_signin.instructions(state, NOW, PLAIN)))
    for text in texts:
        assert plain(text) == text
        assert not {"\x1b", "\x07", "\u202e", "\u2066", "\u2028"} & set(text)


def test_json_has_the_shape_that_the_document_promises() -> None:
    shape = view.to_json(account(served()), NOW, "headgate")
    assert list(shape) == [
        "namespace",
        "name",
        "provider",
        "owner",
        "sharing",
        "suspended",
        "ready",
        "conditions",
        "credential",
        "generation",
        "expiresAt",
        "lastRefresh",
        "nextRefresh",
        "windows",
        "windowsAt",
        "limitedUntil",
        "signIn",
        "acknowledgement",
        "needs",
    ]
    assert shape["owner"] == {"email": "alice@example.com", "subjects": ["team-a/agent"]}
    assert shape["acknowledgement"] == GIVEN
