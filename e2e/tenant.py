"""A team on the cluster: its namespace, its provider and account, and an agent pod that calls through the Service."""

import json
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from headgate_api import acknowledgement
from headgate_dev.cluster import CommandError
from headgate_dev.emulator import TokenState
from headgate_dev.realnode import RealCluster

from .headgate import SERVICE_URL, Headgate, story
from .manifests import RESTRICTED_CONTAINER, RESTRICTED_POD, namespace
from .vendor import Vendor

MODEL = "claude-sonnet-4-5"
_AGENT = Path(__file__).parent / "agent.py"
_TRAFFIC = Path(__file__).parent / "traffic.py"
_TOKEN_FILE = "/var/run/secrets/headgate/token"


@dataclass(frozen=True)
class Tenant:
    """One namespace; alice administers it."""

    cluster: RealCluster
    headgate: Headgate
    vendor: Vendor
    namespace: str

    @classmethod
    def create(cls, cluster: RealCluster, headgate: Headgate, vendor: Vendor) -> Self:
        """Make the namespace and the agent's pod."""
        tenant = cls(cluster, headgate, vendor, f"team-{uuid.uuid4().hex[:6]}")
        cluster.apply(namespace(tenant.namespace))
        admin = ["--clusterrole=cluster-admin", f"--user={tenant.alice}"]
        cluster.kubectl("create", "rolebinding", "-n", tenant.namespace, "alice", *admin)
        cluster.apply([tenant._object("v1", "ServiceAccount", "agent"), tenant._agent_pod()])
        cluster.wait_for("pod/agent", "condition=Ready", namespace=tenant.namespace)
        return tenant

    @property
    def alice(self) -> str:
        return f"alice@{self.namespace}"

    def ask(self, prompt: str, url: str = SERVICE_URL) -> Any:
        """Have the agent stream one message; return what it saw: {status, text, error, headers}."""
        return self._run(_AGENT, AGENT_URL=url, AGENT_PROMPT=prompt)

    def traffic(self, sessions: int, url: str = SERVICE_URL) -> Counter[tuple[str, int]]:
        """Have the agent ask once in each of these sessions; return how often each (track, status) answered."""
        said = self._run(_TRAFFIC, AGENT_URL=url, AGENT_SESSIONS=str(sessions))
        return Counter({(track, status): count for track, status, count in said})

    def _run(self, script: Path, **settings: str) -> Any:
        environment = [f"{name}={value}" for name, value in settings.items()]
        environment += [f"AGENT_MODEL={MODEL}", f"AGENT_TOKEN_FILE={_TOKEN_FILE}"]
        said = self.cluster.kubectl(
            "exec", "-i", "-n", self.namespace, "agent", "--", "env", *environment, "python3", "-",
            input=script.read_text(),
        )  # fmt: skip
        return json.loads(said)

    def use_api_key(self, spec: dict[str, Any] | None = None, as_user: str | None = None, **auth: Any) -> None:
        """Apply a provider with an API key, with ``auth`` and fields of ``spec`` over it; wait until it is Ready."""
        self.vendor.tokens(add_api_keys=[self.vendor.api_key])
        key = {"importSecretRef": {"name": "vendor-key", "key": "key"}}
        whole = {
            "protocol": "Anthropic",
            "endpoint": self.vendor.url,
            "tls": {"caBundle": self.vendor.ca_pem},
            "models": [{"name": MODEL}],
            "auth": {"modes": ["APIKey"], "apiKey": key, **auth},
            **(spec or {}),
        }
        provider = self._object("headgate.dev/v1alpha1", "LLMProvider", "anthropic", spec=whole)
        self.cluster.apply([self._secret("vendor-key", key=self.vendor.api_key), provider], as_user=as_user)
        self.wait("llmprovider/anthropic")

    def use_subscription(self) -> None:
        """Apply a provider that prefers alice's plan and may fall back when it is revoked; alice opts in for the agent."""
        token = self.vendor.oauth_token
        self.vendor.tokens(oauth_tokens={token: TokenState.VALID})
        grant = {"accessToken": token, "refreshToken": "emulated-refresh", "expiresAt": 4102444800000}
        file = json.dumps({"claudeAiOauth": {**grant, "scopes": ["user:inference"]}})
        spec = {
            "providerRef": {"name": "anthropic"},
            "owner": {"email": "alice@example.com", "subjects": [{"name": "agent"}]},
            "credential": {"importSecretRef": {"name": "alice", "key": "credentials.json"}},
            "acknowledgement": {
                "by": self.alice,
                "at": "2026-11-21T08:00:00Z",
                "textVersion": acknowledgement.TEXT_VERSION,
            },
        }
        self.cluster.apply(self._secret("alice", **{"credentials.json": file}))
        account = self._object("headgate.dev/v1alpha1", "SubscriptionAccount", "alice", spec=spec)
        self.cluster.apply(account, as_user=self.alice)
        self.use_api_key(modes=["Subscription", "APIKey"], fallback={"revoked": "Allow"})
        self.wait("subscriptionaccount/alice")
        self.wait("llmprovider/anthropic", "jsonpath={.status.accounts}=1")

    def wait(self, resource: str, condition: str = "condition=Ready") -> None:
        """Wait for a condition of one of the team's objects; show what happened when it does not come."""
        try:
            self.cluster.wait_for(resource, condition, namespace=self.namespace, timeout=60)
        except CommandError as error:
            said = self.cluster.kubectl("get", resource, "-n", self.namespace, "-o", "yaml", check=False)
            raise AssertionError(f"{resource}: not {condition}: {error}\n{said}\n{story(self.cluster)}") from error

    def _agent_pod(self) -> dict[str, Any]:
        token = {"path": "token", "audience": "headgate", "expirationSeconds": 600}
        folder, _, _ = _TOKEN_FILE.rpartition("/")
        container = {
            "name": "agent",
            "image": self.cluster.image,
            "imagePullPolicy": "Never",
            "command": ["sleep", "infinity"],
            "securityContext": RESTRICTED_CONTAINER,
            "volumeMounts": [{"name": "token", "mountPath": folder, "readOnly": True}],
        }
        spec = {
            "serviceAccountName": "agent",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {**RESTRICTED_POD, "fsGroup": 65532},
            "containers": [container],
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}}],
        }
        return self._object("v1", "Pod", "agent", spec=spec)

    def _secret(self, name: str, **data: str) -> dict[str, Any]:
        return self._object("v1", "Secret", name, stringData=data)

    def _object(self, version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}
