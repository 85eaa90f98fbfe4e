"""The type every credential travels in, so that printing one by accident prints ``***``."""

from pydantic import SecretStr


class Secret(SecretStr):
    """A string that shows as ``***`` in ``str``, ``repr``, logs and validation errors; ``reveal()`` is the only way out."""

    def _display(self) -> str:
        return "***" if self._secret_value else ""

    def reveal(self) -> str:
        """Return the value itself: call this only where it goes on the wire or into Vault."""
        return self._secret_value
