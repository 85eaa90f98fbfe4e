"""A stable and a canary proxy as the processes pods run: the candidate's share goes over, and comes back at once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from headgate_api import names
from headgate_api.clock import SystemClock
from headgate_api.snapshot import Endpoint, Split
from headgate_dev.emulator import EmulatorThread
from headgate_dev.host.network import free_ports
from headgate_dev.node.payload import swap
from headgate_operator.pki.issue import issue, make_authority, proxy_names

from .conftest import MODEL, SYSTEM, Installation, ProxyProcess

STABLE, CANDIDATE = ("emulated-key-" + part * 8 for part in ("1a", "2b"))


@pytest.fixture
def vendor() -> Iterator[EmulatorThread]:
    with EmulatorThread(api_keys=[STABLE, CANDIDATE]) as emulator:
        yield emulator


@pytest.fixture
def canary(installation: Installation, tmp_path: Path) -> Iterator[ProxyProcess]:
    folder = tmp_path / "canary"
    folder.mkdir()
    environ = installation.environ() | {
        "HEADGATE_TRACK": "canary",
        "HEADGATE_POD_NAME": "canary-0",
        "HEADGATE_STATE_DIR": str(folder / "state"),
    }
    process = ProxyProcess(environ, folder)
    yield process
    process.kill()


def test_the_candidates_share_is_relayed_between_processes(
    installation: Installation, proxy: ProxyProcess, canary: ProxyProcess, vendor: EmulatorThread, tmp_path: Path
) -> None:
    now, (https,) = SystemClock().now(), free_ports(1)
    authority = make_authority(SYSTEM, now, timedelta(days=100))
    pair = issue(authority, proxy_names(installation.fleet, SYSTEM), now, timedelta(days=90))
    swap(tmp_path / "tls", {"tls.crt": pair.chain.encode(), "tls.key": pair.key.reveal().encode()})
    canary.environ |= {
        "HEADGATE_TLS_DIR": str(tmp_path / "tls"),
        "HEADGATE_PORT_HTTPS": str(https),
        "HEADGATE_PLAIN_HTTP": "false",
    }
    account = names.proxy_name(installation.fleet)
    token = installation.cluster.create_token(SYSTEM, account, audience=names.AUDIENCE_RELAY)
    (tmp_path / "relay-token").write_text(token)
    proxy.environ["HEADGATE_RELAY_TOKEN_FILE"] = str(tmp_path / "relay-token")
    pointers = [installation.write_key(key, vendor.url) for key in (STABLE, CANDIDATE)]
    split = Split(revision="abc-1", step=1, weight=10_000, salt="s")
    revision = installation.publish(
        vendor.url,
        *pointers,
        rollouts={f"{installation.tenant}/gate": split},
        canary_endpoints=(Endpoint(pod="canary-0", address="127.0.0.1", port=https),),
        trust_bundle=authority.certificate,
    )
    for process in (canary.start(), proxy.start()):
        assert process.wait_for_reason("Ready")["revision"] == revision

    answer = ask(proxy, installation)
    assert (answer.status_code, vendor.requests[-1].credential) == (200, CANDIDATE)
    assert answer.headers[names.HEADER_TRACK] == "canary"
    assert answer.headers[names.HEADER_ROLLOUT] == f"{installation.tenant}/gate@abc-1"

    # The rollout is withdrawn: everybody is on stable again, and the candidate's key is forgotten.
    revision = installation.publish(vendor.url, pointers[0])
    proxy.wait_for_reason("Ready", revision)
    answer = ask(proxy, installation)
    assert (answer.status_code, vendor.requests[-1].credential) == (200, STABLE)
    assert names.HEADER_TRACK not in answer.headers
    kept = "".join(path.read_text() for path in (tmp_path / "state" / "credentials").iterdir())
    assert STABLE in kept
    assert CANDIDATE not in kept
    for process in (proxy, canary):
        for secret in (STABLE, CANDIDATE, token, installation.caller):
            assert secret not in process.everything_written()


def ask(proxy: ProxyProcess, installation: Installation) -> httpx.Response:
    body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {installation.caller}", "anthropic-version": "2023-06-01"}
    return httpx.post(f"{proxy.url}/v1/messages", json=body, headers=headers, timeout=20)
