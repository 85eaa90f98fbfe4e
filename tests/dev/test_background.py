"""`headgate dev up` and `down`, as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headgate_dev.cluster import background
from headgate_dev.cluster.records import read_processes, write_processes
from headgate_dev.host.errors import ClusterError
from headgate_dev.host.identity import ProcessIdentity


def dev(command: str, state: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "HEADGATE_DEV_STATE": str(state)}
    arguments = [sys.executable, "-m", "headgate_dev.cluster", command]
    return subprocess.run(arguments, env=environ, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.cluster
def test_up_prints_the_way_in_and_down_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    state = tmp_path / "dev"
    started = dev("up", state)
    try:
        assert started.returncode == 0, started.stderr
        variables = dict(line.removeprefix("export ").split("=", 1) for line in started.stdout.splitlines())
        assert variables["KUBECONFIG"] == str(state / "kubeconfig")
        assert variables["VAULT_ADDR"].startswith("http://127.0.0.1:")
        processes = read_processes(state)
        assert dev("status", state).returncode == 0
        again = dev("up", state)
        assert (again.returncode, "runs in" in again.stderr) == (1, True)
    finally:
        ended = dev("down", state)
    assert ended.returncode == 0, ended.stderr
    assert set(processes) == {"etcd", "kube-apiserver", "openbao", "kube-controller-manager", "node"}
    assert not [name for name, identity in processes.items() if identity.alive()]
    assert not state.exists()
    assert dev("status", state).returncode == 3


def test_down_leaves_a_stranger_that_has_the_recorded_process_id_alone(tmp_path: Path) -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    write_processes(tmp_path, {"etcd": ProcessIdentity(own.pid, "started at another time")})
    assert background.down(tmp_path) == []
    assert own.alive()
    assert not tmp_path.exists()


def test_a_folder_that_is_not_ours_is_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    for action in (background.up, background.down):
        with pytest.raises(ClusterError, match=str(tmp_path)):
            action(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_the_state_folder_is_the_users_unless_told_otherwise(tmp_path: Path) -> None:
    assert background.state_folder({"HEADGATE_DEV_STATE": str(tmp_path)}) == tmp_path
    assert background.state_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "headgate" / "dev"
