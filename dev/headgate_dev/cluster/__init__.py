"""A real Kubernetes control plane and a real OpenBao as plain processes, for tests and for the demo.

Imitations of the API server lack resource versions, CEL, server-side apply and admission: exactly what an operator gets wrong.
"""

from headgate_dev.cluster.cluster import Cluster
from headgate_dev.cluster.errors import CommandError
from headgate_dev.host.errors import ClusterError

__all__ = ["Cluster", "ClusterError", "CommandError"]
