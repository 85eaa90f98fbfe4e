"""What a proxy needs to know of a Gemini request: the path says it; and the model's name in the body, where that repeats it."""

from typing import Final

import msgspec

from headgate_proxy.protocols.bodies import replace_string
from headgate_proxy.protocols.dialect import RequestHead
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.refusal import ErrorType, Refusal

_RESOURCE: Final = "models/"
_NAMED_AT: Final = (("model",), ("generateContentRequest", "model"))
"""Where a body may name the model again (countTokens has a whole request inside)."""


class _Body(msgspec.Struct):
    pass


_decode = msgspec.json.Decoder(_Body).decode


def read_head(body: bytes, operation: Operation, model: str | None) -> RequestHead | Refusal:
    """Return the model of the path and whether a stream is asked for, or the 400 that says what is wrong with the body."""
    try:
        _decode(body)
    except msgspec.ValidationError:
        return Refusal(400, ErrorType.INVALID_REQUEST, "the request body must be a JSON object")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Refusal(400, ErrorType.INVALID_REQUEST, f"the request body is not valid JSON: {error}")
    except RecursionError:
        return Refusal(400, ErrorType.INVALID_REQUEST, "the request body is nested too deeply")
    return RequestHead(model or "", operation is Operation.STREAM_GENERATE_CONTENT)


def replace_model(body: bytes, name: str) -> bytes:
    """Return ``body`` with the model named as upstream wherever it names it, and every other byte as it was."""
    for path in _NAMED_AT:
        body = replace_string(body, path, _RESOURCE + name)
    return body
