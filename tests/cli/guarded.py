"""A policy on the real API server whose status the test writes, as the operator would, and the command run against it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate_api.clock import ManualClock
from headgate_api.resources import LLMProviderSpec
from headgate_api.revisions import ProviderBundle, revision_labels, revision_name
from headgate_api.snapshot import CredentialPointer, ProviderForm
from headgate_cli.main import main
from headgate_dev.cluster import Cluster

from . import objects

PROVIDER = {
    "protocol": "Anthropic",
    "endpoint": "https://api.anthropic.com",
    "models": [{"name": "claude-test"}],
    "auth": {"modes": ["APIKey"], "apiKey": {"importSecretRef": {"name": "anthropic-key", "key": "key"}}},
}


@dataclass
class Guarded:
    """The policy ``careful`` of a namespace."""

    cluster: Cluster
    namespace: str
    clock: ManualClock = field(default_factory=lambda: ManualClock(objects.NOW))

    def create(self) -> None:
        body = objects.body({}, self.namespace)
        del body["status"]
        self.cluster.apply(body)
        self.write(objects.awaiting())
        changed = PROVIDER | {"headers": {"x-team": "team-a"}}
        self._keep("LLMProvider", "anthropic", objects.STABLE, _bundle(PROVIDER, 3))
        self._keep("LLMProvider", "anthropic", objects.CONTENT, _bundle(changed, 4))
        self._keep("RolloutPolicy", "careful", objects.PINNED, {"kind": "RolloutPolicy", "spec": objects.SPEC})

    def write(self, status: dict[str, Any], name: str = "careful", kind: str = "rolloutpolicy") -> None:
        """Replace the status, as the operator does."""
        patch = json.dumps([{"op": "add", "path": "/status", "value": status}])
        where = (f"{kind}/{name}", "-n", self.namespace)
        self.cluster.kubectl("patch", *where, "--subresource=status", "--type=json", f"--patch={patch}")

    def annotations(self, resource: str = "rolloutpolicy/careful") -> dict[str, str]:
        return dict(self.cluster.get(resource, "-n", self.namespace)["metadata"].get("annotations") or {})

    def run(self, *arguments: str, kubeconfig: Path | None = None) -> int:
        """Run ``headgate ARGUMENTS`` in the namespace, as the admin unless another kubeconfig is given."""
        return main([*arguments, "-n", self.namespace, "--kubeconfig", str(kubeconfig or self.cluster.kubeconfig)])

    def person(self, name: str, *verbs: str) -> Path:
        """Return the kubeconfig of a real user who may do this to RolloutPolicies here."""
        name = f"{name}-{self.namespace}"
        rights = (f"--verb={','.join(verbs)}", "--resource=rolloutpolicies.headgate.dev")
        self.cluster.kubectl("create", "role", name, "-n", self.namespace, *rights)
        self.cluster.kubectl("create", "rolebinding", name, "-n", self.namespace, f"--role={name}", f"--user={name}")
        return self.cluster.kubeconfig_for_user(name)

    def _keep(self, kind: str, name: str, revision: str, data: dict[str, Any]) -> None:
        self.cluster.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": {
                    "name": revision_name(kind, name, revision),
                    "namespace": self.namespace,
                    "labels": revision_labels(kind, name, revision),
                },
                "revision": 1,
                "data": data,
            }
        )


def _bundle(spec: dict[str, Any], key_version: int) -> dict[str, Any]:
    form = ProviderForm(
        revision=f"form-{key_version}",
        spec=LLMProviderSpec.model_validate(spec),
        api_key=CredentialPointer(path="x/llmproviders/anthropic/api-key", version=key_version),
    )
    return ProviderBundle(provider=form).to_wire()
