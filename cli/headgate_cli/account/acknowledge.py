"""``account acknowledge NAME``, and ``--acknowledge`` elsewhere: a person reads the risk and accepts it in their own name."""

import argparse

from headgate_api import acknowledgement
from headgate_api.clock import rfc3339
from headgate_api.resources import SubscriptionAccount
from headgate_cli import command
from headgate_cli.account import options, read
from headgate_cli.account.change import change
from headgate_cli.account.ending import tell
from headgate_cli.cluster.api import Api
from headgate_cli.console import USAGE, Console, Refusal
from headgate_cli.view.style import sentence


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account acknowledge",
        "Show the risk of plan credentials, and record that you accept it for an account. Nothing uses an account before that.",
    )
    options.add_name(parser)
    parser.add_argument(
        "--accept",
        metavar="TEXT_VERSION",
        help="accept the text of this version, which you have read, without being asked",
    )
    parser.set_defaults(acknowledge=True)
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Acknowledge for one account."""
    check(arguments, console)
    account, _ = read.account(api, arguments.namespace, arguments.name)
    account = if_asked(arguments, api, console, account)
    tell(arguments, api, console, account)
    return 0


def check(arguments: argparse.Namespace, console: Console) -> None:
    """Raises Refusal when the command line accepts another text than the one there is, or nobody can be asked."""
    version = acknowledgement.TEXT_VERSION
    if arguments.accept not in (None, version):
        raise Refusal(
            f"--accept {arguments.accept} is not the text as it stands ({version}), which says: {acknowledgement.TEXT}"
        )
    if arguments.acknowledge and arguments.accept is None and console.ask is None:
        raise Refusal(
            f"nobody can be asked here; read the text, and accept it with --accept {version}: {acknowledgement.TEXT}",
            USAGE,
        )


def is_acknowledged(account: SubscriptionAccount) -> bool:
    """Tell whether the text as it stands is acknowledged."""
    given = account.spec.acknowledgement
    return given is not None and given.text_version == acknowledgement.TEXT_VERSION


def if_asked(
    arguments: argparse.Namespace, api: Api, console: Console, account: SubscriptionAccount
) -> SubscriptionAccount:
    """Record the acknowledgement where the command line asks for it, and return the account. Raises Refusal, KubeError."""
    version = acknowledgement.TEXT_VERSION
    if not (arguments.acknowledge or arguments.accept) or is_acknowledged(account):
        return account
    if arguments.accept is None and console.ask is not None:
        console.warn(f"\n{acknowledgement.TEXT}\n")
        if (
            console.ask(f"Type the text's version, {version}, to accept it for {read.label(account)}: ").strip()
            != version
        ):
            raise Refusal(f"nothing was acknowledged, so nothing uses {read.label(account)} yet")
    me = api.user()
    given = {"by": me, "at": rfc3339(console.clock.now()), "textVersion": version}
    found = change(api, account.metadata.namespace, account.metadata.name, {"spec": {"acknowledgement": given}})
    console.say(f"{read.label(account)}: text {version} is acknowledged by {sentence(me)}")
    return found
