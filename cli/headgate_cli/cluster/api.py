"""The API server for commands: synchronous, plain JSON in and out, a deadline on every call, its warnings kept.

The operator's own client is asynchronous and writes in the operator's name; a person's command needs neither.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, cast
from urllib.parse import quote

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from headgate_cli.cluster.connect import Where, connect
from headgate_cli.cluster.forward import Forwarded, forward
from headgate_runtime.kube_errors import KubeError, KubeUnavailable, error_from
from headgate_runtime.kube_kinds import Kind

Object = dict[str, Any]
Objects = list[Object]

FIELD_MANAGER: Final = "kubectl-headgate"
DEADLINE_SECONDS: Final = 15.0
_PAGE: Final = 500
_WARNING: Final = re.compile(r'^299 \S+ "((?:[^"\\]|\\.)*)"')


class Api:
    """One API server, as the user whom kubeconfig names; ``namespace`` is the context's. A context manager."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self.warnings: list[str] = []

    @classmethod
    def connect(cls, where: Where) -> Self:
        """Return a client; nothing is sent yet. Raises Refusal when kubeconfig leads nowhere."""
        return cls(*connect(where))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """Return the object (``namespace`` None: cluster-scoped), or None when there is none. Raises KubeError."""
        try:
            return self.call("GET", kind.path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str | None = None, *, label_selector: str | None = None) -> Objects:
        """Return all objects of a namespace, or of all. Raises KubeError (404: the kind is not known here)."""
        items: Objects = []
        query = {"limit": str(_PAGE)} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            page = self.call("GET", kind.path(namespace), query=query)
            items += [{**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    def annotate(self, kind: Kind, body: Object, annotations: Mapping[str, str | None]) -> Object:
        """Set annotations (None: remove) of the object as it was read. Raises Conflict when it changed meanwhile."""
        return self.patch(kind, body, {"metadata": {"annotations": dict(annotations)}})

    def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Create the object; ``dry_run``: only ask whether the API server would take it. Raises KubeError."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self.call("POST", kind.path(body["metadata"]["namespace"]), query=query, body=body)

    def patch(self, kind: Kind, body: Object, patch: Object, *, dry_run: bool = False) -> Object:
        """Merge ``patch`` (RFC 7396) into the object as it was read. Raises Conflict when it changed meanwhile."""
        metadata = body["metadata"]
        pinned = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": metadata["resourceVersion"]}}
        return self.call(
            "PATCH",
            kind.path(metadata["namespace"], metadata["name"]),
            query={"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {}),
            body=pinned,
            content_type="application/merge-patch+json",
        )

    def json_patch(self, kind: Kind, namespace: str | None, name: str, operations: Sequence[Object]) -> Object:
        """Apply RFC 6902 operations. Raises KubeError."""
        return self.call(
            "PATCH", kind.path(namespace, name), body=list(operations), content_type="application/json-patch+json"
        )

    def delete(self, kind: Kind, namespace: str | None, name: str) -> bool:
        """Delete the object; tell whether there was one. Raises KubeError."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            self.call("DELETE", kind.path(namespace, name), body=options)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def user(self) -> str:
        """Return the name under which the API server knows whoever runs this command."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        return str(answer["status"]["userInfo"]["username"])

    def forward(self, namespace: str, pod: str, port: int) -> Forwarded:
        """Return a stream to a pod's port, by way of the API server. Raises KubeError, KubeUnavailable."""
        return forward(self._client, namespace, pod, port)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        """Return the JSON object that the API server answers. Raises KubeError, KubeUnavailable."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        try:
            _, url, headers, body, _ = self._client.param_serialize(
                method,
                quote(path, safe="/:."),
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = self._client.rest_client.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=DEADLINE_SECONDS
            )
            content = answer.read()
        except (HTTPError, OSError, ApiException) as error:
            reason = getattr(error, "reason", None) or error
            raise KubeUnavailable(f"the API server does not answer: {type(reason).__name__}: {reason}") from error
        if answer.status >= 400:
            raise error_from(answer.status, content)
        if match := _WARNING.match(answer.getheader("Warning") or ""):
            self.warnings.append(match.group(1))
        return cast("Object", json.loads(content))


def sentence(error: KubeError) -> str:
    """Return what the API server says, without the machinery around an admission policy's own sentence."""
    _, denied, said = error.message.partition("denied request: ")
    return said if denied else error.message
