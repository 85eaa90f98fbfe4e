"""Where the node keeps a pod's files, so that whoever shares the folder can read logs and find processes."""

import json
from pathlib import Path

from headgate_dev.host.errors import ClusterError
from headgate_dev.host.identity import ProcessIdentity


class PodFiles:
    """The node's state folder: one folder per pod, in it logs, process ids and volumes."""

    def __init__(self, state: Path) -> None:
        self._pods = state / "pods"

    def folder(self, namespace: str, name: str) -> Path:
        """Return the pod's folder, whether or not it exists."""
        return self._pods / f"{namespace}_{name}"

    def log_file(self, namespace: str, name: str, container: str) -> Path:
        """Return the file the container's output is appended to."""
        return self.folder(namespace, name) / f"{container}.log"

    def pid_file(self, namespace: str, name: str, container: str) -> Path:
        """Return the file that holds the identity of the container's process."""
        return self.folder(namespace, name) / f"{container}.pid"

    def log(self, namespace: str, name: str, container: str | None = None) -> str:
        """Return what the container (default: the only one) wrote. Raises ClusterError where it never started."""
        path = self._only(namespace, name, container, "log")
        return path.read_text(errors="replace")

    def pid(self, namespace: str, name: str, container: str | None = None) -> int:
        """Return the container's process id. Raises ClusterError while it does not run."""
        path = self._only(namespace, name, container, "pid")
        identity = ProcessIdentity(**json.loads(path.read_text()))
        if not identity.alive():
            raise ClusterError(f"pod {namespace}/{name}: the process of container {path.stem!r} has ended")
        return identity.pid

    def _only(self, namespace: str, name: str, container: str | None, suffix: str) -> Path:
        found = sorted(self.folder(namespace, name).glob(f"{container or '*'}.{suffix}"))
        if not found:
            raise ClusterError(f"pod {namespace}/{name}: container {container or '(any)'} has not started on this node")
        if len(found) > 1:
            raise ClusterError(
                f"pod {namespace}/{name} has several containers; name one of {[path.stem for path in found]}"
            )
        return found[0]
