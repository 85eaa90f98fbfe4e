"""The edge by TLS: with the mounted certificate, whichever that is now, and by plain HTTP only where that is wanted."""

import asyncio
import json
import logging
import ssl
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from headgate_api import names
from headgate_api.clock import ManualClock, SystemClock
from headgate_dev.emulator import Fault, FaultKind
from headgate_dev.node.payload import swap
from headgate_operator.pki.issue import Authority, issue, make_authority, proxy_names
from headgate_proxy.tls.serving import MountedTLS
from headgate_proxy.tls.trust import client_context
from headgate_runtime.certificates import Pair

NAME = names.proxy_server_name("edge", "headgate-system")
DAY = timedelta(days=1)


@dataclass
class Mounted:
    """A mounted Secret, and the edge that serves with it."""

    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(SystemClock().now()))
    taken: list[datetime] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.authority = self.another_authority()
        self.tls = MountedTLS(
            self.folder, self.clock, taken=self.taken.append, refused=lambda: self.refusals.update(["refused"])
        )

    def another_authority(self) -> Authority:
        return make_authority("headgate-system", self.clock.now(), 1000 * DAY)

    def issue(self, life: timedelta = 90 * DAY, namespace: str = "headgate-system") -> Pair:
        return issue(self.authority, proxy_names("edge", namespace), self.clock.now(), life)

    def mount(self, pair: Pair, **changes: bytes) -> None:
        files = {"tls.crt": pair.chain.encode(), "tls.key": pair.key.reveal().encode()}
        swap(self.folder, files | {name.replace("_", "."): content for name, content in changes.items()})
        self.tls.look()


@pytest.fixture
async def mounted(gate: Any, tmp_path: Path) -> Mounted:
    made = Mounted(tmp_path / "tls")
    made.mount(made.issue())
    await gate.start(tls=made.tls.serving)
    gate.provider()
    return made


def request(gate: Any, bundle: str, body: dict[str, Any], *, name: str = NAME) -> Any:
    """Ask as a caller in the cluster does: reached by address here, checked by name."""
    return gate.http.post(
        f"https://127.0.0.1:{gate.edge.port_https}/v1/messages",
        json=body,
        headers=gate.headers(),
        ssl=client_context(bundle),
        server_hostname=name,
    )


async def test_both_ports_answer_alike(gate: Any, mounted: Mounted, body: Any) -> None:
    async with request(gate, mounted.authority.certificate, body()) as response:
        assert response.status == 200
        by_tls = await response.json()
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
        assert (await response.json())["content"] == by_tls["content"]


async def test_an_edge_without_plain_http_does_not_listen_by_it(gate: Any, mounted: Mounted, body: Any) -> None:
    await gate.start(tls=mounted.tls.serving, port=None)
    assert gate.edge.port == 0
    async with request(gate, mounted.authority.certificate, body()) as response:
        assert response.status == 200


@pytest.mark.parametrize("stranger", ["foreign authority", "another fleet's name"])
async def test_a_client_refuses_who_is_not_vouched_for(gate: Any, mounted: Mounted, body: Any, stranger: str) -> None:
    foreign = stranger == "foreign authority"
    bundle = mounted.another_authority().certificate if foreign else mounted.authority.certificate
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        async with request(gate, bundle, body(), name=NAME if foreign else "headgate-proxy-other.headgate-system.svc"):
            pass
    assert not gate.emu.requests, "nothing was sent: the token would have gone with it"


async def test_plain_http_on_the_tls_port_is_told_so(gate: Any, mounted: Mounted, body: Any) -> None:
    url = f"http://127.0.0.1:{gate.edge.port_https}/v1/messages"
    async with gate.http.post(url, json=body(), headers=gate.headers()) as response:
        answer = await response.json()
    assert response.status == 400
    assert answer["error"] == {
        "type": "invalid_request_error",
        "message": "this port speaks TLS; use https:// in the base URL",
    }


async def test_tls_on_the_plain_port_is_told_so(gate: Any, mounted: Mounted) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.edge.port)
    writer.write(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(160))
    assert b"this port speaks plain HTTP" in await reader.read()
    writer.close()


async def test_older_than_tls_1_2_is_refused(gate: Any, mounted: Mounted) -> None:
    context = client_context(mounted.authority.certificate)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", gate.edge.port_https, ssl=old)


