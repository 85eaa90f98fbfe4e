"""The files of a volume as a kubelet writes them: all replaced in one moment, so that no reader sees two versions mixed.

They stand in a folder of their own that ``..data`` points to; a file's name in the volume points through that.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DATA: Final = "..data"


def swap(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``files`` (relative path -> content, of mode 0600) the content of ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    version = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for relative, content in files.items():
        path = version / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
    data, coming = folder / _DATA, folder / f"{_DATA}.new"
    before = data.resolve() if data.is_symlink() else None
    coming.symlink_to(version.name)
    coming.rename(data)
    names = {Path(relative).parts[0] for relative in files}
    for entry in folder.iterdir():
        if entry.is_symlink() and entry.name != _DATA and entry.name not in names:
            entry.unlink()
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path(_DATA) / name)
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
