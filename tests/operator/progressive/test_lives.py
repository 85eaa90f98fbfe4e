"""Kill the operator at every write of a rollout, before and after it took effect: nothing stable is lost, and it ends."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.operator.progressive.lives import NAMESPACE, Killed, Kills, Life, clock
from tests.operator.progressive.team import policy, provider

from headgate_api.clock import rfc3339
from headgate_api.resources import ProxyFleet
from headgate_dev.cluster import Cluster
from headgate_operator.engine.keys import Key
from headgate_operator.fleet.manifests import live_form
from headgate_runtime.kube import Kube, KubeSettings
from headgate_runtime.kube_kinds import CONTROLLER_REVISION, LLM_PROVIDER, PROXY_FLEET, ROLLOUT_POLICY

FLEET = "lives"
POD = "headgate-canary-lives-x"
ENOUGH = 400


@pytest.fixture
async def kube(cluster: Cluster, rights: None) -> AsyncIterator[Kube]:
    config = cluster.kubeconfig_for_service_account(NAMESPACE, "headgate-operator")
    async with await Kube.connect(KubeSettings(kubeconfig=config)) as opened:
        yield opened


class Stage:
    """A provider whose key is in Vault, a fleet with one canary pod, and the policy between them."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str) -> None:
        self.cluster, self.kube, self.namespace = cluster, kube, namespace
        self.policy = Key("RolloutPolicy", namespace, "careful")

    async def fleet(self) -> None:
        body = {"apiVersion": "headgate.dev/v1alpha1", "kind": "ProxyFleet", "metadata": {"name": FLEET}}
        self.cluster.apply(body | {"spec": {"image": "headgate:test", "allowedNamespaces": ["*"]}}, namespace=NAMESPACE)
        found = await self.kube.get(PROXY_FLEET, NAMESPACE, FLEET)
        assert found is not None
        labels = {
            "headgate.dev/fleet": FLEET,
            "headgate.dev/track": "canary",
            "headgate.dev/revision": live_form(ProxyFleet.from_wire(found)).revision,
        }
        containers = [{"name": "proxy", "image": "headgate:test"}]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "labels": labels}}
        self.cluster.apply(pod | {"spec": {"containers": containers}}, namespace=NAMESPACE)
        since = "2026-01-01T00:00:00Z"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
        status = {"phase": "Running", "podIP": "10.9.8.7", "startTime": since, "conditions": [ready]}
        patch = json.dumps({"status": status})
        self.cluster.kubectl("patch", "pod", POD, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)

    async def provider(self, *models: str) -> None:
        """Apply the provider, and say of it what its reconciler would."""
        self.cluster.apply(provider(*models), namespace=self.namespace)
        body = await self.kube.get(LLM_PROVIDER, self.namespace, "vendor")
        assert body is not None
        generation = body["metadata"]["generation"]
        told = {"observedGeneration": generation, "lastTransitionTime": rfc3339(clock().now()), "message": "fine"}
        conditions = [
            {"type": kind, "status": "True", "reason": "Ready", **told} for kind in ("Accepted", "CredentialsReady")
        ]
        key = {"version": 1, "importedFrom": "key/value"}
        status = {"observedGeneration": generation, "apiKey": key, "conditions": conditions}
        metadata = {"name": "vendor", "namespace": self.namespace}
        await self.kube.apply_status(
            {"apiVersion": "headgate.dev/v1alpha1", "kind": "LLMProvider", "metadata": metadata, "status": status}
        )

    async def status(self) -> dict[str, Any]:
        body = await self.kube.get(ROLLOUT_POLICY, self.namespace, "careful")
        return (body or {}).get("status") or {}

    async def promoted(self) -> list[str]:
        """Return the models of the form that was promoted last, as it is kept."""
        listed = await self.kube.list(CONTROLLER_REVISION, self.namespace)
        kept = [c for c in listed if c["metadata"]["labels"]["headgate.dev/revision-of-kind"] == "LLMProvider"]
        stable = max((c for c in kept if c["revision"] > 0), key=lambda c: c["revision"])
        return [model["name"] for model in stable["data"]["provider"]["spec"]["models"]]

    async def served(self) -> list[str]:
        """Return the models of the stable form that proxies are told to serve."""
        snapshot = await Life(self.kube, clock()).services.standing.snapshot(FLEET)
        assert snapshot is not None
        (entry,) = [e for e in snapshot.providers if e.namespace == self.namespace]
        assert entry.stable is not None, "the stable form was lost"
        return [model.name for model in entry.stable.spec.models]


@pytest.mark.parametrize("ending", ["Promoted", "Aborted"])
async def test_a_rollout_survives_a_kill_at_every_write(
    cluster: Cluster, kube: Kube, namespace: str, ending: str
) -> None:
    stage, time, kills = Stage(cluster, kube, namespace), clock(), Kills()
    await stage.fleet()
    await stage.provider("old")
    await Life(kube, time).look(stage.policy, FLEET, [POD])
    cluster.apply(policy({"weight": 50, "hold": "5s"}, {"weight": 100}), namespace=namespace)
    await _live_until(stage, kills, time, lambda status: bool(status.get("stableRevision")))
    assert await stage.promoted() == ["old"]
    await stage.provider("new")
    if ending == "Aborted":
        await _live_until(stage, kills, time, lambda status: status.get("weight") == 50)
        revision = (await stage.status())["rollout"]["revision"]
        cluster.kubectl("annotate", "rolloutpolicy", "careful", "-n", namespace, f"headgate.dev/abort={revision}")

    def ended(status: dict[str, Any]) -> bool:
        return bool(status["history"]) and status["history"][0]["outcome"] == ending and not status.get("rollout")

    await _live_until(stage, kills, time, ended)
    for _ in range(20):
        try:
            await Life(kills.wrap(kube), time).look(stage.policy, FLEET, [POD])
        except Killed:
            continue
    expected = ["new"] if ending == "Promoted" else ["old"]
    assert (await stage.promoted(), await stage.served()) == (expected, expected)
    assert len(kills.made) >= 10, "too few writes were killed to say anything"
    cluster.kubectl("delete", "proxyfleet", FLEET, "-n", NAMESPACE)
    cluster.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--force", "--grace-period=0")
    policy_gone = '{"metadata":{"finalizers":null}}'
    cluster.kubectl("patch", "rolloutpolicy", "careful", "-n", namespace, "--type=merge", "-p", policy_gone)


async def _live_until(stage: Stage, kills: Kills, time: Any, done: Any) -> None:
    """Let one operator after another live until its kill, until the policy's status says that it is done."""
    for _ in range(ENOUGH):
        try:
            await Life(kills.wrap(stage.kube), time).look(stage.policy, FLEET, [POD])
        except Killed:
            pass
        else:
            time.advance(3)
        status = await stage.status()
        served = await stage.served()
        assert served in (["old"], ["new"])
        if served == ["new"]:
            assert await stage.promoted() == ["new"]
        if status and done(status):
            return
    raise AssertionError(f"not done after {ENOUGH} lives: {json.dumps(await stage.status())[:2000]}")
