"""The one thing of a kubelet that port-forwarding needs: it relays a pod's port to whoever the API server lets through.

The development node runs pods as local processes and has no kubelet; what is under test is the way through the real API server.
Protocol: ``v4.channel.k8s.io``, for each port a data and an error channel, each begun by a frame
with the port's number (little-endian).
"""

import asyncio
import json
from typing import Self

from aiohttp import WSMsgType, web

from headgate_dev.background import Background
from headgate_dev.cluster import Cluster
from headgate_dev.emulator import throwaway_tls

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = b"\x00", b"\x01"


class Kubelet:
    """Relays port ``broker`` of every pod to ``target`` on this machine; ``forwarded`` counts the streams."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.forwarded = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/portForward/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        tls = throwaway_tls(("127.0.0.1",)).server_context()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _forward(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(_PROTOCOL,))
        await socket.prepare(request)
        self.forwarded += 1
        number = int(request.query["port"]).to_bytes(2, "little")
        for channel in (_DATA, _ERROR):
            await socket.send_bytes(channel + number)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)

        async def back() -> None:
            while data := await reader.read(65536):
                await socket.send_bytes(_DATA + data)
            await socket.close()

        async with asyncio.TaskGroup() as group:
            returning = group.create_task(back())
            async for message in socket:
                if message.type is WSMsgType.BINARY and message.data[:1] == _DATA:
                    writer.write(message.data[1:])
                    await writer.drain()
            returning.cancel()
        writer.close()
        return socket


class KubeletThread(Background[Kubelet]):
    """The kubelet on a thread of its own, and the node that it speaks for."""

    def __init__(self, target: int) -> None:
        super().__init__(lambda: Kubelet(target))

    def register(self, cluster: Cluster, name: str) -> None:
        """Make the node, which the API server then reaches at this kubelet."""
        cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.inside.port}},
        }
        patch = json.dumps({"status": status})
        cluster.kubectl("patch", f"node/{name}", "--subresource=status", "--type=merge", f"--patch={patch}")
