"""What revocations count."""

from prometheus_client import CollectorRegistry, Counter


class RevokeMetrics:
    """Counters in the operator's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.revocations = Counter(
            "headgate_operator_revocations",
            "Attempts to revoke a grant at its vendor, by outcome (Revoked, ClientRefused, Transient, GivenUp).",
            ["outcome"],
            registry=registry,
        )
