"""The choice of auth mode and account: a pure function of provider, caller, credentials, verdicts and time (guarantee 4).

Modes are tried in the order of ``spec.auth.modes``, a subscription's accounts by priority before the next mode. From one
mode to the next a request goes only where ``spec.auth.fallback`` allows it for *every* reason that stood in the
way: what is not allowed is denied, so that a plan at its limit never spends API money by another account's mishap.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from headgate_api.reasons import NOT_CONFIGURED, AuthMode, SkipReason, boundary_of
from headgate_api.snapshot import CredentialPointer
from headgate_proxy.callers.caller import Caller
from headgate_proxy.routing.provider import Account, Provider
from headgate_proxy.selection.states import Exhausted, Fallback, Held, Selection, Skipped
from headgate_proxy.selection.verdicts import LIMITS, Verdict

Candidate = tuple[AuthMode, str | None]
"""A mode and, for a subscription, the account's name."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What selection looks at besides provider and caller: all of it held in memory."""

    held: Callable[[CredentialPointer], Held | None]
    against: Callable[[Held], Verdict | None]
    now: datetime
    unfit: Collection[AuthMode] = ()
    """Modes that cannot take this very request, whatever their credentials."""


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
    of them is used all the same: then it is the vendor who says 429, in its own words and with its own headers.
    """
    skipped: list[Skipped] = []
    limited: list[tuple[_Limited, Fallback | None]] = []
    fallback: Fallback | None = None
    for mode in provider.spec.auth.modes:
        here: list[Skipped] = []
        for name, found in _credentials(provider, mode, caller, situation):
            reason = failed.get((mode, name))
            if reason is None and isinstance(found, Held):
                reason = _objection(found, mode, provider, situation)
                if reason is None:
                    passed = (*skipped, *here)
                    return Selection(mode, name, found, passed, _towards(fallback, mode))
                if reason in LIMITS:
                    limited.append((_Limited(mode, name, found), fallback))
            here.append(Skipped(mode, reason or _reason(found), name))
        skipped += here
        configured = [skip for skip in here if skip.reason not in NOT_CONFIGURED]
        if not configured:
            continue
        denied = next((skip for skip in configured if not _allowed(provider, skip.reason)), None)
        first = denied or configured[0]
        fallback = fallback or Fallback(mode, None, first.reason, first.account)
        if denied is not None:
            return _last_resort(limited, skipped) or Exhausted(
                tuple(skipped), Fallback(mode, None, denied.reason, denied.account)
            )
    return _last_resort(limited, skipped) or Exhausted(tuple(skipped))


def _credentials(
    provider: Provider, mode: AuthMode, caller: Caller, situation: Situation
) -> Iterator[tuple[str | None, Held | SkipReason]]:
    if mode is AuthMode.API_KEY:
        yield None, _held(provider.api_key, situation)
        return
    if mode is AuthMode.WORKLOAD_IDENTITY:
        yield None, _held(provider.federated, situation)
        return
    for account in provider.accounts:
        yield account.name, _of_account(account, caller, situation)
    if not provider.accounts:
        yield None, SkipReason.NO_ACCOUNT


def _of_account(account: Account, caller: Caller, situation: Situation) -> Held | SkipReason:
    if account.subjects is not None and (caller.namespace, caller.service_account) not in account.subjects:
        return SkipReason.NOT_OWNER
    if not account.acknowledged:
        return SkipReason.NOT_ACKNOWLEDGED
    if account.suspended:
        return SkipReason.SUSPENDED
    return _held(account.access, situation)


def _held(pointer: CredentialPointer | None, situation: Situation) -> Held | SkipReason:
    held = situation.held(pointer) if pointer is not None else None
    return held if held is not None else SkipReason.MISSING


def _objection(held: Held, mode: AuthMode, provider: Provider, situation: Situation) -> SkipReason | None:
    plan = provider.spec.auth.subscription
    if mode is AuthMode.SUBSCRIPTION and plan is not None and plan.undecided:
        return SkipReason.IDENTITY_NOT_ACKNOWLEDGED
    if mode in situation.unfit:
        return SkipReason.REQUEST_UNSUPPORTED
    if provider.at(mode).origin not in held.origins:
        return SkipReason.ORIGIN_NOT_BOUND
    if held.expires_at is not None and held.expires_at <= situation.now:
        return SkipReason.EXPIRED
    verdict = situation.against(held)
    return verdict.reason if verdict is not None else None


def _reason(found: Held | SkipReason) -> SkipReason:
    return found if isinstance(found, SkipReason) else SkipReason.UNAVAILABLE


def _allowed(provider: Provider, reason: SkipReason) -> bool:
    boundary = boundary_of(reason)
    return boundary is None or provider.spec.auth.fallback.allows(boundary)


def _towards(fallback: Fallback | None, mode: AuthMode) -> Fallback | None:
    return None if fallback is None else Fallback(fallback.from_mode, mode, fallback.reason, fallback.account)


def _last_resort(limited: list[tuple[_Limited, Fallback | None]], skipped: list[Skipped]) -> Selection | None:
    if not limited:
        return None
    chosen, fallback = limited[0]
    others = tuple(skip for skip in skipped if (skip.mode, skip.account) != (chosen.mode, chosen.account))
    return Selection(chosen.mode, chosen.account, chosen.held, others, _towards(fallback, chosen.mode))
