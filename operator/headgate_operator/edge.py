"""How proxies fare, for the reconcilers of providers and accounts: what was published, and what proxies report of it."""

from collections.abc import Sequence

from headgate_api.report import CredentialObservation, FallbackObservation
from headgate_api.resources.base import Observation
from headgate_api.resources.limits import LimitObservation
from headgate_api.snapshot import AccountEntry, ProviderEntry
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import Published, form_of
from headgate_operator.engine.keys import Key


class ReportedEdge:
    """Answers from the leader's memory alone."""

    def __init__(self, reports: Reports, published: Published) -> None:
        self._reports = reports
        self._published = published

    def programmed(self, key: Key, entry: ProviderEntry | AccountEntry) -> Observation:
        """Return the Programmed condition of an object: whether all live proxies serve what ``entry`` says of it."""
        return self._published.programmed(key, entry.generation, form_of(entry))

    def fallbacks(self, key: Key) -> Sequence[FallbackObservation]:
        """Return the fallbacks of a provider that are active now on any live proxy, newest first."""
        return self._reports.fallbacks(key.namespace, key.name)

    def verdict(self, path: str, version: int) -> CredentialObservation | None:
        """Return what the upstream last said of one credential version, or None."""
        return self._reports.credential(path, version)

    def limits(self, path: str, grant: str) -> LimitObservation | None:
        """Return what is known of the limits of one grant, or None."""
        return self._reports.limits.of(path, grant)

    def remember(self, seen: LimitObservation) -> None:
        """Take what a status said before this process led, so that proxies hear of it."""
        self._reports.limits.observe(seen)
