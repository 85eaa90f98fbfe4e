"""A connection to a pod's port through the API server, for people whose machines cannot reach pods themselves."""

import re
import socket
from typing import Final

from kubernetes.client import ApiClient, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward

from headgate_runtime.kube_errors import KubeError, KubeUnavailable

_STATUS: Final = re.compile(r"Handshake status (\d{3})")
_MESSAGE: Final = re.compile(r'"message":\s*"((?:[^"\\]|\\.)*)"')


def forward(client: ApiClient, namespace: str, pod: str, port: int) -> socket.socket:
    """Return a stream to the pod's port. Raises KubeError (403: that user may not), KubeUnavailable."""
    try:
        tunnel = portforward(CoreV1Api(client).connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
    except ApiException as error:
        raise _refused(str(error.reason)) from None
    stream: socket.socket = tunnel.socket(port)
    return stream


def _refused(text: str) -> KubeError | KubeUnavailable:
    """Return what a WebSocket handshake that failed says: the API server's own sentence is somewhere in it."""
    status, message = _STATUS.search(text), _MESSAGE.search(text)
    said = message.group(1).replace("\\", "") if message is not None else text[:200]
    if status is not None and status.group(1) == "403":
        return KubeError(403, "Forbidden", said)
    return KubeUnavailable(f"the API server does not get there: {said}")
