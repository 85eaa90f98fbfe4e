"""Refresh, suspend, resume, revoke, delete and status against a real API server; the operator's part is played by the test."""

import argparse
import io
import json
from typing import Any

import pytest

from headgate_api import acknowledgement, names
from headgate_api.clock import ManualClock
from headgate_cli.account import status
from headgate_cli.cluster.api import Api
from headgate_cli.cluster.connect import Where
from headgate_cli.console import Console
from headgate_cli.main import main
from headgate_cli.view.style import Style

from . import objects
from .accounts import GRANT, NOW, OAUTH, Accounts, Playing, answering, condition, served

ACKNOWLEDGED = {"by": "headgate-dev-admin", "at": NOW, "textVersion": acknowledgement.TEXT_VERSION}
READY: dict[str, Any] = {"oauth": OAUTH, "acknowledgement": ACKNOWLEDGED}


def once_asked(accounts: Accounts, annotation: str, status: dict[str, Any]) -> Playing:
    """Write the status when the annotation is there."""
    return Playing(lambda: annotation in accounts.annotations(), lambda: accounts.write(status))


def failing(reason: str, state: str = "Unknown", message: str = "because") -> dict[str, Any]:
    found = served(generation=3)
    found["conditions"][2] = condition("RefreshHealthy", state, reason, message)
    return found


