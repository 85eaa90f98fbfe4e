"""``status [POLICY]``: where rollouts are, once or as they move."""

import argparse
import json

from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.view import status as view
from headgate_cli.watch import watch


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser("status", "Show where rollouts are, what they wait for and what analysis says.")
    parser.add_argument(
        "policy", nargs="?", metavar="POLICY", help="one RolloutPolicy in full (default: a line for each)"
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    parser.add_argument(
        "-w", "--watch", action="store_true", help="show it again whenever it changes, until interrupted"
    )
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Show one policy or several."""
    if arguments.policy is not None and arguments.all_namespaces:
        raise Refusal("name a POLICY with its namespace (-n), or all namespaces (-A), not both", 2)
    look = _one if arguments.policy is not None else _several
    if arguments.watch:
        watch(lambda: look(arguments, api, console), console)
    else:
        console.out.write(look(arguments, api, console) + "\n")
    return 0


def _one(arguments: argparse.Namespace, api: Api, console: Console) -> str:
    subject, _ = read.subject(api, arguments.namespace, arguments.policy)
    if console.as_json:
        return json.dumps(view.to_json(subject), indent=2, ensure_ascii=False)
    return view.one(subject, console.clock.now(), console.style)


def _several(arguments: argparse.Namespace, api: Api, console: Console) -> str:
    found = read.subjects(api, None if arguments.all_namespaces else arguments.namespace)
    if console.as_json:
        return json.dumps({"items": [view.to_json(each) for each in found]}, indent=2, ensure_ascii=False)
    return view.several(found, console.clock.now(), console.style, namespaces=arguments.all_namespaces)
