"""An upstream so cheap that it is never what is measured: bytes of an Anthropic answer, written by a bare protocol.

The request says what it wants in headers that every relay passes on: ``x-bench-events: N`` for a stream of N deltas,
``x-bench-tick: 1`` to get them one per tick instead of at once, ``x-bench-hold: 1`` for a stream that stays open.
Spans of the proxy (``/v1/traces``) are taken and dropped.
"""

import asyncio
import re
import sys
from typing import Final, cast

import uvloop

TICK_SECONDS: Final = 0.008
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_EVENTS: Final = re.compile(rb"\r\nx-bench-events: *(\d+)", re.IGNORECASE)
_TICK: Final = re.compile(rb"\r\nx-bench-tick:", re.IGNORECASE)
_HOLD: Final = re.compile(rb"\r\nx-bench-hold:", re.IGNORECASE)

_USAGE: Final = (
    b'"usage":{"input_tokens":12,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":9}'
)
_COMMON: Final = (
    b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nrequest-id: req_bench\r\n"
    b"anthropic-organization-id: bench\r\nanthropic-ratelimit-requests-limit: 4000\r\n"
    b"anthropic-ratelimit-requests-remaining: 3999\r\nanthropic-ratelimit-tokens-limit: 4000000\r\n"
    b"anthropic-ratelimit-tokens-remaining: 3999000\r\nvia: 1.1 google\r\ncf-cache-status: DYNAMIC\r\n"
)
_MESSAGE: Final = (
    b'{"id":"msg_bench","type":"message","role":"assistant","model":"claude-bench","content":[{"type":"text","text":"Hello."}],'
    b'"stop_reason":"end_turn","stop_sequence":null,' + _USAGE + b"}"
)
_ANSWER: Final = _COMMON + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_MESSAGE) + _MESSAGE
_STREAM: Final = (
    _COMMON
    + b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
_TAKEN: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"


def _event(kind: bytes, data: bytes) -> bytes:
    event = b"event: %s\ndata: %s\n\n" % (kind, data)
    return b"%x\r\n%s\r\n" % (len(event), event)


_START: Final = _event(
    b"message_start",
    b'{"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"claude-bench",'
    b'"content":[],"stop_reason":null,"stop_sequence":null,' + _USAGE + b"}}",
)
_DELTA: Final = _event(
    b"content_block_delta",
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" some words of it"}}',
)
_FINISH: Final = (
    _event(
        b"message_delta",
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":99}}',
    )
    + _event(b"message_stop", b'{"type":"message_stop"}')
    + b"0\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(self) -> None:
        self._head = b""
        self._missing = 0
        self._chunked = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Find the end of the request; its body is counted, not kept."""
        if self._chunked:
            self._chunked = not data.endswith(b"0\r\n\r\n")
        elif self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end + 2)
            self._missing = int(length[1]) - (len(self._head) - end - 4) if length else 0
            self._chunked = bool(_CHUNKED.search(self._head, 0, end + 2)) and not data.endswith(b"0\r\n\r\n")
            self._head = self._head[: end + 2]
        if not self._missing and not self._chunked:
            head, self._head = self._head, b""
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        write = self._transport.write
        if head.startswith(b"POST /v1/traces"):
            write(_TAKEN)
        elif _HOLD.search(head):
            write(_STREAM + _START)
        elif events := _EVENTS.search(head):
            write(_STREAM + _START)
            if _TICK.search(head):
                asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, int(events[1]))
            else:
                write(_DELTA * int(events[1]) + _FINISH)
        else:
            write(_ANSWER)

    def _tick(self, left: int) -> None:
        if not left:
            self._transport.write(_FINISH)
            return
        self._transport.write(_DELTA)
        asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, left - 1)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
