"""``account delete NAME``: the account goes, and with --revoke its grant too; the Secret that an import made goes with it."""

import argparse
from typing import Any, Final

from headgate_api.resources import SubscriptionAccount
from headgate_cli import command
from headgate_cli.account import handing, options, read
from headgate_cli.account.change import change
from headgate_cli.account.conditions import condition, in_words
from headgate_cli.account.revoke import at_the_vendor, consent
from headgate_cli.account.waiting import wait
from headgate_cli.cluster.api import Api
from headgate_cli.console import REFUSED, Console
from headgate_cli.view.style import sentence
from headgate_runtime.kube_errors import KubeError
from headgate_runtime.kube_kinds import SECRET, SUBSCRIPTION_ACCOUNT

_WAIT_SECONDS: Final = 150.0
"""With --revoke the operator waits two minutes for the vendor."""


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account delete",
        "Delete an account. Its grant stays in Vault for an account of the same name, unless --revoke is given or its "
        "spec.deletionPolicy is Revoke.",
    )
    options.add_name(parser)
    parser.add_argument(
        "--revoke", action="store_true", help="revoke and forget the grant too (sets deletionPolicy: Revoke)"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    options.add_wait(parser, _WAIT_SECONDS, "the operator to let it go")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Delete the account."""
    account, _ = read.account(api, arguments.namespace, arguments.name)
    label, revoked = read.label(account), arguments.revoke or account.spec.deletion_policy == "Revoke"
    fate = "and revoke its grant" if revoked else "(its grant stays in Vault)"
    consent(arguments, console, f"Delete {label} of {account.spec.owner.email} {fate}?")
    if arguments.revoke and account.spec.deletion_policy != "Revoke":
        account = change(api, arguments.namespace, arguments.name, {"spec": {"deletionPolicy": "Revoke"}})
    api.delete(SUBSCRIPTION_ACCOUNT, arguments.namespace, arguments.name)

    def look() -> tuple[bool | None, str]:
        found = read.find(api, arguments.namespace, arguments.name)
        if found is None or found[0].metadata.uid != account.metadata.uid:
            return True, ""
        return None, in_words(condition(found[0], "Ready"))

    gone, progress = wait(console, "the operator to let it go", arguments.wait, look)
    if gone is None:
        message = (
            f"{label} is being deleted, but is not gone within {arguments.wait:g} s ({sentence(progress)}); the operator lets it "
            "go once it has dealt with its grant in Vault, so see whether it runs"
        )
        console.warn(message)
    else:
        _tidy(api, console, account)
        message = f"{label} is deleted. {_fate(account, revoked)}"
        console.say(message)
    report: dict[str, Any] = {"deleted": label, "revoked": revoked, "outcome": "Deleted" if gone else "Pending"}
    console.emit(report | {"message": message})
    return 0 if gone else REFUSED


def _fate(account: SubscriptionAccount, revoked: bool) -> str:
    if account.status.credential is None:
        return "Vault holds nothing of it."
    if not revoked:
        return "Its grant stays in Vault, and an account of this name uses it again."
    return f"Its grant is forgotten. {at_the_vendor(account)}"


def _tidy(api: Api, console: Console, account: SubscriptionAccount) -> None:
    """Delete the Secret that an import made for the account, which may still hold a file that was never taken."""
    namespace, name = account.metadata.namespace, handing.secret_name(account.metadata.name)
    try:
        body = api.get(SECRET, namespace, name)
        if body is not None and handing.is_ours(body):
            api.delete(SECRET, namespace, name)
    except KubeError as error:
        console.warn(f"Secret {namespace}/{name}, if it is there, stays: {error.message}")
