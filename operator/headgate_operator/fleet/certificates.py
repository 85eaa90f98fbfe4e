"""What the fleet reconciler asks of certificates: a Secret to mount, what to trust, and how it stands."""

from dataclasses import dataclass
from typing import Protocol

from headgate_api.resources import ProxyFleet
from headgate_api.resources.base import Observation
from headgate_runtime.kube import Object


@dataclass(frozen=True, slots=True)
class FleetCertificate:
    """``secret``: what the pods mount. ``trust_bundle``: PEM for the head; None: there is nothing to trust yet.

    ``condition``: CertificatesReady. While it is False, no pod is to be started with the Secret.
    """

    secret: str
    trust_bundle: str | None
    condition: Observation


class Certificates(Protocol):
    """Sees to the certificate of a fleet's listener and relay."""

    async def ensure(self, fleet: ProxyFleet, body: Object) -> FleetCertificate:
        """Return the fleet's certificate, made or renewed if need be; ``body`` is the fleet as JSON.

        Raises KubeError, KubeUnavailable, Conflict (another writer was faster: look again) and NotLeading.
        """
