"""The seam between the engine and the reconcilers of the three kinds."""

from typing import Protocol

from headgate_operator.engine.keys import Key


class Reconciler(Protocol):
    """Brings one object closer to its spec; it may run at any time, repeatedly, and after any crash."""

    async def reconcile(self, key: Key) -> float | None:
        """Look at the object afresh and act; return the seconds until the next look, or None to wait for an event.

        Whatever it raises is logged and tried again with back-off.
        """
