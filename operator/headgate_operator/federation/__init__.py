"""Workload identity: a ServiceAccount's token, signed by this cluster, is exchanged for a short-lived one of the vendor."""
