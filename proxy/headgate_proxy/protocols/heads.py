"""What a proxy needs to know of a request, where the protocol has it in the body: read without turning all of it into objects."""

import msgspec

from headgate_proxy.protocols.dialect import RequestHead
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.refusal import ErrorType, Refusal


class _Head(msgspec.Struct):
    model: str
    stream: bool | None = None


_decode = msgspec.json.Decoder(_Head).decode


def read_head(body: bytes, operation: Operation, model: str | None = None) -> RequestHead | Refusal:
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
