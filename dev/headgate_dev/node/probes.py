"""Probes: one attempt is I/O, what a row of attempts means is a pure count."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from headgate_dev.node.ports import local_port
from headgate_dev.node.process import run_quietly
from headgate_dev.node.translate import ProcessPlan


@dataclass(frozen=True)
class Tally:
    """What a row of probe results means. ``verdict`` changes only when a threshold is reached."""

    verdict: bool | None = None
    successes: int = 0
    failures: int = 0

    def after(self, success: bool, probe: Mapping[str, Any]) -> "Tally":
        """Return the tally with one more result counted."""
        if success:
            count = self.successes + 1
            return Tally(True if count >= probe.get("successThreshold", 1) else self.verdict, count, 0)
        count = self.failures + 1
        return Tally(False if count >= probe.get("failureThreshold", 3) else self.verdict, 0, count)


@dataclass(frozen=True)
class Target:
    """The container a probe or a hook acts on: its spec, its process, the pod's local ports."""

    container: Mapping[str, Any]
    plan: ProcessPlan
    ports: Mapping[str, int]


async def act(action: Mapping[str, Any], target: Target, seconds: float) -> bool:
    """Do one `httpGet`, `tcpSocket`, `exec` or `sleep` within ``seconds``; tell whether it succeeded."""
    try:
        async with asyncio.timeout(seconds):
            if "sleep" in action:
                await asyncio.sleep(action["sleep"]["seconds"])
                return True
            if "exec" in action:
                return await run_quietly(action["exec"]["command"], target.plan.environment) == 0
            if "tcpSocket" in action:
                port = local_port(target.container, action["tcpSocket"]["port"], target.ports)
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return True
            return await _http_get(action["httpGet"], target)
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False


async def _http_get(get: Mapping[str, Any], target: Target) -> bool:
    port = local_port(target.container, get["port"], target.ports)
    url = f"{get.get('scheme', 'HTTP').lower()}://127.0.0.1:{port}/{get.get('path', '/').lstrip('/')}"
    headers = {header["name"]: header["value"] for header in get.get("httpHeaders") or ()}
    # As a kubelet does, certificates are not verified and any status from 200 to 399 is a success.
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False, force_close=True)) as session,
        session.get(url, headers=headers, allow_redirects=False) as response,
    ):
        return 200 <= response.status < 400
