"""The real node's decisions: whether this machine can have one, which addresses it takes, what its programs are told."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from headgate_dev.realnode import configuration
from headgate_dev.realnode.addresses import choose
from headgate_dev.realnode.cgroups import hierarchies
from headgate_dev.realnode.machine_facts import PACKAGES, MachineFacts, packages_for, reason_against

ABLE = MachineFacts(system="Linux", uid=0, has_apt=True, has_overlayfs=True, missing=frozenset())


def test_a_machine_that_lacks_only_packages_can_have_a_node() -> None:
    assert reason_against(ABLE) is None
    assert reason_against(replace(ABLE, missing=frozenset(PACKAGES))) is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(ABLE, system="Darwin"), "need Linux, this is Darwin"),
        (replace(ABLE, uid=1000), "need root .* uid 1000; run `sudo make e2e`"),
        (replace(ABLE, has_overlayfs=False), "no overlayfs"),
        (
            replace(ABLE, has_apt=False, missing=frozenset({"runc", "buildah"})),
            "buildah, runc: not installed, .*apt-get",
        ),
    ],
)
def test_a_machine_that_cannot_is_told_exactly_why(facts: MachineFacts, words: str) -> None:
    assert re.search(words, reason_against(facts) or "")


def test_only_the_packages_of_what_is_missing_are_installed() -> None:
    assert packages_for(frozenset({"/usr/lib/cni/ptp", "runc"})) == ["containernetworking-plugins", "runc"]


def test_the_first_free_network_is_taken() -> None:
    assert choose([]).node == "10.100.0.2"
    assert choose(["default", "dev", "eth0", "192.0.2.0/24", "0.0.0.0/0"]).pods == "10.100.1.0/24"
    assert choose(["10.100.0.0/30", "10.101.7.9"]).host == "10.102.0.1"


def test_a_machine_that_routes_everything_private_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"10\.100\.0\.0/16"):
        choose(["10.0.0.0/8"])


def test_the_control_group_hierarchies_are_read_from_the_mounts() -> None:
    mounts = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\nproc /proc proc rw 0 0"
    assert hierarchies(mounts) == [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/cpu")]


def test_containerd_is_told_our_folders_and_sandbox_image() -> None:
    config = tomllib.loads(configuration.containerd(Path("/state/containerd"), Path("/state/cni")))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["root"] == "/state/containerd/root"
    assert cri["sandbox_image"] == configuration.SANDBOX_IMAGE
    assert cri["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/state/cni"}
