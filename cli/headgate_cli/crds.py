"""``headgate crds DIR``: write the generated CustomResourceDefinitions, and remove those of kinds that no longer exist."""

import sys
from pathlib import Path

from headgate_api import crds, names


def main(argv: list[str]) -> int:
    """Write every CRD into the folder named by the only argument; return 0, or 2 when it is missing."""
    if len(argv) != 1:
        print("usage: headgate crds DIR", file=sys.stderr)
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = crds.files()
    for stale in folder.glob(f"{names.GROUP}_*.yaml"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0
