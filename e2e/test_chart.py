"""`helm test` on real pods: through Services, DNS and TLS, where only restricted pods are admitted."""

from headgate_dev.realnode import RealCluster
from headgate_dev.release import NAMESPACE

from .headgate import Headgate


def test_helm_test_passes_and_leaves_no_pod(cluster: RealCluster, headgate: Headgate) -> None:
    said = cluster.helm("test", "headgate", "--namespace", NAMESPACE, "--timeout", "3m")

    assert "Succeeded" in said
    assert cluster.kubectl("get", "pod/headgate-test", "-n", NAMESPACE, "--ignore-not-found") == ""
