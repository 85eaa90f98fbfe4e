"""The chart's admission policies and roles on an API server of their own: nobody but the operator writes a status there.

One namespace stands for a cluster older than Kubernetes 1.36, which cannot stamp: there the policies act that the chart renders
for such a cluster, and those for a newer one do not.
"""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.chart.rendering import STAMPS, render
from tests.resources.manifests import PROVIDER

from headgate_dev.cluster import Cluster, CommandError

from .team import Team, policy

_OLD = "test.headgate.dev/older-than-1.36"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(node=False) as started:
        yield started


@pytest.fixture(scope="session")
def admission(cluster: Cluster) -> None:
    newer = render(cluster, *STAMPS)
    kinds = {"CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    cluster.apply([found for found in newer if found["kind"] in kinds])
    for found in newer:
        if found["kind"] == "CustomResourceDefinition":
            cluster.wait_for(f"crd/{found['metadata']['name']}", "condition=Established")
    cluster.apply([_only(found, older=False) for found in newer if "Admission" in found["kind"]])
    cluster.apply([_only(found, older=True) for found in render(cluster) if "Admission" in found["kind"]])
    _until_they_act(cluster)


def _only(found: dict[str, Any], *, older: bool) -> dict[str, Any]:
    """Confine a policy to the namespaces that stand for an older cluster, or to all others."""
    if older:
        found["metadata"]["name"] += "-older"
    if found["kind"].endswith("Binding"):
        if older:
            found["spec"]["policyName"] += "-older"
        chosen = {"key": _OLD, "operator": "Exists" if older else "DoesNotExist"}
        found["spec"]["matchResources"] = {"namespaceSelector": {"matchExpressions": [chosen]}}
    return found


@pytest.fixture
def older_namespace(cluster: Cluster, admission: None, namespace: str) -> str:
    """A namespace that stands for a cluster without MutatingAdmissionPolicy."""
    cluster.kubectl("label", "namespace", namespace, f"{_OLD}=")
    return namespace


@pytest.fixture
def team(cluster: Cluster, admission: None, namespace: str) -> Team:
    """Ann edits; ivy, joe and kim edit and approve."""
    return Team.create(cluster, namespace)


@pytest.fixture
def older_team(cluster: Cluster, older_namespace: str) -> Team:
    return Team.create(cluster, older_namespace)


def _until_they_act(cluster: Cluster) -> None:
    """Policies act a moment after they were stored, all of one list at once, those with parameters once these are read.

    So ask, without changing anything, until the last ones refuse.
    """
    for older in (False, True):
        name = f"probe-{uuid.uuid4().hex[:8]}"
        cluster.kubectl("create", "namespace", name)
        if older:
            cluster.kubectl("label", "namespace", name, f"{_OLD}=")
        _until(cluster, name, policy(approve="x/0", distinctFromAuthor=False), "cannot be created with")
        if older:
            _until(cluster, name, policy(), "cannot record who makes a change")
        else:
            _until_stamped(cluster, name)
        first = policy("first", distinctFromAuthor=False)
        _until(cluster, name, first, "")
        cluster.apply(first, namespace=name)
        _until(cluster, name, policy("second", distinctFromAuthor=False), "guards already")
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def _until(cluster: Cluster, namespace: str, manifest: dict[str, Any], word: str) -> None:
    deadline = time.monotonic() + 60
    while (said := _refusal(cluster, namespace, manifest)) != word and (not word or word not in said):
        assert time.monotonic() < deadline, f"the admission policies do not act: {said!r} instead of {word!r}"
        time.sleep(0.2)


def _refusal(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> str:
    try:
        cluster.kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", input=json.dumps(manifest))
    except CommandError as error:
        return str(error)
    return ""


def _until_stamped(cluster: Cluster, namespace: str) -> None:
    deadline = time.monotonic() + 60
    ask = ("create", "-n", namespace, "--dry-run=server", "-f", "-", "-o", "yaml")
    while "1=headgate-dev-admin" not in cluster.kubectl(*ask, input=json.dumps(PROVIDER), check=False):
        assert time.monotonic() < deadline, "the API server does not stamp authors"
        time.sleep(0.2)
