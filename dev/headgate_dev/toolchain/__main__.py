"""`python -m headgate_dev.toolchain [TOOL ...]` prints where each tool lies, building those that are missing."""

import argparse
import sys
from collections.abc import Sequence

from headgate_dev.toolchain import TOOLS, ToolchainError, find_tools


def main(argv: Sequence[str] | None = None) -> int:
    """Print one path per named tool (those of the development cluster by default); return the exit code."""
    parser = argparse.ArgumentParser(prog="headgate dev tools", description=__doc__)
    default = [name for name, tool in TOOLS.items() if not tool.real_node]
    parser.add_argument(
        "tools", nargs="*", metavar="TOOL", help=f"of {', '.join(TOOLS)}; default: {', '.join(default)}"
    )
    arguments = parser.parse_args(argv)
    try:
        for name, path in find_tools(arguments.tools or default).items():
            print(f"{name}\t{path}")
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
