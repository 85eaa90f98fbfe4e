"""Passes a response on to the client, byte for byte and piece by piece, no faster than the client reads."""

import ssl
from enum import Enum, auto
from typing import Final

import aiohttp
from aiohttp import web

from headgate_proxy.edge.drain import Drain
from headgate_proxy.edge.exchange import Exchange
from headgate_proxy.edge.passing import Passing
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.identity.undoing import Irreversible
from headgate_proxy.refusal import ErrorType, Refusal
from headgate_proxy.tracks.endpoints import Lease

_BODILESS: Final = frozenset({204, 304})


class _End(Enum):
    COMPLETE = auto()
    UPSTREAM_BROKE = auto()
    UPSTREAM_SLOW = auto()
    CLIENT_SLOW = auto()
    STOPPED = auto()
    IRREVERSIBLE = auto()


_LAST_WORDS: Final = {
    _End.UPSTREAM_BROKE: Refusal(502, ErrorType.API, "the upstream's stream broke off; send the request again"),
    _End.UPSTREAM_SLOW: Refusal(504, ErrorType.TIMEOUT, "the upstream's stream fell silent for too long"),
    _End.STOPPED: Refusal(503, ErrorType.OVERLOADED, "this proxy is stopping; send the request again"),
    _End.IRREVERSIBLE: Refusal(
        502,
        ErrorType.API,
        "the provider's identity profile cannot be taken off the upstream's answer, which is too long for it",
    ),
}


class _Response(web.StreamResponse):
    """A response whose head can wait for the first piece of its body, where that is here already: one packet less."""

    head_waits = False

    @property
    def _send_headers_immediately(self) -> bool:  # type: ignore[override] # aiohttp asks this of its own responses
        return not self.head_waits


class Relay:
    """The second half of one request: a response on its way to the client."""

    def __init__(self, exchange: Exchange, passing: Passing, drain: Drain, request_bytes: int) -> None:
        self._exchange = exchange
        self._passing = passing
        self._drain = drain
        self._request_bytes = request_bytes
        source = passing.response
        self._reader = exchange.dialect.reader_for(
            source.headers.get("Content-Type", ""), source.headers.get("Content-Encoding")
        )
        self._sent = 0
        self._writing = False
        self._end: _End | None = None

    async def run(self) -> web.StreamResponse:
        """Return the response after everything has been written; the exchange's outcome is set however this ends."""
        upstream = self._passing.response
        response = self._begin()
        try:
            self._exchange.trace.first_byte(upstream.status)
            await response.prepare(self._exchange.request)
            self._end = await self._pass_on(response)
            if self._end is _End.COMPLETE:
                await response.write_eof()
            else:
                await self._break_off(response, self._end)
        finally:
            if self._end is _End.COMPLETE:
                upstream.release()
            else:
                upstream.close()
            self._reader.finish()
            self._exchange.outcome = self._outcome()
            if self._passing.lease is not None:
                self._end_lease(self._passing.lease)
        return response

    def _begin(self) -> web.StreamResponse:
        upstream = self._passing.response
        response = _Response(status=upstream.status, reason=upstream.reason, headers=self._passing.headers)
        response.head_waits = bool(self._passing.head) or upstream.content.total_bytes > 0
        if upstream.content_length is not None and upstream.status not in _BODILESS and self._passing.reverser is None:
            response.content_length = upstream.content_length
        if self._drain.draining:
            response.force_close()
        return response

    async def _pass_on(self, response: web.StreamResponse) -> _End:
        content, idle = self._passing.response.content, self._passing.idle_seconds
        piece = self._passing.head
        tally, write = self._exchange.tally, response.write
        feed, mark = self._reader.feed, self._exchange.dialect.first_token
        watched = feed if tally is None else tally.watching(feed, mark)
        undo = self._passing.reverser
        try:
            async with self._drain.limit(idle) as limit:
                while True:
                    if piece:
                        watched(piece)
                        if undo is not None:
                            piece = undo.feed(piece)
                        if piece:
                            self._writing = True
                            await write(piece)
                            self._writing = False
                            self._sent += len(piece)
                        limit.extend()
                    piece = await content.readany()
                    if not piece:
                        if undo is not None and (rest := undo.finish()):
                            self._writing = True
                            await write(rest)
                            self._writing = False
                            self._sent += len(rest)
                        return _End.COMPLETE
        except Irreversible:
            return _End.IRREVERSIBLE
        except TimeoutError:
            if self._drain.cutting:
                return _End.STOPPED
            return _End.CLIENT_SLOW if self._writing else _End.UPSTREAM_SLOW
        except (aiohttp.ClientError, OSError, ssl.SSLError):
            if self._writing:
                raise
            return _End.UPSTREAM_BROKE

    async def _break_off(self, response: web.StreamResponse, end: _End) -> None:
        """End a stream with an error event where one fits; elsewhere close the connection, so that the break is seen."""
        request, words = self._exchange.request, _LAST_WORDS.get(end)
        if not self._writing and request.transport is not None:
            request.writer.send_headers()  # where they waited for a piece that never came
        undo = self._passing.reverser
        open_ended = self._passing.response.content_length is None
        fits = undo.at_boundary if undo is not None else self._reader.at_boundary and open_ended
        if words is not None and fits and not self._writing:
            await response.write(self._exchange.dialect.last_event(words, self._exchange.request_id))
            response.force_close()
            await response.write_eof()
        elif request.transport is not None:
            request.transport.abort() if end is _End.CLIENT_SLOW else request.transport.close()

    def _end_lease(self, lease: Lease) -> None:
        if self._end is _End.COMPLETE:
            lease.worked()
        elif self._end in (_End.UPSTREAM_BROKE, _End.UPSTREAM_SLOW):
            lease.failed()
        else:
            lease.left()

    def _outcome(self) -> Outcome:
        facts, end = self._reader.facts, self._end
        error = facts.error_type
        if end is not None and (words := _LAST_WORDS.get(end)) is not None:
            error = words.type
        return Outcome(
            self._passing.response.status,
            error_type=error,
            facts=facts,
            streaming=self._reader.streaming,
            truncated=end in _LAST_WORDS,
            disconnected=end is None or end is _End.CLIENT_SLOW,
            request_bytes=self._request_bytes,
            response_bytes=self._sent,
        )
