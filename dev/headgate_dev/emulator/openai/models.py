"""The models the emulated vendor offers."""

from dataclasses import dataclass
from typing import Any

from headgate_dev.emulator.openai.errors import RefusedError


@dataclass(frozen=True)
class Model:
    """One model; ``aliases`` resolve to ``id`` in requests; ``reasons``: it thinks first; ``codex``: plans may use it."""

    id: str
    created: int
    aliases: tuple[str, ...] = ()
    reasons: bool = True
    codex: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the vendor's Model object."""
        return {"id": self.id, "object": "model", "created": self.created, "owned_by": "system"}


DEFAULT_MODELS = (
    Model("gpt-5.5", 1_777_593_600, codex=True),
    Model("gpt-5.4", 1_772_323_200, codex=True),
    Model("gpt-5.4-mini", 1_772_323_200, codex=True),
    Model("gpt-5.3-codex", 1_769_904_000, codex=True),
    Model("gpt-5-2025-08-07", 1_754_524_800, ("gpt-5",)),
    Model("gpt-4.1-2025-04-14", 1_744_588_800, ("gpt-4.1",), reasons=False),
    Model("gpt-4o-mini-2024-07-18", 1_721_260_800, ("gpt-4o-mini",), reasons=False),
)
"""Enough for the SDK's examples and for Codex."""


def find(models: tuple[Model, ...], name: object) -> Model | None:
    """Return the model called ``name`` by id or alias."""
    return next((model for model in models if name == model.id or name in model.aliases), None)


def unknown(name: object, status: int = 404) -> RefusedError:
    """Return the refusal of a model that is not there."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return RefusedError(status, message, code="model_not_found", param="model" if status == 400 else None)


def page(models: tuple[Model, ...]) -> dict[str, Any]:
    """Return the list of models, which has one page."""
    return {"object": "list", "data": [model.as_json() for model in models]}
