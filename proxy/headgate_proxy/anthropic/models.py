"""The answers to ``GET /v1/models`` and ``GET /v1/models/{model}`` (Anthropic API docs, "List models", "Get a model")."""

from collections.abc import Sequence
from typing import Final

import msgspec

_UNKNOWN_DATE: Final = "1970-01-01T00:00:00Z"
"""The vendor's own choice where no release date is known."""


def model_list(names: Sequence[str]) -> bytes:
    """Return the list of models as one page."""
    page = {
        "data": [_model(name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }
    return msgspec.json.encode(page)


def model_info(name: str) -> bytes:
    """Return one model."""
    return msgspec.json.encode(_model(name))


def _model(name: str) -> dict[str, str]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN_DATE}
