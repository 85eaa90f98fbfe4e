"""What a kubelet asks of the API server and nobody else in Headgate does: nodes, bindings, pod tokens, forced deletion."""

from typing import Any, Self

from kubernetes.aio.client import ApiClient

from headgate_runtime.kube import DEADLINE_SECONDS, Kind, Kube, Object
from headgate_runtime.kube_settings import KubeSettings

NODE = Kind("v1", "Node", "nodes")
_MERGE_PATCH = "application/merge-patch+json"


class NodeKube(Kube):
    """The shared client, with the calls of a node on top."""

    @classmethod
    async def connect(cls, settings: KubeSettings, *, deadline_seconds: float = DEADLINE_SECONDS) -> Self:
        """Return a client without a bound on connections: each mounted object is watched, and so holds one."""
        configuration = await settings.configuration()
        configuration.connection_pool_maxsize = 0
        return cls(ApiClient(configuration), deadline_seconds=deadline_seconds)

    async def register(self, node: Object, status: Object) -> None:
        """Create the Node object if it is missing, then report its status. Raises KubeError, KubeUnavailable."""
        name = node["metadata"]["name"]
        path = NODE.path(None, name)
        query = {"fieldManager": "headgate-dev-node", "force": "true"}
        await self._call("PATCH", path, query=query, body=node, content_type="application/apply-patch+yaml")
        await self._call("PATCH", NODE.path(None, name, "status"), body={"status": status}, content_type=_MERGE_PATCH)

    async def renew_lease(self, name: str, renew_time: str, seconds: int) -> None:
        """Renew the node's heartbeat Lease (``renew_time``: RFC 3339 with microseconds), creating it if needed."""
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": "kube-node-lease"},
            "spec": {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": renew_time},
        }
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"
        query = {"fieldManager": "headgate-dev-node", "force": "true"}
        await self._call("PATCH", path, query=query, body=lease, content_type="application/apply-patch+yaml")

    async def bind(self, namespace: str, pod: str, uid: str, node: str) -> None:
        """Bind the pod to the node, which is what a scheduler does. Raises Conflict when it is bound already."""
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod, "namespace": namespace, "uid": uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._call("POST", f"/api/v1/namespaces/{namespace}/pods/{pod}/binding", body=body)

    async def patch_pod_status(self, namespace: str, pod: str, uid: str, status: Object) -> None:
        """Replace the named parts of the pod's status; a pod of another ``uid`` is left alone (Conflict)."""
        body = {"metadata": {"uid": uid}, "status": status}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/status"
        await self._call("PATCH", path, body=body, content_type=_MERGE_PATCH)

    async def remove_pod(self, namespace: str, pod: str, uid: str) -> None:
        """Delete the pod for good: its processes have ended. Raises KubeError of status 404 when it is gone."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": uid},
        }
        await self._call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod}", body=body)

    async def pod_token(self, pod: Object, audience: str | None, seconds: int) -> str:
        """Return a token of the pod's ServiceAccount that is bound to the pod and dies with it (TokenRequest)."""
        metadata = pod["metadata"]
        account = pod["spec"].get("serviceAccountName", "default")
        spec: dict[str, Any] = {
            "audiences": [] if audience is None else [audience],
            "expirationSeconds": seconds,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]},
        }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        answer = await self._call("POST", path, body=body)
        return str(answer["status"]["token"])
