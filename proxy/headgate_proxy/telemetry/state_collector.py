"""Metrics that are read from state when they are scraped, so that they cannot lag behind it."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from headgate_proxy.config.live import LiveConfig
from headgate_proxy.credentials.store import CredentialStore
from headgate_proxy.selection.limits import Limits
from headgate_proxy.telemetry.metrics import PREFIX


class StateCollector(Collector):
    """Snapshot, credentials and limits as gauges: registered in the proxy's registry, scraped on the event loop."""

    def __init__(self, live: LiveConfig, credentials: CredentialStore, limits: Limits | None = None) -> None:
        self._live = live
        self._credentials = credentials
        self._limits = limits

    def describe(self) -> list[Metric]:
        """Return nothing: the registry then does not scrape at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        info = GaugeMetricFamily(PREFIX + "snapshot_info", "The snapshot in use.", labels=["revision", "confirmed"])
        if self._live.revision is not None:
            info.add_metric([self._live.revision, "false" if self._live.problem else "true"], 1)
        yield info
        age = self._live.age_seconds
        if age is not None:
            yield GaugeMetricFamily(
                PREFIX + "snapshot_age_seconds", "Since the control plane last confirmed the snapshot.", value=age
            )
        yield from self._rollouts()
        ages = GaugeMetricFamily(
            PREFIX + "credential_age_seconds", "Since it was read from Vault.", labels=["path", "version"]
        )
        for (path, version), seconds in self._credentials.ages().items():
            ages.add_metric([path, str(version)], seconds)
        yield ages
        missing = GaugeMetricFamily(
            PREFIX + "credential_missing",
            "1 while the version the snapshot names is not held.",
            labels=["path", "version", "reason"],
        )
        for pointer, problem in self._credentials.missing.items():
            missing.add_metric([pointer.path, str(pointer.version), problem.partition(":")[0]], 1)
        yield missing
        resets = GaugeMetricFamily(
            PREFIX + "limit_reset_timestamp_seconds",
            "When the limit that a credential's account is at resets; absent while it is at none.",
            labels=["path", "reason"],
        )
        for path, limit in self._limits.in_force_now().items() if self._limits is not None else ():
            resets.add_metric([path, limit.reason.value], limit.until.timestamp())
        yield resets

    def _rollouts(self) -> Iterator[Metric]:
        weights = GaugeMetricFamily(
            PREFIX + "rollout_weight_percent", "The canary's share in force.", labels=["policy", "revision"]
        )
        stale = GaugeMetricFamily(
            PREFIX + "rollout_weight_stale",
            "1 while the weight counts as 0, since nobody confirms it.",
            labels=["policy", "revision"],
        )
        confirmed, head = self._live.confirmed, self._live.head
        for policy, split in head.rollouts.items() if head is not None else ():
            weights.add_metric([policy, split.revision], split.weight / 100 if confirmed else 0)
            stale.add_metric([policy, split.revision], 0 if confirmed else 1)
        yield weights
        yield stale
