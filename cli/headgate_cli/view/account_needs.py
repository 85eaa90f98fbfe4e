"""What an account needs before requests can use it, and the command that gives it: the most pressing first."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from headgate_api import acknowledgement
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_cli.account.conditions import condition
from headgate_cli.view.style import Style, sentence

_NEW_GRANT: Final = frozenset(
    {
        ConditionReason.REAUTHENTICATION_REQUIRED,
        ConditionReason.CREDENTIAL_NOT_FOUND,
        ConditionReason.SECRET_NOT_FOUND,
        ConditionReason.SECRET_KEY_NOT_FOUND,
        ConditionReason.NO_REFRESH_TOKEN,
    }
)
"""Reasons that only another sign-in or import mends."""
_ENDED: Final = frozenset({ConditionReason.EXPIRED, ConditionReason.REVOKED})
"""Reasons that a refresh mends, where there is one to come."""
_TOLD_ELSEWHERE: Final = frozenset(
    {ConditionReason.NOT_ACKNOWLEDGED, ConditionReason.TEXT_CHANGED, ConditionReason.SUSPENDED}
)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is missing: a condition's ``reason``, why (``message``), and ``do``: a command, or "" where none helps."""

    reason: str
    message: str
    do: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the shape that docs/cli.md promises."""
        return asdict(self)


def needs(account: SubscriptionAccount, now: datetime, program: str) -> list[Need]:
    """Return what is missing; empty when requests may use the account. ``program``: what the command is called."""
    found = [*_acknowledgement(account, program), *_suspension(account, program), *_grant(account, now, program)]
    ready = condition(account, ConditionType.READY)
    known = {need.reason for need in found} | _TOLD_ELSEWHERE
    if ready is not None and ready.status != "True" and ready.reason not in known and not _stale(account):
        found.append(Need(ready.reason, sentence(ready.message)))
    return found


def lines(found: list[Need], style: Style) -> list[str]:
    """Return the needs for a terminal."""
    out = []
    for need in found:
        out.append(f"  {style.waits(sentence(need.reason))}: {sentence(need.message)}")
        if need.do:
            out.append(f"      {style.bold(need.do)}")
    return out


def sign_in(account: SubscriptionAccount, program: str) -> str:
    """Return the command by which the account gets another grant: a sign-in where there is a profile for one."""
    profile = account.spec.oauth
    can = profile is not None and (profile.authorization_endpoint or profile.device_authorization_endpoint)
    return f"{program} account login {_name(account)}" if can else f"{program} account import {_name(account)} FILE"


def _acknowledgement(account: SubscriptionAccount, program: str) -> list[Need]:
    given, version = account.spec.acknowledgement, acknowledgement.TEXT_VERSION
    if given is not None and given.text_version == version:
        return []
    reason = ConditionReason.NOT_ACKNOWLEDGED if given is None else ConditionReason.TEXT_CHANGED
    before = "" if given is None else f"Text {given.text_version} was acknowledged, and the text has changed. "
    text = f"{before}{acknowledgement.TEXT} (text {version})"
    return [Need(reason, text, f"{program} account acknowledge {_name(account)}")]


def _suspension(account: SubscriptionAccount, program: str) -> list[Need]:
    if not account.spec.suspend:
        return []
    text = "nothing uses or refreshes the account until a person resumes it"
    return [Need(ConditionReason.SUSPENDED, text, f"{program} account resume {_name(account)}")]


def _grant(account: SubscriptionAccount, now: datetime, program: str) -> list[Need]:
    """Return that another grant is needed, by the first condition that says so."""
    for kind in (ConditionType.REFRESH_HEALTHY, ConditionType.CREDENTIAL_VALID):
        found = condition(account, kind)
        if found is None or found.status != "False":
            continue
        lost = found.reason in _ENDED and not _renewed(account)
        if found.reason == ConditionReason.NO_REFRESH_TOKEN and not _over(account, now):
            continue
        if found.reason in _NEW_GRANT or lost:
            return [Need(found.reason, sentence(found.message), sign_in(account, program))]
    if not account.status.conditions and account.status.credential is None:
        if account.spec.credential.import_secret_ref is not None:
            return []
        return [Need(ConditionReason.CREDENTIAL_NOT_FOUND, "nobody has signed in yet", sign_in(account, program))]
    return []


def _renewed(account: SubscriptionAccount) -> bool:
    """Tell whether a refresh is to come that brings another access token."""
    healthy = condition(account, ConditionType.REFRESH_HEALTHY)
    return healthy is not None and (healthy.status != "False" or healthy.reason in _TOLD_ELSEWHERE)


def _over(account: SubscriptionAccount, now: datetime) -> bool:
    return account.status.expires_at is not None and account.status.expires_at <= now


def _stale(account: SubscriptionAccount) -> bool:
    """Tell whether the status speaks of an earlier spec, so that what it misses may be there already."""
    return account.status.observed_generation < account.metadata.generation


def _name(account: SubscriptionAccount) -> str:
    return f"{account.metadata.name} -n {account.metadata.namespace}"
