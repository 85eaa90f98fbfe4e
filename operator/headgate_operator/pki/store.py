"""Reads and writes the Secrets of certificates: fenced, and by resourceVersion, so that of two writers one loses."""

from collections.abc import Callable, Mapping

from headgate_api import names
from headgate_runtime.certificates import AUTHORITY_KEY
from headgate_runtime.kube import Conflict, Kube, KubeError, Object, unchanged_since
from headgate_runtime.kube_kinds import SECRET

LABELS: Mapping[str, str] = {names.LABEL_NAME: "headgate", names.LABEL_MANAGED_BY: names.FIELD_MANAGER}
"""What the operator marks its own Secrets with, and knows them by."""


class SecretStore:
    """The Secrets of the operator's namespace."""

    def __init__(self, kube: Kube, namespace: str, fence: Callable[[], None]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._fence = fence
        self._published: str | None = None

    async def get(self, name: str) -> Object | None:
        """Return a Secret, or None. Raises KubeError, KubeUnavailable."""
        return await self._kube.get(SECRET, self._namespace, name)

    async def create(
        self,
        name: str,
        type_: str,
        data: Mapping[str, str],
        labels: Mapping[str, str] = LABELS,
        owner: Mapping[str, object] | None = None,
    ) -> Object:
        """Create a Secret (``data`` in base64). Raises Conflict where there is one meanwhile, and NotLeading."""
        metadata: Object = {"name": name, "namespace": self._namespace, "labels": dict(labels)}
        if owner is not None:
            metadata["ownerReferences"] = [dict(owner)]
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": dict(data)}
        self._fence()
        return await self._kube.create(body)

    async def change(self, body: Object, data: Mapping[str, str]) -> Object:
        """Replace the data of a Secret that stands as ``body`` was read. Raises Conflict where it does not, and NotLeading."""
        name = body["metadata"]["name"]
        operations = [
            unchanged_since(body["metadata"]["resourceVersion"]),
            {"op": "add", "path": "/data", "value": dict(data)},
        ]
        self._fence()
        try:
            return await self._kube.json_patch(SECRET, self._namespace, name, operations)
        except KubeError as error:
            if error.status != 422:
                raise
            raise Conflict(409, "Conflict", f"Secret {name} changed meanwhile") from None

    async def publish(self, bundle: str) -> None:
        """Keep the bundle, which is no secret, in a ConfigMap, where whoever prepares callers finds it."""
        if bundle == self._published:
            return
        metadata = {"name": names.CA_SECRET, "namespace": self._namespace, "labels": dict(LABELS)}
        self._fence()
        await self._kube.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {AUTHORITY_KEY: bundle}}
        )
        self._published = bundle
