"""A real single-node Kubernetes cluster on a root Linux machine without Docker: what shows that Headgate runs in real pods.

The development node runs pods as plain processes; only a real kubelet, runtime, Service network, DNS and pod security tell
whether the image, the chart and the pod specs hold.
"""

from headgate_dev.realnode.cluster import RealCluster
from headgate_dev.realnode.machine_facts import RealNodeUnavailableError

__all__ = ["RealCluster", "RealNodeUnavailableError"]
