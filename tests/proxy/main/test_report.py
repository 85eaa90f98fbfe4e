"""What a proxy reports of rollouts: the head it has taken up, and what it counted under it."""

import ssl
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import Endpoint, FleetSettings, Head, Snapshot, Split
from headgate_proxy.config.live import Loaded
from headgate_proxy.edge.ports import Outcome
from headgate_proxy.process import Proxy
from headgate_proxy.settings import ProxySettings
from headgate_proxy.telemetry.metrics import ProxyMetrics
from headgate_proxy.tracks.canary import CanaryClient
from headgate_proxy.tracks.decide import Decision, Track, TrackReason
from headgate_proxy.tracks.relay_token import RelayToken

SPLIT = Split(revision="abc-1", step=1, weight=500, salt="s")


def proxy(folder: Path, track: str) -> Proxy:
    environ = {
        "HEADGATE_FLEET": "edge",
        "HEADGATE_NAMESPACE": "headgate-system",
        "HEADGATE_POD_NAME": "proxy-0",
        "HEADGATE_TRACK": track,
        "HEADGATE_STATE_DIR": str(folder),
        "HEADGATE_KUBE_URL": "https://127.0.0.1:1",
        "HEADGATE_VAULT_ADDR": "http://127.0.0.1:1",
        "HEADGATE_VAULT_ROLE": "r",
    }
    nothing = cast("Any", None)  # neither API server nor Vault is asked for anything here
    metrics = ProxyMetrics(CollectorRegistry())
    return Proxy(ProxySettings.from_env(environ), nothing, nothing, SystemClock(), Redactor(), metrics)


def loaded(weight: int, *endpoints: Endpoint) -> Loaded:
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="i",
        jwks={},
    )
    rollouts = {"a/gate": SPLIT.model_copy(update={"weight": weight})}
    head = Head(revision="r", chunks=(), rollouts=rollouts, canary_endpoints=endpoints)
    return Loaded.build(head, Snapshot(fleet=fleet))


@pytest.mark.parametrize("track", ["stable", "canary"])
async def test_a_report_names_the_head_in_use_and_counts_where_the_decision_is_made(tmp_path: Path, track: str) -> None:
    pod = proxy(tmp_path, track)
    assert pod._report().head is None
    for weight in (500, 2500):
        await pod._take_up(loaded(weight))
        assert pod._report().head == loaded(weight).head.digest
    pod.counts.tally(Decision("a/gate", SPLIT, Track.CANARY, TrackReason.WEIGHT), None).ended(Outcome(500))
    seen = [(o.policy, o.revision, o.step, o.canary.requests, o.canary.errors) for o in pod._report().rollouts]
    assert seen == ([("a/gate", "abc-1", 1, 1, 1)] if track == "stable" else [])


async def test_the_canary_client_follows_the_head_in_use(tmp_path: Path) -> None:
    pod = proxy(tmp_path, "stable")
    await pod._take_up(loaded(500))
    clock = SystemClock()
    client = CanaryClient(
        RelayToken(tmp_path / "token", Redactor(), clock),
        clock,
        server_name="x",
        context=lambda _: ssl.create_default_context(),
        ejected=lambda: None,
    )
    pod.open_canary(client)
    assert client.endpoints.known == 0
    await pod._take_up(loaded(500, Endpoint(pod="canary-0", address="10.0.0.1", port=1)))
    assert client.endpoints.known == 1
