"""``account revoke NAME``: end a sign-in: revoked at the vendor where it can be, forgotten here in any case."""

import argparse
from typing import Final

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_cli import command
from headgate_cli.account import options, read
from headgate_cli.account.change import annotate
from headgate_cli.account.conditions import condition, in_words
from headgate_cli.account.waiting import wait
from headgate_cli.cluster.api import Api
from headgate_cli.console import REFUSED, USAGE, Console, Refusal
from headgate_cli.view import account_needs
from headgate_cli.view.style import sentence

FORGOTTEN: Final = "Forgotten"
PENDING: Final = "Pending"
_WAIT_SECONDS: Final = 60.0
_VENDOR_SECONDS: Final = 35.0
"""How long a vendor may take; where it takes longer, the operator goes on telling it."""


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account revoke",
        "End an account's sign-in: its tokens are revoked at the vendor where spec.oauth names an endpoint for that, and forgotten "
        "here. The account stays, for another sign-in.",
    )
    options.add_name(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    options.add_wait(parser, _WAIT_SECONDS, "the operator to forget the grant")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Revoke the grant that the account has now, and no other."""
    account, _ = read.account(api, arguments.namespace, arguments.name)
    grant, label = _grant(account), read.label(account)
    if grant is None:
        raise Refusal(f"{label} has no grant that could be revoked: Vault holds nothing of it")
    consent(
        arguments, console, f"End the sign-in of {label} ({account.spec.owner.email})? Requests cannot use it any more."
    )
    asked = {names.ANNOTATION_REVOKE: grant}
    annotate(api, arguments.namespace, arguments.name, asked, lambda now: _grant(now) == grant)

    def look() -> tuple[SubscriptionAccount | None, str]:
        now, _ = read.account(api, arguments.namespace, arguments.name)
        return now if _grant(now) != grant else None, in_words(condition(now, "Ready"))

    after, progress = wait(console, "the operator to forget the grant", arguments.wait, look)
    if after is None:
        message = (
            f"the revocation of {label} is asked for, but grant {grant} is not forgotten within {arguments.wait:g} s "
            f"({sentence(progress)}); see whether the operator runs and reaches Vault"
        )
    else:
        again = account_needs.sign_in(after, command.program())
        message = (
            f"{label}: the grant is forgotten. {_outcome(arguments, api, console, after)} Another sign-in: `{again}`"
        )
    console.say(message) if after is not None else console.warn(message)
    console.emit({"revoke": grant, "outcome": PENDING if after is None else FORGOTTEN, "message": message})
    return REFUSED if after is None else 0


def consent(arguments: argparse.Namespace, console: Console, question: str) -> None:
    """Ask before what cannot be undone. Raises Refusal."""
    if arguments.yes:
        return
    if console.ask is None:
        raise Refusal("nobody can be asked here; agree with --yes", USAGE)
    if not console.confirmed(sentence(question)):
        raise Refusal("nothing was changed")


def _outcome(arguments: argparse.Namespace, api: Api, console: Console, account: SubscriptionAccount) -> str:
    """Return what came of it at the vendor, as the operator says it; where that says nothing, what the owner has to do."""
    profile = account.spec.oauth
    if profile is None or profile.revocation_endpoint is None:
        return at_the_vendor(account)

    def look() -> tuple[str | None, str]:
        now, _ = read.account(api, arguments.namespace, arguments.name)
        valid = condition(now, ConditionType.CREDENTIAL_VALID)
        if valid is not None and valid.reason == ConditionReason.REVOKING:
            return None, valid.message
        if valid is None or valid.reason != ConditionReason.REVOKED:
            return at_the_vendor(now), ""
        return _sentence(valid.message), valid.message

    told, progress = wait(console, "the vendor to be told", _VENDOR_SECONDS, look)
    return told or _sentence(progress)


def _sentence(text: str) -> str:
    text = sentence(text)
    return text if text.endswith(".") else f"{text}."


def at_the_vendor(account: SubscriptionAccount) -> str:
    """Return what the plan's holder has to do at the vendor once the grant is forgotten here."""
    owner, profile = sentence(account.spec.owner.email), account.spec.oauth
    where = "in the account settings at the vendor, under authorized applications"
    if profile is not None and profile.revocation_endpoint is not None:
        return f"The vendor was asked to revoke it; {owner} can see {where}, that it is gone."
    return f"The vendor has no way to revoke it from here: {owner} ends it {where}."


def _grant(account: SubscriptionAccount) -> str | None:
    return account.status.credential.grant_id if account.status.credential is not None else None
