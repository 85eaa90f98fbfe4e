"""Whether every live proxy knows a new authority: only then may anything be signed by it."""

from headgate_api import names
from headgate_api.snapshot import HEAD_KEY, SnapshotError, parse_head
from headgate_operator.broker.reports import Reports
from headgate_operator.delivery.published import Published
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import CONFIG_MAP


class Acknowledged:
    """Answers from the published heads and the proxies' reports."""

    def __init__(self, kube: Kube, namespace: str, reports: Reports, published: Published) -> None:
        self._kube = kube
        self._namespace = namespace
        self._reports = reports
        self._published = published

    async def __call__(self, fleet: str, pem: str) -> bool:
        """Tell whether every live proxy of ``fleet`` runs on the published head, and that trusts the certificate ``pem``."""
        if self._published.settling:
            return False  # those who have not reported to this leader yet would be overlooked
        body = await self._kube.get(CONFIG_MAP, self._namespace, names.head_name(fleet))
        if body is None:
            return True  # nobody runs on anything yet
        try:
            head = parse_head((body.get("data") or {}).get(HEAD_KEY, ""))
        except SnapshotError:
            return False
        if pem not in (head.trust_bundle or ""):
            return False
        return all(digest == head.digest for digest in self._reports.heads(fleet).values())
