"""The end of a release, and so the last file of this run: what uninstalling keeps, and what purging leaves."""

import subprocess
import sys
from pathlib import Path

from headgate_api import names
from headgate_dev.realnode import RealCluster
from headgate_dev.release import NAMESPACE

from .headgate import Headgate


def test_uninstall_keeps_what_users_made_and_purge_leaves_nothing(cluster: RealCluster, headgate: Headgate) -> None:
    cluster.helm("uninstall", "headgate", "--namespace", NAMESPACE, "--wait")
    operators = f"{names.LABEL_NAME}=headgate,{names.LABEL_COMPONENT}=operator"
    cluster.kubectl("wait", "--for=delete", "pod", "-n", NAMESPACE, "-l", operators, "--timeout=60s")
    kept = cluster.kubectl("get", "llmproviders,rolloutpolicies", "-A", "-o", "name")
    assert "llmprovider.headgate.dev/anthropic" in kept

    program = Path(sys.executable).with_name("headgate")
    purge = [str(program), "purge", "--yes", "-n", NAMESPACE, "--kubeconfig", str(cluster.kubeconfig)]
    done = subprocess.run(purge, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert cluster.kubectl("get", "crds", "-o", "name").count("headgate.dev") == 0
    kinds = "deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,controllerrevisions"
    left = cluster.kubectl("get", kinds, "-A", "-o", "name") + cluster.kubectl(
        "get", "leases", "-n", NAMESPACE, "-o", "name"
    )
    assert [name for name in left.splitlines() if "headgate" in name] == []
    scoped = "clusterroles,clusterrolebindings,validatingadmissionpolicies,mutatingadmissionpolicies"
    assert "headgate" not in cluster.kubectl("get", scoped, "-o", "name")
