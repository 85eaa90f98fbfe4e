"""What is kept for a restart is whole, private, and forgotten when it is no longer wanted."""

import stat
from pathlib import Path

import pytest

from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import FleetSettings, Head, Snapshot, SnapshotError, pack
from headgate_proxy.config.kept import KeptSnapshot
from headgate_proxy.state import StateDir


def snapshot(*namespaces: str) -> tuple[Head, dict[str, bytes]]:
    fleet = FleetSettings(
        allowed_namespaces=namespaces,
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="https://kubernetes.default.svc",
        jwks={"keys": []},
    )
    revision, chunks = pack(Snapshot(fleet=fleet))
    return Head(revision=revision, chunks=tuple(chunks), broker_url="http://127.0.0.1:1"), chunks


def test_files_are_for_this_user_only(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").sub("credentials")
    state.write("a", b"1")
    assert stat.S_IMODE((tmp_path / "state" / "credentials" / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state" / "credentials").stat().st_mode) == 0o700


def test_an_interrupted_write_leaves_the_previous_file(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.write("a", b"old")
    (tmp_path / ".new-leftover").write_bytes(b"half")
    assert state.read("a") == b"old"
    assert state.names() == ["a"]
    state.keep_only(["a"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_kept_snapshot_comes_back(tmp_path: Path) -> None:
    kept = KeptSnapshot(StateDir(tmp_path))
    assert kept.load() is None
    head, chunks = snapshot("team-a")
    kept.save(head, chunks)
    loaded = KeptSnapshot(StateDir(tmp_path)).load()
    assert loaded is not None
    assert loaded[0] == head
    assert loaded[2].fleet.allowed_namespaces == ("team-a",)


def test_only_the_chunks_of_the_last_head_stay(tmp_path: Path) -> None:
    kept = KeptSnapshot(StateDir(tmp_path))
    for namespace in ("team-a", "team-b"):
        head, chunks = snapshot(namespace)
        kept.save(head, chunks)
    assert sorted(entry.name for entry in (tmp_path / "chunks").iterdir()) == sorted(head.chunks)


@pytest.mark.parametrize("damage", ["head", "chunk", "missing"])
def test_damage_is_told_apart_from_nothing(tmp_path: Path, damage: str) -> None:
    kept = KeptSnapshot(StateDir(tmp_path))
    head, chunks = snapshot("team-a")
    kept.save(head, chunks)
    victim = tmp_path / "chunks" / head.chunks[0]
    if damage == "head":
        (tmp_path / "head.json").write_bytes(b"\xff{")
    elif damage == "chunk":
        victim.write_bytes(b"not gzip")
    else:
        victim.unlink()
    with pytest.raises(SnapshotError):
        kept.load()
