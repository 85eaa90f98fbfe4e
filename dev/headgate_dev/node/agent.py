"""The node itself: registers, keeps its heartbeat, binds what waits for a node and runs what is bound to it."""

import asyncio
import os
import platform
from datetime import UTC
from typing import Any, Final

from headgate_api.clock import Clock, rfc3339
from headgate_dev.node.files import PodFiles
from headgate_dev.node.kube import NodeKube
from headgate_dev.node.pod import Pod
from headgate_dev.node.translate import Machine
from headgate_runtime.kube import Conflict, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import POD

NODE_NAME: Final = "headgate-dev"

_LEASE_SECONDS: Final = 40
_HEARTBEAT_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 0.3
_WATCH_SECONDS: Final = 300.0
_SHUTDOWN_GRACE: Final = 10.0
_FINISHED: Final = ("Succeeded", "Failed")


class Node:
    """The development node; `run` works until `stop` is called, and keeps its pods going while the API server is away."""

    def __init__(self, kube: NodeKube, files: PodFiles, machine: Machine, clock: Clock) -> None:
        self._kube = kube
        self._files = files
        self._machine = machine
        self._clock = clock
        self._pods: dict[str, Pod] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all pods' processes and let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Run the node until `stop`."""
        async with asyncio.TaskGroup() as pods:
            async with asyncio.TaskGroup() as loops:
                tasks = [loops.create_task(self._heartbeat()), loops.create_task(self._follow(pods))]
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()
            for pod in self._pods.values():
                pod.stop(_SHUTDOWN_GRACE, remove=False)

    async def _heartbeat(self) -> None:
        while True:
            wait = _HEARTBEAT_SECONDS
            try:
                await self._kube.register(_node_object(), _node_status(rfc3339(self._clock.now())))
                moment = self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                await self._kube.renew_lease(NODE_NAME, moment, _LEASE_SECONDS)
            except (KubeError, KubeUnavailable) as error:
                _log(f"heartbeat: {error}")
                wait = _RETRY_SECONDS
            await asyncio.sleep(wait)

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """Follow all pods: a list first, since a deletion between two watches shows in neither of them."""
        while True:
            try:
                listed = await self._kube.list(POD)
                for uid in self._pods.keys() - {pod["metadata"]["uid"] for pod in listed}:
                    self._pods[uid].stop(_SHUTDOWN_GRACE)
                for pod in listed:
                    await self._seen(group, pod)
                async for event, pod in self._kube.watch(POD, None, timeout_seconds=_WATCH_SECONDS):
                    if event == "DELETED":
                        self._gone(pod)
                    elif event != "BOOKMARK":
                        await self._seen(group, pod)
            except (KubeError, KubeUnavailable) as error:
                _log(f"following pods: {error}")
                await asyncio.sleep(_RETRY_SECONDS)

    def _gone(self, pod: Object) -> None:
        if running := self._pods.get(pod["metadata"]["uid"]):
            running.stop(_SHUTDOWN_GRACE)

    async def _seen(self, group: asyncio.TaskGroup, pod: Object) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        if not spec.get("nodeName"):
            if not metadata.get("deletionTimestamp") and not spec.get("schedulingGates"):
                await self._bind(metadata)
            return
        if spec["nodeName"] != NODE_NAME:
            return
        if metadata["uid"] in self._pods:
            self._pods[metadata["uid"]].observe(pod)
        elif metadata.get("deletionTimestamp"):
            await self._forget(metadata)
        elif pod.get("status", {}).get("phase") not in _FINISHED:
            running = Pod(self._kube, pod, self._files, self._machine, self._clock)
            self._pods[running.uid] = running
            group.create_task(self._run(running))

    async def _run(self, pod: Pod) -> None:
        await pod.run()
        del self._pods[pod.uid]

    async def _bind(self, metadata: dict[str, Any]) -> None:
        try:
            await self._kube.bind(metadata["namespace"], metadata["name"], metadata["uid"], NODE_NAME)
        except Conflict:
            return

    async def _forget(self, metadata: dict[str, Any]) -> None:
        """Delete a pod of ours that has no process: it ended before this node started."""
        try:
            await self._kube.remove_pod(metadata["namespace"], metadata["name"], metadata["uid"])
        except Conflict:
            return


def _log(message: str) -> None:
    print(message, flush=True)


def _node_object() -> Object:
    labels = {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": platform.system().lower(),
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE_NAME, "labels": labels}}


def _node_status(now: str) -> Object:
    resources = {"cpu": str(os.cpu_count() or 1), "memory": "64Gi", "pods": "500"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the development node runs pods as local processes",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {
        "conditions": [ready],
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "capacity": resources,
        "allocatable": resources,
    }
