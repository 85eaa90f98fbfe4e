"""`python -m headgate_dev.node --kubeconfig FILE --state DIR` runs the development node until TERM."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from headgate_api.clock import SystemClock
from headgate_dev.node.agent import Node
from headgate_dev.node.files import PodFiles
from headgate_dev.node.kube import NodeKube
from headgate_dev.node.translate import Machine
from headgate_runtime.kube import KubeSettings

_INHERITED = ("LANG", "LC_ALL", "PYTHONDONTWRITEBYTECODE")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node; return the exit code."""
    parser = argparse.ArgumentParser(prog="headgate dev node", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="kubeconfig with a node's rights")
    parser.add_argument("--state", type=Path, required=True, help="folder for the pods' files")
    arguments = parser.parse_args(argv)
    arguments.state.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(arguments.kubeconfig, arguments.state))
    return 0


async def run(kubeconfig: Path, state: Path) -> None:
    """Run the node until this process gets TERM or INT; ``state`` exists."""
    async with await NodeKube.connect(KubeSettings(kubeconfig=kubeconfig)) as kube:
        node = Node(kube, PodFiles(state), machine(kubeconfig, state), SystemClock())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, node.stop)
        await node.run()


def machine(kubeconfig: Path, state: Path) -> Machine:
    """Return what processes on this machine are given: this installation's programs first on PATH, the API server's address."""
    server = urlsplit(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    programs = Path(sys.executable).parent
    home = state / "home"
    home.mkdir(exist_ok=True)
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return Machine(
        environment={**environment, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)},
        api_host=server.hostname or "127.0.0.1",
        api_port=server.port or 443,
        programs={"headgate": str(programs / "headgate")},
    )


if __name__ == "__main__":
    sys.exit(main())
