"""Take kube-apiserver, etcd and kubectl from the archive controller-tools publishes, where the open internet is reachable.

It saves minutes of compiling. The archive is only a shortcut: whatever goes wrong here, the build from modules follows.
"""

import hashlib
import io
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import httpx
import yaml

from headgate_dev.toolchain.cache import cache_root, envtest_folder, go_platform, locked
from headgate_dev.toolchain.catalogue import KUBERNETES, Tool

INDEX_URL = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
"""The list of published archives with their SHA-512 sums, kept by the project that publishes them."""

_TIMEOUT = httpx.Timeout(30.0, connect=2.0)


class ArchiveUnavailableError(Exception):
    """There is no archive for this version and platform, it cannot be reached, or its checksum is wrong."""


def fetch(tools: list[Tool], environ: Mapping[str, str]) -> None:
    """Unpack the archive's ``tools`` into the cache; where there is no archive, say so on stderr and return."""
    root = cache_root(environ)
    folder = envtest_folder(root, KUBERNETES)
    with locked(root, folder.name):
        if folder.is_dir():
            return
        try:
            with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
                index = _get(client, INDEX_URL)
                url, checksum = choose(index.decode(), KUBERNETES.version, go_platform())
                content = _get(client, url)
            verify(content, checksum)
        except ArchiveUnavailableError as error:
            print(f"toolchain: no published archive ({error}); building from modules", file=sys.stderr)
            return
        with tempfile.TemporaryDirectory(prefix=".envtest-", dir=root) as scratch:
            unpack(content, {tool.name for tool in tools}, Path(scratch) / "tools")
            (Path(scratch) / "tools").rename(folder)


def choose(index: str, version: str, platform: tuple[str, str]) -> tuple[str, str]:
    """Return (URL, SHA-512) of the archive for exactly ``version`` (``v1.2.3``) and (GOOS, GOARCH).

    Raises ArchiveUnavailableError when the index has none.
    """
    try:
        archives = (yaml.safe_load(index).get("releases") or {}).get(version) or {}
        entry = archives.get(f"envtest-{version}-{platform[0]}-{platform[1]}.tar.gz")
        if entry is not None:
            return entry["selfLink"], entry["hash"]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ArchiveUnavailableError(f"the index is not what it was: {error}") from error
    raise ArchiveUnavailableError(f"none for {version} on {'/'.join(platform)}")


def verify(content: bytes, checksum: str) -> None:
    """Raise ArchiveUnavailableError unless ``content`` has that SHA-512 (hexadecimal)."""
    if hashlib.sha512(content).hexdigest() != checksum.lower():
        raise ArchiveUnavailableError("its checksum does not match the published one")


def unpack(content: bytes, names: set[str], folder: Path) -> None:
    """Write the files of the tar.gz called one of ``names`` into ``folder``, executable; paths inside it are ignored."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            name = Path(member.name).name
            if not member.isfile() or name not in names:
                continue
            source = archive.extractfile(member)
            assert source is not None, "a regular file always opens"  # noqa: S101
            (folder / name).write_bytes(source.read())
            (folder / name).chmod(0o755)


def _get(client: httpx.Client, url: str) -> bytes:
    try:
        return client.get(url).raise_for_status().content
    except httpx.HTTPError as error:
        raise ArchiveUnavailableError(f"{type(error).__name__} for {url}") from error
