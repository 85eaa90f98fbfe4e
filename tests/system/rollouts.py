"""A guarded provider in the system tests: the policy, who approves, and what a platform engineer reads of it."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate_api import names
from headgate_dev.release import NAMESPACE as SYSTEM
from headgate_dev.traffic import Round, Traffic

from .tenant import MODEL, Tenant

APPROVAL: dict[str, Any] = {"approval": {}}
AUDIENCE: dict[str, Any] = {"audience": {"serviceAccounts": [{"name": "tester"}]}}
ALL: dict[str, Any] = {"weight": 100, "analysis": False}


@dataclass
class Guard:
    """A RolloutPolicy of a tenant; carol may approve, alice makes the changes."""

    tenant: Tenant
    name: str = "careful"

    @classmethod
    def create(
        cls, tenant: Tenant, *steps: dict[str, Any], targets: list[dict[str, Any]] | None = None, **spec: Any
    ) -> "Guard":
        guard = cls(tenant)
        cluster, namespace = tenant.cluster, tenant.namespace
        cluster.kubectl("create", "serviceaccount", "-n", namespace, "tester")
        carol = ("--clusterrole=headgate-approver", f"--user={guard.carol}")
        cluster.kubectl("create", "rolebinding", "-n", namespace, "carol", *carol)
        guard.apply(*steps, targets=targets, **spec)
        return guard

    @property
    def carol(self) -> str:
        return f"carol-{self.tenant.namespace}"

    @property
    def alice(self) -> str:
        return f"alice-{self.tenant.namespace}"

    def apply(self, *steps: dict[str, Any], targets: list[dict[str, Any]] | None = None, **spec: Any) -> None:
        """Apply the policy, and wait until it has taken hold of its targets."""
        manifest = {
            "apiVersion": names.API_VERSION,
            "kind": "RolloutPolicy",
            "metadata": {"name": self.name},
            "spec": {"targets": targets or [{"name": "anthropic"}], "steps": list(steps), **spec},
        }
        self.tenant.cluster.apply(manifest, namespace=self.tenant.namespace)
        self.wait("condition=Accepted")

    def change(self, **spec: Any) -> None:
        """Have alice apply the provider with these fields of its spec."""
        self.tenant.provider(wait=False, as_user=self.alice, **spec)

    def wait(self, condition: str, timeout: float = 40.0) -> None:
        try:
            self.tenant.wait(f"rolloutpolicy/{self.name}", condition, timeout)
        except Exception as error:
            raise AssertionError(f"not {condition}: {self.story()}") from error

    def story(self) -> str:
        """What a person would look at: the status, and the end of the operator's log."""
        logs = [self.tenant.cluster.pod_log(SYSTEM, pod) for pod in self.tenant.headgate.operator_pods()]
        return "\n".join([str(self.status()), *(line for log in logs for line in log.splitlines()[-15:])])

    def wait_until(self, what: str, holds: Callable[[dict[str, Any]], bool], timeout: float = 40.0) -> dict[str, Any]:
        """Look at the status until it ``holds``; return it."""
        deadline = time.monotonic() + timeout
        while not holds(status := self.status()):
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}; {self.story()}"
            time.sleep(0.1)
        return status

    def awaiting(self, step: int) -> dict[str, Any]:
        """Wait until an approval of this step is awaited; return the status."""
        return self.wait_until(
            f"approval of step {step} awaited",
            lambda s: (s.get("step") or {}).get("kind") == "Approval" and s["step"]["index"] == step,
        )

    def status(self) -> dict[str, Any]:
        found = self.tenant.cluster.get(f"rolloutpolicy/{self.name}", "-n", self.tenant.namespace)
        return dict(found.get("status") or {})

    def approve(self, as_user: str | None = None) -> None:
        """Approve what is awaited now."""
        status = self.status()
        self.annotate(
            names.ANNOTATION_APPROVE,
            f"{status['canaryRevision']}/{status['step']['index']}",
            as_user=as_user or self.carol,
        )

    def headgate(self, *arguments: str, as_user: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``headgate`` as a person at a terminal would."""
        kubeconfig = ("--kubeconfig", str(self.tenant.cluster.kubeconfig))
        who = ("--as", as_user) if as_user else ()
        program = str(Path(sys.executable).with_name("headgate"))
        command = [program, *arguments, "-n", self.tenant.namespace, *kubeconfig, *who]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def abort(self) -> None:
        self.annotate(names.ANNOTATION_ABORT, self.status()["canaryRevision"], as_user=self.carol)

    def annotate(self, annotation: str, value: str, as_user: str | None = None) -> str:
        where = (f"rolloutpolicy/{self.name}", "-n", self.tenant.namespace)
        return self.tenant.cluster.kubectl("annotate", *where, "--overwrite", f"{annotation}={value}", as_user=as_user)

    def ended(self, outcome: str, timeout: float = 40.0) -> dict[str, Any]:
        """Wait until the last rollout has ended like this; return its entry in the history."""
        status = self.wait_until(
            f"ended {outcome}",
            lambda s: (
                s.get("canaryRevision") is None and bool(s.get("history")) and s["history"][0]["outcome"] == outcome
            ),
            timeout,
        )
        return dict(status["history"][0])

    def ask(self, sessions: int = 40, service_account: str = "agent") -> Round:
        """Have sessions ask once each, by way of both stable proxies."""
        token = self.tenant.token(service_account=service_account)
        return Traffic(tuple(self.tenant.headgate.urls().values()), token, MODEL, sessions).round()

    def ask_until(
        self, what: str, holds: Callable[[dict[str, Any]], bool], sessions: int = 100, timeout: float = 60.0
    ) -> list[Round]:
        """Keep asking until the status holds; return every round."""
        rounds, deadline = [], time.monotonic() + timeout
        while True:
            rounds.append(self.ask(sessions))
            status = self.status()
            if holds(status):
                return rounds
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}; {self.story()}"
