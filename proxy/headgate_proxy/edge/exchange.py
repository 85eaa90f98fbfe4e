"""One request on its way: what identifies it, its trace, its track, and how it ended so far."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from headgate_api import names
from headgate_proxy.anthropic.dialect import ANTHROPIC
from headgate_proxy.edge.ports import Outcome, RequestTrace
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.refusal import Refusal
from headgate_proxy.tracks.admission import Admitted
from headgate_proxy.tracks.counts import Tally

LEFT_EARLY: Final = Outcome(499, disconnected=True)
"""The client left before a response began."""
SERVER: Final = "headgate"
"""Instead of the name and versions of what Headgate is built on."""


def new_request_id() -> str:
    """Return an id that no other request has."""
    return f"hgreq_{secrets.token_hex(12)}"


@dataclass(slots=True)
class Exchange:
    """A request with its trace; ``outcome`` is what holds if the handler were stopped at this moment.

    ``dialect`` is the protocol that the client speaks: refusals are in its words.
    """

    request: web.BaseRequest
    request_id: str
    trace: RequestTrace
    dialect: Dialect
    outcome: Outcome = LEFT_EARLY
    admitted: Admitted | None = None
    """On a canary pod: the rollout that the request was relayed for."""
    tally: Tally | None = None
    """What the request counts for, when a rollout governs it."""
    marks: dict[str, str] = field(default_factory=dict)
    """Headers that every answer carries, Headgate's own refusals included: the track, and why."""

    def refuse(
        self, refusal: Refusal, *, request_bytes: int = 0, headers: dict[str, str] | None = None
    ) -> web.Response:
        """Return an error answer of Headgate's own, in the envelope that the client knows."""
        body = self.dialect.envelope(refusal, self.request_id)
        self.outcome = Outcome(
            refusal.status, error_type=refusal.type, request_bytes=request_bytes, response_bytes=len(body)
        )
        return _own(refusal, body, self.request_id, self.marks | (headers or {}), self.dialect)

    def answer(self, body: bytes) -> web.Response:
        """Return a JSON answer of Headgate's own."""
        self.outcome = Outcome(200, response_bytes=len(body))
        return _json(200, body, _ids(self.request_id, self.dialect))


def own_answer(refusal: Refusal, request_id: str) -> web.Response:
    """Return the answer to what never became a request: nobody knows which protocol its client speaks."""
    return _own(refusal, ANTHROPIC.envelope(refusal, request_id), request_id, {}, ANTHROPIC)


def _own(refusal: Refusal, body: bytes, request_id: str, more: dict[str, str], dialect: Dialect) -> web.Response:
    headers = _ids(request_id, dialect) | more
    if not refusal.retry:
        headers["x-should-retry"] = "false"  # what the libraries of Anthropic and OpenAI go by
    return _json(refusal.status, body, headers)


def _ids(request_id: str, dialect: Dialect) -> dict[str, str]:
    ids = {names.HEADER_REQUEST_ID: request_id, "server": SERVER}
    return ids if dialect.request_id_header is None else ids | {dialect.request_id_header: request_id}


def _json(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
