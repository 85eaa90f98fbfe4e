"""What all commands on a cluster share: their options, and how a refusal or an outage becomes a sentence and a status."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from headgate_cli.cluster.api import Api, sentence
from headgate_cli.cluster.connect import Where
from headgate_cli.console import INTERRUPTED, REFUSED, Console, Refusal
from headgate_cli.view.style import plain
from headgate_runtime.kube_errors import KubeError, KubeUnavailable

Action = Callable[[argparse.Namespace, Api, Console], int]


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every command on a cluster has."""
    made = argparse.ArgumentParser(prog=f"{program()} {command}", description=description, allow_abbrev=False)
    made.add_argument("-n", "--namespace", help="namespace (default: that of the kubeconfig's context)")
    made.add_argument("--context", help="context of the kubeconfig")
    made.add_argument(
        "--kubeconfig", help="kubeconfig file (default: KUBECONFIG, ~/.kube/config, or the pod's own token)"
    )
    made.add_argument("--as", dest="impersonate", metavar="USER", help="act as this user, if you may impersonate them")
    made.add_argument("-o", "--output", choices=["text", "json"], default="text", help="json: see docs/cli.md")
    return made


def program() -> str:
    """Return the command as it was called: ``headgate`` or ``kubectl headgate``."""
    return "kubectl headgate" if Path(sys.argv[0]).name.startswith("kubectl-") else "headgate"


def where(arguments: argparse.Namespace) -> Where:
    """Return which cluster the arguments mean."""
    return Where(arguments.kubeconfig, arguments.context, arguments.impersonate)


def execute(made: argparse.ArgumentParser, action: Action, argv: Sequence[str]) -> int:
    """Parse ``argv`` and run ``action``; return the exit status. Raises SystemExit(2) for a command line without sense."""
    arguments = made.parse_args(argv)

    def act(console: Console) -> int:
        with Api.connect(where(arguments)) as api:
            arguments.namespace = arguments.namespace or api.namespace
            return action(arguments, api, console)

    return refusing(made, arguments, act)


def refusing(made: argparse.ArgumentParser, arguments: argparse.Namespace, act: Callable[[Console], int]) -> int:
    """Run ``act`` on this process's console; return its exit status, or that of the refusal or outage it met."""
    console = Console.of_process(arguments.output == "json")
    try:
        return act(console)
    except (Refusal, KubeError, KubeUnavailable) as error:
        console.warn(f"{made.prog}: {plain(_words(error))}")
        return error.status if isinstance(error, Refusal) else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _words(error: Exception) -> str:
    return sentence(error) if isinstance(error, KubeError) else str(error)
