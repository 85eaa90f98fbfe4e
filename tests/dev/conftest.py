"""A tiny web server as a Deployment or a pod, for the tests of the node."""

import time
from collections.abc import Callable
from typing import Any

import pytest

SERVER = """
import http.server, json, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/live" and os.path.exists(os.environ["SCRATCH"] + "/sick"):
            self.send_error(500)
            return
        token = open(os.environ["TOKEN_FILE"]).read()
        answer = {"version": os.environ["VERSION"], "token": token, "pid": os.getpid()}
        if self.path.startswith("/file/"):  # the paths of a pod's mounts are others here: FILES tells them in its order
            answer["file"] = open(os.environ["FILES"].split()[int(self.path.removeprefix("/file/"))]).read()
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/sicken":
            open(os.environ["SCRATCH"] + "/sick", "w").close()

    def log_message(self, *words):
        pass

def end(number, frame):
    print("TERM received", flush=True)
    if os.environ.get("STUBBORN") != "yes":
        sys.exit(0)

signal.signal(signal.SIGTERM, end)
print("starting", os.environ["VERSION"], flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["HEADGATE_PORT_HTTP"])), Handler).serve_forever()
"""


def pod_spec(version: str = "1", **environment: str) -> dict[str, Any]:
    env = {"VERSION": version, "TOKEN_FILE": "/var/run/tokens/token", "SCRATCH": "/scratch", **environment}
    token = {"audience": "headgate", "path": "token", "expirationSeconds": 600}
    return {
        "terminationGracePeriodSeconds": 2,
        "volumes": [
            {"name": "tokens", "projected": {"sources": [{"serviceAccountToken": token}]}},
            {"name": "scratch", "emptyDir": {}},
        ],
        "containers": [
            {
                "name": "web",
                "image": "not-pulled",
                "command": ["python", "-c", SERVER],
                "env": [{"name": name, "value": value} for name, value in env.items()],
                "ports": [{"name": "http", "containerPort": 8080}],
                "volumeMounts": [
                    {"name": "tokens", "mountPath": "/var/run/tokens"},
                    {"name": "scratch", "mountPath": "/scratch"},
                ],
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
            }
        ],
    }


def pod(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def eventually(question: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Return the first true answer; fail when there is none in time. For processes, which have no watch."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return answer


@pytest.fixture(name="pod_spec")
def pod_spec_fixture() -> Callable[..., dict[str, Any]]:
    return pod_spec


@pytest.fixture(name="pod")
def pod_fixture() -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    return pod


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    return eventually
