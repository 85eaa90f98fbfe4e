"""``python -m bench``: measures the edge against its speed budget and prints the table. Linux only; under 90 seconds."""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import uvloop

from bench import gate
from bench.figures import Figure, table
from bench.process import Process
from bench.rounds import BURST, LARGE, SMALL, TICKED, Load
from headgate_dev.host.network import free_ports

_ROUNDS: Final = 5
_ALL_SECONDS: Final = 85
_NOTE: Final = """
CPU time (user and system, all threads) of the relay's process alone; medians of the rounds. The gate: authentication,
routing, metrics, a log line per request to a pipe, traces sampled at 1 %. The floor: a relay of twenty lines without."""
_MEGA: Final = 1e6
_KILO: Final = 1e3


@contextmanager
def _drained_pipe() -> Iterator[int]:
    """Return the writing end of a pipe that somebody reads, as a container's runtime reads its log."""
    reading, writing = os.pipe()

    def drain() -> None:
        while os.read(reading, 1 << 16):
            pass

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        yield writing
    finally:
        os.close(writing)
        thread.join()
        os.close(reading)


async def _measure(proxy: Process, ours: Load, floor: Process, least: Load, rounds: int) -> list[Figure]:
    figures = {
        SMALL: Figure("small request", "µs", 250),
        LARGE: Figure("256 KiB prompt", "µs", 700),
        BURST: Figure("streamed event, many at once", "µs", 8),
        TICKED: Figure("streamed event, each by itself", "µs", None),
    }
    idle, stream = Figure("idle memory", "MB", 90), Figure("memory per open stream", "KB", 40)
    async with asyncio.timeout(_ALL_SECONDS):
        idle.gate.append(proxy.pss_bytes() / _MEGA)
        idle.floor.append(floor.pss_bytes() / _MEGA)
        for load in (ours, least):
            await load.warm()
        stream.gate.append(await ours.bytes_per_open_stream() / _KILO)
        stream.floor.append(await least.bytes_per_open_stream() / _KILO)
        for _ in range(rounds):
            for name, figure in figures.items():  # one right after the other: noise of the machine meets both alike
                figure.gate.append(await ours.cpu_micros(name))
                figure.floor.append(await least.cpu_micros(name))
    return [*figures.values(), idle, stream]


def main() -> int:
    """Run; return 0, or 1 with ``--strict`` when a budget is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--strict", action="store_true", help="fail when a figure is over its budget")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    vendor, port, admin, floor_port = free_ports(4)
    upstream = f"http://127.0.0.1:{vendor}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        token = gate.prepare(folder, upstream)
        log = stack.enter_context(_drained_pipe())
        stack.enter_context(Process(["-m", "bench.upstream", str(vendor)], core=cores[0])).wait_for(f"{upstream}/")
        floor = stack.enter_context(Process(["-m", "bench.floor", str(floor_port), upstream], core=cores[-1]))
        environ = gate.environ(folder, port=port, admin=admin, traces=upstream)
        proxy = stack.enter_context(Process(["-c", gate.PROGRAM], core=cores[-1], environ=environ, stdout=log))
        proxy.wait_for(f"http://127.0.0.1:{admin}/readyz")
        floor.wait_for(f"http://127.0.0.1:{floor_port}/")
        ours, least = Load(proxy, port, token), Load(floor, floor_port, token)
        figures = uvloop.run(_measure(proxy, ours, floor, least, arguments.rounds))
    print(table(figures))
    print(_NOTE)
    return int(arguments.strict and any(figure.met is False for figure in figures))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error or type(error).__name__}")
