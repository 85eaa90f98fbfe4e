"""``account status``: one account in full, several as a table; and the same as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from headgate_api import acknowledgement
from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.base import Condition
from headgate_api.resources.limits import LimitWindow
from headgate_cli.account.conditions import condition
from headgate_cli.view import account_needs
from headgate_cli.view.style import Style, ago, bar, plain, sentence, table, when

_CELLS: Final = 20


def one(account: SubscriptionAccount, now: datetime, style: Style, program: str) -> str:
    """Return everything about one account that fits a screen."""
    metadata = account.metadata
    out = [f"{style.bold(metadata.name)} in {metadata.namespace}   {_ready(account, style)}"]
    out += table(_facts(account, now, style), indent="  ")
    if account.status.conditions:
        out += ["", "conditions", *_conditions(account, now, style)]
    out += windows(account, now, style)
    if needed := account_needs.needs(account, now, program):
        out += ["", "needed", *account_needs.lines(needed, style)]
    return "\n".join(out)


def several(accounts: Sequence[SubscriptionAccount], now: datetime, style: Style, *, namespaces: bool) -> str:
    """Return a line per account."""
    if not accounts:
        return "no SubscriptionAccount here; -A looks in all namespaces"
    head = ["NAME", "PROVIDER", "OWNER", "STATE", "EXPIRES", "REFRESH", "LIMITS"]
    rows = [["NAMESPACE", *head] if namespaces else head]
    for account in accounts:
        status = account.status
        row = [
            account.metadata.name,
            account.spec.provider_ref.name,
            plain(account.spec.owner.email),
            _ready(account, style),
            _ago(status.expires_at, now),
            _ago(status.next_refresh, now),
            _limits(account, now, style),
        ]
        rows.append([account.metadata.namespace, *row] if namespaces else row)
    return "\n".join(table(rows))


def windows(account: SubscriptionAccount, now: datetime, style: Style) -> list[str]:
    """Return the plan's limits as bars with their resets; empty where nothing is known of any."""
    status = account.status
    if not status.windows and status.limited_until is None:
        return []
    told = f" (as of {when(status.windows_at, now)})" if status.windows_at is not None else ""
    rows = [_window(each, now, style) for each in status.windows]
    if status.limited_until is not None and status.limited_until > now:
        rows.append([style.bad("limited"), f"the vendor refuses requests until {when(status.limited_until, now)}"])
    return ["", f"limits{told}", *table(rows, indent="  ")]


def to_json(account: SubscriptionAccount, now: datetime, program: str) -> dict[str, Any]:
    """Return the shape of ``account status -o json`` that docs/cli.md promises."""
    spec, status, credential = account.spec, account.status, account.status.credential
    ready = condition(account, ConditionType.READY)
    return {
        "namespace": account.metadata.namespace,
        "name": account.metadata.name,
        "provider": spec.provider_ref.name,
        "owner": {
            "email": spec.owner.email,
            "subjects": [_subject(account, each.name, each.namespace) for each in spec.owner.subjects],
        },
        "sharing": spec.sharing,
        "suspended": spec.suspend,
        "ready": None if ready is None else {"status": ready.status, "reason": ready.reason, "message": ready.message},
        "conditions": [each.to_wire() for each in status.conditions],
        "credential": None
        if credential is None
        else {"grantId": credential.grant_id, "version": credential.version, "importedFrom": credential.imported_from},
        "generation": status.generation,
        "expiresAt": _time(status.expires_at),
        "lastRefresh": _time(status.last_refresh),
        "nextRefresh": _time(status.next_refresh),
        "windows": [
            {
                "name": each.name,
                "usedPercent": each.used_percent,
                "resetsAt": _time(each.resets_at),
                "exhausted": each.exhausted,
            }
            for each in status.windows
        ],
        "windowsAt": _time(status.windows_at),
        "limitedUntil": _time(status.limited_until),
        "signIn": None
        if status.sign_in is None
        else {"by": status.sign_in.by, "at": rfc3339(status.sign_in.at), "grantId": status.sign_in.grant_id},
        "acknowledgement": None
        if spec.acknowledgement is None
        else {
            "by": spec.acknowledgement.by,
            "at": rfc3339(spec.acknowledgement.at),
            "textVersion": spec.acknowledgement.text_version,
        },
        "needs": [need.to_json() for need in account_needs.needs(account, now, program)],
    }