async def test_no_request_fails_while_certificate_and_authority_change(gate: Any, mounted: Mounted, body: Any) -> None:
    """A stream that began before goes on, connections that are alive go on, and new ones take the new certificate."""
    bundle = mounted.authority.certificate
    stop, asked = asyncio.Event(), asyncio.Event()
    statuses: list[int] = []

    async def ask() -> None:
        while not stop.is_set():
            async with request(gate, bundle, body()) as response:
                await response.read()
                statuses.append(response.status)
                asked.set()

    async def another() -> None:
        asked.clear()
        await asked.wait()

    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with request(gate, bundle, body(stream=True)) as stream, asyncio.TaskGroup() as group:
        await gate.emu.wait_held(held)
        group.create_task(ask())
        await another()
        mounted.mount(mounted.issue())
        await another()
        former, mounted.authority = mounted.authority, mounted.another_authority()
        bundle = former.certificate + mounted.authority.certificate
        await another()
        mounted.mount(mounted.issue())
        await another()
        bundle = mounted.authority.certificate
        await another()
        gate.emu.release(held)
        assert b"message_stop" in await stream.read()
        stop.set()
    assert set(statuses) == {200}
    assert len(mounted.taken) == 3 and not mounted.refusals


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tls_crt": b"nothing"}, "tls.crt holds no readable PEM certificate"),
        ({"tls_crt": b"\xff"}, "tls.crt is not PEM text"),
        ({"tls_key": b"nothing"}, "tls.key is no readable PEM private key"),
        ({"tls_key": None}, "tls.key does not belong to tls.crt"),
        ({}, "tls.crt expired at "),
    ],
    ids=["no certificate", "no text", "no key", "another's key", "expired"],
)
async def test_a_bad_certificate_is_refused_and_the_one_before_goes_on(
    gate: Any, mounted: Mounted, body: Any, changes: dict[str, Any], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    if "tls_key" in changes and changes["tls_key"] is None:
        changes = {"tls_key": mounted.issue().key.reveal().encode()}
    with caplog.at_level(logging.DEBUG):
        bad = mounted.issue(life=-DAY / 24 / 60) if not changes else mounted.issue()
        for _ in range(3):
            mounted.mount(bad, **changes)
        assert problem in (mounted.tls.problem or "")
        assert mounted.refusals == {"refused": 1}, "told once, not once per look"
        async with request(gate, mounted.authority.certificate, body()) as response:
            assert response.status == 200
        mounted.mount(mounted.issue())
    assert mounted.tls.problem is None
    assert len(mounted.taken) == 2
    told = [json.dumps(record.__dict__, default=str) for record in caplog.records]
    assert sum("a certificate is refused" in line for line in told) == 1
    for line in bad.key.reveal().splitlines()[1:-1]:
        assert not any(line in each for each in told)


async def test_an_edge_that_has_no_certificate_yet_takes_one_when_it_comes(
    gate: Any, tmp_path: Path, body: Any
) -> None:
    mounted = Mounted(tmp_path / "tls")
    mounted.tls.look()
    assert "tls.crt cannot be read" in (mounted.tls.problem or "")
    await gate.start(tls=mounted.tls.serving)
    gate.provider()
    with pytest.raises(aiohttp.ClientConnectionError):
        async with request(gate, mounted.authority.certificate, body()):
            pass
    mounted.mount(mounted.issue())
    async with request(gate, mounted.authority.certificate, body()) as response:
        assert response.status == 200


async def test_a_drain_lets_streams_by_tls_finish_and_takes_no_new_connections(
    gate: Any, mounted: Mounted, body: Any
) -> None:
    bundle = mounted.authority.certificate
    held = gate.emu.add_fault(Fault(kind=FaultKind.HOLD, after_events=2))
    async with request(gate, bundle, body(stream=True)) as stream, asyncio.TaskGroup() as group:
        await gate.emu.wait_held(held)
        draining = group.create_task(gate.edge.drain(10))
        for _ in range(3):  # the settling time is 0 here: the drain has begun to refuse
            await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientConnectorError):
            async with request(gate, bundle, body()):
                pass
        assert not draining.done()
        gate.emu.release(held)
        assert b"message_stop" in await stream.read()
