"""A cluster that outlives the command that started it: `headgate dev up`, `down` and `status`."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from headgate_dev.cluster.cluster import Cluster
from headgate_dev.cluster.records import ADDRESS_FILE, read_processes
from headgate_dev.host.errors import ClusterError

_GRACE = {"node": 45.0, "kube-apiserver": 1.0}
_DEFAULT_GRACE = 5.0


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return ``$HEADGATE_DEV_STATE``, else the user's state folder (XDG base directory specification)."""
    environ = os.environ if environ is None else environ
    if chosen := environ.get("HEADGATE_DEV_STATE"):
        return Path(chosen)
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "headgate" / "dev"


def up(state: Path) -> dict[str, str]:
    """Start a cluster in the background and return the environment variables that lead to it.

    Raises ClusterError when one runs there already, when the folder holds something else, or when a part does not start.
    """
    if any(identity.alive() for identity in read_processes(state).values()):
        raise ClusterError(f"a development cluster runs in {state} already; `headgate dev down` ends it")
    if state.exists() and any(state.iterdir()) and not read_processes(state):
        raise ClusterError(f"{state} is not empty and not ours; set HEADGATE_DEV_STATE to a folder of its own")
    shutil.rmtree(state, ignore_errors=True)
    try:
        cluster = Cluster(state, detached=True).start()
    except BaseException:
        shutil.rmtree(state, ignore_errors=True)
        raise
    (state / ADDRESS_FILE).write_text(cluster.bao.address)
    cluster.release()
    return variables(state)


def variables(state: Path) -> dict[str, str]:
    """Return the environment variables that lead to the cluster in ``state``."""
    return {
        "KUBECONFIG": str(state / "kubeconfig"),
        "VAULT_ADDR": (state / ADDRESS_FILE).read_text(),
        "VAULT_TOKEN_FILE": str(state / "openbao" / "root-token"),
    }


def down(state: Path) -> list[str]:
    """End every process of the cluster in ``state``, remove the folder, and return the names of what was ended.

    A process id that now belongs to a stranger is left alone. Raises ClusterError when the folder is not a cluster's.
    """
    processes = read_processes(state)
    if state.exists() and any(state.iterdir()) and not processes:
        raise ClusterError(f"{state} holds no development cluster; nothing was removed")
    ended = []
    # The node first: its pods end in an orderly way only while it lives.
    for name, identity in reversed(processes.items()):
        if identity.alive():
            identity.end(_GRACE.get(name, _DEFAULT_GRACE))
            ended.append(name)
    shutil.rmtree(state, ignore_errors=True)
    return ended


def status(state: Path) -> dict[str, bool]:
    """Return component name -> whether it runs; empty where there is no cluster."""
    return {name: identity.alive() for name, identity in read_processes(state).items()}
