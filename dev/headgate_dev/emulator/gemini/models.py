"""The models the emulated vendor offers, and its paged list of them."""

from dataclasses import dataclass
from typing import Any, Final

from headgate_dev.emulator.gemini.errors import RefusedError

_DEFAULT_PAGE: Final = 50


@dataclass(frozen=True)
class Model:
    """One model. ``signs``: it signs its thoughts and wants the signatures of its calls back (Gemini 3)."""

    id: str
    display_name: str
    version: str
    signs: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the vendor's Model."""
        return {
            "name": f"models/{self.id}",
            "version": self.version,
            "displayName": self.display_name,
            "description": f"{self.display_name}, emulated",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            "thinking": True,
        }


DEFAULT_MODELS = (
    Model("gemini-3-pro-preview", "Gemini 3 Pro Preview", "3-pro-preview-11-2025", signs=True),
    Model("gemini-2.5-pro", "Gemini 2.5 Pro", "2.5"),
    Model("gemini-2.5-flash", "Gemini 2.5 Flash", "001"),
    Model("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", "001"),
)
"""Enough for the SDK's examples and for Gemini CLI."""


def find(models: tuple[Model, ...], name: str) -> Model:
    """Return the model called ``name``, else raise RefusedError (404)."""
    for model in models:
        if name == model.id:
            return model
    message = f"models/{name} is not found for API version v1beta, or is not supported for this method."
    raise RefusedError("NOT_FOUND", message)


def page(models: tuple[Model, ...], query: dict[str, str]) -> dict[str, Any]:
    """Return the page that ``pageSize`` and ``pageToken`` in ``query`` ask for. Raises RefusedError."""
    try:
        size, start = int(query.get("pageSize", _DEFAULT_PAGE)), int(query.get("pageToken") or 0)
    except ValueError:
        raise RefusedError("INVALID_ARGUMENT", "Request contains an invalid argument.") from None
    if size < 1 or not 0 <= start <= len(models):
        raise RefusedError("INVALID_ARGUMENT", "Request contains an invalid argument.")
    chosen = models[start : start + size]
    answer: dict[str, Any] = {"models": [model.as_json() for model in chosen]}
    return answer | ({"nextPageToken": str(start + size)} if start + size < len(models) else {})
