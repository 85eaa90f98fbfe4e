"""Writes an answer to a connection, as disturbed as the scripted fault asks: the only module that knows how to hang up."""

import asyncio
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from aiohttp import web

from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.journal import RecordedRequest
from headgate_dev.emulator.vendor import Answer

_CUTS = {FaultKind.CUT, FaultKind.CUT_MID_EVENT, FaultKind.CUT_MID_CHARACTER}
_ONE_HEADER = 4096


class Gate(Protocol):
    """Where a held request waits for its release."""

    async def wait(self) -> None:
        """Return when released."""


@dataclass(frozen=True)
class Pace:
    """Seconds before the headers and before each part of an answer."""

    before_headers: float = 0.0
    before_part: float = 0.0


def reshape(answer: Answer, fault: Fault | None, stream_error: bytes) -> Answer:
    """Return ``answer`` as ``fault`` changes its content; pure."""
    match fault:
        case Fault(kind=FaultKind.STREAM_ERROR) if answer.streamed:
            return replace(answer, parts=(*answer.parts[: fault.after_events or 0], stream_error))
        case Fault(kind=FaultKind.GZIP):
            encoded = (*answer.headers, ("content-encoding", "gzip"))
            return replace(answer, headers=encoded, parts=(gzip.compress(answer.body, mtime=0),))
        case Fault(kind=FaultKind.HUGE_HEADERS):
            count = -(-fault.header_bytes // _ONE_HEADER)
            huge = tuple((f"x-emulator-padding-{number}", "p" * _ONE_HEADER) for number in range(count))
            return replace(answer, headers=(*answer.headers, *huge))
        case Fault(kind=FaultKind.DRIBBLE):
            body, size = answer.body, fault.chunk_bytes
            return replace(answer, parts=tuple(body[at : at + size] for at in range(0, len(body), size)))
        case Fault(kind=kind) if kind in _CUTS:
            return replace(answer, parts=tuple(_until_cut(answer.parts, fault)))
        case _:
            return answer


async def deliver(
    request: web.Request,
    record: RecordedRequest,
    answer: Answer,
    length: int,
    fault: Fault | None,
    pace: Pace,
    gate: Gate,
) -> web.StreamResponse:
    """Send ``answer``; ``length`` is the Content-Length to announce when it is not streamed (a cut sends less)."""
    kind = fault.kind if fault else None
    held_at = fault.after_events if fault and kind is FaultKind.HOLD else None
    if kind is FaultKind.HOLD and held_at is None:
        await gate.wait()
    if pace.before_headers:
        await asyncio.sleep(pace.before_headers)
    response = web.StreamResponse(status=answer.status)
    if kind is FaultKind.CUT_BEFORE_HEADERS:
        hang_up(request)
        return response
    for name, value in answer.headers:
        response.headers.add(name, value)
    if not answer.streamed:
        response.content_length = length
    await response.prepare(request)
    record.status = answer.status
    record.response_headers = tuple((name, value) for name, value in response.headers.items())
    for number, part in enumerate(answer.parts):
        if number == held_at:
            await gate.wait()
        if pace.before_part:
            await asyncio.sleep(pace.before_part)
        await response.write(part)
        record.response_body += part
    if held_at is not None and held_at >= len(answer.parts):
        await gate.wait()
    if kind in _CUTS:
        hang_up(request)
    else:
        await response.write_eof()
    return response


def hang_up(request: web.Request) -> None:
    """Close the connection after what was written so far."""
    if request.transport is not None:
        request.transport.close()


def _until_cut(parts: tuple[bytes, ...], fault: Fault) -> Iterator[bytes]:
    after = fault.after_events or 0
    yield from parts[:after]
    for part in parts[after:]:
        if fault.kind is FaultKind.CUT:
            return
        if fault.kind is FaultKind.CUT_MID_EVENT:
            yield part[: len(part) // 2]
            return
        wide = next((at for at, byte in enumerate(part) if byte >= 0xC0), None)
        if wide is not None:
            yield part[: wide + 1]
            return
        yield part
