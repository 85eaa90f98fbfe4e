"""What a candidate changes: its form beside the stable one, field by field, in words a person who approves can read."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from headgate_api.redaction import Redactor
from headgate_cli.view.style import Style, plain

_LONGEST: Final = 100
_ABSENT: Final = object()
_DERIVED: Final = ("revision", "kind")
"""Fields of a form that follow from the others."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field; ``before`` or ``after`` None: it is not there. Values are JSON text, masked and shortened."""

    field: str
    before: str | None
    after: str | None


def changes(stable: Any, candidate: Any) -> list[Change]:
    """Return what differs between the ``data`` of two ControllerRevisions; ``stable`` None: everything is new."""
    return [
        Change(field, _shown(before), _shown(after))
        for field, before, after in _differences((), stable or {}, candidate or {})
    ]


def lines(found: list[Change], style: Style, *, indent: str = "    ") -> list[str]:
    """Return the changes as a diff."""
    out = []
    for change in found:
        out.append(f"{indent}{change.field}")
        out += [] if change.before is None else [f"{indent}  {style.bad('- ' + change.before)}"]
        out += [] if change.after is None else [f"{indent}  {style.good('+ ' + change.after)}"]
    return out


def _differences(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            if not (key in _DERIVED and _is_form(path)):
                yield from _differences((*path, key), before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif before is _ABSENT and isinstance(after, dict) and after:
        yield from _differences(path, {}, after)
    elif after is _ABSENT and isinstance(before, dict) and before:
        yield from _differences(path, before, {})
    else:
        yield ".".join(path), before, after


def _is_form(path: tuple[str, ...]) -> bool:
    """Tell whether a path names a bundle, its provider, or one of its accounts: what carries derived fields."""
    return path in ((), ("provider",)) or (len(path) == 2 and path[0] == "accounts")


def _shown(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    raw = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = plain(Redactor().redact(raw)).replace("\n", " ")
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(raw.encode()).hexdigest()[:12]
    return f"{text[:_LONGEST]}… ({len(text)} characters, SHA-256 {digest})"
