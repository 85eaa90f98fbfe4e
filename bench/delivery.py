"""``python -m bench.delivery``: how soon every proxy has a new weight, and a rollback, on the development cluster.

The budget is the design's: seen by every reachable proxy within a second. Counted from the annotation that asks for it, as
the API server showed it, and told from the status that decides it too. All proxies, the control plane and this share one machine.
"""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from bench.delivery_watching import Took, Watcher
from headgate_api import names
from headgate_api.clock import SystemClock
from headgate_api.resources import RolloutPolicy
from headgate_dev.cluster import Cluster, ClusterError, CommandError
from headgate_dev.installation import Installation
from headgate_dev.release import NAMESPACE
from headgate_runtime.kube import Kube
from headgate_runtime.kube_settings import KubeSettings

_BUDGET_SECONDS: Final = 1.0
_NAMESPACE: Final = "bench"
_POLICY: Final = "careful"
_ALICE: Final = "alice"
_CAROL: Final = "carol"
_LOW: Final = 1
_HIGH: Final = 5
"""Percent: of twenty proxies, one canary pod bears either, so that no figure waits for a pod to start."""
_STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"approval": {}},
    {"weight": _LOW},
    {"approval": {}},
    {"weight": _HIGH, "hold": "1h"},
    {"weight": 100},
)
_SECOND_APPROVAL: Final = 2
_INSTALL_TIMEOUT: Final = 300.0


@dataclass(slots=True)
class Travels:
    """What was measured of one sort of change."""

    name: str
    took: list[Took] = field(default_factory=list)

    def rows(self) -> list[list[str]]:
        """Return the table's rows: from which moment until every proxy had it, least, median and most."""
        measured = {
            "status decided": [t.everywhere - t.decided for t in self.took],
            "annotation accepted": [t.everywhere - t.accepted for t in self.took],
            "head published": [t.everywhere - t.published for t in self.took],
        }
        return [
            [self.name, since, *(f"{1000 * seconds:.0f}" for seconds in (min(times), median(times), max(times)))]
            for since, times in measured.items()
        ]

    @property
    def met(self) -> bool:
        """Tell whether every try kept to the budget."""
        return all(t.everywhere - t.accepted <= _BUDGET_SECONDS for t in self.took)


