"""The answer to ``GET /v1/models`` (Anthropic API docs, "List models")."""

from collections.abc import Sequence
from typing import Final

import msgspec

_UNKNOWN_DATE: Final = "1970-01-01T00:00:00Z"
"""The vendor's own choice where no release date is known."""


def model_list(names: Sequence[str]) -> bytes:
    """Return the list of models as one page."""
    data = [{"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN_DATE} for name in names]
    page = {
        "data": data,
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }
    return msgspec.json.encode(page)
