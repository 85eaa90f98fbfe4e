"""First light on real pods: installed from the chart, it serves an agent, falls back, and survives the loss of a process."""

import json

import pytest

from headgate_dev.cluster import CommandError
from headgate_dev.realnode import RealCluster
from headgate_dev.release import NAMESPACE

from .headgate import Headgate, eventually
from .tenant import Tenant
from .vendor import Vendor


def test_the_chart_brings_up_a_fleet_where_only_restricted_pods_are_admitted(
    cluster: RealCluster, headgate: Headgate
) -> None:
    privileged = '{"spec":{"containers":[{"name":"x","image":"x","securityContext":{"privileged":true}}]}}'

    with pytest.raises(CommandError, match="restricted"):
        cluster.kubectl("run", "x", "-n", NAMESPACE, "--image=x", f"--overrides={privileged}")

    ready = [pod["status"]["containerStatuses"][0]["ready"] for pod in headgate.pods()]
    assert ready == [True, True]


def test_proxies_run_as_nobody_on_a_root_they_cannot_write(headgate: Headgate) -> None:
    for pod in headgate.pods():
        name = pod["metadata"]["name"]
        assert headgate.exec(name, "id", "-u").strip() == "65532"
        with pytest.raises(CommandError, match="Read-only file system"):
            headgate.exec(name, "touch", "/written")
        assert headgate.exec(name, "sh", "-c", "grep CapEff /proc/1/status").split()[1].strip("0") == ""


def test_the_operator_has_nothing_to_complain_about(cluster: RealCluster, headgate: Headgate) -> None:
    lines = cluster.kubectl("logs", "-n", NAMESPACE, "deployment/headgate-operator").splitlines()

    assert lines
    assert [line for line in lines if json.loads(line)["level"] in ("ERROR", "CRITICAL")] == []


def test_an_agent_pod_streams_through_the_service_with_nothing_but_its_token(tenant: Tenant, vendor: Vendor) -> None:
    tenant.use_api_key()

    said = tenant.ask("write 12 words")

    assert said["status"] == 200, said
    assert len(said["text"].split()) == 12
    assert said["headers"]["x-headgate-auth-mode"] == "APIKey"
    assert vendor.credentials_used()[-1] == ("api_key", vendor.api_key)


def test_a_revoked_subscription_falls_back_and_says_so(tenant: Tenant, vendor: Vendor) -> None:
    tenant.use_subscription()
    before = tenant.ask("hello")
    vendor.tokens(oauth_tokens={vendor.oauth_token: "revoked"})

    after = tenant.ask("hello")

    assert before["headers"]["x-headgate-auth-mode"] == "Subscription", before
    assert (after["status"], after["text"]) == (200, "You said: hello")
    assert after["headers"]["x-headgate-auth-mode"] == "APIKey"
    assert after["headers"]["x-headgate-fallback-reason"] == "Revoked"
    tenant.wait("llmprovider/anthropic", 'jsonpath={.status.conditions[?(@.type=="FallbackActive")].reason}=Revoked')


def test_a_killed_proxy_comes_back_in_its_pod_and_serves(
    cluster: RealCluster, headgate: Headgate, tenant: Tenant
) -> None:
    tenant.use_api_key()
    victim = headgate.pods()[0]
    name, address = victim["metadata"]["name"], victim["status"]["podIP"]
    restarts = victim["status"]["containerStatuses"][0]["restartCount"]

    headgate.kill(victim)

    def back() -> bool:
        status = cluster.get(f"pod/{name}", "-n", NAMESPACE)["status"]["containerStatuses"][0]
        return bool(status["ready"]) and status["restartCount"] == restarts + 1

    eventually(f"{name} is ready after a restart", back)
    direct, through_service = tenant.ask("hello", f"http://{address}:8080"), tenant.ask("hello")
    assert (direct["status"], through_service["status"]) == (200, 200)
    last = cluster.get(f"pod/{name}", "-n", NAMESPACE)["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 137
