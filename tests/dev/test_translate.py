"""What process a container becomes."""

import re
from pathlib import Path
from typing import Any

import pytest

from headgate_dev.node.ports import declared_ports, local_port, pod_ports, ports_condition
from headgate_dev.node.support import unsupported
from headgate_dev.node.translate import Machine, MissingReferenceError, ProcessPlan, expand, plan_container

MACHINE = Machine({"PATH": "/bin"}, "127.0.0.1", 6443, {"headgate": "/opt/bin/headgate"})


def pod(**container: Any) -> dict[str, Any]:
    own = {"name": "main", "image": "ignored", "command": ["headgate", "proxy"], **container}
    return {
        "metadata": {"name": "p-0", "namespace": "team", "uid": "u-1", "labels": {"app": "x"}},
        "spec": {"containers": [own], "serviceAccountName": "sa", "nodeName": "headgate-dev"},
    }


def plan(of: dict[str, Any], **more: Any) -> ProcessPlan:
    given: dict[str, Any] = {"config_maps": {}, "secrets": {}, "volumes": {}, "ports": {}, "machine": MACHINE}
    return plan_container(of, of["spec"]["containers"][0], **(given | more))


def test_headgate_is_this_installations_command() -> None:
    assert plan(pod(args=["--verbose"])).argv == ("/opt/bin/headgate", "proxy", "--verbose")


def test_the_environment_is_what_the_pod_says_and_nothing_of_the_machine() -> None:
    assert plan(pod(env=[{"name": "A", "value": "1"}])).environment == {
        "PATH": "/bin",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
        "A": "1",
    }


def test_references_in_values_and_arguments_are_expanded_in_order() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(LATER)-$$(A)"}, {"name": "LATER", "value": "x"}]
    made = plan(pod(env=env, args=["$(B)"]))
    assert made.environment["B"] == "1-$(LATER)-$(A)"
    assert expand("$(A)$(NONE)", {"A": "a"}) == "a$(NONE)"


def test_fields_secrets_and_config_maps_reach_the_environment() -> None:
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "GONE", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}}},
    ]
    env_from = [{"prefix": "CM_", "configMapRef": {"name": "c"}}]
    made = plan(pod(env=env, envFrom=env_from), secrets={"s": {"k": "$(POD)"}}, config_maps={"c": {"x": "y"}})
    chosen = {name: made.environment.get(name) for name in ("POD", "APP", "KEY", "GONE", "CM_x")}
    assert chosen == {"POD": "p-0", "APP": "x", "KEY": "$(POD)", "GONE": None, "CM_x": "y"}


def test_a_missing_secret_or_key_is_named() -> None:
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    with pytest.raises(MissingReferenceError, match="secretKeyRef: s does not exist"):
        plan(pod(env=env))
    with pytest.raises(MissingReferenceError, match="s has no key 'k'"):
        plan(pod(env=env), secrets={"s": {}})


def test_mount_paths_become_local_folders_longest_first_and_whole_segments_only() -> None:
    mounts = [{"name": "a", "mountPath": "/data"}, {"name": "b", "mountPath": "/data/inner/", "subPath": "s"}]
    args = ["--f=/data/x", "/data/inner/y", "/database", "https://host/data", "/data:/data/inner"]
    made = plan(pod(volumeMounts=mounts, args=args), volumes={"a": Path("/v/a"), "b": Path("/v/b")})
    assert made.argv[2:] == ("--f=/v/a/x", "/v/b/s/y", "/database", "https://host/data", "/v/a:/v/b/s")


def test_each_port_is_told_by_variable_condition_and_to_probes() -> None:
    of = pod(
        ports=[{"name": "http-main", "containerPort": 8080}, {"containerPort": 9090}], args=["$(HEADGATE_PORT_9090)"]
    )
    assert declared_ports(of) == ["http-main", "9090"]
    ports = {"http-main": 4001, "9090": 4002}
    made = plan(of, ports=ports)
    assert made.environment["HEADGATE_PORT_HTTP_MAIN"] == "4001"
    assert made.argv[-1] == "4002"
    declared = pod(
        ports=of["spec"]["containers"][0]["ports"], env=[{"name": "HEADGATE_PORT_HTTP_MAIN", "value": "8080"}]
    )
    assert plan(declared, ports=ports).environment["HEADGATE_PORT_HTTP_MAIN"] == "4001"
    container = of["spec"]["containers"][0]
    assert [local_port(container, each, ports) for each in ("http-main", 8080, 9090, 5)] == [4001, 4001, 4002, 5]
    with pytest.raises(ValueError, match="no port is named 'grpc'"):
        local_port(container, "grpc", ports)
    assert pod_ports(of) == {}
    assert pod_ports({"status": {"conditions": [ports_condition(ports, "now")]}}) == ports


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": None}, r"containers\[main\].command is missing"),
        ({"tty": True}, r"containers\[main\].tty is not supported"),
        ({"livenessProbe": {"grpc": {"port": 1}}}, "livenessProbe.grpc is not supported; use one of exec, httpGet"),
        ({"lifecycle": {"postStart": {}}}, "lifecycle.postStart is not supported"),
    ],
)
def test_what_the_node_cannot_do_is_refused_by_field(change: dict[str, Any], words: str) -> None:
    assert re.search(words, unsupported(pod(**change)) or "")


def test_a_host_path_is_refused_and_an_ordinary_pod_is_not() -> None:
    assert unsupported(pod(resources={}, securityContext={}, ports=[])) is None
    of = pod()
    of["spec"]["volumes"] = [{"name": "v", "hostPath": {"path": "/"}}]
    assert "spec.volumes[v].hostPath is not supported" in (unsupported(of) or "")
    of["spec"] |= {"volumes": [], "hostNetwork": True}
    assert "spec.hostNetwork is not supported" in (unsupported(of) or "")
