"""One request on its way: what identifies it, its trace, and how it ended so far."""

import secrets
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from headgate_api import names
from headgate_proxy.anthropic.errors import Refusal, envelope
from headgate_proxy.edge.ports import Outcome, RequestTrace

LEFT_EARLY: Final = Outcome(499, disconnected=True)
"""The client left before a response began."""


def new_request_id() -> str:
    """Return an id that no other request has."""
    return f"hgreq_{secrets.token_hex(12)}"


@dataclass(slots=True)
class Exchange:
    """A request with its trace; ``outcome`` is what holds if the handler were stopped at this moment."""

    request: web.BaseRequest
    request_id: str
    trace: RequestTrace
    outcome: Outcome = LEFT_EARLY

    def refuse(
        self, refusal: Refusal, *, request_bytes: int = 0, headers: dict[str, str] | None = None
    ) -> web.Response:
        """Return an error answer of Headgate's own, in the envelope Anthropic clients know."""
        body = envelope(refusal, self.request_id)
        self.outcome = Outcome(
            refusal.status, error_type=refusal.type, request_bytes=request_bytes, response_bytes=len(body)
        )
        return self.answer(refusal.status, body, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
        """Return a JSON answer of Headgate's own."""
        ours = {"request-id": self.request_id, names.HEADER_REQUEST_ID: self.request_id}
        return web.Response(status=status, body=body, content_type="application/json", headers=ours | (headers or {}))
