"""`headgate dev ...`: hands over to the part of the development tools that is meant, loading only that."""

import importlib
import sys
from collections.abc import Sequence
from typing import Final

_MODULES: Final = {
    "up": ("headgate_dev.cluster.__main__", "start a development cluster in the background"),
    "down": ("headgate_dev.cluster.__main__", "end it and leave nothing"),
    "status": ("headgate_dev.cluster.__main__", "show what of it runs"),
    "node": ("headgate_dev.node.__main__", "run a development node against a cluster"),
    "tools": ("headgate_dev.toolchain.__main__", "find or build etcd, kube-apiserver, kubectl, helm"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand ``argv`` names (default: the process's arguments); return the exit code (2 for bad usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in _MODULES:
        print("usage: headgate dev COMMAND", file=sys.stderr)
        for name, (_, summary) in _MODULES.items():
            print(f"  {name:8}{summary}", file=sys.stderr)
        return 2
    module, _ = _MODULES[arguments[0]]
    # up, down and status are one program, which wants to know which of them is meant.
    own = module.startswith("headgate_dev.cluster")
    code: int = importlib.import_module(module).main(arguments if own else arguments[1:])
    return code
