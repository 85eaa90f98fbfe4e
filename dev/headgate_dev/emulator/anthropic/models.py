"""The models the emulated vendor offers, and its paged list of them."""

from dataclasses import dataclass
from typing import Any

from headgate_dev.emulator.anthropic.errors import RefusedError

_DEFAULT_PAGE = 20
_LARGEST_PAGE = 1000


@dataclass(frozen=True)
class Model:
    """One model; ``aliases`` are names that resolve to ``id`` in requests, ``max_tokens`` bounds an answer."""

    id: str
    display_name: str
    created_at: str
    aliases: tuple[str, ...] = ()
    max_tokens: int = 64_000
    max_input_tokens: int = 200_000

    def as_json(self) -> dict[str, Any]:
        """Return the vendor's ModelInfo."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "created_at": self.created_at,
            "lifecycle": "active",
            "max_input_tokens": self.max_input_tokens,
            "max_tokens": self.max_tokens,
        }


DEFAULT_MODELS = (
    Model("claude-opus-5-5", "Claude Opus 5.5", "2026-06-01T00:00:00Z", max_tokens=128_000),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-05-01T00:00:00Z", max_tokens=128_000),
    Model("claude-haiku-5-5", "Claude Haiku 5.5", "2026-04-01T00:00:00Z"),
    Model("claude-opus-4-6", "Claude Opus 4.6", "2026-02-05T00:00:00Z", max_tokens=128_000),
    Model("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z"),
    Model("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24T00:00:00Z", ("claude-opus-4-5",)),
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15T00:00:00Z", ("claude-haiku-4-5",)),
    Model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29T00:00:00Z", ("claude-sonnet-4-5",)),
)
"""Newest first, as the vendor lists them; enough for the SDK's examples and for Claude Code's defaults."""


def find(models: tuple[Model, ...], name: str) -> Model:
    """Return the model called ``name`` by id or alias, else raise RefusedError (404)."""
    for model in models:
        if name == model.id or name in model.aliases:
            return model
    raise RefusedError("not_found_error", f"model: {name}")


def page(models: tuple[Model, ...], query: dict[str, str]) -> dict[str, Any]:
    """Return the page that ``limit``, ``after_id`` and ``before_id`` in ``query`` ask for."""
    try:
        limit = int(query.get("limit", _DEFAULT_PAGE))
    except ValueError:
        raise RefusedError("invalid_request_error", "limit: Input should be a valid integer") from None
    if not 1 <= limit <= _LARGEST_PAGE:
        raise RefusedError("invalid_request_error", f"limit: Input should be between 1 and {_LARGEST_PAGE}")
    start, stop = 0, len(models)
    if after := query.get("after_id"):
        start = models.index(find(models, after)) + 1
    if before := query.get("before_id"):
        stop = models.index(find(models, before))
        start = max(start, stop - limit)
    chosen = models[start : min(stop, start + limit)]
    more = start > 0 if "before_id" in query else start + len(chosen) < stop
    return {
        "data": [model.as_json() for model in chosen],
        "has_more": more,
        "first_id": chosen[0].id if chosen else None,
        "last_id": chosen[-1].id if chosen else None,
    }
