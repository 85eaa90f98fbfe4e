"""What the emulator's server and a vendor's semantics agree on, so that each vendor stays pure and knows no sockets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from headgate_dev.emulator.credentials import CredentialKind, Credentials
    from headgate_dev.emulator.faults import Fault

MAX_BODY_BYTES = 32 * 1024 * 1024
"""The vendor's request limit (Anthropic API docs, "Request size limits": 32 MB on Messages)."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Call:
    """One request as a vendor sees it: header names in lower case, ``body`` as received."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: "datetime"
    credential_kind: "CredentialKind | None" = None
    oversized: bool = False

    @property
    def request_id(self) -> str:
        """Return the id the vendor gives this request, the same in the header and in an error's body."""
        return f"req_emulated_{self.number:06d}"


@dataclass(frozen=True)
class Answer:
    """One response: ``parts`` are written one by one; ``streamed`` ones are SSE events without a content length."""

    status: int
    headers: Headers
    parts: tuple[bytes, ...]
    streamed: bool = False

    @property
    def body(self) -> bytes:
        """Return all parts joined, which is what an undisturbed client receives."""
        return b"".join(self.parts)


class Vendor(Protocol):
    """The semantics of one vendor's API: pure but for what the vendor itself would remember."""

    def answer(self, call: Call, credentials: "Credentials") -> Answer:
        """Return what the vendor would answer to ``call``."""

    def refusal(self, call: Call, fault: "Fault") -> Answer | None:
        """Return the vendor's wording of ``fault``; None when the fault only disturbs the delivery."""

    def stream_error(self, call: Call, fault: "Fault") -> bytes:
        """Return the event with which the vendor breaks off a stream that has begun."""

    def forget(self) -> None:
        """Drop what the vendor remembers between requests (its prompt cache)."""
