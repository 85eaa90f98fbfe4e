"""The cluster's ServiceAccount issuer and signing keys, asked for every 30 s; the last good answer outlives an outage."""

import asyncio
import logging
from typing import Final

from headgate_api.clock import Clock
from headgate_operator.delivery.assemble import SigningKeys
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable

REFRESH_SECONDS: Final = 30.0
_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_JWKS_PATH: Final = "/openid/v1/jwks"
_log = logging.getLogger(__name__)


class SigningKeySource:
    """Answers with the signing keys, from memory while they are fresh."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._keys: SigningKeys | None = None
        self._asked = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> SigningKeys:
        """Return the keys. Raises KubeError or KubeUnavailable when they were never read."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._keys is not None and now - self._asked < REFRESH_SECONDS:
                return self._keys
            try:
                self._keys = await self._read()
            except (KubeError, KubeUnavailable) as error:
                if self._keys is None:
                    raise
                _log.warning(
                    "The cluster's signing keys cannot be read; the last ones stand", extra={"error": str(error)}
                )
            self._asked = now
            return self._keys

    async def _read(self) -> SigningKeys:
        discovery = await self._kube.raw_get(_DISCOVERY_PATH)
        jwks = await self._kube.raw_get(_JWKS_PATH)
        # API servers of one cluster may list the keys in different order; the snapshot must not change with it.
        keys = sorted(jwks.get("keys") or (), key=lambda key: str(key.get("kid", "")))
        return SigningKeys(issuer=str(discovery["issuer"]), jwks={"keys": keys})
