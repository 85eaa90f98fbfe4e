"""A server that behaves as a fleet towards a tester: the emulated vendor behind it, Headgate's headers on the answers."""

from typing import Protocol, Self

import aiohttp
from aiohttp import web

from headgate_api import names
from headgate_dev.background import Background
from headgate_dev.emulator import EmulatorThread

TOKEN = "eyJhbGciOiJub25lIn0." + "tester" * 4 + ".signature"
MODEL = "claude-sonnet-4-6"
ROLLOUT = "team-a/careful@1a2b3c4d5e6f-3"
_KEY = "not-a-real-key"


class Spoil(Protocol):
    def __call__(self, body: bytes, /) -> bytes: ...


def _as_it_is(body: bytes, /) -> bytes:
    return body


class Gate:
    """The server; ``track`` is where everybody's requests go, ``spoil`` may damage an answer on its way."""

    def __init__(self, vendor: EmulatorThread) -> None:
        self._vendor = vendor.url
        vendor.api_keys.add(_KEY)
        self.track = "canary"
        self.spoil: Spoil = _as_it_is
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/{path:.*}", self._relay)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"type": "model", "id": MODEL}], "has_more": False})

    async def _relay(self, request: web.Request) -> web.Response:
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return web.json_response(
                {"type": "error", "error": {"type": "authentication_error", "message": "who?"}}, status=401
            )
        headers = {"x-api-key": _KEY, "anthropic-version": request.headers["anthropic-version"]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._vendor + request.path, data=await request.read(), headers=headers) as answer,
        ):
            body = self.spoil(await answer.read())
            return web.Response(body=body, status=answer.status, headers=self._headers(answer))

    def _headers(self, answer: aiohttp.ClientResponse) -> dict[str, str]:
        own = {names.HEADER_TRACK: self.track, names.HEADER_AUTH_MODE: "APIKey"}
        if self.track == "canary":
            own[names.HEADER_ROLLOUT] = ROLLOUT
        return own | {"content-type": answer.headers["content-type"], "set-cookie": "session=secret"}


class GateThread(Background[Gate]):
    """The server on a thread of its own."""

    def __init__(self, vendor: EmulatorThread) -> None:
        super().__init__(lambda: Gate(vendor))
