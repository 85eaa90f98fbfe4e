"""``headgate generate DIR``: write every file that is derived from the contract, so that none is edited by hand.

That is the CustomResourceDefinitions (``crds/``), the chart's copies of the texts that people acknowledge, and in ``docs/auth.md``
the table of what follows from each failure: between two markers, where the document is there.
"""

import sys
from pathlib import Path
from typing import Final

from headgate_api import acknowledgement, crds, decisions, names

DOCUMENT: Final = "docs/auth.md"
BEGIN: Final = "<!-- generated from headgate_api.decisions by make crds: begin -->\n"
END: Final = "<!-- end -->\n"


def generated() -> dict[str, str]:
    """Return {path below the repository's root: content}."""
    files = {f"crds/{name}": text for name, text in crds.files().items()}
    files["charts/headgate/files/acknowledgement.txt"] = acknowledgement.WARNING + "\n"
    files["charts/headgate/files/identity.txt"] = acknowledgement.IDENTITY_WARNING + "\n"
    return files


def with_table(document: str) -> str:
    """Return a document with the table of decisions between its markers. Raises ValueError where they are missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT} has lost its markers; put back {BEGIN.strip()} and {END.strip()}")
    return before + begin + decisions.table() + end + after


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
    document = root / DOCUMENT
    if document.exists():
        document.write_text(with_table(document.read_text(encoding="utf-8")), encoding="utf-8")
    return 0
