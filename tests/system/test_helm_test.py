"""`helm test` passes on what the chart installed: its own script, with its own arguments, as its own ServiceAccount.

The development node has neither Services nor DNS, so names are led to the pods' local ports here; certificates are checked by name
all the same.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from headgate_dev.cluster import Cluster
from headgate_dev.installation import Installation
from headgate_dev.node.ports import pod_ports
from headgate_dev.release import NAMESPACE

_SERVICES = """\
import json, os, socket
ports = json.loads(os.environ["TEST_PORTS"])
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, port, *rest, **more: resolve("127.0.0.1", ports[f"{host}:{port}"], *rest, **more)
"""


def test_it_passes_where_operator_and_fleet_work(cluster: Cluster, headgate: Installation, tmp_path: Path) -> None:
    hooks = list(yaml.safe_load_all(cluster.helm("get", "hooks", "headgate", "--namespace", NAMESPACE)))
    (container,) = next(hook for hook in hooks if hook["kind"] == "Pod")["spec"]["containers"]
    asked = [urlsplit(argument.partition("=")[2]) for argument in container["args"]]
    assert [url.scheme for url in asked] == ["http", "https", "http"]
    (tmp_path / "token").write_text(cluster.create_token(NAMESPACE, "headgate-test", "headgate", "10m"))
    (tmp_path / "ca.crt").write_text(cluster.get("configmap/headgate-ca", "-n", NAMESPACE)["data"]["ca.crt"])
    operator = cluster.get(f"pod/{headgate.operator_pods()[0]}", "-n", NAMESPACE)
    proxy = cluster.get(f"pod/{headgate.proxy_pods()[0]}", "-n", NAMESPACE)
    ports = [pod_ports(operator)["admin"], pod_ports(proxy)["https"], pod_ports(proxy)["http"]]
    settings = {
        "SMOKE_TOKEN_FILE": str(tmp_path / "token"),
        "SMOKE_CA_FILE": str(tmp_path / "ca.crt"),
        "TEST_PORTS": json.dumps({url.netloc: port for url, port in zip(asked, ports, strict=True)}),
    }

    done = subprocess.run(
        [sys.executable, "-c", _SERVICES + container["command"][2], *container["args"]],
        env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.count("PASS")) == (0, 3), done.stdout + done.stderr
