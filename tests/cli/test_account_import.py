"""``account import`` against a real API server: what is refused before anything is sent, and what becomes of what is not."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_cli.main import main

from .accounts import (
    ACCEPT,
    ACCESS,
    CLAUDE,
    CODEX,
    DESCRIBED,
    GEMINI,
    GRANT,
    OAUTH,
    REFRESH,
    Accounts,
    Playing,
    answering,
    condition,
    served,
)

SECRET = "headgate-import-alice"
SOURCE = f"{SECRET}/credentials.json"


def written(folder: Path, content: Any) -> str:
    path = folder / "credentials.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def taking(accounts: Accounts, grant: str = GRANT, name: str = SECRET, key: str = "credentials.json") -> Playing:
    """Play the operator: once the Secret holds a file and the account names it, Vault has it, and the Secret is emptied."""

    def ready() -> bool:
        named = accounts.exists("subscriptionaccount/alice") and accounts.alice()["spec"].get("credential")
        return bool(named) and key in accounts.secret(name)

    def act() -> None:
        version = accounts.cluster.get(f"secret/{name}", "-n", accounts.namespace)["metadata"]["resourceVersion"]
        imported = {"importedFrom": f"{name}/{key}", "importedResourceVersion": version}
        accounts.write(served(grant, credential=imported))
        accounts.empty(name)

    return Playing(ready, act)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty; put the credential file (JSON) of Claude Code, Codex or Gemini CLI into it"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"claudeAiOauth":' * 15_000, "is not JSON"),
        ("[]", "is JSON but not an object"),
        ("{}", "has no field claudeAiOauth, tokens or access_token"),
        ({"claudeAiOauth": 3}, "field claudeAiOauth is not an object; sign in again with Claude Code"),
        ({"claudeAiOauth": {}}, "field claudeAiOauth.accessToken is missing; sign in again and copy the file"),
        ({"claudeAiOauth": {"accessToken": "a b"}}, "field claudeAiOauth.accessToken holds white space"),
        ({"claudeAiOauth": {"accessToken": "x" * 20_000}}, "is longer than 16384 characters"),
        (
            {"claudeAiOauth": {"accessToken": "\x1b[31mred"}},
            "field claudeAiOauth.accessToken holds white space or control",
        ),
        ({"claudeAiOauth": {"accessToken": "a", "expiresAt": 1_700_000_000}}, "milliseconds since 1970, not seconds"),
        ({"claudeAiOauth": {"accessToken": "a", "scopes": "x"}}, "field claudeAiOauth.scopes is not a list of strings"),
        ({"OPENAI_API_KEY": "emulated"}, "is a Codex file of an API key, without field tokens"),
        (
            {"tokens": {"access_token": ""}},
            "field tokens.access_token is not a non-empty string; sign in again with Codex",
        ),
        ({"access_token": "a", "expiry_date": "soon"}, "field expiry_date is not a number"),
        ("x" * 300_000, "holds more than 256 KiB, so it is no credential file"),
    ],
)
def test_each_malformed_file_is_its_own_error_and_nothing_is_sent(
    content: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unreachable = tmp_path / "kubeconfig"
    unreachable.write_text(_KUBECONFIG)
    path = written(tmp_path, content)
    assert main(["account", "import", "alice", path, *DESCRIBED, "--kubeconfig", str(unreachable)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"headgate account import: {path}") and said in err
    assert "\x1b" not in err and len(err) < 600


def test_a_binary_file_a_folder_and_no_file_are_errors_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unreachable = tmp_path / "kubeconfig"
    unreachable.write_text(_KUBECONFIG)
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)))
    for path, status, said in (
        (str(binary), 1, "is not UTF-8 text"),
        (str(tmp_path), 2, "cannot be read: Is a directory"),
        (str(tmp_path / "none\x1b[2J"), 2, "cannot be read: No such file or directory"),
    ):
        assert main(["account", "import", "alice", path, "--kubeconfig", str(unreachable)]) == status
        err = capsys.readouterr().err
        assert said in err and "\x1b" not in err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "whose plan is it? Name its holder with --email"),
        (("--email", "alice@example.com"), "which LLMProvider is the plan for? Name it with --provider"),
        (("--email", "alice@example.com", "--provider", "anthropic"), "whose requests may use it?"),
    ],
)
def test_a_new_account_needs_holder_provider_and_users_named(
    given: tuple[str, ...], said: str, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *given) == 2
    assert said in capsys.readouterr().err
    assert not accounts.exists("subscriptionaccount/alice") and not accounts.exists(f"secret/{SECRET}")


@pytest.mark.parametrize("address", ["alice", "alice@", "@example.com", "a b@example.com", "alice@example.com\x1b[0m"])
def test_an_email_that_is_none_is_refused_by_the_command_line(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["account", "import", "alice", "-", "--email", address])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert "argument --email" in err and "such as alice@example.com" in err and "\x1b" not in err


def test_a_file_is_taken_over_and_what_is_left_to_do_is_told(
    accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with taking(accounts):
        assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *DESCRIBED) == 0
    out, err = capsys.readouterr()
    assert f"{accounts.namespace}/alice: the credential file of Claude Code is in Vault" in out
    assert "sign out of Claude Code where the file comes from, and delete the file" in out
    assert acknowledgement.TEXT in out
    assert f"headgate account acknowledge alice -n {accounts.namespace}" in out
    assert ACCESS not in out + err and REFRESH not in out + err
    spec = accounts.alice()["spec"]
    assert spec["owner"] == {"email": "alice@example.com", "subjects": [{"kind": "ServiceAccount", "name": "agent"}]}
    assert spec["credential"]["importSecretRef"] == {"name": SECRET, "key": "credentials.json"}
    labels = accounts.cluster.get(f"secret/{SECRET}", "-n", accounts.namespace)["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "kubectl-headgate"}


def test_the_secret_holds_the_file_as_it_was_read_from_standard_input(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(CODEX, indent=2) + "\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode()), isatty=lambda: False))
    accounts.provider("openai", "OpenAI")
    described = ("--provider", "openai", "--email", "alice@example.com", "--subject", "team-b/agent")
    assert accounts.run("import", "alice", "-", *described, "--wait", "0") == 1
    assert accounts.secret() == {"credentials.json": text}
    assert accounts.alice()["spec"]["owner"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "agent", "namespace": "team-b"}
    ]
    err = capsys.readouterr().err
    assert "the file is not in Vault: not within 0 s; the operator has not looked at it yet" in err
    assert f"kubectl delete secret {SECRET} -n {accounts.namespace}" in err


@pytest.mark.parametrize("content", [CODEX, GEMINI], ids=["Codex", "Gemini CLI"])
def test_a_file_of_another_vendor_is_refused_before_anything_is_written(
    content: Any, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accounts.run("import", "alice", written(tmp_path, content), *DESCRIBED) == 1
    assert "and LLMProvider anthropic speaks Anthropic; import a file of that vendor" in capsys.readouterr().err
    assert not accounts.exists("subscriptionaccount/alice") and not accounts.exists(f"secret/{SECRET}")


def test_a_token_that_has_expired_is_refused_where_nothing_can_renew_it(
    accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {"claudeAiOauth": CLAUDE["claudeAiOauth"] | {"expiresAt": 1_700_000_000_000}}
    assert accounts.run("import", "alice", written(tmp_path, old), *DESCRIBED) == 1
    assert "expired at 2023-11-14T22:13:20Z, and without spec.oauth nothing renews it" in capsys.readouterr().err
    profile = tmp_path / "oauth.yaml"
    profile.write_text(json.dumps(OAUTH))
    with taking(accounts):
        assert accounts.run("import", "alice", written(tmp_path, old), *DESCRIBED, "--oauth-file", str(profile)) == 0
    assert accounts.alice()["spec"]["oauth"]["clientId"] == OAUTH["clientId"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no YAML (line 1)"),
        ("clientId: x", "tokenEndpoint: Field required; write the fields of spec.oauth"),
        ("- 1", "write the fields of spec.oauth"),
        (json.dumps(OAUTH | {"clientID": "misspelt"}), 'unknown field "spec.oauth.clientID"'),
        (json.dumps(OAUTH | {"tokenEndpoint": "http://vendor.example/token"}), "spec.oauth.tokenEndpoint"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_before_anything_is_written(
    content: str, said: str, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "oauth.yaml"
    profile.write_text(content)
    file = written(tmp_path, CLAUDE)
    assert accounts.run("import", "alice", file, *DESCRIBED, "--oauth-file", str(profile)) == 1
    assert said in capsys.readouterr().err
    assert not accounts.exists("subscriptionaccount/alice") and not accounts.exists(f"secret/{SECRET}")


def test_a_provider_that_is_not_there_is_named_with_those_that_are(
    accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = ("--provider", "openai", "--email", "alice@example.com", "--subject", "agent")
    assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *described) == 1
    assert (
        f"there is no LLMProvider openai in namespace {accounts.namespace} (there is: anthropic)"
        in capsys.readouterr().err
    )


class TestAnAccountThatExists:
    def test_it_needs_no_description_and_keeps_the_secret_it_names(
        self, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served("former"), credential={"importSecretRef": {"name": "mine", "key": "file"}})
        accounts.cluster.kubectl("create", "secret", "generic", "mine", "-n", accounts.namespace)
        with taking(accounts, name="mine", key="file"):
            assert accounts.run("import", "alice", written(tmp_path, CLAUDE), "-o", "json") == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["imported"] is True and shown["account"]["credential"]["importedFrom"] == "mine/file"
        assert not accounts.exists(f"secret/{SECRET}")

    def test_the_same_file_again_replaces_nothing_and_says_so(
        self, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        with taking(accounts):
            assert accounts.run("import", "alice", written(tmp_path, CLAUDE)) == 0
        assert (
            "this very file of Claude Code was imported before, so the grant in Vault stays" in capsys.readouterr().out
        )

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (("--email", "bob@example.com"), "is that of alice@example.com, not of bob@example.com"),
            (("--provider", "openai"), "is for LLMProvider anthropic, not openai"),
            (("--subject", "other"), "does not name ServiceAccount other in spec.owner.subjects"),
            (("--subject", "elsewhere/agent"), "does not name ServiceAccount agent"),
            (("--oauth-file", "x"), "--oauth-file makes new ones only"),
        ],
    )
    def test_options_that_describe_another_account_change_nothing(
        self,
        given: tuple[str, ...],
        said: str,
        accounts: Accounts,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        accounts.account()
        assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *given) == 1
        assert said in capsys.readouterr().err
        assert not accounts.exists(f"secret/{SECRET}")

    def test_a_secret_that_gitops_manages_is_left_alone(
        self, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(credential={"importSecretRef": {"name": "mine", "key": "file"}})
        accounts.cluster.kubectl("create", "secret", "generic", "mine", "-n", accounts.namespace)
        accounts.cluster.kubectl(
            "label", "secret", "mine", "-n", accounts.namespace, "kustomize.toolkit.fluxcd.io/name=apps"
        )
        assert accounts.run("import", "alice", written(tmp_path, CLAUDE)) == 1
        assert (
            "is not the place for a file from here: it carries kustomize.toolkit.fluxcd.io/name"
            in capsys.readouterr().err
        )
        assert accounts.secret("mine") == {}

    def test_what_the_operator_says_against_the_file_ends_the_wait(
        self, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account()
        refused = {"conditions": [condition("CredentialValid", "False", "SecretForbidden", "grant it\x1b[31m")]}
        with Playing(lambda: accounts.exists(f"secret/{SECRET}"), lambda: accounts.write(refused)):
            assert accounts.run("import", "alice", written(tmp_path, CLAUDE)) == 1
        err = capsys.readouterr().err
        assert "the file is not in Vault: SecretForbidden: grant it" in err and "\x1b" not in err


def test_a_user_who_may_not_write_secrets_leaves_nothing_behind(
    accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dave = accounts.person("dave", subscriptionaccounts="get,create,patch", llmproviders="get", secrets="get")
    assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *DESCRIBED, kubeconfig=dave) == 1
    assert 'User "dave" cannot create resource "secrets"' in capsys.readouterr().err
    assert not accounts.exists("subscriptionaccount/alice")


def test_a_user_who_may_not_make_accounts_is_refused_before_the_file_is_in_the_cluster(
    accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    erin = accounts.person("erin", subscriptionaccounts="get", llmproviders="get", secrets="get,create,delete")
    assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *DESCRIBED, kubeconfig=erin) == 1
    assert 'User "erin" cannot create resource "subscriptionaccounts"' in capsys.readouterr().err
    assert not accounts.exists(f"secret/{SECRET}")


class TestAcknowledging:
    def test_the_text_is_shown_and_its_version_typed(
        self,
        accounts: Accounts,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        asked = answering(monkeypatch, f"{acknowledgement.TEXT_VERSION}\n")
        with taking(accounts):
            assert accounts.run("import", "alice", written(tmp_path, CLAUDE), *DESCRIBED, "--acknowledge") == 0
        assert asked == [
            f"Type the text's version, {acknowledgement.TEXT_VERSION}, to accept it for {accounts.namespace}/alice: "
        ]
        out, err = capsys.readouterr()
        assert acknowledgement.TEXT in err and "is acknowledged by headgate-dev-admin" in out
        given = accounts.alice()["spec"]["acknowledgement"]
        assert (given["by"], given["textVersion"]) == ("headgate-dev-admin", acknowledgement.TEXT_VERSION)

    @pytest.mark.parametrize("answer", ["yes\n", "y\n", "", "2020-01-01\n"])
    def test_anything_else_acknowledges_nothing(
        self, answer: str, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        answering(monkeypatch, answer)
        assert accounts.run("acknowledge", "alice") == 1
        assert "nothing was acknowledged" in capsys.readouterr().err
        assert "acknowledgement" not in accounts.alice()["spec"]

    @pytest.mark.parametrize(
        "odd", ["oidc:Zoë O'Brien (ops)", "ops/Юлия", "https://idp.example/#alice", "system:admin 😀"]
    )
    def test_it_is_in_the_users_own_name_however_odd(self, odd: str, accounts: Accounts) -> None:
        accounts.account(served())
        rights = ("--clusterrole=cluster-admin", f"--user={odd}", "-n", accounts.namespace)
        accounts.cluster.kubectl("create", "rolebinding", "odd", *rights)
        assert accounts.run("acknowledge", "alice", *ACCEPT, "--as", odd) == 0
        assert accounts.alice()["spec"]["acknowledgement"]["by"] == odd

    def test_a_user_name_that_no_request_can_carry_is_a_sentence(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert accounts.run("acknowledge", "alice", *ACCEPT, "--as", "alice\r\nx-evil: 1") == 2
        assert "is no user name that a request can carry" in capsys.readouterr().err

    def test_where_nobody_can_be_asked_the_text_is_shown_with_the_way_to_accept_it(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        assert accounts.run("acknowledge", "alice") == 2
        err = capsys.readouterr().err
        assert f"accept it with --accept {acknowledgement.TEXT_VERSION}: {acknowledgement.TEXT}" in err

    def test_another_version_of_the_text_is_not_accepted(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(served())
        assert accounts.run("acknowledge", "alice", "--accept", "2020-01-01") == 1
        assert f"is not the text as it stands ({acknowledgement.TEXT_VERSION})" in capsys.readouterr().err


_KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
