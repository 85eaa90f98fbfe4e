"""A team's provider with a key, and the policy that guards it."""

import base64
import json
from typing import Any

from tests.operator.process import head, until
from tests.operator.progressive.proxies import Proxies

from headgate_api.snapshot import CHUNK_KEY, Snapshot, parse_head, unpack
from headgate_dev.cluster import Cluster
from headgate_dev.release import NAMESPACE


def secret(value: str = "not-a-real-key") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"value": value}}


def provider(*models: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "LLMProvider",
        "metadata": {"name": "vendor", **metadata},
        "spec": {
            "protocol": "Anthropic",
            "endpoint": "https://api.vendor.example",
            "models": [{"name": name} for name in models],
            "auth": {"modes": ["APIKey"], "apiKey": {"importSecretRef": {"name": "key", "key": "value"}}},
        },
    }


def policy(*steps: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "careful"},
        "spec": {
            "targets": [{"kind": "LLMProvider", "name": "vendor"}],
            "steps": list(steps),
            "approval": {"distinctFromAuthor": False},
            **spec,
        },
    }


class Team:
    """One namespace, as the people in it see it."""

    def __init__(self, cluster: Cluster, namespace: str, proxies: Proxies) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.proxies = proxies

    @property
    def key(self) -> str:
        return f"{self.namespace}/careful"

    def apply(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            self.cluster.apply(body, namespace=self.namespace)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.get("rolloutpolicy/careful", "-n", self.namespace).get("status", {})
        return found

    def head(self) -> dict[str, Any]:
        return head(self.cluster) or {}

    def split(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.head().get("rollouts", {}).get(self.key)
        return found

    def snapshot(self) -> Snapshot:
        parsed = parse_head(json.dumps(self.head()))
        chunks = {}
        for digest in parsed.chunks:
            body = self.cluster.get(f"configmap/headgate-chunk-{digest[:40]}", "-n", NAMESPACE)
            chunks[digest] = base64.b64decode(body["binaryData"][CHUNK_KEY])
        return unpack(parsed, chunks)

    def served(self) -> tuple[list[str] | None, list[str] | None]:
        """Return the models of the stable and of the candidate form."""
        for entry in self.snapshot().providers:
            if (entry.namespace, entry.name) == (self.namespace, "vendor"):
                forms = (entry.stable, entry.candidate)
                stable, candidate = ([m.name for m in f.spec.models] if f is not None else None for f in forms)
                return stable, candidate
        return None, None

    def revisions(self) -> dict[str, int]:
        listed = self.cluster.kubectl(
            "get",
            "controllerrevisions",
            "-n",
            self.namespace,
            "-l",
            "headgate.dev/revision-of-kind=LLMProvider",
            "-o",
            "json",
        )
        return {
            item["metadata"]["labels"]["headgate.dev/revision"]: item["revision"]
            for item in json.loads(listed)["items"]
        }

    def until(self, look: Any, *, what: str, seconds: float = 40.0) -> Any:
        """Wait while the proxies go on reporting."""

        def again() -> Any:
            self.proxies.sync()
            return look()

        try:
            return until(again, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the policy says {json.dumps(self.status())[:3000]}") from None

    def adopted(self) -> None:
        """Wait until the policy has secured what is served, and nothing is under way."""
        self.until(lambda: self.status().get("stableRevision") and not self.status().get("rollout"), what="adoption")

    def annotate(self, kind: str, name: str, **annotations: str) -> None:
        pairs = [f"headgate.dev/{key.replace('_', '-')}={value}" for key, value in annotations.items()]
        self.cluster.kubectl("annotate", kind, name, "-n", self.namespace, "--overwrite", *pairs)
