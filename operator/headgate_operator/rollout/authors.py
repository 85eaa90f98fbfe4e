"""Whose change a target's live content is: read from what the API server stamped, never guessed."""

from collections.abc import Iterable, Mapping

from headgate_api import names
from headgate_api.resources.base import Resource

_SERVICE_ACCOUNT = "system:serviceaccount:"


def stamped(item: Resource) -> dict[str, int]:
    """Return the generation of each user's last change of an object's spec; a line that cannot be read is left out."""
    found = {}
    for line in item.metadata.annotations.get(names.ANNOTATION_AUTHORS, "").split("\n"):
        number, _, user = line.partition("=")
        if number.isascii() and number.isdigit() and user:
            found[user] = int(number)
    return found


def label_of(item: Resource) -> str:
    """Return ``kind/name/uid``: the generations of an object made anew under an old name begin anew as well."""
    return f"{item.KIND}/{item.metadata.name}/{item.metadata.uid}"


def generations_of(items: Iterable[Resource]) -> dict[str, int]:
    """Return the generation of each object, by ``label_of``."""
    return {label_of(item): item.metadata.generation for item in items}


def authors_of(
    changed: Iterable[Resource], since: Mapping[str, int] | None, *, also_unstamped: bool
) -> tuple[frozenset[str], bool]:
    """Return (people who changed these objects since, whether part of the change is nobody's).

    ``since``: the generations that carried the stable content, by ``label_of``; None: not known, so that everybody who ever
    changed an object counts. ``also_unstamped``: something changed that no spec says, such as a credential's version.
    """
    people: set[str] = set()
    unknown = also_unstamped
    for item in changed:
        last = (since or {}).get(label_of(item), 0)
        users = {user for user, generation in stamped(item).items() if generation > last}
        if not users or any(user.startswith(_SERVICE_ACCOUNT) for user in users):
            unknown = True
        people |= {user for user in users if not user.startswith(_SERVICE_ACCOUNT)}
    return frozenset(people), unknown
