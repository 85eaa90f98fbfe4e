"""Every replica serves with the broker's certificate: whoever leads makes it, and each reads it for itself."""

import asyncio
import logging
from typing import Final

from headgate_api import names
from headgate_api.clock import rfc3339
from headgate_operator.pki.kept import pair_in
from headgate_runtime.certificates import BadCertificate, Pair
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import SECRET
from headgate_runtime.serving_tls import ServingTLS

LOOK_SECONDS: Final = 10.0
_WAIT_SECONDS: Final = 0.5
_log = logging.getLogger(__name__)


class BrokerCertificate:
    """Serves the broker with what its Secret holds."""

    def __init__(self, kube: Kube, namespace: str, tls: ServingTLS) -> None:
        self._kube = kube
        self._namespace = namespace
        self._tls = tls
        self._pair: Pair | None = None
        self._problem: str | None = f"Secret {names.BROKER_TLS_SECRET} is not there yet; the leader makes it"

    @property
    def ready(self) -> bool:
        """Tell whether there is a certificate to serve with."""
        return self._tls.ready

    @property
    def problem(self) -> str | None:
        """Return why what the Secret holds now is not in use, or None."""
        return self._problem

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS if self._tls.ready else _WAIT_SECONDS)

    async def look(self) -> None:
        """Read the Secret once, and serve with it if it is new and good."""
        try:
            body = await self._kube.get(SECRET, self._namespace, names.BROKER_TLS_SECRET)
            if body is None:
                return self._trouble("is not there; the leader makes it")
            pair = pair_in(body)
            if pair == self._pair:
                return None
            not_after = self._tls.take(pair, names.broker_server_name(self._namespace))
        except (KubeError, KubeUnavailable) as error:
            return self._trouble(f"cannot be read: {error}")
        except BadCertificate as bad:
            return self._trouble(f"cannot be used: {bad}")
        self._pair, self._problem = pair, None
        _log.info("The broker serves with a new certificate", extra={"not_after": rfc3339(not_after)})
        return None

    def _trouble(self, problem: str) -> None:
        told = f"Secret {names.BROKER_TLS_SECRET} {problem}"
        if told != self._problem:
            _log.warning("The broker's certificate", extra={"problem": told, "in_use": self._tls.ready})
        self._problem = told
