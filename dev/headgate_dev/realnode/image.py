"""Headgate's image from the Dockerfile, without Docker and without a registry: buildah on a Debian base made by mmdebstrap.

Base, layers and result are cached by content below our cache folder, so that only a change is built.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headgate_dev.host.errors import ClusterError
from headgate_dev.realnode.configuration import SANDBOX_IMAGE
from headgate_dev.toolchain.cache import cache_root, locked

REPOSITORY: Final = "localhost/headgate"
TAG: Final = "dev"
_BASE: Final = "localhost/headgate-base"
_DEPENDENCIES: Final = "localhost/headgate-dependencies"
_SUITE: Final = "bookworm"
_PACKAGES: Final = ("busybox-static", "ca-certificates", "python3", "python3-venv")
_SANDBOX: Final = """\
ARG BASE
FROM ${BASE} AS base
FROM scratch
COPY --from=base /bin/busybox /busybox
USER 65532:65532
ENTRYPOINT ["/busybox", "sleep", "2147483647"]
"""
"""It holds a pod's namespaces open and does nothing, on a root with nothing else in it."""

_ROOT: Final = Path(__file__).parents[3]
_SOURCES: Final = (
    "Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "requirements/runtime.txt",
    "api", "runtime", "operator", "proxy", "cli", "dev",
)  # fmt: skip
_TIMEOUT: Final = 900.0


@dataclass(frozen=True)
class Archives:
    """The tars (docker-archive) to import into the container runtime."""

    headgate: Path
    sandbox: Path


def build(environ: Mapping[str, str] | None = None) -> Archives:
    """Return the archives of Headgate's image and of the pods' sandbox image, building what has changed.

    Raises ClusterError with the builder's last words.
    """
    environ = os.environ if environ is None else environ
    root = cache_root(environ) / "image"
    base_key = _digest([_SUITE.encode(), *(package.encode() for package in _PACKAGES)])
    sandbox = root / f"sandbox-{base_key}.tar"
    headgate = root / f"headgate-{_digest([base_key.encode(), *_contents()])}.tar"
    with locked(root, "image"):
        if not (headgate.exists() and sandbox.exists()):
            _build(root, _base(root / f"{_SUITE}-{base_key}.tar"), base_key, environ)
            for image, archive in ((f"{REPOSITORY}:{TAG}", headgate), (SANDBOX_IMAGE, sandbox)):
                _export(root, image, archive)
            # What no name leads to: earlier builds of changed sources.
            _run(_buildah(root, "rmi", "--prune", "--force"))
    return Archives(headgate, sandbox)


def _base(tar: Path) -> Path:
    """Return the root file system of a minimal Debian with Python, made on the first call."""
    if not tar.exists():
        print(f"realnode: making a base image of Debian {_SUITE} (once)", file=sys.stderr, flush=True)
        scratch = tar.with_suffix(".new.tar")
        left_out = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
        _run(["mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", *left_out, _SUITE, str(scratch)])
        scratch.rename(tar)
    return tar


def _build(root: Path, base_tar: Path, base_key: str, environ: Mapping[str, str]) -> None:
    print("realnode: building the image (a few minutes the first time)", file=sys.stderr, flush=True)
    base = f"{_BASE}:{base_key}"
    from_base = f"--build-arg=BASE={base}"
    with tempfile.TemporaryDirectory(prefix=".context-", dir=root) as folder:
        context = Path(folder)
        (context / "base.tar").hardlink_to(base_tar)
        # ADD unpacks a local tar: https://docs.docker.com/reference/dockerfile/#add
        (context / "Base").write_text("FROM scratch\nADD base.tar /\n")
        (context / "Sandbox").write_text(_SANDBOX)
        _bud(root, ["-t", base, "-f", str(context / "Base"), folder])
        _bud(root, [from_base, "-t", SANDBOX_IMAGE, "-f", str(context / "Sandbox"), folder])
        secrets = _pip_secrets(context, environ)
        # Named, so that the layer with the dependencies is kept when nothing else leads to it.
        _bud(root, [from_base, *secrets, "--target=dependencies", "-t", _DEPENDENCIES, str(_ROOT)])
        _bud(root, [from_base, *secrets, "-t", f"{REPOSITORY}:{TAG}", str(_ROOT)])


def _pip_secrets(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Hand pip this machine's own index and certificate authority, as build secrets, so that neither stays in the image."""
    lines = ["[global]"]
    secrets = []
    if authority := environ.get("PIP_CERT") or environ.get("SSL_CERT_FILE"):
        lines.append("cert = /run/secrets/ca")
        secrets.append(f"--secret=id=ca,src={authority}")
    lines += [f"{key} = {environ[name]}" for name, key in _PIP_OPTIONS.items() if environ.get(name)]
    config = folder / "pip.conf"
    config.touch(mode=0o600)
    config.write_text("\n".join(lines) + "\n")
    return [*secrets, f"--secret=id=pip-conf,src={config}"]


_PIP_OPTIONS: Final = {
    "PIP_INDEX_URL": "index-url",
    "PIP_EXTRA_INDEX_URL": "extra-index-url",
    "PIP_TRUSTED_HOST": "trusted-host",
    "PIP_DEFAULT_TIMEOUT": "timeout",
}


def _export(root: Path, image: str, archive: Path) -> None:
    """Write the image to ``archive`` and drop the archives of its earlier forms."""
    scratch = archive.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    _run(_buildah(root, "push", "--quiet", image, f"docker-archive:{scratch}:{image}"))
    for older in root.glob(f"{archive.name.partition('-')[0]}-*.tar"):
        older.unlink()
    scratch.rename(archive)


def _bud(root: Path, arguments: list[str]) -> None:
    _run(_buildah(root, "bud", "--quiet", "--isolation=chroot", "--network=host", "--layers", *arguments))


def _buildah(root: Path, *arguments: str) -> list[str]:
    # In a mount namespace of its own: its storage would leave a mount of itself behind.
    storage = ["--storage-driver=overlay", f"--root={root / 'storage'}", f"--runroot={root / 'run'}"]
    return ["unshare", "--mount", "--propagation=private", "buildah", *storage, *arguments]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    if done.returncode:
        words = (done.stdout + done.stderr).strip()[-2000:]
        raise ClusterError(f"`{' '.join(command)}` failed with code {done.returncode}:\n{words}")


def _contents() -> Iterable[bytes]:
    for source in _SOURCES:
        path = _ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and not file.parent.name.endswith(".egg-info"):
                yield str(file.relative_to(_ROOT)).encode()
                yield file.read_bytes()


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]
