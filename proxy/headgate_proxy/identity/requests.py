"""Puts a profile on a request's body: system context and tool names change, every other byte stays as the client sent it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from headgate_proxy.identity.preamble import SEPARATOR, Unplaceable, placed
from headgate_proxy.identity.profile import Identity
from headgate_proxy.identity.shapes import Role, Spot, find
from headgate_proxy.identity.wires import SHAPES, Wire
from headgate_proxy.protocols.scan import Malformed, text
from headgate_proxy.protocols.splicing import Edit, spliced


class Unsuitable(ValueError):  # noqa: N818 - reads as what the request is
    """The profile cannot be put on this request without doubt what its answer would mean: a 400, told to whoever sent it.

    The message names the request's field, and what to mend.
    """


@dataclass(frozen=True, slots=True)
class Instructions:
    """What stands in ``instructions`` upstream, and the client's own token in its place (None: it sent none).

    Responses repeat them to the client.
    """

    sent: str
    own: bytes | None


@dataclass(frozen=True, slots=True)
class Reversal:
    """What is to be undone in the response to one request. ``names`` are the client's names of tools, by the upstream's."""

    wire: Wire
    names: Mapping[str, str]
    instructions: Instructions | None = None


@dataclass(frozen=True, slots=True)
class Dressed:
    """A body and headers to send, and what has to be undone in the response (None: nothing, which then passes as it is)."""

    body: bytes
    reversal: Reversal | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def dress(body: bytes, wire: Wire, identity: Identity | None) -> Dressed:
    """Return the request as the profile presents it; its body is the very same object where the profile changes nothing in it.

    Tools of the vendor's own keep their names, also where the profile maps a tool of such a name. Raises Unsuitable for a
    request with a tool of its own under a name that another of its tools goes by upstream.
    """
    if identity is None:
        return Dressed(body)
    if identity.preamble is None and not identity.names:
        return Dressed(body, headers=identity.headers)
    try:
        spots = find(body, SHAPES[wire].request, identity.words.positions(body))
        used, edits = _renamed(body, spots, identity.names)
        if identity.preamble is not None:
            edits += placed(wire, body, spots, identity.preamble)
    except Malformed as error:
        raise Unsuitable(f"the request body is not valid JSON: {error}") from None
    except Unplaceable as error:
        raise Unsuitable(str(error)) from None
    instructions = None if identity.preamble is None else _instructions(body, wire, spots, identity.preamble)
    undone = Reversal(wire, used, instructions) if used or instructions is not None else None
    return Dressed(spliced(body, edits), undone, identity.headers)


def _renamed(body: bytes, spots: Sequence[Spot], names: Mapping[str, str]) -> tuple[dict[str, str], list[Edit]]:
    """Return the names in use, the client's by the upstream's, and the edits that replace them."""
    read = ((spot, text(body[spot.start : spot.end])) for spot in spots if spot.role in _NAMED)
    called = [(spot, name) for spot, name in read if name is not None]
    vendors = {name for spot, name in called if spot.role is Role.BUILT_IN}
    edits: list[Edit] = []
    used: dict[str, str] = {}
    for spot, name in called:
        if name in names and name not in vendors:
            edits.append(Edit(spot.start, spot.end, msgspec.json.encode(names[name])))
            used[names[name]] = name
    for spot, name in called:
        if spot.role is not Role.NAME and name in used and (name not in names or name in vendors):
            raise Unsuitable(
                f"{spot.field}: the identity profile sends this request's tool {used[name]!r} under the name {name!r}, which this "
                "tool has already, so that answers could not be told apart; rename one of the two, or take "
                f"{used[name]!r} out of spec.auth.subscription.identity.toolNames"
            )
    return used, edits


_NAMED = frozenset({Role.NAME, Role.DECLARED, Role.BUILT_IN})


def _instructions(body: bytes, wire: Wire, spots: Sequence[Spot], preamble: str) -> Instructions | None:
    if wire is not Wire.RESPONSES:
        return None
    own = next((body[spot.start : spot.end] for spot in reversed(spots) if spot.role is Role.SYSTEM), None)
    said = None if own is None else text(own)
    return Instructions(preamble + SEPARATOR + said if said else preamble, own)
