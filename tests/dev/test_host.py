"""Processes end with whoever started them, and ids are not mistaken."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate_dev.cluster.component import Component
from headgate_dev.host.errors import ClusterError
from headgate_dev.host.identity import ProcessIdentity
from headgate_dev.host.network import free_ports
from headgate_dev.host.spawner import Spawner

PARENT = """
import os, pathlib, sys, time
from headgate_dev.host.spawner import Spawner
spawner = Spawner(detached=sys.argv[2] == "detached")
log = pathlib.Path(sys.argv[1])
child = spawner.spawn(["sh", "-c", "echo up; exec sleep 60"], os.environ, log)
while not log.read_text():  # until then it may not have asked yet to end with its parent
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux's setpriv (Linux)")
@pytest.mark.parametrize("mode", ["attached", "detached"])
def test_a_killed_parent_takes_its_processes_along_unless_detached(
    tmp_path: Path, mode: str, eventually: Callable[..., Any]
) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log"), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = ProcessIdentity.of(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
    try:
        if mode == "attached":
            eventually(lambda: not child.alive())
        else:
            assert child.alive()
    finally:
        child.end(grace=5)
    assert not child.alive()


def test_an_identity_is_of_one_process_only() -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    assert own.alive()
    assert not ProcessIdentity(own.pid, "another start").alive()


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20


def test_a_component_that_ends_before_it_is_ready_shows_the_end_of_its_log(tmp_path: Path) -> None:
    spawner = Spawner()
    component = Component(
        "broken", ["sh", "-c", "echo no such flag; exit 3"], spawner=spawner, logs=tmp_path, ready=lambda: False
    )
    with pytest.raises(ClusterError, match=r"(?s)broken ended with code 3 .*no such flag"):
        component.start()
    component.stop()
    with pytest.raises(ClusterError, match="broken is not running"):
        component.pause()
    spawner.close()
