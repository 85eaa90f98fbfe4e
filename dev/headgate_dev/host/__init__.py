"""Processes and ports of the machine we run on: what the cluster and the node both stand on."""
