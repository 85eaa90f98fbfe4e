"""`headgate dev up | down | status`: a development cluster in the background."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from headgate_dev.cluster import background
from headgate_dev.host.errors import ClusterError
from headgate_dev.toolchain import ToolchainError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the three; return the exit code (status: 0 while everything runs, 3 otherwise)."""
    parser = argparse.ArgumentParser(prog="headgate dev", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args(argv).command
    state = background.state_folder()
    try:
        if command == "up":
            for name, value in background.up(state).items():
                print(f"export {name}={shlex.quote(value)}")
            return 0
        if command == "down":
            print("ended: " + (", ".join(background.down(state)) or "nothing was running"))
            return 0
    except (ClusterError, ToolchainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    running = background.status(state)
    for name, alive in running.items():
        print(f"{name}\t{'running' if alive else 'ended'}")
    if not running:
        print("no development cluster; `headgate dev up` starts one")
    return 0 if running and all(running.values()) else 3


if __name__ == "__main__":
    sys.exit(main())
