"""The chart as a user installs it, by the real helm, on any cluster at hand: of local processes or of real pods."""

import json
from pathlib import Path
from typing import Any, Final

from headgate_dev.cluster.access import ClusterAccess

NAMESPACE: Final = "headgate-system"
CHART: Final = Path(__file__).parents[2] / "charts" / "headgate"
READY_TIMEOUT: Final = 90.0
"""Seconds the operator, and then the fleet, may take."""


def install_release(
    cluster: ClusterAccess,
    values: dict[str, Any],
    *,
    fleet_spec: dict[str, Any],
    timeout: float = READY_TIMEOUT,
) -> None:
    """Install (or upgrade) the release ``headgate`` and wait until the fleet ``default`` is Ready.

    ``values`` are the chart's; ``fleet_spec`` is the default fleet's ProxyFleetSpec without its image. Raises CommandError with
    kubectl's or helm's own words.
    """
    fleet = {"spec": {"allowedNamespaces": ["*"], **fleet_spec}}
    file = cluster.state / "values.json"
    file.write_text(json.dumps({**values, "defaultFleet": fleet}), encoding="utf-8")
    where = ["--namespace", NAMESPACE, "--create-namespace"]
    cluster.helm("upgrade", "--install", "headgate", str(CHART), *where, "--values", str(file))
    cluster.wait_for("deployment/headgate-operator", "condition=Available", namespace=NAMESPACE, timeout=timeout)
    cluster.wait_for("proxyfleet/default", "create", namespace=NAMESPACE, timeout=timeout)
    cluster.wait_for("proxyfleet/default", "condition=Ready", namespace=NAMESPACE, timeout=timeout)
