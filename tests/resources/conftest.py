"""The CustomResourceDefinitions on the shared API server; admission policies have one of their own, see tests/admission."""

from pathlib import Path

import pytest

from headgate_dev.cluster import Cluster

CHART = Path(__file__).parents[2] / "charts" / "headgate"


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CHART.parents[1] / 'crds'}")
    for plural in ("llmproviders", "subscriptionaccounts", "proxyfleets", "rolloutpolicies"):
        cluster.wait_for(f"crd/{plural}.headgate.dev", "condition=Established")
