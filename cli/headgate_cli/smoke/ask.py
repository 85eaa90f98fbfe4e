"""Sending the requests, and keeping of each answer what may be shown."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from headgate_api import names
from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_cli.smoke import sse
from headgate_cli.smoke.probes import Probe
from headgate_cli.smoke.redact import redact

_SHOWN_HEADERS: Final = ("content-type", "request-id")
"""Shown beside all of Headgate's own."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who asks, and what every answer must say. ``track`` None: any; ``rollout``: ``<policy>@<revision>`` or None: any."""

    url: str
    token: Secret
    model: str
    track: str | None = "canary"
    rollout: str | None = None
    ca_file: str | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Trace:
    """One request and its answer, fit to be shown; ``status`` None: there was no answer. Times in milliseconds."""

    probe: Probe
    status: int | None
    headers: dict[str, str]
    events: list[str]
    payload: Any
    first_byte_ms: int | None
    total_ms: int
    problems: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return the shape of one request in ``smoke -o json``."""
        return {
            "name": self.probe.name,
            "method": self.probe.method,
            "path": self.probe.path,
            "status": self.status,
            "headers": self.headers,
            "events": self.events,
            "payload": self.payload,
            "firstByteMs": self.first_byte_ms,
            "totalMs": self.total_ms,
            "problems": self.problems,
        }


def ask(wanted: Wanted, probes: Sequence[Probe], clock: Clock) -> list[Trace]:
    """Send every request; return what came back. Raises OSError (ssl.SSLError too) when the CA file cannot be read."""
    verify = ssl.create_default_context(cafile=wanted.ca_file) if wanted.ca_file else True
    redactor = Redactor([wanted.token])
    with httpx.Client(verify=verify, timeout=wanted.timeout, trust_env=False) as client:
        return [_ask(client, wanted, probe, clock, redactor) for probe in probes]


def _ask(client: httpx.Client, wanted: Wanted, probe: Probe, clock: Clock, redactor: Redactor) -> Trace:
    headers = {"authorization": f"Bearer {wanted.token.reveal()}", "anthropic-version": "2023-06-01"}
    if wanted.track is not None:
        headers[names.HEADER_TRACK] = wanted.track
    begun, first, parts = clock.monotonic(), None, []
    try:
        with client.stream(
            probe.method, wanted.url.rstrip("/") + probe.path, headers=headers, json=probe.body
        ) as answer:
            for part in answer.iter_text():
                first = clock.monotonic() if first is None else first
                parts.append(part)
    except httpx.HTTPError as error:
        problem = redactor.redact(f"no whole answer: {type(error).__name__}: {error}")
        return Trace(probe, None, {}, [], None, None, _ms(clock.monotonic() - begun), [problem])
    text = "".join(parts)
    events = sse.parse(text) if _is_stream(answer) else []
    body = sse.message_of(events) if events else _object(text)
    return Trace(
        probe,
        answer.status_code,
        _shown(answer, redactor),
        sse.sequence(events),
        f"<{len(text)} characters that are no JSON object>" if body is None else redact(body, redactor),
        None if first is None else _ms(first - begun),
        _ms(clock.monotonic() - begun),
        _problems(wanted, probe, answer, events, body),
    )


def _problems(
    wanted: Wanted, probe: Probe, answer: httpx.Response, events: list[sse.Event], body: dict[str, Any] | None
) -> list[str]:
    found = _track_problems(wanted, probe, answer)
    if answer.status_code != probe.status:
        return [f"status {answer.status_code}, not {probe.status}", *found]
    if probe.streamed:
        if not _is_stream(answer):
            return [*found, f"content-type is {answer.headers.get('content-type')}, not text/event-stream"]
        found += sse.problems(events)
    return [*found, *(["the answer is no JSON object"] if body is None else probe.check(body, wanted.model))]


def _track_problems(wanted: Wanted, probe: Probe, answer: httpx.Response) -> list[str]:
    track, rollout = answer.headers.get(names.HEADER_TRACK), answer.headers.get(names.HEADER_ROLLOUT)
    if not probe.tracked and track is None:
        return []
    if wanted.track is not None and track != wanted.track:
        return [
            f"{names.HEADER_TRACK} is {track or 'missing'}, not {wanted.track}: the caller must be in the audience of a rollout "
            "that has reached its audience step"
        ]
    if wanted.rollout is not None and rollout != wanted.rollout:
        return [f"{names.HEADER_ROLLOUT} is {rollout or 'missing'}, not {wanted.rollout}"]
    return []


def _shown(answer: httpx.Response, redactor: Redactor) -> dict[str, str]:
    return {
        name: redactor.redact(value)
        for name, value in answer.headers.items()
        if name.startswith(names.HEADER_PREFIX) or name in _SHOWN_HEADERS
    }


def _is_stream(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("content-type", "").startswith("text/event-stream"))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
