"""Every YAML in docs is accepted by the real API server, and every command they show exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate_cli.main import PARTS
from headgate_dev.cluster import Cluster

from .conftest import apply_crds

ROOT = Path(__file__).parents[2]
DOCS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))
_FENCE = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"(?:kubectl headgate|^\s*headgate|`headgate) ([a-z]+)", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+?)(?:#([^)]+))?\)")

_WHOLE: dict[str, dict[str, Any]] = {
    "rollouts.md": {"apiVersion": "headgate.dev/v1alpha1", "kind": "RolloutPolicy", "metadata": {"name": "example"}},
    "getting-started.md": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "example"}},
}
"""What the pieces of a document are pieces of."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_accepted(cluster: Cluster, example: Path) -> None:
    apply_crds(cluster)
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(example))


@pytest.mark.parametrize(
    "document", [each for each in DOCS if _FENCE.search(each.read_text())], ids=lambda path: path.name
)
def test_yaml_in_documents_is_accepted(cluster: Cluster, document: Path, namespace: str) -> None:
    apply_crds(cluster)
    for text in _FENCE.findall(document.read_text()):
        body = yaml.safe_load(text)
        body = body if "kind" in body else _WHOLE[document.name] | body
        if body["kind"] == "Pod":
            account = body["spec"]["serviceAccountName"]
            cluster.apply(
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
            )
            body["spec"]["containers"][0].setdefault("image", "example")
        manifest = yaml.safe_dump(body)
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", input=manifest)


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_commands_in_documents_exist(document: Path) -> None:
    unknown = [word for word in _COMMAND.findall(document.read_text()) if word not in PARTS and word not in ("run",)]
    assert unknown == []


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_links_in_documents_lead_somewhere(document: Path) -> None:
    for target, anchor in _LINK.findall(document.read_text()):
        path = document.parent / target
        assert path.exists(), f"{document.name}: {target}"
        if anchor:
            assert anchor in [_anchor(line) for line in path.read_text().splitlines() if line.startswith("#")]


def _anchor(heading: str) -> str:
    """Return a heading's anchor as GitHub makes it."""
    words = heading.lstrip("#").strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
