"""Where tools are looked for, and what is trusted of what is found."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from headgate_dev.toolchain import TOOLS, ToolchainError, find_tools
from headgate_dev.toolchain.build import build_command
from headgate_dev.toolchain.cache import cache_root, envtest_folder, set_folder
from headgate_dev.toolchain.envtest import ArchiveUnavailableError, choose, unpack, verify
from headgate_dev.toolchain.golang import parse_version
from headgate_dev.toolchain.locate import present

KUBECTL = TOOLS["kubectl"]
MANAGER = TOOLS["kube-controller-manager"]


def put(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_assets_folder_comes_before_the_cache_and_the_cache_before_the_archive(tmp_path: Path) -> None:
    environ = {"HEADGATE_CACHE": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    assert present(KUBECTL, environ) is None
    archived = put(envtest_folder(tmp_path / "cache", KUBECTL.tool_set), "kubectl")
    assert present(KUBECTL, environ) == archived
    built = put(set_folder(tmp_path / "cache", KUBECTL.tool_set), "kubectl")
    assert present(KUBECTL, environ) == built
    given = put(tmp_path / "assets", "kubectl")
    assert present(KUBECTL, environ) == given


def test_a_tool_the_assets_folder_lacks_is_taken_from_the_cache(tmp_path: Path) -> None:
    environ = {"HEADGATE_CACHE": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    given = put(tmp_path / "assets", "kubectl")
    built = put(set_folder(tmp_path / "cache", MANAGER.tool_set), "kube-controller-manager")
    found = find_tools(["kubectl", "kube-controller-manager"], environ)
    assert found == {"kubectl": given, "kube-controller-manager": built}


def test_a_file_that_cannot_be_run_is_not_a_tool(tmp_path: Path) -> None:
    path = put(set_folder(tmp_path, KUBECTL.tool_set), "kubectl")
    path.chmod(0o644)
    assert present(KUBECTL, {"HEADGATE_CACHE": str(tmp_path)}) is None


def test_an_unknown_tool_is_refused_by_name() -> None:
    with pytest.raises(ToolchainError, match="kubelet-ish: no such tool; there are etcd"):
        find_tools(["kubelet-ish"], {})


def test_the_cache_lies_outside_the_clone(tmp_path: Path) -> None:
    assert cache_root({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "headgate"
    assert cache_root({"HEADGATE_CACHE": str(tmp_path)}) == tmp_path
    assert cache_root({}) == Path.home() / ".cache" / "headgate"


def test_the_build_names_the_version_for_kubernetes_clients() -> None:
    command = build_command(Path("go"), KUBECTL.tool_set, [KUBECTL], Path("out"))
    assert f"gitVersion={KUBECTL.tool_set.version}" in command[command.index("-ldflags") + 1]
    assert "-trimpath" in command
    assert command[-3:] == ["-o", "out/kubectl", "k8s.io/kubernetes/cmd/kubectl"]


@pytest.mark.parametrize("tool_set", {tool.tool_set for tool in TOOLS.values()}, ids=lambda each: each.name)
def test_the_committed_module_pins_the_version_we_name(tool_set) -> None:  # type: ignore[no-untyped-def]
    assert f" {tool_set.version}\n" in (tool_set.module / "go.mod").read_text()
    assert (tool_set.module / "go.sum").stat().st_size > 0


@pytest.mark.parametrize(
    ("output", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version go1.9 darwin/arm64", (1, 9)), ("nonsense", None)],
)
def test_the_version_of_go_is_read(output: str, version: tuple[int, int] | None) -> None:
    assert parse_version(output) == version


INDEX = """
releases:
  v1.36.3:
    envtest-v1.36.3-linux-amd64.tar.gz: {hash: abc, selfLink: "https://example.invalid/a.tar.gz"}
"""


def test_only_the_archive_of_our_very_version_and_platform_is_chosen() -> None:
    assert choose(INDEX, "v1.36.3", ("linux", "amd64")) == ("https://example.invalid/a.tar.gz", "abc")
    for version, platform in (("v1.36.2", ("linux", "amd64")), ("v1.36.3", ("linux", "arm64"))):
        with pytest.raises(ArchiveUnavailableError, match="none for"):
            choose(INDEX, version, platform)


@pytest.mark.parametrize("index", ["[]", "releases: 3", "releases: {v1: {a}}: {"])
def test_an_index_of_another_shape_is_no_archive(index: str) -> None:
    with pytest.raises(ArchiveUnavailableError):
        choose(index, "v1", ("linux", "amd64"))


def test_a_wrong_checksum_is_refused() -> None:
    verify(b"content", hashlib.sha512(b"content").hexdigest())
    with pytest.raises(ArchiveUnavailableError, match="checksum"):
        verify(b"content", "0" * 128)


def test_only_the_wanted_files_are_unpacked_whatever_their_paths(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("controller-tools/envtest/kubectl", "../../etcd", "controller-tools/envtest/README"):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
    unpack(buffer.getvalue(), {"kubectl", "etcd"}, tmp_path / "tools")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["etcd", "kubectl"]
