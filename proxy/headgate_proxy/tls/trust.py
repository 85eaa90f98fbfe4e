"""Whom a proxy believes inside the cluster: the certificates that the head names, and nobody else."""

from headgate_runtime.trusting_tls import client_context

__all__ = ["client_context"]
