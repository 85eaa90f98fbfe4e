"""A broker as the command sees it, TLS under the broker's name, and keys that are checked against annotations."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from headgate_api import names
from headgate_api.clock import SystemClock, rfc3339
from headgate_api.secret import Secret
from headgate_api.signin import key_hash
from headgate_api.snapshot import Head
from headgate_dev.emulator import ServerTLS, throwaway_tls

from .accounts import GRANT, Accounts

STATE = "emulated-state"
AUTHORIZE = f"https://vendor.example/oauth/authorize?client_id=x&state={STATE}"


def pending(method: str, **more: Any) -> dict[str, Any]:
    now = SystemClock().now()
    shown: dict[str, Any] = {"authorizationUrl": AUTHORIZE, "redirectURI": "https://vendor.example/oauth/code"}
    if method == "DeviceCode":
        shown = {
            "userCode": "WDJB-MJHT",
            "verificationURI": "https://vendor.example/device",
            "verificationURIComplete": "https://vendor.example/device?user_code=WDJB-MJHT",
        }
    return {
        "state": "Pending",
        "method": method,
        "beganBy": "alice",
        "expiresAt": rfc3339(now + timedelta(minutes=10)),
        "message": "go on",
        **shown,
        **more,
    }


def over(state: str, message: str, **more: Any) -> dict[str, Any]:
    return pending("Paste") | {"state": state, "message": message, **more}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that refuses the certificate is what some tests are about."""


@dataclass
class FakeBroker:
    """``answer`` gets (method, last part of the path, body) and returns (status, JSON or bytes). A context manager."""

    accounts: Accounts
    answer: Callable[[str, str, Any], tuple[int, Any]]
    tls: ServerTLS | None = None
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        namespace = self.accounts.namespace
        self.tls = self.tls or throwaway_tls((names.broker_server_name(namespace),))
        broker = self

        class Handler(BaseHTTPRequestHandler):
            def _handle(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                last = self.path.rpartition("/")[2]
                status, content = broker._asked(self.command, self.path, self.headers["authorization"], last, body)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the base class's names

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.socket = self.tls.server_context().wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.publish(self.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    @property
    def here(self) -> tuple[str, ...]:
        """Return the options by which the command finds the head in the test's own namespace."""
        return ("--system-namespace", self.accounts.namespace)

    def publish(self, url: str | None, ca_pem: str | None = None) -> None:
        """Write the head of the fleet ``default``."""
        trust = ca_pem or (self.tls.ca_pem if self.tls is not None else None)
        head = Head(revision="r", chunks=(), broker_url=url, trust_bundle=trust)
        self.accounts.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": names.head_name("default")},
                "data": {"head.json": head.to_json()},
            },
            namespace=self.accounts.namespace,
        )

    def _asked(self, method: str, path: str, bearer: str, last: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, last, body))
        annotations = self.accounts.annotations()
        expected = annotations.get(names.ANNOTATION_SIGN_IN)
        if (
            expected != key_hash(Secret(bearer.removeprefix("Bearer ")))
            or names.ANNOTATION_SIGN_IN_BY not in annotations
        ):
            return 403, {"error": {"reason": "Forbidden", "message": "begun with another key"}}
        assert path.startswith(f"/v1/accounts/{self.accounts.namespace}/alice/sign-in")
        return self.answer(method, last, body)


def vendor_page(broker_message: str = "signed in: grant") -> Callable[[str, str, Any], tuple[int, Any]]:
    """Behave as for a sign-in by pasted code; the right one is ``right#STATE``, or the whole address that carries it."""
    done: list[str] = []

    def answer(method: str, last: str, body: Any) -> tuple[int, Any]:
        if last == "code":
            if "right" not in body["code"]:
                return 400, {"error": {"reason": "BadCode", "message": "this code belongs to another sign-in\x1b[2J"}}
            done.append(body["code"])
        if done:
            return 200, over("Completed", broker_message, grantId=GRANT)
        return 200, pending("Paste")

    return answer
