"""``headgate generate DIR``: write every file that is derived from the contract, so that none is edited by hand.

That is the CustomResourceDefinitions (``crds/``), the chart's copies of the texts that people acknowledge, and in ``docs/auth.md``
these texts and the table of what follows from each failure: each between two markers, where the document is there.
"""

import sys
import textwrap
from pathlib import Path
from typing import Final

from headgate_api import acknowledgement, crds, decisions, names

DOCUMENT: Final = "docs/auth.md"
END: Final = "<!-- end -->\n"
_WIDTH: Final = 130


def generated() -> dict[str, str]:
    """Return {path below the repository's root: content}."""
    files = {f"crds/{name}": text for name, text in crds.files().items()}
    files["charts/headgate/files/acknowledgement.txt"] = acknowledgement.WARNING + "\n"
    files["charts/headgate/files/identity.txt"] = acknowledgement.IDENTITY_WARNING + "\n"
    return files


def begin(source: str) -> str:
    """Return the line after which the document holds what was generated from ``source``."""
    return f"<!-- generated from headgate_api.{source} by make crds: begin -->\n"


def parts() -> dict[str, str]:
    """Return {source: text} of what the document holds of the code."""
    return {
        "decisions": decisions.table(),
        "acknowledgement.TEXT": _quoted(acknowledgement.TEXT),
        "acknowledgement.IDENTITY_TEXT": _quoted(acknowledgement.IDENTITY_TEXT),
    }


def renewed(document: str) -> str:
    """Return a document with each part between its markers. Raises ValueError where they are missing."""
    for source, text in parts().items():
        before, found, rest = document.partition(begin(source))
        _, end, after = rest.partition(END)
        if not found or not end:
            raise ValueError(f"{DOCUMENT} has lost its markers; put back {begin(source).strip()} and {END.strip()}")
        document = before + found + text + end + after
    return document


def _quoted(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="> ", subsequent_indent="> ") + "\n"


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
        document.write_text(renewed(document.read_text(encoding="utf-8")), encoding="utf-8")
    return 0
