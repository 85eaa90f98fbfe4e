"""The emulator for code that blocks: the same methods, from any thread."""

from collections.abc import Callable
from typing import Any, Self

from headgate_dev.background import Background
from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.journal import RecordedRequest
from headgate_dev.emulator.server import Emulator


class EmulatorThread:
    """``with EmulatorThread(api_keys=[...]) as emu:``; keyword arguments are those of Emulator."""

    def __init__(self, **arguments: Any) -> None:
        self._background = Background(lambda: Emulator(**arguments))

    def __enter__(self) -> Self:
        self._background.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._background.__exit__()

    @property
    def url(self) -> str:
        """Return the origin to point a provider or an SDK at."""
        return self._background.inside.url

    @property
    def ca_pem(self) -> str | None:
        """Return the authority to trust when the emulator speaks TLS."""
        tls = self._background.inside.tls
        return tls.ca_pem if tls else None

    @property
    def credentials(self) -> Credentials:
        """Return the vendor's credentials; single changes are safe from any thread."""
        return self._background.inside.credentials

    @property
    def api_keys(self) -> set[str]:
        """Return the API keys the vendor accepts."""
        return self.credentials.api_keys

    @property
    def oauth_tokens(self) -> dict[str, TokenState]:
        """Return the OAuth access tokens the vendor knows."""
        return self.credentials.oauth_tokens

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return a copy of the list of recorded requests."""
        return list(self._background.inside.requests)

    def add_fault(self, fault: Fault) -> str:
        """Script ``fault`` and return its id."""
        return self._background.ask(lambda emulator: emulator.add_fault(fault))

    def clear_faults(self) -> None:
        """Forget the scripted faults and let held requests go on."""
        self._background.ask(lambda emulator: emulator.clear_faults())

    def reset(self) -> None:
        """Forget faults, recorded requests and prompt cache."""
        self._background.ask(lambda emulator: emulator.reset())

    def release(self, fault_id: str) -> None:
        """Let the requests held by ``fault_id`` go on."""
        self._background.ask(lambda emulator: emulator.release(fault_id))

    def wait_held(self, fault_id: str, count: int = 1, timeout: float = 10.0) -> None:
        """Block until ``count`` requests are held by ``fault_id``; TimeoutError after ``timeout`` seconds."""
        self._background.call(lambda emulator: emulator.wait_held(fault_id, count, timeout))

    def wait_until(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Block until ``predicate()`` (called on the server's thread) is true; TimeoutError after ``timeout`` seconds."""
        self._background.call(lambda emulator: emulator.wait_until(predicate, timeout))
