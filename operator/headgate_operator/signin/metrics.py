"""What sign-ins count."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class SignInMetrics:
    """Counters in the operator's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sign_ins = Counter(
            "headgate_operator_sign_ins",
            "Sign-ins that came to their end, by outcome (Completed, Failed, Expired); those nobody went on with are not counted.",
            ["outcome"],
            registry=registry,
        )
        self.unsaved = Gauge(
            "headgate_operator_sign_ins_unsaved",
            "Tokens of sign-ins that wait in memory until Vault can store them: do not stop the operator while this is not 0.",
            registry=registry,
        )
