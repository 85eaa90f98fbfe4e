"""Rollouts on the whole of Headgate: who meets a change when, who lets it go on, and how it leaves."""

import os
import secrets
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate_dev.emulator import throwaway_tls
from headgate_dev.release import NAMESPACE as SYSTEM

from .rollouts import ALL, APPROVAL, AUDIENCE, Guard
from .tenant import MODEL, Tenant, eventually

ANALYSIS = {
    "interval": "1s",
    "minSamples": 10,
    "consecutiveFailures": 2,
    "metrics": [{"name": "ErrorRate", "max": 5}],
}


def _tracks(met: Any) -> set[str]:
    return set(met.tracks.values())


def _models(tenant: Tenant, service_account: str) -> list[str]:
    headers = {"authorization": f"Bearer {tenant.token(service_account=service_account)}"}
    listed = httpx.get(f"{tenant.headgate.url()}/v1/models", headers=headers).json()
    return [model["id"] for model in listed["data"]]


def test_a_change_meets_the_audience_then_a_share_then_everyone(tenant: Tenant) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, AUDIENCE, APPROVAL, {"weight": 30, "hold": "2s"}, APPROVAL, ALL, analysis=ANALYSIS)

    guard.change(headers={"x-change": "one"})
    guard.awaiting(1)
    testers, others = guard.ask(5, "tester"), guard.ask(40)

    assert _tracks(testers) == {"canary"}
    assert _tracks(others) == {"stable"}
    changed = [r.header("x-change") for r in tenant.vendor.requests][-45:]
    assert changed.count("one") == 5

    guard.approve()
    rounds = guard.ask_until("the second approval is awaited", lambda s: (s.get("step") or {}).get("index") == 3)
    share, again = guard.ask(100), guard.ask(100)
    assert 10 <= share.count("canary") <= 50  # 30 of 100 sessions, give or take
    assert share.tracks == again.tracks  # no session changes its track while the weight stands

    guard.approve()
    guard.wait("condition=Promoted")
    eventually("everyone is served the change by stable", lambda: _tracks(guard.ask(10)) == {"stable"})
    assert tenant.vendor.requests[-1].header("x-change") == "one"
    assert [r.failed("stable") + r.failed("canary") for r in rounds] == [0] * len(rounds)


def test_a_harmful_change_leaves_by_itself(tenant: Tenant) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, APPROVAL, {"weight": 30, "hold": "60s"}, ALL, analysis=ANALYSIS)

    guard.change(tls={"caBundle": throwaway_tls().ca_pem})
    guard.awaiting(0)
    guard.approve()
    rounds = guard.ask_until("it is withdrawn", lambda s: s.get("canaryRevision") is None)

    ended = guard.ended("AnalysisFailed")
    assert any(v["metric"] == "ErrorRate" and v["outcome"] == "Fail" for v in ended["verdicts"])
    assert sum(r.failed("canary") for r in rounds) > 0
    assert sum(r.failed("stable") for r in rounds) == 0
    after = guard.ask(40)
    assert (_tracks(after), after.failed("stable")) == ({"stable"}, 0)
    assert tenant.condition("rolloutpolicy/careful", "Healthy")["status"] == "False"


def test_a_new_guarded_provider_is_there_for_its_audience_alone(tenant: Tenant) -> None:
    guard = Guard.create(tenant, AUDIENCE, APPROVAL, ALL)
    tenant.with_api_key(wait=False)
    guard.awaiting(1)

    assert {status for _, status in guard.ask(4, "tester").answers} == {200}
    outside = tenant.message()
    assert (outside.status_code, outside.json()["error"]["type"]) == (404, "not_found_error")
    assert (_models(tenant, "tester"), _models(tenant, "agent")) == ([MODEL], [])

    guard.approve()
    guard.wait("condition=Promoted")
    eventually("everyone is served", lambda: tenant.message().status_code == 200)


def test_a_new_key_is_a_change_like_any_other(tenant: Tenant) -> None:
    tenant.with_api_key()
    # Nobody can say who changed the content of a Secret: two people would have to agree, so the policy asks for one.
    guard = Guard.create(tenant, AUDIENCE, APPROVAL, ALL, approval={"distinctFromAuthor": False})
    new = f"emulated-key-{secrets.token_hex(8)}"
    tenant.vendor.api_keys.add(new)

    tenant.secret("vendor-key", key=new)
    guard.awaiting(1)
    guard.ask(2, "tester")
    with_new = tenant.vendor.requests[-1].credential
    guard.ask(2)
    with_old = tenant.vendor.requests[-1].credential

    assert (with_new, with_old) == (new, tenant.api_key)
    guard.approve()
    guard.wait("condition=Promoted")

    def everyone_by_the_new_key() -> bool:
        guard.ask(2)
        return tenant.vendor.requests[-1].credential == new

    eventually("everyone goes by the new key", everyone_by_the_new_key)


