"""Name resolution that refuses private addresses, at the moment a connection is made.

The address that was judged is the one that is connected to, so a name that resolves differently the second time (DNS
rebinding) gains nothing.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from headgate_api.origins import is_private_address


class AddressNotAllowedError(OSError):
    """A public-looking name leads to a private address, and the fleet does not allow that."""


class PublicResolver(AbstractResolver):
    """Resolves names to globally routable addresses only."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of ``host``. Raises AddressNotAllowedError when it has others only."""
        found = await self._inner.resolve(host, port, family)
        public = [result for result in found if not is_private_address(result["host"])]
        if not public:
            raise AddressNotAllowedError(
                f"{host} resolves to a private address; set allowances.privateAddresses on the ProxyFleet to permit that"
            )
        return public

    async def close(self) -> None:
        """Release what resolution holds."""
        await self._inner.close()
