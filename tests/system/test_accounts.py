"""An owner's commands on the whole system: import, sign-in in a browser, refresh, suspension, revocation, deletion."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate_api import acknowledgement
from headgate_api.clock import SystemClock
from headgate_cli.console import Console
from headgate_cli.main import main
from headgate_cli.view.style import Style
from headgate_dev.emulator import EmulatorThread, ServerTLS
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client, OAuthServer, WithOAuth
from headgate_dev.host.network import free_ports
from headgate_dev.release import NAMESPACE

from .tenant import Tenant, eventually

CLIENT = "not-a-real-client"
(PORT,) = free_ports(1)
REDIRECT = f"http://localhost:{PORT}/callback"


@pytest.fixture
def oauth() -> OAuthServer:
    return OAuthServer(Client(CLIENT, redirect_uris=(REDIRECT,)))


@pytest.fixture
def vendor(tls: ServerTLS, oauth: OAuthServer) -> Iterator[EmulatorThread]:
    with EmulatorThread(vendor=WithOAuth(Anthropic(), oauth), tls=tls) as running:
        yield running


class Owner:
    """Alice at her terminal: she may do everything in her namespace, and read the head in the operator's."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.tenant, self.folder = tenant, folder
        self.user = f"alice-{tenant.namespace}"
        self._kubeconfig = str(tenant.cluster.kubeconfig_for_user(self.user))
        names = ("--verb=get", "--resource=configmaps", "--resource-name=headgate-head-default")
        kubectl = tenant.cluster.kubectl
        kubectl("create", "role", self.user, "-n", NAMESPACE, *names)
        kubectl("create", "rolebinding", self.user, "-n", NAMESPACE, f"--role={self.user}", f"--user={self.user}")

    def run(self, *arguments: str) -> int:
        return main(["account", *arguments, "-n", self.tenant.namespace, "--kubeconfig", self._kubeconfig])

    def describe(self) -> tuple[str, ...]:
        """Return the options that describe the account, its profile in a file."""
        vendor = self.tenant.vendor
        profile = {
            "tokenEndpoint": f"{vendor.url}/oauth/token",
            "authorizationEndpoint": f"{vendor.url}/oauth/authorize",
            "revocationEndpoint": f"{vendor.url}/oauth/revoke",
            "redirectURI": REDIRECT,
            "clientId": CLIENT,
            "tls": {"caBundle": vendor.ca_pem},
        }
        path = self.folder / "oauth.yaml"
        path.write_text(json.dumps(profile))
        described = ("--provider", "anthropic", "--email", "alice@example.com", "--subject", "agent")
        return (*described, "--oauth-file", str(path), "--accept", acknowledgement.TEXT_VERSION)

    def serves(self) -> bool:
        answer = self.tenant.message()
        return answer.status_code == 200 and answer.headers["x-headgate-auth-mode"] == "Subscription"


@pytest.fixture
def owner(tenant: Tenant, tmp_path: Path) -> Owner:
    tenant.provider(auth={"modes": ["Subscription"]}, wait=False)
    return Owner(tenant, tmp_path)


@pytest.fixture
def browser(vendor: EmulatorThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A terminal with a browser beside it, in which its owner agrees at once; the pages it ended at."""
    pages: list[str] = []
    threads: list[threading.Thread] = []

    def follow(url: str) -> None:
        trusting = httpx.Client(verify=_trusting(vendor), follow_redirects=True)
        with trusting:
            pages.append(trusting.get(url).text)

    def opened(url: str) -> bool:
        threads.append(threading.Thread(target=follow, args=(url,)))
        threads[-1].start()
        return True

    genuine = Console.of_process

    def of_process(as_json: bool) -> Console:
        made = genuine(as_json)
        return Console(made.out, made.err, Style(), as_json, lambda _: "")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", opened)
    monkeypatch.setattr(Console, "of_process", of_process)
    yield pages
    for thread in threads:
        thread.join()


def _trusting(vendor: EmulatorThread) -> Any:
    from headgate_runtime.trusting_tls import client_context

    return client_context(vendor.ca_pem or "")


def test_an_imported_plan_serves_at_once_and_its_owner_rules_it(
    owner: Owner, oauth: OAuthServer, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor = owner.tenant.vendor
    issued = oauth.grants.begin(CLIENT, "user:inference", SystemClock().now(), vendor.credentials)
    tokens = {"accessToken": issued.access_token, "refreshToken": issued.refresh_token, "expiresAt": 4_000_000_000_000}
    file = owner.folder / "credentials.json"
    file.write_text(json.dumps({"claudeAiOauth": {**tokens, "scopes": ["user:inference"]}}))

    assert owner.run("import", "alice", str(file), *owner.describe()) == 0
    owner.tenant.wait("subscriptionaccount/alice")
    assert owner.serves()
    secret = owner.tenant.cluster.get("secret/headgate-import-alice", "-n", owner.tenant.namespace)
    assert not secret.get("data")

    assert owner.run("refresh", "alice") == 0
    assert "has a new access token, generation 2" in capsys.readouterr().out
    assert owner.run("import", "alice", str(file)) == 0
    assert "was imported before, so the grant in Vault stays as it is" in capsys.readouterr().out

    assert owner.run("suspend", "alice") == 0
    eventually("a suspended account serves nobody", lambda: not owner.serves())
    assert owner.run("refresh", "alice") == 1
    assert owner.run("resume", "alice") == 0
    eventually("a resumed account serves", owner.serves)

    assert owner.run("revoke", "alice", "--yes") == 0
    assert oauth.grants.grants[0].revoked
    assert not owner.serves()
    out = capsys.readouterr()
    assert "the grant is forgotten" in out.out
    for token in (issued.access_token, issued.refresh_token or "none", *oauth.grants.grants[0].access_tokens):
        assert token not in out.out + out.err


def test_a_sign_in_in_the_browser_comes_back_to_the_command_by_itself(
    owner: Owner, oauth: OAuthServer, browser: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert owner.run("login", "alice", *owner.describe()) == 0
    out = capsys.readouterr().out
    assert "signed in: grant" in out and f"is acknowledged by {owner.user}" in out
    eventually("the account serves", owner.serves)
    assert owner.run("status", "alice") == 0
    shown = capsys.readouterr().out
    assert f"by {owner.user} at" in shown and "needed" not in shown
    assert owner.run("delete", "alice", "--revoke", "--yes") == 0
    assert oauth.grants.grants[0].revoked
    assert "Go back to the terminal" in browser[0]
