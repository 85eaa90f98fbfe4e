"""Holds raw bytes strictly against an SDK's pydantic types: nothing missing, nothing that the SDK has no name for."""

from typing import Any

from pydantic import BaseModel, TypeAdapter


def unknown_fields(value: object, where: str = "$") -> list[str]:
    """Return the fields of SDK models that the SDK has no name for (it would keep them silently)."""
    if isinstance(value, BaseModel):
        found = [f"{where}.{name}" for name in value.model_extra or ()]
        return found + [
            bad for name in type(value).model_fields for bad in unknown_fields(getattr(value, name), f"{where}.{name}")
        ]
    if isinstance(value, list):
        return [bad for index, item in enumerate(value) for bad in unknown_fields(item, f"{where}[{index}]")]
    return []


def checked(kind: Any, raw: bytes) -> Any:
    value = TypeAdapter(kind).validate_json(raw, strict=True)
    assert unknown_fields(value) == []
    return value
