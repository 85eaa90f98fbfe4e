"""What a cluster in the background leaves for a later `headgate dev down`: which processes are its own."""

import json
from collections.abc import Mapping
from pathlib import Path

from headgate_dev.host.identity import ProcessIdentity

ADDRESS_FILE = "vault-addr"
"""The file that holds the address of OpenBao."""

_FILE = "processes.json"


def write_processes(state: Path, processes: Mapping[str, ProcessIdentity | None]) -> None:
    """Record the running processes by component name, in the order they were given; those that are None are left out."""
    content = {name: identity.to_dict() for name, identity in processes.items() if identity is not None}
    scratch = state / f"{_FILE}.new"
    scratch.write_text(json.dumps(content))
    scratch.rename(state / _FILE)


def read_processes(state: Path) -> dict[str, ProcessIdentity]:
    """Return what was recorded in that state folder; empty where there is none."""
    try:
        content = json.loads((state / _FILE).read_text())
    except FileNotFoundError:
        return {}
    return {name: ProcessIdentity(**identity) for name, identity in content.items()}
