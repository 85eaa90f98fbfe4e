"""A connection to a pod's port through the API server, for people whose machines cannot reach pods themselves.

The kubernetes package has one too; its thread ends with a traceback on the terminal when a stream is closed with data under way.
Protocol: ``v4.channel.k8s.io`` of the API server's port-forward, a data channel (0) and an error channel (1) for the one port, each
begun by a frame that repeats the port's number.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from kubernetes.client import ApiClient
from kubernetes.stream.ws_client import create_websocket, get_websocket_url
from websocket import ABNF, WebSocketBadStatusException, WebSocketException, WebSocketTimeoutException

from headgate_runtime.kube_errors import KubeError, KubeUnavailable, error_from
from headgate_runtime.kube_kinds import POD

_DATA: Final = b"\x00"
_PROTOCOL: Final = "v4.channel.k8s.io"


class Forwarded:
    """A stream of bytes. Every method raises OSError when it breaks, TimeoutError when nothing comes in time."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._begun: set[int] = set()

    def settimeout(self, seconds: float) -> None:
        """Say how long a read or write may take."""
        self._socket.settimeout(seconds)

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        with _told():
            self._socket.send(_DATA + data, opcode=ABNF.OPCODE_BINARY)

    def receive(self) -> bytes:
        """Return the next bytes; b"" at the end."""
        while True:
            with _told():
                opcode, frame = self._socket.recv_data()
            if opcode == ABNF.OPCODE_CLOSE:
                return b""
            if opcode != ABNF.OPCODE_BINARY or not frame:
                raise ConnectionError("the API server sends what is no port-forward")
            channel, data = frame[0], frame[1:]
            if channel not in self._begun:
                self._begun.add(channel)  # the port's number
            elif channel == _DATA[0] and data:
                return bytes(data)
            elif channel != _DATA[0]:
                raise ConnectionError(data[:200].decode(errors="replace"))

    def close(self) -> None:
        """End the stream."""
        with contextlib.suppress(OSError, WebSocketException):
            self._socket.shutdown()


def forward(client: ApiClient, namespace: str, pod: str, port: int) -> Forwarded:
    """Return a stream to the pod's port. Raises KubeError (403: that user may not), KubeUnavailable."""
    _, url, headers, _, _ = client.param_serialize(
        "GET",
        POD.path(namespace, pod, "portforward"),
        query_params=[("ports", str(port))],
        header_params={},
        auth_settings=["BearerToken"],
    )
    try:
        asked = {**headers, "sec-websocket-protocol": _PROTOCOL}
        return Forwarded(create_websocket(client.configuration, get_websocket_url(url), asked))  # type: ignore[no-untyped-call]
    except WebSocketBadStatusException as error:
        raise _refusal(error) from None
    except (OSError, WebSocketException) as error:
        raise KubeUnavailable(f"the API server does not answer: {type(error).__name__}: {error}") from None


def _refusal(error: WebSocketBadStatusException) -> KubeError | KubeUnavailable:
    body = error.resp_body or b""
    refusal = error_from(error.status_code, body if isinstance(body, bytes) else str(body).encode())
    if isinstance(refusal, KubeError) and refusal.status != 403:
        return KubeUnavailable(f"the API server does not get there: {refusal.message}")
    return refusal


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn the WebSocket's errors into those of a socket."""
    try:
        yield
    except WebSocketTimeoutException:
        raise TimeoutError from None
    except WebSocketException as error:
        raise ConnectionError(str(error) or type(error).__name__) from None