class TestRefresh:
    def test_it_names_the_generation_and_tells_of_the_next(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served(generation=3), **READY)
        with once_asked(accounts, names.ANNOTATION_REFRESH, served(generation=4, expiresAt="2099-01-01T00:00:00Z")):
            assert accounts.run("refresh", "alice") == 0
        assert accounts.annotations()[names.ANNOTATION_REFRESH] == "3"
        assert "has a new access token, generation 4, which expires in" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("reason", "state"),
        [("ReauthenticationRequired", "False"), ("ClientRefused", "False"), ("VendorUnavailable", "Unknown")],
    )
    def test_what_keeps_the_vendor_from_it_is_told(
        self, reason: str, state: str, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served(generation=3), **READY)
        with once_asked(accounts, names.ANNOTATION_REFRESH, failing(reason, state, "the vendor says\x1b[5m no")):
            assert accounts.run("refresh", "alice", "-o", "json") == 1
        out, err = capsys.readouterr()
        assert json.loads(out)["outcome"] == "Failed"
        assert f"has no new access token: {reason}: the vendor says" in err and "\x1b" not in err

    def test_a_failure_from_before_is_no_answer(self, accounts: Accounts, capsys: pytest.CaptureFixture[str]) -> None:
        accounts.account(failing("VendorUnavailable", message="attempt 2 follows"), **READY)
        assert accounts.run("refresh", "alice", "--wait", "1") == 1
        err = capsys.readouterr().err
        assert "has no new access token within 1 s, and may still get one: VendorUnavailable: attempt 2 follows" in err

    @pytest.mark.parametrize(
        ("spec", "status", "said"),
        [
            (
                {**READY, "suspend": True},
                served(),
                "is suspended, so it is not refreshed; `account resume alice` first",
            ),
            (
                {"oauth": OAUTH},
                served(),
                "is not acknowledged, so it is not refreshed; `account acknowledge alice` first",
            ),
            ({"acknowledgement": ACKNOWLEDGED}, served(), "has no spec.oauth, so nothing here can refresh it"),
            (
                READY,
                {"conditions": []},
                "has no grant that could be refreshed; get one with `headgate account login alice",
            ),
            (
                READY,
                failing("ReauthenticationRequired", "False", "it is spent"),
                "no refresh helps: it is spent. Begin it with",
            ),
        ],
    )
    def test_where_nothing_would_be_asked_of_the_vendor_nothing_is_set(
        self, spec: Any, status: Any, said: str, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(status, **spec)
        assert accounts.run("refresh", "alice") == 1
        assert said in capsys.readouterr().err
        assert names.ANNOTATION_REFRESH not in accounts.annotations()


class TestSuspendAndResume:
    def test_both_change_the_spec_and_wait_for_the_operator(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served(), **READY)
        assert accounts.run("suspend", "alice") == 0
        assert accounts.alice()["spec"]["suspend"] is True
        assert "is suspended: no request and no refresh uses it" in capsys.readouterr().out
        assert accounts.run("resume", "alice", "-o", "json") == 0
        assert accounts.alice()["spec"]["suspend"] is False
        shown = json.loads(capsys.readouterr().out)
        assert (shown["suspended"], shown["outcome"], shown["account"]["needs"]) == (False, "Resumed", [])

    def test_an_operator_that_is_away_is_told_and_the_wish_stands(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account()
        assert accounts.run("suspend", "alice", "--wait", "0") == 0
        assert accounts.alice()["spec"]["suspend"] is True
        assert "the operator has not taken it up within 0 s; see whether it runs" in capsys.readouterr().out

    def test_no_other_command_resumes_an_account(self, accounts: Accounts) -> None:
        accounts.account(served(), suspend=True, **READY)
        for command in (("acknowledge", "alice", "--accept", acknowledgement.TEXT_VERSION), ("refresh", "alice")):
            accounts.run(*command)
            assert accounts.alice()["spec"]["suspend"] is True


class TestRevoke:
    def test_it_names_the_grant_and_tells_what_is_left_to_the_owner(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served(), **READY)
        asked = answering(monkeypatch, "y\n")
        with once_asked(accounts, names.ANNOTATION_REVOKE, {"conditions": []}):
            assert accounts.run("revoke", "alice") == 0
        assert accounts.annotations()[names.ANNOTATION_REVOKE] == GRANT
        assert asked == [
            f"End the sign-in of {accounts.namespace}/alice (alice@example.com)? Requests cannot use it any more. [y/N] "
        ]
        out = capsys.readouterr().out
        assert (
            "the grant is forgotten. The vendor has no way to revoke it from here: alice@example.com ends it in the"
            in out
        )
        assert f"`headgate account login alice -n {accounts.namespace}`" in out

    def test_a_vendor_that_can_revoke_is_waited_for_and_its_answer_told(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        revocable = OAUTH | {"revocationEndpoint": "https://auth.vendor.example/oauth/revoke"}
        accounts.account(served(), oauth=revocable)
        done = {"conditions": [condition("CredentialValid", "False", "Revoked", "revoked at the vendor\x1b[1m; mend")]}
        with once_asked(accounts, names.ANNOTATION_REVOKE, done):
            assert accounts.run("revoke", "alice", "--yes", "-o", "json") == 0
        shown = json.loads(capsys.readouterr().out)
        assert (shown["revoke"], shown["outcome"]) == (GRANT, "Forgotten")
        assert "the grant is forgotten. revoked at the vendor" in shown["message"] and "\x1b" not in shown["message"]

    @pytest.mark.parametrize("answer", ["n\n", "", "revoke\n"])
    def test_without_consent_nothing_happens(
        self, answer: str, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        answering(monkeypatch, answer)
        assert accounts.run("revoke", "alice") == 1
        assert accounts.annotations() == {}

    def test_where_nobody_can_be_asked_yes_is_needed(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        assert accounts.run("revoke", "alice") == 2
        assert "agree with --yes" in capsys.readouterr().err

    def test_a_grant_that_stays_is_a_failure(self, accounts: Accounts, capsys: pytest.CaptureFixture[str]) -> None:
        accounts.account(served())
        assert accounts.run("revoke", "alice", "--yes", "--wait", "0") == 1
        assert f"grant {GRANT} is not forgotten within 0 s" in capsys.readouterr().err

    def test_without_a_grant_there_is_nothing_to_revoke(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account()
        assert accounts.run("revoke", "alice", "--yes") == 1
        assert "has no grant that could be revoked" in capsys.readouterr().err


class TestDelete:
    def test_the_grant_stays_unless_it_is_to_go(self, accounts: Accounts, capsys: pytest.CaptureFixture[str]) -> None:
        accounts.account(served())
        assert accounts.run("delete", "alice", "--yes") == 0
        assert not accounts.exists("subscriptionaccount/alice")
        assert (
            "is deleted. Its grant stays in Vault, and an account of this name uses it again."
            in capsys.readouterr().out
        )

    def test_revoking_is_in_the_spec_before_the_account_goes_and_an_imports_secret_goes_too(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        finalizers = '{"metadata": {"finalizers": ["headgate.dev/credentials"]}}'
        where = ("subscriptionaccount/alice", "-n", accounts.namespace, "--type=merge")
        accounts.cluster.kubectl("patch", *where, f"--patch={finalizers}")
        labels = {"app.kubernetes.io/managed-by": "kubectl-headgate"}
        metadata = {"name": "headgate-import-alice", "labels": labels}
        accounts.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}, namespace=accounts.namespace
        )
        policies: list[str] = []

        def let_go() -> None:
            policies.append(accounts.alice()["spec"]["deletionPolicy"])
            accounts.cluster.kubectl("patch", *where, '--patch={"metadata": {"finalizers": null}}')

        with Playing(lambda: "deletionTimestamp" in accounts.alice()["metadata"], let_go):
            assert accounts.run("delete", "alice", "--revoke", "--yes") == 0
        assert policies == ["Revoke"]
        assert not accounts.exists("secret/headgate-import-alice")
        assert "Its grant is forgotten. The vendor has no way to revoke it from here" in capsys.readouterr().out

    def test_a_secret_of_that_name_that_somebody_else_made_stays(self, accounts: Accounts) -> None:
        accounts.account()
        accounts.cluster.kubectl("create", "secret", "generic", "headgate-import-alice", "-n", accounts.namespace)
        assert accounts.run("delete", "alice", "--yes") == 0
        assert accounts.exists("secret/headgate-import-alice")

    def test_an_account_that_is_held_is_told_with_its_reason(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account({"conditions": [condition("Ready", "False", "VaultUnavailable", "sealed")]})
        where = ("subscriptionaccount/alice", "-n", accounts.namespace, "--type=merge")
        accounts.cluster.kubectl("patch", *where, '--patch={"metadata": {"finalizers": ["headgate.dev/credentials"]}}')
        assert accounts.run("delete", "alice", "--yes", "--wait", "0") == 1
        assert "is not gone within 0 s (VaultUnavailable: sealed)" in capsys.readouterr().err
        accounts.cluster.kubectl("patch", *where, '--patch={"metadata": {"finalizers": null}}')


def test_an_owner_whose_address_steers_terminals_steers_none(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts.account(served(), owner={"email": "a\x1b[2J\x07@example.com", "subjects": [{"name": "agent"}]})
    asked = answering(monkeypatch, "y\n", "y\n")
    with once_asked(accounts, names.ANNOTATION_REVOKE, {"conditions": []}):
        assert accounts.run("revoke", "alice") == 0
    assert accounts.run("status", "alice") == 0
    assert accounts.run("status") == 0
    assert accounts.run("delete", "alice", "--revoke") == 0
    out, err = capsys.readouterr()
    assert "@example.com ends it in the account settings" in out
    assert not {"\x1b", "\x07"} & set(out + err + "".join(asked))


class TestStatus:
    def test_one_and_several(self, accounts: Accounts, capsys: pytest.CaptureFixture[str]) -> None:
        accounts.account(served(), **READY)
        assert accounts.run("status", "alice", "-o", "json") == 0
        one = json.loads(capsys.readouterr().out)
        assert (one["name"], one["ready"]["status"], one["needs"]) == ("alice", "True", [])
        assert accounts.run("status", "-o", "json") == 0
        assert json.loads(capsys.readouterr().out) == {"items": [one]}
        assert accounts.run("status", "-A") == 0
        assert f"{accounts.namespace}   alice   anthropic   alice@example.com   Ready" in capsys.readouterr().out

    def test_watch_shows_what_changed(self, accounts: Accounts) -> None:
        class EnoughError(Exception):
            pass

        accounts.account(served(), **READY)
        looks: list[float] = []

        def sleep(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 2:
                accounts.write(failing("VendorUnavailable"))
            if len(looks) == 4:
                raise EnoughError

        out = io.StringIO()
        console = Console(out, io.StringIO(), Style(), clock=ManualClock(objects.NOW), sleep=sleep)
        arguments = argparse.Namespace(name="alice", all_namespaces=False, watch=True, namespace=accounts.namespace)
        with Api.connect(Where(str(accounts.cluster.kubeconfig))) as api, pytest.raises(EnoughError):
            status.run(arguments, api, console)
        assert [out.getvalue().count(word) for word in ("Scheduled", "VendorUnavailable")] == [1, 1]

    def test_an_account_that_is_not_there_is_a_sentence(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for command in ("status", "refresh", "suspend", "resume", "revoke", "delete", "login"):
            arguments = ("--yes",) if command in ("revoke", "delete") else ()
            assert accounts.run(command, "bob", *arguments) == (2 if command == "login" else 1)
            err = capsys.readouterr().err
            assert f"there is no SubscriptionAccount bob in namespace {accounts.namespace}" in err or command == "login"

    def test_a_name_that_is_none_never_becomes_a_path(self, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("../secrets/x", "alice/status", "Alice", "a" * 64, "\x1b[2J", ""):
            with pytest.raises(SystemExit) as end:
                main(["account", "status", name])
            assert end.value.code == 2
            assert "\x1b" not in capsys.readouterr().err


def test_the_command_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["account", "--help"]) == 0
    out = capsys.readouterr().out
    for command in ("login", "import", "acknowledge", "status", "refresh", "suspend", "resume", "revoke", "delete"):
        assert f"\n  {command} " in out
    assert main(["account"]) == 2
    assert main(["account", "sing-in"]) == 2
    assert "there is no command 'sing-in'" in capsys.readouterr().err
