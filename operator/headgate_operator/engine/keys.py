"""What the work queue holds: the name of an object to look at, never the object."""

from dataclasses import dataclass
from typing import Any, Final, Self

SNAPSHOT: Final = "Snapshot"
"""The kind of key that asks for the head of a fleet (of that name) and nothing more: the fast lane of a rollback."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One object of a custom resource, by kind (``LLMProvider``), namespace and name."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, body: Any) -> Self:
        """Return the key of an object given as JSON with ``kind`` and ``metadata``."""
        return cls(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"
