"""What a proxy needs to know of a Messages request, read without turning the whole body into Python objects."""

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from headgate_proxy.anthropic.errors import ErrorType, Refusal


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The two members of a request body that decide its way."""

    model: str
    stream: bool


class _Head(msgspec.Struct):
    model: str
    stream: bool | None = None


_decode = msgspec.json.Decoder(_Head).decode


def read_head(body: bytes) -> RequestHead | Refusal:
    """Return model and stream of a request body, or the 400 that says what is wrong with it.

    Every other member is skipped, not judged: that is the upstream's part.
    """
    try:
        head = _decode(body)
    except msgspec.ValidationError as error:
        return Refusal(400, ErrorType.INVALID_REQUEST, _invalid(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Refusal(400, ErrorType.INVALID_REQUEST, f"the request body is not valid JSON: {error}")
    except RecursionError:
        return Refusal(400, ErrorType.INVALID_REQUEST, "the request body is nested too deeply")
    return RequestHead(head.model, bool(head.stream))


def _invalid(problem: str) -> str:
    if "`model`" in problem or "$.model" in problem:
        return "model: a string is required; name one of the models that GET /v1/models lists"
    if "$.stream" in problem:
        return "stream: must be true or false"
    return "the request body must be a JSON object"


_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_VALUE: Final = re.compile(rb'\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)


def replace_model(body: bytes, name: str) -> bytes:
    """Return ``body`` with the value of its top-level ``model`` replaced and every other byte as it was.

    ``body`` is one that ``read_head`` accepted. Needed only for models whose ``upstreamName`` differs.
    """
    replacement = msgspec.json.encode(name)
    pieces: list[bytes] = []
    copied = depth = position = 0
    while (token := _TOKEN.search(body, position)) is not None:
        position = token.end()
        text = token.group()
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and (value := _VALUE.match(body, position)) is not None:
            if _is_model(text):
                pieces += (body[copied : value.start(1)], replacement)
                copied = value.end(1)
            position = value.end()
    pieces.append(body[copied:])
    return b"".join(pieces)


def _is_model(key: bytes) -> bool:
    return key == b'"model"' or (b"\\" in key and msgspec.json.decode(key) == "model")
