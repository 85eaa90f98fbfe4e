"""The chart's CustomResourceDefinitions and admission policies on the shared API server, without the rest of the chart."""

from pathlib import Path

import pytest

from headgate_dev.cluster import Cluster

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
