"""What the refresher counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RefreshMetrics:
    """Counters in the operator's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refreshes = Counter(
            "headgate_operator_refreshes",
            "Attempts to refresh an account's tokens, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self.waiting = Gauge(
            "headgate_operator_refreshes_waiting", "Accounts that are due and wait for their turn.", registry=registry
        )
        self.in_flight = Gauge(
            "headgate_operator_refreshes_in_flight", "Refreshes that have begun and not ended.", registry=registry
        )
        self.unsaved = Gauge(
            "headgate_operator_refreshes_unsaved",
            "New tokens that wait in memory until Vault can store them: do not stop the operator while this is not 0.",
            registry=registry,
        )
