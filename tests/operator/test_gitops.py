"""GitOps tools and people apply again and again: no conflict, no drift, and no True that speaks of an older spec."""

import copy
import json
from collections.abc import Callable
from typing import Any

from headgate_dev.cluster import Cluster

from .process import OperatorProcess, condition, until
from .test_process import PROVIDER

Start = Callable[..., OperatorProcess]


def stored(cluster: Cluster, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("llmprovider/vendor", "-n", namespace, "--show-managed-fields")
    return found


def settled(cluster: Cluster, namespace: str) -> bool:
    found = stored(cluster, namespace)
    status = found.get("status", {})
    return bool(status.get("conditions")) and status["observedGeneration"] == found["metadata"]["generation"]


def test_applying_again_finds_no_conflict_and_no_drift(cluster: Cluster, start_operator: Start, namespace: str) -> None:
    start_operator()
    apply = ("apply", "--server-side", "--field-manager=gitops", "-n", namespace, "-f", "-")
    manifest = json.dumps(PROVIDER)
    cluster.kubectl(*apply, input=manifest)
    until(lambda: settled(cluster, namespace), what="a first status")
    until(lambda: condition(cluster, "llmprovider/vendor", "Accepted", namespace), what="the operator's conditions")
    before = stored(cluster, namespace)
    cluster.kubectl(*apply, input=manifest)
    after = stored(cluster, namespace)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1
    assert after["metadata"]["finalizers"] == ["headgate.dev/credentials"]
    for entry in after["metadata"]["managedFields"]:
        if entry["manager"] == "headgate-operator":
            assert "f:spec" not in entry["fieldsV1"]
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=manifest)
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=manifest)
    assert stored(cluster, namespace)["metadata"]["generation"] == 1


def test_every_condition_names_the_generation_it_speaks_of(
    cluster: Cluster, start_operator: Start, namespace: str
) -> None:
    start_operator()
    cluster.apply(PROVIDER, namespace=namespace)
    until(lambda: settled(cluster, namespace), what="a first status")
    first = stored(cluster, namespace)["status"]["conditions"]
    changed = copy.deepcopy(PROVIDER)
    changed["spec"]["timeouts"] = {"idleSeconds": 61}
    cluster.apply(changed, namespace=namespace)
    until(lambda: settled(cluster, namespace), what="the status of the second generation")
    second = stored(cluster, namespace)["status"]["conditions"]
    assert {c["observedGeneration"] for c in first} == {1}
    assert {c["observedGeneration"] for c in second} == {2}
    since = {c["type"]: (c["status"], c["lastTransitionTime"]) for c in first}
    for c in second:
        if since[c["type"]][0] == c["status"]:
            assert since[c["type"]][1] == c["lastTransitionTime"]