class Bench:
    """One cluster with Headgate, a guarded provider, and who changes, approves and aborts."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._headgate = Installation(cluster)
        self._clock = SystemClock()
        self._changes = 0

    def prepare(self) -> None:
        """Create the tenant, the people and the Secret with a key that nobody will use."""
        kubectl = self._cluster.kubectl
        kubectl("create", "namespace", _NAMESPACE)
        for user, role in ((_ALICE, "cluster-admin"), (_CAROL, "headgate-approver")):
            kubectl("create", "rolebinding", user, "-n", _NAMESPACE, f"--clusterrole={role}", f"--user={user}")
        key = {"key": f"emulated-key-{secrets.token_hex(8)}"}
        self._apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vendor-key"}, "stringData": key})

    def install(self, proxies: int) -> None:
        """Install Headgate with so many proxies, or change their number, and wait until all are ready."""
        self._headgate.install({"replicas": proxies}, timeout=_INSTALL_TIMEOUT)
        ready = f"jsonpath={{.status.readyReplicas}}={proxies}"
        stable = f"deployment/{names.proxy_name('default')}"
        self._cluster.wait_for(stable, ready, namespace=NAMESPACE, timeout=_INSTALL_TIMEOUT)

    def guard(self) -> None:
        """Apply the provider, and then its policy."""
        self._change_provider()
        self._cluster.wait_for("llmprovider/anthropic", "condition=Ready", namespace=_NAMESPACE)
        spec = {"targets": [{"name": "anthropic"}], "steps": list(_STEPS)}
        self._apply(_resource("RolloutPolicy", _POLICY, spec))
        self._cluster.wait_for(f"rolloutpolicy/{_POLICY}", "condition=Ready", namespace=_NAMESPACE)

    async def measure(self, tries: int) -> tuple[Travels, Travels]:
        """Take the provider through weights and a rollback so many times."""
        proxies = self._headgate.urls(port="admin")
        weight = Travels(f"weight {_LOW} % to {_HIGH} %, {len(proxies)} proxies")
        rollback = Travels(f"rollback (abort), {len(proxies)} proxies")
        settings = KubeSettings(kubeconfig=self._cluster.kubeconfig)
        async with (
            await Kube.connect(settings) as kube,
            Watcher.following(kube, self._clock, _NAMESPACE, _POLICY) as watcher,
        ):
            for turn in range(1, tries + 1):
                to_more, back = await self._turn(watcher, proxies)
                weight.took.append(to_more)
                rollback.took.append(back)
                _say(f"{len(proxies)} proxies: {turn} of {tries} tries")
        return weight, rollback

    async def _turn(self, watcher: Watcher, proxies: Mapping[str, str]) -> tuple[Took, Took]:
        """Change the provider, take it to the low weight, measure the way to the high one, and measure the abort."""
        label = f"{_NAMESPACE}/{_POLICY}"
        before = (await watcher.until("the policy is known", lambda policy: True)).status.canary_revision
        await asyncio.to_thread(self._change_provider)
        awaiting = await watcher.until(
            "the first approval is awaited", lambda p: p.status.canary_revision != before and _awaits(p, 0)
        )
        revision = str(awaiting.status.canary_revision)
        await self._annotate(names.ANNOTATION_APPROVE, f"{revision}/0")
        await watcher.until("the second approval is awaited", lambda p: _awaits(p, _SECOND_APPROVAL))
        approval = f"{revision}/{_SECOND_APPROVAL}"
        to_more = await watcher.measure(
            proxies,
            lambda: self._annotate(names.ANNOTATION_APPROVE, approval),
            accepted=lambda p: p.metadata.annotations.get(names.ANNOTATION_APPROVE) == approval,
            decided=lambda p: p.status.weight == _HIGH,
            published=lambda head: label in head.rollouts and head.rollouts[label].weight == _HIGH * 100,
        )
        back = await watcher.measure(
            proxies,
            lambda: self._annotate(names.ANNOTATION_ABORT, revision),
            accepted=lambda p: p.metadata.annotations.get(names.ANNOTATION_ABORT) == revision,
            decided=lambda p: p.status.canary_revision is None,
            published=lambda head: label not in head.rollouts,
        )
        return to_more, back

    def _change_provider(self) -> None:
        """Have alice apply the provider with content it never had."""
        self._changes += 1
        spec = {
            "protocol": "Anthropic",
            "endpoint": "https://vendor.example",
            "headers": {"x-change": str(self._changes)},
            "models": [{"name": "claude-sonnet-4-6"}],
            "auth": {"modes": ["APIKey"], "apiKey": {"importSecretRef": {"name": "vendor-key", "key": "key"}}},
        }
        self._apply(_resource("LLMProvider", "anthropic", spec), as_user=_ALICE)

    async def _annotate(self, annotation: str, value: str) -> None:
        """Have carol annotate the policy."""
        where = (f"rolloutpolicy/{_POLICY}", "-n", _NAMESPACE, "--overwrite", f"{annotation}={value}")
        await asyncio.to_thread(self._cluster.kubectl, "annotate", *where, as_user=_CAROL)

    def _apply(self, manifest: dict[str, Any], as_user: str | None = None) -> None:
        self._cluster.apply(manifest, namespace=_NAMESPACE, as_user=as_user)


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _awaits(policy: RolloutPolicy, step: int) -> bool:
    """Tell whether the rollout waits for the approval of a step (by now, not for what comes before it)."""
    current = policy.status.step
    return current is not None and (current.kind, current.index) == ("Approval", step)


def _table(travels: list[Travels]) -> str:
    rows = [["change", "until every proxy has it, from", "min ms", "median", "max"]]
    rows += [row for each in travels for row in each.rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> int:
    """Run; return 0, or 1 with ``--strict`` when a try took longer than the budget."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--proxies", type=int, nargs="+", default=[2, 20])
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--strict", action="store_true", help="fail when a try took longer than the budget")
    arguments = parser.parse_args()
    travels: list[Travels] = []
    with Cluster() as cluster:
        bench = Bench(cluster)
        bench.prepare()
        for number, proxies in enumerate(arguments.proxies):
            _say(f"installing Headgate with {proxies} proxies")
            bench.install(proxies)
            if number == 0:
                bench.guard()
            travels += asyncio.run(bench.measure(arguments.tries))
    print(_table(travels))
    print(f"\nBudget, from the annotation accepted: {1000 * _BUDGET_SECONDS:.0f} ms, in every try.")
    return int(arguments.strict and not all(each.met for each in travels))


if __name__ == "__main__":
    problems: list[BaseException] = []
    status = 1
    try:
        status = main()
    except* (ClusterError, CommandError, TimeoutError, OSError) as group:
        problems.extend(group.exceptions)
    for problem in problems:
        print(f"bench: {problem or type(problem).__name__}", file=sys.stderr)
    sys.exit(status)
