"""``headgate operator``: settings in, one process out. TERM and INT end it cleanly, and release the Lease."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_operator.engine.watching import quieten_kopf
from headgate_operator.operator import Operator
from headgate_operator.settings import OperatorSettings
from headgate_runtime import logs
from headgate_runtime.kube import Kube, KubeUnavailable
from headgate_runtime.settings import USAGE_EXIT
from headgate_runtime.vault import Vault

_log = logging.getLogger(__name__)


def main(argv: list[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run the operator until TERM or INT; return 0, 1 when it could not run, or 2 for an argument or bad setting."""
    if argv:
        print(f"headgate operator takes no arguments, but was given: {' '.join(argv)}", file=sys.stderr)  # noqa: T201
        return USAGE_EXIT
    try:
        settings = OperatorSettings.from_env(environ)
    except ValueError as error:
        print(f"headgate operator: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_EXIT
    redactor = Redactor()
    logs.configure(settings.log_level, redactor, "operator")
    quieten_kopf()
    causes: list[BaseException] = []
    try:
        asyncio.run(_run(settings, redactor))
    except* (KubeUnavailable, OSError) as group:
        causes.extend(group.exceptions)
    for cause in causes:
        _log.error("The operator cannot run: %s", cause)
    return 1 if causes else 0


async def _run(settings: OperatorSettings, redactor: Redactor) -> None:
    clock = SystemClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with await Kube.connect(settings.kube) as kube, Vault(settings.vault, clock, redactor) as vault:
        operator = Operator(settings, kube, vault, clock, redactor)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(operator.run())
            await stop.wait()
            _log.info("The operator stops")
            running.cancel()
