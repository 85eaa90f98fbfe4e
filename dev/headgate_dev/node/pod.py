"""One pod on the node: volumes, init containers, containers, status, and an orderly end."""

import asyncio
import shutil
from collections.abc import Mapping
from typing import Any, Final

from headgate_api.clock import Clock, rfc3339
from headgate_dev.host.network import free_ports
from headgate_dev.node.container import Container, Place
from headgate_dev.node.files import PodFiles
from headgate_dev.node.kube import NodeKube
from headgate_dev.node.ports import declared_ports
from headgate_dev.node.probes import Target
from headgate_dev.node.publisher import StatusPublisher
from headgate_dev.node.sources import read_sources
from headgate_dev.node.status import ContainerState, pod_status, refused_status
from headgate_dev.node.support import REASON, unsupported
from headgate_dev.node.translate import Machine, MissingReferenceError, plan_container
from headgate_dev.node.volumes import REFRESH_AT, TokenFile, Volumes
from headgate_runtime.kube import Conflict, KubeError, KubeUnavailable, Object
from headgate_runtime.kube_kinds import CONFIG_MAP, SECRET

_RETRY_SECONDS: Final = 1.0
_WATCH_SECONDS: Final = 300.0


class Pod:
    """Runs one pod until `stop`; then its object is deleted as a kubelet does, unless the node itself goes down."""

    def __init__(self, kube: NodeKube, pod: Object, files: PodFiles, machine: Machine, clock: Clock) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        self._kube = kube
        self._pod = pod
        self._files = files
        self._machine = machine
        self._clock = clock
        self._namespace, self._name, self.uid = metadata["namespace"], metadata["name"], metadata["uid"]
        self._folder = files.folder(self._namespace, self._name)
        self._volumes = Volumes(kube, pod, self._folder / "volumes")
        keys = declared_ports(pod)
        self._ports = dict(zip(keys, free_ports(len(keys)), strict=True))
        self._started_at = rfc3339(clock.now())
        self._restarted = _earlier_restarts(pod)
        self._init = [self._state(each) for each in spec.get("initContainers") or ()]
        self._main = [self._state(each) for each in spec["containers"]]
        self._stopping = asyncio.Event()
        self._grace = 0.0
        self._remove = True
        self._running: list[Container] = []
        self._publisher = StatusPublisher(kube, pod)

    def observe(self, pod: Object) -> None:
        """Take note of the object as the API server has it now: ends are asked for there, and others may change status."""
        self._publisher.observe(pod)
        if pod["metadata"].get("deletionTimestamp"):
            self.stop(float(pod["metadata"].get("deletionGracePeriodSeconds", 30)))

    def stop(self, grace: float, *, remove: bool = True) -> None:
        """End the pod's processes within ``grace`` seconds; ``remove`` then deletes its object and its volumes."""
        if not self._stopping.is_set():
            self._grace, self._remove = grace, remove
            self._stopping.set()
        for container in self._running:
            container.stop(grace)

    async def run(self) -> None:
        """Run the pod to its end; never raises for what the API server does."""
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(self._publisher.run())
            if message := unsupported(self._pod):
                self._publisher.publish(refused_status(REASON, message, rfc3339(self._clock.now())))
                await self._stopping.wait()
            else:
                await self._live()
                await self._stopping.wait()
            publishing.cancel()
        if self._remove:
            await self._publisher.flush(self._status())
            # The logs stay: whoever asks why a pod went away needs them.
            shutil.rmtree(self._folder / "volumes", ignore_errors=True)
            await self._delete()

    async def _live(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._changed()
        targets = await self._prepare()
        if targets is None:
            return
        spec = self._pod["spec"]
        async with asyncio.TaskGroup() as group:
            renewals = [group.create_task(self._renew(token)) for token in self._volumes.tokens]
            renewals += [group.create_task(self._follow(*mounted)) for mounted in sorted(self._volumes.mounted)]
            policy = spec.get("restartPolicy", "Always")
            if await self._initialise(targets, policy):
                main = [
                    self._container(each, state, targets, policy)
                    for each, state in zip(spec["containers"], self._main, strict=True)
                ]
                self._start_stoppable(main)
                async with asyncio.TaskGroup() as containers:
                    for container in main:
                        containers.create_task(container.run())
            for renewal in renewals:
                renewal.cancel()

    async def _initialise(self, targets: Mapping[str, Target], policy: str) -> bool:
        for each, state in zip(self._pod["spec"].get("initContainers") or (), self._init, strict=True):
            container = self._container(each, state, targets, "Never" if policy == "Never" else "OnFailure")
            self._start_stoppable([container])
            if await container.run() != 0 or self._stopping.is_set():
                return False
        return True

    async def _prepare(self) -> dict[str, Target] | None:
        """Write the volumes and plan the processes; try again until what they need exists. None: stopped meanwhile."""
        while not self._stopping.is_set():
            try:
                await self._volumes.prepare()
                config_maps, secrets = await read_sources(self._pod, self._volumes)
                spec = self._pod["spec"]
                return {
                    each["name"]: Target(
                        each,
                        plan_container(
                            self._pod,
                            each,
                            config_maps=config_maps,
                            secrets=secrets,
                            volumes=self._volumes.folders,
                            ports=self._ports,
                            machine=self._machine,
                        ),
                        self._ports,
                    )
                    for each in [*(spec.get("initContainers") or ()), *spec["containers"]]
                }
            except (MissingReferenceError, KubeError, KubeUnavailable, ValueError) as error:
                for state in (*self._init, *self._main):
                    state.reason, state.message = "CreateContainerConfigError", str(error)
                self._changed()
            await self._pause(_RETRY_SECONDS)
        return None

    async def _renew(self, token: TokenFile) -> None:
        wait = token.seconds * REFRESH_AT
        while True:
            await asyncio.sleep(wait)
            try:
                await self._volumes.renew(token)
                wait = token.seconds * REFRESH_AT
            except (KubeError, KubeUnavailable):
                wait = _RETRY_SECONDS

    async def _follow(self, kind: str, name: str) -> None:
        """Keep what is mounted of an object as the API server has it."""
        watched = CONFIG_MAP if kind == "configMap" else SECRET
        while True:
            try:
                async for event, _ in self._kube.watch(watched, self._namespace, name, timeout_seconds=_WATCH_SECONDS):
                    if event in ("ADDED", "MODIFIED"):
                        await self._volumes.refresh(kind, name)
            except (KubeError, KubeUnavailable):
                await asyncio.sleep(_RETRY_SECONDS)

    async def _delete(self) -> None:
        while True:
            try:
                return await self._kube.remove_pod(self._namespace, self._name, self.uid)
            except (KubeUnavailable, Conflict) as error:
                if isinstance(error, Conflict):
                    return None
                await asyncio.sleep(_RETRY_SECONDS)
            except KubeError:
                return None

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _start_stoppable(self, containers: list[Container]) -> None:
        self._running = containers
        if self._stopping.is_set():
            self.stop(self._grace)

    def _container(
        self, spec: Mapping[str, Any], state: ContainerState, targets: Mapping[str, Target], policy: str
    ) -> Container:
        name = spec["name"]
        place = Place(
            self._folder,
            self._files.log_file(self._namespace, self._name, name),
            self._files.pid_file(self._namespace, self._name, name),
        )
        return Container(targets[name], place, state, policy, self._clock, self._changed)

    def _state(self, container: Mapping[str, Any]) -> ContainerState:
        name = container["name"]
        return ContainerState(name, container.get("image", ""), restarts=self._restarted.get(name, 0))

    def _changed(self) -> None:
        self._publisher.publish(self._status())

    def _status(self) -> dict[str, Any]:
        return pod_status(
            self._init,
            self._main,
            ports=self._ports,
            since=self._publisher.since,
            now=rfc3339(self._clock.now()),
            started_at=self._started_at,
        )


def _earlier_restarts(pod: Mapping[str, Any]) -> dict[str, int]:
    """Return the restart counts to go on from when the node itself came back and finds a pod it ran before."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return {each["name"]: each["restartCount"] + bool(each.get("started")) for each in statuses}
