"""Keeps the API server's picture of a pod right: the newest status is sent, again and again until it arrives."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from headgate_dev.node.kube import NodeKube
from headgate_runtime.kube import KubeError, KubeUnavailable, Object

_RETRY_SECONDS: Final = 0.5


class StatusPublisher:
    """Sends one pod's status. ``since`` holds, per condition type, the (status, transition time) last sent."""

    def __init__(self, kube: NodeKube, pod: Object) -> None:
        self._kube = kube
        metadata = pod["metadata"]
        self._namespace, self._name, self._uid = metadata["namespace"], metadata["name"], metadata["uid"]
        self._wanted: dict[str, Any] | None = None
        self._fresh = asyncio.Event()
        self.since: dict[str, tuple[str, str]] = {}

    def publish(self, status: dict[str, Any]) -> None:
        """Have this status sent, in place of one that was not sent yet."""
        self._wanted = status
        self.since = {each["type"]: (each["status"], each["lastTransitionTime"]) for each in status["conditions"]}
        self._fresh.set()

    def observe(self, pod: Mapping[str, Any]) -> None:
        """Send again when the API server shows another readiness: after an outage a controller marks our pods unready."""
        ours, theirs = self.since.get("Ready"), _ready(pod)
        if ours is not None and theirs is not None and ours[0] != theirs:
            self._fresh.set()

    async def run(self) -> None:
        """Send what is published until cancelled."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            if self._wanted is not None and not await self._send(self._wanted):
                self._fresh.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def flush(self, status: dict[str, Any]) -> None:
        """Send a last status once; a pod that is about to be deleted needs no more."""
        await self._send(status)

    async def _send(self, status: dict[str, Any]) -> bool:
        try:
            await self._kube.patch_pod_status(self._namespace, self._name, self._uid, status)
        except KubeUnavailable:
            return False
        except KubeError as error:
            # 404 and 409: the pod is gone or another of its name took its place; the watch will tell.
            if error.status not in (404, 409):
                print(f"status of pod {self._namespace}/{self._name} refused: {error}", flush=True)
        return True


def _ready(pod: Mapping[str, Any]) -> str | None:
    conditions = pod.get("status", {}).get("conditions") or ()
    return next((str(each["status"]) for each in conditions if each["type"] == "Ready"), None)
