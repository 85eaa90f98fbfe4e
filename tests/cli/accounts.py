"""Accounts on the real API server whose status the test writes, as the operator would, and the commands run against them."""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_cli.console import Console
from headgate_cli.main import main
from headgate_cli.view.style import Style
from headgate_dev.cluster import Cluster, CommandError

NOW = "2026-03-01T12:00:00Z"
ACCESS, REFRESH = "emulated-" + "access" * 3, "emulated-" + "refresh" * 3
CLAUDE = {
    "claudeAiOauth": {"accessToken": ACCESS, "refreshToken": REFRESH, "expiresAt": 4_000_000_000_000, "scopes": []}
}
CODEX = {"tokens": {"access_token": ACCESS, "refresh_token": REFRESH, "account_id": "org-emulated"}}
GEMINI = {"access_token": ACCESS, "refresh_token": REFRESH, "expiry_date": 4_000_000_000_000, "scope": "a b"}
GRANT = "0123456789abcdef"
OAUTH = {
    "tokenEndpoint": "https://auth.vendor.example/oauth/token",
    "authorizationEndpoint": "https://vendor.example/oauth/authorize",
    "redirectURI": "https://vendor.example/oauth/code",
    "deviceAuthorizationEndpoint": "https://auth.vendor.example/oauth/device",
    "clientId": "registered-for-this-installation",
}
ACCEPT = ("--accept", acknowledgement.TEXT_VERSION)
DESCRIBED = ("--provider", "anthropic", "--email", "alice@example.com", "--subject", "agent")


def condition(kind: str, status: str, reason: str, message: str = "because") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}


def served(grant: str = GRANT, *, generation: int = 1, **more: Any) -> dict[str, Any]:
    """The status of an account that requests may use."""
    return {
        "observedGeneration": 99,
        "generation": generation,
        "credential": {"version": 1, "grantId": grant, **more.pop("credential", {})},
        "conditions": [
            condition("Ready", "True", "Ready"),
            condition("CredentialValid", "True", "Valid"),
            condition("RefreshHealthy", "True", "Scheduled"),
            condition("Suspended", "False", "Active"),
        ],
        **more,
    }


@dataclass
class Accounts:
    """The provider ``anthropic`` of a namespace and, where a test makes it, the account ``alice``."""

    cluster: Cluster
    namespace: str

    def provider(self, name: str = "anthropic", protocol: str = "Anthropic") -> None:
        spec = {
            "protocol": protocol,
            "endpoint": "https://api.vendor.example",
            "models": [{"name": "model-test"}],
            "auth": {"modes": ["Subscription"]},
            **({"apis": ["Codex"]} if protocol == "OpenAI" else {}),
        }
        self._apply("LLMProvider", name, spec)

    def account(self, status: dict[str, Any] | None = None, **spec: Any) -> None:
        described = {
            "providerRef": {"name": "anthropic"},
            "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
            **spec,
        }
        self._apply("SubscriptionAccount", "alice", described)
        if status is not None:
            self.write(status)

    def write(self, status: dict[str, Any]) -> None:
        """Replace the status of alice, as the operator does."""
        patch = json.dumps([{"op": "add", "path": "/status", "value": status}])
        where = ("subscriptionaccount/alice", "-n", self.namespace)
        self.cluster.kubectl("patch", *where, "--subresource=status", "--type=json", f"--patch={patch}")

    def alice(self) -> dict[str, Any]:
        return dict(self.cluster.get("subscriptionaccount/alice", "-n", self.namespace))

    def annotations(self) -> dict[str, str]:
        return dict(self.alice()["metadata"].get("annotations") or {})

    def exists(self, resource: str) -> bool:
        try:
            self.cluster.get(resource, "-n", self.namespace)
        except CommandError:
            return False
        return True

    def secret(self, name: str = "headgate-import-alice") -> dict[str, str]:
        """Return what a Secret holds."""
        data = self.cluster.get(f"secret/{name}", "-n", self.namespace).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def empty(self, name: str = "headgate-import-alice") -> None:
        patch = '[{"op": "remove", "path": "/data"}]'
        self.cluster.kubectl("patch", f"secret/{name}", "-n", self.namespace, "--type=json", f"--patch={patch}")

    def run(self, *arguments: str, kubeconfig: Path | None = None) -> int:
        """Run ``headgate account ARGUMENTS`` in the namespace, as the admin unless another kubeconfig is given."""
        where = ("-n", self.namespace, "--kubeconfig", str(kubeconfig or self.cluster.kubeconfig))
        return main(["account", *arguments, *where])

    def person(self, name: str, **rights: str) -> Path:
        """Return the kubeconfig of a real user with these verbs (comma-separated) on these resources here."""
        for resource, verbs in rights.items():
            role = f"{name}-{resource}"
            named = resource if resource in ("secrets", "configmaps", "pods") else f"{resource}.headgate.dev"
            self.cluster.kubectl("create", "role", role, "-n", self.namespace, f"--verb={verbs}", f"--resource={named}")
            self.cluster.kubectl(
                "create", "rolebinding", role, "-n", self.namespace, f"--role={role}", f"--user={name}"
            )
        return self.cluster.kubeconfig_for_user(name)

    def _apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        body = {"apiVersion": "headgate.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.cluster.apply(body, namespace=self.namespace)


class Playing:
    """Plays the operator on a thread: once ``ready`` says so, ``act``. Joins, and raises what went wrong, on exit."""

    def __init__(self, ready: Callable[[], bool], act: Callable[[], None]) -> None:
        self._ready, self._act = ready, act
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _play(self) -> None:
        deadline = time.monotonic() + 30
        try:
            while not self._ready():
                assert time.monotonic() < deadline, "the command never did what the operator waits for"
                time.sleep(0.05)
            self._act()
        except BaseException as error:
            self._error = error


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Sit at the terminal and give these answers; return the questions as they are asked."""
    asked: list[str] = []
    left = list(answers)

    def ask(question: str) -> str:
        asked.append(question)
        return left.pop(0)

    genuine = Console.of_process

    def of_process(as_json: bool) -> Console:
        made = genuine(as_json)
        return Console(made.out, made.err, Style(), as_json, ask)

    monkeypatch.setattr(Console, "of_process", of_process)
    return asked
