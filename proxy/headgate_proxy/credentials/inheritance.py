"""What a new pointer takes over from the one it replaces: pure, since this is where a wrong credential could slip in.

A refresh of a grant that was read already serves at once. A version that is still to be read is stood in for by the one it
replaces, so that Vault being away breaks nothing. But a candidate never stands in for the stable form, nor the reverse: a
pointer that is added beside another inherits nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from headgate_api.snapshot import CredentialPointer
from headgate_proxy.credentials.records import Entry

_REMEMBERED: Final = 1024

Key = tuple[str, int]
"""Path and version of a pointer; what is held for it may be a later refresh of the same grant."""


@dataclass(frozen=True, slots=True)
class Found:
    """An earlier pointer whose credential is taken: for good (``serves``), or until the new one has been read."""

    key: Key
    serves: bool


class Retired:
    """The grants of pointers that a newer snapshot replaced: a request under way still asks by the old one.

    Such a request may go on with a refresh of that very grant. Another grant, or another key, is another form's.
    """

    def __init__(self) -> None:
        self._grants: dict[Key, str] = {}

    def add(self, key: Key, entry: Entry) -> None:
        """Remember a pointer that is wanted no more; of a great many, the last ones."""
        if entry.grant_id is None:
            return
        self._grants[key] = entry.grant_id
        if len(self._grants) > _REMEMBERED:
            del self._grants[next(iter(self._grants))]

    def successor(self, key: Key, entries: Mapping[Key, Entry]) -> Key | None:
        """Return the pointer under which a refresh of the same grant is held now, or None."""
        grant = self._grants.get(key)
        if grant is None:
            return None
        later = [k for k, e in entries.items() if k[0] == key[0] and k[1] > key[1] and e.grant_id == grant]
        return max(later, key=lambda k: k[1], default=None)


def key_of(pointer: CredentialPointer) -> Key:
    """Return what a pointer is kept by."""
    return pointer.path, pointer.version


def legacy(wanted: Collection[Key], before: Collection[Key], entries: Mapping[Key, Entry]) -> Mapping[Key, Found]:
    """Return what the pointers in ``wanted`` (all of a snapshot's) that are not held take over.

    ``before``: the pointers wanted until now; ``entries``: what is held, by pointer.
    """
    missing = [key for key in wanted if key not in entries]
    if not missing:
        return {}
    held: dict[str, list[Key]] = {}
    for key in entries:
        held.setdefault(key[0], []).append(key)
    forms: dict[str, int] = {}
    for path, _ in wanted:
        forms[path] = forms.get(path, 0) + 1
    found: dict[Key, Found] = {}
    for key in missing:
        earlier = sorted(held.get(key[0], ()), key=lambda other: other[1], reverse=True)
        same = next((other for other in earlier if entries[other].held.version == key[1]), None)
        if same is not None:
            found[key] = Found(same, serves=True)
        elif forms[key[0]] == 1 and (other := _replaced(key, earlier, known=key in before)) is not None:
            found[key] = Found(other, serves=other[1] <= key[1] and _refreshed(entries[other], key))
    return found


def _replaced(key: Key, earlier: Collection[Key], *, known: bool) -> Key | None:
    """Return whose place ``key`` takes: a later version only where nothing but a roll-back can have led here."""
    older = next((other for other in earlier if other[1] < key[1]), None)
    return older if older is not None or known else next(iter(earlier), None)


def _refreshed(entry: Entry, key: Key) -> bool:
    return entry.grant_id is not None and entry.held.version > key[1]
