"""The choice of auth mode and account: a pure function of provider, caller, credentials, verdicts, limits and time (guarantee 4).

Modes are tried in the order of ``spec.auth.modes``, a subscription's accounts in the order of ``preference`` before the next
mode. From one mode to the next a request goes only where ``spec.auth.fallback`` allows it for *every* reason that stood in
the way: what is not allowed is denied, so that a plan at its limit never spends API money by another account's mishap.
What each reason entails is looked up in ``headgate_api.decisions``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate_api.decisions import DECISIONS, at_limit, configured
from headgate_api.limits import Limit
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.snapshot import CredentialPointer
from headgate_proxy.callers.caller import Caller
from headgate_proxy.routing.provider import Account, Provider
from headgate_proxy.selection.preference import ordered
from headgate_proxy.selection.states import Exhausted, Fallback, Held, Selection, Skipped
from headgate_proxy.selection.verdicts import Verdict

MOST_ACCOUNTS: Final = 8
"""Accounts of one mode that one request tries: a pool of a thousand must not make a thousand attempts of it."""

Candidate = tuple[AuthMode, str | None]
"""A mode and, for a subscription, the account's name."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What selection looks at besides provider and caller: all of it held in memory.

    ``limit`` and ``used`` (a percentage) are of the account behind a credential; ``session`` keeps a conversation on one account.
    """

    held: Callable[[CredentialPointer], Held | None]
    against: Callable[[Held], Verdict | None]
    now: datetime
    unfit: Collection[AuthMode] = ()
    """Modes that cannot take this very request, whatever their credentials."""
    limit: Callable[[Held], Limit | None] = lambda _: None
    used: Callable[[Held], float] = lambda _: 0.0
    session: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class _Limited:
    """A credential passed over only since it is at its limit: the last resort."""

    mode: AuthMode
    account: str | None
    held: Held


def select(
    provider: Provider, caller: Caller, situation: Situation, failed: Mapping[Candidate, SkipReason]
) -> Selection | Exhausted:
    """Return by which credential the request goes, with a reason for each that was passed over.

    ``failed`` holds what this request has tried already. When nothing is left but credentials at their limit, the first
    of them is used all the same, unless a vendor has said 429 already: that is what it is to say, with its own headers.
    """
    skipped: list[Skipped] = []
    limited: list[tuple[_Limited, Fallback | None]] = []
    fallback: Fallback | None = None
    for mode in provider.spec.auth.modes:
        here: list[Skipped] = []
        over = _over(mode, failed)
        for name, found in _candidates(provider, mode, caller, situation):
            reason, until = failed.get((mode, name)), None
            if reason is None and isinstance(found, Held):
                objection = _objection(found, mode, provider, situation)
                if objection is None and over:
                    continue
                if objection is None:
                    passed = (*skipped, *here)
                    return Selection(mode, name, found, passed, _towards(fallback, mode))
                reason, until = objection
                if at_limit(reason) and not over:
                    limited.append((_Limited(mode, name, found), fallback))
            elif reason is None:
                reason = found if isinstance(found, SkipReason) else SkipReason.UNAVAILABLE
            here.append(Skipped(mode, reason, name, until))
        skipped += here
        stood = [skip for skip in here if configured(skip.reason)]
        if not stood:
            continue
        denied = next((skip for skip in stood if not _allowed(provider, skip.reason)), None)
        first = denied or stood[0]
        fallback = fallback or Fallback(mode, None, first.reason, first.account)
        if denied is not None:
            return _last_resort(limited, skipped, failed) or Exhausted(
                tuple(skipped), Fallback(mode, None, denied.reason, denied.account)
            )
    return _last_resort(limited, skipped, failed) or Exhausted(tuple(skipped))


def _over(mode: AuthMode, failed: Mapping[Candidate, SkipReason]) -> bool:
    """Tell whether this request tries no further account of a mode: what it met there, others would meet too."""
    tried = [reason for (tried, _), reason in failed.items() if tried is mode]
    return len(tried) >= MOST_ACCOUNTS or not all(DECISIONS[reason].next_account for reason in tried)


def _candidates(
    provider: Provider, mode: AuthMode, caller: Caller, situation: Situation
) -> Iterator[tuple[str | None, Held | SkipReason]]:
    if mode is AuthMode.API_KEY:
        yield None, _held(provider.api_key, situation)
        return
    if mode is AuthMode.WORKLOAD_IDENTITY:
        yield None, _held(provider.federated, situation)
        return
    mine = provider.ranks_of(caller.namespace, caller.service_account)
    if not mine:
        yield None, SkipReason.NOT_OWNER if provider.accounts else SkipReason.NO_ACCOUNT
        return
    subscription = provider.spec.auth.subscription
    strategy = subscription.strategy if subscription is not None else "FillFirst"
    for account in ordered(mine, strategy, situation.session, lambda account: _used(account, situation)):
        yield account.name, _of_account(account, situation)


def _of_account(account: Account, situation: Situation) -> Held | SkipReason:
    if not account.acknowledged:
        return SkipReason.NOT_ACKNOWLEDGED
    if account.suspended:
        return SkipReason.SUSPENDED
    if account.access is None and account.revoked:
        return SkipReason.REVOKED
    return _held(account.access, situation)


def _used(account: Account, situation: Situation) -> float:
    held = situation.held(account.access) if account.access is not None else None
    return 0.0 if held is None else situation.used(held)


def _held(pointer: CredentialPointer | None, situation: Situation) -> Held | SkipReason:
    held = situation.held(pointer) if pointer is not None else None
    return held if held is not None else SkipReason.MISSING


def _objection(
    held: Held, mode: AuthMode, provider: Provider, situation: Situation
) -> tuple[SkipReason, datetime | None] | None:
    plan = provider.spec.auth.subscription
    if mode is AuthMode.SUBSCRIPTION and plan is not None and plan.undecided:
        return SkipReason.IDENTITY_NOT_ACKNOWLEDGED, None
    if mode in situation.unfit:
        return SkipReason.REQUEST_UNSUPPORTED, None
    if provider.at(mode).origin not in held.origins:
        return SkipReason.ORIGIN_NOT_BOUND, None
    if held.expires_at is not None and held.expires_at <= situation.now:
        return SkipReason.EXPIRED, None
    verdict = situation.against(held)
    if verdict is not None:
        return verdict.reason, None
    limit = situation.limit(held)
    return None if limit is None else (limit.reason, limit.until)


def _allowed(provider: Provider, reason: SkipReason) -> bool:
    boundary = DECISIONS[reason].boundary
    return boundary is None or provider.spec.auth.fallback.allows(boundary)


def _towards(fallback: Fallback | None, mode: AuthMode) -> Fallback | None:
    return None if fallback is None else Fallback(fallback.from_mode, mode, fallback.reason, fallback.account)


def _last_resort(
    limited: list[tuple[_Limited, Fallback | None]], skipped: list[Skipped], failed: Mapping[Candidate, SkipReason]
) -> Selection | None:
    if not limited or any(at_limit(reason) for reason in failed.values()):
        return None  # the vendor has said so already
    chosen, fallback = limited[0]
    others = tuple(skip for skip in skipped if (skip.mode, skip.account) != (chosen.mode, chosen.account))
    return Selection(chosen.mode, chosen.account, chosen.held, others, _towards(fallback, chosen.mode))
