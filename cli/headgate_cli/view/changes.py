"""What a candidate changes: its form beside the stable one, field by field, in words a person who approves can read."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from headgate_api.redaction import Redactor
from headgate_cli.view.style import Style, plain

_LONGEST: Final = 100
_BEFORE: Final = 30
"""How much is shown of what comes before a difference in a long text."""
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
        Change(field, *_shown(before, after))
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
    elif isinstance(before, list) and isinstance(after, list) and not (_is_short(before) and _is_short(after)):
        yield from _in_lists(path, before, after)
    elif before is _ABSENT and isinstance(after, dict) and after:
        yield from _differences(path, {}, after)
    elif after is _ABSENT and isinstance(before, dict) and before:
        yield from _differences(path, before, {})
    else:
        yield ".".join(path), before, after


def _in_lists(path: tuple[str, ...], before: list[Any], after: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield what differs between two lists by the names of their items, or by place where they have none."""
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        old, new = ({str(place): item for place, item in enumerate(items)} for items in (before, after))
    *above, field = path
    for name in dict.fromkeys((*old, *new)):
        yield from _differences((*above, f"{field}[{name}]"), old.get(name, _ABSENT), new.get(name, _ABSENT))
    common = [name for name in old if name in new], [name for name in new if name in old]
    if common[0] != common[1]:
        yield f"{'.'.join(path)} (order)", *common


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Return the items by their own names; None where they have none, or not each another one."""
    named = {item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)}
    return named if len(named) == len(items) else None


def _is_short(value: list[Any]) -> bool:
    return len(_text(value)) <= _LONGEST


def _is_form(path: tuple[str, ...]) -> bool:
    """Tell whether a path names a bundle, its provider, or one of its accounts: what carries derived fields."""
    return path in ((), ("provider",)) or (len(path) == 2 and path[0] == "accounts")


def _shown(before: Any, after: Any) -> tuple[str | None, str | None]:
    """Return both values as text; of a long one the part where it begins to differ from the other."""
    texts = [None if value is _ABSENT else _text(value) for value in (before, after)]
    pairs = enumerate(zip(texts[0] or "", texts[1] or "", strict=False))
    alike = next((place for place, (one, other) in pairs if one != other), min(len(text or "") for text in texts))
    return _part(texts[0], before, alike), _part(texts[1], after, alike)


def _part(text: str | None, value: Any, alike: int) -> str | None:
    if text is None or len(text) <= _LONGEST:
        return text
    begin = max(0, alike - _BEFORE)
    part = f"{'…' if begin else ''}{text[begin : begin + _LONGEST]}{'…' if begin + _LONGEST < len(text) else ''}"
    return f"{part} ({len(text)} characters, SHA-256 {hashlib.sha256(_raw(value).encode()).hexdigest()[:12]})"


def _text(value: Any) -> str:
    return plain(Redactor().redact(_raw(value))).replace("\n", " ")


def _raw(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
