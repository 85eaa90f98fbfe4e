"""Entry point of ``headgate`` (and ``kubectl headgate``): finds the part that is meant and hands over to it.

Parts are imported when they are called, so that a proxy pod starts without loading the operator, and the image of either
needs only its own extra of the distribution.
"""

import importlib
import sys
from dataclasses import dataclass
from typing import Final

USAGE_EXIT: Final = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One subcommand: the module whose ``main(argv)`` runs it, and the extra that brings what it needs."""

    module: str
    extra: str
    summary: str


PARTS: Final = {
    "operator": Part(
        "headgate_operator.main", "operator", "run the control plane (settings come from HEADGATE_* variables)"
    ),
    "proxy": Part("headgate_proxy.main", "proxy", "run one proxy of a fleet (settings come from HEADGATE_* variables)"),
    "status": Part("headgate_cli.rollout.status", "cli", "where rollouts are, what they wait for, what analysis says"),
    "approve": Part("headgate_cli.rollout.approve", "cli", "agree to the step that a rollout waits at"),
    "abort": Part("headgate_cli.rollout.abort", "cli", "withdraw the change under way"),
    "pause": Part("headgate_cli.rollout.pause", "cli", "keep a rollout where it is"),
    "resume": Part("headgate_cli.rollout.resume", "cli", "let a paused rollout go on"),
    "release": Part("headgate_cli.rollout.release", "cli", "try withdrawn content again, or serve held content"),
    "explain": Part("headgate_cli.rollout.explain", "cli", "why a rollout is where it is, and who can do what"),
    "history": Part("headgate_cli.rollout.history", "cli", "the rollouts that ended"),
    "account": Part(
        "headgate_cli.account.main", "cli", "subscription accounts: sign in, import, status, refresh, suspend, revoke"
    ),
    "smoke": Part("headgate_cli.smoke.main", "cli", "ask the canary a fixed list of requests and judge the answers"),
    "purge": Part("headgate_cli.purge.main", "cli", "delete everything that stays behind after helm uninstall"),
    "generate": Part(
        "headgate_cli.generate", "operator", "write crds/ and what else derives from the contract into a folder"
    ),
    "dev": Part("headgate_dev.main", "dev", "up | down | status | node | tools: the development cluster"),
}


def usage() -> str:
    """Return the help text."""
    lines = ["usage: headgate COMMAND [ARGUMENT ...]", "", "commands:"]
    lines += [f"  {name:<10} {part.summary}" for name, part in PARTS.items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the part named by the first argument; return its exit status (2 for a command that does not exist)."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else USAGE_EXIT
    name, *rest = arguments
    part = PARTS.get(name)
    if part is None:
        print(f"headgate: there is no command {name!r}\n\n{usage()}", file=sys.stderr)
        return USAGE_EXIT
    try:
        module = importlib.import_module(part.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("headgate_"):
            raise
        print(
            f"headgate {name}: the Python module {error.name!r} is missing; install headgate[{part.extra}]",
            file=sys.stderr,
        )
        return USAGE_EXIT
    return int(module.main(rest))
