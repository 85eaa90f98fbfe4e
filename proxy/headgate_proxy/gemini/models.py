"""The answers to ``GET /v1beta/models`` and ``GET /v1beta/models/{model}`` (Gemini API docs, "Models")."""

from collections.abc import Sequence
from typing import Any

import msgspec


def model_list(names: Sequence[str]) -> bytes:
    """Return the list of models, which has one page."""
    return msgspec.json.encode({"models": [_model(name) for name in names]})


def model_info(name: str) -> bytes:
    """Return one model."""
    return msgspec.json.encode(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
