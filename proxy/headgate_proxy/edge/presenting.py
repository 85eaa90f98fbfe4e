"""How one request presents itself in each mode: as its client made it, or as the provider's identity profile has it (S1.3).

A profile is for subscriptions alone: every other mode, also after a fallback, sends the client's own bytes.
"""

import asyncio
from typing import Final

from headgate_api.reasons import AuthMode
from headgate_proxy.identity.requests import Dressed, dress
from headgate_proxy.identity.wires import WIRES
from headgate_proxy.upstream.call import Call

_AT_ONCE: Final = 512 * 1024
"""Larger bodies are looked through in a thread, so that one request does not hold up the others."""


class Presenting:
    """One request, dressed when it is first needed: most never meet a profile."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._own = Dressed(call.body)
        self._dressed: Dressed | None = None

    async def make_ready(self, mode: AuthMode) -> None:
        """Prepare what the mode sends. Raises Unsuitable for a request that the profile cannot be put on."""
        call, identity = self._call, self._call.provider.identity
        if mode is not AuthMode.SUBSCRIPTION or identity is None or self._dressed is not None:
            return
        wire = WIRES[call.place.operation]
        if len(call.body) <= _AT_ONCE:
            self._dressed = dress(call.body, wire, identity)
        else:
            self._dressed = await asyncio.to_thread(dress, call.body, wire, identity)

    def of(self, mode: AuthMode) -> Dressed:
        """Return what the mode sends, which has been made ready."""
        if mode is not AuthMode.SUBSCRIPTION or self._call.provider.identity is None:
            return self._own
        if self._dressed is None:
            raise RuntimeError(
                "a subscription request is about to be sent without the identity profile it should present"
            )
        return self._dressed
