"""The two forms an authorization server answers in: JSON that nobody may cache, and a page for a person."""

from typing import Any, Final

from headgate_dev.emulator.sse import compact_json
from headgate_dev.emulator.vendor import Answer, Headers

NO_STORE: Final[Headers] = (("cache-control", "no-store"),)


def json_answer(value: dict[str, Any], status: int = 200, headers: Headers = ()) -> Answer:
    """Return ``value`` as JSON (RFC 6749, section 5.1: never to be stored)."""
    return Answer(status, (("content-type", "application/json"), *NO_STORE, *headers), (compact_json(value),))


def page(content: str) -> Answer:
    """Return ``content`` (HTML, already escaped) as a page."""
    text = f"<!doctype html><title>Emulated vendor</title>{content}".encode()
    return Answer(200, (("content-type", "text/html; charset=utf-8"), *NO_STORE), (text,))
