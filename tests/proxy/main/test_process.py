"""What whoever runs a proxy pod sees: probes with reasons, a restart that needs nobody, a clean end, no secret anywhere."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate_api.names import head_name
from headgate_api.snapshot import HEAD_KEY, parse_head
from headgate_dev.emulator import EmulatorThread, Fault, FaultKind

from .conftest import PROGRAM, SYSTEM, Installation, ProxyProcess

KEY = "emulated-key-" + "5c" * 8


@pytest.fixture
def vendor() -> Iterator[EmulatorThread]:
    with EmulatorThread(api_keys=[KEY]) as emulator:
        yield emulator


def test_a_proxy_from_its_first_second_to_its_last(
    installation: Installation, proxy: ProxyProcess, vendor: EmulatorThread, tmp_path: Path
) -> None:
    cluster = installation.cluster
    proxy.start()
    proxy.wait_for_reason("NoSnapshot", "is the operator running")

    revision = installation.publish(vendor.url, installation.write_key(KEY, vendor.url))
    assert proxy.wait_for_reason("Ready")["revision"] == revision
    published = cluster.get("configmap", head_name(installation.fleet), "-n", SYSTEM)["data"][HEAD_KEY]
    assert proxy.probe()["head"] == parse_head(published).digest
    status, answer = proxy.ask(installation.caller, "good morning")
    assert (status, answer["content"][0]["text"]) == (200, "You said: good morning")

    # The container dies; API server and Vault are away: it serves all the same (guarantee 5).
    proxy.kill()
    cluster.apiserver.stop()
    cluster.bao.stop()
    try:
        proxy.start()
        ready = proxy.wait_for_reason("Ready")
        assert (ready["revision"], ready["snapshotRestored"], ready["credentials"]["held"]) == (revision, True, 1)
        assert proxy.ask(installation.caller)[0] == 200
    finally:
        cluster.bao.start()
        cluster.apiserver.start()

    # It finds back to the control plane by itself.
    vendor.api_keys.add("emulated-key-two")
    newer = installation.publish(vendor.url, installation.write_key("emulated-key-two", vendor.url))
    proxy.wait_for_reason("Ready", newer)
    assert proxy.ask(installation.caller)[0] == 200
    assert vendor.requests[-1].credential == "emulated-key-two"
    assert f'revision="{newer}"' in proxy.metrics()
    assert "headgate_proxy_requests_total{" in proxy.metrics()

    proxy.process.send_signal(signal.SIGTERM)
    proxy.wait_for_reason("Draining")
    assert proxy.process.wait(20) == 0

    line = proxy.lines("stdout")[-1]
    assert (line["status"], line["provider"], line["auth_mode"]) == (200, f"{installation.tenant}/claude", "APIKey")
    assert line["caller"] == f"system:serviceaccount:{installation.tenant}:agent"
    assert line["usage"]["output_tokens"] > 0
    for secret in (KEY, "emulated-key-two", installation.caller, (tmp_path / "vault-token").read_text()):
        assert secret not in proxy.everything_written()
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) in (0o600, 0o700)


def test_a_new_pod_without_vault_stays_unready_and_says_why(
    installation: Installation, proxy: ProxyProcess, vendor: EmulatorThread
) -> None:
    installation.publish(vendor.url, installation.write_key(KEY, vendor.url))
    installation.cluster.bao.seal()
    try:
        proxy.start()
        proxy.wait_for_reason("CredentialsUnavailable", "it is sealed; unseal it")
    finally:
        installation.cluster.bao.unseal()
    proxy.wait_for_reason("Ready")


def test_a_second_signal_ends_the_drain(
    installation: Installation, proxy: ProxyProcess, vendor: EmulatorThread
) -> None:
    installation.publish(vendor.url, installation.write_key(KEY, vendor.url))
    fault = vendor.add_fault(Fault(kind=FaultKind.HOLD))
    proxy.start().wait_for_reason("Ready")
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(proxy.ask(installation.caller)[0]))
    asking.start()
    vendor.wait_held(fault)
    proxy.process.send_signal(signal.SIGTERM)
    proxy.wait_for_reason("Draining")
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(10) == 0
    asking.join(10)
    assert [status >= 500 for status in answers] == [True]


@pytest.mark.parametrize(
    ("environ", "arguments", "said"),
    [
        ({}, [], "headgate proxy: HEADGATE_FLEET is not set; set it to the name of this proxy's ProxyFleet"),
        ({"HEADGATE_TRACK": "blue"}, [], "HEADGATE_TRACK is 'blue'; set it to stable or canary"),
        ({}, ["--help"], "takes no arguments"),
    ],
)
def test_a_bad_setting_is_named_and_the_status_is_2(environ: dict[str, str], arguments: list[str], said: str) -> None:
    whole = {"HEADGATE_FLEET": "f", "HEADGATE_NAMESPACE": "n", "HEADGATE_POD_NAME": "p"} if environ else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={"PATH": os.environ["PATH"], **whole, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
