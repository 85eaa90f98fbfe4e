"""One tenant of the system tests: a namespace, an agent, credentials, and what a platform engineer would do with kubectl."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from headgate_api import acknowledgement
from headgate_dev.cluster import Cluster, CommandError
from headgate_dev.emulator import EmulatorThread, TokenState
from headgate_dev.installation import Installation

MODEL = "claude-sonnet-4-6"


_PROBE = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "LLMProvider",
    "metadata": {"name": "probe"},
    "spec": {
        "protocol": "Anthropic",
        "endpoint": "https://api.vendor.example",
        "models": [{"name": MODEL}],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
    },
}


@dataclass
class Tenant:
    """A namespace with an agent's ServiceAccount, credentials made up on the spot, and ways to apply and call."""

    cluster: Cluster
    headgate: Installation
    vendor: EmulatorThread
    namespace: str
    api_key: str = field(default_factory=lambda: f"emulated-key-{secrets.token_hex(8)}")
    oauth_token: str = field(default_factory=lambda: f"emulated-token-{secrets.token_hex(8)}")

    def judged(self) -> bool:
        """Tell whether admission policies know our kinds: an API server that was restarted says for seconds that they do not."""
        try:
            self.cluster.kubectl(
                "create", "-f", "-", "--dry-run=server", "-n", self.namespace, input=json.dumps(_PROBE)
            )
        except CommandError as error:
            if "There can be a delay" not in str(error):
                raise
            return False
        return True

    def secret(self, name: str, **data: str) -> None:
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data},
            namespace=self.namespace,
        )

    def provider(self, name: str = "anthropic", *, wait: bool = True, as_user: str | None = None, **spec: Any) -> None:
        """Apply an LLMProvider that points at the test's vendor, and wait until it is Ready."""
        manifest = {
            "apiVersion": "headgate.dev/v1alpha1",
            "kind": "LLMProvider",
            "metadata": {"name": name},
            "spec": {
                "protocol": "Anthropic",
                "endpoint": self.vendor.url,
                "tls": {"caBundle": self.vendor.ca_pem},
                "models": [{"name": MODEL}],
                "auth": {"modes": ["APIKey"], "apiKey": {"importSecretRef": {"name": "vendor-key", "key": "key"}}},
                **spec,
            },
        }
        self.cluster.apply(manifest, namespace=self.namespace, as_user=as_user)
        if wait:
            self.wait(f"llmprovider/{name}")

    def with_api_key(self, **spec: Any) -> None:
        """The simplest provider: an API key from a Secret, known to the vendor."""
        self.vendor.api_keys.add(self.api_key)
        self.secret("vendor-key", key=self.api_key)
        self.provider(**spec)

    def with_subscription(
        self, fallback: dict[str, str], *, modes: tuple[str, ...] = ("Subscription", "APIKey")
    ) -> None:
        """A provider with a subscription first, acknowledged by alice for the agent, and the API key second."""
        self.vendor.oauth_tokens[self.oauth_token] = TokenState.VALID
        auth: dict[str, Any] = {"modes": list(modes), "fallback": fallback}
        if "APIKey" in modes:
            self.vendor.api_keys.add(self.api_key)
            self.secret("vendor-key", key=self.api_key)
            auth["apiKey"] = {"importSecretRef": {"name": "vendor-key", "key": "key"}}
        self.provider(auth=auth, wait=False)
        self.account()
        self.wait("subscriptionaccount/alice")
        self.wait("llmprovider/anthropic")

    def account(
        self,
        token: str | None = None,
        *,
        refresh_token: str | None = None,
        expires_at: datetime | None = None,
        acknowledged: bool = True,
        **spec: Any,
    ) -> None:
        """Apply alice's account, credential Secret included; acknowledged by alice herself unless told otherwise."""
        grant = {
            "accessToken": token or self.oauth_token,
            "refreshToken": refresh_token or "emulated-refresh",
            "expiresAt": 4102444800000 if expires_at is None else int(expires_at.timestamp() * 1000),
        }
        self.secret(
            "alice-claude",
            **{"credentials.json": json.dumps({"claudeAiOauth": {**grant, "scopes": ["user:inference"]}})},
        )
        manifest: dict[str, Any] = {
            "apiVersion": "headgate.dev/v1alpha1",
            "kind": "SubscriptionAccount",
            "metadata": {"name": "alice"},
            "spec": {
                "providerRef": {"name": "anthropic"},
                "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
                "credential": {"importSecretRef": {"name": "alice-claude", "key": "credentials.json"}},
                **spec,
            },
        }
        if acknowledged:
            manifest["spec"]["acknowledgement"] = {
                "by": f"alice-{self.namespace}",
                "at": "2026-11-21T08:00:00Z",
                "textVersion": acknowledgement.TEXT_VERSION,
            }
        self.cluster.apply(manifest, namespace=self.namespace, as_user=f"alice-{self.namespace}")

    def wait(self, resource: str, condition: str = "condition=Ready", timeout: float = 40.0) -> None:
        self.cluster.wait_for(resource, condition, namespace=self.namespace, timeout=timeout)

    def condition(self, resource: str, kind: str) -> dict[str, Any]:
        """Return one condition of an object, waiting until it is there."""
        self.wait(resource, f'jsonpath={{.status.conditions[?(@.type=="{kind}")].status}}')
        conditions = self.cluster.get(resource, "-n", self.namespace)["status"]["conditions"]
        return next(c for c in conditions if c["type"] == kind)

    def wait_reason(self, resource: str, kind: str, reason: str, timeout: float = 40.0) -> dict[str, Any]:
        """Wait until a condition has this reason; return the condition."""
        self.wait(resource, f'jsonpath={{.status.conditions[?(@.type=="{kind}")].reason}}={reason}', timeout)
        return self.condition(resource, kind)

    def token(self, audience: str = "headgate", duration: str = "1h", service_account: str = "agent") -> str:
        return self.cluster.create_token(self.namespace, service_account, audience, duration)

    def message(
        self, prompt: str = "hello", *, token: str | None = None, url: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Post one non-streamed message as the agent."""
        headers = {"authorization": f"Bearer {token or self.token()}", "anthropic-version": "2023-06-01"}
        body = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": prompt}], **fields}
        return httpx.post(f"{url or self.headgate.url()}/v1/messages", headers=headers, json=body, timeout=30)

    def stream(self, url: str | None = None, prompt: str = "write 20 words") -> str:
        """Read one streamed message to its end; return the bytes of the events as text."""
        headers = {"authorization": f"Bearer {self.token()}", "anthropic-version": "2023-06-01"}
        messages = [{"role": "user", "content": prompt}]
        body = {"model": MODEL, "max_tokens": 64, "stream": True, "messages": messages}
        target = f"{url or self.headgate.url()}/v1/messages"
        with httpx.stream("POST", target, headers=headers, json=body, timeout=60) as response:
            return "".join(response.iter_text())


def eventually(what: str, holds: Callable[[], bool], timeout: float = 40.0) -> None:
    """Look at a system that has no watch for this until ``holds()`` is true; TimeoutError naming ``what`` otherwise."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.1)
