"""A namespace with people in it, a guarded provider, and the operator's hand, which alone writes status."""

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from tests.resources.manifests import PROVIDER, changed

from headgate_dev.cluster import Cluster, CommandError
from headgate_dev.release import NAMESPACE

OPERATOR: Final = f"system:serviceaccount:{NAMESPACE}:headgate-operator"
GITOPS: Final = "system:serviceaccount:argocd:controller"
EDITOR: Final = "ann"
APPROVERS: Final = ("ivy", "joe", "kim")
REVISION: Final = "0123456789abcdef-7"
AT: Final = "2026-11-21T08:00:00Z"


def policy(name: str = "claude", *, approve: str | None = None, **approval: Any) -> dict[str, Any]:
    """A RolloutPolicy for the provider ``anthropic`` with two approvals; ``approval`` goes into spec.approval."""
    steps: list[dict[str, Any]] = [
        {"audience": {"serviceAccounts": [{"name": "tester"}]}},
        {"approval": {"description": "look at the testers' results"}},
        {"weight": 10, "hold": "1m"},
        {"approval": {}},
        {"weight": 100},
    ]
    metrics = [{"name": "ErrorRate", "max": 5}]
    spec: dict[str, Any] = {
        "targets": [{"kind": "LLMProvider", "name": "anthropic"}],
        "steps": steps,
        "analysis": {"metrics": metrics},
    }
    if approval:
        spec["approval"] = approval
    metadata: dict[str, Any] = {"name": name}
    if approve is not None:
        metadata["annotations"] = {"headgate.dev/approve": approve}
    return {"apiVersion": "headgate.dev/v1alpha1", "kind": "RolloutPolicy", "metadata": metadata, "spec": spec}


def awaiting(
    step: int = 1, *, kind: str = "Approval", authors: tuple[str, ...] = (), approved: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The status of a policy whose rollout stands at ``step``; ``approved``: who approved it already."""
    return {
        "conditions": [],
        "sequence": 7,
        "canaryRevision": REVISION,
        "step": {
            "index": step,
            "kind": kind,
            "reason": "AwaitingApproval" if kind == "Approval" else "Holding",
            "message": "as the operator would say",
            "since": AT,
            "deadline": "2026-11-22T08:00:00Z",
            "nextAction": "as the operator would say",
        },
        "rollout": {
            "revision": REVISION,
            "content": REVISION.partition("-")[0],
            "policyRevision": "p",
            "started": AT,
            "deadline": "2026-11-24T08:00:00Z",
            "authors": list(authors),
            "targets": [{"kind": "LLMProvider", "name": "anthropic", "candidate": "c"}],
            "approvals": [{"revision": REVISION, "step": step, "by": by, "at": AT} for by in approved],
        },
    }


@dataclass(frozen=True)
class Team:
    """One namespace. Ann edits; ivy, joe and kim edit and approve; a GitOps ServiceAccount edits and approves too."""

    cluster: Cluster
    namespace: str

    @classmethod
    def create(cls, cluster: Cluster, namespace: str) -> Self:
        team = cls(cluster, namespace)
        everyone = [f"--user={user}" for user in (EDITOR, *APPROVERS)] + ["--serviceaccount=argocd:controller"]
        team.bind("editors", "headgate-editor", *everyone)
        team.bind("approvers", "headgate-approver", *everyone[1:])
        key = changed(PROVIDER, "spec.auth.apiKey", {})
        cluster.apply(key, namespace=namespace, as_user=EDITOR)
        return team

    def bind(self, name: str, role: str, *subjects: str) -> None:
        self.cluster.kubectl("create", "rolebinding", name, "-n", self.namespace, f"--clusterrole={role}", *subjects)

    def create_policy(self, manifest: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> None:
        """Create the policy as ann, and give it the status as the operator."""
        manifest = manifest or policy()
        self.cluster.apply(manifest, namespace=self.namespace, as_user=EDITOR)
        if status is not None:
            self.set_status(status, manifest["metadata"]["name"])

    def set_status(self, status: dict[str, Any], name: str = "claude", user: str = OPERATOR) -> None:
        self.patch(f"rolloutpolicy/{name}", {"status": status}, user, "--subresource=status")

    def patch(self, resource: str, change: dict[str, Any], user: str, *flags: str) -> str:
        patch = ("--type=merge", "--patch", json.dumps(change))
        return self.cluster.kubectl("patch", resource, "-n", self.namespace, *patch, *flags, as_user=user)

    def annotate(self, resource: str, user: str, **annotations: str | None) -> str:
        """Set headgate.dev annotations, whose dashes are underscores here; None removes one."""
        values = {f"headgate.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        return self.patch(resource, {"metadata": {"annotations": values}}, user)

    def approve(self, user: str, approve: str = f"{REVISION}/1", by: str | None = None) -> str:
        """Approve as kubectl headgate does: with one's own name."""
        return self.annotate("rolloutpolicy/claude", user, approve=approve, approved_by=user if by is None else by)

    def annotation(self, resource: str, name: str) -> str | None:
        found = self.cluster.get(resource, "-n", self.namespace)["metadata"].get("annotations", {})
        value = found.get(f"headgate.dev/{name}")
        return None if value is None else str(value)

    def delete(self, resource: str, user: str) -> str:
        return self.cluster.kubectl("delete", resource, "-n", self.namespace, "--wait=false", as_user=user)


def refusal(error: CommandError) -> str:
    """What the API server said, in one line."""
    return " ".join(str(error).split())
