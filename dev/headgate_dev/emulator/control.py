"""The emulator's control API under ``/_emulator/``: the same things as in Python, for tests and demos in other processes."""

from typing import TYPE_CHECKING, Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headgate_dev.emulator.credentials import TokenState
from headgate_dev.emulator.faults import Fault
from headgate_dev.emulator.plans import Plan

if TYPE_CHECKING:
    from headgate_dev.emulator.server import Emulator

_MAX_WAIT_SECONDS = 60.0


class CredentialsChange(BaseModel):
    """The body of ``POST /_emulator/tokens``: keys to add or drop, tokens to set to a state (None: forget).

    ``plans``: how much of its plan each token's account has used, e.g. ``{"TOKEN": {"five_hours": {"used_percent": 91,
    "resets_at": "2026-11-26T12:00:00Z"}}}`` (None: back to a quarter).
    """

    model_config = ConfigDict(extra="forbid")

    add_api_keys: list[str] = Field(default_factory=list)
    remove_api_keys: list[str] = Field(default_factory=list)
    oauth_tokens: dict[str, TokenState | None] = Field(default_factory=dict)
    plans: dict[str, Plan | None] = Field(default_factory=dict)
    revoked_status: Annotated[Literal[401, 403] | None, Field()] = None


def control_app(emulator: "Emulator") -> web.Application:
    """Return the application to mount at ``/_emulator/``."""
    app = web.Application()
    control = _Control(emulator)
    app.add_routes(
        [
            web.get("/requests", control.requests),
            web.get("/faults", control.faults),
            web.post("/faults", control.add_fault),
            web.delete("/faults", control.clear_faults),
            web.get("/faults/{id}/held", control.wait_held),
            web.post("/faults/{id}/release", control.release),
            web.get("/tokens", control.tokens),
            web.post("/tokens", control.change_tokens),
            web.post("/reset", control.reset),
        ]
    )
    app.add_routes(emulator.control_routes)
    return app


class _Control:
    def __init__(self, emulator: "Emulator") -> None:
        self._emulator = emulator

    async def requests(self, _: web.Request) -> web.Response:
        return web.json_response({"requests": [record.as_json() for record in self._emulator.requests]})

    async def faults(self, _: web.Request) -> web.Response:
        return web.json_response({"faults": self._emulator.pending_faults})

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error)
        return web.json_response({"id": self._emulator.add_fault(fault)}, status=201)

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._emulator.clear_faults()
        return web.Response(status=204)

    async def wait_held(self, request: web.Request) -> web.Response:
        """Wait until ``count`` requests are held (query, default 1), at most ``timeout`` seconds (query, default 10)."""
        try:
            count, timeout = int(request.query.get("count", 1)), float(request.query.get("timeout", 10))
            await self._emulator.wait_held(request.match_info["id"], count, min(timeout, _MAX_WAIT_SECONDS))
        except ValueError:
            return web.json_response({"error": "count and timeout must be numbers"}, status=400)
        except KeyError:
            return _no_hold(request)
        except TimeoutError:
            return web.json_response({"error": "fewer requests were held in that time"}, status=504)
        return web.json_response({"held": True})

    async def release(self, request: web.Request) -> web.Response:
        try:
            self._emulator.release(request.match_info["id"])
        except KeyError:
            return _no_hold(request)
        return web.Response(status=204)

    async def tokens(self, _: web.Request) -> web.Response:
        return web.json_response(self._emulator.credentials.as_json())

    async def change_tokens(self, request: web.Request) -> web.Response:
        try:
            change = CredentialsChange.model_validate_json(await request.read())
        except ValidationError as error:
            return _invalid(error)
        credentials = self._emulator.credentials
        credentials.api_keys.update(change.add_api_keys)
        credentials.api_keys.difference_update(change.remove_api_keys)
        for token, state in change.oauth_tokens.items():
            if state is None:
                credentials.oauth_tokens.pop(token, None)
            else:
                credentials.oauth_tokens[token] = state
        for token, plan in change.plans.items():
            if plan is None:
                credentials.plans.pop(token, None)
            else:
                credentials.plans[token] = plan
        if change.revoked_status is not None:
            credentials.revoked_status = change.revoked_status
        self._emulator.on_change()
        return web.json_response(credentials.as_json())

    async def reset(self, _: web.Request) -> web.Response:
        self._emulator.reset()
        return web.Response(status=204)


def _invalid(error: ValidationError) -> web.Response:
    return web.Response(status=400, text=error.json(include_input=False), content_type="application/json")


def _no_hold(request: web.Request) -> web.Response:
    return web.json_response({"error": f"{request.match_info['id']} is no Hold fault"}, status=404)
