"""Headgate's image from the Dockerfile, without Docker and without a registry: buildah on a Debian base made by mmdebstrap.

Base, layers and result are cached by content below our cache folder, so that only a change is built.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from headgate_dev.host.errors import ClusterError
from headgate_dev.realnode.configuration import SANDBOX_IMAGE
from headgate_dev.toolchain.cache import cache_root, locked

REPOSITORY: Final = "localhost/headgate"
TAG: Final = "dev"
_BASE: Final = "localhost/headgate-base"
_SUITE: Final = "bookworm"
_PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
_ROOT: Final = Path(__file__).parents[3]
_SOURCES: Final = (
    "Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "requirements/runtime.txt",
    "api", "runtime", "operator", "proxy", "cli", "dev",
)  # fmt: skip
_TIMEOUT: Final = 900.0


def build(environ: Mapping[str, str] | None = None) -> Path:
    """Return a tar of an OCI layout that holds the image and the pods' sandbox image, building what has changed.

    Raises ClusterError with the builder's last words.
    """
    environ = os.environ if environ is None else environ
    root = cache_root(environ) / "image"
    base_key = _digest([_SUITE.encode(), *(package.encode() for package in _PACKAGES)])
    archive = root / f"headgate-{_digest([base_key.encode(), *_contents()])}.tar"
    with locked(root, "image"):
        if not archive.exists():
            _build(root, _base(root / f"{_SUITE}-{base_key}.tar"), base_key, environ)
            _export(root, archive)
    return archive


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
    context = root / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    (context / "base.tar").hardlink_to(base_tar)
    # ADD unpacks a local tar: https://docs.docker.com/reference/dockerfile/#add
    (context / "Base").write_text("FROM scratch\nADD base.tar /\n")
    (context / "Pause").write_text(f'FROM {REPOSITORY}:{TAG}\nENTRYPOINT ["sleep", "infinity"]\n')
    base = f"{_BASE}:{base_key}"
    _bud(root, ["-t", base, "-f", str(context / "Base"), str(context)])
    arguments = [f"--build-arg=BASE={base}", "-t", f"{REPOSITORY}:{TAG}", *_pip_secrets(context, environ)]
    _bud(root, [*arguments, str(_ROOT)])
    _bud(root, ["-t", SANDBOX_IMAGE, "-f", str(context / "Pause"), str(context)])
    shutil.rmtree(context)


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


def _export(root: Path, archive: Path) -> None:
    """Write both images into one layout, which stores the layers they share once, and drop older archives."""
    layout = root / "layout"
    shutil.rmtree(layout, ignore_errors=True)
    for image in (f"{REPOSITORY}:{TAG}", SANDBOX_IMAGE):
        _run(_buildah(root, "push", "--quiet", "--disable-compression", image, f"oci:{layout}:{image}"))
    scratch = archive.with_suffix(".new")
    _run(["tar", "-C", str(layout), "-cf", str(scratch), "."])
    shutil.rmtree(layout)
    for older in root.glob("headgate-*.tar"):
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
