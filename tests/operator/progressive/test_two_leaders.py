"""What a leader planned before an abort never makes the candidate stable after it, however late it comes to write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from tests.operator.progressive.lives import NAMESPACE, Life, clock
from tests.operator.progressive.team import policy
from tests.operator.progressive.test_lives import FLEET, POD, Stage

from headgate_api.clock import ManualClock
from headgate_dev.cluster import Cluster
from headgate_runtime.kube import Kind, Kube, KubeSettings
from headgate_runtime.kube_kinds import CONTROLLER_REVISION

LOOKS = 40


class Interrupted:
    """A Kube in which something happens once, at a moment of a leader's look."""

    def __init__(self, kube: Kube, moment: str, happens: Callable[[], Awaitable[None]]) -> None:
        """``moment``: ``decided`` (status says that all gates are behind) or ``promoting`` (right before a promotion is sent)."""
        self._kube = kube
        self._moment = moment
        self._happens = happens
        self.happened = False
        self.promotions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kube, name)

    async def apply_status(self, body: Any) -> Any:
        written = await self._kube.apply_status(body)
        if (body["status"].get("step") or {}).get("kind") == "Promoting":
            await self._once("decided")
        return written

    async def json_patch(self, kind: Kind, namespace: str, name: str, operations: Any, **options: Any) -> Any:
        if kind is CONTROLLER_REVISION and any(operation["path"] == "/revision" for operation in operations):
            self.promotions += 1
            await self._once("promoting")
        return await self._kube.json_patch(kind, namespace, name, operations, **options)

    async def _once(self, moment: str) -> None:
        if moment == self._moment and not self.happened:
            self.happened = True
            await self._happens()


@pytest.fixture
async def stage(cluster: Cluster, rights: None, namespace: str) -> AsyncIterator[Stage]:
    """A rollout whose last step is over as soon as ``later`` has come: what remains is to promote."""
    config = cluster.kubeconfig_for_service_account(NAMESPACE, "headgate-operator")
    async with await Kube.connect(KubeSettings(kubeconfig=config)) as kube:
        made, life = Stage(cluster, kube, namespace), Life(kube, clock())
        await made.fleet()
        await made.provider("old")
        await life.look(made.policy, FLEET, [POD])
        cluster.apply(policy({"weight": 100, "hold": "5s"}), namespace=namespace)
        await _until(made, life, lambda status: bool(status.get("stableRevision")))
        await made.provider("new")
        await _until(made, life, lambda status: (status.get("step") or {}).get("reason") == "Holding")
        assert await made.promoted() == ["old"]
        yield made
        cluster.kubectl("delete", "proxyfleet", FLEET, "-n", NAMESPACE)
        cluster.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--force", "--grace-period=0")
        # Its chunks go with it, and the next test's fleet of that name must not find them half gone.
        chunks = ("configmap", "-l", f"headgate.dev/fleet={FLEET}", "-n", NAMESPACE)
        cluster.kubectl("wait", *chunks, "--for=delete", "--timeout=30s")
        gone = '{"metadata":{"finalizers":null}}'
        cluster.kubectl("patch", "rolloutpolicy", "careful", "-n", namespace, "--type=merge", "-p", gone)


async def test_an_abort_that_comes_right_before_the_promotion_is_honoured(stage: Stage) -> None:
    async def abort() -> None:
        _abort(stage, (await stage.status())["rollout"]["revision"])

    kube = Interrupted(stage.kube, "decided", abort)
    await Life(cast("Kube", kube), later()).rollouts.reconcile(stage.policy)
    assert (kube.happened, kube.promotions) == (True, 0)
    await _ended_by_the_abort(stage)


async def test_a_leader_that_wakes_up_after_another_ones_abort_promotes_nothing(stage: Stage) -> None:
    async def another_leads() -> None:
        revision = (await stage.status())["rollout"]["revision"]
        _abort(stage, revision)
        await Life(stage.kube, later()).rollouts.reconcile(stage.policy)
        assert (await stage.status())["history"][0]["outcome"] == "Aborted"

    kube = Interrupted(stage.kube, "promoting", another_leads)
    await Life(cast("Kube", kube), later()).rollouts.reconcile(stage.policy)
    assert kube.happened
    await _ended_by_the_abort(stage)


def later() -> ManualClock:
    time = clock()
    time.advance(10)
    return time


def _abort(stage: Stage, revision: str) -> None:
    annotation = f"headgate.dev/abort={revision}"
    stage.cluster.kubectl("annotate", "rolloutpolicy", "careful", "-n", stage.namespace, annotation)


async def _ended_by_the_abort(stage: Stage) -> None:
    """Look on, as the leader does that is left: the candidate is neither stable nor served."""
    life = Life(stage.kube, later())
    for _ in range(5):
        await life.look(stage.policy, FLEET, [POD])
    status = await stage.status()
    assert (status["history"][0]["outcome"], status.get("rollout")) == ("Aborted", None)
    assert (await stage.promoted(), await stage.served()) == (["old"], ["old"])


async def _until(stage: Stage, life: Life, done: Callable[[dict[str, Any]], bool]) -> None:
    """Look until the policy's status says that it is done, and not once more."""
    for _ in range(LOOKS):
        await life.look(stage.policy, FLEET, [POD])
        if done(await stage.status()):
            return
    raise AssertionError(f"not done after {LOOKS} looks: {await stage.status()}")
