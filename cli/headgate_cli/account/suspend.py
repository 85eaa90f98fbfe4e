"""``account suspend NAME`` and ``account resume NAME``: stop all use of an account; only a person lets it be used again (S5.7)."""

import argparse

from headgate_api.reasons import ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_cli import command
from headgate_cli.account import options, read
from headgate_cli.account.change import change
from headgate_cli.account.conditions import condition
from headgate_cli.account.ending import tell
from headgate_cli.account.waiting import wait
from headgate_cli.cluster.api import Api
from headgate_cli.console import Console

_WAIT_SECONDS = 10.0


def suspend(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    return _main(
        "suspend", "Stop all use of an account: no request, no refresh. It stays so until `account resume`.", argv
    )


def resume(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    return _main("resume", "Let a suspended account be used and refreshed again.", argv)


def _main(name: str, description: str, argv: list[str]) -> int:
    parser = command.parser(f"account {name}", description)
    options.add_name(parser)
    options.add_wait(parser, _WAIT_SECONDS, "the operator to take it up")
    parser.set_defaults(suspend=name == "suspend")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Suspend or resume the account, and wait until the operator says so."""
    wanted = arguments.suspend
    account = change(api, arguments.namespace, arguments.name, {"spec": {"suspend": wanted}})
    generation, label = account.metadata.generation, read.label(account)

    def look() -> tuple[SubscriptionAccount | None, str]:
        now, _ = read.account(api, arguments.namespace, arguments.name)
        shown = condition(now, ConditionType.SUSPENDED)
        taken_up = now.status.observed_generation >= generation and shown is not None
        return now if taken_up else None, f"{label} does not show it yet"

    shown, _ = wait(console, "the operator to take it up", arguments.wait, look)
    done = "is suspended: no request and no refresh uses it" if wanted else "is resumed"
    if shown is None:
        done = (
            f"is to be {'suspended' if wanted else 'resumed'}, but the operator has not taken it up within {arguments.wait:g} s; "
            "see whether it runs"
        )
    console.say(f"{label} {done}")
    outcome = {"suspended": wanted, "outcome": "Pending" if shown is None else "Suspended" if wanted else "Resumed"}
    if wanted:
        console.emit({**outcome, "message": f"{label} {done}"})
    else:
        tell(arguments, api, console, shown or account, outcome)
    return 0
