"""The chart's CustomResourceDefinitions and admission policies on the shared API server, without the rest of the chart."""

import json
import time
from pathlib import Path

import pytest

from headgate_dev.cluster import Cluster, CommandError

from .manifests import PROVIDER

CHART = Path(__file__).parents[2] / "charts" / "headgate"


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CHART.parents[1] / 'crds'}")
    cluster.wait_for("crd/llmproviders.headgate.dev", "condition=Established")
    cluster.wait_for("crd/subscriptionaccounts.headgate.dev", "condition=Established")
    cluster.wait_for("crd/proxyfleets.headgate.dev", "condition=Established")


@pytest.fixture(scope="session")
def admission_policies(cluster: Cluster, crds: None) -> None:
    template = "templates/admission.yaml"
    settings = ["--set", "vault.address=http://127.0.0.1:8200", "--kube-version", "1.36.3"]
    rendered = cluster.helm("template", "headgate", str(CHART), "--show-only", template, *settings)
    cluster.apply(rendered)
    _until_they_act(cluster)


def _until_they_act(cluster: Cluster) -> None:
    """Policies act a moment after they were stored: ask, as somebody with no right on Secrets, until that is refused."""
    rights = ("--verb=get,create,patch", "--resource=llmproviders.headgate.dev")
    cluster.kubectl("create", "role", "asker", "-n", "default", *rights)
    cluster.kubectl("create", "rolebinding", "asker", "-n", "default", "--role=asker", "--user=asker")
    ask = ("create", "-n", "default", "--dry-run=server", "-f", "-")
    deadline = time.monotonic() + 30
    while "may not read" not in _refusal(cluster, *ask):
        assert time.monotonic() < deadline, "the admission policies do not act"
        time.sleep(0.2)


def _refusal(cluster: Cluster, *arguments: str) -> str:
    try:
        return cluster.kubectl(*arguments, input=json.dumps(PROVIDER), as_user="asker")
    except CommandError as error:
        return str(error)
