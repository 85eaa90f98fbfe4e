"""The API server as Headgate uses it: plain JSON objects in and out, a deadline on every call, three kinds of failure.

Works on kubernetes.aio's transport (TLS, kubeconfig, token rotation) without its generated models: what Headgate reads
is validated by the contract's own models, and custom resources have none.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Self, cast
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client import ApiClient

from headgate_api import names
from headgate_runtime.kube_errors import Conflict, Expired, KubeError, KubeUnavailable, error_from
from headgate_runtime.kube_kinds import SERVICE_ACCOUNT, Kind, kind_of
from headgate_runtime.kube_settings import KubeSettings

Object = dict[str, Any]
"""A Kubernetes object as JSON."""
Objects = list[Object]


def unchanged_since(resource_version: str) -> Object:
    """Return the JSON Patch operation by which the rest of a patch holds only while the object is the one that was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}


DEADLINE_SECONDS: Final = 10.0
_PAGE: Final = 500
_WATCH_GRACE_SECONDS: Final = 5.0
_JSON: Final = "application/json"
_ACCEPT: Final = "application/json, */*;q=0.8"
"""The signing keys are served as application/jwk-set+json alone."""
_METADATA_LIST: Final = f"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io, {_ACCEPT}"


class Kube:
    """An asynchronous client of one API server; an asynchronous context manager that closes its connections."""

    def __init__(self, client: ApiClient, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._client = client
        self._deadline = deadline_seconds

    @classmethod
    async def connect(cls, settings: KubeSettings, *, deadline_seconds: float = DEADLINE_SECONDS) -> Self:
        """Return a client; nothing is sent yet. Raises KubeUnavailable when the CA file cannot be read."""
        return cls(ApiClient(await settings.configuration()), deadline_seconds=deadline_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return the object, or None when there is none. Raises KubeError, KubeUnavailable."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        metadata_only: bool = False,
    ) -> Objects:
        """Return all objects of a namespace, or of all; ``metadata_only``: without what makes them large.

        A list that outlives its snapshot begins again once.
        """
        accept = _METADATA_LIST if metadata_only else _ACCEPT
        try:
            return await self._list(kind, namespace, label_selector, accept)
        except Expired:
            return await self._list(kind, namespace, label_selector, accept)

    async def _list(self, kind: Kind, namespace: str | None, label_selector: str | None, accept: str) -> Objects:
        items: Objects = []
        query = {"limit": str(_PAGE)} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            page = await self._call("GET", kind.path(namespace), query=query, accept=accept)
            # Items of a list carry neither apiVersion nor kind; everything else in Headgate may rely on both.
            items += [{**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in page.get("items") or ()]
            token = page.get("metadata", {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def apply(self, body: Mapping[str, Any], *, force: bool = True) -> Object:
        """Server-side apply, taking over fields others manage. Raises KubeError (422 names the field), Conflict.

        ``force`` False: a field that was set to something else by another request, not by apply, is a Conflict instead.
        """
        return await self._apply(body, None, force=force)

    async def apply_status(self, body: Mapping[str, Any]) -> Object:
        """Server-side apply of the status subresource; a missing object is a KubeError of status 404."""
        return await self._apply(body, "status")

    async def _apply(self, body: Mapping[str, Any], subresource: str | None, *, force: bool = True) -> Object:
        metadata = body["metadata"]
        return await self._call(
            "PATCH",
            kind_of(body).path(metadata["namespace"], metadata["name"], subresource),
            query={"fieldManager": names.FIELD_MANAGER, "force": "true" if force else "false"},
            body=body,
            content_type="application/apply-patch+yaml",
        )

    async def json_patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
    ) -> Object:
        """Apply RFC 6902 operations; a failed ``test`` is a KubeError of status 422. Raises Conflict, KubeUnavailable."""
        return await self._call(
            "PATCH",
            kind.path(namespace, name, subresource),
            query={"fieldManager": names.FIELD_MANAGER},
            body=[dict(operation) for operation in operations],
            content_type="application/json-patch+json",
        )

    async def create(self, body: Mapping[str, Any]) -> Object:
        """Create the object. Raises Conflict when the name is taken."""
        query = {"fieldManager": names.FIELD_MANAGER}
        return await self._call("POST", kind_of(body).path(body["metadata"]["namespace"]), query=query, body=body)

    async def replace(self, body: Mapping[str, Any]) -> Object:
        """Replace the object whose resourceVersion the body carries. Raises Conflict when it changed meanwhile."""
        metadata = body["metadata"]
        path = kind_of(body).path(metadata["namespace"], metadata["name"])
        return await self._call("PUT", path, query={"fieldManager": names.FIELD_MANAGER}, body=body)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete the object (only the one with this ``uid``, when given: else Conflict); tell whether there was one."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            await self._call("DELETE", kind.path(namespace, name), body=body)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def token_review(self, token: str, audiences: Sequence[str]) -> Object:
        """Return the ``status`` of a TokenReview (authentication.k8s.io/v1): authenticated, user, audiences, error."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": list(audiences)},
        }
        review = await self._call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body=body)
        return cast("Object", review.get("status", {}))

    async def token_request(self, namespace: str, name: str, *, audiences: Sequence[str], seconds: int) -> Object:
        """Return the ``status`` of a TokenRequest (authentication.k8s.io/v1) for a ServiceAccount: token, expirationTimestamp.

        Raises KubeError (404: no such ServiceAccount; 403: no right to mint its tokens), KubeUnavailable.
        """
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": list(audiences), "expirationSeconds": seconds},
        }
        made = await self._call("POST", SERVICE_ACCOUNT.path(namespace, name, "token"), body=body)
        return cast("Object", made.get("status", {}))

    async def raw_get(self, path: str) -> Object:
        """Return the JSON object at a path such as ``/openid/v1/jwks``. Raises KubeError, KubeUnavailable."""
        return await self._call("GET", path)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str | None = None,
        *,
        timeout_seconds: float,
        label_selector: str | None = None,
        resource_version: str | None = None,
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield (``ADDED`` | ``MODIFIED`` | ``DELETED`` | ``BOOKMARK``, object) of one watch request.

        Without ``resource_version`` the objects that exist come first, as ADDED. The iterator ends when the server
        closes the watch, after ``timeout_seconds`` at the latest: call again, and read what you follow first, since a
        deletion between two watches shows in neither. Raises Expired (start without a resource_version), KubeError,
        and KubeUnavailable when the connection breaks or hangs past its end.
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(max(1, int(timeout_seconds)))}
        if name is not None:
            query["fieldSelector"] = f"metadata.name={name}"
        if label_selector is not None:
            query["labelSelector"] = label_selector
        if resource_version is not None:
            query["resourceVersion"] = resource_version
        timeout = aiohttp.ClientTimeout(total=timeout_seconds + _WATCH_GRACE_SECONDS, sock_connect=self._deadline)
        response = await self._send("GET", kind.path(namespace), query, None, _JSON, timeout)
        try:
            if response.status >= 400:
                raise error_from(response.status, await response.read())
            async for line in _lines(response.content):
                yield _event(line)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubeUnavailable(f"the watch of {kind.plural} broke: {type(error).__name__}: {error}") from error
        finally:
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _ACCEPT,
    ) -> Object:
        timeout = aiohttp.ClientTimeout(total=self._deadline)
        response = await self._send(method, path, query or {}, body, content_type, timeout, accept)
        try:
            content = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise KubeUnavailable(f"{method} {path}: {type(error).__name__}: {error}") from error
        finally:
            response.release()
        if response.status >= 400:
            raise error_from(response.status, content)
        try:
            return cast("Object", json.loads(content))
        except ValueError as error:
            raise KubeUnavailable(f"{method} {path}: the answer is not JSON") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any,
        content_type: str,
        limits: aiohttp.ClientTimeout,
        accept: str = _ACCEPT,
    ) -> aiohttp.ClientResponse:
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            _, url, headers, body, _ = await self._client.param_serialize(
                method,
                quote(path, safe="/:."),
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.rest_client.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=limits
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise KubeUnavailable(f"{method} {path}: {type(error).__name__}: {error}") from error
        return cast("aiohttp.ClientResponse", answer.response)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of a watch, however long: the reader's own ``readline`` refuses those beyond 128 KiB."""
    pieces: list[bytes] = []
    async for data in content.iter_any():
        *ends, rest = data.split(b"\n")
        for end in ends:
            yield b"".join((*pieces, end))
            pieces.clear()
        if rest:
            pieces.append(rest)


def _event(line: bytes) -> tuple[str, Object]:
    event = json.loads(line)
    kind, body = str(event["type"]), cast("Object", event["object"])
    if kind == "ERROR":
        raise error_from(int(body.get("code", 500)), json.dumps(body).encode())
    return kind, body


__all__ = ["Conflict", "Expired", "Kind", "Kube", "KubeError", "KubeSettings", "KubeUnavailable", "Object", "kind_of"]
