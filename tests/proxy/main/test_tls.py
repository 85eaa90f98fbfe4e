"""A proxy pod by TLS alone: unready without a certificate, served as soon as there is one, and again when it is replaced."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from headgate_api import names
from headgate_api.clock import SystemClock
from headgate_dev.emulator import EmulatorThread
from headgate_dev.host.network import free_ports
from headgate_dev.node.payload import swap
from headgate_operator.pki.issue import Authority, issue, make_authority, proxy_names
from headgate_proxy.settings import ProxySettings
from headgate_proxy.tls.trust import client_context
from headgate_runtime.certificates import Pair

from .conftest import MODEL, SYSTEM, Installation, ProxyProcess

KEY = "emulated-key-" + "7d" * 8
DAY = timedelta(days=1)


@pytest.fixture
def vendor() -> Iterator[EmulatorThread]:
    with EmulatorThread(api_keys=[KEY]) as emulator:
        yield emulator


def mount(folder: Path, pair: Pair) -> None:
    swap(folder, {"tls.crt": pair.chain.encode(), "tls.key": pair.key.reveal().encode()})


def test_a_proxy_by_tls_from_no_certificate_to_the_next(
    installation: Installation, proxy: ProxyProcess, vendor: EmulatorThread, tmp_path: Path
) -> None:
    now, folder, (https,) = SystemClock().now(), tmp_path / "tls", free_ports(1)
    dns_names = proxy_names(installation.fleet, SYSTEM)
    old, new = (make_authority(SYSTEM, now, 100 * DAY) for _ in range(2))
    first, second = (issue(authority, dns_names, now, 90 * DAY) for authority in (old, new))
    installation.publish(vendor.url, installation.write_key(KEY, vendor.url))
    proxy.environ |= {
        "HEADGATE_TLS_DIR": str(folder),
        "HEADGATE_PORT_HTTPS": str(https),
        "HEADGATE_PLAIN_HTTP": "false",
    }

    def ask(authority: Authority) -> int:
        context = client_context(authority.certificate)
        named = {"sni_hostname": names.proxy_server_name(installation.fleet, SYSTEM)}
        body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"authorization": f"Bearer {installation.caller}", "anthropic-version": "2023-06-01"}
        with httpx.Client(verify=context, trust_env=False, timeout=20) as client:
            url = f"https://127.0.0.1:{https}/v1/messages"
            return client.post(url, json=body, headers=headers, extensions=named).status_code

    proxy.start()
    waiting = proxy.wait_for_reason("CertificateUnavailable")
    assert "tls.crt cannot be read (No such file or directory)" in waiting["certificateProblem"]
    mount(folder, first)
    assert proxy.wait_for_reason("Ready")["certificateProblem"] is None
    assert ask(old) == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(proxy.url)  # nobody listens by plain HTTP
    plain = httpx.get(f"http://127.0.0.1:{https}/v1/messages")
    assert (plain.status_code, plain.json()["error"]["type"]) == (400, "invalid_request_error")

    mount(folder, second)
    deadline = time.monotonic() + 10
    while True:
        try:
            assert ask(new) == 200
            break
        except httpx.ConnectError as error:
            assert "CERTIFICATE_VERIFY_FAILED" in str(error), "the old certificate, or the new one: nothing else"
            assert time.monotonic() < deadline
    expiry = (now + 90 * DAY).timestamp()
    line = next(
        m for m in proxy.metrics().splitlines() if "_certificate_expiry_timestamp_seconds " in m and m[0] != "#"
    )
    assert float(line.split()[1]) == pytest.approx(expiry, abs=1)
    for pair in (first, second):
        for secret in pair.key.reveal().splitlines()[1:-1]:
            assert secret not in proxy.everything_written()


def test_a_proxy_that_nobody_could_reach_is_refused() -> None:
    environ = {
        "HEADGATE_FLEET": "f",
        "HEADGATE_NAMESPACE": "n",
        "HEADGATE_POD_NAME": "p",
        "HEADGATE_PLAIN_HTTP": "false",
    }
    with pytest.raises(ValueError, match="HEADGATE_PLAIN_HTTP is 'false' and HEADGATE_TLS_DIR is not set"):
        ProxySettings.from_env(environ | {"HEADGATE_VAULT_ADDR": "https://v", "HEADGATE_KUBE_URL": "https://k"})
