"""``account status [NAME]``: what state accounts are in and what they need, once or as it changes."""

import argparse
import json

from headgate_cli import command
from headgate_cli.account import options, read
from headgate_cli.cluster.api import Api
from headgate_cli.console import USAGE, Console, Refusal
from headgate_cli.view import account as view
from headgate_cli.watch import watch


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account status", "Show subscription accounts: grant, expiry, refreshes, limits, and what they need."
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        type=options.account_name,
        help="one account in full (default: a line for each)",
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    parser.add_argument(
        "-w", "--watch", action="store_true", help="show it again whenever it changes, until interrupted"
    )
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Show one account or several."""
    if arguments.name is not None and arguments.all_namespaces:
        raise Refusal("name an account with its namespace (-n), or all namespaces (-A), not both", USAGE)
    look = _one if arguments.name is not None else _several
    if arguments.watch:
        watch(lambda: look(arguments, api, console), console)
    else:
        console.out.write(look(arguments, api, console) + "\n")
    return 0


def _one(arguments: argparse.Namespace, api: Api, console: Console) -> str:
    account, _ = read.account(api, arguments.namespace, arguments.name)
    now, program = console.clock.now(), command.program()
    if console.as_json:
        return json.dumps(view.to_json(account, now, program), indent=2, ensure_ascii=False)
    return view.one(account, now, console.style, program)


def _several(arguments: argparse.Namespace, api: Api, console: Console) -> str:
    found = read.accounts(api, None if arguments.all_namespaces else arguments.namespace)
    now = console.clock.now()
    if console.as_json:
        items = [view.to_json(each, now, command.program()) for each in found]
        return json.dumps({"items": items}, indent=2, ensure_ascii=False)
    return view.several(found, now, console.style, namespaces=arguments.all_namespaces)
