"""Real pods of a real control plane, run as local processes."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from headgate_dev.cluster import Cluster, ClusterError
from headgate_dev.host.identity import ProcessIdentity
from headgate_dev.node.ports import pod_ports
from headgate_runtime.kube import Object

Spec = Callable[..., dict[str, Any]]
Eventually = Callable[..., Any]


def ask(pod: Object, path: str = "/") -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{pod_ports(pod)['http']}{path}", trust_env=False).json()
    return answer


def run_pod(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> Object:
    cluster.apply(manifest, namespace=namespace)
    name = manifest["metadata"]["name"]
    cluster.wait_for(f"pod/{name}", "condition=Ready", namespace=namespace, timeout=30)
    found: Object = cluster.get("pod", name, "--namespace", namespace)
    return found


def test_a_deployment_rolls_to_a_new_template(cluster: Cluster, namespace: str, pod_spec: Spec) -> None:
    def deployment(version: str) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec(version)}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}

    for version in ("1", "2"):
        cluster.apply(deployment(version), namespace=namespace)
        cluster.kubectl("rollout", "status", "deployment/web", "--namespace", namespace, "--timeout=30s")
    selector = ("--namespace", namespace, "--selector=app=web")
    pods = [each for each in cluster.get("pods", *selector)["items"] if not each["metadata"].get("deletionTimestamp")]
    assert [ask(each)["version"] for each in pods] == ["2", "2"]
    assert len({pod_ports(each)["http"] for each in pods}) == 2


def test_a_projected_token_is_the_pods_own(cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec) -> None:
    started = run_pod(cluster, namespace, pod("web", pod_spec()))
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": ask(started)["token"], "audiences": ["headgate"]},
    }
    answer = json.loads(cluster.kubectl("create", "--filename=-", "--output=json", input=json.dumps(review)))["status"]
    assert answer["authenticated"]
    assert answer["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert answer["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["web"]
    assert answer["audiences"] == ["headgate"]


def test_deleting_a_pod_terms_its_process_and_kills_a_stubborn_one(
    cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec
) -> None:
    identities = {}
    for name, stubborn in (("polite", "no"), ("stubborn", "yes")):
        run_pod(cluster, namespace, pod(name, pod_spec(STUBBORN=stubborn)))
        identities[name] = ProcessIdentity.of(cluster.pod_pid(namespace, name))
    cluster.kubectl("delete", "pod", "polite", "stubborn", "--namespace", namespace, "--timeout=20s")
    for name, identity in identities.items():
        assert identity is not None
        assert not identity.alive()
        assert "TERM received" in cluster.pod_log(namespace, name)


def test_a_container_restarts_on_its_port_while_the_api_server_is_away(
    cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec, eventually: Eventually
) -> None:
    started = run_pod(cluster, namespace, pod("web", pod_spec()))
    first = cluster.pod_pid(namespace, "web")
    cluster.apiserver.stop()
    try:
        os.kill(first, signal.SIGKILL)

        def answers_again() -> bool:
            try:
                return bool(ask(started)["pid"] != first)
            except httpx.TransportError:
                return False

        eventually(answers_again)
    finally:
        cluster.apiserver.start()
    again = "jsonpath={.status.containerStatuses[0].restartCount}=1"
    cluster.wait_for("pod/web", again, namespace=namespace, timeout=20)
    status = cluster.get("pod", "web", "--namespace", namespace)["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGKILL


def test_a_failing_liveness_probe_restarts_the_container(
    cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec
) -> None:
    spec = pod_spec()
    probe = {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    spec["containers"][0]["livenessProbe"] = probe
    started = run_pod(cluster, namespace, pod("web", spec))
    ask(started, "/sicken")
    cluster.wait_for(
        "pod/web", "jsonpath={.status.containerStatuses[0].restartCount}=1", namespace=namespace, timeout=20
    )


def test_a_job_completes_after_its_init_container(cluster: Cluster, namespace: str) -> None:
    volume = {"name": "shared", "mountPath": "/shared"}
    env = [{"name": "FILE", "value": "/shared/word"}]

    def container(name: str, script: str) -> dict[str, Any]:
        command = ["python", "-c", f"import os; {script}"]
        return {"name": name, "image": "none", "command": command, "env": env, "volumeMounts": [volume]}

    spec = {
        "restartPolicy": "Never",
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [container("first", "open(os.environ['FILE'], 'w').write('hello')")],
        "containers": [container("then", "print(open(os.environ['FILE']).read())")],
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": {"template": {"spec": spec}}}
    cluster.apply(job, namespace=namespace)
    cluster.wait_for("job/job", "condition=Complete", namespace=namespace, timeout=30)
    name = cluster.get("pods", "--namespace", namespace, "--selector=job-name=job")["items"][0]["metadata"]["name"]
    assert cluster.pod_log(namespace, name, "then") == "hello\n"


def test_an_unsupported_pod_says_so(cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec) -> None:
    spec = pod_spec()
    spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    cluster.apply(pod("web", spec), namespace=namespace)
    cluster.wait_for("pod/web", "jsonpath={.status.reason}=UnsupportedByDevNode", namespace=namespace, timeout=20)
    status = cluster.get("pod", "web", "--namespace", namespace)["status"]
    assert "spec.volumes[host].hostPath is not supported" in status["message"]


def test_a_missing_secret_holds_the_pod_back_until_it_exists(
    cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec
) -> None:
    spec = pod_spec()
    reference = {"name": "late", "key": "word"}
    spec["containers"][0]["env"].append({"name": "WORD", "valueFrom": {"secretKeyRef": reference}})
    cluster.apply(pod("web", spec), namespace=namespace)
    waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError"
    cluster.wait_for("pod/web", waiting, namespace=namespace, timeout=20)
    cluster.kubectl("create", "secret", "generic", "late", "--from-literal=word=x", "--namespace", namespace)
    cluster.wait_for("pod/web", "condition=Ready", namespace=namespace, timeout=20)


def test_a_mounted_secret_and_config_map_change_under_the_running_pod(
    cluster: Cluster, namespace: str, pod: Spec, pod_spec: Spec, eventually: Eventually
) -> None:
    def write(word: str) -> None:
        for kind, name in (("Secret", "pair"), ("ConfigMap", "bundle")):
            data = {"stringData" if kind == "Secret" else "data": {"a": word, "b": word}}
            cluster.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **data}, namespace=namespace)

    def mounted(started: Object) -> set[str]:
        return {ask(started, f"/file/{index}")["file"] for index in range(len(paths))}

    write("one")
    spec = pod_spec()
    paths = ["/secret/a", "/secret/b", "/both/deep/a", "/both/b"]
    item = [{"key": "a", "path": "deep/a"}]
    spec["volumes"] += [
        {"name": "plain", "secret": {"secretName": "pair"}},
        {
            "name": "both",
            "projected": {"sources": [{"secret": {"name": "pair", "items": item}}, {"configMap": {"name": "bundle"}}]},
        },
    ]
    container = spec["containers"][0]
    container["volumeMounts"] += [{"name": "plain", "mountPath": "/secret"}, {"name": "both", "mountPath": "/both"}]
    container["env"].append({"name": "FILES", "value": " ".join(paths)})
    started = run_pod(cluster, namespace, pod("web", spec))
    assert mounted(started) == {"one"}
    write("two")
    eventually(lambda: mounted(started) == {"two"}, 5.0)
    cluster.kubectl("delete", "secret", "pair", "--namespace", namespace)
    write("three")
    eventually(lambda: mounted(started) == {"three"}, 5.0)


def test_asking_for_a_pod_that_never_ran_names_it(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(ClusterError, match=f"pod {namespace}/none"):
        cluster.pod_pid(namespace, "none")
