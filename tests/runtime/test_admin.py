"""Probes say why, and metrics are those of the registry given."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from headgate_runtime.admin import Admin, Health
from headgate_runtime.listening import listening_socket, port_of


class State:
    """What the probes look at."""

    ready = Health(ok=False, reason="NoSnapshot", details={"revision": None})
    live = Health(ok=True, reason="Live")


@pytest.fixture
async def admin() -> AsyncIterator[tuple[State, aiohttp.ClientSession]]:
    registry = CollectorRegistry()
    Counter("headgate_things", "Things.", registry=registry).inc(3)
    state = State()
    async with (
        Admin(0, live=lambda: state.live, ready=lambda: state.ready, registry=registry, host="127.0.0.1") as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
    ):
        yield state, client


async def test_unready_answers_503_with_the_reason(admin: tuple[State, aiohttp.ClientSession]) -> None:
    state, client = admin
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {"ready": False, "reason": "NoSnapshot", "revision": None}
    state.ready = Health(ok=True, details={"revision": "abc"})
    async with client.get("/readyz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"ready": True, "reason": "Ready", "revision": "abc"}


async def test_liveness_is_its_own_answer(admin: tuple[State, aiohttp.ClientSession]) -> None:
    state, client = admin
    async with client.get("/livez") as answer:
        assert answer.status == 200
    state.live = Health(ok=False, reason="Stalled")
    async with client.get("/livez") as answer:
        assert answer.status == 503
        assert (await answer.json())["reason"] == "Stalled"


async def test_metrics_in_text_format(admin: tuple[State, aiohttp.ClientSession]) -> None:
    async with admin[1].get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert "headgate_things_total 3.0" in await answer.text()


async def test_close_gives_the_port_back() -> None:
    health = Health(ok=True)
    admin = Admin(0, live=lambda: health, ready=lambda: health, registry=CollectorRegistry(), host="127.0.0.1")
    await admin.start()
    port = admin.port
    await admin.close()
    listening_socket(port, "127.0.0.1").close()


def test_a_taken_port_is_named() -> None:
    with listening_socket(0) as taken, pytest.raises(OSError, match=rf"cannot listen on \*:{port_of(taken)}"):
        listening_socket(port_of(taken))


def test_every_address_is_served() -> None:
    with listening_socket(0) as listening, socket.create_connection(("127.0.0.1", port_of(listening)), timeout=5):
        pass
