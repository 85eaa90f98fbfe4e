"""What one operator process remembers of exchanges: which tokens are wanted, and what failed lately.

Failures are not kept across restarts: an exchange spends nothing, and a new process begins with one attempt per token, in lanes.
"""

from collections.abc import Iterable

from headgate_operator.engine.keys import Key
from headgate_operator.federation.settings import Federation, provider_of
from headgate_operator.federation.verdict import Trouble


class Memory:
    """By the key of a token. The provider's reconciler says what is wanted, the executor what failed."""

    def __init__(self) -> None:
        self._wanted: dict[Key, Federation] = {}
        self._troubles: dict[Key, Trouble] = {}

    def want(self, provider: Key, federations: Iterable[Federation]) -> None:
        """Take note of all tokens that a provider needs now; settings that changed are tried at once."""
        now = {federation.key: federation for federation in federations}
        for key in [k for k in self._wanted if provider_of(k) == provider]:
            if now.get(key) != self._wanted[key]:
                del self._wanted[key]
                self._troubles.pop(key, None)
        self._wanted |= now

    def federation(self, key: Key) -> Federation | None:
        """Return the settings of a token, or None where none is wanted (any more, or as far as is known yet)."""
        return self._wanted.get(key)

    def trouble(self, key: Key) -> Trouble | None:
        """Return what the last exchange failed by, or None."""
        return self._troubles.get(key)

    def failed(self, key: Key, trouble: Trouble) -> None:
        """Remember a failure."""
        if key in self._wanted:
            self._troubles[key] = trouble

    def succeeded(self, key: Key) -> None:
        """Forget failures."""
        self._troubles.pop(key, None)
