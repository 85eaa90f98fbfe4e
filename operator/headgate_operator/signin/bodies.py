"""Reads what people and browsers send: bounded in size and in time, and what is wrong with it said without repeating it."""

import asyncio
import json
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import ValidationError

from headgate_api.resources.base import KubeModel, problem_of
from headgate_operator.broker.authentication import Refused

LONGEST: Final = 16 * 1024
_READ_SECONDS: Final = 5.0
_MOST_FIELDS: Final = 16
_M = TypeVar("_M", bound=KubeModel)


async def read_model(request: web.Request, model: type[_M]) -> _M:
    """Return the JSON body as a model; an empty body is an empty object. Raises Refused (400, 408, 413)."""
    content = await read_bounded(request)
    try:
        return model.model_validate(json.loads(content or b"{}"))
    except ValidationError as error:
        raise Refused(400, "Invalid", problem_of(error)) from None
    except (ValueError, RecursionError):
        raise Refused(400, "Invalid", "the body is not JSON") from None


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form. Raises Refused (400, 408, 413, 415)."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(415, "Invalid", "that is no form of this page; open the page again and use its button")
    content = await read_bounded(request)
    try:
        return dict(parse_qsl(content.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Refused(400, "Invalid", "the form cannot be read; open the page again and use its button") from None


async def read_bounded(request: web.Request) -> bytes:
    """Return the body. Raises Refused (408, 413)."""
    content = bytearray()
    try:
        async with asyncio.timeout(_READ_SECONDS):
            async for piece in request.content.iter_chunked(4096):
                content += piece
                if len(content) > LONGEST:
                    raise Refused(413, "TooLarge", f"the body is longer than {LONGEST} bytes")
    except TimeoutError:
        raise Refused(408, "TooSlow", f"the body did not arrive within {_READ_SECONDS:.0f} s") from None
    except (web.HTTPException, ConnectionError):
        raise Refused(400, "Invalid", "the body cannot be read") from None
    return bytes(content)
