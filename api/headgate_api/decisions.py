"""The one table of what follows when a credential cannot serve a request: every proxy goes by it, and docs/auth.md prints it.

A failure class is a ``SkipReason``. Nothing else in Headgate decides about renewing, going on, remembering or what a caller
sees, so that a new class is a new row and nothing more.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from headgate_api.reasons import FallbackReason, SkipReason

RECHECK: Final = timedelta(minutes=5)
"""A refused credential is tried again after this long: vendors have refused valid ones during outages of their own."""
FORGET_QUOTA: Final = timedelta(minutes=1)
"""How long a used-up quota counts when the vendor says no time of reset."""


class Memory(StrEnum):
    """For how long later requests are kept from the credential."""

    REQUEST = "for this request"
    """The failure says nothing about the next request."""
    VERSION = "until a new version is in Vault, or five minutes have passed"
    """The vendor refuses this version of the credential."""
    RESET = "until the limit resets"
    """The vendor refuses the account for a while, whatever version its credential has."""
    STATE = "not at all: looked at anew"
    """Nothing was sent: the cause is looked at anew for every request."""


class Ending(StrEnum):
    """What the caller sees when nothing else is left to try."""

    UPSTREAM = "the upstream's own answer"
    """Its status is about the traffic, and clients know what to do about it. A 401 or 403 never passes all the same."""
    REFUSED = "502 (`x-should-retry: false`)"
    """The upstream refuses the gate's credential, not the caller's: a client would ask its user to sign in (S4.4)."""
    FAILED = "502, or 504 when it took too long"
    NOT_USABLE = "503"
    """No credential could be tried at all."""
    UNFIT = "400 that names what does not fit"


@dataclass(frozen=True, slots=True)
class Decision:
    """One row. ``what``: how the failure shows. ``mend``: what a person reads when no mode is left.

    ``renew``: a newer version of the credential is sought once (the broker is asked where it can be refreshed), and the request
    sent once more with it. ``next_account``: another account of the mode may still serve the request. ``boundary``: the row of
    ``spec.auth.fallback`` that must say Allow before the next mode; None: the mode was never there for this caller, so
    that the next one is no fallback. ``lasts``: the bound on ``memory``, where the vendor names none.
    ``person``: only somebody's act ends it, so clients are told not to retry.
    """

    what: str
    mend: str
    boundary: FallbackReason | None
    memory: Memory
    ending: Ending
    renew: bool = False
    next_account: bool = True
    lasts: timedelta | None = None
    person: bool = False


DECISIONS: Final[dict[SkipReason, Decision]] = {
    SkipReason.EXPIRED: Decision(
        "its lifetime is over by the clock, or 401 that says expired",
        "its credential has expired; import or sign in anew",
        FallbackReason.EXPIRED,
        Memory.VERSION,
        Ending.REFUSED,
        renew=True,
        lasts=RECHECK,
    ),
    SkipReason.REVOKED: Decision(
        "any other 401; 403 that names OAuth and revoked; its owner revoked the grant here",
        "it was revoked, or the vendor refuses its credential; sign in anew, or import a new one",
        FallbackReason.REVOKED,
        Memory.VERSION,
        Ending.REFUSED,
        renew=True,
        lasts=RECHECK,
    ),
    SkipReason.REAUTHENTICATION_REQUIRED: Decision(
        "as Expired or Revoked, and the refresh token is spent, reused or revoked too",
        "its refresh token is of no use any more; its owner must sign in again",
        FallbackReason.REVOKED,
        Memory.VERSION,
        Ending.REFUSED,
        lasts=RECHECK,
        person=True,
    ),
    SkipReason.PLAN_SUSPENDED: Decision(
        "the vendor says that it has disabled the plan or organization",
        "the vendor has suspended its plan or organization; its owner must settle that with the vendor",
        FallbackReason.REVOKED,
        Memory.VERSION,
        Ending.REFUSED,
        lasts=RECHECK,
        person=True,
    ),
    SkipReason.RATE_LIMITED: Decision(
        "429; a window of the account that is used up",
        "it is at the vendor's rate limit",
        FallbackReason.RATE_LIMITED,
        Memory.RESET,
        Ending.UPSTREAM,
    ),
    SkipReason.QUOTA_EXHAUSTED: Decision(
        "402; 403 or 429 that names the quota; 400 that names the credit balance",
        "its quota is used up",
        FallbackReason.QUOTA_EXHAUSTED,
        Memory.RESET,
        Ending.UPSTREAM,
        lasts=FORGET_QUOTA,
    ),
    SkipReason.OVERLOADED: Decision(
        "529, 503",
        "the upstream is overloaded",
        FallbackReason.UNAVAILABLE,
        Memory.REQUEST,
        Ending.UPSTREAM,
        next_account=False,
    ),
    SkipReason.UNAVAILABLE: Decision(
        "any other 5xx",
        "the upstream did not answer as it should",
        FallbackReason.UNAVAILABLE,
        Memory.REQUEST,
        Ending.UPSTREAM,
    ),
    SkipReason.UNREACHABLE: Decision(
        "no connection, no valid or no timely answer",
        "the upstream cannot be reached, or does not answer in time",
        FallbackReason.UNAVAILABLE,
        Memory.REQUEST,
        Ending.FAILED,
        next_account=False,
    ),
    SkipReason.UNSUPPORTED: Decision(
        "OAuth not supported here; other permission errors",
        "the vendor does not accept this kind of credential here; check endpoint and mode",
        FallbackReason.UNAVAILABLE,
        Memory.REQUEST,
        Ending.REFUSED,
        person=True,
    ),
    SkipReason.REQUEST_UNSUPPORTED: Decision(
        "the mode does not have the API or field that the request asks for",
        "it cannot take this request as it is",
        FallbackReason.UNAVAILABLE,
        Memory.REQUEST,
        Ending.UNFIT,
        next_account=False,
        person=True,
    ),
    SkipReason.MISSING: Decision(
        "Vault holds no such record, or it could not be read yet",
        "its credential is not in Vault, or could not be read yet; see the object's conditions",
        FallbackReason.UNAVAILABLE,
        Memory.STATE,
        Ending.NOT_USABLE,
    ),
    SkipReason.ORIGIN_NOT_BOUND: Decision(
        "the credential may not be sent to this endpoint",
        "its credential is not bound to the endpoint's origin; see condition CredentialsReady",
        FallbackReason.UNAVAILABLE,
        Memory.STATE,
        Ending.NOT_USABLE,
        person=True,
    ),
    SkipReason.IDENTITY_NOT_ACKNOWLEDGED: Decision(
        "the provider's identity profile is acknowledged in an older text, or not at all",
        "nobody has acknowledged its identity profile as the text now reads (spec.auth.subscription.acknowledgement)",
        FallbackReason.UNAVAILABLE,
        Memory.STATE,
        Ending.NOT_USABLE,
        next_account=False,
        person=True,
    ),
    SkipReason.SUSPENDED: Decision(
        "a person suspended the account (`spec.suspend`)",
        "a person suspended it (spec.suspend)",
        FallbackReason.UNAVAILABLE,
        Memory.STATE,
        Ending.NOT_USABLE,
        person=True,
    ),
    SkipReason.NO_ACCOUNT: Decision(
        "no account belongs to the provider",
        "no SubscriptionAccount belongs to the provider",
        None,
        Memory.STATE,
        Ending.NOT_USABLE,
        next_account=False,
        person=True,
    ),
    SkipReason.NOT_ACKNOWLEDGED: Decision(
        "nobody has acknowledged the account's use",
        "nobody has acknowledged its use yet (spec.acknowledgement)",
        None,
        Memory.STATE,
        Ending.NOT_USABLE,
        person=True,
    ),
    SkipReason.NOT_OWNER: Decision(
        "the accounts there are belong to others",
        "it is another's (spec.owner.subjects)",
        None,
        Memory.STATE,
        Ending.NOT_USABLE,
        next_account=False,
        person=True,
    ),
}
"""In the order in which the documentation prints it: total over SkipReason."""


def at_limit(reason: SkipReason) -> bool:
    """Tell whether this is a limit of the account: it passes by itself, and concerns every version of the credential."""
    return DECISIONS[reason].memory is Memory.RESET


def lasting(reason: SkipReason) -> bool:
    """Tell whether the vendor refuses this version of the credential."""
    return DECISIONS[reason].memory is Memory.VERSION


def configured(reason: SkipReason) -> bool:
    """Tell whether the mode was there for the caller at all; otherwise going on to the next one is no fallback."""
    return DECISIONS[reason].boundary is not None


def _row(reason: SkipReason) -> str:
    found = DECISIONS[reason]
    boundary = found.boundary
    mode = "first mode of this caller" if boundary is None else f"`{boundary[0].lower()}{boundary[1:]}`"
    remembered = found.memory.value
    if at_limit(reason):
        else_ = Memory.REQUEST.value if found.lasts is None else f"for {found.lasts.total_seconds():.0f} s"
        remembered += f"; {else_}, where the vendor names no reset"
    cells = (
        f"`{reason}`",
        found.what,
        "yes, then once more" if found.renew else "no",
        "yes" if found.next_account else "no",
        mode,
        remembered,
        found.ending + (" (`x-should-retry: false`)" if found.person and found.ending is Ending.NOT_USABLE else ""),
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Return the table as Markdown, for docs/auth.md."""
    head = (
        "reason",
        "what happened",
        "renewed?",
        "next account?",
        "next mode, where this row allows",
        "remembered",
        "what the caller sees at last",
    )
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *map(_row, DECISIONS)]) + "\n"
