"""What a fleet does not allow its providers to reach, and whom a provider has to trust."""

from typing import Any

import pytest

from headgate_dev.emulator import Emulator, throwaway_tls

KEY = "emulated-api-key"
PATH = "team-a/llmproviders/claude/api-key"


async def ask(gate: Any, body: Any) -> tuple[int, str]:
    async with gate.http.post(gate.url + "/v1/messages", json=body(), headers=gate.headers()) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("allowances", "says"),
    [({"privateAddresses": True}, "allowances.plainHTTP"), ({"plainHTTP": True}, "allowances.privateAddresses")],
)
async def test_what_the_fleet_does_not_allow(gate: Any, body: Any, allowances: dict[str, bool], says: str) -> None:
    gate.fleet["allowances"] = allowances
    gate.provider()
    status, text = await ask(gate, body)
    assert status == 502
    assert says in text
    assert gate.emu.requests == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1"])
async def test_loopback_in_disguise_is_caught_when_it_is_connected_to(gate: Any, body: Any, host: str) -> None:
    endpoint = (
        f"http://{host}.:{gate.emu.url.rpartition(':')[2]}"
        if host != "127.1"
        else f"http://{host}:{gate.emu.url.rpartition(':')[2]}"
    )
    gate.fleet["allowances"] = {"plainHTTP": True}
    gate.provider(endpoint=endpoint)
    gate.hold(PATH, KEY, origins=(endpoint,))
    status, _ = await ask(gate, body)
    assert status == 502
    assert gate.emu.requests == []


async def test_a_provider_trusts_its_own_bundle_only(gate: Any, body: Any) -> None:
    tls = throwaway_tls()
    async with Emulator(api_keys=[KEY], tls=tls) as secure:
        gate.provider(endpoint=secure.url)
        gate.hold(PATH, KEY, origins=(secure.url,))
        status, text = await ask(gate, body)
        assert status == 502
        assert "TLS handshake failed" in text

        gate.provider(endpoint=secure.url, tls={"caBundle": tls.ca_pem})
        gate.hold(PATH, KEY, origins=(secure.url,))
        status, _ = await ask(gate, body)
        assert status == 200

        gate.provider(
            endpoint=secure.url, tls={"caBundle": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"}
        )
        gate.hold(PATH, KEY, origins=(secure.url,))
        status, text = await ask(gate, body)
        assert status == 502
        assert "caBundle" in text
