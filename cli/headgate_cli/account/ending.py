"""How a command on an account ends: the account as it stands, what it still needs, and what the API server remarked."""

import argparse
from collections.abc import Mapping
from typing import Any

from headgate_api import acknowledgement
from headgate_api.resources import SubscriptionAccount
from headgate_cli.account import read
from headgate_cli.account.conditions import condition
from headgate_cli.cluster.api import Api
from headgate_cli.command import program
from headgate_cli.console import Console
from headgate_cli.view import account as view
from headgate_cli.view import account_needs
from headgate_cli.view.style import plain


def tell(
    arguments: argparse.Namespace,
    api: Api,
    console: Console,
    account: SubscriptionAccount,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print what is left to do, or the account as JSON with ``more`` beside it."""
    now = console.clock.now()
    for warning in dict.fromkeys(api.warnings):
        if acknowledgement.TEXT not in warning.replace("\\", ""):  # it stands among what is needed, in full
            console.warn(f"warning: {plain(warning)}")
    needed = account_needs.needs(account, now, program())
    if needed:
        console.say("\nStill needed:")
    for line in account_needs.lines(needed, console.style):
        console.say(line)
    if not needed:
        ready = condition(account, "Ready")
        console.say(
            f"{read.label(account)}: {'requests may use it' if ready and ready.status == 'True' else 'nothing more to do'}"
        )
    console.emit({**(more or {}), "account": view.to_json(account, now, program())})
