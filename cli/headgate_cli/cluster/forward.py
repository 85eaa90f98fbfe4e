"""A connection to a pod's port through the API server, for people whose machines cannot reach pods themselves."""

import re
import socket
from typing import Final

from kubernetes.client import ApiClient, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward

from headgate_runtime.kube_errors import KubeUnavailable

_MESSAGE: Final = re.compile(r'"message":\s*"((?:[^"\\]|\\.)*)"')


def forward(client: ApiClient, namespace: str, pod: str, port: int) -> socket.socket:
    """Return a stream to the pod's port. Raises KubeUnavailable when the API server refuses or does not get there."""
    try:
        tunnel = portforward(CoreV1Api(client).connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
    except ApiException as error:
        raise KubeUnavailable(f"no port-forward to pod {namespace}/{pod}: {_words(error)}") from None
    stream: socket.socket = tunnel.socket(port)
    return stream


def _words(error: ApiException) -> str:
    """Return the API server's own sentence from a WebSocket handshake that it refused."""
    text = str(error.reason)
    found = _MESSAGE.search(text)
    return found.group(1) if found else text[:200]
