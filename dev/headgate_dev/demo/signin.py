"""The demo's act of sign-in: a person signs a plan in by a pasted code, has its token renewed, and ends it again."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from headgate_api import acknowledgement
from headgate_api.names import head_name
from headgate_dev.cluster import Cluster
from headgate_dev.demo import cast
from headgate_dev.demo.stage import Stage
from headgate_dev.emulator import EmulatorThread
from headgate_dev.release import NAMESPACE
from headgate_runtime.trusting_tls import client_context

_ACCOUNT: Final = "bob"
_ADDRESS: Final = re.compile(r"https://\S+/oauth/authorize\?\S+")
_CODE: Final = re.compile(r"[\w.~-]+#[\w.~-]+")


class SignInAct:
    """Plays on what the first act left behind: provider ``anthropic``, whose first account was revoked at the vendor."""

    def __init__(self, stage: Stage, cluster: Cluster, vendor: EmulatorThread, ask: Callable[[str, str], str]) -> None:
        """``ask`` runs an agent pod: its name, its prompt."""
        self._stage = stage
        self._cluster = cluster
        self._vendor = vendor
        self._ask = ask

    def run(self) -> None:
        """Play every scene; raises what went wrong."""
        self._sign_in()
        self._renew()
        self._revoke()

    def _sign_in(self) -> None:
        self._stage.step(f"{_ACCOUNT} signs a plan in: the vendor's page shows a code, and {_ACCOUNT} pastes it")
        self._let_in()
        with tempfile.TemporaryDirectory() as folder:
            profile = Path(folder) / "oauth.yaml"
            profile.write_text(cast.profile(self._vendor.url, self._vendor.ca_pem))
            self._log_in(
                "login", _ACCOUNT, "--provider=anthropic", f"--email={_ACCOUNT}@example.com", "--subject=agent",
                f"--oauth-file={profile}", "--method=paste", f"--accept={acknowledgement.TEXT_VERSION}",
            )  # fmt: skip
        account = f"subscriptionaccount/{_ACCOUNT}"
        with self._stage.waiting(f"{account}: condition=Ready"):
            self._cluster.wait_for(account, "condition=Ready", namespace=cast.NAMESPACE)
        self._ask("fourth", "write 12 words")

    def _renew(self) -> None:
        self._stage.step(f"{_ACCOUNT} has the access token replaced by a newer one, now")
        self._account("refresh", _ACCOUNT)
        self._account("status", _ACCOUNT)

    def _revoke(self) -> None:
        self._stage.step(f"{_ACCOUNT} ends it: the vendor is told, Vault forgets, and the same request goes by API key")
        self._account("revoke", _ACCOUNT, "--yes")
        self._ask("fifth", "write 12 words")

    def _let_in(self) -> None:
        """Give the person what a platform engineer would: their namespace, the verb signin, and sight of the broker."""
        only = f"--resource-name={head_name('default')}"
        bob, theirs = f"--user={_ACCOUNT}", ("-n", cast.NAMESPACE)
        for command in (
            ("create", "rolebinding", _ACCOUNT, *theirs, "--clusterrole=edit", bob),
            ("create", "rolebinding", f"{_ACCOUNT}-signs", *theirs, "--clusterrole=headgate-signer", bob),
            ("create", "role", "head", "-n", NAMESPACE, "--verb=get", "--resource=configmaps", only),
            ("create", "rolebinding", _ACCOUNT, "-n", NAMESPACE, "--role=head", bob),
        ):  # fmt: skip
            self._cluster.kubectl(*command)

    def _log_in(self, *arguments: str) -> None:
        """Run the sign-in as a person does: open the address that it shows, and give it the code of that page."""
        with self._started(*arguments) as running:
            if running.stderr is None or running.stdin is None or running.stdout is None:
                raise RuntimeError("the command has no pipes")
            for line in running.stderr:
                self._stage.say(line.rstrip())
                if (address := _ADDRESS.search(line)) is not None:
                    running.stdin.write(f"{self._code_at(address[0])}\n")
                    running.stdin.close()
            self._stage.say(running.stdout.read().rstrip())
        if running.returncode:
            raise RuntimeError(f"headgate account login ended with {running.returncode}")

    def _code_at(self, address: str) -> str:
        """Be the person's browser: agree at the vendor, and read the code off its page."""
        with httpx.Client(verify=client_context(self._vendor.ca_pem or ""), follow_redirects=True) as browser:
            found = _CODE.search(browser.get(address).raise_for_status().text)
        if found is None:
            raise RuntimeError("the vendor's page shows no code")
        self._stage.say(f"({_ACCOUNT} agrees on the vendor's page, which shows a code of the form code#state)")
        return found[0]

    def _account(self, *arguments: str) -> None:
        with self._started(*arguments) as running:
            out, err = running.communicate()
        self._stage.say("\n".join(text for text in (err.rstrip(), out.rstrip()) if text))
        if running.returncode:
            raise RuntimeError(f"headgate account {arguments[0]} ended with {running.returncode}")

    def _started(self, *arguments: str) -> "subprocess.Popen[str]":
        shown = [a if not a.startswith("--oauth-file") else "--oauth-file=oauth.yaml" for a in arguments]
        self._stage.command(f"kubectl headgate account {' '.join(shown)} -n {cast.NAMESPACE} --as {_ACCOUNT}")
        program = Path(sys.executable).with_name("headgate")
        return subprocess.Popen(
            [program, "account", *arguments, "-n", cast.NAMESPACE, "--kubeconfig", self._cluster.kubeconfig, "--as", _ACCOUNT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
