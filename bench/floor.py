"""The floor: a relay of twenty lines on aiohttp's low-level server, which does nothing a gate is for."""

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

_HOP = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})


async def _serve(port: int, upstream: str) -> None:
    jar, timeout = aiohttp.DummyCookieJar(), aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=jar, timeout=timeout, auto_decompress=False
    ) as session:

        async def relay(request: web.BaseRequest) -> web.StreamResponse:
            headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
            body = await request.read()
            async with session.post(upstream + request.raw_path, data=body, headers=headers) as answer:
                passed = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
                response = web.StreamResponse(status=answer.status, headers=dict(passed))
                response.content_length = answer.content_length
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(relay, access_log=None, auto_decompress=False, handler_cancellation=True))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2]))
