"""Counters of the credential reconcilers."""

from prometheus_client import CollectorRegistry, Counter


class CredentialMetrics:
    """Counters in the operator's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.writes = Counter(
            "headgate_operator_credential_writes", "Credential records written to Vault.", registry=registry
        )
        self.vault_failures = Counter(
            "headgate_operator_vault_failures",
            "Operations at Vault that failed, by cause.",
            ["cause"],
            registry=registry,
        )
