"""When certificates are made, and in which order an authority is replaced so that no connection fails: pure.

A new authority is first only trusted. Leaves move to it when every live proxy runs on a head that names it and those who
mount the bundle have had time to see it; the old one stays trusted until all leaves have moved and their readers too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from headgate_api.clock import rfc3339


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things last and wait."""

    authority: timedelta = timedelta(days=3652)
    authority_left: timedelta = timedelta(days=730)
    """An authority with less than this left is replaced."""
    leaf: timedelta = timedelta(days=90)
    leaf_share: float = 2 / 3
    """The share of its life after which a leaf is renewed."""
    settle: timedelta = timedelta(minutes=15)
    """From trust to use: a kubelet may take minutes to refresh a mounted bundle."""
    retire: timedelta = timedelta(hours=24)
    """From the last leaf's move to the end of trust in the old authority."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """An authority's certificate (PEM) and its time."""

    pem: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Authorities:
    """What stands in the Secret of the authority. Keys exist for ``current`` and ``coming``."""

    current: Trusted | None = None
    coming: Trusted | None = None
    former: tuple[Trusted, ...] = ()
    announced: datetime | None = None
    """Since when every live proxy trusts ``coming``."""
    moved: datetime | None = None
    """Since when every leaf is signed by ``current``."""
    requested: str | None = None
    """The rotation somebody asks for, a word of their choice."""
    answered: str | None = None
    """The last request that a rotation was begun for."""


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate that can be served with now, in its Secret; ``issuer``: the PEM of the authority that signed it."""

    not_before: datetime
    not_after: datetime
    dns_names: frozenset[str]
    issuer: str | None
    bundle: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that is wanted; ``found`` None: there is none that could be served with."""

    secret: str
    dns_names: tuple[str, ...]
    found: Found | None = None


class Step(Enum):
    """What is done with the authority next."""

    CREATE = "make the first authority, and use it at once"
    BEGIN = "make the coming authority: it is trusted, and does not sign yet where another can"
    ANNOUNCED = "take note that every live proxy trusts the coming authority"
    SWITCH = "sign with the coming authority"
    MOVED = "take note that every leaf has moved"
    RETIRE = "trust the former authorities no more"


class Work(Enum):
    """What is done with a leaf."""

    ISSUE = "issue it anew"
    BUNDLE = "write the present trust bundle beside it"


def next_step(
    state: Authorities, leaves: Sequence[Leaf], *, acknowledged: bool, now: datetime, timing: Timing
) -> Step | None:
    """Return the next step, or None while there is nothing to do; call again after each.

    ``acknowledged``: every live proxy runs on a head whose bundle holds the coming authority.
    """
    if state.current is None and state.coming is None:
        # Leaves that outlive their lost authority go on being trusted while the new one becomes known.
        return Step.BEGIN if state.former and any(leaf.found for leaf in leaves) else Step.CREATE
    if state.coming is None:
        if _due(state, now, timing):
            return Step.BEGIN
    elif state.announced is not None and now - state.announced >= timing.settle:
        return Step.SWITCH
    elif state.current is not None and now >= state.current.not_after:
        return Step.SWITCH  # what it signed is worth nothing any more
    elif state.announced is None and acknowledged:
        return Step.ANNOUNCED
    if not state.former or state.coming is not None:
        return None
    if any(leaf.found is None or state.current is None or leaf.found.issuer != state.current.pem for leaf in leaves):
        return None
    if state.moved is None:
        return Step.MOVED
    return Step.RETIRE if now - state.moved >= timing.retire else None


def work_on(leaf: Leaf, state: Authorities, now: datetime, timing: Timing) -> Work | None:
    """Return what is to be done with a leaf, or None."""
    found = leaf.found
    if found is None or not set(leaf.dns_names) <= found.dns_names or now >= renewal(found, timing):
        return Work.ISSUE
    signer = state.current or state.coming
    if signer is None:
        return None
    if found.issuer != signer.pem and not (state.current is None and found.issuer in _pems(state.former)):
        return Work.ISSUE
    return None if found.bundle == bundle(state, now) else Work.BUNDLE


def renewal(found: Found, timing: Timing) -> datetime:
    """Return when a leaf is to be renewed."""
    return found.not_before + (found.not_after - found.not_before) * timing.leaf_share


def bundle(state: Authorities, now: datetime) -> str:
    """Return the certificates to trust (PEM), in an order that a rotation does not change."""
    held = [each for each in (state.current, state.coming, *state.former) if each is not None and now < each.not_after]
    unique = {each.pem: each for each in held}.values()
    return "".join(each.pem for each in sorted(unique, key=lambda each: (each.not_before, each.pem)))


def explain(state: Authorities, timing: Timing) -> str:
    """Return what a rotation of the authority waits for, as the end of a sentence; empty without one."""
    if state.coming is not None and state.announced is None:
        return "; a new authority comes as soon as every live proxy trusts it (one that is silent is waited for 30 s)"
    if state.coming is not None and state.announced is not None:
        return f"; a new authority signs from {rfc3339(state.announced + timing.settle)}"
    if state.former and state.moved is not None:
        return f"; the former authority is trusted until {rfc3339(state.moved + timing.retire)}"
    return ""


def _due(state: Authorities, now: datetime, timing: Timing) -> bool:
    if state.current is None or state.current.not_after - now <= timing.authority_left:
        return True
    return state.requested is not None and state.requested != state.answered


def _pems(authorities: Iterable[Trusted]) -> set[str]:
    return {each.pem for each in authorities}
