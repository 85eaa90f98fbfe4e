"""``headgate generate DIR``: write every file that is derived from the contract, so that none is edited by hand.

That is the CustomResourceDefinitions (``crds/``) and the chart's copies of the texts that people acknowledge.
"""

import sys
from pathlib import Path

from headgate_api import acknowledgement, crds, names


def generated() -> dict[str, str]:
    """Return {path below the repository's root: content}."""
    files = {f"crds/{name}": text for name, text in crds.files().items()}
    files["charts/headgate/files/acknowledgement.txt"] = acknowledgement.WARNING + "\n"
    files["charts/headgate/files/identity.txt"] = acknowledgement.IDENTITY_WARNING + "\n"
    return files


def main(argv: list[str]) -> int:
    """Write the generated files below the folder named by the only argument; return 0, or 2 when it is missing."""
    if len(argv) != 1:
        print("usage: headgate generate DIR", file=sys.stderr)
        return 2
    root = Path(argv[0])
    wanted = generated()
    for stale in root.glob(f"crds/{names.GROUP}_*.yaml"):
        if str(stale.relative_to(root)) not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0