def test_an_abort_takes_the_candidate_away_and_the_content_stays_away(tenant: Tenant) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, APPROVAL, {"weight": 50, "hold": "10m"}, ALL)
    guard.change(headers={"x-change": "bad"})
    guard.awaiting(0)
    guard.approve()
    guard.wait_until("the weight stands", lambda s: s.get("weight") == 50 and s["step"]["reason"] == "Holding")
    assert _tracks(guard.ask()) == {"stable", "canary"}

    guard.abort()

    guard.ended("Aborted")
    eventually("nobody is on the canary", lambda: _tracks(guard.ask()) == {"stable"})
    assert tenant.vendor.requests[-1].header("x-change") is None
    assert tenant.condition("llmprovider/anthropic", "Stable")["status"] == "False"


def test_without_its_policy_an_object_stays_on_its_stable_form_until_released(tenant: Tenant) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, APPROVAL, ALL)
    guard.change(headers={"x-change": "held"})
    guard.awaiting(0)

    tenant.cluster.kubectl("delete", "rolloutpolicy/careful", "-n", tenant.namespace)
    held = tenant.wait_reason("llmprovider/anthropic", "Stable", "CandidateHeld")
    tenant.message()

    assert "release" in held["message"]
    assert tenant.vendor.requests[-1].header("x-change") is None


@pytest.mark.parametrize("content", ["superseding", "returning"])
def test_a_newer_change_takes_the_place_of_the_one_under_way(tenant: Tenant, content: str) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, AUDIENCE, APPROVAL, ALL)
    guard.change(headers={"x-change": "one"})
    first = guard.awaiting(1)["canaryRevision"]

    if content == "superseding":
        guard.change(headers={"x-change": "two"})
        status = guard.wait_until(
            "another rollout",
            lambda s: s.get("canaryRevision") not in (None, first) and s["step"]["kind"] == "Approval",
        )
        assert status["history"][0]["outcome"] == "Superseded"
        guard.ask(1, "tester")
        assert tenant.vendor.requests[-1].header("x-change") == "two"
    else:
        guard.change()
        assert guard.ended("Reverted")["revision"] == first


def test_suspending_an_account_acts_at_once_on_a_guarded_provider(tenant: Tenant) -> None:
    tenant.with_subscription({"unavailable": "Allow"})
    guard = Guard.create(tenant, APPROVAL, ALL)
    assert tenant.message().headers["x-headgate-auth-mode"] == "Subscription"

    patch = '{"spec":{"suspend":true}}'
    tenant.cluster.kubectl("patch", "subscriptionaccount/alice", "-n", tenant.namespace, "--type=merge", "-p", patch)

    eventually("the account is not used", lambda: tenant.message().headers["x-headgate-auth-mode"] == "APIKey")
    assert guard.status().get("canaryRevision") is None


def test_a_rollout_goes_on_where_it_was_when_the_operator_is_killed(tenant: Tenant) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, APPROVAL, {"weight": 40, "hold": "8s"}, APPROVAL, ALL)
    guard.change(headers={"x-change": "one"})
    guard.awaiting(0)
    guard.approve()
    before = guard.wait_until(
        "every proxy has the weight", lambda s: s.get("weight") == 40 and s["step"]["reason"] == "Holding"
    )

    (operator,) = tenant.headgate.operator_pods()
    os.kill(tenant.cluster.pod_pid(SYSTEM, operator), signal.SIGKILL)
    rounds = guard.ask_until("the second approval is awaited", lambda s: (s.get("step") or {}).get("index") == 2)

    assert guard.status()["canaryRevision"] == before["canaryRevision"]
    assert all("canary" in r.tracks.values() for r in rounds[1:])
    assert sum(r.failed("stable") + r.failed("canary") for r in rounds) == 0
    guard.approve()
    guard.wait("condition=Promoted")


def test_the_command_line_smokes_the_canary_and_approves_it(tenant: Tenant, tmp_path: Path) -> None:
    tenant.with_api_key()
    guard = Guard.create(tenant, AUDIENCE, APPROVAL, ALL)
    guard.change(headers={"x-change": "one"})
    guard.awaiting(1)
    token = tmp_path / "token"
    token.write_text(tenant.token(service_account="tester"))
    where = ("--url", tenant.headgate.url(), "--token-file", str(token))

    smoked = guard.headgate("smoke", guard.name, *where)
    refused = guard.headgate("approve", guard.name, "--yes", as_user=guard.alice)
    approved = guard.headgate("approve", guard.name, "--yes", as_user=guard.carol)

    assert smoked.returncode == 0, smoked.stdout + smoked.stderr
    assert "200" in smoked.stdout
    assert "message_stop" in smoked.stdout
    assert token.read_text() not in smoked.stdout
    assert (refused.returncode, "distinctFromAuthor" in refused.stderr) == (1, True), refused.stderr
    assert approved.returncode == 0, approved.stderr
    guard.wait("condition=Promoted")
