"""What is counted of exchanges."""

from prometheus_client import CollectorRegistry, Counter


class FederationMetrics:
    """Counters in the operator's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.exchanges = Counter(
            "headgate_operator_federation_exchanges",
            "Attempts to exchange a workload's identity for a token, by outcome (Granted, or the reason in the condition).",
            ["outcome"],
            registry=registry,
        )
