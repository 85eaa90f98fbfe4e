"""``history POLICY``: the rollouts that ended."""

import argparse

from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import Console
from headgate_cli.rollout import read
from headgate_cli.view import history as view


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser("history", "List the rollouts that ended, newest first: how, when, and who approved them.")
    parser.add_argument("policy", metavar="POLICY")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Show the history of one policy."""
    subject, _ = read.subject(api, arguments.namespace, arguments.policy)
    console.emit(view.to_json(subject))
    console.say(view.text(subject, console.clock.now(), console.style))
    return 0
