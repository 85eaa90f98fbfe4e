"""What the operator counts, under ``headgate_operator_*``, on a registry that is passed around and never global."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headgate_api import names

_PREFIX: Final = f"{names.METRIC_PREFIX}operator_"
_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The operator's metrics; ``registry`` is what the admin port exposes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._reconciles = Counter(
            f"{_PREFIX}reconciles",
            "Looks at an object, by kind and outcome (success, retry, error).",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            f"{_PREFIX}reconcile_duration_seconds",
            "How long one look took.",
            ("kind",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.queue_depth = self._gauge("queue_depth", "Objects that wait for a worker.")
        self.leader = self._gauge("leader", "1 while this process holds the Lease.")
        self.sweep_age = self._gauge(
            "sweep_age_seconds", "Age of the last sweep over all objects; -1 while not leading."
        )
        self.snapshots = Counter(
            f"{_PREFIX}snapshots_published", "Snapshot heads written, by fleet.", ("fleet",), registry=self.registry
        )
        self.snapshot_objects = self._gauge("snapshot_objects", "Objects in the published snapshot.", "fleet", "kind")
        self.report_age = self._gauge("report_age_seconds", "Age of the oldest report of a live proxy.", "fleet")
        self.reports = Counter(
            f"{_PREFIX}reports",
            "Reports of proxies, by outcome (accepted or the HTTP status).",
            ("outcome",),
            registry=self.registry,
        )
        self.certificate_expiry = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "When a certificate expires (seconds since 1970), by what it is for; 0: there is none of use.",
            "certificate",
        )
        self.watch_restarts = Counter(
            f"{_PREFIX}watch_restarts", "Times the watching framework had to be started again.", registry=self.registry
        )

    def reconciled(self, kind: str, outcome: str, seconds: float) -> None:
        """Count one look at an object."""
        self._reconciles.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(_PREFIX + name, text, labels, registry=self.registry)
