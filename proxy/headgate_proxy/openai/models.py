"""The answers to ``GET /v1/models`` and ``GET /v1/models/{model}`` (OpenAI API docs, "Models")."""

from collections.abc import Sequence

import msgspec


def model_list(names: Sequence[str]) -> bytes:
    """Return the list of models, which has one page."""
    return msgspec.json.encode({"object": "list", "data": [_model(name) for name in names]})


def model_info(name: str) -> bytes:
    """Return one model."""
    return msgspec.json.encode(_model(name))


def _model(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "headgate"}
