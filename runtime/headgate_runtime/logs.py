"""JSON logs with one redaction boundary: whatever a library or a traceback says passes through the ``Redactor``.

Redaction works on the values before they become JSON (masking the finished line could break its quoting), and covers the
message with its arguments, extra fields, tracebacks and uncaught exceptions.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

from headgate_api.redaction import Redactor

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

_STANDARD: Final = frozenset(
    logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys() | {"message", "asctime", "taskName"}
)
_DEEPEST: Final = 8
_NOISY: Final = ("aiohttp.access", "urllib3", "hvac", "kubernetes", "opentelemetry", "asyncio")
"""Libraries that log each request at INFO or DEBUG: only their warnings are kept, unless the level is DEBUG."""


class JSONFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, component, message, then the record's extra fields."""

    def __init__(self, redactor: Redactor, component: str) -> None:
        super().__init__()
        self._redactor = redactor
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one redacted line."""
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "component": self._component,
            "message": self._redactor.redact(_message(record)),
        }
        for key, value in record.__dict__.items():
            if key not in _STANDARD:
                line[key if key not in line else f"{key}_"] = redacted(self._redactor, value, key)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = self._redactor.redact(self.formatException(record.exc_info))
        elif record.exc_text:
            line["traceback"] = self._redactor.redact(record.exc_text)
        if record.stack_info:
            line["stack"] = self._redactor.redact(record.stack_info)
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def redacted(redactor: Redactor, value: Any, key: str = "", depth: int = 0) -> Any:
    """Return ``value`` as plain JSON data with every string redacted; ``key`` masks what stands under a credential's name."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {redactor.redact(str(k)): redacted(redactor, v, str(k), depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(redactor, item, key, depth + 1) for item in value]
    text = value if isinstance(value, str) else str(value)
    if key:
        # The redactor knows fields by their names: show it the pair, and drop the value when it would.
        mark = f"{key}: "
        shown = redactor.redact(mark + json.dumps(text))
        if shown.startswith(mark) and shown[len(mark) : len(mark) + 1] != '"':
            return shown[len(mark) :]
    return redactor.redact(text)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a wrong format string in a library must not lose the line, nor raise in the middle of a request
        return f"{record.msg!s} {record.args!r}"


def configure(level: str, redactor: Redactor, component: str, stream: TextIO | None = None) -> None:
    """Send every log record, warning and uncaught exception of this process to ``stream`` (standard error) as JSON.

    ``level`` is one of LEVELS. Call once, at the start of ``main``: this sets the process's root logger and hooks.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JSONFormatter(redactor, component))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("headgate").critical("uncaught exception", exc_info=(kind, error, trace))


def _log_thread(details: threading.ExceptHookArgs) -> None:
    if details.exc_value is not None:
        name = details.thread.name if details.thread is not None else "?"
        _log_in(f"uncaught exception in thread {name}", details.exc_value)


def _log_unraisable(details: "sys.UnraisableHookArgs") -> None:
    if details.exc_value is not None:
        _log_in(details.err_msg or "exception that could not be raised", details.exc_value)


def _log_in(message: str, error: BaseException) -> None:
    logging.getLogger("headgate").error(message, exc_info=(type(error), error, error.__traceback__))


def describe(redactor: Redactor, error: BaseException) -> str:
    """Return one redacted line about an exception, for metrics details, readiness and conditions (no traceback)."""
    return redactor.redact("".join(traceback.format_exception_only(type(error), error)).strip().replace("\n", " "))
