"""``headgate purge`` on a real API server and a real OpenBao: after it nothing of Headgate's is left, and all else is."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from headgate_api import names, vault
from headgate_cli.main import main
from headgate_cli.purge.vault import derived
from headgate_dev.cluster import Cluster, CommandError

from .conftest import apply_crds
from .guarded import PROVIDER

OPERATORS = {names.LABEL_MANAGED_BY: names.FIELD_MANAGER}


@pytest.fixture
def installed(cluster: Cluster, namespace: str) -> Iterator[str]:
    """What a release leaves behind: objects with finalizers, what the operator made, definitions, an admission policy."""
    apply_crds(cluster)
    metadata = {"namespace": namespace, "finalizers": [names.FINALIZER]}
    provider = {"apiVersion": names.API_VERSION, "kind": "LLMProvider", "spec": PROVIDER}
    cluster.apply(provider | {"metadata": metadata | {"name": "anthropic"}})
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}}
    revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1, "data": {}}
    for body, name, labels in (
        (config_map, "headgate-head-default", OPERATORS),
        (secret, names.CA_SECRET, OPERATORS),
        (secret, "headgate-proxy-default-tls", {}),  # somebody's own, though it has such a name
        (revision, "headgate-llmprovider-anthropic-0f0e0d0c0b0a", OPERATORS),
        (revision, "a-daemonset-of-others", {}),
    ):
        cluster.apply(body | {"metadata": {"name": name, "namespace": namespace, "labels": labels}})
    cluster.apply(_admission_policy())
    _wait_until_refused(cluster, namespace)
    yield namespace
    apply_crds(cluster)


def test_nothing_of_headgates_is_left_and_everything_else_is(
    cluster: Cluster, installed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _purge(cluster, "--yes", "-o", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["left"] == []
    assert {"kind": "LLMProvider", "namespace": installed, "name": "anthropic"} in report["deleted"]
    left = cluster.get("configmaps,secrets,controllerrevisions.apps", "-n", installed)["items"]
    assert [item["metadata"]["name"] for item in left if item["metadata"]["name"] != "kube-root-ca.crt"] == [
        "headgate-proxy-default-tls",
        "a-daemonset-of-others",
    ]
    definitions = cluster.get("customresourcedefinitions")["items"]
    assert [each for each in definitions if each["spec"]["group"] == names.GROUP] == []
    assert cluster.get("validatingadmissionpolicies", "-l", "app.kubernetes.io/name=headgate")["items"] == []
    capsys.readouterr()
    assert _purge(cluster, "--yes") == 0
    assert "custom resources: none" in capsys.readouterr().out


def test_it_says_what_vault_keeps_and_where(
    cluster: Cluster, installed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _purge(cluster, "--yes") == 0
    out = capsys.readouterr().out
    assert "Vault keeps its records" in out
    assert vault.api_key_path(installed, "anthropic") in out


def test_a_finalizer_of_others_is_left_alone_and_named(
    cluster: Cluster, installed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = json.dumps({"metadata": {"finalizers": [names.FINALIZER, "example.com/audit"]}})
    where = ("llmprovider/anthropic", "-n", installed)
    cluster.kubectl("patch", *where, "--type=merge", f"--patch={patch}")
    assert _purge(cluster, "--yes", "--wait", "5") == 1
    assert f"left: LLMProvider {installed}/anthropic: it waits for example.com/audit" in capsys.readouterr().err
    patch = json.dumps({"metadata": {"finalizers": []}})
    cluster.kubectl("patch", *where, "--type=merge", f"--patch={patch}")
    for plural in ("llmproviders", "rolloutpolicies"):
        cluster.wait_for(f"crd/{plural}.{names.GROUP}", "delete")


def test_while_the_operator_runs_nothing_is_deleted(
    cluster: Cluster, installed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "headgate-operator", "namespace": installed, "labels": _OPERATOR},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": _OPERATOR},
            "template": {
                "metadata": {"labels": _OPERATOR},
                "spec": {"containers": [{"name": "operator", "image": "headgate:test"}]},
            },
        },
    }
    cluster.apply(operator)
    assert _purge(cluster, "--yes") == 1
    assert f"the operator still runs (Deployment {installed}/headgate-operator)" in capsys.readouterr().err
    assert cluster.get("llmprovider/anthropic", "-n", installed)["metadata"]["name"] == "anthropic"
    cluster.kubectl("delete", "deployment/headgate-operator", "-n", installed)


def test_it_lists_without_deleting_and_asks_before_it_does(
    cluster: Cluster, installed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _purge(cluster, "--dry-run") == 0
    assert f"LLMProvider {installed}/anthropic" in capsys.readouterr().out
    assert _purge(cluster) == 2
    assert "agree with --yes" in capsys.readouterr().err
    assert cluster.get("llmprovider/anthropic", "-n", installed)["metadata"]["name"] == "anthropic"


def test_vaults_records_go_when_asked_and_others_stay(
    cluster: Cluster, installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kv = cluster.bao.client().secrets.kv.v2
    mine = derived([(installed, "anthropic")], [(installed, "alice")])
    for path in (*mine, f"{installed}/notes"):
        kv.create_or_update_secret(path, {"value": "not a real key"}, mount_point=vault.DEFAULT_MOUNT)
    monkeypatch.setenv("VAULT_ADDR", cluster.bao.address)
    monkeypatch.setenv("VAULT_TOKEN", cluster.bao.root_token_file.read_text())
    assert _purge(cluster, "--yes", "--vault") == 0
    assert kv.list_secrets("", mount_point=vault.DEFAULT_MOUNT)["data"]["keys"] == [f"{installed}/"]
    assert kv.list_secrets(installed, mount_point=vault.DEFAULT_MOUNT)["data"]["keys"] == ["notes"]
    kv.delete_metadata_and_all_versions(f"{installed}/notes", mount_point=vault.DEFAULT_MOUNT)


def test_vault_without_a_token_or_with_a_wrong_one_deletes_nothing(
    cluster: Cluster, installed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    monkeypatch.setenv("VAULT_ADDR", cluster.bao.address)
    assert _purge(cluster, "--yes", "--vault") == 2
    assert "VAULT_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("VAULT_TOKEN", "not-a-token")
    assert _purge(cluster, "--yes", "--vault") == 1
    assert "Vault refuses below headgate/: permission denied" in capsys.readouterr().err
    assert cluster.get("llmprovider/anthropic", "-n", installed)["metadata"]["name"] == "anthropic"


def test_who_may_not_look_is_told_so(cluster: Cluster, installed: str, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = cluster.kubeconfig_for_user("nobody")
    assert main(["purge", "--yes", "--kubeconfig", str(nobody)]) == 1
    assert 'User "nobody" cannot list' in capsys.readouterr().err


_OPERATOR = {names.LABEL_NAME: "headgate", names.LABEL_COMPONENT: "operator"}


def _purge(cluster: Cluster, *arguments: str) -> int:
    return main(["purge", "--kubeconfig", str(cluster.kubeconfig), *arguments])


def _admission_policy() -> list[dict[str, Any]]:
    """One that a release left behind: it lets nobody delete an LLMProvider."""
    rule = {
        "apiGroups": [names.GROUP],
        "apiVersions": ["*"],
        "operations": ["DELETE"],
        "resources": ["llmproviders"],
    }
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false"}]}
    common = {"apiVersion": "admissionregistration.k8s.io/v1"}
    metadata = {"name": "headgate-left-behind", "labels": {names.LABEL_NAME: "headgate"}}
    binding = {"policyName": "headgate-left-behind", "validationActions": ["Deny"]}
    return [
        common | {"kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": spec},
        common | {"kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": binding},
    ]


def _wait_until_refused(cluster: Cluster, namespace: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            cluster.kubectl("delete", "llmprovider/anthropic", "-n", namespace, "--dry-run=server")
        except CommandError:
            return
        assert time.monotonic() < deadline, "the admission policy does not act"
        time.sleep(0.1)