def _facts(account: SubscriptionAccount, now: datetime, style: Style) -> list[list[str]]:
    spec, status = account.spec, account.status
    users = ", ".join(_subject(account, each.name, each.namespace) for each in spec.owner.subjects)
    used = "every caller of the provider" if spec.sharing == "Pool" else f"ServiceAccounts {users}"
    rows = [["provider", spec.provider_ref.name], ["owner", plain(spec.owner.email)], ["used by", used]]
    rows += [["grant", _grant(account)], ["signed in", _signed_in(account, now)]]
    rows += [["acknowledged", _acknowledged(account, now, style)]]
    if status.expires_at is not None:
        over = status.expires_at <= now
        text = when(status.expires_at, now)
        rows += [["expires", style.bad(f"expired {text}") if over else text]]
    if status.last_refresh is not None:
        rows += [["refreshed", when(status.last_refresh, now)]]
    rows += [["next refresh", "none: see RefreshHealthy" if spec.oauth is not None else "none: spec.oauth is not set"]]
    if status.next_refresh is not None:
        rows[-1][1] = when(status.next_refresh, now)
    return rows


def _grant(account: SubscriptionAccount) -> str:
    known, generation = account.status.credential, account.status.generation
    if known is None or known.version is None:
        return "none in Vault"
    counted = f", generation {generation}" if generation is not None else ""
    return f"{plain(known.grant_id or '')}{counted}, version {known.version} in Vault"


def _signed_in(account: SubscriptionAccount, now: datetime) -> str:
    record, known = account.status.sign_in, account.status.credential
    if record is not None and known is not None and record.grant_id == known.grant_id:
        return f"by {plain(record.by)} at {when(record.at, now)}"
    if known is not None and known.imported_from is not None:
        return f"imported from Secret {plain(known.imported_from)}"
    return "nobody" if known is None or known.version is None else "the grant was in Vault already"


def _acknowledged(account: SubscriptionAccount, now: datetime, style: Style) -> str:
    given = account.spec.acknowledgement
    if given is None:
        return style.waits("by nobody")
    text = f"by {plain(given.by)} at {when(given.at, now)}, text {plain(given.text_version)}"
    return (
        text if given.text_version == acknowledgement.TEXT_VERSION else style.waits(f"{text}, which has changed since")
    )


def _conditions(account: SubscriptionAccount, now: datetime, style: Style) -> list[str]:
    """Return a line per condition; what it says follows where it is not as it should be."""
    found = account.status.conditions
    rows = []
    for each in found:
        paint = style.good if _is_good(each) else style.waits if each.status == "Unknown" else style.bad
        since = ago(each.last_transition_time, now)
        rows.append([sentence(each.type), paint(each.status), sentence(each.reason), since])
    out = []
    for each, line in zip(found, table(rows, indent="  "), strict=True):
        out.append(line)
        if each.message and not _is_good(each) and each.type != ConditionType.ACKNOWLEDGED:  # its text stands below
            out.append(f"      {style.dim(sentence(each.message))}")
    return out


def _is_good(each: Condition) -> bool:
    return each.status == ("False" if each.type == ConditionType.SUSPENDED else "True")


def _window(window: LimitWindow, now: datetime, style: Style) -> list[str]:
    used = window.used_percent
    percent = 100 if window.exhausted else None if used is None else round(min(used, 100))
    shown = "not told" if percent is None else f"{bar(percent, _CELLS)} {percent if used is None else round(used)} %"
    paint = style.bad if window.exhausted else style.waits if percent is not None and percent >= 90 else style.good
    reset = "" if window.resets_at is None else f"resets {when(window.resets_at, now)}"
    return [plain(window.name), paint(shown), "exhausted" if window.exhausted else "", reset]


def _limits(account: SubscriptionAccount, now: datetime, style: Style) -> str:
    status = account.status
    if status.limited_until is not None and status.limited_until > now:
        return style.bad(f"until {rfc3339(status.limited_until)} ({ago(status.limited_until, now)})")
    told = [
        f"{plain(each.name)} {round(each.used_percent)} %" for each in status.windows if each.used_percent is not None
    ]
    return ", ".join(told)


def _ready(account: SubscriptionAccount, style: Style) -> str:
    ready = condition(account, ConditionType.READY)
    if ready is None:
        return style.waits("not looked at yet")
    return style.good("Ready") if ready.status == "True" else style.waits(sentence(ready.reason))


def _subject(account: SubscriptionAccount, name: str, namespace: str | None) -> str:
    return f"{namespace or account.metadata.namespace}/{name}"


def _ago(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else ago(moment, now)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
